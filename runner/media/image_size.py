"""Reads the size of a picture in pixels from the first bytes of a JPEG, PNG, WebP, GIF or BMP file.

It decodes no picture. A rotated photograph has the size that a viewer shows.

Source: ITU-T T.81 (JPEG) annex B; Exif 2.32, 4.6.2; PNG, 11.2.1; RFC 9649 (WebP), 2; GIF89a, 18.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from runner.media.file_kinds import LEAST_BYTES, kind_of

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
_END, _SCAN, _APP1 = 0xD9, 0xDA, 0xE1
_EXIF = b"Exif\x00\x00"
_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})


@dataclass(frozen=True, slots=True)
class Pixels:
    """Width and height; both are at least 1."""

    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


def pixels_of(head: bytes) -> Pixels | None:
    """Return the size of the picture that `head` begins, or None if it does not show one."""
    try:
        width, height = _sides(head)
    except struct.error:
        return None
    return Pixels(width, height) if width > 0 and height > 0 else None


def enough(head: bytes) -> bool:
    """Return whether `head` is enough: more bytes could not show more about the format and size."""
    if len(head) < LEAST_BYTES:
        return False
    try:
        _sides(head)
    except struct.error:
        return False
    return True


def _sides(head: bytes) -> tuple[int, int]:
    """Return width and height, or (0, 0) if the file does not show them; `struct.error` asks for more bytes."""
    kind = kind_of(head)
    match kind.extension if kind else "":
        case "jpg":
            return _jpeg(head)
        case "png" if head[12:16] == b"IHDR":
            width, height = struct.unpack_from(">II", head, 16)
        case "gif":
            width, height = struct.unpack_from("<HH", head, 6)
        case "bmp":
            width, height = struct.unpack_from("<ii", head, 18)
            # The height of a BMP is negative if its rows run from the top.
            height = abs(height)
        case "webp":
            return _webp(head)
        case _:
            return 0, 0
    return width, height


def _webp(head: bytes) -> tuple[int, int]:
    match head[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return (width & 0x3FFF, height & 0x3FFF) if head[23:26] == b"\x9d\x01\x2a" else (0, 0)
        case b"VP8L":
            signature, bits = struct.unpack_from("<BI", head, 20)
            return ((bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1) if signature == 0x2F else (0, 0)
        case b"VP8X":
            low, high = struct.unpack_from("<IH", head, 24)
            return (low & 0xFFFFFF) + 1, (low >> 24 | high << 8) + 1
        case _:
            return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    """Walk from marker to marker up to the start of the frame."""
    at, turned = 2, False
    while True:
        fill, marker = struct.unpack_from(">BB", head, at)
        if fill != 0xFF or marker in {_END, _SCAN}:
            return 0, 0
        if marker == 0xFF:
            at += 1
            continue
        at += 2
        if marker in _ALONE:
            continue
        (length,) = struct.unpack_from(">H", head, at)
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", head, at + 3)
            return (height, width) if turned else (width, height)
        if length < 2:
            return 0, 0
        if marker == _APP1:
            turned = turned or _is_turned(head[at + 2 : at + length])
        at += length


def _is_turned(segment: bytes) -> bool:
    """Return whether an Exif segment says that the shown picture has its width and height exchanged."""
    tiff = segment.removeprefix(_EXIF)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if tiff == segment or order is None:
        return False
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION:
                return value in _TURNED
    except struct.error:
        # The directory points outside its segment; the picture is shown without rotation.
        return False
    return False
