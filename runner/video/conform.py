"""Brings the pictures of any clip to one size, one rate and one form, so that they can follow those of another clip.

In: a file and a `Raster`. Out: pictures, each with the number of frames for which it is shown. Nothing is stretched: a
picture of another shape gets bars. A clip that is damaged gives the pictures that can be decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

from runner.video.clip_reader import even, opened, ratio_of, shown_size, turns_of

FORM = "yuv420p"
BT709 = 1
"""The number that FFmpeg gives to the colours of HD television, for matrix, primaries and transfer alike."""

_TURNS = {1: ["transpose=cclock"], 2: ["hflip", "vflip"], 3: ["transpose=clock"]}
_LIMITED_RANGE = 1
_UNKNOWN_MATRIX = 2
_HD = (1280, 576)
_THREADS = 2
# As in the other forms of a cut, so that all of them have the same length.
_ALMOST = Fraction(1, 20)


@dataclass(frozen=True, slots=True)
class Raster:
    """Size in pixels and frames per second of a cut."""

    width: int
    height: int
    fps: Fraction

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    def frames(self, seconds: Fraction | float) -> int:
        """Return the number of frames that come nearest to a length, at least one."""
        return max(1, round(seconds * self.fps))

    def whole_frames(self, seconds: Fraction) -> int:
        """Return the number of frames that fit into a length; one that is almost there counts."""
        return int(seconds * self.fps + _ALMOST)


def conformed(
    file: Path, raster: Raster, *, burn: Image.Image | None = None, seconds: Fraction | None = None
) -> Iterator[tuple[Any, int]]:
    """Yield the pictures of a clip in the form of a cut, each with the number of frames for which it is shown.

    A picture is shown until the next one is due, so that clips of any rate, and of none, keep their length. A part of
    a frame at the end is left out, as in the other forms of a cut. `seconds` is how long the clip lasts, if known.

    Raises:
        ClipUnreadable: it cannot be opened.
    """
    held: Any = None
    at = shown = 0
    most = None if seconds is None else raster.whole_frames(seconds)
    for picture, begins, ends in _timed(file, raster, burn):
        due = max(round(begins * raster.fps), at)
        due = due if most is None else min(due, most)
        if held is not None and due > shown:
            yield held, due - shown
            shown = due
        held, at = picture, due
        end = ends
    if held is not None:
        yield held, max(raster.whole_frames(end) - shown, 0 if shown else 1)


def still(picture: Image.Image) -> Any:  # noqa: ANN401 - PyAV has no types
    """Return a drawn picture in the form of a cut."""
    frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call,unused-ignore]
    return frame.reformat(format=FORM, dst_colorspace=BT709)


def _timed(file: Path, raster: Raster, burn: Image.Image | None) -> Iterator[tuple[Any, Fraction, Fraction]]:
    """Yield each picture with the seconds at which it begins and ends, counted from the first one."""
    with opened(file) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", _THREADS
        usual = 1 / Fraction(stream.average_rate or raster.fps)
        shape: tuple[object, ...] = ()
        first: Fraction | None = None
        before = Fraction(0)
        for frame in _decoded(container, stream):
            if shape != (shape := (frame.width, frame.height, frame.format.name)):
                graph = _Graph(frame, stream, raster, burn)
            known = None if frame.pts is None else Fraction(frame.pts * frame.time_base)
            first = known if first is None else first
            begins = before if known is None or first is None else known - first
            lasts = Fraction((frame.duration or 0) * frame.time_base)
            before = begins + (lasts if 0 < lasts <= 4 * usual else usual)
            yield graph.through(frame), begins, before


def _decoded(container: Any, stream: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """Yield the pictures that can be decoded; a caller sees from the length that some are missing."""
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                # Later pictures may be whole again.
                continue
    except av.FFmpegError:
        return


class _Graph:
    """FFmpeg's filters from a picture of one size and form to the raster, with the strip over it if there is one."""

    def __init__(self, frame: Any, stream: Any, raster: Raster, burn: Image.Image | None) -> None:  # noqa: ANN401
        self._graph: Any = av.filter.Graph()
        unit = frame.time_base
        self._source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=unit
        )
        end = self._source
        for name in _chain(frame, stream, raster):
            end = self._after(end, name)
        if burn is not None:
            strip = self._graph.add_buffer(
                width=burn.width, height=burn.height, format=av.VideoFormat("rgba"), time_base=unit
            )
            over = self._graph.add("overlay", f"x=0:y={even(raster.height - burn.height)}:format=yuv420")
            end.link_to(over, 0, 0)
            strip.link_to(over, 0, 1)
            end = over
        end = self._after(end, f"format={FORM}")
        self._sink = self._graph.add("buffersink")
        end.link_to(self._sink)
        self._graph.configure()
        if burn is not None:
            # The filter keeps the last picture of a source that has ended.
            strip.push(_strip(burn, unit))
            strip.push(None)
        self._count = 0

    def _after(self, end: Any, spelled: str) -> Any:  # noqa: ANN401 - as above
        name, _, settings = spelled.partition("=")
        added = self._graph.add(name, settings)
        end.link_to(added)
        return added

    def through(self, frame: Any) -> Any:  # noqa: ANN401 - as above
        """Return one picture in the form of the raster."""
        # The filters want times that rise, which those of a clip may not.
        frame.pts = self._count
        self._count += 1
        self._source.push(frame)
        return self._sink.pull()


def _strip(burn: Image.Image, unit: Fraction) -> Any:  # noqa: ANN401 - as above
    frame = av.VideoFrame.from_bytes(burn.tobytes(), burn.width, burn.height, format="rgba")
    frame.pts, frame.time_base = 0, unit
    return frame


def _chain(frame: Any, stream: Any, raster: Raster) -> Iterator[str]:  # noqa: ANN401 - as above
    """Yield the filters that a picture needs, as FFmpeg spells them."""
    ratio, turns = ratio_of(stream), turns_of(frame)
    width, height = shown_size(frame, ratio)
    scale = min(Fraction(raster.width, width), Fraction(raster.height, height))
    fitted = even(width * scale), even(height * scale)
    yield from _TURNS.get(turns, ())
    source = "auto"
    if int(frame.colorspace) == _UNKNOWN_MATRIX and not frame.format.is_rgb:
        # Players guess the colours of a clip that states none from its size.
        source = "bt709" if frame.width >= _HD[0] or frame.height > _HD[1] else "smpte170m"
    yield f"scale={fitted[0]}:{fitted[1]}:in_color_matrix={source}:out_color_matrix=bt709:out_range=limited"
    if fitted != raster.size:
        yield f"pad={raster.width}:{raster.height}:(ow-iw)/2:(oh-ih)/2"
    yield "setsar=1"
