"""Kinds by first bytes, and whether a file reaches its own end."""

from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.media.container_check import Ending, ReadAt, ending_of, shows_its_end
from runner.media.file_kinds import KINDS, Kind, is_page, is_playlist, kind_of, looks_like_text

AVI, AVIF, GIF, GLB, JPEG, M4A, MKV, MOV, MP3 = map(
    KINDS.__getitem__, ("avi", "avif", "gif", "glb", "jpg", "m4a", "mkv", "mov", "mp3")
)
MP4, PDF, PNG, THREE_GP, TS, WAV, WEBM, WEBP, ZIP = map(
    KINDS.__getitem__, ("mp4", "pdf", "png", "3gp", "ts", "wav", "webm", "webp", "zip")
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
        (b"\0\0\0\x18ftyp", MP4),
        (mp4(brand=b"3gp5"), THREE_GP),
        (b"<!doctype html>", None),
        (b'{"error": "expired"}', None),
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
        (MP4, box(b"moov", bytes(8)) + b"\0\0\0\0mdat" + bytes(40), Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + box(b"mdat", bytes(40)) + b"junkjunkjunk", Ending.CUT),
        (MP4, mp4()[:200] + b"<html>the rest is a page</html>" * 20, Ending.CUT),
        (MP4, mp4() + b"junkjunkjunk", Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + box(b"mdat", bytes(40)), Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + b"\0\0\0\0mdat" + bytes(40), Ending.UNKNOWN),
        (MP4, box(b"ftyp", bytes(8)) + box(b"moov", bytes(8)), Ending.UNKNOWN),
        (MP4, box(b"moov") + box(b"moof") + box(b"mdat"), Ending.UNKNOWN),
        (MP4, box(b"moov") + box(b"moof") + box(b"mdat") + box(b"mfra"), Ending.WHOLE),
        (MP4, box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8), Ending.WHOLE),
        (MP4, box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 25) + bytes(8), Ending.CUT),
        (MP4, box(b"moov") + struct.pack(">I4sQ", 1, b"mdat", 3) + bytes(8), Ending.CUT),
        (MP4, b"\0\0\0\x18ftypmp42", Ending.CUT),
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
        (TS, (b"\x47" + bytes(187)) * 3, Ending.WHOLE),
        (TS, (b"\x47" + bytes(187)) * 3 + b"\x47" + bytes(90), Ending.UNKNOWN),
        (GLB, b"glTF\2\0\0\0" + struct.pack("<I", 20) + bytes(8), Ending.WHOLE),
        (GLB, b"glTF\2\0\0\0" + struct.pack("<I", 21) + bytes(8), Ending.CUT),
        (ZIP, b"PK\x03\x04" + bytes(40) + b"PK\x05\x06" + bytes(18), Ending.WHOLE),
        (ZIP, b"PK\x03\x04" + bytes(60), Ending.CUT),
        (PDF, b"%PDF-1.7 ... %%EOF", Ending.WHOLE),
        (THREE_GP, mp4(brand=b"3gp5"), Ending.WHOLE),
    ],
)
def test_a_walk_tells_whole_from_cut(kind: Kind, content: bytes, ending: Ending) -> None:
    assert ending_of(kind, reading(content), len(content)) is ending


def indexed(places: list[int], *, content: int = 300, table: bytes = b"stco", first: bool = True) -> bytes:
    """Return a film whose index says that its chunks are at `places`, counted from where its content begins."""

    def whole(start: int) -> tuple[bytes, bytes]:
        form = ">II" + ("I" if table == b"stco" else "Q") * len(places)
        index = box(table, struct.pack(form, 0, len(places), *(start + place for place in places)))
        for name in (b"stbl", b"minf", b"mdia", b"trak", b"moov"):
            index = box(name, index)
        return index, box(b"mdat", b"\xa5" * content)

    head = box(b"ftyp", b"isom" + bytes(4))
    index, data = whole(0)
    start = len(head) + 8 + (len(index) if first else 0)
    index, data = whole(start)
    return head + (index + data if first else data + index)


@pytest.mark.parametrize("table", [b"stco", b"co64"])
@pytest.mark.parametrize("first", [True, False], ids=["index first", "index last"])
@pytest.mark.parametrize(
    ("places", "ending"),
    [([], Ending.WHOLE), ([0, 100, 299], Ending.WHOLE), ([0, 300], Ending.CUT), ([0, 5000], Ending.CUT)],
)
def test_an_index_that_points_outside_the_content_is_of_another_film(
    table: bytes, first: bool, places: list[int], ending: Ending
) -> None:
    film = indexed(places, table=table, first=first)
    assert ending_of(MP4, reading(film), len(film)) is ending


