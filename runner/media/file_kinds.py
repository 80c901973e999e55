"""Recognizes a file by its first bytes, and gives it an extension.

In: first bytes. Out: a `Kind` from our own table, or what a text is that came instead of a file. It knows no names, no
network and no codecs. Only the table decides a file's extension, never a URL or a header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

HEAD_BYTES = 512
"""The number of first bytes that show a kind."""


class Family(StrEnum):
    """What a file is for; only the first three are the paid result of a video job."""

    VIDEO = "video"
    IMAGE = "picture"
    SOUND = "sound"
    MODEL = "3D model"
    ARCHIVE = "archive"
    DOCUMENT = "document"
    UNKNOWN = "file of an unknown kind"


CLIPS = frozenset({Family.VIDEO, Family.IMAGE, Family.SOUND})


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file; `extension` is lower-case, without a dot."""

    extension: str
    family: Family

    @property
    def remark(self) -> str:
        """The remark on a file of this kind that came as a clip; empty if it is one."""
        if self.family in CLIPS:
            return ""
        article = "an" if self.family is Family.ARCHIVE else "a"
        return f"the download is {article} {self.family}, not a video, picture or sound; it is kept whole"


_V, _I, _S = Family.VIDEO, Family.IMAGE, Family.SOUND
MP4, MOV, WEBM, MKV, AVI = (Kind(name, _V) for name in ("mp4", "mov", "webm", "mkv", "avi"))
TS, MPG, FLV, WMV, MXF = (Kind(name, _V) for name in ("ts", "mpg", "flv", "wmv", "mxf"))
THREE_GP, IVF, Y4M, OGV = (Kind(name, _V) for name in ("3gp", "ivf", "y4m", "ogv"))
PNG, JPEG, GIF, WEBP = (Kind(name, _I) for name in ("png", "jpg", "gif", "webp"))
AVIF, HEIC, TIFF, BMP, JXL = (Kind(name, _I) for name in ("avif", "heic", "tif", "bmp", "jxl"))
EXR, PSD, DPX, JP2 = (Kind(name, _I) for name in ("exr", "psd", "dpx", "jp2"))
MP3, WAV, OGG, FLAC, M4A = (Kind(name, _S) for name in ("mp3", "wav", "ogg", "flac", "m4a"))
AAC, AIFF, CAF, AMR = (Kind(name, _S) for name in ("aac", "aiff", "caf", "amr"))
GLB, FBX, PLY = (Kind(name, Family.MODEL) for name in ("glb", "fbx", "ply"))
ZIP, GZ, TAR, SEVEN_Z = (Kind(name, Family.ARCHIVE) for name in ("zip", "gz", "tar", "7z"))
XZ, ZST, BZ2 = (Kind(name, Family.ARCHIVE) for name in ("xz", "zst", "bz2"))
PDF, VTT, TXT = (Kind(name, Family.DOCUMENT) for name in ("pdf", "vtt", "txt"))
BIN = Kind("bin", Family.UNKNOWN)
"""The kind of a file that is kept although its kind is not known."""

