"""Checks by a file's own bytes whether it is whole; it reads headers and tables only, and decodes nothing."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from runner.media.file_kinds import Kind

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Called with a place in a file and a count, it returns that many bytes, or fewer at the end."""


class Ending(StrEnum):
    """Whether a file reaches its own end; `UNKNOWN` if its format, or junk in it, does not show that.

    `CUT` also means a file whose parts do not belong together, as after two files were joined.
    """

    WHOLE = "whole"
    CUT = "cut"
    UNKNOWN = "unknown"


_MOST_PARTS = 100_000
# A film cannot be shown without these; a still picture has its index in `meta`.
_CONTENT, _INDEXES = b"mdat", frozenset({b"moov", b"meta"})
# Boxes that hold a film's content: one of these that reaches past the end proves that the file was cut.
_KNOWN_BOXES = frozenset({b"ftyp", b"moov", _CONTENT, b"moof", b"meta", b"free", b"uuid", b"sidx", b"wide"})
# The way from a film's index to the places of each track's chunks (ISO/IEC 14496-12, 8.7.5).
_TO_THE_TABLES = ((b"trak",), (b"mdia",), (b"minf",), (b"stbl",), (b"stco", b"co64"))
_MOST_TABLE_BYTES = 8 << 20
_MOST_PLACES = 1_000_000


def shows_its_end(kind: Kind) -> bool:
    """Return whether whole and cut files of this kind can be distinguished."""
    return kind.extension in _WALKS


def ending_of(kind: Kind, read: ReadAt, size: int) -> Ending:
    """Return whether a file, `size` bytes long, is a whole file of its kind."""
    walk = _WALKS.get(kind.extension)
    return walk(read, size) if walk else Ending.UNKNOWN


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of ISO/IEC 14496-12, 4.2: its name, the start of its content, and its end.

    An `open` box does not give its end: its length was not known when it was begun.
    """

    name: bytes
    start: int
    end: int
    open: bool = False


def _boxes_in(read: ReadAt, start: int, end: int) -> Iterator[_Box]:
    """Yield the boxes from `start` to `end`, or up to something that is not a box; the last may reach past the end."""
    at = start
    for _ in range(_MOST_PARTS):
        head = read(at, 16) if at < end else b""
        if len(head) < 8:
            return
        length, name = struct.unpack(">I4s", head[:8])
        least = 8
        if length == 1 and len(head) == 16:
            least, length = 16, int.from_bytes(head[8:16], "big")
        is_open = length == 0 and name == _CONTENT
        length = end - at if is_open else length
        if length < least:
            return
        yield _Box(name, at + least, at + length, is_open)
        at += length


def _film(read: ReadAt, size: int) -> Ending:
    """Walk the boxes of a film: a whole one ends with a box, has content and an index, and they fit each other.

    A film in fragments looks whole after each of them, so it counts as whole only with its closing `mfra`.
    """
    boxes = list(_boxes_in(read, 0, size))
    seen = {box.name for box in boxes}
    complete = _CONTENT in seen and bool(seen & _INDEXES)
    last = boxes[-1] if boxes else _Box(b"", 0, 0)
    if last.end != size and not complete:
        return Ending.CUT
    if last.end > size:
        return Ending.CUT if last.name in _KNOWN_BOXES else Ending.UNKNOWN
    if not _index_fits(read, boxes):
        return Ending.CUT
    closed = not last.open and (b"moof" not in seen or b"mfra" in seen)
    return Ending.WHOLE if last.end == size and complete and closed else Ending.UNKNOWN


def _index_fits(read: ReadAt, boxes: Sequence[_Box]) -> bool:
    """Return whether the index points only at content of this file; an index of another file rarely does."""
    content = [box for box in boxes if box.name == _CONTENT]
    starts = [box.start for box in content]
    level = [box for box in boxes if box.name == b"moov"]
    for names in _TO_THE_TABLES:
        inner = ((box, outer) for outer in level for box in _boxes_in(read, outer.start, outer.end))
        level = [box for box, outer in inner if box.name in names and box.end <= outer.end]
    for place in islice((place for table in level for place in _places(read, table)), _MOST_PLACES):
        number = bisect_right(starts, place) - 1
        if number < 0 or place >= content[number].end:
            return False
    return True


def _places(read: ReadAt, table: _Box) -> Sequence[int]:
    count = int.from_bytes(read(table.start + 4, 4), "big")
    width, form = (4, "I") if table.name == b"stco" else (8, "Q")
    length = min(count * width, table.end - table.start - 8, _MOST_TABLE_BYTES)
    entries = read(table.start + 8, max(length, 0))
    return struct.unpack_from(f">{len(entries) // width}{form}", entries)


def _png_chunks(read: ReadAt, size: int) -> Ending:
    """Walk the chunks of a PNG (W3C PNG, 5.3) to its `IEND`."""
    at = 8
    for _ in range(_MOST_PARTS):
        head = read(at, 8)
        if len(head) < 8:
            return Ending.CUT
        length, name = struct.unpack(">I4s", head)
        at += length + 12
        if at > size:
            return Ending.CUT
        if name == b"IEND":
            return Ending.WHOLE if at == size else Ending.UNKNOWN
    return Ending.UNKNOWN


def _riff(read: ReadAt, size: int) -> Ending:
    """Compare a RIFF file's own length; streamed files have none, and long AVIs continue after it."""
    head = read(0, 8)
    inner = int.from_bytes(head[4:8], "little")
    if inner in {0, 0xFFFFFFFF}:
        return Ending.UNKNOWN
    if size < inner + 8:
        return Ending.CUT
    return Ending.WHOLE if size <= inner + 8 + inner % 2 else Ending.UNKNOWN


