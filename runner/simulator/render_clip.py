"""Draws the small real MP4s that replace paid clips: the words of a take before a sun that moves and a skyline.

In: a `Scene` and a path. Out: an H.264 file at that path, whole or absent, the same bytes for the same scene and
the same codec build. It needs the [video] extra (PyAV, Pillow). It knows no job, no server and no network.
"""

from __future__ import annotations

import os
import textwrap
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from colorsys import hls_to_rgb
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import TypeAlias

import av
from PIL import Image, ImageChops, ImageDraw, ImageFont

from runner.simulator.jobs import ClipFlaw
from runner.simulator.scene import Scene
from runner.system.private_files import open_private

FPS = 12

_Colour: TypeAlias = tuple[int, int, int]
_AMBER, _WHITE, _SOFT = (255, 190, 60), (255, 255, 255), (215, 220, 228)
_AREA = 320 * 180
"""Words are laid out as if the picture had this many pixels, whatever its real size."""
_MARGIN, _BAR = 10, 5
_SUN, _WAY = 14, 0.26
_CRISP = 3
"""In a small picture, words are drawn this many times larger and made small: small letters are spaced unevenly."""
_PLAIN = str.maketrans("‘’“”–—", "''\"\"--")


def render(scene: Scene, path: Path) -> None:
    """Write the scene's clip, or its first picture, to `path` through a part file beside it: it is whole or absent."""
    part = path.with_name(f"{path.stem}.{threading.get_native_id()}.part")
    os.close(open_private(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    if scene.is_picture:
        next(_frames(scene)).to_image().save(part, "PNG")  # type: ignore[no-untyped-call]
        part.replace(path)
        return
    # One encoder thread makes the bytes reproducible; the index is in front, so that a browser starts at once.
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = scene.width, scene.height
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": "30", "g": str(2 * FPS)}
        for number, frame in enumerate(_frames(scene)):
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if scene.flaw is ClipFlaw.CUT:
        _lose_half(part)
    part.replace(path)


def _lose_half(path: Path) -> None:
    """Put zeros in place of the second half of the media data, as an upload leaves them that was cut short."""
    data = path.read_bytes()
    kept = (data.index(b"mdat") + len(data)) // 2
    path.write_bytes(data[:kept] + bytes(len(data) - kept))


def _frames(scene: Scene) -> Iterator[av.VideoFrame]:
    """Yield the pictures; only the band in which the sun moves, and the bar, are drawn again for each.

    The planes of a frame are drawn on as they are, since converting every picture would take most of the time.
    """
    count = max(round(scene.seconds * FPS), 1)
    black = scene.flaw is ClipFlaw.BLACK
    card = Image.new("RGB", (scene.width, scene.height)) if black else _card(scene)
    band = _Band.of(scene, card)
    planes = _planes(card)
    for number in range(count):
        if not black and not (number and scene.flaw is ClipFlaw.FROZEN):
            band.draw(planes, (number + 1) / count)
        frame = av.VideoFrame(scene.width, scene.height, "yuv420p")
        for plane, picture in zip(frame.planes, planes, strict=True):
            plane.update(picture.tobytes())
        yield frame


@dataclass(frozen=True, slots=True)
class _Band:
    """What moves in a picture: a sun in a band of the sky, behind all that stands in front, and a bar at the foot.

    `front` holds the planes of what stands in the band, `masks` where that is. A colour is one value a plane.
    """

    box: tuple[int, int, int, int]
    front: Sequence[Image.Image]
    masks: Sequence[Image.Image]
    sky: Sequence[int]
    sun: Sequence[int]
    foot: tuple[int, int, int]

    @classmethod
    def of(cls, scene: Scene, card: Image.Image) -> _Band:
        """Return the band of a scene; every length in it is even, as the halved planes need."""
        sun = round(_SUN * _unit(scene) / 2) * 2
        left, top = (round(at * side / 2) * 2 for at, side in zip(scene.sun, card.size, strict=True))
        box = (left, top, left + round(_WAY * scene.width / 2) * 2 + 2 * sun, top + 2 * sun)
        front, sky = card.crop(box), _rgb(scene.colour)
        changed = ImageChops.difference(front, Image.new("RGB", front.size, sky)).convert("L")
        masks = [
            mask.point(lambda value: 255 if value else 0)
            for mask in (changed, changed.reduce(2), changed.reduce(2))
        ]
        hue, _ = scene.colour
        foot = round(_BAR * _unit(scene) / 2) * 2
        return cls(
            box, _planes(front), masks, _values(sky), _values(_rgb((hue + 0.45, 0.72))), (*card.size, foot)
        )

    def draw(self, planes: Sequence[Image.Image], reached: float) -> None:
        """Draw the sun and the bar on the planes of a picture; `reached` is the share of the clip that is over."""
        width, height, foot = self.foot
        amber = _values(_AMBER)
        for number, picture in enumerate(planes):
            part = 2 if number else 1
            left, top, right, under = (at // part for at in self.box)
            tile = Image.new("L", (right - left, under - top), self.sky[number])
            across = (tile.width - tile.height) * reached
            ImageDraw.Draw(tile).ellipse(
                (across, 0, across + tile.height - 1, tile.height - 1), self.sun[number]
            )
            tile.paste(self.front[number].crop((0, 0, *tile.size)), mask=self.masks[number])
            picture.paste(tile, (left, top))
            bar = (0, (height - foot) // part, width * reached / part, height // part)
            ImageDraw.Draw(picture).rectangle(bar, fill=amber[number])


def _planes(picture: Image.Image) -> list[Image.Image]:
    """Return the planes of a picture as a video has them, each as wide as its lines are in memory."""
    frame = av.VideoFrame.from_image(picture).reformat(format="yuv420p")  # type: ignore[no-untyped-call]
    return [Image.frombytes("L", (each.line_size, each.height), bytes(each)) for each in frame.planes]


@cache
def _values(colour: _Colour) -> tuple[int, ...]:
    planes = _planes(Image.new("RGB", (16, 16), colour))
    return tuple(int(plane.getpixel((0, 0))) for plane in planes)  # type: ignore[arg-type]


def _rgb(colour: tuple[float, float]) -> _Colour:
    red, green, blue = (round(part * 255) for part in hls_to_rgb(*colour, 0.55))
    return red, green, blue


def _unit(scene: Scene) -> float:
    return float((scene.width * scene.height / _AREA) ** 0.5)


def _card(scene: Scene) -> Image.Image:
    """Return all of the picture that does not move: words before a skyline."""
    crisp = 1 if _unit(scene) > _CRISP - 1 else _CRISP
    unit = _unit(scene) * crisp
    card = Image.new("RGB", (scene.width * crisp, scene.height * crisp), _rgb(scene.colour))
    hue, light = scene.colour
    pen, wide = ImageDraw.Draw(card), card.width / max(len(scene.roofs), 1)
    for number, roof in enumerate(scene.roofs):
        left, top = wide * number, card.height * (1 - roof)
        pen.rectangle((left, top, left + wide, card.height), _rgb((hue, light * (0.55 + number % 2 * 0.15))))
    shot, _, axes = scene.slate.partition("@")
    y = _write(card, "SIMULATED", 8, 9, _AMBER, unit)
    y = _write(card, shot, y, 22, _WHITE, unit)
    y = _write(card, axes, y, 11, _SOFT, unit, lines=2)
    y = _write(card, scene.seed and f"seed {scene.seed}", y + 2, 22, _AMBER, unit)
    _write(card, scene.prompt, y + 4, 12, _WHITE, unit, lines=3)
    _write(card, scene.details, round(card.height / unit) - 24, 9, _SOFT, unit)
    return card.reduce(crisp)


def _write(
    card: Image.Image,
    text: str,
    y: int,
    size: int,
    colour: _Colour,
    unit: float,
    *,
    lines: int = 1,
) -> int:
    """Write the beginning of `text` on at most some lines from `y` on, and return where the next text begins.

    Pillow's own font looks the same on every machine. Accents are removed, and scripts that it lacks are left out.
    """
    folded = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    plain = " ".join(folded.encode("ascii", "ignore").decode().split())
    font = ImageFont.load_default(size * unit)
    room = card.width - 2 * _MARGIN * unit
    columns = int(0.92 * room * len(plain) / max(font.getlength(plain), 1))
    pen = ImageDraw.Draw(card)
    for row in textwrap.wrap(plain, max(columns, 4), max_lines=lines, placeholder="..."):
        pen.text((_MARGIN * unit, y * unit), row, font=font, fill=colour)
        y += round(size * 1.25)
    return y