_BRANDS = {
    b"qt  ": MOV,
    b"M4A ": M4A,
    b"M4B ": M4A,
    b"avif": AVIF,
    b"avis": AVIF,
    b"heic": HEIC,
    b"heix": HEIC,
    b"hevc": HEIC,
    b"mif1": HEIC,
    b"msf1": HEIC,
}
_RIFFS = {b"WEBP": WEBP, b"WAVE": WAV, b"AVI ": AVI}
_STARTS = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\0\0\0\x0cJXL \r\n\x87\n", JXL),
    (b"\xff\x0a", JXL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", JP2),
    (b"\x76\x2f\x31\x01", EXR),
    (b"8BPS", PSD),
    (b"SDPX", DPX),
    (b"XPDS", DPX),
    (b"FLV\x01", FLV),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", WMV),
    (b"\x06\x0e\x2b\x34", MXF),
    (b"\0\0\x01\xba", MPG),
    (b"\0\0\x01\xb3", MPG),
    (b"DKIF", IVF),
    (b"YUV4MPEG2 ", Y4M),
    (b"ID3", MP3),
    (b"\xff\xfb", MP3),
    (b"\xff\xfa", MP3),
    (b"\xff\xf3", MP3),
    (b"\xff\xf2", MP3),
    (b"\xff\xf1", AAC),
    (b"\xff\xf9", AAC),
    (b"fLaC", FLAC),
    (b"caff", CAF),
    (b"#!AMR", AMR),
    (b"glTF", GLB),
    (b"Kaydara FBX Binary", FBX),
    (b"ply\n", PLY),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\x1f\x8b", GZ),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_Z),
    (b"\xfd7zXZ\0", XZ),
    (b"\x28\xb5\x2f\xfd", ZST),
    (b"BZh", BZ2),
    (b"%PDF-", PDF),
    (b"WEBVTT", VTT),
    (b"\xef\xbb\xbfWEBVTT", VTT),
)
_EBML = b"\x1a\x45\xdf\xa3"
# QuickTime files older than the `ftyp` box begin with one of these.
_OLD_MOV_BOXES = frozenset({b"moov", b"mdat", b"wide"})
# Packets have 188 bytes, or 192 on Blu-ray discs, and each begins with its mark (ISO/IEC 13818-1, 2.4.3.2).
_TS_PACKETS = ((0, 188), (4, 192))
_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script)\b", re.IGNORECASE)
# All quantifiers are possessive: with backtracking, a hostile text could keep the search busy without end.
_BEFORE_THE_ROOT = rb"\s*+(?:<\?xml[^>]*+>\s*+)?+(?:<!--(?:(?!-->).)*+-->\s*+|<!DOCTYPE\s[^>]*+>\s*+)*+"
_PLAYLIST = re.compile(rb"\s*+#EXTM3U|" + _BEFORE_THE_ROOT + rb"<MPD\b", re.DOTALL)
_SVG = re.compile(_BEFORE_THE_ROOT + rb"<svg\b", re.DOTALL)


def kind_of(head: bytes) -> Kind | None:
    """Return the kind of a file that begins with `head`, or None if it is not known."""
    if head[4:8] == b"ftyp":
        brand = head[8:12]
        return THREE_GP if brand[:2] == b"3g" else _BRANDS.get(brand, MP4)
    if head[4:8] in _OLD_MOV_BOXES:
        return MOV
    if head.startswith(b"RIFF"):
        return _RIFFS.get(head[8:12])
    if head.startswith(_EBML):
        return WEBM if b"webm" in head[:64] else MKV
    known = next((kind for start, kind in _STARTS if head.startswith(start)), None)
    return known or _by_more_than_a_start(head)


def _by_more_than_a_start(head: bytes) -> Kind | None:
    if head.startswith(b"OggS"):
        return OGV if b"\x80theora" in head else OGG
    if head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"}:
        return AIFF
    if (
        head.startswith(b"BM")
        and head[6:10] == bytes(4)
        and head[14:15] in {b"\x0c", b"\x28", b"\x6c", b"\x7c"}
    ):
        return BMP
    for first, step in _TS_PACKETS:
        if [head[first + n * step : first + n * step + 1] for n in range(2)] == [b"\x47"] * 2:
            return TS
    if head[257:262] == b"ustar":
        return TAR
    # A browser runs scripts in an SVG, so the file does not get that extension.
    return TXT if _SVG.match(head.removeprefix(b"\xef\xbb\xbf")) else None


def looks_like_text(head: bytes) -> bool:
    """Return whether `head` reads like a page or a message, such as an error page sent as a clip."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    return bool(head.strip()) and not any(byte < 9 or 13 < byte < 32 for byte in head.lstrip(b"\xef\xbb\xbf"))


def is_page(start: bytes) -> bool:
    """Return whether a text that begins with `start` is a web page."""
    return _PAGE.search(start) is not None


def is_playlist(start: bytes) -> bool:
    """Return whether a text that begins with `start` is a playlist: it only names the files of a film."""
    return _PLAYLIST.match(start.removeprefix(b"\xef\xbb\xbf")) is not None
