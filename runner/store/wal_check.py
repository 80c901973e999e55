"""Reads SQLite's log (`-wal`) as bytes, to distinguish a damaged log from one whose last commit was cut off.

In: the path of a log. Out: whether it is damaged. It opens only the log, which carries no locks.

SQLite reads a log up to the first frame with a wrong checksum, and silently ignores the rest. After a power loss that
is right: each transaction was flushed before the next began, so only the last one can be incomplete. But if a complete
transaction follows a broken one, flushed data has changed, and facts about money are missing. Frames without a commit
prove nothing: on a full disk a transaction is abandoned half written, and the next one starts to overwrite it.

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
    """One frame: whether it belongs to the log's newest use, ends a transaction, and has a sound checksum chain."""

    ours: bool
    commits: bool
    whole: bool


def is_damaged(log: Path) -> bool:
    """Return whether a transaction that had been flushed can no longer be read; raises OSError."""
    # The log is read twice, because a process that is writing may have shown half of a frame.
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
        # After a break in the chain no later checksum can match, so none is computed.
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
