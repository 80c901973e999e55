"""Recognizes files by their first bytes: the one table of signatures.

No URL or header decides a delivered file's extension. Sources: the WHATWG MIME Sniffing Standard; for ISO media files
the brands of mp4ra.org.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

HEAD_BYTES = 512
"""The number of first bytes that show a kind."""

LEAST_BYTES = 1024
"""This many bytes show any format, if the file has them."""


class Family(StrEnum):
    """What a file is for, as a person calls it."""

    VIDEO = "video"
    IMAGE = "picture"
    SOUND = "sound"
    MODEL = "3D model"
    ARCHIVE = "archive"
    DOCUMENT = "document"
    PAGE = "web page"
    OTHER = "file of another kind"
    UNKNOWN = "file of an unknown kind"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its extension in lower case without a dot, and the pattern that its first bytes match.

    `format` is the name in `FORMATS` of what a model's input may be; empty for a kind that none takes.
    """

    extension: str
    family: Family
    format: str = ""
    start: bytes = b""

    @property
    def is_clip(self) -> bool:
        """Whether it can be the paid result of a video job."""
        return self.family in {Family.VIDEO, Family.IMAGE, Family.SOUND}

    @property
    def remark(self) -> str:
        """The remark on a file of this kind that came as a clip; empty if it is one."""
        if self.is_clip:
            return ""
        article = "an" if self.family is Family.ARCHIVE else "a"
        return f"the download is {article} {self.family}, not a video, picture or sound; it is kept whole"


# All quantifiers are possessive: with backtracking, a hostile text could keep the search busy without end.
_BEFORE_THE_ROOT = rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+|<!DOCTYPE\s[^>]*+>\s*+)*+"
_BOM = b"\xef\xbb\xbf"

