"""Turns the `sweep` field into a sweep: axes, and the points that `exclude` and `include` change.

In: nodes. Out: a `Sweep`, and findings. An axis is a list of values, a range (`1000-1003`, `0-100:10`), `{from, count,
step}` or `{random, from}`. A key can be a list of names (`[seed, duration]: [[7, 5], [8, 10]]`), whose inputs move in
lockstep. It does not know what an axis means.
"""

from __future__ import annotations

from collections.abc import Collection
from math import prod
from unicodedata import normalize

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.fields import POINT_KEYS, RANDOM_KEYS, RANGE_KEYS, check_keys, joined, text_of
from runner.manifest.problems import Findings, shown
from runner.manifest.ranges import counted_values, drawn_seeds, range_values, whole_number
from runner.manifest.sweep_points import REPEAT, Axis, Entry, Sweep
from runner.manifest.templates import has_template

_EXCLUDE, _INCLUDE = POINT_KEYS
_NOT_SWEPT = {
    "id": "an id cannot be swept: every take has its shot's",
    REPEAT: "is not an axis; write repeat: 3 beside the sweep (an input called repeat cannot be swept)",
    _EXCLUDE: "is a word of the sweep itself; an input called exclude cannot be swept",
    _INCLUDE: "is a word of the sweep itself; an input called include cannot be swept",
}


class SweepReader:
    """Reads `sweep` fields; `limit` is the most steps of an axis and the most points of a sweep.

    `depth` is the most parts that a dotted name may have.
    """

    def __init__(self, findings: Findings, *, limit: int, depth: int = 64) -> None:
        self._findings = findings
        self._limit = limit
        self._depth = depth

    def read(self, sweep: Fields, subject: str) -> Sweep:
        """Return what could be read of a sweep, and report the rest."""
        axes: list[Axis] = []
        places: dict[str, Position] = {}
        whole = True
        for key, node in sweep.items.items():
            if key in (_EXCLUDE, _INCLUDE):
                continue
            axis = self._axis(_names(key), node, joined(subject, f"sweep.{key}"), sweep.key_at(key), places)
            places.update((name, sweep.key_at(key)) for name in _names(key))
            whole = whole and axis is not None
            if axis is not None:
                axes.append(axis)
            # The rest is not built, because the expansion refuses this many points anyway.
            if prod(map(len, axes)) > self._limit:
                return Sweep(tuple(axes), keys_at=places)
        excluded = self._entries(sweep, _EXCLUDE, places, subject)
        included = self._entries(sweep, _INCLUDE, places, subject)
        # An entry cannot be checked against an axis that could not be read.
        return Sweep(tuple(axes), excluded, included, places) if whole else Sweep(tuple(axes), keys_at=places)

    def _axis(
        self, names: tuple[str, ...], node: Node, where: str, at: Position, taken: Collection[str]
    ) -> Axis | None:
        problem = _bad_names(names, taken)
        if any(name.count(".") >= self._depth for name in names):
            problem = f"has more than {self._depth} parts"
        if problem:
            self._findings.error(at, where, problem)
            return None
        if isinstance(node, Fields) and "random" in node.items and len(names) == 1:
            return self._drawn(names, node, where, at)
        steps = self._steps(names, node, where)
        self._check_distinct(steps, where)
        return Axis(names, steps, at) if steps else None

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
        # Only a single value can be a range; in a list, "9-5" may be the text of a prompt.
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
        start, step = self._whole(fields, "from", where), self._whole(fields, "step", where)
        count = self._count(fields, "count", where)
        for key in ("from", "count"):
            if key not in fields.items:
                self._findings.error(fields.at, where, f"needs {key}, as in {{from: 1000, count: 4}}")
        if start is None or count is None or ("step" in fields.items and not step):
            return None
        return counted_values(start, count=count, step=step or 1, at=fields.at)

    def _drawn(self, names: tuple[str, ...], fields: Fields, where: str, at: Position) -> Axis | None:
        check_keys(fields, RANDOM_KEYS, self._findings, where)
        count = self._count(fields, "random", where)
        source = text_of(fields, "from", self._findings, where)
        if source is not None and has_template(source.text):
            self._findings.error(source.at, where, "from is a plain name; templates are not filled in here")
        if count is None or ("from" in fields.items and source is None):
            return None
        if source is None:
            return Axis(names, (), at, drawn=count)
        return Axis(names, tuple((seed,) for seed in drawn_seeds(source.text, count, at=source.at)), at)

    def _count(self, fields: Fields, key: str, where: str) -> int | None:
        number = self._whole(fields, key, where)
        # A count is checked before anything is built from it, because it is the cheapest way to ask for too much.
        if number is not None and not 1 <= number <= self._limit:
            message = f"{key} must be from 1 to {self._limit:,}, not {number}"
            self._findings.error(fields.at, where, message)
            return None
        return number

    def _whole(self, fields: Fields, key: str, where: str) -> int | None:
        text = text_of(fields, key, self._findings, where)
        if text is None:
            return None
        number = whole_number(text.text)
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
            # Unicode can write one accent in two ways; readers see the same text, but it would be two paid takes.
            texts = tuple(normalize("NFC", value.text) for value in step)
            if texts in seen:
                what = ", ".join(map(shown, texts))
                self._findings.error(
                    step[0].at, where, f"{what} is given twice: the same take would be paid twice"
                )
            seen.add(texts)

    def _entries(self, sweep: Fields, key: str, axes: Collection[str], subject: str) -> tuple[Entry, ...]:
        where, node = joined(subject, f"sweep.{key}"), sweep.items.get(key)
        if node is None:
            return ()
        items = list(node) if isinstance(node, Items) else [node]
        if not items or not all(isinstance(item, Fields) and item.items for item in items):
            self._findings.error(
                node.at, where, f"must be a list of mappings of axes to values: {_NOT_SWEPT[key]}"
            )
        elif not axes:
            message = "needs axes beside it; for single points write [seed, duration]: [[7, 5], [8, 10]]"
            self._findings.error(sweep.key_at(key), where, message)
        else:
            fields = (item for item in items if isinstance(item, Fields))
            entries = (self._entry(item, axes, where, complete=key == _INCLUDE) for item in fields)
            return tuple(entry for entry in entries if entry is not None)
        return ()

    def _entry(self, item: Fields, axes: Collection[str], where: str, *, complete: bool) -> Entry | None:
        values: dict[str, Text] = {}
        for name in item.items:
            value = text_of(item, name, self._findings, where)
            if name not in axes:
                nearest = self._findings.nearest(name, axes)
                message = f"{shown(name)} is not an axis of this sweep"
                self._findings.error(item.key_at(name), where, message, nearest=nearest)
            elif value is not None:
                values[name] = value
        missing = ", ".join(name for name in axes if complete and name not in item.items)
        if missing:
            self._findings.error(item.at, where, f"needs a value for every axis; there is none for {missing}")
        return None if missing or len(values) < len(item.items) else Entry(values, item.at)


def _names(key: str) -> tuple[str, ...]:
    if key.startswith("[") and key.endswith("]"):
        return tuple(name.strip() for name in key[1:-1].split(","))
    return (key,)


def _bad_names(names: tuple[str, ...], taken: Collection[str]) -> str | None:
    for index, name in enumerate(names):
        if not name.strip():
            return "has an axis without a name"
        if name in _NOT_SWEPT:
            return _NOT_SWEPT[name]
        if name in taken or name in names[:index]:
            return f"{name} is swept twice"
    return None
