"""Tiny real clips of every kind that a rough cut may meet, drawn with PyAV."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from PIL import Image

RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 200, 20), (20, 20, 220), (235, 235, 235)
SOUND_RATE = 44_100


def draw_clip(
    path: Path,
    shown: Image.Image | tuple[int, int, int] = RED,
    *,
    size: tuple[int, int] = (64, 36),
    fps: Fraction | int = 12,
    seconds: float = 1.0,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    beep: float | None = None,
    sound_seconds: float | None = None,
    times: Sequence[int] = (),
    first: int = 0,
    keys: int = 250,
    settings: dict[str, str] | None = None,
) -> Path:
    """Write a clip that shows a colour, or a picture of this size.

    `beep` is the second at which its sound begins, for a tenth of a second. `times` are the frames' own times in
    hundredths of a second, and `first` is the number of the first frame. The extension names the container.
    """
    picture = shown if isinstance(shown, Image.Image) else Image.new("RGB", size, shown)
    with av.open(str(path), "w", options=settings or {}) as container:
        film: Any = container.add_stream(codec, rate=Fraction(fps))
        film.width, film.height, film.pix_fmt = *size, pixels
        unit = Fraction(1, 100) if times else 1 / Fraction(fps)
        film.codec_context.time_base = unit
        film.codec_context.gop_size = keys
        tone: Any = None
        if beep is not None:
            tone = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=_rate(path))
            tone.layout = "mono"
        for at in times or range(first, first + round(seconds * fps)):
            frame: Any = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call,unused-ignore]
            frame.pts, frame.time_base = at, unit
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        if tone is not None and beep is not None:
            for block in _beep(beep, sound_seconds or seconds, _rate(path)):
                container.mux(tone.encode(block))
            container.mux(tone.encode(None))
    return path


def turn(path: Path) -> Path:
    """Make players turn the picture of an MP4 by a quarter, as a telephone that was held upright does."""
    data = path.read_bytes()
    upright = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(upright) :])
    return path


def pictures(path: Path) -> list[Image.Image]:
    """Return all decoded pictures of a file."""
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]  # type: ignore[no-untyped-call,unused-ignore]


def lengths(path: Path) -> tuple[float, float | None]:
    """Return the seconds of picture and of sound that a file states; None without sound."""
    with av.open(str(path)) as container:
        film, tones = container.streams.video[0], container.streams.audio
        return _length(film), (_length(tones[0]) if tones else None)


def loud_times(path: Path) -> list[float]:
    """Return the seconds at which sound begins after silence."""
    found, quiet_since, at = list[float](), -1.0, 0.0
    resampler = av.AudioResampler(format="flt", layout="mono", rate=8000)
    with av.open(str(path)) as container:
        samples = array("f")
        for frame in container.decode(audio=0):
            for block in resampler.resample(frame):
                samples.frombytes(bytes(block.planes[0])[: block.samples * 4])
    for number, sample in enumerate(samples):
        at = number / 8000
        if abs(sample) > 0.2:
            if at - quiet_since > 0.05:
                found.append(at)
            quiet_since = at
    return found


def near(one: tuple[int, ...], other: tuple[int, ...], *, by: int = 24) -> bool:
    """Return whether two colours look alike."""
    return all(abs(a - b) <= by for a, b in zip(one, other, strict=True))


def _rate(path: Path) -> int:
    return 48_000 if path.suffix == ".webm" else SOUND_RATE


def _length(stream: Any) -> float:  # noqa: ANN401 - PyAV has no types
    return float(stream.duration * stream.time_base)


def _beep(at: float, seconds: float, rate: int) -> Iterator[Any]:
    wave = array(
        "f",
        (
            0.8 * math.sin(2 * math.pi * 1000 * number / rate) if at <= number / rate < at + 0.1 else 0.0
            for number in range(round(seconds * rate))
        ),
    )
    for start in range(0, len(wave), 1024):
        part = wave[start : start + 1024]
        block = av.AudioFrame(format="flt", layout="mono", samples=len(part))
        block.planes[0].update(part.tobytes().ljust(block.planes[0].buffer_size, b"\0"))
        block.sample_rate, block.pts, block.time_base = rate, start, Fraction(1, rate)
        yield block
