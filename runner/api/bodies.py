"""What stands in the API's answers: ids, error numbers, links, costs and times, read with distrust.

In: bytes or parsed JSON. Out: plain values, or None where the answer does not hold one. It never raises for what
a server sent, and it knows no state and no policy.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]

OUTPUT_LIMIT = 64

DEAREST_JOB = 100_000.0
"""US dollars that no single job costs: what is beyond it, or below nothing, is no cost."""

_MILLISECONDS = 1e11
_LINK_FIELDS = ("video", "videos", "image", "images", "audio", "audios")
# Nobody documents these; they are read where the documented fields hold no link, since each can mean but one thing.
_OTHER_FIELDS = (
    "video_url",
    "video_urls",
    "image_url",
    "image_urls",
    "audio_url",
    "audio_urls",
    "url",
    "urls",
)
_WEB = ("https://", "http://")


def parse_object(body: bytes) -> JsonObject | None:
    """Return the JSON object in `body`, or None for anything else."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def error_code(record: JsonObject | None) -> int | None:
    """Return the API's own error number, which may come as text."""
    value = (record or {}).get("error_code")
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    # Zero is what some services write for "no error".
    return value if isinstance(value, int) and value != 0 else None


@dataclass(frozen=True, slots=True)
class Outputs:
    """The web links of a record's `output`, in order, each once, at most 64.

    `beyond` counts more of them, `unreadable` what stands in their place and is no web link; `is_empty` says that
    there is nothing at all.
    """

    links: tuple[str, ...]
    beyond: int
    unreadable: int
    is_empty: bool


def outputs(record: JsonObject) -> Outputs:
    """Return what the record's `output` names.

    Only `output` is read: the record may echo the inputs, and those are links too.
    """
    output = record.get("output")
    named = list(_named(output, _LINK_FIELDS)) if isinstance(output, dict) else list(_items(output))
    if isinstance(output, dict) and not any(map(_link, named)):
        named += _named(output, _OTHER_FIELDS)
    links = tuple(dict.fromkeys(link for link in map(_link, named) if link))
    told = any(output.values()) if isinstance(output, dict) else bool(output)
    return Outputs(
        links[:OUTPUT_LIMIT],
        beyond=max(0, len(links) - OUTPUT_LIMIT),
        unreadable=sum(1 for item in named if item and not _link(item)),
        is_empty=not told,
    )


def _named(output: JsonObject, fields: tuple[str, ...]) -> Iterator[object]:
    for field in fields:
        yield from _items(output.get(field))


def _items(value: object) -> Iterator[object]:
    yield from value if isinstance(value, list) else [value]


def _link(item: object) -> str:
    """Return the web link that an item is, or holds as its `url`; empty for anything else."""
    if isinstance(item, dict):
        item = item.get("url")
    if not isinstance(item, str):
        return ""
    text = item.strip()
    # RFC 3986, 3.1: a scheme is the same in capitals.
    return next((scheme + text[len(scheme) :] for scheme in _WEB if text.lower().startswith(scheme)), "")


def cost(record: JsonObject) -> float | None:
    """Return the cost in USD if the record has one already, and one that can be."""
    found = number(record.get("cost"))
    return found if found is not None and 0 <= found <= DEAREST_JOB else None


def odd_cost(record: JsonObject) -> str:
    """Return what stands as a cost and cannot be one; empty where there is none yet, or one that can be."""
    told = record.get("cost")
    return "" if told is None or cost(record) is not None else str(told)[:40]


def number(value: object) -> float | None:
    """Return a finite number, which may have come as text; a server may send one of a thousand digits."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def job_seconds(record: JsonObject) -> float | None:
    """Return how long the job took by the API's own clock, from `created_at` to `finished_at`.

    Unix times may be in seconds or in milliseconds; both ends are read alike.
    """
    begin, end = _time(record.get("created_at")), _time(record.get("finished_at"))
    if begin is None or end is None or end < begin:
        return None
    return end - begin


def _time(value: object) -> float | None:
    if not isinstance(value, str):
        unix = number(value)
        return unix / 1000 if unix is not None and unix > _MILLISECONDS else unix
    try:
        parsed = dt.datetime.fromisoformat(value)
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


EVIDENCE = 1 << 16
"""Bytes of an odd answer that are kept for whoever has to judge it."""


def excerpt(body: bytes, limit: int = EVIDENCE) -> str:
    """Return the first bytes of an answer as text that a state file can hold; what is no text, in base64."""
    head = body[:limit]
    text = head.decode("utf-8", "replace")
    if text.count("\ufffd") + text.count("\x00") > len(text) // 8:
        return f"base64: {base64.b64encode(head[: limit * 3 // 4]).decode()}"
    return text.replace("\x00", "\ufffd")