def _ebml(read: ReadAt, size: int) -> Ending:
    """Walk the outermost elements of EBML (RFC 8794); a live stream does not know its length."""
    at = 0
    for _ in range(_MOST_PARTS):
        if at >= size:
            break
        head = read(at, 16)
        name_bytes = _vint_bytes(head[:1])
        size_bytes = _vint_bytes(head[name_bytes : name_bytes + 1])
        field = head[name_bytes : name_bytes + size_bytes]
        if not name_bytes or name_bytes > 4 or not size_bytes or len(field) < size_bytes:
            return Ending.UNKNOWN
        bits = 7 * size_bytes
        length = int.from_bytes(field, "big") & ((1 << bits) - 1)
        if length == (1 << bits) - 1:
            return Ending.UNKNOWN
        at += name_bytes + size_bytes + length
        if at > size:
            return Ending.CUT
    return Ending.WHOLE if at == size else Ending.UNKNOWN


def _vint_bytes(first: bytes) -> int:
    """Return the size in bytes of a variable-size integer that begins with `first`; 0 if none can."""
    return 9 - first[0].bit_length() if first and first[0] else 0


def _tail(mark: bytes, within: int, *, absent: Ending = Ending.UNKNOWN) -> Callable[[ReadAt, int], Ending]:
    def walk(read: ReadAt, size: int) -> Ending:
        length = min(size, within)
        return Ending.WHOLE if mark in read(size - length, length) else absent

    return walk


def _transport_stream(read: ReadAt, size: int) -> Ending:
    """Look at the last packet of 188 bytes: it is whole, and begins with its mark (ISO/IEC 13818-1, 2.4.3.2)."""
    whole = size % 188 == 0 and read(size - 188, 1) == read(0, 1) == b"\x47"
    return Ending.WHOLE if whole else Ending.UNKNOWN


def _binary_gltf(read: ReadAt, size: int) -> Ending:
    """Compare the file's own length (glTF 2.0, 4.4.2)."""
    inner = int.from_bytes(read(8, 4), "little")
    return Ending.WHOLE if size == inner else Ending.CUT if size < inner else Ending.UNKNOWN


_WALKS: Mapping[str, Callable[[ReadAt, int], Ending]] = {
    **dict.fromkeys(("mp4", "mov", "m4a", "3gp", "avif", "heic"), _film),
    **dict.fromkeys(("webp", "wav", "avi"), _riff),
    **dict.fromkeys(("webm", "mkv"), _ebml),
    "png": _png_chunks,
    "jpg": _tail(b"\xff\xd9", 2),
    "gif": _tail(b"\x3b", 1),
    "ts": _transport_stream,
    "glb": _binary_gltf,
    # The record that ends every archive (PKWARE APPNOTE, 4.3.16).
    "zip": _tail(b"PK\x05\x06", 22 + 65535, absent=Ending.CUT),
    "pdf": _tail(b"%%EOF", 1024),
}
