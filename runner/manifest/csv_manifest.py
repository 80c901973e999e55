"""Turns CSV records into the same rows that YAML gives.

In: a table. Out: rows whose fields are `id, model, inputs, sweep, repeat, tags, notes, take`. A CSV manifest has
neither variables nor defaults. The result columns of our report are known and ignored, so a report is a manifest too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from runner.domain.errors import Position
from runner.domain.ids import looks_mangled
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.csv_reader import Record, Table
from runner.manifest.csv_sweeps import NO_ENTRIES, CellReader
from runner.manifest.expand import Source
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import Limits
from runner.manifest.sweep_points import REPEAT
from runner.system import csv_cells

RESERVED_COLUMNS = ("id", "model", "tags", "notes", "price", "seeds", "sweep")
RESULT_COLUMNS = (
    "take", "point", "state", "class", "stale_fields", "request_id", "outputs", "file", "sha256", "bytes",
    "submitted_at", "finished_at", "seconds", "cost", "estimate", "error", "fingerprint",
)  # fmt: skip
"""The columns that a report adds. Its column `seed` is left out, because it is read as the input of that name."""

MISPLACED: Mapping[str, str] = {
    **dict.fromkeys(
        ("style", "styles"),
        "a CSV has no styles; give each input of the style its own column, filled down, or write the board in YAML",
    ),
    "chain": "a CSV has no chains; write the end frame of the shot before as this one's start frame",
    "inputs": "every column is an input of the model by its bare name, without inputs. before it",
    REPEAT: "repeats stand in the column sweep, as repeat=3",
    **dict.fromkeys(("exclude", "include"), NO_ENTRIES),
}
"""What people miss in a CSV, and what to do instead; an input of the model with such a name takes precedence."""

KNOWN_COLUMNS = RESERVED_COLUMNS + RESULT_COLUMNS
_Tree: TypeAlias = "dict[str, Text | _Tree]"
# Only an empty list or mapping is written so; all others have a column for each of their parts.
_EMPTY: Mapping[str, Callable[[Position], Node]] = {
    "[]": lambda at: Items((), at),
    "{}": lambda at: Fields({}, at),
}


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its header, its number from 1, and the path of its input, which is empty if it is not an input.

    `is_prose` is true if blanks at the ends may be intended.
    """

    name: str
    number: int
    path: tuple[str, ...]
    at: Position
    is_prose: bool


def rows_of(table: Table, findings: Findings, limits: Limits) -> Source:
    """Return the rows of a table, and the user's own columns in their order."""
    columns = _columns(table.header, findings, limits)
    reader = _RowReader(columns, findings, limits)
    own = tuple(column.name for column in columns if column.name not in RESULT_COLUMNS)
    rows = tuple(reader.row(record) for record in table.records if not _is_removed(record, columns))
    return Source(rows, columns=own, misplaced=MISPLACED)


def _is_removed(record: Record, columns: list[_Column]) -> bool:
    """Return whether a report shows this take as removed: no row asks for it any more, and it was never rendered."""
    said = {column.name: record.cells[column.number - 1].strip() for column in columns if not column.path}
    return bool(said.get("take")) and said.get("state") == csv_cells.REMOVED


def _columns(header: Record, findings: Findings, limits: Limits) -> list[_Column]:
    columns: list[_Column] = []
    for number, name in enumerate(header.cells, 1):
        at = header.at(findings.file, number)
        path = () if name in KNOWN_COLUMNS else _path(name)
        meant = next(
            (known for known in RESERVED_COLUMNS if known == name.casefold() and known != name), None
        )
        if meant:
            findings.error(at, "header", f"the column {shown(name)} is not known", nearest=meant)
        elif not all(path) and name:
            findings.error(at, "header", f"{shown(name)} has a dot with no name beside it")
        elif len(path) > limits.depth:
            findings.error(at, "header", f"{shown(name)} has more than {limits.depth} parts")
        # A fault in a header is reported there; its cells would only report it again, or be built too deep.
        if not all(path) or len(path) > limits.depth or name in header.cells[: number - 1]:
            path = ()
        is_prose = name == "notes" or "prompt" in name.casefold()
        columns.append(_Column(name, number, path, at, is_prose))
    _check_needed(header, findings)
    # In a report one take may have an empty list where another has parts, so each row is checked by itself.
    if "take" not in header.cells:
        _check_paths(columns, findings)
    return columns


