"""Opens a clip and looks at it: what must be known before clips can be joined, without decoding more than a picture.

In: a path. Out: a `Look`, or an open container. FFmpeg may read only a few kinds of file, and that one file alone: a
playlist that calls itself a clip could otherwise open other files and addresses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av

from runner.domain.errors import ClipUnreadable

_KINDS = "mov,matroska,webm,avi,gif,mpegts,png_pipe,jpeg_pipe,webp_pipe"
_SAFE = {"format_whitelist": _KINDS, "protocol_whitelist": "file"}
# From version 19 on, PyAV reads any text by itself; before, text that is not UTF-8 makes a clip unreadable.
ANY_TEXT: Mapping[str, Any] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
"""Words for `av.open`, so that no title or comment in a clip matters."""
_COPIED = frozenset({"h264", "hevc", "av1"})
_RATES = (
    *(Fraction(rate) for rate in (24, 25, 30, 48, 50, 60)),
    *(Fraction(rate * 1000, 1001) for rate in (24, 30, 60)),
)
_USUAL = Fraction(24)
_FASTEST = 120
_LONGEST = 3600


@dataclass(frozen=True, slots=True)
class Look:
    """What a clip is: size in pixels as it is shown, frames per second, and length of the picture in seconds.

    `form` is what clips must share to be joined without encoding, and None if this one cannot be. `claimed` is the
    length that the container states, and 0 if it states none. `start` is the time of the first picture, in seconds.
    """

    width: int
    height: int
    fps: Fraction
    seconds: Fraction
    claimed: Fraction
    start: Fraction
    is_still: bool
    has_audio: bool
    form: tuple[object, ...] | None

    @property
    def is_cut_short(self) -> bool:
        """True if there are fewer pictures than the container states, by more than a frame and a half."""
        return self.claimed - self.seconds > Fraction(3, 2) / self.fps


@dataclass(frozen=True, slots=True)
class _Packet:
    pts: int
    dts: int | None
    duration: int
    is_key: bool
    is_corrupt: bool
    is_hidden: bool


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """Yield the container of a clip; what FFmpeg cannot read becomes an error of ours.

    Raises:
        ClipUnreadable: it is not there, or FFmpeg cannot read it.
    """
    # FFmpeg takes the beginning of a relative path for a protocol if it has a colon.
    place = str(file.absolute())
    try:
        with av.open(place, options=_SAFE, **ANY_TEXT) as container:
            yield container
    except (av.FFmpegError, OSError) as error:
        raise ClipUnreadable(f"it cannot be read ({reason(error)})") from error


def reason(error: Exception) -> str:
    """Return what FFmpeg says, without the path that it adds."""
    return getattr(error, "strerror", None) or type(error).__name__


def packets_of(file: Path) -> Iterator[Any]:
    """Yield the packets of a clip's picture as they are. Raises as `opened`."""
    with opened(file) as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                yield packet


def look_at(file: Path) -> Look:
    """Return what a clip is, from its packets and its first picture.

    Raises:
        ClipUnreadable: it cannot be read, has no picture, or has times that cannot be.
    """
    with opened(file) as container:
        if not container.streams.video:
            raise ClipUnreadable("it has no picture")
        stream = container.streams.video[0]
        every = sorted(_packets(container, stream), key=lambda packet: packet.pts)
    packets = [packet for packet in every if not packet.is_hidden]
    with opened(file) as container:
        stream = container.streams.video[0]
        picture = next(container.decode(stream), None) if packets else None
        if picture is None:
            raise ClipUnreadable("no picture in it can be decoded")
        step = _step(packets)
        fps = _rate(stream, packets, step)
        seconds = _span(packets, step) * stream.time_base or 1 / fps
        if not 0 < seconds <= _LONGEST:
            raise ClipUnreadable("its times are not those of a clip")
        width, height = shown_size(picture, ratio_of(stream))
        return Look(
            width=width,
            height=height,
            fps=fps,
            seconds=Fraction(seconds),
            claimed=_claimed(container, stream),
            start=Fraction((picture.pts or 0) * stream.time_base),
            is_still=len(packets) == 1 and container.format.name.endswith(("_pipe", "gif")),
            has_audio=bool(container.streams.audio),
            form=_form(container, picture, step) if packets == every and _is_plain(packets, step) else None,
        )


