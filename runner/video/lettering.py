"""Writes words on pictures in Pillow's own font, which looks the same on every machine.

Accents are removed, and letters of scripts that the font lacks are left out.
"""

from __future__ import annotations

import unicodedata
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, ...]

GROUND, WHITE, SOFT, AMBER, RED, GREEN = (
    (18, 20, 24),
    (255, 255, 255),
    (170, 178, 190),
    (255, 190, 60),
    (240, 100, 90),
    (110, 205, 130),
)
_PLAIN = str.maketrans("‘’“”–—…·×", "''\"\"--_-x")
_MORE = "..."


def plain(text: str) -> str:
    """Return `text` in the letters of the font, on one line."""
    folded = unicodedata.normalize("NFKD", text.replace("…", _MORE).translate(_PLAIN))
    letters = folded.encode("ascii", "ignore").decode()
    return " ".join("".join(each if each.isprintable() else " " for each in letters).split())


def width_of(text: str, size: float) -> int:
    """Return the width in pixels of a text whose letters are `size` pixels high."""
    return round(ImageFont.load_default(size).getlength(plain(text)))


def write(
    picture: Image.Image,
    text: str,
    *,
    at: tuple[float, float],
    room: float,
    size: float,
    colour: Colour,
    lines: int = 1,
) -> float:
    """Write the beginning of `text` on at most some lines of `room` pixels; return where the next text begins."""
    font = ImageFont.load_default(size)
    pen = ImageDraw.Draw(picture)
    x, y = at
    for row in _rows(plain(text), font, room, lines):
        pen.text((x, y), row, font=font, fill=colour)
        y += round(size * 1.3)
    return y


def _rows(
    text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float, lines: int
) -> list[str]:
    """Return `text` in lines that fit; a word that is too long is broken, and what is left out is marked."""
    # More letters than this fit on no line, and a prompt can be very long.
    words = text[: 4 * lines * max(int(room), 1)].split()
    rows: list[str] = []
    while words and len(rows) < lines:
        row = words.pop(0)
        while words and font.getlength(f"{row} {words[0]}") <= room:
            row += f" {words.pop(0)}"
        kept = _fitting(row, font, room)
        if rest := row[len(kept) :]:
            words.insert(0, rest)
        rows.append(kept)
    if words and rows:
        rows[-1] = _fitting(rows[-1], font, room - font.getlength(_MORE)) + _MORE
    return rows


def _fitting(row: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    """Return the longest beginning of a row that fits, at least one letter."""
    short, long = 1, len(row)
    while short < long:
        middle = (short + long + 1) // 2
        if font.getlength(row[:middle]) <= room:
            short = middle
        else:
            long = middle - 1
    return row[:short]
