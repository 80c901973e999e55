"""Readers for the fields of the API's answers, which trust nothing: ids, error numbers, links, costs and times.

They never raise for what a server sent, and they know no state and no policy.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
import re
from typing import Any, TypeAlias

from runner.system.canonical_json import parsed_json

JsonObject: TypeAlias = dict[str, Any]

DEAREST_JOB = 100_000.0
"""The most US dollars that one job can cost: a larger or a negative number is not a cost."""

_MILLISECONDS = 1e11
_LONGEST_WORD = 100
_DEEPEST = 6
# Only `status` is documented; the others can have only one meaning.
_STATUS_FIELDS = ("status", "state", "task_status", "job_status", "phase")
_STATUS_PARTS = (*_STATUS_FIELDS, "name", "value", "code")
_PARTS = ("data", "job", "task", "result", "response", "payload")
_STATUS_NOUNS = frozenset({"job", "task", "request", "status", "state"})
_ENVELOPE_WORDS = frozenset({"ok", "success", "true", "200", "0"})
_WORD_PART = re.compile(r"[^\W_]+?(?=[A-Z][a-z]|[\W_]|$)")


def parse_object(body: bytes) -> JsonObject | None:
    """Return the JSON object in `body`, or None for anything else."""
    value = parsed_json(body)
    return value if isinstance(value, dict) else None


def parse_result(body: bytes) -> JsonObject | None:
    """Return the JSON object in `body`; a list or a text counts as the output of a record without other fields."""
    value = parsed_json(body)
    return {"output": value} if isinstance(value, list | str) else value if isinstance(value, dict) else None


def can_be_written(value: object, *, allow_nan: bool = True) -> bool:
    """Return whether a value can be written as UTF-8: half characters show that a server has mangled it."""
    try:
        json.dumps(value, allow_nan=allow_nan, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def error_code(record: JsonObject | None) -> int:
    """Return the API's own error number, which may come as text; 0, which some services send, means none."""
    value = (record or {}).get("error_code")
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def status_word(record: JsonObject) -> str:
    """Return the record's word for its job's status, as the record spells it; empty without one.

    It may have other names, and may be nested: in an object of its own, or in the part of the record about the job. An
    inner word outweighs an outer one that only says that the request was answered.
    """
    outer = _word(record)
    if outer and folded(outer) not in _ENVELOPE_WORDS:
        return outer
    inner = (_word(part) for name in _PARTS if isinstance(part := record.get(name), dict))
    return next(filter(None, inner), outer)


def _word(record: JsonObject) -> str:
    return next(filter(None, (_said(record.get(name)) for name in _STATUS_FIELDS)), "")


def _said(value: object, depth: int = 0) -> str:
    """Return a status as text: a word, a number, a boolean, or an object that holds one of these."""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, str):
        return value.strip()[:_LONGEST_WORD]
    if isinstance(value, list) and len(value) == 1:
        value = {"status": value[0]}
    if not isinstance(value, dict) or depth > _DEEPEST:
        return ""
    return next(filter(None, (_said(value.get(name), depth + 1) for name in _STATUS_PARTS)), "")


def folded(word: str) -> str:
    """Return a status word as the tables spell it: `In-Progress.`, `inProgress`, `JOB_STATE_IN_PROGRESS` are one."""
    parts = _WORD_PART.findall(word[:_LONGEST_WORD])
    while len(parts) > 1 and parts[0].lower() in _STATUS_NOUNS:
        parts = parts[1:]
    return "_".join(parts).lower()


def cost(record: JsonObject) -> float | None:
    """Return the cost in USD if the record already has a plausible one."""
    found = number(record.get("cost"))
    return found if found is not None and 0 <= found <= DEAREST_JOB else None


def odd_cost(record: JsonObject) -> str:
    """Return the text of an implausible cost; empty if there is no cost yet, or a plausible one."""
    told = record.get("cost")
    return "" if told is None or cost(record) is not None else str(told)[:40]


def number(value: object) -> float | None:
    """Return a finite number, which may have come as text; a server may send a thousand digits."""
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
    return None if begin is None or end is None or end < begin else end - begin


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
"""How many bytes of an odd answer are kept for a person to read."""


def excerpt(body: bytes, limit: int = EVIDENCE) -> str:
    """Return the first bytes of an answer as text that a state file can hold; what is not text is in base64."""
    head = body[:limit]
    text = head.decode("utf-8", "replace")
    if text.count("\ufffd") + text.count("\x00") > len(text) // 8:
        return f"base64: {base64.b64encode(head[: limit * 3 // 4]).decode()}"
    return text.replace("\x00", "\ufffd")
