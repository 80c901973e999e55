"""Finds which rows of a workbook's sheet a person hid, and which cells are merged downwards.

In: the XML of a sheet, of which the reader of values keeps neither. Out: a `SheetLayout`. It knows no value.
Source: ECMA-376, part 1, 18.3.1.73 (row) and 18.3.1.55 (mergeCell).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_ROW = re.compile(rb"<(?:\w+:)?row\b([^<>]*)>")
_HIDDEN = re.compile(rb"""\bhidden=["'](?:1|true)["']""")
_NUMBER = re.compile(rb"""\br=["'](\d{1,7})["']""")
_MERGED = re.compile(
    rb"""<(?:\w+:)?mergeCell\b[^<>]*\bref=["']([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})["']"""
)
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class SheetLayout:
    """Rows count from 1 and columns from 0; `merged` has the last row of a range by its first row and column."""

    hidden: frozenset[int] = frozenset()
    merged: Mapping[int, Mapping[int, int]] = field(default_factory=dict)


def layout_of(xml: bytes) -> SheetLayout:
    """Return the layout of a sheet; of more than ten thousand merged ranges the last ones are left out."""
    rows = _ROW.finditer(xml) if b"hidden=" in xml else iter(())
    numbers = (_NUMBER.search(row[1]) for row in rows if _HIDDEN.search(row[1]))
    merged: dict[int, dict[int, int]] = {}
    for found in list(_MERGED.finditer(xml))[:_MOST]:
        first, last = int(found[2]), int(found[3])
        if first < last:
            merged.setdefault(first, {})[_place(found[1])] = last
    return SheetLayout(frozenset(int(number[1]) for number in numbers if number), merged)


def _place(letters: bytes) -> int:
    place = 0
    for letter in letters:
        place = 26 * place + letter - ord("A") + 1
    return place - 1
