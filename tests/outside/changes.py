"""Ways to bend a true answer, to be put into a `Fault` as its `change`, and the refusals that a fault may reply with.

Each function returns a `Change`: an answer and its request in, another answer out. They can be chained, held to some
jobs, to a time, or to requests for a range. Nothing here knows a job or a socket.
"""

from __future__ import annotations

import gzip
import html
import json
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tests.outside.faults import Change, Reply
from tests.outside.wire import Request

MISSING: Any = object()
"""Stands for a word that is left out."""


# -- which answers are bent ----------------------------------------------------------------------------------------


def chained(*changes: Change) -> Change:
    """Make several changes, one after the other."""

    def change(reply: Reply, request: Request) -> Reply:
        for each in changes:
            reply = each(reply, request)
        return reply

    return change


class OnlyJobs:
    """Bends answers about some jobs alone: `numbers` count them from 1 as they are first asked about."""

    def __init__(self, change: Change, *numbers: int) -> None:
        self._change, self._numbers = change, numbers
        self._seen: list[str] = []

    def __call__(self, reply: Reply, request: Request) -> Reply:
        job = request.path.rpartition("/")[0] if request.path.startswith("/v1/requests/") else request.path
        if job not in self._seen:
            self._seen.append(job)
        return self._change(reply, request) if self._seen.index(job) + 1 in self._numbers else reply


class Until:
    """Bends the answers for each path until so many seconds after it was first asked for."""

    def __init__(self, seconds: float, change: Change) -> None:
        self._seconds, self._change = seconds, change
        self._first: dict[str, float] = {}

    def __call__(self, reply: Reply, request: Request) -> Reply:
        now = time.monotonic()
        age = now - self._first.setdefault(request.path, now)
        return self._change(reply, request) if age < self._seconds else reply


def on_range(change: Change) -> Change:
    """Bend answers to requests for a part of a file alone."""
    return lambda reply, request: change(reply, request) if "range" in request.headers else reply


def on_whole(change: Change) -> Change:
    """Bend answers to requests for a whole file alone."""
    return lambda reply, request: reply if "range" in request.headers else change(reply, request)


def instead(other: Reply) -> Change:
    """Answer something else."""
    return lambda _reply, _request: other


# -- refusals ------------------------------------------------------------------------------------------------------

_REFUSALS: Mapping[str, Callable[[str], object]] = {
    "error_message": lambda words: {"error_message": words},
    "message": lambda words: {"message": words},
    "error": lambda words: {"error": words},
    "error object": lambda words: {"error": {"message": words, "type": "invalid_request_error"}},
    "errors": lambda words: {"errors": [{"field": "duration", "message": words}, words]},
    "detail": lambda words: {"detail": words},
    "detail list": lambda words: {
        "detail": [{"loc": ["body", "duration"], "msg": words, "type": "value_error"}]
    },
    "problem": lambda words: {"type": "about:blank", "title": "Refused", "status": 422, "detail": words},
}
REFUSAL_SHAPES = (*_REFUSALS, "text", "html", "empty")
"""The shapes that `refusal` knows."""


def refusal(status: int, words: str, *, shape: str = "error_message", code: int | None = None) -> Reply:
    """Return a refusal with the server's `words` in one of `REFUSAL_SHAPES`; `code` is an `error_code` beside them."""
    if shape == "empty":
        return Reply(status)
    if shape == "text":
        return Reply(status, words.encode(), {"Content-Type": "text/plain"})
    if shape == "html":
        page = f"<!doctype html><html><head><title>{html.escape(words)}</title></head></html>"
        return Reply(status, page.encode(), {"Content-Type": "text/html"})
    record = _REFUSALS[shape](words)
    kind = "application/problem+json" if shape == "problem" else "application/json"
    return _of_record({**_with_code(code), **_mapping(record)}, Reply(status, headers={"Content-Type": kind}))


# -- records -------------------------------------------------------------------------------------------------------


def saying(word: object, *, instead_of: str | None = None, field: str = "status") -> Change:
    """Say `word` in a field of the record, or leave it out (`MISSING`); `instead_of` limits that to one true word."""

    def bend(record: dict[str, Any]) -> dict[str, Any]:
        if instead_of is not None and record.get(field) != instead_of:
            return record
        rest = {name: value for name, value in record.items() if name != field}
        return rest if word is MISSING else {**rest, field: word}

    return _on_record(bend)


