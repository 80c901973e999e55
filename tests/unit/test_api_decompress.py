"""A body that came packed though nobody asked for it: undone by its header or by its bytes, within a cap."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.api.decompress import Unpacked, unpack

BODY = b'{"request_id": "3f2a"}'
CAP = 1 << 16


def raw_deflate(data: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-15)
    return machine.compress(data) + machine.flush()


WAYS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    " gzip ": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "identity, gzip": gzip.compress,
    "gzip, identity": gzip.compress,
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data)),
    "deflate, gzip": lambda data: gzip.compress(raw_deflate(data)),
    "gzip, deflate": lambda data: zlib.compress(gzip.compress(data)),
    "": gzip.compress,
    "identity": lambda data: gzip.compress(gzip.compress(data)),
}


@pytest.mark.parametrize("encoding", WAYS)
def test_what_the_header_or_the_bytes_say_is_undone(encoding: str) -> None:
    assert unpack(WAYS[encoding](BODY), encoding, cap=CAP) == Unpacked(BODY)


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, br", "nonsense", ","])
@pytest.mark.parametrize("body", [BODY, b" [1]", b"", b"<html>busy</html>"])
def test_a_header_that_lies_changes_nothing(encoding: str, body: bytes) -> None:
    assert unpack(body, encoding, cap=CAP) == Unpacked(body)


@pytest.mark.parametrize(
    ("body", "encoding", "name"),
    [
        (b"\x1b\x15\x00\xf8\x8d\x94n\xc0", "br", "br"),
        (b"\x28\xb5\x2f\xfd\x24\x16", "zstd", "zstd"),
        (b"\x28\xb5\x2f\xfd\x24\x16", "", "zstd"),
        (gzip.compress(b"\x1b\x15\x00\xf8", mtime=0), "br, gzip", "br"),
        (b"\x80\x81", "\x1b[31m" * 9, "??31m??31m??31m??31m"),
    ],
)
def test_what_cannot_be_undone_is_named(body: bytes, encoding: str, name: str) -> None:
    assert unpack(body, encoding, cap=CAP).packed == name


@pytest.mark.parametrize("length", range(10, 40, 3))
def test_a_packed_body_that_was_cut_gives_what_came_and_says_so(length: int) -> None:
    packed = gzip.compress(BODY + b"x" * 100)
    found = unpack(packed[:length], "gzip", cap=CAP)
    assert not found.whole
    assert not found.packed
    assert (BODY + b"x" * 100).startswith(found.body)


def test_a_body_that_was_damaged_on_its_way_is_named_so_since_nothing_in_it_is_certain() -> None:
    packed = bytearray(gzip.compress(bytes(range(256)) * 400, compresslevel=0))
    packed[-6] ^= 0xFF
    found = unpack(bytes(packed), "gzip", cap=1 << 20)
    assert (found.whole, found.packed) == (False, "gzip, damaged")


def test_members_that_follow_each_other_are_one_body_and_filling_behind_them_is_none() -> None:
    two = gzip.compress(BODY[:9]) + gzip.compress(BODY[9:])
    assert unpack(two + b"\0" * 512, "gzip", cap=CAP) == Unpacked(BODY)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_bomb_costs_no_more_memory_than_the_cap(layers: int) -> None:
    bomb = b"\0" * (64 << 20)
    for _ in range(layers):
        bomb = gzip.compress(bomb, compresslevel=9)
    tracemalloc.start()
    try:
        found = unpack(bomb, ", ".join(["gzip"] * layers), cap=CAP)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert len(found.body) == CAP + 1
    assert not found.whole
    assert peak < 16 * CAP


@given(st.binary(max_size=80), st.sampled_from(["", *WAYS, "br"]), st.booleans())
def test_no_bytes_and_no_header_raise(body: bytes, encoding: str, begins_packed: bool) -> None:
    found = unpack(b"\x1f\x8b\x08" + body if begins_packed else body, encoding, cap=CAP)
    assert len(found.body) <= CAP + 1
