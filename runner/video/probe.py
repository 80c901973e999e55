"""Measures a clip with PyAV and samples a few of its pictures; it needs the [video] extra.

In: a path. Out: a `Look`. It judges nothing. A hostile file may crash or hang the decoder, so this runs in the worker.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.error import FFmpegError
from PIL import Image

from runner.domain.clip_checks import Probe
from runner.video.clip_reader import ANY_TEXT
from runner.video.judge import Look, Picture
from runner.video.kinds import PICTURES, NotReadable, demuxer, extension

SAMPLES = 7
# Less than this apart, decoding all between two samples is cheaper than a jump to the key frame before the later one.
_NEAR_S = 2.0
# Others find places by guessing, and may land behind the one that was asked for.
_EXACT_JUMPS = frozenset({"mov", "matroska"})
_GRID = (64, 36)
_MOST_FRAMES = 4000
_LEAST_SHAPE = Fraction(1, 8)
"""A pixel that is narrower than this, or as much wider, is a mistake in the file."""
_QUARTER_TURNS = frozenset({90, 270})


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Yield the open container.

    Raises:
        NotReadable: it is of a kind without a reader, or it cannot be opened.
    """
    reader = demuxer(path)
    if not reader:
        raise NotReadable("not a video, picture or sound that can be read")
    try:
        # A clip is one file: whatever it refers to stays closed.
        container = av.open(str(path), format=reader, options={"protocol_whitelist": "file"}, **ANY_TEXT)
    except (FFmpegError, OSError, ValueError) as error:
        raise NotReadable(f"cannot be opened: {words_of(error)}") from error
    with container:
        yield container


def words_of(error: Exception) -> str:
    """Return what a library says about a file, without the file's path."""
    return str(getattr(error, "strerror", "") or type(error).__name__)


def film_of(container: Any) -> Any | None:  # noqa: ANN401 - PyAV has no types
    """Return the stream of moving pictures, None if there is none; a cover picture is not one."""
    cover = av.stream.Disposition.attached_pic
    return next((each for each in container.streams.video if not each.disposition & cover), None)


def turn_of(frame: Any) -> int:  # noqa: ANN401
    """Return by how many degrees a frame must be turned to be shown; older versions of PyAV do not know."""
    return int(getattr(frame, "rotation", 0))


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture, by its name."""
    return extension(path) in PICTURES


def look_into(path: Path) -> Look:
    """Measure a clip, a picture or a sound.

    Raises:
        NotReadable: it cannot be opened as what its name says.
    """
    if is_picture(path):
        return _picture(path)
    with opened(path) as container:
        film = film_of(container)
        sound = next(iter(container.streams.audio), None)
        audio = _codec_of(sound) or "unknown" if sound is not None else ""
        name = extension(path)
        if film is not None and film.codec_context is None:
            # A decoder that is not there proves nothing about the clip.
            return Look(Probe(name, seconds=length_of(container, film), audio=audio, is_decoded=True))
        if film is None:
            seconds = length_of(container, sound) if sound is not None else None
            return Look(Probe(container=name, seconds=seconds, audio=audio, is_decoded=True))
        return _film(container, film, name, audio)


def _codec_of(stream: Any) -> str:  # noqa: ANN401 - PyAV has no types
    """Return the name of a stream's codec, not that of the decoder; empty if no decoder knows it."""
    return str(stream.codec_context.codec.canonical_name) if stream.codec_context is not None else ""


def _picture(path: Path) -> Look:
    try:
        with Image.open(path) as picture:
            turned = picture.getexif().get(0x0112) in {5, 6, 7, 8}
            picture.load()
            sides = picture.size[::-1] if turned else picture.size
            name = (picture.format or "").lower()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NotReadable("a picture that cannot be decoded") from error
    return Look(Probe(extension(path), name, *sides, frames=1, audio="", is_decoded=True))


