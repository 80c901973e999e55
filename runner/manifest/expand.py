"""Rows become shots: defaults are laid beneath them, sweeps become variants, templates are filled in.

In: a `Source`. Out: shots, whose inputs are still text, and findings. The same steps serve YAML and CSV.
A shot's own input replaces the default of that name whole; tags of the defaults are added to its own; its own
`sweep` replaces the default one. It does not know what a model accepts.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from runner.errors import Position
from runner.manifest.findings import Findings, shown
from runner.manifest.ids import why_no_id, why_no_take
from runner.manifest.limits import Budget, Limits
from runner.manifest.shape import fields_of, joined, text_of
from runner.manifest.source import Source
from runner.manifest.sweeps import Axis, SweepReader, count_points, points
from runner.manifest.templates import Templates, has_template
from runner.shots import Fields, Items, Node, Row, Shot, Text, Variant

_TAG = re.compile(r"[\w.+-]{1,80}")
_Names: TypeAlias = ChainMap[str, Text]
_TAG_SEPARATOR = re.compile(r"[;,\s]+")


def expand(source: Source, findings: Findings, limits: Limits) -> tuple[Shot, ...]:
    """Return the shots of all rows that could be read, in the order of the file.

    Raises:
        Stop: the manifest asks for more than its limits allow; the problem has been told.
    """
    expansion = _Expansion(source, findings, limits)
    shots = (expansion.shot(row, number) for number, row in enumerate(source.rows, 1))
    return tuple(shot for shot in shots if shot is not None)


@dataclass(frozen=True, slots=True)
class _Input:
    """An input as written, weighed once: a default is met by every shot."""

    node: Node
    at: Position
    weight: int
    templated: bool


class _Expansion:
    """What all rows of one manifest share."""

    def __init__(self, source: Source, findings: Findings, limits: Limits) -> None:
        self._findings = findings
        self._limits = limits
        self._budget = Budget(limits, findings)
        self._templates = Templates(findings, self._budget)
        self._sweeps = SweepReader(findings, limit=limits.takes)
        self._variables = source.variables
        self._ids = _Ids(findings)
        defaults = source.defaults or Fields({}, findings.at())
        self._model = text_of(defaults, "model", findings, "defaults")
        self._inputs = _weighed(fields_of(defaults, "inputs", findings, "defaults"))
        self._tags = self._read_tags(defaults, "defaults")
        sweep = fields_of(defaults, "sweep", findings, "defaults")
        self._axes = self._sweeps.axes(sweep, "defaults") if sweep else ()

    def shot(self, row: Row, number: int) -> Shot | None:
        """Return the row's shot, faulty if its id cannot be used, or None if it has no model to check it by."""
        subject = _row_name(row, number)
        identity = text_of(row.fields, "id", self._findings, subject)
        take = text_of(row.fields, "take", self._findings, subject)
        if "id" not in row.fields.items:
            self._findings.error(row.at, subject, "has no id")
        named = identity is not None and self._ids.admit(identity, take, subject)
        model = text_of(row.fields, "model", self._findings, subject) or self._model
        if model is None and "model" not in row.fields.items:
            self._findings.error(row.at, subject, "has no model, and defaults give none")
        notes = text_of(row.fields, "notes", self._findings, subject)
        tags = tuple(dict.fromkeys(self._tags + self._read_tags(row.fields, subject)))
        # Chained and not copied: there may be a thousand variables and ten thousand rows.
        known = ChainMap({"id": identity} if identity else {}, self._variables)
        variants = self._variants(row, known, subject)
        if model is None:
            return None
        return Shot(
            identity.text if identity else subject,
            model.text,
            model.at,
            variants,
            row.at,
            tags=tags,
            notes=notes.text if notes else "",
            cells=row.cells,
            take_id=take.text if take else None,
            faulty=not named,
        )

    def _variants(self, row: Row, known: _Names, subject: str) -> tuple[Variant, ...]:
        own = _weighed(fields_of(row.fields, "inputs", self._findings, subject))
        inputs = {**self._inputs, **own} if own else self._inputs
        axes = self._own_axes(row, own, known, subject)
        # Spent before it is built: the product of three short axes can be more than memory holds.
        weight = sum(given.weight for given in inputs.values()) + len(axes) + 1
        self._budget.spend_takes(count_points(axes), values=weight, at=row.at, subject=subject)
        # One mapping serves every point: a sweep of thousands must not copy it thousands of times.
        keys_at = {name: given.at for name, given in inputs.items()}
        keys_at.update((name, axis.at) for axis in axes for name in axis.names if name not in self._variables)
        return tuple(
            Variant(point, self._filled(inputs, point, known, subject), keys_at) for point in points(axes)
        )

    def _own_axes(self, row: Row, own: Mapping[str, _Input], known: _Names, subject: str) -> tuple[Axis, ...]:
        sweep = fields_of(row.fields, "sweep", self._findings, subject)
        axes = self._axes if sweep is None else self._sweeps.axes(sweep, subject)
        swept = {name for axis in axes for name in axis.names}
        # Which of the two was meant cannot be known, and either guess is paid for.
        for name in swept & own.keys() - self._variables.keys():
            message = "is given and swept at once; keep one (sweep: {} switches the defaults' sweep off)"
            self._findings.error(own[name].node.at, joined(subject, f"inputs.{name}"), message)
        return tuple(self._rendered(axis, known, swept, subject) for axis in axes)

    def _rendered(self, axis: Axis, known: _Names, swept: set[str], subject: str) -> Axis:
        """Fill in the templates of an axis; its values may not use what is itself swept."""
        if not any(has_template(value.text) for step in axis.steps for value in step):
            return axis
        # The value of one axis inside another would make a point depend on the order of the axes.
        fixed = {name: value for name, value in known.items() if name not in swept}
        render, where = self._templates.render_text, joined(subject, f"sweep.{axis.names[0]}")
        steps = (tuple(render(value, fixed, where) for value in step) for step in axis.steps)
        return Axis(axis.names, tuple(steps), axis.at)

    def _filled(
        self, inputs: Mapping[str, _Input], point: dict[str, Text], known: _Names, subject: str
    ) -> dict[str, Node]:
        filled = {name: given.node for name, given in inputs.items()}
        names = known.new_child(point) if point else known
        for name, given in inputs.items():
            if given.templated and (name not in point or name in self._variables):
                filled[name] = self._templates.render(given.node, names, joined(subject, f"inputs.{name}"))
        filled.update((name, value) for name, value in point.items() if name not in self._variables)
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
                message = f"{shown(tag)} is no tag: one word of letters, digits, '.', '_', '+' and '-'"
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


