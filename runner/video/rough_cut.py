"""Joins clips into one MP4, in order: copied as they are where all agree, and else brought to one size and rate.

In: segments, which are clips or slates. Out: one file, whole or absent, and what was done. It knows no shot and no run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av

from runner.domain.disk_errors import file_error
from runner.domain.errors import ClipUnreadable, UsageError
from runner.system.private_files import whole_path
from runner.video.burn_in import burn_picture
from runner.video.clip_reader import Look, even, look_at, opened, packets_of, reason, usual_rate
from runner.video.conform import BT709, FORM, Raster, conformed, still
from runner.video.slate import Slate, slate_picture
from runner.video.sound import Sound

_USUAL_SIZE = (1280, 720)
# Half the work of `veryfast` at quality 18, for files a fifth larger: the cut is for looking, not for delivery.
_ENCODER = {"preset": "superfast", "crf": "20", "bf": "0"}
_THREADS = 2
_KEY_PICTURE = 1
_SHORTEST, _LONGEST = Fraction(1, 10), Fraction(3600)


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a cut: the clip in `file`, or the slate for `planned` seconds if there is none.

    `burn` is what a burn-in writes on the clip. The slate also takes the place of a clip that cannot be read.
    """

    label: str
    planned: float
    slate: Slate
    file: Path | None = None
    burn: str = ""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person asks of a cut; without a size or a rate, the most common one of the clips is taken.

    Without any clip it is 1280x720 at `planned_fps`.
    """

    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    has_burn_in: bool = False
    has_slates: bool = True
    planned_fps: float = 24.0


@dataclass(frozen=True, slots=True)
class Cut:
    """What was written: length in seconds, size, rate, and parts by kind.

    `why_encoded` is empty if the pictures were copied. `remarks` name each clip that is not whole.
    """

    seconds: float
    raster: Raster
    clips: int
    slates: int
    why_encoded: str
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A segment with what its clip is; None for a slate."""

    segment: Segment
    look: Look | None = None

    @property
    def seconds(self) -> Fraction:
        """The length that is expected of it."""
        if self.look is None or self.look.is_still:
            return min(max(Fraction(self.segment.planned), _SHORTEST), _LONGEST)
        return self.look.seconds


class _Pictures(Protocol):
    """Writes the picture of one part after the other."""

    def add(self, part: Part, on_seconds: Callable[[Fraction], None]) -> Fraction:
        """Write a part and return its length in seconds; `on_seconds` is given how long the cut is by now."""

    def finish(self) -> None:
        """Write what is still held."""


def _ignore(_done: float, _of: float) -> None:
    """Show no progress."""


def write_cut(
    segments: Sequence[Segment],
    path: Path,
    *,
    wishes: Wishes,
    on_progress: Callable[[float, float], None] = _ignore,
) -> Cut:
    """Join segments into the MP4 at `path`, whole or not at all.

    `on_progress` is given the seconds that are written, and those that are expected.

    Raises:
        UsageError: there is nothing to join.
        CannotCreate, DiskFailed: the file cannot be written.
    """
    parts, remarks = _looked(segments, wishes)
    if not parts:
        raise UsageError("there is no clip to join", advice="leave out --no-slates to see what is missing")
    raster = raster_of(parts, wishes)
    why = why_encoded(parts, wishes)
    try:
        with whole_path(path) as place:
            seconds, short = _write(parts, place, raster, why, wishes, on_progress)
    except av.FFmpegError as error:
        raise file_error(OSError(error.errno, reason(error)), path, "cannot be written") from error
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error
    slates = sum(1 for part in parts if part.look is None)
    return Cut(float(seconds), raster, len(parts) - slates, slates, why, (*remarks, *short))


def why_encoded(parts: Sequence[Part], wishes: Wishes) -> str:
    """Return why the pictures cannot be copied as they are; empty if they can."""
    looks = [part.look for part in parts if part.look is not None]
    if wishes.has_burn_in:
        return "a burn-in was asked for"
    if len(looks) < len(parts):
        return "there are slates among the clips"
    if any(look.is_still or look.is_cut_short for look in looks):
        return "not every take is a whole clip"
    if any(look.form is None for look in looks):
        return "a clip has a form that cannot be joined as it is"
    if len({(look.width, look.height) for look in looks}) > 1:
        return "the clips differ in size"
    if len({look.fps for look in looks}) > 1:
        return "the clips differ in frame rate"
    if len({look.form for look in looks}) > 1:
        return "the clips are not encoded alike"
    if wishes.size not in (None, (looks[0].width, looks[0].height)):
        return "another size was asked for"
    if wishes.fps not in (None, looks[0].fps):
        return "another frame rate was asked for"
    return ""


def raster_of(parts: Sequence[Part], wishes: Wishes) -> Raster:
    """Return the size and rate of a cut: those asked for, or else the most common; of two, the larger."""
    looks = [part.look for part in parts if part.look is not None]
    sizes = Counter((look.width, look.height) for look in looks)
    rates = Counter(look.fps for look in looks if not look.is_still)
    size = wishes.size or max(sizes, key=lambda each: (sizes[each], each[0] * each[1]), default=_USUAL_SIZE)
    usual = max(rates, key=lambda each: (rates[each], each), default=usual_rate(wishes.planned_fps))
    return Raster(even(size[0]), even(size[1]), wishes.fps or usual)


