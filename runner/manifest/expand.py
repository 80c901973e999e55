"""Turns rows into shots: defaults are applied, sweeps become variants, templates are filled in.

In: a `Source`. Out: shots, whose inputs are still text, and findings. YAML and CSV take the same steps.
A shot's own input replaces the whole default of that name; the tags of the defaults are added to its own; its own
`sweep` and `repeat` replace the default ones. It does not know what a model accepts.
"""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.domain.errors import Position
from runner.domain.shots import Fields, Items, Node, Row, Shot, Text, Variant
from runner.manifest.document import Source
from runner.manifest.fields import fields_of, flag_of, joined, row_name, text_of
from runner.manifest.id_registry import IdRegistry
from runner.manifest.prices import price_of
from runner.manifest.problems import Findings, shown
from runner.manifest.ranges import whole_number
from runner.manifest.size_limits import Limits, SizeBudget
from runner.manifest.sweep_points import MODEL, REPEAT, Point, Sweep, points_of
from runner.manifest.templates import Templates, has_template
from runner.manifest.yaml_sweeps import SweepReader
from runner.system.canonical_json import JsonValue

_TAG = re.compile(r"[\w.+-]{1,80}")
_Names: TypeAlias = ChainMap[str, Text]
_TWICE = "is given and swept at once; keep one (sweep: {} switches the defaults' sweep off)"
_TAG_SEPARATOR = re.compile(r"[;,\s]+")


def expand(source: Source, findings: Findings, limits: Limits) -> tuple[Shot, ...]:
    """Return the shots of all rows that could be read, in the order of the file.

    Raises:
        Stop: the manifest asks for more than its limits allow; the problem has been reported.
    """
    expansion = _Expansion(source, findings, limits)
    shots = (expansion.shot(row, number) for number, row in enumerate(source.rows, 1))
    return tuple(shot for shot in shots if shot is not None)


@dataclass(frozen=True, slots=True)
class _Input:
    """An input as written; it is measured only once, because every shot uses each default."""

    node: Node
    at: Position
    weight: int
    characters: int
    templated: bool


