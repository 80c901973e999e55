"""What a file is by its own bytes, and whether it is whole.

In: the first bytes, or a way to read a file. Out: a `Kind` from our own table, which alone decides a file's extension
(never a URL or a header), and an `Ending`. It knows no names, no network and no codecs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""Returns so many bytes from a place in a file on, or fewer at its end; called with place and count."""

HEAD_BYTES = 512
"""As many first bytes as `kind_of` may want to see."""

_MOST_PARTS = 100_000


class Ending(StrEnum):
    """Whether a file reaches its own end; `UNKNOWN` where its format, or junk in it, does not let us say."""

    WHOLE = "whole"
    CUT = "cut"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of media file; `family` is video, image or sound."""

    extension: str
    family: str


_VIDEO, _IMAGE, _SOUND = "video", "image", "sound"
MP4, MOV, WEBM = Kind("mp4", _VIDEO), Kind("mov", _VIDEO), Kind("webm", _VIDEO)
MKV, AVI = Kind("mkv", _VIDEO), Kind("avi", _VIDEO)
PNG, JPEG, GIF, WEBP = Kind("png", _IMAGE), Kind("jpg", _IMAGE), Kind("gif", _IMAGE), Kind("webp", _IMAGE)
AVIF, HEIC = Kind("avif", _IMAGE), Kind("heic", _IMAGE)
MP3, WAV, OGG = Kind("mp3", _SOUND), Kind("wav", _SOUND), Kind("ogg", _SOUND)
FLAC, M4A = Kind("flac", _SOUND), Kind("m4a", _SOUND)

_BRANDS = {
    b"qt  ": MOV,
    b"M4A ": M4A,
    b"avif": AVIF,
    b"avis": AVIF,
    b"heic": HEIC,
    b"heix": HEIC,
    b"mif1": HEIC,
}
_RIFFS = {b"WEBP": WEBP, b"WAVE": WAV, b"AVI ": AVI}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"ID3", MP3),
    (b"\xff\xfb", MP3),
    (b"\xff\xf3", MP3),
    (b"\xff\xf2", MP3),
    (b"OggS", OGG),
    (b"fLaC", FLAC),
)
_EBML = b"\x1a\x45\xdf\xa3"
# Boxes that hold a film's content: one of these that reaches past the end proves that the file was cut.
_CONTENT_BOXES = frozenset({b"moov", b"mdat", b"moof", b"meta", b"free", b"uuid", b"sidx", b"wide"})
# QuickTime files older than the `ftyp` box begin with one of these.
_OLD_MOV_BOXES = frozenset({b"moov", b"mdat", b"wide"})


def kind_of(head: bytes) -> Kind | None:
    """Return what a file that begins with `head` is, or None if it is nothing we know."""
    if head[4:8] == b"ftyp" and len(head) >= 12:
        return _BRANDS.get(head[8:12], MP4)
    if head[4:8] in _OLD_MOV_BOXES:
        return MOV
    if head.startswith(b"RIFF"):
        return _RIFFS.get(head[8:12])
    if head.startswith(_EBML):
        return WEBM if b"webm" in head[:64] else MKV
    return next((kind for start, kind in _STARTS if head.startswith(start)), None)


def looks_like_text(head: bytes) -> bool:
    """Return whether `head` reads like a page or a message, such as an error page sent as a clip."""
    return bool(head.strip()) and not any(byte < 9 or 13 < byte < 32 for byte in head.lstrip(b"\xef\xbb\xbf"))


def ending_of(kind: Kind, read: ReadAt, size: int) -> Ending:
    """Return whether a file, `size` bytes long, is a whole file of its kind; reads headers only."""
    walk = _WALKS.get(kind)
    return walk(read, size) if walk else Ending.UNKNOWN


def _boxes(read: ReadAt, size: int) -> Ending:
    """Walk the boxes of ISO/IEC 14496-12, 4.2; a whole film ends with a box and has content and an index.

    A film in fragments looks whole after each of them, so it is believed only with its closing `mfra`.
    """
    at, seen = 0, set()
    for _ in range(_MOST_PARTS):
        head = read(at, 16) if at < size else b""
        if len(head) < 8:
            break
        length, name = struct.unpack(">I4s", head[:8])
        least = 8
        if length == 1 and len(head) == 16:
            least, length = 16, int.from_bytes(head[8:16], "big")
        if length < least:
            break
        if at + length > size:
            return Ending.CUT if name in _CONTENT_BOXES else Ending.UNKNOWN
        at += length
        seen.add(name)
    complete = b"mdat" in seen and bool(seen & {b"moov", b"meta"}) and (b"moof" in seen) <= (b"mfra" in seen)
    return Ending.WHOLE if at == size and complete else Ending.UNKNOWN


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
    """Compare a RIFF file's own length; streamed files carry none, long AVIs go on after it."""
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
    """Return how many bytes a variable-size integer takes that begins with `first`; 0 if none can."""
    return 9 - first[0].bit_length() if first and first[0] else 0


def _last(mark: bytes) -> Callable[[ReadAt, int], Ending]:
    def walk(read: ReadAt, size: int) -> Ending:
        tail = read(max(0, size - len(mark)), len(mark))
        return Ending.WHOLE if tail == mark else Ending.UNKNOWN

    return walk


_WALKS: Mapping[Kind, Callable[[ReadAt, int], Ending]] = MappingProxyType(
    {
        MP4: _boxes,
        MOV: _boxes,
        M4A: _boxes,
        AVIF: _boxes,
        HEIC: _boxes,
        PNG: _png_chunks,
        WEBP: _riff,
        WAV: _riff,
        AVI: _riff,
        WEBM: _ebml,
        MKV: _ebml,
        JPEG: _last(b"\xff\xd9"),
        GIF: _last(b"\x3b"),
    }
)
