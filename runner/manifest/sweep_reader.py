"""Turns the `sweep` field into a sweep: axes, and the points that `exclude` and `include` change.

An axis is a list of values, a range (`1000-1003`, `0-100:10`), `{from, count, step}` or `{random, from}`. A key can be
a list of names (`[seed, duration]: [[7, 5], [8, 10]]`), whose inputs move in lockstep.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from unicodedata import normalize

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Text
from runner.manifest.fields import POINT_KEYS, RANDOM_KEYS, RANGE_KEYS, Section, whole_number
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import Limits
from runner.manifest.sweep_points import REPEAT, Axis, Entry, Sweep, axis_names, drawn_seeds, range_values
from runner.manifest.templates import has_template

_EXCLUDE, _INCLUDE = POINT_KEYS
# Three digits at the beginning are more often a short seed than a thousand: [100,200].
_GROUPED = r"[1-9]\d?(?:,\d{3})+"
_NOT_SWEPT = {
    "id": "an id cannot be swept: every take has its shot's",
    REPEAT: "is not an axis; write repeat: 3 beside the sweep (an input called repeat cannot be swept)",
    _EXCLUDE: "is a word of the sweep itself; an input called exclude cannot be swept",
    _INCLUDE: "is a word of the sweep itself; an input called include cannot be swept",
}


def read_sweep(sweep: Fields, row: Section, limits: Limits) -> Sweep:
    """Return what could be read of the sweep of a row, or of the defaults, and report the rest."""
    axes: list[Axis] = []
    places: dict[str, Position] = {}
    whole = True
    for key, node in sweep.items.items():
        if key in POINT_KEYS:
            continue
        names, at = axis_names(key), sweep.key_at(key)
        reader = _AxisReader(row.findings, row.where(f"sweep.{key}"), names, limits.points)
        problem = _bad_names(names, places, limits.depth)
        if problem:
            row.findings.error(at, reader.where, problem)
        axis = None if problem else reader.axis(node, at)
        places.update(dict.fromkeys(names, at))
        axes += [axis] if axis else []
        whole = whole and axis is not None
        # The rest is not built, because the expansion refuses this many points anyway.
        if prod(map(len, axes)) > limits.points:
            return Sweep(tuple(axes), keys_at=places)
    excluded, included = (_entries(sweep, row, key, places) for key in POINT_KEYS)
    # An entry cannot be checked against an axis that could not be read.
    return Sweep(tuple(axes), excluded, included, places) if whole else Sweep(tuple(axes), keys_at=places)


def _follows(value: Text, before: Text, *, gap: int) -> bool:
    """Return whether a value without quotes begins `gap` columns behind another one."""
    return value.at == before.at._replace(column=(before.at.column or 0) + len(before.text) + gap)


def _bad_names(names: tuple[str, ...], taken: Collection[str], depth: int) -> str | None:
    if any(name.count(".") >= depth for name in names):
        return f"has more than {depth} parts"
    for index, name in enumerate(names):
        if not name.strip():
            return "has an axis without a name"
        if name in _NOT_SWEPT:
            return _NOT_SWEPT[name]
        if name in taken or name in names[:index]:
            return f"{name} is swept twice"
    return None


@dataclass(frozen=True, slots=True)
class _AxisReader:
    """Reads one axis; `where` is its name in problems, and `limit` the most steps that it may have."""

    findings: Findings
    where: str
    names: tuple[str, ...]
    limit: int

    def axis(self, node: Node, at: Position) -> Axis | None:
        """Return the axis, or None after a finding."""
        if isinstance(node, Fields) and "random" in node.items and len(self.names) == 1:
            return self._drawn(Section(node, self.findings, self.where), at)
        steps = self._lockstep(node) if len(self.names) > 1 else [[value] for value in self._values(node)]
        once: dict[tuple[str, ...], Sequence[Text]] = {}
        if isinstance(node, Items) and steps and len(self.names) == 1:
            self._doubt_commas([value for (value,) in steps])
        for step in steps:
            # Unicode can write one accent in two ways; readers see the same text, but it would be two paid takes.
            texts = tuple(normalize("NFC", value.text) for value in step)
            if once.setdefault(texts, step) is not step:
                what = ", ".join(map(shown, texts))
                self._error(step[0], f"{what} is given twice: the same take would be paid for twice")
        return self._stepped(once.values(), at) if steps else None

    def _stepped(self, steps: Iterable[Sequence[Text]], at: Position) -> Axis:
        entries = (Entry(dict(zip(self.names, step, strict=True)), step[0].at) for step in steps)
        return Axis(self.names, tuple(entries), at)

    def _doubt_commas(self, values: Sequence[Text]) -> None:
        """Warn of a comma inside brackets that was hardly meant to begin a value: in a number, or in a sentence."""
        first, number = values[0], ",".join(value.text for value in values)
        if re.fullmatch(_GROUPED, number) and _follows(values[1], first, gap=1):
            message = f"[{number}] is {len(values)} values; for one number write {number.replace(',', '')}"
            self.findings.warn(first.at, self.where, message)
        is_sentence = " " in first.text and first.text[0].isupper()
        for before, value in pairwise(values if is_sentence else ()):
            if value.text[:1].islower() and _follows(value, before, gap=2):
                wanted = shown(f"{before.text}, {value.text}")
                message = f"{shown(value.text)} is a value of its own; if the comma is meant, write {wanted}"
                self.findings.warn(value.at, self.where, message)

    def _values(self, node: Node) -> list[Text]:
        """Return the values of an axis, or none after a finding."""
        if isinstance(node, Fields):
            return self._counted(Section(node, self.findings, self.where))
        if isinstance(node, Text) and not node.is_null:
            # Only a single value can be a range; in a list, "9-5" may be the text of a prompt.
            found = range_values(node.text, node.at, limit=self.limit)
            if isinstance(found, str):
                self._error(node, found)
                return []
            return [node] if found is None else found
        if isinstance(node, Text) or not node.items:
            self._error(node, "has no values")
            return []
        return self._scalars(node)

    def _scalars(self, items: Items) -> list[Text]:
        values = [item for item in items if isinstance(item, Text) and not item.is_null]
        for item in items:
            if not isinstance(item, Text):
                self._error(item, "a swept value must be one value, not a list or mapping")
            elif item.is_null:
                self._error(item, "a swept value is missing")
        return values if len(values) == len(items.items) else []

    def _lockstep(self, node: Node) -> list[list[Text]]:
        names = ", ".join(self.names)
        wanted = f"must be a list of lists of {len(self.names)} values, one for each of {names}"
        if not isinstance(node, Items) or not node.items:
            self._error(node, wanted)
            return []
        steps: list[list[Text]] = []
        for item in node:
            if not isinstance(item, Items) or len(item.items) != len(self.names):
                self._error(item, wanted)
            elif values := self._scalars(item):
                steps.append(values)
        return steps

    def _counted(self, given: Section) -> list[Text]:
        given.check_keys(RANGE_KEYS)
        start, step = self._whole(given, "from"), self._whole(given, "step")
        count = self._count(given, "count")
        for key in ("from", "count"):
            if key not in given:
                self._error(given.fields, f"needs {key}, as in {{from: 1000, count: 4}}")
        if start is None or count is None or ("step" in given and not step):
            return []
        return [Text(str(start + number * (step or 1)), given.fields.at) for number in range(count)]

    def _drawn(self, given: Section, at: Position) -> Axis | None:
        given.check_keys(RANDOM_KEYS)
        count, source = self._count(given, "random"), given.text("from")
        if source is not None and has_template(source.text):
            self._error(source, "from is a plain name; templates are not filled in here")
        if count is None or ("from" in given and source is None):
            return None
        if source is None:
            return Axis(self.names, (), at, drawn=count)
        return self._stepped(([seed] for seed in drawn_seeds(source.text, count, at=source.at)), at)

    def _count(self, given: Section, key: str) -> int | None:
        number = self._whole(given, key)
        # A count is checked before anything is built from it, because it is the cheapest way to ask for too much.
        if number is not None and not 1 <= number <= self.limit:
            self._error(given.fields, f"{key} must be from 1 to {self.limit:,}, not {number}")
            return None
        return number

    def _whole(self, given: Section, key: str) -> int | None:
        text = given.text(key)
        number = whole_number(text.text) if text else None
        if text and (number is None or (key == "step" and number == 0)):
            wanted = "a whole number other than 0" if key == "step" else "a whole number"
            self._error(text, f"{key} must be {wanted}, not {shown(text.text)}")
        return number

    def _error(self, node: Node, message: str) -> None:
        self.findings.error(node.at, self.where, message)


def _entries(sweep: Fields, row: Section, key: str, axes: Collection[str]) -> tuple[Entry, ...]:
    node, where = sweep.items.get(key), f"sweep.{key}"
    if node is None:
        return ()
    items = node.items if isinstance(node, Items) else (node,)
    fields = [item for item in items if isinstance(item, Fields) and item.items]
    if not items or len(fields) < len(items):
        row.error(node.at, where, f"must be a list of mappings of axes to values: {_NOT_SWEPT[key]}")
    elif not axes:
        message = "needs axes beside it; for single points write [seed, duration]: [[7, 5], [8, 10]]"
        row.error(sweep.key_at(key), where, message)
    else:
        found = (_entry(Section(item, row.findings, row.where(where)), axes, key) for item in fields)
        return tuple(entry for entry in found if entry is not None)
    return ()


def _entry(entry: Section, axes: Collection[str], key: str) -> Entry | None:
    values: dict[str, Text] = {}
    for name in entry.fields.items:
        value = entry.text(name)
        if name not in axes:
            nearest, at = entry.findings.nearest(name, axes), entry.fields.key_at(name)
            message = f"{shown(name)} is not an axis of this sweep"
            entry.findings.error(at, entry.subject, message, nearest=nearest)
        elif value is not None:
            values[name] = value
    missing = ", ".join(name for name in axes if key == _INCLUDE and name not in entry)
    if missing:
        message = f"needs a value for every axis; there is none for {missing}"
        entry.findings.error(entry.fields.at, entry.subject, message)
    return None if missing or len(values) < len(entry.fields.items) else Entry(values, entry.fields.at)
