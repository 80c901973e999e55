"""Reads SQLite's log (`-wal`) as bytes, to tell a log that was damaged from one whose last commit was cut off.

SQLite takes a log up to the first frame that does not add up, and says nothing of what stood behind it. After a power
loss that is right: only the last transaction can be incomplete, since each was flushed before the next was begun. But
where a transaction with its end stands behind a broken one, something that was flushed has changed, and facts about
money are missing. Frames without an end prove nothing: on a full disk a transaction is given up half written, and the
next one, shorter, begins to write over it.

In: the path of a log. Out: whether it is damaged. It opens the log alone, whose file carries no locks.

Source: "The Write-Ahead Log" in SQLite's "Database File Format".
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_HEADER, _FRAME = 32, 24
_MAGIC = 0x377F0682
_MASK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame: whether it is of this log's newest use, ends a transaction, and adds up with all before it."""

    ours: bool
    commits: bool
    whole: bool


def is_damaged(log: Path) -> bool:
    """Return whether a transaction that had been flushed can no longer be read; raises OSError."""
    # Twice, because whoever is writing just now may have shown us half of a frame.
    return _looks_damaged(log) and _looks_damaged(log)


def _looks_damaged(log: Path) -> bool:
    text = log.read_bytes()
    if len(text) <= _HEADER:
        return False
    if not _header_is_whole(text):
        return True
    broken = committed = False
    for frame in _frames(text):
        if broken and committed and frame.ours and frame.commits:
            return True
        broken = broken or not frame.whole
        committed = broken and (committed or (frame.ours and frame.commits))
    return False


def _header_is_whole(text: bytes) -> bool:
    magic, page_size = struct.unpack_from(">I4xI", text)
    if magic & ~1 != _MAGIC or page_size < 512:
        return False
    return _sum(text[: _HEADER - 8], 0, 0, swapped=_is_swapped(magic)) == struct.unpack_from(">II", text, 24)


def _frames(text: bytes) -> Iterator[_Frame]:
    magic, page_size, salts = *struct.unpack_from(">I4xI", text), text[16:24]
    sums: tuple[int, int] = struct.unpack_from(">II", text, 24)
    chained, swapped = True, _is_swapped(magic)
    for start in range(_HEADER, len(text) - _FRAME - page_size + 1, _FRAME + page_size):
        head = text[start : start + _FRAME]
        ours = head[8:16] == salts
        # Once the chain is broken nothing behind it can add up, and the sums need not be made.
        if chained:
            sums = _sum(head[:8], *sums, swapped=swapped)
            sums = _sum(text[start + _FRAME : start + _FRAME + page_size], *sums, swapped=swapped)
            chained = ours and sums == struct.unpack_from(">II", head, 16)
        yield _Frame(ours, head[4:8] != bytes(4), chained)


def _is_swapped(magic: int) -> bool:
    return (sys.byteorder == "big") != bool(magic & 1)


def _sum(data: bytes, first: int, second: int, *, swapped: bool) -> tuple[int, int]:
    words = array("I", data)
    if swapped:
        words.byteswap()
    numbers = iter(words)
    for even, odd in zip(numbers, numbers, strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