class _Expansion:
    """What all rows of one manifest share."""

    def __init__(self, source: Source, findings: Findings, limits: Limits) -> None:
        self._findings = findings
        self._limits = limits
        self._budget = SizeBudget(limits, findings)
        self._templates = Templates(findings, self._budget)
        self._sweeps = SweepReader(findings, limit=limits.points, depth=limits.depth)
        self._variables = source.variables
        self._ids = IdRegistry(findings)
        defaults = source.defaults or Fields({}, findings.at())
        self._model = text_of(defaults, "model", findings, "defaults")
        self._inputs = self._read_inputs(defaults, "defaults")
        self._tags = self._read_tags(defaults, "defaults")
        sweep = fields_of(defaults, "sweep", findings, "defaults")
        self._sweep = self._sweeps.read(sweep, "defaults") if sweep else Sweep()
        self._repeat = self._read_repeat(defaults, "defaults") or 1

    def shot(self, row: Row, number: int) -> Shot | None:
        """Return the row's shot, or None if it has no model to check it by; it is faulty if its id cannot be used."""
        subject = row_name(row, number)
        identity = text_of(row.fields, "id", self._findings, subject)
        take = text_of(row.fields, "take", self._findings, subject)
        if "id" not in row.fields.items:
            self._findings.error(row.at, subject, "has no id")
        named = identity is not None and self._ids.admit(identity, take, subject)
        sweep = self._own_sweep(row, subject)
        notes = text_of(row.fields, "notes", self._findings, subject)
        tags = tuple(dict.fromkeys(self._tags + self._read_tags(row.fields, subject)))
        # The mappings are chained and not copied: there may be a thousand variables and ten thousand rows.
        style = text_of(row.fields, "style", self._findings, subject)
        own = {name: text for name, text in (("id", identity), ("style", style)) if text is not None}
        known = ChainMap(own, self._variables)
        variants = self._variants(row, sweep, known, subject)
        chained = flag_of(row.fields, "chain", self._findings, subject)
        model = self._own_model(row, sweep, subject) or next((v.model for v in variants if v.model), None)
        if model is None:
            return None
        return Shot(
            # What cannot be an id is never planned, only reported, so this text must be safe to show.
            identity.text if identity and named else subject.removeprefix("shot "),
            model.text,
            model.at,
            variants,
            row.at,
            tags=tags,
            # Blanks alone are not a note, because a cell cannot hold them; a report returns all other notes.
            notes=notes.text if notes and notes.text.strip() else "",
            cells=row.cells,
            take_id=take.text if take else None,
            faulty=not named,
            price=price_of(row.fields, self._findings, subject),
            point=self._read_point(row.fields, subject) if take else None,
            # One concrete take already has its frames, and may stand behind any other.
            continues=row.fields.items["chain"].at if chained and not take else None,
        )

    def _read_point(self, fields: Fields, subject: str) -> Mapping[str, JsonValue] | None:
        """Return the swept values of a row that is one take; a report writes them as JSON."""
        text = text_of(fields, "point", self._findings, subject)
        if text is None:
            return None
        try:
            point = json.loads(text.text, object_pairs_hook=_each_once)
            # JSON has no number past the largest float, and no file holds half a surrogate pair.
            json.dumps(point, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            point = None
        if not isinstance(point, dict):
            message = 'must be the swept values as a JSON object, as in {"seed": 7}'
            self._findings.error(text.at, joined(subject, "point"), message)
            return None
        return point

    def _own_model(self, row: Row, sweep: Sweep, subject: str) -> Text | None:
        own = text_of(row.fields, "model", self._findings, subject)
        if own is not None and MODEL in sweep.keys_at:
            message = f"{_TWICE}; an input called model cannot be swept"
            self._findings.error(own.at, joined(subject, "model"), message)
        elif self._model is None and "model" not in row.fields.items and MODEL not in sweep.keys_at:
            self._findings.error(row.at, subject, "has no model, and defaults give none")
        return own or self._model

    def _variants(self, row: Row, sweep: Sweep, known: _Names, subject: str) -> tuple[Variant, ...]:
        own = self._read_inputs(row.fields, subject)
        self._check_given_once(own, sweep, subject)
        inputs = {**self._inputs, **own} if own else self._inputs
        repeat = self._read_repeat(row.fields, subject) or self._repeat
        # This is counted before it is built: the product of three short axes can be more than memory holds.
        weight = sum(given.weight for given in inputs.values()) + len(sweep.keys_at) + len(sweep.patterns) + 1
        length = sum(given.characters for given in inputs.values()) + _longest(sweep)
        self._budget.spend_takes(
            len(sweep) * repeat, values=weight, characters=length, at=row.at, subject=subject
        )
        # All points share one mapping, because a sweep of thousands must not copy it thousands of times.
        keys_at = {name: given.at for name, given in inputs.items()}
        keys_at.update((name, at) for name, at in sweep.keys_at.items() if self._is_input(name))
        return tuple(
            Variant(_numbered(point, number, row.at), filled, keys_at, point.get(MODEL))
            for point in self._points(sweep, known, subject)
            for filled in [self._filled(inputs, point, known, subject)]
            for number in range(1, repeat + 1)
        )

    def _read_inputs(self, fields: Fields, subject: str) -> dict[str, _Input]:
        inputs = fields_of(fields, "inputs", self._findings, subject)
        weighed: dict[str, _Input] = {}
        for name, node in inputs.items.items() if inputs else ():
            assert inputs is not None
            if name.count(".") >= self._limits.depth:
                message = f"has more than {self._limits.depth} parts"
                self._findings.error(inputs.key_at(name), joined(subject, f"inputs.{name}"), message)
            else:
                weighed[name] = _Input(node, inputs.key_at(name), *_weigh(node))
        return weighed

    def _own_sweep(self, row: Row, subject: str) -> Sweep:
        fields = fields_of(row.fields, "sweep", self._findings, subject)
        sweep = self._sweep if fields is None else self._sweeps.read(fields, subject)
        if MODEL in sweep.keys_at and MODEL in self._variables:
            message = "sweeps the model itself, and there is a variable of that name; rename the variable"
            self._findings.error(sweep.keys_at[MODEL], joined(subject, "sweep.model"), message)
        return sweep

    def _check_given_once(self, own: Mapping[str, _Input], sweep: Sweep, subject: str) -> None:
        # It is not known which of the two was meant, and the user would pay for a wrong guess.
        for axis in filter(self._is_input, sweep.keys_at):
            head, *path = [axis] if axis in own else axis.split(".")
            if head in own and holds(own[head].node, path):
                self._findings.error(own[head].node.at, joined(subject, f"inputs.{axis}"), _TWICE)

    def _is_input(self, axis: str) -> bool:
        return axis != MODEL and axis not in self._variables

    def _points(self, sweep: Sweep, known: _Names, subject: str) -> tuple[Point, ...]:
        """Return the points with templates filled in; a swept value must not use another swept value."""
        if any(has_template(text.text) for text in sweep.texts()):
            # The value of one axis inside another would make a point depend on the order of the axes.
            fixed = {name: value for name, value in known.items() if name not in sweep.keys_at}
            render = self._templates.render_text
            sweep = sweep.rendered(lambda text, axis: render(text, fixed, joined(subject, f"sweep.{axis}")))
        identity = known.get("id")
        made = points_of(sweep.for_shot(identity.text if identity else subject))
        for entry in made.idle:
            self._findings.warn(
                entry.at, joined(subject, "sweep.exclude"), "removes no point from this sweep"
            )
        for entry in made.repeated:
            self._findings.error(
                entry.at, joined(subject, "sweep.include"), "is a point of this sweep already"
            )
        if not made.points:
            self._findings.error(
                sweep.excluded[0].at, joined(subject, "sweep.exclude"), "leaves nothing to render"
            )
        return made.points

    def _read_repeat(self, fields: Fields, subject: str) -> int | None:
        text = text_of(fields, REPEAT, self._findings, subject)
        if text is None:
            return None
        number = whole_number(text.text)
        if number is None or not 1 <= number <= self._limits.points:
            message = f"must be a whole number from 1 to {self._limits.points:,}, not {shown(text.text)}"
            self._findings.error(text.at, joined(subject, REPEAT), message)
            return None
        return number

    def _filled(
        self, inputs: Mapping[str, _Input], point: dict[str, Text], known: _Names, subject: str
    ) -> dict[str, Node]:
        filled = {name: given.node for name, given in inputs.items()}
        names = known.new_child(point) if point else known
        for name, given in inputs.items():
            if given.templated and (name not in point or name in self._variables):
                filled[name] = self._templates.render(given.node, names, joined(subject, f"inputs.{name}"))
        for name in filter(self._is_input, point):
            head, *path = name.split(".")
            # This sets a part of a nested input, if one is given; if not, the model folds the dotted name itself.
            whole = with_value_at(filled[head], path, point[name]) if path and head in filled else None
            filled[head if whole else name] = whole or point[name]
        return filled

    def _read_tags(self, fields: Fields, subject: str) -> tuple[str, ...]:
        node = fields.items.get("tags")
        where = joined(subject, "tags")
        if node is None:
            return ()
        if isinstance(node, Fields) or (isinstance(node, Text) and node.is_null):
            self._findings.error(node.at, where, "must be a list of words")
            return ()
        tags = _split_tags(node) if isinstance(node, Text) else self._listed_tags(node, where)
        for tag in tags:
            if not _TAG.fullmatch(tag):
                message = f"{shown(tag)} is not a tag: one word of letters, digits, '.', '_', '+' and '-'"
                self._findings.error(node.at, where, message)
        if len(tags) > self._limits.tags:
            self._findings.error(node.at, where, f"more than {self._limits.tags} tags")
            return ()
        return tuple(tags)

    def _listed_tags(self, items: Items, where: str) -> list[str]:
        for item in items:
            if not isinstance(item, Text) or item.is_null:
                self._findings.error(item.at, where, "a tag must be one word")
        return [item.text for item in items if isinstance(item, Text) and not item.is_null]


def _numbered(point: Point, number: int, at: Position) -> Point:
    # The first keeps the point as it is, because adding repeats later must not change the id of an existing take.
    return point if number == 1 else {**point, REPEAT: Text(str(number), at)}


def _each_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name is given twice")
    return dict(pairs)


def _weigh(node: Node) -> tuple[int, int, bool]:
    """Return how many values and characters a node holds, and whether any value is a template."""
    if isinstance(node, Text):
        return 1, len(node.text), has_template(node.text)
    inner: Iterable[Node] = node.items if isinstance(node, Items) else node.items.values()
    weight, characters, templated = 1, 0, False
    for child in inner:
        more, longer, has = _weigh(child)
        weight, characters, templated = weight + more, characters + longer, templated or has
    return weight, characters, templated


def _longest(sweep: Sweep) -> int:
    """Return how many characters the values of one point may have at most."""
    return sum(
        max((sum(len(text.text) for text in step) for step in axis.steps), default=0) for axis in sweep.axes
    )


def _split_tags(cell: Text) -> list[str]:
    return [tag for tag in _TAG_SEPARATOR.split(cell.text) if tag]


def holds(node: Node, path: Sequence[str]) -> bool:
    """Return whether something is written at `path` inside `node`."""
    inner: Node | None = node
    for name in path:
        inner = _part(inner, name) if inner is not None else None
    return inner is not None


def with_value_at(node: Node, path: Sequence[str], value: Text) -> Node | None:
    """Return `node` with only the value at `path` replaced, or None if a scalar stands where a part is named."""
    if not path:
        return value
    name, *rest = path
    if isinstance(node, Text):
        return None
    inner = with_value_at(_part(node, name) or Fields({}, value.at), rest, value)
    if inner is None:
        return None
    if isinstance(node, Fields):
        return Fields({**node.items, name: inner}, node.at, {**node.keys_at, name: value.at})
    # The places of a list count from 0, and a sweep does not add places.
    if not holds(node, [name]):
        return None
    return Items(tuple(inner if n == int(name) else item for n, item in enumerate(node)), node.at)


def _part(node: Node, name: str) -> Node | None:
    if isinstance(node, Fields):
        return node.items.get(name)
    if isinstance(node, Items) and name.isascii() and name.isdecimal() and int(name[:9]) < len(node.items):
        return node.items[int(name[:9])]
    return None
