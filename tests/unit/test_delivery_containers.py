"""Kinds by first bytes, and whether a file reaches its own end."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.delivery.containers import (
    AVI,
    AVIF,
    GIF,
    JPEG,
    M4A,
    MKV,
    MOV,
    MP3,
    MP4,
    PNG,
    WAV,
    WEBM,
    WEBP,
    Ending,
    Kind,
    ReadAt,
    ending_of,
    kind_of,
    looks_like_text,
)


def reading(content: bytes) -> ReadAt:
    return lambda at, count: content[at : at + count]


def box(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def mp4(content: int = 300, *, brand: bytes = b"isom") -> bytes:
    """Return a small film: brand, content, index, in that order."""
    return box(b"ftyp", brand + bytes(4) + brand) + box(b"mdat", b"\xa5" * content) + box(b"moov", bytes(16))


def riff(form: bytes, content: int = 20) -> bytes:
    return b"RIFF" + struct.pack("<I", content + 4) + form + bytes(content)


def png() -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IDAT", b"xyz") + chunk(b"IEND", b"")


def ebml(doctype: bytes, *, size: bytes = b"\x8a") -> bytes:
    head = b"\x42\x82" + bytes([0x80 | len(doctype)]) + doctype
    return b"\x1a\x45\xdf\xa3" + bytes([0x80 | len(head)]) + head + b"\x18\x53\x80\x67" + size + bytes(10)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (mp4(), MP4),
        (mp4(brand=b"qt  "), MOV),
        (mp4(brand=b"M4A "), M4A),
        (mp4(brand=b"avif"), AVIF),
        (box(b"moov", bytes(8)), MOV),
        (ebml(b"webm"), WEBM),
        (ebml(b"matroska"), MKV),
        (png(), PNG),
        (b"\xff\xd8\xff\xe0 JFIF", JPEG),
        (b"GIF89a....", GIF),
        (riff(b"WEBP"), WEBP),
        (riff(b"WAVE"), WAV),
        (riff(b"AVI "), AVI),
        (b"ID3\x04", MP3),
        (b"\xff\xfb\x90", MP3),
        (riff(b"ACON"), None),
        (b"", None),
        (b"\0\0\0\x18ftyp", None),
        (b"<!doctype html>", None),
        (b'{"error": "expired"}', None),
        (b"\x1f\x8b\x08\0", None),
        (b"PK\x03\x04", None),
        (b"MZ\x90\0", None),
        (b"#!/bin/sh\n", None),
    ],
)
def test_first_bytes_alone_decide_the_kind(head: bytes, kind: Kind | None) -> None:
    assert kind_of(head) is kind


@pytest.mark.parametrize(
    ("kind", "content", "ending"),
    [
        (MP4, mp4(), Ending.WHOLE),
        (MP4, mp4()[:-5], Ending.CUT),
        (MP4, mp4()[:100], Ending.CUT),
        (MP4, mp4() + b"xx", Ending.UNKNOWN),
        (MP4, mp4() + b"junkjunkjunk", Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + box(b"mdat", bytes(40)), Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + b"\0\0\0\0mdat" + bytes(40), Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + box(b"moov", bytes(8)), Ending.UNKNOWN),
        (MP4, box(b"moov") + box(b"moof") + box(b"mdat"), Ending.UNKNOWN),
        (MP4, box(b"moov") + box(b"moof") + box(b"mdat") + box(b"mfra"), Ending.WHOLE),
        (MP4, box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8), Ending.WHOLE),
        (MP4, box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 25) + bytes(8), Ending.CUT),
        (MP4, box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 3) + bytes(8), Ending.UNKNOWN),
        (MP4, b"\0\0\0\x18ftypmp42", Ending.UNKNOWN),
        (PNG, png(), Ending.WHOLE),
        (PNG, png()[:-4], Ending.CUT),
        (PNG, png()[:-14], Ending.CUT),
        (PNG, png() + b"x", Ending.UNKNOWN),
        (WAV, riff(b"WAVE"), Ending.WHOLE),
        (WAV, riff(b"WAVE")[:-1], Ending.CUT),
        (WAV, riff(b"WAVE") + b"more", Ending.UNKNOWN),
        (WAV, b"RIFF\xff\xff\xff\xffWAVE", Ending.UNKNOWN),
        (WEBM, ebml(b"webm"), Ending.WHOLE),
        (WEBM, ebml(b"webm")[:-1], Ending.CUT),
        (WEBM, ebml(b"webm", size=b"\xff"), Ending.UNKNOWN),
        (WEBM, ebml(b"webm") + b"\0", Ending.UNKNOWN),
        (JPEG, b"\xff\xd8\xff....\xff\xd9", Ending.WHOLE),
        (JPEG, b"\xff\xd8\xff....", Ending.UNKNOWN),
        (GIF, b"GIF89a...\x3b", Ending.WHOLE),
        (MP3, b"ID3......", Ending.UNKNOWN),
    ],
)
def test_a_walk_tells_whole_from_cut(kind: Kind, content: bytes, ending: Ending) -> None:
    assert ending_of(kind, reading(content), len(content)) is ending


@settings(max_examples=60)
@given(content=st.integers(0, 3000), data=st.data())
def test_a_film_that_is_cut_anywhere_is_never_whole(content: int, data: st.DataObject) -> None:
    film = mp4(content)
    end = data.draw(st.integers(0, len(film) - 1))
    assert ending_of(MP4, reading(film[:end]), end) is not Ending.WHOLE


@settings(max_examples=150)
@given(
    junk=st.binary(max_size=400), start=st.sampled_from([b"", mp4()[:24], png()[:8], b"RIFF", ebml(b"webm")])
)
def test_junk_gets_an_answer(junk: bytes, start: bytes) -> None:
    """Whatever a server sends, the walk ends with one of the three words."""
    content = start + junk
    kind = kind_of(content) or MP4
    assert ending_of(kind, reading(content), len(content)) in set(Ending)


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"<html>", True),
        (b'\xef\xbb\xbf{"code": 1}', True),
        ("Zugriff verweigert: größer".encode(), True),
        (b"", False),
        (b"   \n", False),
        (b"\x1f\x8b\x08\0abc", False),
        (b"\0\0\0\x18", False),
    ],
)
def test_pages_and_messages_are_told_from_binary(head: bytes, text: bool) -> None:
    assert looks_like_text(head) is text
