"""Unpacks a body that came packed unasked: gzip and deflate, by the header or by the bytes.

A header may be wrong: what is not gzip is used as it is, and what begins as gzip is unpacked without a header. Nothing
here raises. Sources: RFC 9110, 8.4.1; RFC 1950 to 1952.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

MOST_LAYERS = 4
_CHUNK = 1 << 14
_GZIP, _ZLIB, _RAW = 31, 15, -15
_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_WAYS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (_ZLIB, _RAW)}
_PLAIN = frozenset({"", "identity"})


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The unpacked body; `whole` is false if it breaks off, `packed` names a coding that was damaged, or not undone."""

    body: bytes
    whole: bool = True
    packed: str = ""


def unpack(body: bytes, encoding: str, *, cap: int) -> Unpacked:
    """Return what `body` holds, at most `cap` bytes and one more, by the codings that `encoding` lists."""
    layers = [word.strip().lower() for word in encoding.split(",")][-2 * MOST_LAYERS :]
    found = Unpacked(body)
    for layer in reversed([layer for layer in layers if layer not in _PLAIN][-MOST_LAYERS:]):
        # A gateway may name a coding that it did not apply; no packed body begins as JSON does.
        if layer not in _WAYS or found.body.lstrip()[:1] in {b"{", b"["}:
            return _named(found, layer)
        found = _layer(found, _WAYS[layer], layer, cap)
    for _ in range(MOST_LAYERS):
        if not found.body.startswith(_GZIP_MAGIC) or found.packed:
            break
        found = _layer(found, (_GZIP,), "gzip", cap)
    return _named(found, "zstd") if found.body.startswith(_ZSTD_MAGIC) else found


def _named(found: Unpacked, layer: str) -> Unpacked:
    """Note that `layer` was not undone, unless the body can be read anyway."""
    readable = found.body.lstrip()[:1] in {b"{", b"[", b"<", b""}
    name = re.sub(r"[^a-z0-9-]", "?", layer)[:20]
    return found if readable else Unpacked(found.body, found.whole, found.packed or name)


def _layer(outer: Unpacked, ways: tuple[int, ...], name: str, cap: int) -> Unpacked:
    """Undo one coding in the first way that yields anything; if none does, the body stays as it is."""
    for way in ways:
        inner = _inflate(outer.body, way, name, cap)
        if inner is not None:
            return Unpacked(inner.body, outer.whole and inner.whole, outer.packed or inner.packed)
    return outer


def _inflate(body: bytes, way: int, name: str, cap: int) -> Unpacked | None:
    """Return what zlib makes of `body`; None if not even its first bytes are packed in this way."""
    out = bytearray()
    machine = zlib.decompressobj(way)
    rest = memoryview(body)
    while rest and len(out) <= cap:
        fed, rest = rest[:_CHUNK], rest[_CHUNK:]
        try:
            out += _fed(machine, bytes(fed), cap + 1 - len(out))
        except zlib.error:
            return Unpacked(bytes(out), whole=False, packed=f"{name}, damaged") if out else None
        if machine.eof:
            # Another member may follow; anything else behind the end is padding.
            tail = machine.unused_data + bytes(rest)
            if way != _GZIP or not tail.startswith(_GZIP_MAGIC):
                break
            machine, rest = zlib.decompressobj(way), memoryview(tail)
    # No text begins with a whole gzip header, but a few bytes of text can pass as raw deflate.
    if not out and not machine.eof and not body.startswith(_GZIP_MAGIC):
        return None
    return Unpacked(bytes(out), whole=machine.eof and len(out) <= cap)


def _fed(machine: zlib._Decompress, data: bytes, room: int) -> bytes:
    """Return what comes out for `data`, at most `room` bytes."""
    out = machine.decompress(data, room)
    while machine.unconsumed_tail and len(out) < room:
        out += machine.decompress(machine.unconsumed_tail, room - len(out))
    return out