def _path(name: str) -> tuple[str, ...]:
    """Return where in the inputs a column belongs; `inputs.seconds` is an input with the name of a reserved column."""
    own = name.removeprefix(csv_cells.SHADOWED)
    return (own,) if own != name and own.casefold() in KNOWN_COLUMNS else tuple(name.split("."))


def _check_needed(header: Record, findings: Findings) -> None:
    for needed in ("id", "model"):
        if needed not in header.cells:
            nearest = findings.nearest(needed, header.cells)
            message = f"the column {needed} is missing; cells are separated by commas, semicolons or tabs"
            findings.error(header.at(findings.file, 1), "header", message, nearest=nearest)


def _check_paths(columns: list[_Column], findings: Findings) -> None:
    names = {column.path for column in columns}
    for column in columns:
        for end in range(1, len(column.path)):
            if column.path[:end] in names:
                whole = ".".join(column.path[:end])
                message = f"{shown(column.name)} is a part of the column {shown(whole)}; keep one of them"
                findings.error(column.at, "header", message)


class _RowReader:
    """Turns records of one table into rows."""

    def __init__(self, columns: list[_Column], findings: Findings, limits: Limits) -> None:
        self._columns = columns
        self._findings = findings
        self._limits = limits
        self._inputs = [column for column in columns if column.path]
        self._own = [column for column in columns if column.name not in RESULT_COLUMNS]
        self._reserved = {column.name: column for column in columns if not column.path}
        # A wrong column name is one mistake of the header, however many rows it affects.
        self._keys_at = {column.name: column.at for column in columns}
        # The first of several columns of an input stands for all, so the order is reversed: the last entry stays.
        self._inputs_at = {column.path[0]: column.at for column in reversed(self._inputs)}

    def row(self, record: Record) -> Row:
        """Return one record as a row; its `cells` are the user's own, verbatim."""
        at = record.at(self._findings.file, 1)
        items: dict[str, Node] = {}
        for key in ("id", "model", "notes", "price", "take", "point"):
            text = self._text(record, self._reserved.get(key))
            if text is not None:
                items[key] = text
        identity = items.get("id")
        subject = (
            f"shot {shown(identity.text)[1:-1]}" if isinstance(identity, Text) else f"row {record.number}"
        )
        if isinstance(identity, Text) and looks_mangled(identity.text):
            message = (
                f"{shown(identity.text)} looks as if a spreadsheet had changed it; format the column as text"
            )
            self._findings.warn(identity.at, subject, message)
        tags = self._text(record, self._reserved.get("tags"))
        if tags is not None:
            items["tags"] = tags
        inputs = self._nested(record)
        self._add_sweep(items, inputs, record, subject)
        items["inputs"] = Fields(inputs, at, self._inputs_at)
        # Result columns are left out, because the next report writes its own.
        own = {column.name: record.cells[column.number - 1] for column in self._own}
        return Row(Fields(items, at, self._keys_at), at, own)

    def _text(self, record: Record, column: _Column | None) -> Text | None:
        if column is None:
            return None
        cell = record.cells[column.number - 1]
        trimmed = cell.strip()
        if not trimmed:
            return None
        marked = csv_cells.unmark(trimmed) if column.path else None
        if marked is not None:
            return Text(marked, record.at(self._findings.file, column.number), quoted=True)
        text = Text(cell if column.is_prose else trimmed, record.at(self._findings.file, column.number))
        # Our own columns are text alone: a note or tag may be the word null, and a report must return it.
        return replace(text, quoted=True) if text.is_null and not column.path else text

    def _nested(self, record: Record) -> dict[str, Node]:
        tree: _Tree = {}
        for column in self._inputs:
            text = self._text(record, column)
            if text is None:
                continue
            branch = tree
            for part in column.path[:-1]:
                inner = branch.get(part)
                if isinstance(inner, Text):
                    self._contradicted(text, column)
                inner = inner if isinstance(inner, dict) else {}
                branch[part] = inner
                branch = inner
            if column.path[-1] in branch:
                self._contradicted(text, column)
            branch[column.path[-1]] = text
        return {name: _node(inner) for name, inner in tree.items()}

    def _contradicted(self, text: Text, column: _Column) -> None:
        message = f"{shown(column.name)} is given both whole and in parts; keep one of them"
        self._findings.error(text.at, "", message)

    def _add_sweep(
        self, items: dict[str, Node], inputs: dict[str, Node], record: Record, subject: str
    ) -> None:
        seeds, cell = (self._text(record, self._reserved.get(name)) for name in ("seeds", "sweep"))
        identity = items.get("id")
        name = identity.text if isinstance(identity, Text) else subject
        reader = CellReader(self._findings, shot=name, subject=subject, limit=self._limits.points)
        axes: dict[str, Node] = {}
        if cell is not None:
            swept = reader.sweep(cell).items
            if "take" in items:
                self._check_concrete(swept, cell, record, subject)
            else:
                axes.update(swept)
                self._move_repeat(axes, items, cell, subject)
        if seeds is not None and "take" in items:
            # This is one concrete take of a sweep; its seed is the point, so that {{ seed }} still means it.
            seed = inputs.pop("seed", None)
            axes.update({"seed": Items((seed,), seeds.at)} if seed is not None else {})
        elif seeds is not None:
            if "seed" in axes:
                message = "the seed is swept in the cell sweep too; keep one of them"
                self._findings.error(seeds.at, f"{subject}, seeds", message)
            values = tuple(reader.seeds(seeds))
            if not seeds.text.strip(";, "):
                self._findings.error(seeds.at, f"{subject}, seeds", "has no seeds")
            axes.update({"seed": Items(values, seeds.at)} if values else {})
        at = cell.at if cell else seeds.at if seeds else None
        if axes and at:
            items["sweep"] = Fields(axes, at, {axis: node.at for axis, node in axes.items()})

    def _move_repeat(self, axes: dict[str, Node], items: dict[str, Node], cell: Text, subject: str) -> None:
        node = axes.pop(REPEAT, None)
        if not isinstance(node, Items):
            return
        first, *others = node
        if others:
            self._findings.error(cell.at, f"{subject}, sweep", "repeat is one number, as in repeat=3")
        items[REPEAT] = first

    def _check_concrete(self, swept: Mapping[str, Node], cell: Text, record: Record, subject: str) -> None:
        """Report the axes whose value for this row's take is unknown, since they have no column of their own."""
        given = {column.name for column in self._inputs if self._text(record, column) is not None}
        names = {name for key in swept for name in key.strip("[]").split(", ")}
        for name in sorted(names - given - {"model", REPEAT}):
            message = (
                f"this row is one take: give {shown(name)[1:-1]} a column of its own and leave sweep empty"
            )
            self._findings.error(cell.at, f"{subject}, sweep", message)


def _node(tree: Text | _Tree) -> Node:
    if isinstance(tree, Text):
        return _EMPTY[tree.text](tree.at) if tree.text in _EMPTY and not tree.quoted else tree
    items = {name: _node(inner) for name, inner in tree.items()}
    places = {name: inner.at for name, inner in items.items()}
    # Names that count from 0 are the places of a list.
    if set(items) == {str(number) for number in range(len(items))}:
        return Items(tuple(items[str(number)] for number in range(len(items))), places["0"])
    return Fields(items, next(iter(places.values())), places)
