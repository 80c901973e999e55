"""Turns rows into shots: defaults are applied, sweeps become variants, templates are filled in.

A shot's own input, `sweep` or `repeat` replaces the whole default of that name. The tags of the defaults are added to
its own. It does not know what a model accepts.
"""

from __future__ import annotations

import json
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

from runner.domain.errors import Position
from runner.domain.ids import MANGLED, looks_mangled, why_no_id, why_no_take
from runner.domain.shots import Fields, Items, Node, Price, Row, Shot, Text, Variant
from runner.manifest.cell_faults import is_error_value
from runner.manifest.fields import Section, row_name, weigh, whole_number, words_of
from runner.manifest.prices import price_of, warn_of_unused
from runner.manifest.problems import Findings, bare, shown
from runner.manifest.size_limits import Limits, SizeBudget
from runner.manifest.sweep_points import MODEL, REPEAT, TAKES, Point, Sweep, points_of
from runner.manifest.sweep_reader import read_sweep
from runner.manifest.templates import Templates, has_template
from runner.system.canonical_json import JsonValue
from runner.system.nearest_name import folded

_TAG = re.compile(r"[\w.+-]{1,80}")
# A cell of a spreadsheet is split at commas and semicolons alone, so its tags may have blanks.
_CELL_TAG = re.compile(r"(?=.{1,80}\Z)[\w.+-]+(?: [\w.+#&/()-]+)*")
# As people write a number of takes: 3x, x3, 3 takes, or 3.0 of a spreadsheet.
_COUNTED = re.compile(r"[x×]?\s*([1-9]\d{0,3})(?:[.,]0+)?\s*(?:[x×]|times|takes?)?", re.ASCII | re.IGNORECASE)
_OTHER_TAG_ENDS = re.compile(r"[#|/，、；\s]+")
_Thing = TypeVar("_Thing")
_Names: TypeAlias = ChainMap[str, Text]
_TWICE = "is given and swept at once; keep one"
_SWITCH_OFF = f"{_TWICE} (sweep: {{}} switches the defaults' sweep off)"


@dataclass(frozen=True, slots=True)
class Source:
    """Rows in the order of the file and without references, with the variables and defaults that apply to them.

    The rows can be read once. `name` is None if the file gives none; `columns` are the user's CSV headers, empty for
    YAML; `prices_at` says where the manifest gives `prices`. The fields from `misplaced` on are the same as in a
    `Manifest`.
    """

    rows: Iterable[Row]
    name: str | None = None
    variables: dict[str, Text] = field(default_factory=dict)
    defaults: Fields | None = None
    columns: tuple[str, ...] = ()
    prices: dict[str, Price] = field(default_factory=dict)
    prices_at: Mapping[str, Position] = field(default_factory=dict)
    misplaced: Mapping[str, str] = field(default_factory=dict)
    headings: Mapping[str, Position] = field(default_factory=dict)
    header: Position | None = None
    meant_columns: Mapping[str, str] = field(default_factory=dict)


def each_once(things: list[_Thing]) -> Iterator[_Thing]:
    """Yield the things in their order and let go of each, so that they and what is made of them share memory."""
    things.reverse()
    while things:
        yield things.pop()


def expand(source: Source, findings: Findings, limits: Limits) -> Iterator[Shot]:
    """Yield the shots of all rows that could be read, in the order of the file.

    Raises:
        Stop: the manifest asks for more than its limits allow; the problem has been reported.
    """
    expansion = _Expansion(source, findings, limits)
    used: set[str] = set()
    for number, row in enumerate(source.rows, 1):
        shot = expansion.shot(row, number)
        if shot is not None:
            used |= {shot.model, *(variant.model.text for variant in shot.variants if variant.model)}
            yield shot
    warn_of_unused(source.prices_at, used, findings)


