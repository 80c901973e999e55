"""Serves files as a host may serve them: the requested part, another part, or another kind of file.

In: the bytes of a clip and what was asked. Out: answers. It knows no job and no rule.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

from starlette.responses import Response

_FROM = re.compile(r"bytes=(\d+)-(\d*)")
_INVERTED = bytes(255 - byte for byte in range(256))

KINDS: Mapping[str, tuple[str, bytes]] = {
    "ts": ("video/mp2t", (b"G\x40\x11\x10" + b"\xff" * 184) * 20),
    "gif": ("image/gif", b"GIF89a\x02\x00\x02\x00\x80\x00\x00" + bytes(6) + b";"),
    "tiff": ("image/tiff", b"MM\x00*\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"),
    "zip": ("application/zip", b"PK\x05\x06" + bytes(18)),
    "glb": ("model/gltf-binary", struct.pack("<4sII", b"glTF", 2, 12)),
    "html": ("text/html", b"<!doctype html><html><body>please sign in (simulated)</body></html>"),
    "json": ("application/json", b'{"message": "the object is gone (simulated)"}'),
    "playlist": ("application/vnd.apple.mpegurl", b"#EXTM3U\n#EXTINF:5,\nsegment1.ts\n#EXT-X-ENDLIST\n"),
    "bin": ("application/octet-stream", bytes(range(256)) * 40),
}
"""Other kinds of file by name, each with its media type and its bytes."""


def numbered(clip: bytes, number: int) -> bytes:
    """Return the bytes of a job's further output: the same pictures, and a box that differs and that players skip."""
    mark = b"output %d" % number
    return clip if number == 1 else clip + struct.pack(">I4s", 8 + len(mark), b"free") + mark


class Served(Response):
    """An answer with a file or a part of it; `whole` is the file, `part` its first and last byte, or None."""

    def __init__(self, whole: bytes, etag: str, *, part: tuple[int, int] | None = None) -> None:
        first, last = part or (0, len(whole) - 1)
        super().__init__(whole[first : last + 1], 206 if part else 200, media_type="video/mp4")
        self.headers.update({"etag": etag, "accept-ranges": "bytes"})
        if part:
            self.headers["content-range"] = f"bytes {first}-{last}/{len(whole)}"
        self.whole, self.part = whole, part


def asked_part(whole: bytes, etag: str, headers: Mapping[str, str]) -> Response:
    """Return the part of a file that the request's `headers` ask for, or all of it."""
    wanted = _FROM.fullmatch(headers.get("range", ""))
    if wanted is None or headers.get("if-range", etag) != etag:
        return Served(whole, etag)
    first, last = int(wanted[1]), min(int(wanted[2] or len(whole)), len(whole) - 1)
    if first > last:
        return Response(status_code=416, headers={"content-range": f"bytes */{len(whole)}"})
    return Served(whole, etag, part=(first, last))


def lying(right: Response, form: str, *, code: int) -> Response:
    """Return a file's answer as a host may spoil it; `code` is the status for a part that is `refused`."""
    if not isinstance(right, Served):
        return right
    if form == "no-etag":
        del right.headers["etag"]
    elif form == "weak-etag":
        right.headers["etag"] = f"W/{right.headers['etag']}"
    elif right.part and form == "refused":
        return Response(status_code=code)
    elif right.part and form == "whole":
        return Served(right.whole, right.headers["etag"])
    elif right.part:
        _misplace(right, form, *right.part)
    return right


def _misplace(right: Served, form: str, first: int, last: int) -> None:
    total = len(right.whole)
    if form == "wrong-start":
        right.headers["content-range"] = f"bytes {first + 1}-{last + 1}/{total + 1}"
    elif form == "wrong-total":
        right.headers["content-range"] = f"bytes {first}-{last}/{total + 512}"
    elif form == "no-range":
        del right.headers["content-range"]
    elif form == "new-etag":
        right.headers["etag"] = '"of-another-file"'
    elif form == "other-file":
        del right.headers["etag"]
        right.body = bytes(right.body).translate(_INVERTED)
