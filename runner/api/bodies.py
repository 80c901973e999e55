"""What stands in the API's answers: ids, error numbers, links, costs and times, read with distrust.

In: bytes or parsed JSON. Out: plain values, or None where the answer does not hold one. It never raises for what
a server sent, and it knows no state and no policy.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

JsonObject: TypeAlias = dict[str, Any]

REQUEST_ID = re.compile(r"[A-Za-z0-9_:-][A-Za-z0-9._:-]{0,199}")
"""What an id may look like to be used in a URL; it cannot be `.` or `..`."""

OUTPUT_LIMIT = 64
_WORDS = 2000
_DEEPEST = 6
_MILLISECONDS = 1e11
_LINK_FIELDS = ("video", "videos", "image", "images", "audio", "audios")


def parse_object(body: bytes, *, unique_keys: bool = False) -> JsonObject | None:
    """Return the JSON object in `body`, or None for anything else; `unique_keys` refuses a repeated key."""
    hook = _refuse_repeats if unique_keys else None
    try:
        value = json.loads(body, object_pairs_hook=hook)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def request_id(record: JsonObject) -> str | None:
    """Return the id of an accepted job if it can be used."""
    value = record.get("request_id")
    return value if isinstance(value, str) and REQUEST_ID.fullmatch(value) else None


def error_code(record: JsonObject | None) -> int | None:
    """Return the API's own error number, which may come as text."""
    value = (record or {}).get("error_code")
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    # Zero is what some services write for "no error".
    return value if isinstance(value, int) and value != 0 else None


def error_text(record: JsonObject | None) -> str:
    """Return the server's own words about what went wrong, or an empty string."""
    for field in ("error_message", "message", "error", "detail"):
        text = _words((record or {}).get(field))
        if text:
            return text
    return ""


def _words(value: object, depth: int = 0) -> str:
    """Return the sentence in a value that may be text, an object, or a list of field errors."""
    if isinstance(value, str):
        return value[:_WORDS]
    if not value or depth > _DEEPEST:
        return ""
    if isinstance(value, dict):
        inner = next((value[key] for key in ("message", "msg", "detail", "error") if value.get(key)), None)
        loc = value.get("loc")
        where = ".".join(str(part)[:40] for part in loc[:8]) if isinstance(loc, list) else ""
        text = (
            _words(inner, depth + 1) if inner is not None else json.dumps(value, ensure_ascii=False)[:_WORDS]
        )
        return f"{where}: {text}" if where else text
    if isinstance(value, list):
        return "; ".join(filter(None, (_words(item, depth + 1) for item in value[:5])))
    return ""


def output_links(record: JsonObject) -> tuple[str, ...]:
    """Return the web links in the record's `output`, in order, each once, at most 64.

    Only `output` is read: the record may echo the inputs, and those are links too.
    """
    output = record.get("output")
    links = dict.fromkeys(_links(output)) if isinstance(output, dict) else {}
    return tuple(links)[:OUTPUT_LIMIT]


def _links(output: JsonObject) -> Iterator[str]:
    for field in _LINK_FIELDS:
        value = output.get(field)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, str) and item.startswith(("https://", "http://")):
                yield item


def cost(record: JsonObject) -> float | None:
    """Return the cost in USD if the record has it already."""
    return number(record.get("cost"))


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


def excerpt(body: bytes, limit: int = 4096) -> str:
    """Return the first bytes of an answer as text that a state file can hold."""
    return body[:limit].decode("utf-8", "replace").replace("\x00", "\ufffd")
