"""CSV records become the same rows that YAML gives: reserved columns, inputs, and our own report's columns.

In: a table. Out: rows whose fields are `id, model, inputs, sweep, tags, notes, take`. A manifest in CSV has neither
variables nor defaults. Result columns of a report are known and ignored, so that a report is a manifest too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from runner.errors import Position
from runner.manifest.csv_text import Record, Table
from runner.manifest.findings import Findings, shown
from runner.manifest.ids import looks_mangled
from runner.manifest.limits import Limits
from runner.manifest.source import Source
from runner.manifest.sweeps import range_values
from runner.shots import Fields, Items, Node, Row, Text

RESERVED_COLUMNS = ("id", "model", "tags", "notes", "seeds")
RESULT_COLUMNS = (
    "take", "state", "class", "request_id", "outputs", "file", "sha256", "bytes", "submitted_at", "finished_at",
    "seconds", "cost", "error", "fingerprint",
)  # fmt: skip
"""What a report adds. Its column `seed` is not here: there it is the input of that name, and read as such."""

KNOWN_COLUMNS = RESERVED_COLUMNS + RESULT_COLUMNS
# Seeds are a list in one cell; a comma in it needs quotes around the cell, so the other two are what people write.
_SEPARATOR = re.compile(r"[;,\s]+")
_SEED = re.compile(r"-?\d{1,18}")
_Tree: TypeAlias = "dict[str, Text | _Tree]"


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its header, its number from 1, and the path of the input it gives; empty if it gives none.

    `is_prose` is true where blanks at the ends may be meant.
    """

    name: str
    number: int
    path: tuple[str, ...]
    at: Position
    is_prose: bool


def rows_of(table: Table, findings: Findings, limits: Limits) -> Source:
    """Return the rows of a table, and the user's own columns in their order."""
    columns = _columns(table.header, findings)
    reader = _RowReader(columns, findings, limits)
    own = tuple(column.name for column in columns if column.name not in RESULT_COLUMNS)
    return Source(tuple(reader.row(record) for record in table.records), columns=own)


def _columns(header: Record, findings: Findings) -> list[_Column]:
    columns: list[_Column] = []
    for number, name in enumerate(header.cells, 1):
        at = header.at(findings.file, number)
        path = () if name in KNOWN_COLUMNS else tuple(name.split("."))
        meant = next(
            (known for known in RESERVED_COLUMNS if known == name.casefold() and known != name), None
        )
        if meant:
            findings.error(at, "header", f"the column {shown(name)} is not known", nearest=meant)
        elif not all(path) and name:
            findings.error(at, "header", f"{shown(name)} has a dot with no name beside it")
        is_prose = name == "notes" or "prompt" in name.casefold()
        columns.append(_Column(name, number, path, at, is_prose))
    _check_needed(header, findings)
    _check_paths(columns, findings)
    return columns


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
        # A wrong column name is a mistake of the header, however many rows meet it.
        self._keys_at = {column.name: column.at for column in columns}

    def row(self, record: Record) -> Row:
        """Return one record as a row; its `cells` are the user's own, verbatim."""
        at = record.at(self._findings.file, 1)
        items: dict[str, Node] = {}
        for key in ("id", "model", "notes", "take"):
            text = self._text(record, self._reserved.get(key))
            if text is not None:
                items[key] = text
        identity = items.get("id")
        subject = f"shot {identity.text}" if isinstance(identity, Text) else f"row {record.number}"
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
        items["inputs"] = Fields(inputs, at, self._keys_at)
        # Result columns are left out: the next report writes its own.
        cells = {column.name: record.cells[column.number - 1] for column in self._own}
        return Row(Fields(items, at, self._keys_at), at, cells)

    def _text(self, record: Record, column: _Column | None) -> Text | None:
        if column is None:
            return None
        cell = record.cells[column.number - 1]
        trimmed = cell.strip()
        if not trimmed:
            return None
        return Text(cell if column.is_prose else trimmed, record.at(self._findings.file, column.number))

    def _nested(self, record: Record) -> dict[str, Node]:
        tree: _Tree = {}
        for column in self._inputs:
            text = self._text(record, column)
            if text is None:
                continue
            branch = tree
            for part in column.path[:-1]:
                # A text here is a contradiction of the header, which has been told.
                inner = branch.get(part)
                inner = inner if isinstance(inner, dict) else {}
                branch[part] = inner
                branch = inner
            branch[column.path[-1]] = text
        return {name: _node(inner) for name, inner in tree.items()}

    def _add_sweep(
        self, items: dict[str, Node], inputs: dict[str, Node], record: Record, subject: str
    ) -> None:
        seeds = self._text(record, self._reserved.get("seeds"))
        if seeds is None:
            return
        if "take" in items:
            # One concrete take of a sweep: its own seed is the point, so that {{ seed }} still means it.
            seed = inputs.pop("seed", None)
            values = [seed] if seed is not None else []
        else:
            values = list(self._seeds(seeds, subject))
        if values:
            items["sweep"] = Fields({"seed": Items(tuple(values), seeds.at)}, seeds.at, {"seed": seeds.at})

    def _seeds(self, cell: Text, subject: str) -> list[Text]:
        compact = (
            re.sub(r"\s*-\s*(?=\d)", "-", cell.text) if re.search(r"\d\s+-\s*\d", cell.text) else cell.text
        )
        seeds: list[Text] = []
        for part in filter(None, _SEPARATOR.split(compact)):
            found = range_values(part, cell.at, limit=self._limits.takes)
            if isinstance(found, str):
                self._findings.error(cell.at, f"{subject}, seeds", found)
            elif found is not None:
                seeds += found
            elif _SEED.fullmatch(part):
                seeds.append(Text(part, cell.at))
            else:
                message = f"{shown(part)} is neither a seed nor a range; write 7; 8 or 1000-1003"
                self._findings.error(cell.at, f"{subject}, seeds", message)
        return seeds


def _node(tree: Text | _Tree) -> Node:
    if isinstance(tree, Text):
        return tree
    items = {name: _node(inner) for name, inner in tree.items()}
    places = {name: inner.at for name, inner in items.items()}
    return Fields(items, next(iter(places.values())), places)