class _Expansion:
    """What all rows of one manifest share."""

    def __init__(self, source: Source, findings: Findings, limits: Limits) -> None:
        self._findings = findings
        self._limits = limits
        self._budget = SizeBudget(limits, findings)
        self._templates = Templates(findings, self._budget)
        self._variables = source.variables
        self._ids = _Ids()
        defaults = Section(source.defaults or Fields({}, findings.at()), findings, "defaults")
        self._model = defaults.text("model")
        self._inputs, self._inputs_at = self._read_inputs(defaults)
        # They are weighed only once, because every shot uses each default.
        self._weights = {name: weigh(node) for name, node in self._inputs.items()}
        self._tags = tuple(dict.fromkeys(self._read_tags(defaults)))
        self._sweep, self._repeat = Sweep(), 1
        self._sweep, self._repeat = self._read_sweep(defaults), self._read_count(defaults, REPEAT, 1)

    def shot(self, row: Row, number: int) -> Shot | None:
        """Return the row's shot, or None if it has no model to check it by; it is faulty if its id cannot be used."""
        section = Section(row.fields, self._findings, row_name(row, f"entry {number} of shots"))
        identity, take, notes = section.text("id"), section.text("take"), section.text("notes")
        if "id" not in section:
            at = row.at.below(row.fields.keys_at.get("id"))
            self._findings.error(at, section.subject, "has no id")
        named = identity is not None and self._ids.admit(section, identity, take)
        sweep = self._read_sweep(section)
        tags = self._tags
        if "tags" in section:
            tags = tuple(dict.fromkeys(tags + self._read_tags(section)))
        style = section.text("style")
        own = {name: text for name, text in (("id", identity), ("style", style)) if text is not None}
        takes = self._read_count(section, TAKES, 1) if TAKES in section else 1
        variants = self._variants(section, sweep, own, takes)
        chained = section.flag("chain")
        model = self._own_model(section, sweep) or next((v.model for v in variants if v.model), None)
        if model is None:
            return None
        return Shot(
            # What cannot be an id is never planned, only reported, so this text must be safe to show.
            identity.text if identity and named else section.subject.removeprefix("shot "),
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
            price=price_of(section),
            point=_read_point(section) if take else None,
            # One concrete take already has its frames, and may follow any other.
            continues=row.fields.items["chain"].at if chained and not take else None,
            takes=takes,
            reported=row.reported,
        )

    def _own_model(self, row: Section, sweep: Sweep) -> Text | None:
        own = row.text("model")
        if own is not None and MODEL in sweep.keys_at:
            row.error(own.at, "model", f"{_TWICE}; an input called model cannot be swept")
        elif self._model is None and "model" not in row and MODEL not in sweep.keys_at:
            at = row.fields.at.below(row.fields.keys_at.get("model"))
            otherwise = "write one in the column model" if at.cell else "and defaults give none"
            inputs = row.fields.items.get("inputs")
            if isinstance(inputs, Fields) and "model" in inputs.items and not at.cell:
                at, otherwise = inputs.key_at("model"), "since this one is under inputs:; write it beside id"
            row.findings.error(at, row.subject, f"has no model{';' if at.cell else ','} {otherwise}")
        return own or self._model

    def _variants(
        self, row: Section, sweep: Sweep, names: dict[str, Text], takes: int
    ) -> tuple[Variant, ...]:
        own, keys_at = self._read_inputs(row)
        # It is not known which of the two was meant, and the user would pay for a wrong guess.
        twice = _TWICE if "sweep" in row else _SWITCH_OFF
        for axis in filter(self._is_input, sweep.keys_at):
            head, *path = [axis] if axis in own else axis.split(".")
            if head in own and _part_at(own[head], path):
                row.error(own[head].at, f"inputs.{axis}", twice)
        inputs = own
        if self._inputs:
            inputs, keys_at = {**self._inputs, **own}, {**self._inputs_at, **keys_at}
        weights = {**self._weights, **{name: weigh(node) for name, node in own.items()}}
        repeat = self._read_count(row, REPEAT, self._repeat) if REPEAT in row else self._repeat
        # This is counted before it is built: the product of three short axes can be more than memory holds.
        values, characters = (0, 0) if sweep.is_empty else sweep.weight
        amounts, lengths, are_templated = zip(*weights.values(), strict=True) if weights else ((), (), ())
        values += 1 + sum(amounts)
        characters += sum(lengths)
        count, at = repeat if sweep.is_empty else len(sweep) * repeat, row.fields.at
        budgeted = count * takes
        self._budget.spend_takes(budgeted, values=values, characters=characters, at=at, subject=row.subject)
        templated = [name for name, weight in weights.items() if weight[2]] if any(are_templated) else []
        if count == 1 and not templated and sweep.is_empty:
            return (Variant({}, inputs, keys_at),)
        # All points share one mapping, because a sweep of thousands must not copy it thousands of times.
        swept_at = {name: at for name, at in sweep.keys_at.items() if self._is_input(name)}
        keys_at = {**keys_at, **swept_at} if swept_at else keys_at
        # The mappings are chained and not copied: there may be a thousand variables and ten thousand rows.
        known = ChainMap(names, self._variables)
        variants: list[Variant] = []
        for point in self._points(row, sweep, known):
            filled = self._filled(inputs, templated, point, known, row)
            # The first repeat keeps the point, because adding repeats later must not change the id of a take.
            counts = [{REPEAT: Text(str(number), at)} for number in range(2, repeat + 1)]
            variants += (Variant({**point, **n}, filled, keys_at, point.get(MODEL)) for n in [{}, *counts])
        return tuple(variants)

    def _read_inputs(self, section: Section) -> tuple[Mapping[str, Node], Mapping[str, Position]]:
        """Return inputs and where their names are."""
        fields = section.mapping("inputs")
        if fields is None:
            return {}, {}
        nodes = fields.items
        has_parts = "." in "".join(nodes)
        if has_parts and (deep := [name for name in nodes if name.count(".") >= self._limits.depth]):
            for name in deep:
                message = f"has more than {self._limits.depth} parts"
                section.error(fields.key_at(name), f"inputs.{name}", message)
            nodes = {name: node for name, node in nodes.items() if name not in deep}
        keys_at = fields.keys_at
        if not nodes.keys() <= keys_at.keys():
            keys_at = {name: fields.key_at(name) for name in nodes}
        return nodes, keys_at

    def _read_sweep(self, section: Section) -> Sweep:
        """Return a sweep, or that of the defaults if there is none."""
        fields = section.mapping("sweep")
        sweep = self._sweep if fields is None else read_sweep(fields, section, self._limits)
        if MODEL in sweep.keys_at and MODEL in self._variables:
            message = "sweeps the model itself, and there is a variable of that name; rename the variable"
            section.error(sweep.keys_at[MODEL], "sweep.model", message)
        return sweep

    def _is_input(self, axis: str) -> bool:
        return axis != MODEL and axis not in self._variables

    def _points(self, row: Section, sweep: Sweep, known: _Names) -> tuple[Point, ...]:
        """Return the points with templates filled in; a swept value must not use another swept value."""
        if any(has_template(text.text) for text in sweep.texts()):
            # The value of one axis inside another would make a point depend on the order of the axes.
            fixed = {name: value for name, value in known.items() if name not in sweep.keys_at}
            render = self._templates.render_text
            sweep = sweep.rendered(lambda text, axis: render(text, fixed, row.where(f"sweep.{axis}")))
        return points_of(sweep, row, known["id"].text if "id" in known else row.subject)

    def _read_count(self, section: Section, key: str, otherwise: int) -> int:
        text = section.text(key)
        number = whole_number(text.text) if text else None
        if text and (number is None or not 1 <= number <= self._limits.points):
            message = f"must be a whole number from 1 to {self._limits.points:,}, not {shown(text.text)}"
            meant = _COUNTED.fullmatch(text.text)
            section.findings.error(text.at, section.where(key), message, nearest=meant and meant[1])
            return otherwise
        return number or otherwise

    def _filled(
        self, inputs: Mapping[str, Node], templated: Sequence[str], point: Point, known: _Names, row: Section
    ) -> Mapping[str, Node]:
        if not templated and not point:
            return inputs
        filled = dict(inputs)
        names = known.new_child(point) if point else known
        for name in templated:
            if name not in point or name in self._variables:
                filled[name] = self._templates.render(inputs[name], names, row.where(f"inputs.{name}"))
        for name in filter(self._is_input, point):
            head, *path = name.split(".")
            # This sets a part of a nested input, if one is given; if not, the model folds the dotted name itself.
            whole = _with_value_at(filled[head], path, point[name]) if path and head in filled else None
            filled[head if whole else name] = whole or point[name]
        return filled

    def _read_tags(self, section: Section) -> tuple[str, ...]:
        node = section.fields.items.get("tags")
        if node is None:
            return ()
        tags: list[str] = []
        for word in words_of(node):
            if not isinstance(word, Text) or word.is_null:
                wanted = "must be a list of words" if word is node else "a tag must be one word"
                section.error(word.at, "tags", wanted)
                continue
            tags.append(word.text)
            if not (_CELL_TAG if word.at.cell else _TAG).fullmatch(word.text):
                rule = "one word of letters, digits, '.', '_', '+' and '-'"
                meant = ", ".join(filter(None, _OTHER_TAG_ENDS.split(word.text))) if word.at.cell else ""
                message = f"{shown(word.text)} is not a tag: {rule}"
                is_clear = meant and all(_TAG.fullmatch(tag) for tag in meant.split(", "))
                section.findings.error(
                    node.at, section.where("tags"), message, nearest=meant if is_clear else None
                )
        if len(tags) > self._limits.tags:
            section.error(node.at, "tags", f"more than {self._limits.tags} tags")
            return ()
        return tuple(tags)


