"""What is written beside a clip: the sidecar for people and other programs, and a short-lived note for us.

In: values, or the bytes of such a file. Out: bytes, or values; None for anything that is not ours. The sidecar
`<take>.json` says what the clip is and proves whose it is. A `Remainder` says how a broken download can be
continued. Nothing here is secret: links are kept without their query. It knows no folder and no network.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runner.shots import JsonValue

FORMAT = "shotrunner-clip/1"
_REMAINDER = "shotrunner-remainder/1"
MOST_BYTES = 4 << 20
"""A file of ours is never larger: prompts end at 100 kB and outputs at 64."""


@dataclass(frozen=True, slots=True)
class Landed:
    """One output on disk or about to be: its place in the result (from 0), name, hash, size in bytes, bare link."""

    index: int
    file: str
    sha256: str
    bytes: int
    url: str = ""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Everything about the clips of one paid job; `about` holds what identifies nothing but is good to know."""

    take: str
    request_id: str
    outputs: tuple[Landed, ...]
    about: Mapping[str, JsonValue] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """Return the JSON text, readable by people."""
        head: dict[str, JsonValue] = {"format": FORMAT, "take": self.take, "request_id": self.request_id}
        if self.outputs:
            first = self.outputs[0]
            head |= {"file": first.file, "sha256": first.sha256, "bytes": first.bytes}
        outputs: list[JsonValue] = [_landed_json(landed) for landed in self.outputs]
        return _encoded({**head, **self.about, "outputs": outputs})


@dataclass(frozen=True, slots=True)
class Remainder:
    """The first `bytes` bytes of a download are flushed; `etag` is the strong validator they came with."""

    request_id: str
    url: str
    etag: str
    bytes: int


def read_sidecar(data: bytes, *, take: str) -> Sidecar | None:
    """Return the sidecar of `take`, or None if these bytes are none of ours."""
    found = _decoded(data, FORMAT)
    try:
        if found["take"] != take:
            return None
        outputs = tuple(_landed(item, take=take) for item in found["outputs"])
        known = {"format", "take", "request_id", "file", "sha256", "bytes", "outputs"}
        about = {key: value for key, value in found.items() if key not in known}
        return Sidecar(take, _text(found["request_id"]), outputs, about)
    except (KeyError, TypeError, ValueError):
        return None


def note_bytes(note: Remainder) -> bytes:
    """Return the text of a note."""
    return _encoded(
        {
            "format": _REMAINDER,
            "request_id": note.request_id,
            "url": note.url,
            "etag": note.etag,
            "bytes": note.bytes,
        }
    )


def read_note(data: bytes) -> Remainder | None:
    """Return the note, or None if these bytes are none of ours."""
    found = _decoded(data, _REMAINDER)
    try:
        request_id, url, etag = (_text(found[key]) for key in ("request_id", "url", "etag"))
        return Remainder(request_id, url, etag, _count(found["bytes"]))
    except (KeyError, TypeError, ValueError):
        return None


def _landed_json(landed: Landed) -> dict[str, JsonValue]:
    return {
        "index": landed.index,
        "file": landed.file,
        "sha256": landed.sha256,
        "bytes": landed.bytes,
        "url": landed.url,
    }


def _landed(item: Mapping[str, Any], *, take: str) -> Landed:
    file = _text(item["file"])
    # A name that does not begin with the take's own could make us move a stranger's file.
    if not file.startswith(f"{take}.") or "/" in file:
        raise ValueError(file)
    sha256, url = _text(item["sha256"]), _text(item["url"])
    return Landed(_count(item["index"]), file, sha256, _count(item["bytes"]), url)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(value)
    return value


def _encoded(content: Mapping[str, JsonValue]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def _decoded(data: bytes, form: str) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and found.get("format") == form else {}