# The first pattern that matches decides, so brands come before the box that any film may have.
KINDS = {
    extension: Kind(extension, family, name, start)
    for family, extension, name, start in (
        (Family.VIDEO, "3gp", "MP4", rb".{4}ftyp3g"),
        # QuickTime files older than the `ftyp` box begin with one of the other boxes.
        (Family.VIDEO, "mov", "QuickTime", rb".{4}(?:ftypqt  |moov|mdat|wide)"),
        (Family.SOUND, "m4a", "MP4", rb".{4}ftypM4[AB] "),
        (Family.IMAGE, "avif", "AVIF", rb".{4}ftypavi[fs]"),
        (Family.IMAGE, "heic", "HEIC", rb".{4}ftyp(?:hei[cxm]|hev[cx]|mif1|msf1)"),
        (Family.VIDEO, "mp4", "MP4", rb".{4}ftyp"),
        (Family.IMAGE, "webp", "WebP", rb"RIFF.{4}WEBP"),
        (Family.SOUND, "wav", "WAV", rb"RIFF.{4}WAVE"),
        (Family.VIDEO, "avi", "AVI", rb"RIFF.{4}AVI "),
        (Family.VIDEO, "webm", "WebM or Matroska", rb"\x1a\x45\xdf\xa3.{,56}webm"),
        (Family.VIDEO, "mkv", "WebM or Matroska", rb"\x1a\x45\xdf\xa3"),
        (Family.IMAGE, "png", "PNG", rb"\x89PNG\r\n\x1a\n"),
        (Family.IMAGE, "jpg", "JPEG", rb"\xff\xd8\xff"),
        (Family.IMAGE, "gif", "GIF", rb"GIF8[79]a"),
        (Family.IMAGE, "tif", "TIFF", rb"II[*+]\0|MM\0[*+]"),
        (Family.IMAGE, "jxl", "", rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a"),
        (Family.IMAGE, "jp2", "", rb"\0\0\0\x0cjP  \r\n\x87\n"),
        (Family.IMAGE, "exr", "", rb"\x76\x2f\x31\x01"),
        (Family.IMAGE, "psd", "", rb"8BPS"),
        (Family.IMAGE, "dpx", "", rb"SDPX|XPDS"),
        (Family.VIDEO, "flv", "", rb"FLV\x01"),
        (Family.VIDEO, "wmv", "", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
        (Family.VIDEO, "mxf", "", rb"\x06\x0e\x2b\x34"),
        (Family.VIDEO, "mpg", "", rb"\0\0\x01[\xba\xb3]"),
        (Family.VIDEO, "ivf", "", rb"DKIF"),
        (Family.VIDEO, "y4m", "", rb"YUV4MPEG2 "),
        (Family.SOUND, "mp3", "MP3", rb"ID3|\xff[\xfb\xfa\xf3\xf2]"),
        (Family.SOUND, "aac", "", rb"\xff[\xf1\xf9]"),
        (Family.SOUND, "flac", "FLAC", rb"fLaC"),
        (Family.SOUND, "caf", "", rb"caff"),
        (Family.SOUND, "amr", "", rb"#!AMR"),
        (Family.SOUND, "aiff", "", rb"FORM.{4}AIF[FC]"),
        (Family.VIDEO, "ogv", "Ogg", rb"OggS.*\x80theora"),
        (Family.SOUND, "ogg", "Ogg", rb"OggS"),
        (Family.MODEL, "glb", "", rb"glTF"),
        (Family.MODEL, "fbx", "", rb"Kaydara FBX Binary"),
        (Family.MODEL, "ply", "", rb"ply\n"),
        (Family.ARCHIVE, "zip", "ZIP", rb"PK\x03\x04|PK\x05\x06"),
        (Family.ARCHIVE, "gz", "gzip", rb"\x1f\x8b"),
        (Family.ARCHIVE, "7z", "", rb"7z\xbc\xaf\x27\x1c"),
        (Family.ARCHIVE, "xz", "", rb"\xfd7zXZ\0"),
        (Family.ARCHIVE, "zst", "", rb"\x28\xb5\x2f\xfd"),
        (Family.ARCHIVE, "bz2", "", rb"BZh"),
        (Family.DOCUMENT, "pdf", "PDF", rb"%PDF-"),
        (Family.DOCUMENT, "vtt", "", rb"(?:\xef\xbb\xbf)?WEBVTT"),
        # Two letters prove little: the reserved bytes and the size of the next header do.
        (Family.IMAGE, "bmp", "BMP", rb"BM.{4}\0{4}.{4}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]"),
        # Packets have 188 bytes, or 192 on Blu-ray discs, and each begins with its mark (ISO/IEC 13818-1, 2.4.3.2).
        (Family.VIDEO, "ts", "", rb"\x47.{187}\x47|.{4}\x47.{191}\x47"),
        (Family.ARCHIVE, "tar", "", rb".{257}ustar"),
        # A browser runs scripts in an SVG, so the file does not get that extension.
        (Family.DOCUMENT, "txt", "", rb"(?:\xef\xbb\xbf)?+" + _BEFORE_THE_ROOT + rb"<svg\b"),
    )
}
"""Every kind by its extension."""

TXT = KINDS["txt"]
BIN = Kind("bin", Family.UNKNOWN)
"""The kind of a file that is kept although its kind is not known."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format that an input may have: its name for a person, and its media types and suffixes."""

    name: str
    family: Family
    types: frozenset[str]
    suffixes: frozenset[str]


FORMATS = {
    name: Format(name, family, frozenset(types.split()), frozenset(suffixes.split()))
    for name, family, types, suffixes in (
        ("JPEG", Family.IMAGE, "image/jpeg image/jpg image/pjpeg", "jpg jpeg jpe jfif"),
        ("PNG", Family.IMAGE, "image/png image/apng image/x-png", "png apng"),
        ("GIF", Family.IMAGE, "image/gif", "gif"),
        ("WebP", Family.IMAGE, "image/webp", "webp"),
        ("BMP", Family.IMAGE, "image/bmp image/x-ms-bmp", "bmp dib"),
        ("TIFF", Family.IMAGE, "image/tiff", "tif tiff"),
        ("AVIF", Family.IMAGE, "image/avif", "avif"),
        ("HEIC", Family.IMAGE, "image/heic image/heif", "heic heif"),
        ("SVG", Family.IMAGE, "image/svg+xml", "svg"),
        ("MP4", Family.VIDEO, "video/mp4 video/x-m4v audio/mp4", "mp4 m4v m4a mov"),
        ("QuickTime", Family.VIDEO, "video/quicktime", "mov qt mp4"),
        ("WebM or Matroska", Family.VIDEO, "video/webm video/x-matroska audio/webm", "webm mkv mka"),
        ("AVI", Family.VIDEO, "video/x-msvideo video/avi video/msvideo", "avi"),
        ("WAV", Family.SOUND, "audio/wav audio/x-wav audio/wave audio/vnd.wave", "wav"),
        ("MP3", Family.SOUND, "audio/mpeg audio/mp3", "mp3"),
        ("Ogg", Family.SOUND, "audio/ogg video/ogg application/ogg", "ogg oga ogv opus"),
        ("FLAC", Family.SOUND, "audio/flac audio/x-flac", "flac"),
        ("HTML", Family.PAGE, "text/html application/xhtml+xml", "html htm"),
        ("XML", Family.OTHER, "text/xml application/xml", "xml"),
        ("JSON", Family.OTHER, "application/json", "json"),
        ("PDF", Family.OTHER, "application/pdf", "pdf"),
        ("ZIP", Family.OTHER, "application/zip", "zip"),
        ("gzip", Family.OTHER, "application/gzip", "gz"),
    )
}
"""Every format by its name, which a cache stores."""

SUFFIXES = frozenset(suffix for one in FORMATS.values() for suffix in one.suffixes)
"""Every suffix that promises a format."""

_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)
_PAGE_START = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|title|script|meta|link|div|style)\b", re.IGNORECASE
)
_PLAYLIST = re.compile(rb"\s*+#EXTM3U|" + _BEFORE_THE_ROOT + rb"<MPD\b", re.DOTALL)
_BLANK = _BOM + b" \t\r\n"


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a file that begins with `head`, or None if it is not known."""
    return next((kind for kind in KINDS.values() if re.match(kind.start, head, re.DOTALL)), None)


def format_of(head: bytes) -> Format | None:
    """Return the format that `head` begins, or None where no signature fits."""
    kind = kind_of(head)
    return FORMATS.get(kind.format if kind and kind.format else _text_format(head[:LEAST_BYTES]))


def _text_format(head: bytes) -> str:
    text = head.lstrip(_BLANK)
    # Each comment is removed separately, since a pattern for all comments would never end on some texts.
    while text.startswith(b"<!--"):
        text = text.partition(b"-->")[2].lstrip(_BLANK)
    is_xml = text.startswith((b"<svg", b"<?xml", b"<!DOCTYPE svg"))
    if _PAGE_START.match(text) or (is_xml and b"<html" in text.lower()):
        return "HTML"
    if is_xml:
        return "SVG" if b"<svg" in text or b"<!DOCTYPE svg" in text else "XML"
    return "JSON" if re.match(rb"[{\[]\s*[\"{}\[\]]", text) else ""


def looks_like_text(head: bytes) -> bool:
    """Return whether `head` reads like a page or a message, such as an error page sent as a clip."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return bool(head.strip()) and not any(byte < 9 or 13 < byte < 32 for byte in head.lstrip(_BOM))


def is_page(start: bytes) -> bool:
    """Return whether a text that begins with `start` is a web page."""
    return _PAGE.search(start) is not None


def is_playlist(start: bytes) -> bool:
    """Return whether a text that begins with `start` is a playlist: it only names the files of a film."""
    return _PLAYLIST.match(start.removeprefix(_BOM)) is not None
