"""Draws a board as a contact sheet: a row a shot, and of each take a small picture with its label, mark and flags.

In: rows of tiles. Out: pages as pictures. It knows no run and no file format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from runner.domain.errors import ClipUnreadable
from runner.video.clip_reader import even, look_at
from runner.video.conform import Raster, conformed
from runner.video.lettering import AMBER, GREEN, GROUND, RED, SOFT, WHITE, Colour, width_of, write

_TILE, _GAP, _EDGE = 320, 16, 4
_CAPTION, _HEADING = 44, 64
_FEWEST_COLUMNS = 3
_LETTER, _SMALL = 17, 14
_SHAPES = (0.4, 1.8)
_PAPER, _MARKS = (40, 44, 52), {"pick": GREEN, "reject": RED, "maybe": AMBER}


@dataclass(frozen=True, slots=True)
class Tile:
    """One take: its label, clip, and poster if there is one; `decision` is a word of the picks, `flags` a phrase."""

    label: str
    clip: Path
    poster: Path | None = None
    decision: str = ""
    flags: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One shot with its takes; `why` says why there is none that plays."""

    shot: str
    about: str
    tiles: tuple[Tile, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """At most how many tiles are beside each other, and how high a page may be in pixels; it has at least one line."""

    columns: int
    page_height: int

    @property
    def width(self) -> int:
        """The width of a page in pixels."""
        return self.columns * (_TILE + _GAP) + _GAP


def pages(rows: Sequence[Row], form: Form) -> Iterator[Image.Image]:
    """Yield the pages of a contact sheet, as many as it takes."""
    form = replace(form, columns=_columns(rows, form.columns))
    high = _tile_height(rows)
    line = high + _CAPTION + _GAP
    page, y = _page(form), _GAP
    for row in rows:
        lines = _lines(row.tiles, form.columns)
        for number, tiles in enumerate(lines):
            needed = line + (0 if number else _HEADING)
            if y > _GAP and y + needed > form.page_height:
                yield _cut(page, y)
                page, y = _page(form), _GAP
            if number == 0:
                _heading(page, row, y)
                y += _HEADING
            for column, tile in enumerate(tiles):
                _draw(page, tile, (_GAP + column * (_TILE + _GAP), y), high)
            if not tiles:
                _empty(page, row, y, high)
            y += line
    yield _cut(page, y)


def poster_of(tile: Tile) -> Image.Image:
    """Return a picture of a take: its poster, or else one from the beginning of its clip.

    Raises:
        ClipUnreadable: there is no poster, and the clip has no picture that can be decoded.
    """
    if tile.poster is not None:
        try:
            with Image.open(tile.poster, formats=["JPEG"]) as poster:
                return poster.convert("RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            # A poster is made from the clip, and so can be made again.
            pass
    return frame_of(tile.clip)


def frame_of(clip: Path) -> Image.Image:
    """Return the picture of a clip half a second after its beginning. Raises as `poster_of`."""
    look = look_at(clip)
    scale = min(Fraction(_TILE, look.width), Fraction(_TILE * 2, look.height))
    small = Raster(even(look.width * scale), even(look.height * scale), Fraction(1))
    found = next(conformed(clip, small), None)
    if found is None:
        raise ClipUnreadable("no picture in it can be decoded")
    image: Image.Image = found[0].to_image()
    return image


def _columns(rows: Sequence[Row], most: int) -> int:
    """Return how many tiles are beside each other: a small board makes a small page, with room for the headings."""
    return min(most, max(_FEWEST_COLUMNS, *(len(row.tiles) for row in rows), 0))


def _tile_height(rows: Sequence[Row]) -> int:
    """Return the height of all tiles: that of the first picture that can be read."""
    for tile in (tile for row in rows for tile in row.tiles):
        try:
            first = poster_of(tile)
        except ClipUnreadable:
            continue
        shape = min(max(first.height / first.width, _SHAPES[0]), _SHAPES[1])
        return round(_TILE * shape)
    return _TILE * 9 // 16


def _lines(tiles: Sequence[Tile], columns: int) -> list[Sequence[Tile]]:
    return [tiles[at : at + columns] for at in range(0, len(tiles), columns)] or [()]


def _page(form: Form) -> Image.Image:
    # The height of a line depends on the pictures, so that a page may be a little higher than asked for.
    return Image.new("RGB", (form.width, form.page_height + 4 * _TILE), GROUND)


def _cut(page: Image.Image, y: int) -> Image.Image:
    return page.crop((0, 0, page.width, max(y, _HEADING)))


def _heading(page: Image.Image, row: Row, y: int) -> None:
    room = page.width - 2 * _GAP
    below = write(page, row.shot, at=(_GAP, y + 6), room=room, size=24, colour=WHITE)
    about = " - ".join(filter(None, (row.why, row.about)))
    write(page, about, at=(_GAP, below), room=room, size=_SMALL, colour=AMBER if row.why else SOFT)


def _draw(page: Image.Image, tile: Tile, at: tuple[int, int], high: int) -> None:
    x, y = at
    box = Image.new("RGB", (_TILE, high), _PAPER)
    try:
        fitted = ImageOps.contain(poster_of(tile), (_TILE, high))
        box.paste(fitted, ((_TILE - fitted.width) // 2, (high - fitted.height) // 2))
    except ClipUnreadable as error:
        write(
            box, error.message, at=(_GAP, high / 3), room=_TILE - 2 * _GAP, size=_LETTER, colour=RED, lines=3
        )
    if tile.decision == "reject":
        box = Image.blend(box, Image.new("RGB", box.size, GROUND), 0.6)
    page.paste(box, at)
    colour = _MARKS.get(tile.decision)
    if colour:
        ImageDraw.Draw(page).rectangle(
            (x - _EDGE, y - _EDGE, x + _TILE + _EDGE - 1, y + high + _EDGE - 1), outline=colour, width=_EDGE
        )
    _caption(page, tile, (x, y + high + 6), colour)


def _caption(page: Image.Image, tile: Tile, at: tuple[int, int], colour: Colour | None) -> None:
    mark = width_of(tile.decision, _LETTER) if colour else 0
    room = _TILE - mark - _GAP
    below = write(page, tile.label, at=at, room=room, size=_LETTER, colour=WHITE)
    if colour:
        write(
            page, tile.decision, at=(at[0] + _TILE - mark, at[1]), room=mark + 2, size=_LETTER, colour=colour
        )
    write(page, tile.flags, at=(at[0], below), room=_TILE, size=_SMALL, colour=AMBER)


def _empty(page: Image.Image, row: Row, y: int, high: int) -> None:
    box = Image.new("RGB", (_TILE, high), _PAPER)
    room = _TILE - 2 * _GAP
    write(box, row.why or "no clip", at=(_GAP, high / 3), room=room, size=_LETTER, colour=AMBER, lines=4)
    page.paste(box, (_GAP, y))
