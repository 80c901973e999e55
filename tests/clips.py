"""Tiny real clips for tests, drawn with PyAV."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import av
from PIL import Image, ImageDraw

RED, BLACK = (200, 30, 30), (0, 0, 0)


def make_clip(
    path: Path,
    *,
    size: tuple[int, int] = (160, 96),
    seconds: float = 2.0,
    fps: int = 12,
    colour: tuple[int, int, int] = RED,
    moves: bool = True,
    codec: str = "libx264",
    sound: bool = False,
    options: Mapping[str, str] = MappingProxyType({}),
    pixel: Fraction = Fraction(1),
) -> Path:
    """Write a clip with a bar that crosses it, unless it does not move; the extension names the container.

    `options` are for the encoder; `pixel` is the width of a pixel through its height.
    """
    width, height = size
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        film: Any = container.add_stream(codec, rate=fps)
        film.width, film.height, film.pix_fmt = width, height, "yuv420p"
        film.options, film.sample_aspect_ratio = dict(options), pixel
        tone = container.add_stream("aac", rate=8000) if sound else None
        count = round(seconds * fps)
        for number in range(count):
            picture = Image.new("RGB", size, colour)
            if moves:
                at = width * number // count
                ImageDraw.Draw(picture).rectangle((at, 0, at + width // 6, height), fill=(250, 250, 90))
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, fps)
            container.mux(film.encode(frame))
        container.mux(film.encode(None))
        if tone is not None:
            silence = av.AudioFrame(format="fltp", layout="mono", samples=1024)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate, silence.pts = 8000, 0
            container.mux(tone.encode(silence))
            container.mux(tone.encode(None))
    return path


def cut_in_the_middle(path: Path) -> Path:
    """Replace the second half of the pictures' bytes, so that the container looks whole."""
    data = path.read_bytes()
    start = data.index(b"mdat") + 4
    length = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    keep = start + length // 2
    path.write_bytes(data[:keep] + bytes(start + length - keep) + data[start + length :])
    return path
