"""Reads a clip's length, size and frame rate from its container's own header, without a library.

MP4 and QuickTime (ISO/IEC 14496-12) and WebM (RFC 9559). It decodes nothing. Only the first part of a file is read, and
its index. Hostile bytes give an empty answer: nothing here raises, and every loop is bounded by what was read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TypeAlias

from runner.domain.clip_checks import Probe
from runner.video.kinds import ISO, extension

_MOST_INDEX = 32 * 2**20
_MOST_START = 2**20
_MOST_BOXES = 4096
_CODECS = {
    **dict.fromkeys(("avc1", "avc3"), "h264"),
    **dict.fromkeys(("hvc1", "hev1"), "hevc"),
    **dict.fromkeys(("apch", "apcn", "apcs", "apco", "ap4h"), "prores"),
    "av01": "av1",
    "vp09": "vp9",
    "mp4a": "aac",
    "mp4v": "mpeg4",
    "V_MPEG4/ISO/AVC": "h264",
    "V_MPEGH/ISO/HEVC": "hevc",
}

Boxes: TypeAlias = "dict[bytes, list[bytes]]"


def header_probe(path: Path) -> Probe:
    """Return what the header of a file says; an empty probe if it cannot be read."""
    name = extension(path)
    with suppress(OSError, struct.error, ValueError, IndexError, OverflowError, ZeroDivisionError):
        if name in ISO:
            with path.open("rb") as file:
                return _iso(_index(file), name)
        if name in {"webm", "mkv"}:
            with path.open("rb") as file:
                return _matroska(file.read(_MOST_START), name)
    return Probe(container=name)


def _index(file: BinaryIO) -> bytes:
    """Return the content of the `moov` box, which may be at the file's end."""
    for _ in range(_MOST_BOXES):
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        used = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", head, 8)
            used = 16
        if kind == b"moov":
            return (head[used:] + file.read(min(size or _MOST_INDEX, _MOST_INDEX)))[
                : max(size - used, 0) or None
            ]
        if size < used:
            break
        file.seek(size - len(head), 1)
    return b""


def _boxes(data: bytes) -> Boxes:
    """Return the contents of the boxes in `data`, by kind."""
    found: Boxes = {}
    at = 0
    for _ in range(_MOST_BOXES):
        if at + 8 > len(data):
            break
        size, kind = struct.unpack_from(">I4s", data, at)
        if size < 8:
            break
        found.setdefault(kind, []).append(data[at + 8 : at + size])
        at += size
    return found


def _iso(index: bytes, name: str) -> Probe:
    moov = _boxes(index)
    film, audio = Probe(container=name), ""
    for content in moov.get(b"trak", [])[:64]:
        track = _boxes(content)
        media = _boxes(track[b"mdia"][0]) if b"mdia" in track else {}
        kind = media[b"hdlr"][0][8:12] if b"hdlr" in media else b""
        if kind == b"soun":
            audio = audio or _codec(media) or "unknown"
        elif kind == b"vide" and not film.width:
            film = _film(track, media, name)
    if not moov:
        return film
    seconds = film.seconds or _time(moov[b"mvhd"][0] if b"mvhd" in moov else b"")
    return replace(film, seconds=seconds, audio=audio)


def _film(track: Boxes, media: Boxes, name: str) -> Probe:
    tkhd = track[b"tkhd"][0]
    at = 40 if tkhd[0] == 0 else 52
    turned = struct.unpack_from(">i", tkhd, at)[0] == 0
    width, height = (side >> 16 for side in struct.unpack_from(">II", tkhd, at + 36))
    seconds = _time(media[b"mdhd"][0]) if b"mdhd" in media else None
    frames = _frames(media)
    fps = frames / seconds if frames and seconds else None
    if turned:
        width, height = height, width
    return Probe(name, _codec(media), width, height, seconds=seconds, fps=fps, frames=frames)