@pytest.mark.parametrize(("one", "other"), [(300, 400), (400, 300), (300, 308)])
def test_the_end_of_one_film_behind_the_start_of_another_is_seldom_a_whole_film(one: int, other: int) -> None:
    """With the index last, as a muxer writes it that does not go back."""
    places = [0, 250]
    mine, theirs = (indexed(places, content=size, first=False) for size in (one, other))
    spliced = mine[:200] + theirs[200:]
    assert ending_of(MP4, reading(spliced), len(spliced)) is Ending.CUT


def test_an_index_made_to_be_slow_is_read_within_bounds() -> None:
    """Many pieces of content, and many tracks whose tables claim to be far longer than the track."""
    table = struct.pack(">I4sII", 1 << 26, b"stco", 0, 1 << 24)
    track = box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table))))
    film = box(b"moov", track * 5_000) + box(b"mdat") * 90_000
    read: list[int] = []

    def reading_counted(at: int, count: int) -> bytes:
        read.append(count)
        return film[at : at + count]

    assert ending_of(MP4, reading_counted, len(film)) in set(Ending)
    assert sum(read) < 20 * len(film)


def test_junk_in_a_table_gets_an_answer() -> None:
    film = indexed([0, 10, 20])
    for at in range(len(film)):
        for junk in (b"\xff\xff\xff\xff", b"\0\0\0\0"):
            spoilt = film[:at] + junk + film[at + 4 :]
            assert ending_of(MP4, reading(spoilt), len(spoilt)) in set(Ending)


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
    assert is_page(content) in {True, False}
    assert is_playlist(content) in {True, False}
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
        ("<html>".encode("utf-16"), True),
    ],
)
def test_pages_and_messages_are_told_from_binary(head: bytes, text: bool) -> None:
    assert looks_like_text(head) is text


@pytest.mark.parametrize(
    ("head", "extension"),
    [
        (b"\x47" + bytes(187) + b"\x47" + bytes(187), "ts"),
        (bytes(4) + b"\x47" + bytes(191) + b"\x47", "ts"),
        (b"II*\0\x08\0\0\0", "tif"),
        (b"MM\0*\0\0\0\x08", "tif"),
        (b"BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "bmp"),
        (b"PK\x03\x04", "zip"),
        (b"glTF\x02\0\0\0", "glb"),
        (b"FLV\x01\x05", "flv"),
        (b"\x06\x0e\x2b\x34\x02\x05", "mxf"),
        (b"\0\0\x01\xba\x44", "mpg"),
        (b"\xff\xf1\x50\x80", "aac"),
        (b"OggS" + bytes(24) + b"\x80theora", "ogv"),
        (b"OggS" + bytes(24) + b"OpusHead", "ogg"),
        (b"FORM\0\0\0\x10AIFF", "aiff"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "wmv"),
        (b"\x76\x2f\x31\x01\x02", "exr"),
        (bytes(257) + b"ustar\x0000", "tar"),
        (b"\x1f\x8b\x08\0", "gz"),
        (b"%PDF-1.7", "pdf"),
        (b"WEBVTT\n\n00:00.000 --> 00:01.000", "vtt"),
        (b'<?xml version="1.0"?>\n<svg xmlns="x"><script/></svg>', "txt"),
    ],
)
def test_every_kind_that_is_known_has_an_extension_of_ours(head: bytes, extension: str) -> None:
    kind = kind_of(head)
    assert kind is not None
    assert kind.extension == extension


def test_only_what_is_no_clip_is_remarked_upon() -> None:
    assert [kind.remark for kind in (MP4, GIF, MP3, TS)] == [""] * 4
    assert ZIP.remark == "the download is an archive, not a video, picture or sound; it is kept whole"
    assert not shows_its_end(MP3)


@pytest.mark.parametrize(
    ("head", "page", "playlist"),
    [
        (b"<!DOCTYPE html><html>", True, False),
        (b"\n <HTML lang=en>", True, False),
        (b"#EXTM3U\n#EXT-X-VERSION:3", False, True),
        (b"\xef\xbb\xbf#EXTM3U", False, True),
        (b'<?xml version="1.0"?>\n<!-- x --><MPD xmlns="urn:mpeg">', False, True),
        (b'{"error": "expired"}', False, False),
        (b"<Error><Code>NoSuchKey</Code></Error>", False, False),
    ],
)
def test_pages_and_playlists_are_known(head: bytes, page: bool, playlist: bool) -> None:
    assert (is_page(head), is_playlist(head)) == (page, playlist)


@pytest.mark.parametrize(
    "piece", [b"<!---->", b"<!--", b"-->", b"<!-- -- -->", b"<?xml >", b"<!DOCTYPE x>", b" "]
)
def test_a_hostile_text_is_read_once(piece: bytes) -> None:
    text = piece * (65536 // len(piece))
    assert kind_of(text[:512]) is None
    assert (is_page(text), is_playlist(text)) == (False, False)
