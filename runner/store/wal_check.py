"""Reads SQLite's log (`-wal`) as bytes, to distinguish a damaged log from one whose last commit was cut off.

SQLite reads a log up to the first frame with a wrong checksum, and silently ignores the rest. After a power loss that
is right: each transaction was flushed before the next began, so only the last one can be incomplete. But if a complete
transaction follows a broken one, flushed data has changed, and facts about money are missing. Frames without a commit
prove nothing: on a full disk a transaction is abandoned half written, and the next one starts to overwrite it.

Source: "The Write-Ahead Log" in SQLite's "Database File Format". Only the log is opened, which carries no locks.
"""

from __future__ import annotations

import struct
import sys
from array import array
from pathlib import Path

_HEADER, _FRAME = 32, 24
_MAGIC = 0x377F0682
_MASK = 0xFFFFFFFF


def is_damaged(log: Path) -> bool:
    """Return whether a transaction that had been flushed can no longer be read; raises OSError."""
    # The log is read twice, because a process that is writing may have shown half of a frame.
    return _looks_damaged(log) and _looks_damaged(log)


def _looks_damaged(log: Path) -> bool:
    text = log.read_bytes()
    if len(text) <= _HEADER:
        return False
    magic, page_size, salts = *struct.unpack_from(">I4xI", text), text[16:24]
    swapped = (sys.byteorder == "big") != bool(magic & 1)
    sums: tuple[int, int] = struct.unpack_from(">II", text, 24)
    if magic & ~1 != _MAGIC or page_size < 512 or _sum(text[:24], (0, 0), swapped=swapped) != sums:
        return True
    whole, committed = True, False
    for start in range(_HEADER, len(text) - _FRAME - page_size + 1, _FRAME + page_size):
        head, page = text[start : start + _FRAME], text[start + _FRAME : start + _FRAME + page_size]
        # Only a frame of the log's newest use counts, and a transaction ends with its commit frame.
        ours = head[8:16] == salts
        commits = ours and head[4:8] != bytes(4)
        if committed and commits:
            return True
        # After a break in the chain no later checksum can match, so none is computed.
        if whole:
            sums = _sum(head[:8] + page, sums, swapped=swapped)
            whole = ours and sums == struct.unpack_from(">II", head, 16)
        committed = committed or (commits and not whole)
    return False


def _sum(data: bytes, sums: tuple[int, int], *, swapped: bool) -> tuple[int, int]:
    words = array("I", data)
    if swapped:
        words.byteswap()
    first, second = sums
    numbers = iter(words)
    for even, odd in zip(numbers, numbers, strict=True):
        first = (first + even + second) & _MASK
        second = (second + odd + first) & _MASK
    return first, second