def _time(header: bytes) -> float | None:
    """Return the length of an `mvhd` or `mdhd` box in seconds, None if it does not say."""
    if len(header) < 20:
        return None
    if header[0] == 0:
        scale, length = struct.unpack_from(">II", header, 12)
        unknown = 0xFFFFFFFF
    else:
        scale, length = struct.unpack_from(">IQ", header, 20)
        unknown = 0xFFFFFFFFFFFFFFFF
    return length / scale if scale and length and length != unknown else None


def _samples(media: Boxes) -> Boxes:
    info = _boxes(media[b"minf"][0]) if b"minf" in media else {}
    return _boxes(info[b"stbl"][0]) if b"stbl" in info else {}


def _codec(media: Boxes) -> str:
    entries = _samples(media).get(b"stsd", [b""])[0]
    word = entries[12:16].decode("ascii", "replace")
    return _CODECS.get(word, word if word.isalnum() else "")


def _frames(media: Boxes) -> int | None:
    """Return the number of samples by `stts`, None if there is none, as in a fragmented file."""
    table = _samples(media).get(b"stts", [b""])[0]
    if len(table) < 16:
        return None
    counts = struct.iter_unpack(">II", table[8 : 8 + (len(table) - 8) // 8 * 8])
    return sum(count for count, _ in counts) or None


def _matroska(data: bytes, name: str) -> Probe:
    info: dict[int, bytes] = {}
    film: dict[int, bytes] = {}
    audio = ""
    for element, content in _elements(data):
        if element != 0x18538067:
            continue
        for part, inner in _elements(content):
            if part == 0x1549A966:
                info = dict(_elements(inner))
            for entry, track in _elements(inner) if part == 0x1654AE6B else ():
                fields = dict(_elements(track)) if entry == 0xAE else {}
                if _number(fields.get(0x83)) == 2:
                    audio = audio or _codec_name(fields)
                elif _number(fields.get(0x83)) == 1:
                    film = film or fields
    sides = dict(_elements(film.get(0xE0, b"")))
    step = _number(film.get(0x23E383))
    return Probe(
        name,
        _codec_name(film) if film else "",
        _number(sides.get(0xB0)) & 0xFFFF,
        _number(sides.get(0xBA)) & 0xFFFF,
        seconds=_length(info),
        fps=1e9 / step if step else None,
        audio=audio if film or audio else None,
    )


def _length(info: dict[int, bytes]) -> float | None:
    length = info.get(0x4489, b"")
    if len(length) not in {4, 8}:
        return None
    (ticks,) = struct.unpack(">f" if len(length) == 4 else ">d", length)
    seconds = ticks * (_number(info.get(0x2AD7B1)) or 1_000_000) / 1e9
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _codec_name(fields: dict[int, bytes]) -> str:
    word = fields.get(0x86, b"").rstrip(b"\0").decode("ascii", "replace")[:40]
    return _CODECS.get(word, word.partition("_")[2].lower())


def _number(data: bytes | None) -> int:
    return int.from_bytes(data, "big") if data and len(data) <= 8 else 0


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the elements in `data` and their contents; one of unknown size reaches to the end."""
    at = 0
    while at < len(data):
        mark, at = _variable(data, at, keep=True)
        size, at = _variable(data, at, keep=False)
        if mark == 0:
            return
        end = len(data) if size < 0 else min(at + size, len(data))
        yield mark, data[at:end]
        at = end


def _variable(data: bytes, at: int, *, keep: bool) -> tuple[int, int]:
    """Return a number of variable length and where it ends; -1 for the size that is not known."""
    first = data[at] if at < len(data) else 0
    if not first:
        return 0, len(data)
    length = 9 - first.bit_length()
    if at + length > len(data):
        return 0, len(data)
    number = int.from_bytes(data[at : at + length], "big")
    if keep:
        return number, at + length
    mask = (1 << (7 * length)) - 1
    return (-1 if number & mask == mask else number & mask), at + length