def ratio_of(stream: Any) -> Fraction:  # noqa: ANN401 - PyAV has no types
    """Return the width of a pixel through its height, 1 if a clip states none or nonsense."""
    ratio = Fraction(stream.sample_aspect_ratio or 1)
    return ratio if Fraction(1, 8) <= ratio <= 8 else Fraction(1)


def shown_size(picture: Any, ratio: Fraction) -> tuple[int, int]:  # noqa: ANN401 - as above
    """Return the size in pixels at which a picture is shown: square pixels, turned as it says, even numbers."""
    width, height = picture.width * ratio, picture.height
    if turns_of(picture) % 2:
        width, height = height, width
    return even(width), even(height)


def turns_of(picture: Any) -> int:  # noqa: ANN401 - as above
    """Return by how many quarters of a circle a picture is to be turned anticlockwise, 0 to 3."""
    return int(round(picture.rotation / 90) % 4)


def even(pixels: float | Fraction) -> int:
    """Return the nearest even number from 2 on: half of the colours' resolution must be whole."""
    return max(2, 2 * round(pixels / 2))


def usual_rate(rate: Fraction | float) -> Fraction:
    """Return the rate of film or television that is meant by `rate`, or `rate` itself, from 1 to 120."""
    exact = Fraction(rate)
    distances = {abs(known - exact): known for known in _RATES}
    near = distances[min(distances)]
    given = near if min(distances) < near / 2000 else exact.limit_denominator(1001)
    return min(max(given, Fraction(1)), Fraction(_FASTEST))


def _packets(container: Any, stream: Any) -> Iterator[_Packet]:  # noqa: ANN401 - as above
    try:
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                yield _Packet(
                    pts=packet.pts,
                    dts=packet.dts,
                    duration=packet.duration or 0,
                    is_key=packet.is_keyframe,
                    is_corrupt=packet.is_corrupt,
                    is_hidden=packet.is_discard,
                )
    except av.FFmpegError:
        # The clip ends here. What was read counts, and the length shows that there should be more.
        return


def _claimed(container: Any, stream: Any) -> Fraction:  # noqa: ANN401 - as above
    if stream.duration:
        return Fraction(stream.duration * stream.time_base)
    # A container's length counts its longest stream, which may be the sound.
    is_known = container.duration and not container.streams.audio
    return Fraction(container.duration, av.time_base) if is_known else Fraction(0)


def _step(packets: list[_Packet]) -> int:
    """Return the time from one picture to the next that is most common, in units of the stream."""
    steps = Counter(later.pts - earlier.pts for earlier, later in pairwise(packets))
    return steps.most_common(1)[0][0] if steps else max(packets[0].duration, 1)


def _span(packets: list[_Packet], step: int) -> int:
    """Return the length of all pictures in units of the stream; the last one's own length may be nonsense."""
    last = packets[-1].duration
    return packets[-1].pts - packets[0].pts + (last if 0 < last <= 4 * step else step)


def _rate(stream: Any, packets: list[_Packet], step: int) -> Fraction:  # noqa: ANN401 - as above
    if len(packets) == 1 or step <= 0:
        return usual_rate(stream.average_rate or _USUAL)
    span = Fraction((packets[-1].pts - packets[0].pts) * stream.time_base)
    return usual_rate((len(packets) - 1) / span)


def _is_plain(packets: list[_Packet], step: int) -> bool:
    """Return whether the packets can follow those of another clip: whole, equally long, with a key picture first."""
    return (
        step > 0
        and packets[0].is_key
        and not any(packet.is_corrupt or packet.dts is None for packet in packets)
        and all(later.pts - earlier.pts == step for earlier, later in pairwise(packets))
    )


def _form(container: Any, picture: Any, step: int) -> tuple[object, ...] | None:  # noqa: ANN401 - as above
    stream = container.streams.video[0]
    coder = stream.codec_context
    codec = coder.codec.canonical_name
    if "mp4" not in container.format.name or codec not in _COPIED or turns_of(picture) or not coder.extradata:
        return None
    return (
        (codec, coder.codec_tag, coder.extradata),
        (coder.width, coder.height, coder.pix_fmt, ratio_of(stream)),
        (stream.time_base, step),
        (coder.colorspace, coder.color_range, coder.color_primaries, coder.color_trc),
    )