def links_at(path: str) -> Change:
    """Put the links of a result at another place, such as `result.video`, `data[].url`, `download_url` or `[]`.

    A name with `[]` holds a list of all links; without one, the first link stands there alone.
    """

    def bend(record: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        links = _links_of(record)
        rest = {name: value for name, value in record.items() if name != "output"}
        placed = _placed(path, links)
        if not links:
            return record
        return {**rest, **placed} if isinstance(placed, dict) else placed

    return _on_record(bend)


def renamed_id(rename: Callable[[str], str]) -> Change:
    """Say the request's id in other letters, or another one."""
    return _on_record(lambda record: {**record, "request_id": rename(str(record.get("request_id", "")))})


def bulky(size: int, *, before: bool = False) -> Change:
    """Echo a picture of so many characters, after the other fields or before them."""
    echo = {"input": {"image": "data:image/png;base64," + "A" * size}}
    return _on_record(lambda record: {**echo, **record} if before else {**record, **echo})


def foreign_urls(host: str) -> Change:
    """Name another host in every `*_url`."""

    def bend(record: dict[str, Any]) -> dict[str, Any]:
        return {
            name: f"{host}/v1/elsewhere/{name}" if name.endswith("_url") else value
            for name, value in record.items()
        }

    return _on_record(bend)


_SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "plain": lambda token: json.dumps(token)[1:-1],
    "json escapes": lambda token: "".join(f"\\u{ord(letter):04x}" for letter in token),
    "JSON ESCAPES": lambda token: "".join(f"\\u{ord(letter):04X}" for letter in token),
    "hex": lambda token: token.encode().hex(),
    "HEX": lambda token: token.encode().hex().upper(),
    "percent": lambda token: "".join(f"%{byte:02X}" for byte in token.encode()),
    "percent, lower case": lambda token: "".join(f"%{byte:02x}" for byte in token.encode()),
    "percent twice": lambda token: quote(quote(token, safe=""), safe=""),
    "entities": lambda token: "".join(f"&#{ord(letter)};" for letter in token),
    "hex entities": lambda token: "".join(f"&#x{ord(letter):x};" for letter in token),
}
SPELLINGS = tuple(_SPELLINGS)
"""The spellings that `echoing` knows."""


def echoing(spelling: str, *, field: str = "error_message") -> Change:
    """Repeat the token of the request in a field of the record, in one of `SPELLINGS`."""

    def change(reply: Reply, request: Request) -> Reply:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        # By hand, for a JSON writer would spell the escapes in its own way.
        written = f'{json.dumps(field)}: "seen {_SPELLINGS[spelling](token)}"'
        head, _, rest = reply.body.decode().partition("{")
        comma = "" if rest.strip().startswith("}") else ", "
        return replace(reply, body=f"{head}{{{written}{comma}{rest}".encode())

    return change


_PACKINGS: Mapping[str, Callable[[bytes], bytes]] = {
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "deflate": zlib.compress,
    "raw deflate": lambda body: zlib.compress(body, wbits=-zlib.MAX_WBITS),
    "br": lambda body: body,
}


def packed(coding: str, *, says: str | None = None, really: bool = True) -> Change:
    """Pack the body as `gzip`, `deflate` or `raw deflate`; `br` is only said, for nothing here can make it.

    `says` is another name in the header, empty for none; with `really` off the header alone is sent.
    """
    name = {"raw deflate": "deflate"}.get(coding, coding) if says is None else says

    def change(reply: Reply, _request: Request) -> Reply:
        body = _PACKINGS[coding](reply.body) if really else reply.body
        headers = {**reply.headers, "Content-Encoding": name} if name else reply.headers
        return replace(reply, body=body, headers=headers)

    return change


# -- files ---------------------------------------------------------------------------------------------------------


