"""Sweeps: a mapping of axes becomes the points at which a shot is rendered.

In: the `sweep` field as written. Out: axes, and their product as points, the last axis moving fastest. An axis
is a list of values, `{from, count, step}`, a range such as `1000-1003`, or a list of names as key
(`[seed, duration]: [[7, 5], [8, 10]]`) whose inputs move in lock-step. It does not know what an axis is an axis of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from runner.errors import Position
from runner.manifest.findings import Findings, shown
from runner.manifest.shape import RANGE_KEYS, check_keys, joined, text_of
from runner.shots import Fields, Items, Node, Text

# Eighteen digits: past them int() of hostile text grows slow, and no API takes such a number.
_WHOLE = re.compile(r"-?\d{1,18}")
_RANGE = re.compile(r"\s*(\d{1,18})\s*-\s*(\d{1,18})\s*")
_NOT_SWEPT = {
    "id": "an id cannot be swept: every take has its shot's",
    "model": "the model cannot be swept yet: write one shot a model",
}


@dataclass(frozen=True, slots=True)
class Axis:
    """Names that move together, and the values they take, one tuple a step."""

    names: tuple[str, ...]
    steps: tuple[tuple[Text, ...], ...]
    at: Position


def count_points(axes: Sequence[Axis]) -> int:
    """Return how many points the product has."""
    return prod(len(axis.steps) for axis in axes)


def points(axes: Sequence[Axis]) -> Iterator[dict[str, Text]]:
    """Yield every point, names in the order of the file; one empty point if nothing is swept."""
    for steps in product(*(axis.steps for axis in axes)):
        yield {
            name: value
            for axis, step in zip(axes, steps, strict=True)
            for name, value in zip(axis.names, step, strict=True)
        }


def range_values(text: str, at: Position, *, limit: int) -> list[Text] | str | None:
    """Return the values of a range such as `1000-1003`, the reason why it is none, or None for other text."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return None
    first, last = int(found[1]), int(found[2])
    if last < first:
        return f"the range {shown(text)} ends before it begins"
    if last - first >= limit:
        return f"the range {shown(text)} has more than {limit:,} values"
    return [Text(str(number), at) for number in range(first, last + 1)]


class SweepReader:
    """Reads one `sweep` field; `limit` is the most steps an axis may have."""

    def __init__(self, findings: Findings, *, limit: int) -> None:
        self._findings = findings
        self._limit = limit

    def axes(self, sweep: Fields, subject: str) -> tuple[Axis, ...]:
        """Return the axes that could be read; what could not is told."""
        found: list[Axis] = []
        taken: set[str] = set()
        for key, node in sweep.items.items():
            where, at = joined(subject, f"sweep.{key}"), sweep.key_at(key)
            names = _names(key)
            problem = _bad_names(names, taken)
            taken.update(names)
            if problem:
                self._findings.error(at, where, problem)
                continue
            steps = self._steps(names, node, where)
            if steps:
                self._check_distinct(steps, where)
                found.append(Axis(names, steps, at))
        return tuple(found)

    def _steps(self, names: tuple[str, ...], node: Node, where: str) -> tuple[tuple[Text, ...], ...]:
        if len(names) > 1:
            return self._lockstep(names, node, where)
        values = self._values(node, where)
        if values is None:
            return ()
        if not values:
            self._findings.error(node.at, where, "has no values")
        return tuple((value,) for value in values)

    def _values(self, node: Node, where: str) -> list[Text] | None:
        if isinstance(node, Fields):
            return self._counted(node, where)
        if isinstance(node, Items):
            return self._scalars(node, where)
        if node.is_null:
            return []
        # Only a value on its own can be a range; in a list, "9-5" may be the text of a prompt.
        found = range_values(node.text, node.at, limit=self._limit)
        if isinstance(found, str):
            self._findings.error(node.at, where, found)
            return None
        return [node] if found is None else found

    def _scalars(self, items: Items, where: str) -> list[Text] | None:
        values = [item for item in items if isinstance(item, Text) and not item.is_null]
        for item in items:
            if not isinstance(item, Text):
                self._findings.error(item.at, where, "a swept value must be one value, not a list or mapping")
            elif item.is_null:
                self._findings.error(item.at, where, "a swept value is missing")
        return values if len(values) == len(items.items) else None

    def _counted(self, fields: Fields, where: str) -> list[Text] | None:
        check_keys(fields, RANGE_KEYS, self._findings, where)
        numbers = {key: self._whole(fields, key, where) for key in RANGE_KEYS}
        start, count, step = numbers["from"], numbers["count"], numbers["step"]
        for key in ("from", "count"):
            if key not in fields.items:
                self._findings.error(fields.at, where, f"needs {key}, as in {{from: 1000, count: 4}}")
        if start is None or count is None or ("step" in fields.items and not step):
            return None
        # Before anything is built from it: `count` is the cheapest way to ask for too much.
        if not 1 <= count <= self._limit:
            self._findings.error(fields.at, where, f"count must be from 1 to {self._limit:,}, not {count}")
            return None
        stride = step or 1
        return [Text(str(start + n * stride), fields.at) for n in range(count)]

    def _whole(self, fields: Fields, key: str, where: str) -> int | None:
        text = text_of(fields, key, self._findings, where)
        if text is None:
            return None
        number = int(text.text) if _WHOLE.fullmatch(text.text) else None
        if number is None or (key == "step" and number == 0):
            wanted = "a whole number other than 0" if key == "step" else "a whole number"
            self._findings.error(text.at, where, f"{key} must be {wanted}, not {shown(text.text)}")
        return number

    def _lockstep(self, names: tuple[str, ...], node: Node, where: str) -> tuple[tuple[Text, ...], ...]:
        wanted = f"a list of lists of {len(names)} values, one for each of {', '.join(names)}"
        if not isinstance(node, Items) or not node.items:
            self._findings.error(node.at, where, f"must be {wanted}")
            return ()
        steps: list[tuple[Text, ...]] = []
        for item in node:
            if not isinstance(item, Items) or len(item.items) != len(names):
                self._findings.error(item.at, where, f"must be {wanted}")
                continue
            values = self._scalars(item, where)
            if values is not None:
                steps.append(tuple(values))
        return tuple(steps)

    def _check_distinct(self, steps: tuple[tuple[Text, ...], ...], where: str) -> None:
        seen: set[tuple[str, ...]] = set()
        for step in steps:
            texts = tuple(value.text for value in step)
            if texts in seen:
                what = ", ".join(map(shown, texts))
                self._findings.error(
                    step[0].at, where, f"{what} is given twice: the same take would be paid twice"
                )
            seen.add(texts)


def _names(key: str) -> tuple[str, ...]:
    if key.startswith("[") and key.endswith("]"):
        return tuple(name.strip() for name in key[1:-1].split(","))
    return (key,)


def _bad_names(names: tuple[str, ...], taken: set[str]) -> str | None:
    for index, name in enumerate(names):
        if not name.strip():
            return "has an axis without a name"
        if name in _NOT_SWEPT:
            return _NOT_SWEPT[name]
        if name in taken or name in names[:index]:
            return f"{name} is swept twice"
    return None
