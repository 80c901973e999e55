"""Turns CSV records into the same rows that YAML gives.

A CSV manifest has neither variables nor defaults. The result columns of a report are known and ignored, so a report is
a manifest too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from runner.domain.errors import Position
from runner.domain.ids import looks_mangled
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.column_map import ColumnMap
from runner.manifest.csv_reader import Record, column_letters
from runner.manifest.csv_sweeps import NO_ENTRIES, CellReader
from runner.manifest.expand import Source, each_once
from runner.manifest.fields import Section, row_name
from runner.manifest.mapped_table import LEFT_OUT, table_of
from runner.manifest.problems import Findings, bare, shown
from runner.manifest.size_limits import Limits
from runner.manifest.sweep_points import REPEAT, axis_names
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
    REPEAT: "repeats go in the column sweep, as repeat=3",
    **dict.fromkeys(("exclude", "include"), NO_ENTRIES),
}
"""What people miss in a CSV, and what to do instead; an input of the model with such a name takes precedence."""

KNOWN_COLUMNS = RESERVED_COLUMNS + RESULT_COLUMNS
_PLAIN = ("id", "model", "notes", "price", "take", "point", "tags")


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its header, its number from 1, and the path of its input, which is empty if it is not an input.

    `letters` are its name in a spreadsheet. `is_prose` is true if blanks at the ends of a cell may be intended.
    """

    name: str
    number: int
    letters: str
    path: tuple[str, ...]
    at: Position
    is_prose: bool


_Cell: TypeAlias = tuple[tuple[str, ...], _Column, Text]


def source_of(
    text: str,
    findings: Findings,
    limits: Limits,
    chosen: ColumnMap | None = None,
    *,
    is_workbook: bool = False,
) -> Source:
    """Return the rows of a table, and the user's own columns in their order.

    `chosen` says what the columns are, if these are not the manifest's own. The lines of a workbook are its rows.

    Raises:
        Stop: the table cannot be read to its end; the problem has been reported.
    """
    records, added = table_of(text, findings, limits, chosen, known=KNOWN_COLUMNS, is_workbook=is_workbook)
    header = next(records, None)
    if header is None:
        return Source(())
    columns = _columns(header, findings, limits, added)
    reader = _RowReader(columns, findings, limits)
    own = tuple(column.name for column in columns if column.name not in RESULT_COLUMNS)
    # The table is read to its end first: one that is past the limits, or broken, is not worked on.
    records = each_once(list(records))
    rows = (reader.row(record) for record in records if not reader.is_removed(record))
    return Source(rows, columns=own, misplaced=MISPLACED)


def _columns(
    header: Record, findings: Findings, limits: Limits, added: Mapping[str, Position]
) -> list[_Column]:
    """Return the columns of a header; `added` are those that the sheet itself does not have, with their places."""
    columns: list[_Column] = []
    for number, name in enumerate(header.cells, 1):
        if name == LEFT_OUT:
            continue
        at, first = added.get(name) or header.at(findings.file, number), header.cells.index(name) + 1
        path = () if name in KNOWN_COLUMNS else _path(name)
        meant = name.casefold()
        if not name:
            findings.error(at, "header", "a column between others has no name")
        elif first < number:
            message = f"the column {shown(name)} appears twice (first as column {first})"
            findings.error(at, "header", message)
        elif meant in RESERVED_COLUMNS and meant != name:
            findings.error(at, "header", f"the column {shown(name)} is not known", nearest=meant)
        elif not all(path):
            findings.error(at, "header", f"{shown(name)} has a dot with no name beside it")
        elif len(path) > limits.depth:
            findings.error(at, "header", f"{shown(name)} has more than {limits.depth} parts")
        # A fault in a header is reported there; its cells would only report it again, or be built too deep.
        if not all(path) or len(path) > limits.depth or first < number:
            path = ()
        columns.append(
            _Column(name, number, column_letters(number), path, at, name == "notes" or "prompt" in meant)
        )
    _check_together(header, columns, findings)
    return columns


def _check_together(header: Record, columns: list[_Column], findings: Findings) -> None:
    for needed in ("id", "model"):
        if needed not in header.cells:
            message = f"the column {needed} is missing; cells are separated by commas, semicolons or tabs"
            nearest = findings.nearest(needed, header.cells)
            findings.error(header.at(findings.file, 1), "header", message, nearest=nearest)
    # In a report one take may have an empty list where another has parts, so each row is checked by itself.
    paths = set() if "take" in header.cells else {column.path for column in columns}
    for column in columns:
        for end in range(1, len(column.path)):
            if column.path[:end] in paths:
                whole = shown(".".join(column.path[:end]))
                message = f"{shown(column.name)} is a part of the column {whole}; keep one of them"
                findings.error(column.at, "header", message)


def _path(name: str) -> tuple[str, ...]:
    """Return where in the inputs a column belongs; `inputs.seconds` is an input with the name of a reserved column."""
    own = name.removeprefix(csv_cells.SHADOWED)
    return (own,) if own != name and own.casefold() in KNOWN_COLUMNS else tuple(name.split("."))