def lying_range(
    *, start: int = 0, total: int = 0, other: bytes | None = None, etag: str | None = "", header: bool = True
) -> Change:
    """Lie in an answer 206: its Content-Range is off by `start` and `total` bytes, or its bytes are of `other` file.

    An `etag` replaces the true one, None takes it away. Without `header` there is no Content-Range at all.
    """

    def change(reply: Reply, _request: Request) -> Reply:
        if reply.status != 206:
            return reply
        headers = dict(reply.headers)
        first, last, whole = _span(headers["Content-Range"])
        body = reply.body if other is None else other[first:]
        if other is not None:
            last, whole = len(other) - 1, len(other)
        headers["Content-Range"] = f"bytes {first + start}-{last + start}/{whole + total}"
        headers["Content-Length"] = str(len(body))
        if etag is None or etag:
            headers.pop("ETag", None)
        if etag:
            headers["ETag"] = etag
        if not header:
            headers.pop("Content-Range")
        return replace(reply, body=body, headers=headers)

    return change


def cut_at(share: float) -> Change:
    """Send a share of the body and announce all of it; the fault must end the connection too."""

    def change(reply: Reply, _request: Request) -> Reply:
        length = {"Content-Length": str(len(reply.body))}
        return replace(
            reply, body=reply.body[: round(len(reply.body) * share)], headers={**reply.headers, **length}
        )

    return change


def without_etag(reply: Reply, _request: Request) -> Reply:
    """Leave the ETag out."""
    return replace(reply, headers={name: value for name, value in reply.headers.items() if name != "ETag"})


def with_etag(etag: str) -> Change:
    """Say another ETag, such as a weak one."""
    return lambda reply, request: replace(
        reply, headers={**without_etag(reply, request).headers, "ETag": etag}
    )


_TS = (b"\x47\x40\x00\x10" + bytes(184)) * 12
_ZIP = b"PK\x05\x06" + bytes(18)
FILES: Mapping[str, tuple[str, bytes]] = {
    "ts": ("video/mp2t", _TS),
    "gif": ("image/gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"),
    "tiff": ("image/tiff", b"II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
    "zip": ("application/zip", _ZIP),
    "glb": ("model/gltf-binary", b"glTF\x02\x00\x00\x00\x0c\x00\x00\x00"),
    "html": ("text/html", b"<!doctype html><html><body>signed out</body></html>"),
    "json": ("application/json", b'{"error": "no such object"}'),
    "playlist": ("application/vnd.apple.mpegurl", b"#EXTM3U\n#EXTINF:5,\npart1.ts\n#EXT-X-ENDLIST\n"),
    "bin": ("application/octet-stream", bytes(range(256)) * 64),
}
"""Other kinds of file by name, each with its media type and bytes."""


def as_file(kind: str) -> Change:
    """Send another kind of file, one of `FILES`, in place of the clip."""
    media_type, body = FILES[kind]
    return lambda _reply, _request: Reply(200, body, {"Content-Type": media_type})


# -- by hand -------------------------------------------------------------------------------------------------------


def _on_record(bend: Callable[[dict[str, Any]], Any]) -> Change:
    def change(reply: Reply, _request: Request) -> Reply:
        return _of_record(bend(json.loads(reply.body)), reply)

    return change


def _of_record(record: object, reply: Reply) -> Reply:
    return replace(reply, body=json.dumps(record).encode())


def _mapping(record: object) -> dict[str, Any]:
    return dict(record) if isinstance(record, Mapping) else {}


def _with_code(code: int | None) -> dict[str, int]:
    return {} if code is None else {"error_code": code}


def _links_of(record: Mapping[str, Any]) -> list[str]:
    output = record.get("output") or {}
    return [link for value in output.values() for link in (value if isinstance(value, list) else [value])]


def _placed(path: str, links: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON
    """Return links nested as a path says: `a.b` for objects, `a[]` for a list of whatever follows."""
    if not path:
        return links[0] if links else None
    name, _, rest = path.partition(".")
    if not name.endswith("[]"):
        return {name: _placed(rest, links)}
    each = [_placed(rest, [link]) for link in links]
    return {name.removesuffix("[]"): each} if name != "[]" else each


def _span(header: str) -> tuple[int, int, int]:
    """Return first byte, last byte and total of a Content-Range."""
    span, _, total = header.removeprefix("bytes ").partition("/")
    first, _, last = span.partition("-")
    return int(first), int(last), int(total)
