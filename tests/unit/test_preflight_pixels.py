"""First bytes tell what a file is and how large its picture, whatever else they hold."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.media.file_kinds import FORMATS, LEAST_BYTES, SUFFIXES, format_of
from runner.media.image_size import Pixels, enough, pixels_of

SIDES = st.integers(1, 16383)
Write = Callable[[int, int], bytes]
PADDING = b"\0" * LEAST_BYTES


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\0\0\0" + PADDING


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + PADDING


def bmp(width: int, height: int) -> bytes:
    return b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, width, height) + PADDING


def webp(kind: bytes, payload: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(payload)) + payload
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk + PADDING


def webp_lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height))


def webp_lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", struct.pack("<BI", 0x2F, (width - 1) | (height - 1) << 14))


def webp_extended(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\x10\0\0\0" + sides)


def segment(marker: int, payload: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def exif(orientation: int, order: str = "<") -> bytes:
    mark = b"II" if order == "<" else b"MM"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    body = mark + struct.pack(f"{order}HIH", 42, 8, 1) + entry
    return segment(0xE1, b"Exif\0\0" + body)


def jpeg(width: int, height: int, *, before: bytes = b"", frame: int = 0xC0) -> bytes:
    start = segment(frame, b"\x08" + struct.pack(">HH", height, width) + b"\x03" + b"\0" * 9)
    return b"\xff\xd8" + segment(0xE0, b"JFIF\0" + b"\0" * 9) + before + start + PADDING


WRITERS: list[Write] = [png, gif, bmp, webp_lossy, webp_lossless, webp_extended, jpeg]


@pytest.mark.parametrize("write", WRITERS)
@given(width=SIDES, height=SIDES)
@settings(max_examples=30, deadline=None)
def test_any_size_is_read_as_it_was_written(write: Write, width: int, height: int) -> None:
    assert pixels_of(write(width, height)) == Pixels(width, height)


@pytest.mark.parametrize("write", WRITERS)
def test_a_cut_header_never_tells_a_wrong_size(write: Write) -> None:
    whole = write(300, 200)
    assert {pixels_of(whole[:length]) for length in range(80)} <= {None, Pixels(300, 200)}


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_what_a_real_encoder_writes_is_read(name: str) -> None:
    image = pytest.importorskip("PIL.Image")
    for options in ({}, {"lossless": True}, {"progressive": True}):
        stream = io.BytesIO()
        image.new("RGB", (123, 45), "teal").save(stream, name, **options)
        assert pixels_of(stream.getvalue()) == Pixels(123, 45)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_a_turned_photograph_is_told_as_it_is_seen(orientation: int, order: str) -> None:
    turned = jpeg(4000, 3000, before=exif(orientation, order))
    assert pixels_of(turned) == (Pixels(3000, 4000) if orientation >= 5 else Pixels(4000, 3000))


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(b"\xff\xff\xff", id="fill bytes"),
        pytest.param(b"\xff\x01", id="a marker without length"),
        pytest.param(segment(0xE1, b"Exif\0\0"), id="an empty exif"),
        pytest.param(segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f"), id="an exif that points outside"),
        pytest.param(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0"), id="xmp"),
        pytest.param(segment(0xE2, b"\xff\xc0\0\x11" * 5000), id="a colour profile that looks like a frame"),
        pytest.param(segment(0xC4, b"\0" * 30), id="a table of the frames' number range"),
    ],
)
def test_what_stands_before_the_frame_is_walked_over(before: bytes) -> None:
    assert pixels_of(jpeg(640, 480, before=before, frame=0xC2)) == Pixels(640, 480)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(jpeg(640, 0), id="a height told later"),
        pytest.param(png(0, 5), id="no width"),
        pytest.param(b"\xff\xd8\xff\xda" + PADDING, id="a scan without a frame"),
        pytest.param(b"\xff\xd8\xff\xe0\0\0" + PADDING, id="a segment shorter than its length"),
        pytest.param(b"\xff\xd8\xff\xe0\0\x04abXX" + PADDING, id="no marker where one must be"),
        pytest.param(b"RIFF\0\0\0\0WEBPJUNK" + PADDING, id="another chunk first"),
        pytest.param(webp(b"VP8 ", b"\0" * 10), id="a lossy chunk without its start code"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI" + PADDING, id="a png that is none"),
        pytest.param(b"<html>" + PADDING, id="a page"),
        pytest.param(PADDING, id="nothing known"),
    ],
)
def test_a_size_that_is_not_told_is_none_and_asks_for_no_more(head: bytes) -> None:
    assert pixels_of(head) is None
    assert enough(head)


def test_more_is_asked_for_until_the_frame_is_reached() -> None:
    whole = jpeg(640, 480, before=segment(0xE2, b"\0" * 60_000) * 3)
    reached = [length for length in range(0, len(whole), 1000) if enough(whole[:length])]
    assert reached[0] > 180_000
    assert {pixels_of(whole[:length]) for length in reached} == {Pixels(640, 480)}


@given(
    head=st.binary(max_size=200), start=st.sampled_from([png(1, 1), jpeg(1, 1), gif(1, 1), webp_lossy(1, 1)])
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_are_an_error(head: bytes, start: bytes) -> None:
    for data in (head, start[:20] + head, start[:2] + exif(6)[:20] + head):
        pixels = pixels_of(data)
        assert pixels is None or (pixels.width > 0 and pixels.height > 0)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (png(1, 1), "PNG"),
        (b"\0\0\0\x20ftypavif" + PADDING, "AVIF"),
        (b"\0\0\0\x20ftypheic" + PADDING, "HEIC"),
        (b"\0\0\0\x20ftypisom" + PADDING, "MP4"),
        (b"\0\0\0\x14ftypqt  " + PADDING, "QuickTime"),
        (b"\x1aE\xdf\xa3" + PADDING, "WebM or Matroska"),
        (b"RIFF\0\0\0\0WAVE", "WAV"),
        (b"RIFF\0\0\0\0AVI ", "AVI"),
        (b"ID3\x04", "MP3"),
        (b"\xff\xfb\x90", "MP3"),
        (b"II*\0", "TIFF"),
        (b"%PDF-1.7", "PDF"),
        (b"PK\x03\x04", "ZIP"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"\xef\xbb\xbf\r\n  <HTML lang=en>", "HTML"),
        (b"<!-- a --> <!-- b -->\n<html>", "HTML"),
        (b'<?xml version="1.0"?><html xmlns="x">', "HTML"),
        (b"<script>location='login'</script>", "HTML"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied', "XML"),
        (b'<?xml version="1.0"?>\n<svg width="1">', "SVG"),
        (b"<svg viewBox='0 0 1 1'>", "SVG"),
        (b'{"error": "no"}', "JSON"),
    ],
)
def test_a_format_is_known_by_its_first_bytes(head: bytes, name: str) -> None:
    assert format_of(head) is FORMATS[name]


@pytest.mark.parametrize(
    "head", [b"", b"\0", b"hello", b"RIFF", b"RIFF\0\0\0\0XXXX", b"<!-- never closed", b"{x"]
)
def test_what_is_none_is_none(head: bytes) -> None:
    assert format_of(head) is None


@pytest.mark.parametrize("piece", [b"<!---->", b"<!--", b" ", b"<!doctype ", b"<?xml >", b"<!DOCTYPE x>"])
def test_a_long_text_is_known_by_its_first_bytes_alone(piece: bytes) -> None:
    """A search that read more, or read again, would not end on a text of a megabyte."""
    text = piece * (2**20 // len(piece))
    assert format_of(text) is format_of(text[:LEAST_BYTES])


def test_each_format_names_media_types_and_suffixes_in_lower_case() -> None:
    assert all(one.name and one.types and one.suffixes for one in FORMATS.values())
    assert {
        text for one in FORMATS.values() for text in (*one.types, *one.suffixes) if text != text.lower()
    } == set()
    assert {"jpg", "png", "webp", "html"} <= SUFFIXES