class _Ids:
    """The ids met so far; rows that are takes of one shot may share its id, all others may not."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._shots: dict[str, tuple[Text, bool]] = {}
        self._takes: dict[str, Text] = {}

    def admit(self, identity: Text, take: Text | None, subject: str) -> bool:
        """Return whether an id, and the take of a report's row, can be used; if not, it has been told."""
        reason = why_no_id(identity.text)
        if reason:
            self._findings.error(identity.at, joined(subject, "id"), f"{shown(identity.text)} {reason}")
            return False
        # Compared without case: on a system that folds it, two such shots would write the same clip.
        first = self._shots.setdefault(identity.text.casefold(), (identity, take is not None))
        if first[0] is not identity and not (take and first[1] and first[0].text == identity.text):
            self._duplicate(identity, first[0], joined(subject, "id"))
            return False
        return take is None or self._admit_take(take, identity.text, subject)

    def _admit_take(self, take: Text, shot: str, subject: str) -> bool:
        reason = why_no_take(take.text, shot=shot)
        if reason:
            self._findings.error(take.at, joined(subject, "take"), f"{shown(take.text)} {reason}")
            return False
        first = self._takes.setdefault(take.text.casefold(), take)
        if first is not take:
            self._duplicate(take, first, joined(subject, "take"))
        return first is take

    def _duplicate(self, text: Text, first: Text, subject: str) -> None:
        case = (
            ""
            if text.text == first.text
            else f", as {first.text}: they would share files where case is folded"
        )
        message = f"{shown(text.text)} is used twice (first at line {first.at.line}{case})"
        self._findings.error(text.at, subject, message)


def _row_name(row: Row, number: int) -> str:
    identity = row.fields.items.get("id")
    if isinstance(identity, Text) and not identity.is_null and identity.text:
        return f"shot {shown(identity.text)[1:-1]}"
    if row.at.cell:
        return f"row {row.at.cell.lstrip('ABCDEFGHIJKLMNOPQRSTUVWXYZ')}"
    return f"entry {number} of shots"


def _weighed(fields: Fields | None) -> dict[str, _Input]:
    if fields is None:
        return {}
    weighed: dict[str, _Input] = {}
    for name, node in fields.items.items():
        weight, templated = _weigh(node)
        weighed[name] = _Input(node, fields.key_at(name), weight, templated)
    return weighed


def _weigh(node: Node) -> tuple[int, bool]:
    """Return how many values a node holds, and whether any is a template."""
    if isinstance(node, Text):
        return 1, has_template(node.text)
    inner: Iterable[Node] = node.items if isinstance(node, Items) else node.items.values()
    weight, templated = 1, False
    for child in inner:
        more, has = _weigh(child)
        weight, templated = weight + more, templated or has
    return weight, templated


def _split_tags(cell: Text) -> list[str]:
    return [tag for tag in _TAG_SEPARATOR.split(cell.text) if tag]