def length_of(container: Any, stream: Any) -> float | None:  # noqa: ANN401
    """Return what the container says of a stream's length, in seconds."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base) or None
    return container.duration / av.time_base if container.duration else None


def _film(container: Any, film: Any, name: str, audio: str) -> Look:  # noqa: ANN401
    promised, rate = length_of(container, film), film.average_rate or film.guessed_rate
    sampler = _Sampler(container, film, promised, float(rate) if rate else 0.0)
    sampler.run()
    width, height = film.codec_context.width, film.codec_context.height
    shape = Fraction(film.sample_aspect_ratio or 1)
    if _LEAST_SHAPE <= shape <= 1 / _LEAST_SHAPE:
        width = round(width * shape)
    if sampler.turn % 360 in _QUARTER_TURNS:
        width, height = height, width
    ended = promised if promised is not None else sampler.end
    probe = Probe(
        container=name,
        codec=_codec_of(film),
        width=width,
        height=height,
        seconds=ended,
        fps=float(rate) if rate else None,
        frames=film.frames or (sampler.decoded if sampler.is_complete else None),
        audio=audio,
        is_decoded=True,
    )
    # What was not decoded is not missing.
    end = sampler.end if sampler.reached_end else promised
    return Look(probe, tuple(sampler.pictures), sampler.change, end, sampler.broken)


class _Sampler:
    """Decodes the first picture, the last one, and some between; `change` and `end` are as in `Look`."""

    def __init__(self, container: Any, film: Any, promised: float | None, rate: float) -> None:  # noqa: ANN401
        self._container, self._film = container, film
        self._start = float((film.start_time or 0) * film.time_base)
        self._step = 1 / rate if rate else 0.0
        last = promised or 0.0
        # Decoding goes on to the last picture, which is the last sample.
        self._targets = [last * number / (SAMPLES - 1) for number in range(SAMPLES - 1)]
        self._promised = promised
        self._jumps = container.format.name.split(",")[0] in _EXACT_JUMPS
        self._grids: list[bytes] = []
        self.pictures: list[Picture] = []
        self.change = 0.0
        self.end: float | None = None
        self.broken = ""
        self.turn = 0
        self.decoded = 0
        self.is_complete = self.reached_end = True

    def run(self) -> None:
        """Decode the samples; what cannot be decoded ends them."""
        frame, at = None, 0.0
        try:
            for frame, at in self._frames():
                self.decoded += 1
                self.end = at + (frame.duration * frame.time_base if frame.duration else self._step)
                self.turn = turn_of(frame)
                if self._targets and at >= self._targets[0] - self._step / 2:
                    self._sample(frame, at)
                    self._targets = [target for target in self._targets if target > at + self._step / 2]
                    frame = None
        except FFmpegError as error:
            self.broken = words_of(error)
        if frame is not None:
            self._sample(frame, at)
        self.end = None if self.end is None else float(self.end)

    def _frames(self) -> Iterator[tuple[Any, float]]:
        """Yield pictures and their times, jumping where the next sample is far away."""
        frames, jumped_from, spent = self._container.decode(self._film), -1.0, 0
        while frames is not None:
            going, frames = frames, None
            for frame in going:
                at = self._time_of(frame)
                # Key frames are so far apart that jumps lead back; they would decode the same pictures again.
                self._jumps = self._jumps and at > jumped_from
                jumped_from = -1.0
                yield frame, at
                spent += 1
                if spent > _MOST_FRAMES:
                    # A cheap look does not get to the end.
                    self.reached_end = self.is_complete = False
                    return
                target = self._targets[0] if self._targets else (self._promised or 0.0) - _NEAR_S / 2
                if target - at > _NEAR_S and self._jump(target):
                    frames, jumped_from, spent = self._container.decode(self._film), at, 0
                    break

    def _time_of(self, frame: Any) -> float:  # noqa: ANN401
        """Return when a picture is shown, in seconds from the first one."""
        return self.end or 0.0 if frame.pts is None else float(frame.pts * frame.time_base) - self._start

    def _jump(self, target: float) -> bool:
        """Go to the key frame before `target` seconds; False if that cannot be done."""
        if not self._jumps:
            return False
        try:
            self._container.seek(int((target + self._start) / self._film.time_base), stream=self._film)
        except FFmpegError:
            self._jumps = False
        else:
            self.is_complete = False
        return self._jumps

    def _sample(self, frame: Any, at: float) -> None:  # noqa: ANN401
        width, height = _GRID
        grid = frame.reformat(width=width, height=height, format="gray", interpolation="AREA")
        plane = grid.planes[0]
        data = bytes(plane)
        rows = b"".join(data[row * plane.line_size : row * plane.line_size + width] for row in range(height))
        self.pictures.append(Picture(round(at, 3), sum(rows) / len(rows), float(max(rows))))
        for other in self._grids[:1] + self._grids[-1:]:
            self.change = max(self.change, *(abs(one - two) for one, two in zip(rows, other, strict=True)))
        self._grids.append(rows)
