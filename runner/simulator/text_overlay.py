"""Draws the words on a preview: slate, prompt, details, card labels and the running clock.

In: texts and a Pillow image. Out: the image with the words; for the clock, small luma tiles to copy in. It uses
Pillow's own font, so letters look the same on every machine. What that font cannot draw becomes plain letters or is
left out. It knows no video format and no body.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int, int]

WHITE: Colour = (255, 255, 255, 255)
SOFT: Colour = (215, 220, 228, 255)
AMBER: Colour = (255, 190, 60, 255)
INK: Colour = (16, 18, 24, 255)

_PLAIN = {0x2013: "-", 0x2014: "-", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"', 0x2026: "..."}
_KEPT = "·"
_FINE = 3


@lru_cache(maxsize=8)
def font(size: int) -> Font:
    """Return Pillow's own font at `size` pixels."""
    return ImageFont.load_default(size)


def drawable(text: str) -> str:
    """Return the text in letters that the font has; accents are removed, and other scripts are left out."""
    folded = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    letters = (char for char in folded if " " <= char <= "~" or char in _KEPT)
    return " ".join("".join(letters).split(" ")).strip()


def fitted(text: str, size: int, width: float, *, lines: int = 1) -> list[str]:
    """Return the first words of `text` on at most `lines` lines of `width` pixels; dots show a cut."""
    rows: list[str] = []
    words = drawable(text).split()
    while words and len(rows) < lines:
        count = len(words)
        while count > 1 and _length(" ".join(words[:count]), size) > width:
            count -= 1
        rows.append(" ".join(words[:count]))
        words = words[count:]
    return [_cut(row, size, width, more=bool(words) and row is rows[-1]) for row in rows]


def _cut(row: str, size: int, width: float, *, more: bool) -> str:
    tail = "..." if more else ""
    while row and _length(row + tail, size) > width:
        row, tail = row[:-1].rstrip(), "..."
    return row + tail


def caption(size: tuple[int, int], *, slate: str, prompt: str, details: str) -> Image.Image:
    """Return a clear layer with the slate at the top and prompt and details on a dark band at the foot."""
    width, height = size
    layer = Image.new("RGBA", size, (0, 0, 0, 0))
    rows = fitted(prompt, 11, width - 16, lines=2)
    _band(layer, 24 + 13 * len(rows))
    for number, row in enumerate(rows):
        _write(layer, (8, height - 20 - 13 * (len(rows) - number)), row, 11, WHITE)
    _write(layer, (8, height - 17), "".join(fitted(details, 9, width - 16)), 9, AMBER)
    word = "".join(fitted(f"SIMULATED  ·  {slate}" if slate else "SIMULATED", 9, width * 0.7))
    _plate(layer, (6, 6, 18 + round(_length(word, 9)), 20), AMBER)
    _write(layer, (12, 7), word, 9, INK)
    return layer


def label(layer: Image.Image, text: str, *, right: bool = False) -> None:
    """Write a card's name on a dark plate below the slate, or at the right edge below the clock."""
    row = "".join(fitted(text, 9, layer.width * 0.4))
    if not row:
        return
    wide = round(_length(row, 9)) + 12
    left = layer.width - 6 - wide if right else 6
    _plate(layer, (left, 24, left + wide, 38), (*INK[:3], 170))
    _write(layer, (left + 6, 25), row, 9, SOFT)


def _length(text: str, size: int) -> float:
    return font(size * _FINE).getlength(text) / _FINE


def _write(layer: Image.Image, at: tuple[int, int], text: str, size: int, colour: Colour) -> None:
    """Write a line; it is drawn large and made small, since letters drawn at this size are spaced unevenly."""
    wide = int(_length(text, size)) + 2
    mask = Image.new("L", (wide * _FINE, (size + 5) * _FINE), 0)
    ImageDraw.Draw(mask).text((0, 0), text, font=font(size * _FINE), fill=255)
    ink = Image.new("RGBA", (wide, size + 5), (*colour[:3], 0))
    ink.putalpha(mask.reduce(_FINE))
    layer.alpha_composite(ink, at)


def _plate(layer: Image.Image, box: tuple[int, int, int, int], colour: Colour) -> None:
    left, top, right, foot = box
    size = (right - left, foot - top)
    mask = Image.new("L", (size[0] * _FINE, size[1] * _FINE), 0)
    ImageDraw.Draw(mask).rounded_rectangle(
        (0, 0, mask.width - 1, mask.height - 1), radius=3 * _FINE, fill=colour[3]
    )
    plate = Image.new("RGBA", size, (*colour[:3], 0))
    plate.putalpha(mask.reduce(_FINE))
    layer.alpha_composite(plate, (left, top))


def _band(layer: Image.Image, tall: int) -> None:
    """Darken the foot of the layer, softly at its upper edge, so that words read on any picture."""
    width, height = layer.size
    soft, dark = 16, 185
    alpha = Image.new("L", layer.size, 0)
    alpha.paste(dark, (0, height - tall, width, height))
    ramp = (
        Image.linear_gradient("L").resize((width, soft)).point([level * dark // 255 for level in range(256)])
    )
    alpha.paste(ramp, (0, height - tall - soft))
    layer.paste(Image.new("RGBA", layer.size, INK))
    layer.putalpha(alpha)


class RunningClock:
    """The seconds that have passed, as luma tiles of equal width, which are cheap enough for every frame."""

    high, letter, margin = 14, 6, 4

    def __init__(self) -> None:
        self._tiles = {char: self._tile(char) for char in "0123456789. s"}

    def strip(self, seconds: float) -> npt.NDArray[np.uint8]:
        """Return the clock's face for a time below 100 s: `high` rows, the same width for every time."""
        text = f"{seconds:4.1f} s"
        edge = np.full((self.high, self.margin), _limited(INK[0]), dtype=np.uint8)
        return np.hstack([edge, *(self._tiles[char] for char in text), edge])

    def _tile(self, char: str) -> npt.NDArray[np.uint8]:
        image = Image.new("L", (self.letter * _FINE, self.high * _FINE), _limited(INK[0]))
        at = (self.letter - _length(char, 10)) / 2 * _FINE
        ImageDraw.Draw(image).text((at, 0.5 * _FINE), char, font=font(10 * _FINE), fill=_limited(255))
        return np.asarray(image.reduce(_FINE))


def _limited(level: int) -> int:
    """Return a grey level in video's own range, 16 to 235."""
    return 16 + level * 219 // 255