def _looked(segments: Sequence[Segment], wishes: Wishes) -> tuple[list[Part], list[str]]:
    """Return the parts of a cut, in which a clip that cannot be read is a slate that says so, and the remarks."""
    parts, remarks = list[Part](), list[str]()
    for segment in segments:
        part = Part(segment)
        if segment.file is not None:
            try:
                part = Part(segment, look_at(segment.file))
            except ClipUnreadable as error:
                remarks.append(f"{segment.label}: {error.message}")
                slate = replace(segment.slate, why=f"{segment.label}: {error.message}")
                part = Part(replace(segment, file=None, slate=slate))
        if part.look is not None or wishes.has_slates:
            parts.append(part)
    return parts, remarks


def _write(
    parts: Sequence[Part],
    place: Path,
    raster: Raster,
    why: str,
    wishes: Wishes,
    on_progress: Callable[[float, float], None],
) -> tuple[Fraction, list[str]]:
    """Write all parts; return the seconds written, and a remark on each clip that is shorter than it states."""
    remarks = list[str]()
    total = float(sum(part.seconds for part in parts))

    def on_seconds(done: Fraction) -> None:
        on_progress(float(done), total)

    written = Fraction(0)
    with av.open(str(place.absolute()), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        pictures: _Pictures = (
            _Encoded(container, raster, has_burn_in=wishes.has_burn_in)
            if why
            else _Copied(container, parts[0].segment.file)
        )
        has_sound = any(part.look is not None and part.look.has_audio for part in parts)
        sound = Sound(container) if has_sound else None
        for part in parts:
            try:
                length = pictures.add(part, on_seconds)
                written += length
                if sound is not None:
                    file = part.segment.file if part.look is not None and part.look.has_audio else None
                    sound.add(file, start=part.look.start if part.look else Fraction(0), until=written)
            except ClipUnreadable as error:
                # It could be read a moment ago, so it was changed or its middle is damaged in an odd way.
                message = f"{part.segment.label}: {error.message}"
                raise ClipUnreadable(message, advice="leave it out with --exclude") from error
            remarks += _shortness(part, length)
            on_seconds(written)
        pictures.finish()
        if sound is not None:
            sound.finish()
    return written, remarks


def _shortness(part: Part, seconds: Fraction) -> list[str]:
    """Return a remark if a clip gave less than it states."""
    if part.look is None or part.look.is_still:
        return []
    stated = max(part.look.claimed, part.look.seconds)
    if stated - seconds <= Fraction(3, 2) / part.look.fps:
        return []
    return [f"{part.segment.label}: only {float(seconds):.1f} s of {float(stated):.1f} s can be decoded"]


class _Copied:
    """Copies the packets of clips that agree, each after the last one of the clip before."""

    def __init__(self, container: Any, like: Path | None) -> None:  # noqa: ANN401 - PyAV has no types
        assert like is not None, "only clips are copied"
        self._container = container
        with opened(like) as clip:
            stream = clip.streams.video[0]
            self._unit = Fraction(stream.time_base)
            self._stream = container.add_stream_from_template(stream)
        self._end = 0
        self._decoded = -(2**62)

    def add(self, part: Part, on_seconds: Callable[[Fraction], None]) -> Fraction:
        """Copy the clip of a part."""
        assert part.look is not None, "as above"
        assert part.segment.file is not None, "as above"
        unit = self._unit
        shift = self._end - round(part.look.start / unit)
        for packet in packets_of(part.segment.file):
            packet.pts += shift
            packet.dts = self._decoded = max(packet.dts + shift, self._decoded + 1)
            packet.stream = self._stream
            self._container.mux(packet)
        self._end += round(part.look.seconds / unit)
        on_seconds(self._end * unit)
        return part.look.seconds

    def finish(self) -> None:
        """Do nothing: no packet is held."""


class _Encoded:
    """Encodes pictures that were brought to one size and rate; each part begins with a key picture."""

    def __init__(self, container: Any, raster: Raster, *, has_burn_in: bool) -> None:  # noqa: ANN401 - as above
        self._container, self._raster, self._has_burn_in = container, raster, has_burn_in
        self._stream = container.add_stream("libx264", rate=raster.fps)
        self._stream.width, self._stream.height = raster.size
        self._stream.pix_fmt = FORM
        self._stream.options = _ENCODER
        coder = self._stream.codec_context
        coder.thread_count = _THREADS
        coder.colorspace = coder.color_primaries = coder.color_trc = BT709
        self._frames = 0

    def add(self, part: Part, on_seconds: Callable[[Fraction], None]) -> Fraction:
        """Encode the clip of a part, or its slate."""
        first = self._frames
        if part.look is None:
            slate = slate_picture(part.segment.slate, size=self._raster.size)
            self._show(still(slate), self._raster.frames(part.seconds), is_first=True)
        else:
            self._clip(part, on_seconds)
        return (self._frames - first) / self._raster.fps

    def finish(self) -> None:
        """Write the pictures that the encoder still holds."""
        self._container.mux(self._stream.encode(None))

    def _clip(self, part: Part, on_seconds: Callable[[Fraction], None]) -> None:
        assert part.segment.file is not None, "it was looked at"
        words = part.segment.burn if self._has_burn_in else ""
        burn = burn_picture(words, size=self._raster.size) if words else None
        first = self._frames
        for picture, frames in conformed(part.segment.file, self._raster, burn=burn):
            is_still = part.look is not None and part.look.is_still
            count = self._raster.frames(part.seconds) if is_still else frames
            self._show(picture, count, is_first=self._frames == first)
            on_seconds(self._frames / self._raster.fps)

    def _show(self, picture: Any, count: int, *, is_first: bool) -> None:  # noqa: ANN401 - as above
        for number in range(count):
            picture.pts, picture.time_base = self._frames, 1 / self._raster.fps
            picture.pict_type = _KEY_PICTURE if is_first and not number else 0
            self._frames += 1
            self._container.mux(self._stream.encode(picture))
