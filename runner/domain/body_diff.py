"""The differences between two request bodies, field by field.

It also finds what shows that a record belongs to another job.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from runner.system.canonical_json import JsonValue, parsed_json

ABSENT = "(absent)"


@dataclass(frozen=True, slots=True)
class Difference:
    """One changed field; `old` and `new` are JSON values as text, a string as it is, `ABSENT` if missing.

    `field` is `model`, or an input by its dotted name: `inputs.promptText`.
    """

    field: str
    old: str
    new: str


def differences(old_model: str, old_body: str, new_model: str, new_body: str) -> tuple[Difference, ...]:
    """Return every field in which two requests differ."""
    changed = [Difference("model", old_model, new_model)] if old_model != new_model else []
    old, new = json.loads(old_body), json.loads(new_body)
    return (*changed, *_between(old, new, "inputs"))


def _between(old: JsonValue, new: JsonValue, path: str) -> Iterator[Difference]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if name not in old:
                yield Difference(f"{path}.{name}", ABSENT, _text(new[name]))
            elif name not in new:
                yield Difference(f"{path}.{name}", _text(old[name]), ABSENT)
            else:
                yield from _between(old[name], new[name], f"{path}.{name}")
    # They are compared as text, since `true` is 1 to Python but not to a model.
    elif json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True):
        kind = str if isinstance(old, str) == isinstance(new, str) else object
        yield Difference(path, _text(old, kind), _text(new, kind))


def _text(value: JsonValue, kind: type = str) -> str:
    # A string stays as it is, except where the text "5" became the number 5.
    if kind is str and isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def other_job(record: Mapping[str, JsonValue], *, request_id: str, model: str) -> str:
    """Return the id or the model that shows that a record is about another job; empty if neither does.

    An id decides, since a model may have other names than the one in the request. Without a `request_id` only the model
    is compared.
    """
    told = record.get("request_id")
    if request_id and told is not None:
        # Letter case does not distinguish ids.
        return "" if str(told).strip().casefold() == request_id.casefold() else str(told)
    named = record.get("model_id")
    return named if isinstance(named, str) and model and named != model else ""


def contradiction(model: str, body: str, result: str, *, request_id: str = "") -> str:
    """Return how the record of a job contradicts the request that it should belong to; empty if it does not.

    `request_id` is the id that the record was requested by, empty if only a person connects the two.
    """
    record = parsed_json(result)
    if not isinstance(record, dict):
        return ""
    other, echoed = other_job(record, request_id=request_id, model=model), record.get("input")
    if other:
        return f"{'model' if other == record.get('model_id') else 'request id'} is {other}"
    sent: dict[str, JsonValue] = json.loads(body)
    told = echoed if isinstance(echoed, dict) else {}
    names = [name for name in sent if name in told and _plain(sent[name]) and _plain(told[name])]
    return next((f"{name} differs" for name in names if _meant(sent[name]) != _meant(told[name])), "")


def _plain(value: JsonValue) -> bool:
    # A service may keep its own copies of pictures at other addresses, so links prove nothing.
    return isinstance(value, int | float) or (isinstance(value, str) and "://" not in value)


def _meant(value: JsonValue) -> str | float:
    """Return the meaning of a plain value in any spelling: 1 and 1.0, true and "true", a text and its spaces."""
    text = str(value).strip()
    if text.lower() in {"true", "false"}:
        return text.lower()
    try:
        number = float(text)
    except ValueError:
        return text
    # Only their digits distinguish two numbers that are too large for a float.
    return number if math.isfinite(number) else text
