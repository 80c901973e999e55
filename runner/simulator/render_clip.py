"""Draws the small real MP4s that replace paid clips: the words of a take on a colour, and a bar that fills.

In: a `Scene` and a path. Out: an H.264 file at that path, whole or absent, the same bytes for the same scene and
the same codec build. It needs the [video] extra (PyAV, Pillow). It knows no job, no server and no network.
"""

from __future__ import annotations

import os
import textwrap
import threading
import unicodedata
from collections.abc import Iterator
from colorsys import hls_to_rgb
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

from runner.simulator.scene import Scene
from runner.system.private_files import open_private

FPS = 12

_FINE = 3
"""The words are drawn this many times larger and made small, since small letters are spaced unevenly."""
_AMBER, _WHITE, _SOFT = (255, 190, 60), (255, 255, 255), (215, 220, 228)
_MARGIN, _BAR = 10, 5
_PLAIN = str.maketrans("‘’“”–—", "''\"\"--")


def render(scene: Scene, path: Path) -> None:
    """Write the scene's clip to `path` through a part file beside it, so that it is whole or absent."""
    part = path.with_name(f"{path.stem}.{threading.get_native_id()}.part")
    os.close(open_private(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
    # One encoder thread makes the bytes reproducible; the index is in front, so that a browser starts at once.
    with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = scene.width, scene.height
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        stream.options = {"preset": "ultrafast", "crf": "25", "g": str(2 * FPS)}
        for number, picture in enumerate(_pictures(scene)):
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    part.replace(path)


def _pictures(scene: Scene) -> Iterator[Image.Image]:
    count = round(scene.seconds * FPS)
    picture = _card(scene)
    pen = ImageDraw.Draw(picture)
    for number in range(count):
        reached = scene.width * (number + 1) / count
        pen.rectangle((0, scene.height - _BAR, reached, scene.height), fill=_AMBER)
        yield picture


def _card(scene: Scene) -> Image.Image:
    red, green, blue = (round(part * 255) for part in hls_to_rgb(*scene.colour, 0.55))
    card = Image.new("RGB", (scene.width * _FINE, scene.height * _FINE), (red, green, blue))
    shot, _, axes = scene.slate.partition("@")
    y = _write(card, "SIMULATED", 8, 9, _AMBER)
    y = _write(card, shot, y, 22, _WHITE)
    y = _write(card, axes, y, 11, _SOFT, lines=2)
    y = _write(card, scene.seed and f"seed {scene.seed}", y + 2, 22, _AMBER)
    _write(card, scene.prompt, y + 4, 12, _WHITE, lines=3)
    _write(card, scene.details, scene.height - 24, 9, _SOFT)
    return card.reduce(_FINE)


def _write(
    card: Image.Image, text: str, y: int, size: int, colour: tuple[int, int, int], *, lines: int = 1
) -> int:
    """Write the beginning of `text` on at most some lines from `y` on, and return where the next text begins.

    Pillow's own font looks the same on every machine. Accents are removed, and scripts that it lacks are left out.
    """
    folded = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    plain = " ".join(folded.encode("ascii", "ignore").decode().split())
    font = ImageFont.load_default(size * _FINE)
    room = card.width - 2 * _MARGIN * _FINE
    columns = int(0.92 * room * len(plain) / max(font.getlength(plain), 1))
    pen = ImageDraw.Draw(card)
    for row in textwrap.wrap(plain, max(columns, 4), max_lines=lines, placeholder="..."):
        pen.text((_MARGIN * _FINE, y * _FINE), row, font=font, fill=colour)
        y += round(size * 1.25)
    return y