class _RowReader:
    """Turns records of one table into rows."""

    def __init__(self, columns: list[_Column], findings: Findings, limits: Limits) -> None:
        self._findings = findings
        self._limits = limits
        self._inputs = [column for column in columns if column.path]
        self._own = [(c.name, c.number - 1) for c in columns if c.name not in RESULT_COLUMNS]
        self._reserved = {column.name: column for column in columns if not column.path}
        self._plain = [self._reserved[name] for name in _PLAIN if name in self._reserved]
        self._is_flat = all(len(column.path) == 1 for column in self._inputs)
        # A wrong column name is one mistake of the header, however many rows it affects.
        self._keys_at = {column.name: column.at for column in columns}
        # The first of several columns of an input stands for all, so the order is reversed: the last entry stays.
        self._inputs_at = {column.path[0]: column.at for column in reversed(self._inputs)}

    def is_removed(self, record: Record) -> bool:
        """Return whether a report shows this take as removed: no row asks for it any more, and it was not rendered."""
        if "take" not in self._reserved or "state" not in self._reserved:
            return False
        take, state = (self._text(record, self._reserved[name]) for name in ("take", "state"))
        return take is not None and state is not None and state.text == csv_cells.REMOVED

    def row(self, record: Record) -> Row:
        """Return one record as a row; its `cells` are the user's own, verbatim."""
        at = record.at(self._findings.file, 1)
        items: dict[str, Node] = {}
        for column in self._plain:
            if text := self._text(record, column):
                items[column.name] = text
        identity = items.get("id")
        if isinstance(identity, Text) and looks_mangled(identity.text):
            message = "looks as if a spreadsheet had changed it; format the column as text"
            subject = row_name(Row(Fields(items, at), at), "")
            self._findings.warn(identity.at, subject, f"{shown(identity.text)} {message}")
        cells = [(c.path, c, text) for c in self._inputs if (text := self._text(record, c))]
        flat = {path[0]: _leaf(text) for path, _, text in cells} if self._is_flat else None
        inputs = _parts(cells, self._findings) if flat is None else flat
        if "seeds" in self._reserved or "sweep" in self._reserved:
            given = {column.name for _, column, _ in cells}
            row = Section(Fields(items, at), self._findings, row_name(Row(Fields(items, at), at), ""))
            name = identity.text if isinstance(identity, Text) else row.subject
            items |= self._swept(CellReader(row, name, self._limits.points), record, given, inputs)
        items["inputs"] = Fields(inputs, at, self._inputs_at)
        # Result columns are left out, because the next report writes its own.
        own = {name: record.cells[index] for name, index in self._own}
        return Row(Fields(items, at, self._keys_at), at, own)

    def _text(self, record: Record, column: _Column) -> Text | None:
        cell = record.cells[column.number - 1]
        trimmed = cell.strip()
        if not trimmed:
            return None
        at = column.at
        # A column that a map adds has one place for all rows, outside the sheet.
        if at.cell:
            at = Position(at.file, record.line, column.number, f"{column.letters}{record.number}")
        if column.path and trimmed[0] == '"' and (marked := csv_cells.unmark(trimmed)) is not None:
            return Text(marked, at, quoted=True)
        text = Text(cell if column.is_prose else trimmed, at)
        # The program's own columns hold text only: a note or tag may be the word null, and a report must return it.
        return replace(text, quoted=True) if not column.path and text.is_null else text

    def _swept(
        self, reader: CellReader, record: Record, given: set[str], inputs: dict[str, Node]
    ) -> dict[str, Node]:
        """Return the fields `sweep` and `repeat` of a row, as its cells `sweep` and `seeds` give them."""
        row = reader.row
        seeds, cell = (
            self._text(record, self._reserved[name]) if name in self._reserved else None
            for name in ("seeds", "sweep")
        )
        fields: dict[str, Node] = {}
        axes = reader.sweep(cell) if cell else {}
        if cell and "take" in row:
            names = {name for key in axes for name in axis_names(key)}
            # The value of such an axis is unknown for this row's take.
            for name in sorted(names - given - {"model", REPEAT}):
                message = f"this row is one take: give {bare(name)} a column of its own and leave sweep empty"
                row.error(cell.at, "sweep", message)
            axes = {}
        elif cell and REPEAT in axes:
            fields[REPEAT], *others = axes.pop(REPEAT)
            if others:
                row.error(cell.at, "sweep", "repeat is one number, as in repeat=3")
        if seeds and "take" in row:
            # This is one concrete take of a sweep; its seed is the point, so that {{ seed }} still means it.
            axes |= {"seed": Items((inputs.pop("seed"),), seeds.at)} if "seed" in inputs else {}
        elif seeds:
            if "seed" in axes:
                row.error(seeds.at, "seeds", "the seed is swept in the cell sweep too; keep one of them")
            values = reader.seeds(seeds)
            axes |= {"seed": Items(tuple(values), seeds.at)} if values else {}
        if at := (cell or seeds) if axes else None:
            fields["sweep"] = Fields(axes, at.at, {axis: node.at for axis, node in axes.items()})
        return fields


def _parts(cells: list[_Cell], findings: Findings) -> dict[str, Node]:
    """Return cells by the first part of their paths; what lies below it is a mapping or a list."""
    groups: dict[str, list[_Cell]] = {}
    for (name, *path), column, text in cells:
        groups.setdefault(name, []).append((tuple(path), column, text))
    return {name: _node(group, findings) for name, group in groups.items()}


def _leaf(text: Text) -> Node:
    # Only an empty list or mapping is written so; all others have a column for each of their parts.
    if text.quoted or text.text not in {"[]", "{}"}:
        return text
    return Items((), text.at) if text.text == "[]" else Fields({}, text.at)


def _node(cells: list[_Cell], findings: Findings) -> Node:
    first, _, text = cells[0]
    for path, column, other in cells:
        if bool(path) is not bool(first):
            message = f"{shown(column.name)} is given both whole and in parts; keep one of them"
            findings.error(other.at, "", message)
            return text
    if not first:
        return _leaf(text)
    items = _parts(cells, findings)
    places = {name: inner.at for name, inner in items.items()}
    # Names that count from 0 are the places of a list.
    if set(items) == {str(number) for number in range(len(items))}:
        return Items(tuple(items[str(number)] for number in range(len(items))), places["0"])
    return Fields(items, next(iter(places.values())), places)
