"""Makes a GIF or an animated WebP of a clip, or of several beside each other, small enough for a chat.

In: files with labels. Out: the bytes of a picture. It knows no shot and no run.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from PIL import Image

from runner.domain.display import size
from runner.domain.errors import ClipUnreadable
from runner.video.burn_in import burn_picture
from runner.video.clip_reader import even, look_at
from runner.video.conform import Raster, conformed

MOST_BYTES = 8_000_000
_MOST_FRAMES = 300
_SMALLER = 0.75
_NARROWEST = 120


@dataclass(frozen=True, slots=True)
class Animation:
    """The bytes of a moving picture, and what should be known of it."""

    data: bytes
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """The form `gif` or `webp`, the width of each clip in pixels, and frames per second."""

    form: str
    width: int
    fps: float


def animation(clips: Sequence[tuple[str, Path]], look: Look, *, most_bytes: int = MOST_BYTES) -> Animation:
    """Return the clips beside each other as a moving picture; labels are written on them if there are several.

    It is made narrower until it has at most `most_bytes`.

    Raises:
        ClipUnreadable: a clip has no picture that can be decoded; the message begins with its label.
    """
    wanted, remarks = look.width, list[str]()
    while True:
        pictures, is_whole = _together(clips, look)
        data = _encoded(pictures, look)
        if len(data) <= most_bytes or look.width * _SMALLER < _NARROWEST:
            break
        look = replace(look, width=round(look.width * _SMALLER))
    if look.width < wanted:
        remarks.append(f"it is {look.width} pixels wide, since {wanted} would be above {size(most_bytes)}")
    if not is_whole:
        remarks.append(f"only its first {_MOST_FRAMES / look.fps:.0f} s are shown")
    return Animation(data, tuple(remarks))


def _together(clips: Sequence[tuple[str, Path]], look: Look) -> tuple[list[Image.Image], bool]:
    """Return the frames, and whether they are all; a clip that is shorter than another keeps its last picture."""
    strips = [list(_frames(label, file, look, is_named=len(clips) > 1)) for label, file in clips]
    longest = max(map(len, strips))
    count = min(longest, _MOST_FRAMES)
    whole = (sum(strip[0].width for strip in strips), max(strip[0].height for strip in strips))
    together = list[Image.Image]()
    for number in range(count):
        picture = Image.new("RGB", whole)
        x = 0
        for strip in strips:
            shown = strip[min(number, len(strip) - 1)]
            picture.paste(shown, (x, (whole[1] - shown.height) // 2))
            x += shown.width
        together.append(picture)
    return together, longest <= _MOST_FRAMES


def _frames(label: str, file: Path, look: Look, *, is_named: bool) -> Iterator[Image.Image]:
    """Yield one picture for each frame of the animation, and one more than is shown where the clip is longer."""
    try:
        found = look_at(file)
        width = min(look.width, found.width)
        raster = Raster(even(width), even(Fraction(width * found.height, found.width)), Fraction(look.fps))
        burn = burn_picture(label, size=raster.size) if is_named else None
        count = 0
        for frame, times in conformed(file, raster, burn=burn):
            picture: Image.Image = frame.to_image()
            for _ in range(times):
                yield picture
                count += 1
                if count > _MOST_FRAMES:
                    return
    except ClipUnreadable as error:
        raise ClipUnreadable(f"{label}: {error.message}", advice="choose another take") from error
    if not count:
        raise ClipUnreadable(f"{label}: no picture in it can be decoded", advice="choose another take")


def _encoded(pictures: Sequence[Image.Image], look: Look) -> bytes:
    out = io.BytesIO()
    first, *others = pictures
    length = round(1000 / look.fps)
    if look.form == "gif":
        first, *others = (each.quantize(128, method=Image.Quantize.FASTOCTREE) for each in pictures)
        first.save(out, "GIF", save_all=True, append_images=others, duration=length, loop=0, optimize=False)
    else:
        first.save(
            out, "WEBP", save_all=True, append_images=others, duration=length, loop=0, quality=70, method=2
        )
    return out.getvalue()
