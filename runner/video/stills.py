"""Makes the posters, the first and last frame and the moving preview of a clip, and small copies of input pictures.

It needs the [video] extra.

In: a clip and the folder of its run. Out: files under the names of `domain.preview_names`, each whole or absent. The
posters show the middle, since takes of a shot often begin with the same picture.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image, ImageOps

from runner.domain.preview_names import LARGE_WIDTH, SMALL_WIDTH, preview_names
from runner.system.private_files import make_folder, open_private
from runner.video.probe import film_of, is_picture, length_of, opened, turn_of

MOTION_FPS = 12
MOTION_S = 10.0
"""A moving preview shows at most this much from the beginning."""

_POSTER_QUALITY, _FRAME_QUALITY = 80, 90
_JUMP_S = 2.0
_INPUTS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")


def make_stills(path: Path, run_dir: Path, sha256: str) -> None:
    """Make the previews of a clip that are missing.

    Raises:
        NotReadable, FFmpegError, OSError: the clip cannot be read, or a preview cannot be written.
    """
    names = preview_names(sha256)
    make_folder((run_dir / names.small).parent)
    if is_picture(path):
        with Image.open(path) as picture:
            _posters(ImageOps.exif_transpose(picture), run_dir, sha256)
        return
    with opened(path) as container:
        if (film := film_of(container)) is None or film.codec_context is None:
            return
        # Speed matters little here, and two decoding threads would take both cores from the run.
        film.thread_type = "SLICE"
        _of_film(container, film, run_dir, sha256)


def make_copy(path: Path, target: Path) -> None:
    """Make a small copy of a picture, unless it is there.

    Raises:
        Exception: the picture cannot be read; a library may raise anything for a hostile one.
        OSError: the copy cannot be written.
    """
    # The formats are named: Pillow would otherwise hand some of the others to another program.
    with Image.open(path, formats=_INPUTS) as picture:
        _jpeg(
            _narrowed(ImageOps.exif_transpose(picture).convert("RGB"), SMALL_WIDTH),
            target,
            quality=_POSTER_QUALITY,
        )


def _of_film(container: Any, film: Any, run_dir: Path, sha256: str) -> None:  # noqa: ANN401 - PyAV has no types
    names, middle = preview_names(sha256), (length_of(container, film) or 0.0) / 2
    last = first = poster = None
    with _motion(run_dir / names.motion, film) as motion:
        for frame, at in _frames(container, film, middle):
            last = frame
            first = frame if first is None else first
            if poster is None and at >= middle:
                poster = frame
            if motion is not None and at <= MOTION_S:
                motion.add(frame, at)
    if first is None or last is None:
        return
    _jpeg(_image(first), run_dir / names.first, quality=_FRAME_QUALITY)
    _jpeg(_image(last), run_dir / names.last, quality=_FRAME_QUALITY)
    _posters(_image(poster if poster is not None else last), run_dir, sha256)


def _frames(container: Any, film: Any, middle: float) -> Iterator[tuple[Any, float]]:  # noqa: ANN401
    """Yield the pictures that the previews need, and their times; of a long clip the end, and none before it."""
    start, reach = float((film.start_time or 0) * film.time_base), max(MOTION_S, middle)
    ending = 2 * middle - _JUMP_S / 2
    # What cannot be decoded ends a damaged clip; its last good picture is its last frame.
    with suppress(av.error.FFmpegError):
        for frame in container.decode(film):
            at = float(frame.pts * frame.time_base) - start if frame.pts is not None else 0.0
            yield frame, at
            if at > reach and at + _JUMP_S < ending:
                break
        else:
            return
        container.seek(int((ending + start) / film.time_base), stream=film)
        for frame in container.decode(film):
            yield frame, float("inf")


def _image(frame: Any) -> Image.Image:  # noqa: ANN401
    picture: Image.Image = frame.to_image()
    return picture.rotate(turn_of(frame), expand=True) if turn_of(frame) else picture


def _small_sides(frame: Any) -> tuple[int, int]:  # noqa: ANN401
    """Return the sides of the moving preview, which an encoder needs even."""
    sides = (frame.width, frame.height)
    width, height = sides[::-1] if turn_of(frame) % 180 else sides
    share = min(1.0, SMALL_WIDTH / width)
    return max(2, round(width * share / 2) * 2), max(2, round(height * share / 2) * 2)


def _posters(picture: Image.Image, run_dir: Path, sha256: str) -> None:
    names = preview_names(sha256)
    for name, width in ((names.large, LARGE_WIDTH), (names.small, SMALL_WIDTH)):
        picture = _narrowed(picture, width)
        _jpeg(picture, run_dir / name, quality=_POSTER_QUALITY)


def _narrowed(picture: Image.Image, width: int) -> Image.Image:
    if picture.width <= width:
        return picture
    return picture.resize((width, max(1, round(picture.height * width / picture.width))), reducing_gap=3.0)


def _jpeg(picture: Image.Image, path: Path, *, quality: int) -> None:
    if path.is_file():
        return
    flat = picture if picture.mode == "RGB" else picture.convert("RGB")
    with _part(path) as part:
        flat.save(part, "JPEG", quality=quality, progressive=True)


@contextmanager
def _part(path: Path) -> Iterator[Path]:
    """Yield a private file to write to, which gets its name at the end; an error removes it."""
    # Unlike `whole_path` it flushes nothing, since a preview can be made again, and a name left by a kill is reused.
    part = path.with_name(f".{path.name}.part")
    os.close(open_private(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    try:
        yield part
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise


class _Motion:
    """The moving preview while it is written: pictures at even intervals, without sound."""

    def __init__(self, target: Path, film: Any) -> None:  # noqa: ANN401
        rate = film.average_rate or Fraction(24)
        self._rate = Fraction(min(rate, MOTION_FPS)).limit_denominator(1001)
        self._next = 0.0
        self._count = 0
        self._target = target
        self._container: Any = None
        self._stream: Any = None

    def add(self, frame: Any, at: float) -> None:  # noqa: ANN401
        """Add a picture unless its time has not come."""
        if at + 1e-6 < self._next:
            return
        if self._container is None:
            self._begin(*_small_sides(frame))
        small = self._small(frame)
        small.pts, small.time_base = self._count, 1 / self._rate
        self._container.mux(self._stream.encode(small))
        self._count += 1
        self._next = self._count / float(self._rate)

    def _small(self, frame: Any) -> Any:  # noqa: ANN401
        width, height = self._stream.width, self._stream.height
        if turn_of(frame):
            return av.VideoFrame.from_image(_image(frame).resize((width, height)))  # type: ignore[no-untyped-call]
        return frame.reformat(width=width, height=height, format="yuv420p", interpolation="BILINEAR")

    def _begin(self, width: int, height: int) -> None:
        options = {"movflags": "+faststart"}
        self._container = av.open(str(self._target), "w", format="mp4", options=options)
        self._stream = self._container.add_stream("libx264", rate=self._rate)
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._stream.thread_count = 1
        # A key frame each half second: a pointer that moves over the preview jumps in it.
        self._stream.options = {"preset": "veryfast", "crf": "30", "g": str(MOTION_FPS // 2)}

    def end(self) -> None:
        """Write what is still in the encoder, and the index."""
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()


@contextmanager
def _motion(path: Path, film: Any) -> Iterator[_Motion | None]:  # noqa: ANN401
    """Yield the moving preview to add to, None if it is there already."""
    if path.is_file():
        yield None
        return
    with _part(path) as part:
        motion = _Motion(part, film)
        yield motion
        motion.end()