def _read_point(row: Section) -> Mapping[str, JsonValue] | None:
    """Return the swept values of a row that is one take; a report writes them as JSON."""
    text = row.text("point")
    if text is None:
        return None
    try:
        point = json.loads(text.text, object_pairs_hook=_each_once)
        # JSON has no number past the largest float, and no file holds half a surrogate pair.
        json.dumps(point, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        point = None
    if isinstance(point, dict):
        return point
    row.error(text.at, "point", 'must be the swept values as a JSON object, as in {"seed": 7}')
    return None


def _each_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name is given twice")
    return dict(pairs)


def _part_at(node: Node, path: Sequence[str]) -> Node | None:
    """Return what is written at `path` inside `node`; the places of a list count from 0."""
    for name in path:
        inner: Node | None = None
        if isinstance(node, Fields):
            inner = node.items.get(name)
        elif isinstance(node, Items) and name.isascii() and name.isdecimal():
            place = int(name[:9])
            inner = node.items[place] if place < len(node.items) else None
        if inner is None:
            return None
        node = inner
    return node


def _with_value_at(node: Node, path: Sequence[str], value: Text) -> Node | None:
    """Return `node` with only the value at `path` replaced, or None if a scalar is where a part is named."""
    if not path:
        return value
    name, *rest = path
    part = _part_at(node, [name])
    inner = _with_value_at(part or Fields({}, value.at), rest, value)
    if inner is None:
        return None
    if isinstance(node, Fields):
        return Fields({**node.items, name: inner}, node.at, {**node.keys_at, name: value.at})
    # A sweep does not add places to a list.
    if isinstance(node, Text) or part is None:
        return None
    return Items(tuple(inner if n == int(name) else item for n, item in enumerate(node)), node.at)


class _Ids:
    """The ids found so far; rows that are takes of one shot may share its id, all others may not."""

    def __init__(self) -> None:
        self._shots: dict[str, tuple[Text, bool]] = {}
        self._takes: dict[str, Text] = {}

    def admit(self, row: Section, identity: Text, take: Text | None) -> bool:
        """Return whether an id, and the take of a report's row, can be used; if not, report it."""
        if reason := why_no_id(identity.text):
            # It explains more that a spreadsheet wrote this than which characters are wrong.
            why = f"; it {MANGLED}" if identity.at.cell and looks_mangled(identity.text) else ""
            why = "; it is the error of a spreadsheet" if is_error_value(identity.text) else why
            row.error(identity.at, "id", f"{shown(identity.text)} {reason}{why}")
            return False
        # Case is ignored: on a file system that ignores it, two such shots would write the same clip.
        first, among_takes = self._shots.setdefault(folded(identity.text), (identity, take is not None))
        if first is not identity and not (take and among_takes and first.text == identity.text):
            _duplicate(row, "id", identity, first)
            return False
        if take is None:
            return True
        if reason := why_no_take(take.text, shot=identity.text):
            row.error(take.at, "take", f"{shown(take.text)} {reason}")
            return False
        first = self._takes.setdefault(folded(take.text), take)
        if first is not take:
            _duplicate(row, "take", take, first)
        return first is take


def _duplicate(row: Section, key: str, text: Text, first: Text) -> None:
    case = f", as {bare(first.text)}: some file systems cannot distinguish the two"
    again = "" if text.text == first.text else case
    row.error(text.at, key, f"{shown(text.text)} is used twice (first at line {first.at.line}{again})")
