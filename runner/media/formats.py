"""Recognizes a file's format by its first bytes alone, not by its name or its server.

In: the first bytes of a file. Out: a `Format`, or None. It decodes nothing and knows no sizes.

Source: the signatures of the WHATWG MIME Sniffing Standard; for ISO media files the brands of mp4ra.org.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kind of a file, as a model's input sees it."""

    IMAGE = "picture"
    VIDEO = "video"
    AUDIO = "sound"
    PAGE = "web page"
    OTHER = "file of another kind"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of files: its name for a person, and its media types and suffixes."""

    name: str
    kind: Kind
    types: frozenset[str] = frozenset()
    suffixes: frozenset[str] = frozenset()


def _format(name: str, kind: Kind, types: str = "", suffixes: str = "") -> Format:
    return Format(name, kind, frozenset(types.split()), frozenset(suffixes.split()))


JPEG = _format("JPEG", Kind.IMAGE, "image/jpeg image/jpg image/pjpeg", "jpg jpeg jpe jfif")
PNG = _format("PNG", Kind.IMAGE, "image/png image/apng image/x-png", "png apng")
GIF = _format("GIF", Kind.IMAGE, "image/gif", "gif")
WEBP = _format("WebP", Kind.IMAGE, "image/webp", "webp")
BMP = _format("BMP", Kind.IMAGE, "image/bmp image/x-ms-bmp", "bmp dib")
TIFF = _format("TIFF", Kind.IMAGE, "image/tiff", "tif tiff")
AVIF = _format("AVIF", Kind.IMAGE, "image/avif", "avif")
HEIC = _format("HEIC", Kind.IMAGE, "image/heic image/heif", "heic heif")
SVG = _format("SVG", Kind.IMAGE, "image/svg+xml", "svg")
MP4 = _format("MP4", Kind.VIDEO, "video/mp4 video/x-m4v audio/mp4", "mp4 m4v m4a mov")
MOV = _format("QuickTime", Kind.VIDEO, "video/quicktime", "mov qt mp4")
WEBM = _format("WebM or Matroska", Kind.VIDEO, "video/webm video/x-matroska audio/webm", "webm mkv mka")
AVI = _format("AVI", Kind.VIDEO, "video/x-msvideo video/avi video/msvideo", "avi")
WAV = _format("WAV", Kind.AUDIO, "audio/wav audio/x-wav audio/wave audio/vnd.wave", "wav")
MP3 = _format("MP3", Kind.AUDIO, "audio/mpeg audio/mp3", "mp3")
OGG = _format("Ogg", Kind.AUDIO, "audio/ogg video/ogg application/ogg", "ogg oga ogv opus")
FLAC = _format("FLAC", Kind.AUDIO, "audio/flac audio/x-flac", "flac")
HTML = _format("HTML", Kind.PAGE, "text/html application/xhtml+xml", "html htm")
XML = _format("XML", Kind.OTHER, "text/xml application/xml", "xml")
JSON = _format("JSON", Kind.OTHER, "application/json", "json")
PDF = _format("PDF", Kind.OTHER, "application/pdf", "pdf")
ZIP = _format("ZIP", Kind.OTHER, "application/zip", "zip")
GZIP = _format("gzip", Kind.OTHER, "application/gzip", "gz")

FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        *(JPEG, PNG, GIF, WEBP, BMP, TIFF, AVIF, HEIC, SVG),
        *(MP4, MOV, WEBM, AVI, WAV, MP3, OGG, FLAC),
        *(HTML, XML, JSON, PDF, ZIP, GZIP),
    )
}
"""Every format by its name, which a cache stores."""

SUFFIXES = frozenset(suffix for one in FORMATS.values() for suffix in one.suffixes)
"""Every suffix that promises a format."""

LEAST_BYTES = 1024
"""This many bytes show any format, if the file has them."""

_STARTS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"BM", BMP),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"\x1aE\xdf\xa3", WEBM),
    (b"ID3", MP3),
    (b"OggS", OGG),
    (b"fLaC", FLAC),
    (b"%PDF-", PDF),
    (b"PK\x03\x04", ZIP),
    (b"\x1f\x8b", GZIP),
)
_RIFF = {b"WEBP": WEBP, b"AVI ": AVI, b"WAVE": WAV}
_BRANDS = {
    **dict.fromkeys((b"avif", b"avis"), AVIF),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"mif1", b"msf1"), HEIC),
    b"qt  ": MOV,
}
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|title|script|meta|link|div|style)\b", re.IGNORECASE)
_BLANK = b"\xef\xbb\xbf \t\r\n"


def format_of(head: bytes) -> Format | None:
    """Return the format that `head` begins, or None where no signature fits."""
    for start, found in _STARTS:
        if head.startswith(start):
            return found
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], MP4)
    if head[:2] in {b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"}:
        return MP3
    return _text_format(head[:LEAST_BYTES].lstrip(_BLANK))


def _text_format(text: bytes) -> Format | None:
    # Each comment is removed separately, since a pattern for all comments would never end on some texts.
    while text.startswith(b"<!--"):
        text = text.partition(b"-->")[2].lstrip(_BLANK)
    if _PAGE.match(text):
        return HTML
    if text.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg")):
        if b"<html" in text.lower():
            return HTML
        return SVG if b"<svg" in text or b"<!DOCTYPE svg" in text else XML
    return JSON if re.match(rb"[{\[]\s*[\"{}\[\]]", text) else None
