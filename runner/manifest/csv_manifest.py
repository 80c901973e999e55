"""Turns CSV records into the same rows that YAML gives.

A CSV manifest has neither variables nor defaults. In a report, which has the columns `take` and `fingerprint`, the
result columns are known and ignored, so a report is a manifest too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from runner.domain.display import counted
from runner.domain.errors import Position
from runner.domain.ids import MANGLED, looks_mangled, why_no_id
from runner.domain.shots import Fields, Items, Node, Row, Text
from runner.manifest.cell_faults import (
    MARKUP,
    SUSPECT_LETTERS,
    CellKind,
    fault_of,
    is_sum,
    may_be_filler,
    may_have_fault,
    unstored,
)
from runner.manifest.column_map import ColumnMap
from runner.manifest.column_names import meant_column
from runner.manifest.csv_reader import Record, column_letters, records_of
from runner.manifest.csv_sweeps import NO_ENTRIES, CellReader
from runner.manifest.expand import Source, each_once
from runner.manifest.fields import Section, row_name
from runner.manifest.mapped_table import LEFT_OUT, table_of
from runner.manifest.problems import Findings, Stop, bare, shown
from runner.manifest.size_limits import Limits
from runner.manifest.sweep_points import REPEAT, TAKES, axis_names
from runner.system import csv_cells
from runner.system.escapes import visible
from runner.system.nearest_name import edits

RESERVED_COLUMNS = ("id", "model", "tags", "notes", "price", "seeds", "sweep", TAKES)
RESULT_COLUMNS = (
    "take", "label", "point", "state", "class", "flags", "pick", "stale_fields", "request_id", "outputs", "file",
    "sha256", "bytes", "clip_seconds", "clip_width", "clip_height", "clip_fps", "submitted_at", "finished_at",
    "seconds", "cost", "estimate", "error", "fingerprint",
)  # fmt: skip
"""The columns that a report adds. Its column `seed` is left out, because it is read as the input of that name."""

MISPLACED: Mapping[str, str] = {
    **dict.fromkeys(
        ("style", "styles"),
        "a CSV has no styles; give each input of the style its own column, filled down, or write the board in YAML",
    ),
    "chain": "a CSV has no chains; write the end frame of the shot before as this one's start frame",
    "inputs": "every column is an input of the model by its bare name, without inputs. before it",
    REPEAT: "write the number of takes in a column takes",
    **dict.fromkeys(("exclude", "include"), NO_ENTRIES),
}
"""What people miss in a CSV, and what to do instead; an input of the model with such a name takes precedence."""

KNOWN_COLUMNS = RESERVED_COLUMNS + RESULT_COLUMNS
OWN_COLUMNS = (*RESERVED_COLUMNS, "take", "point")
"""The columns that no manifest has as inputs; the other results are results in a report only."""

_PLAIN = ("id", "model", "notes", "price", "take", "point", TAKES)
_OF_A_REPORT = {"take", "fingerprint"}
_TWO_WORDS = re.compile(r"[\w.+-]+ ")
_TAG_ENDS = re.compile(r"[,;]")
# A lone number of this size is more often meant as a number of takes than as a seed.
_COUNT = re.compile(r"[2-9]|10", re.ASCII)
_LINE_END = re.compile(r"\r\n?")
# A title has fewer cells than any board, and rarely more than a few rows.
_FEW, _MOST_ABOVE = 3, 10
_NOTHING = frozenset[str]()
_OTHER, _PROMPT, _SEED = CellKind.OTHER, CellKind.PROMPT, CellKind.SEED


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
    kind: CellKind


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
        Stop: the table cannot be read to its end, or has no column for ids or models; the problem has been reported.
    """
    records, added = table_of(text, findings, limits, chosen, known=KNOWN_COLUMNS, is_workbook=is_workbook)
    header = next(records, None)
    if header is None:
        return Source(())
    if chosen is None and len(header.cells) < _FEW:
        _check_title(text, header, findings, limits)
    # The table is read to its end first: one that is past the limits, or broken, is not worked on.
    shots = list(records)
    # Only in a report are the names of its columns not those of inputs.
    is_report = _OF_A_REPORT.issubset(header.cells)
    columns = _columns(header, findings, limits, added, is_report=is_report, is_workbook=is_workbook)
    reader = _RowReader(
        columns,
        findings,
        limits,
        is_report=is_report,
        is_workbook=is_workbook,
        has_markup=MARKUP.search(text) is not None,
    )
    own = tuple(column.name for column in columns if column.name and column.name not in RESULT_COLUMNS)
    _check_nameless(header, shots, findings)
    if not is_report:
        shots = _shots_of(shots, header, columns, findings, has_returns="\r" in text)
    _check_ids(shots, next(column for column in columns if column.name == "id"), findings)
    rows = (reader.row(record) for record in each_once(shots) if not reader.is_removed(record))
    wanted = {name: meant for name in reader.headings if (meant := meant_column(name)) and meant not in own}
    return Source(
        rows,
        columns=own,
        misplaced=MISPLACED,
        headings=reader.headings,
        header=header.at(findings.file, 1),
        meant_columns=wanted,
    )


def _check_title(text: str, header: Record, findings: Findings, limits: Limits) -> None:
    """Report that the headings are below a row such as a title.

    Raises:
        Stop: they are.
    """
    for number in range(header.number + 1, header.number + _MOST_ABOVE):
        below = None
        # What is wrong further down is reported when the table itself is read.
        with suppress(Stop):
            rows = records_of(text, Findings(findings.file), limits, known=KNOWN_COLUMNS, header_row=number)
            below = next(rows, None)
        if below and len(below.cells) >= _FEW and "id" in map(meant_column, below.cells):
            message = f"the headings are in row {below.number}; remove what is above them"
            findings.stop(below.at(findings.file, 1), "header", message)


def _shots_of(
    records: list[Record], header: Record, columns: list[_Column], findings: Findings, *, has_returns: bool
) -> list[Record]:
    """Return the records that are shots, with plain line ends; what else is left out is a warning for each kind."""
    places = {column.name: column.number - 1 for column in columns}
    shots: list[Record] = []
    headings: list[Record] = []
    sums: list[Record] = []
    repeated: list[Record] = []
    for record in records:
        cells = record.cells
        filled = [] if cells[places["model"]].strip() else [n for n, cell in enumerate(cells) if cell.strip()]
        if filled == [0] and len(cells) > 2:
            headings.append(record)
        elif cells == header.cells:
            repeated.append(record)
        elif filled and is_sum(cells, id_at=places["id"]):
            sums.append(record)
        elif has_returns and "\r" in "".join(cells):
            # The same board, saved by another program, asks for the same takes.
            shots.append(replace(record, cells=tuple(_LINE_END.sub("\n", cell) for cell in cells)))
        else:
            shots.append(record)
    for others, why in (
        (headings, "has only its first cell filled, so it is a heading"),
        (sums, "has numbers and no id, so it is a sum"),
        (repeated, "repeats the header, so it is a header"),
    ):
        if others:
            more = len(others) - 1
            also = f", as {'is' if more == 1 else 'are'} {counted(more, 'row')} below" if more else ""
            message = f"the row {why} and not a shot{also}"
            findings.warn(others[0].at(findings.file, 1), f"row {others[0].number}", message)
    if records and not shots:
        findings.error(records[0].at(findings.file, 1), "", "no shots: every row is a heading or a sum")
    return shots


def _check_ids(records: list[Record], column: _Column, findings: Findings) -> None:
    """Warn once of the ids that a spreadsheet seems to have changed; those that only count up are meant."""
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.cells[column.number - 1].strip(), record)
    odd = [text for text in first if looks_mangled(text) and why_no_id(text) is None]
    is_count = all(text.isdecimal() for text in first) and len(set(map(len, first))) == 1 < len(first)
    if odd and not (is_count and list(first) == sorted(first)):
        more = len(odd) - 1
        also = f"; {counted(more, 'other id')} below {'is' if more == 1 else 'are'} like it" if more else ""
        at = first[odd[0]].at(findings.file, column.number) if column.at.cell else column.at
        findings.warn(at, f"shot {odd[0]}", f"{shown(odd[0])} {MANGLED}{also}")


def _check_nameless(header: Record, records: list[Record], findings: Findings) -> None:
    """Report the columns that have cells and no heading; a column without both only keeps others apart."""
    for number in (number for number, heading in enumerate(header.cells, 1) if not heading):
        if any(record.cells[number - 1].strip() for record in records):
            findings.error(header.at(findings.file, number), "header", "a column between others has no name")


def _columns(
    header: Record,
    findings: Findings,
    limits: Limits,
    added: Mapping[str, Position],
    *,
    is_report: bool,
    is_workbook: bool,
) -> list[_Column]:
    """Return the columns of a header; `added` are those that the sheet itself does not have, with their places."""
    columns: list[_Column] = []
    known = KNOWN_COLUMNS if is_report else OWN_COLUMNS
    names, is_complete = _needed(
        header, [_name(each, is_report=is_report) for each in header.cells], findings, is_workbook=is_workbook
    )
    for number, name in enumerate(names, 1):
        if name == LEFT_OUT:
            continue
        at, first = added.get(name) or header.at(findings.file, number), names.index(name) + 1
        # A dot at the end is an abbreviation's, so that the name is only an unknown one.
        is_short = name.endswith(".") and name.count(".") == 1
        path = () if name in known else (name,) if is_short else _path(name)
        meant = name.casefold()
        if name and first < number:
            message = f"the column {shown(name)} appears twice (first as column {first})"
            findings.error(at, "header", message)
        elif name and not all(path):
            findings.error(at, "header", f"{shown(name)} has a dot with no name beside it")
        elif len(path) > limits.depth:
            findings.error(at, "header", f"{shown(name)} has more than {limits.depth} parts")
        # A fault in a header is reported there; its cells would only report it again, or be built too deep.
        if not all(path) or len(path) > limits.depth or first < number:
            path = ()
        is_prompt = "prompt" in meant
        kind = CellKind.PROMPT if is_prompt else CellKind.SEED if meant == "seed" else CellKind.OTHER
        prose = is_prompt or name == "notes"
        columns.append(_Column(name, number, column_letters(number), path, at, prose, kind))
    _check_together(columns, findings)
    if not is_complete:
        findings.cut()
    return columns


def _name(heading: str, *, is_report: bool) -> str:
    """Return the name of a column; case does not matter in the program's own, and a board has no column of a result."""
    # A report adds a column seed, which is then this one.
    if heading.casefold() in RESERVED_COLUMNS or (heading.casefold() == "seed" and not is_report):
        return heading.casefold()
    is_input = heading in RESULT_COLUMNS and heading not in OWN_COLUMNS and not is_report
    return csv_cells.SHADOWED + heading if is_input else heading


def _check_together(columns: list[_Column], findings: Findings) -> None:
    # In a report one take may have an empty list where another has parts, so each row is checked by itself.
    is_of_takes = any(column.name == "take" for column in columns)
    paths = set() if is_of_takes else {column.path for column in columns}
    for column in columns:
        for end in range(1, len(column.path)):
            if column.path[:end] in paths:
                whole = shown(".".join(column.path[:end]))
                message = f"{shown(column.name)} is a part of the column {whole}; keep one of them"
                findings.error(column.at, "header", message)


def _needed(
    header: Record, names: list[str], findings: Findings, *, is_workbook: bool
) -> tuple[list[str], bool]:
    """Report that the column id or model is missing, and return the names with the column that was probably meant.

    Without one of them every row would only report it again; so it is also returned whether both are there.
    """
    names = names.copy()
    for needed in [needed for needed in ("id", "model") if needed not in names]:
        meant = [n for n, name in enumerate(names) if meant_column(name) == needed]
        if not meant and needed == "model":
            meant = [n for n, name in enumerate(names) if edits(needed, name.casefold(), most=1) <= 1]
        at = header.at(findings.file, meant[0] + 1 if meant else 1)
        message = f"the column {needed} is missing"
        if meant:
            message += f"; if it is {shown(header.cells[meant[0]])}, rename that to {needed}"
            names[meant[0]] = needed
        elif len(names) == 1 and not is_workbook:
            message += "; cells are separated by commas, semicolons, tabs or bars"
        elif needed == "model":
            message += "; give every row the id of a model (`shotrunner models` lists them)"
        findings.error(at, "header", message)
    return names, {"id", "model"}.issubset(names)


def _path(name: str) -> tuple[str, ...]:
    """Return where in the inputs a column belongs; `inputs.seconds` is an input with the name of a reserved column."""
    own = name.removeprefix(csv_cells.SHADOWED)
    return (own,) if own != name and own.casefold() in KNOWN_COLUMNS else tuple(name.split("."))


class _RowReader:
    """Turns records of one table into rows."""

    def __init__(
        self,
        columns: list[_Column],
        findings: Findings,
        limits: Limits,
        *,
        is_report: bool,
        is_workbook: bool,
        has_markup: bool,
    ) -> None:
        self._findings = findings
        self._limits = limits
        self._is_report = is_report
        self._is_workbook = is_workbook
        self._has_markup = has_markup
        self._inputs = [column for column in columns if column.path]
        self._own = [(c.name, c.number - 1) for c in columns if c.name and c.name not in RESULT_COLUMNS]
        self._reserved = {column.name: column for column in columns if not column.path}
        self._plain = [self._reserved[name] for name in _PLAIN if name in self._reserved]
        self._prompts = [column.number - 1 for column in self._inputs if column.kind is _PROMPT]
        self._seeds = [column.number - 1 for column in self._inputs if column.kind is _SEED]
        self._is_flat = all(len(column.path) == 1 for column in self._inputs)
        # A wrong column name is one mistake of the header, however many rows it affects.
        self._keys_at = {column.name: column.at for column in columns}
        # The first of several columns of an input stands for all.
        self.headings: dict[str, Position] = {}
        for column in self._inputs:
            self.headings.setdefault(column.path[0], column.at)
        self._has_blank_tags = False

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
        if "tags" in self._reserved and (tags := self._text(record, self._reserved["tags"])):
            items["tags"] = self._tags(tags)
        identity = items.get("id")
        cells = [(c.path, c, text) for c in self._inputs if (text := self._text(record, c))]
        # Nearly all rows are sound, and a look at each of their cells would be felt.
        suspects = (
            []
            if self._is_report or not self._may_have_fault(record.cells)
            else [
                (path, column, text)
                for path, column, text in cells
                if text.text[:1] in SUSPECT_LETTERS
                or (
                    text.text.rfind("://") > 5
                    if column.kind is _OTHER
                    else column.kind is _PROMPT and (self._has_markup or may_be_filler(text.text))
                )
                or (column.kind is _SEED and not text.text.isdecimal())
            ]
        )
        reported = self._reported(record, suspects, Row(Fields(items, at), at)) if suspects else _NOTHING
        if reported:
            cells = [cell for cell in cells if cell[0][0] not in reported]
        flat = {path[0]: _leaf(text) for path, _, text in cells} if self._is_flat else None
        inputs = _parts(cells, self._findings) if flat is None else flat
        if "seeds" in self._reserved or "sweep" in self._reserved:
            given = {column.name for _, column, _ in cells}
            row = Section(Fields(items, at), self._findings, row_name(Row(Fields(items, at), at), ""))
            shot = identity.text if isinstance(identity, Text) else row.subject
            items |= self._swept(CellReader(row, shot, self._limits.points), record, given, inputs)
        if "take" in items:
            items.pop(TAKES, None)
        items["inputs"] = Fields(inputs, at, self.headings)
        # Result columns are left out, because the next report writes its own.
        own = {name: record.cells[index] for name, index in self._own}
        return Row(Fields(items, at, self._keys_at), at, own, reported)

    def _may_have_fault(self, cells: Sequence[str]) -> bool:
        return (
            may_have_fault(cells)
            or any(self._has_markup or may_be_filler(cells[index]) for index in self._prompts)
            or any(not cells[index].isdecimal() and cells[index] != "" for index in self._seeds)
        )

    def _tags(self, cell: Text) -> Items:
        """Return the tags of a cell, which commas and semicolons separate; a blank is a part of a tag."""
        tags = [" ".join(tag.split()) for tag in _TAG_ENDS.split(cell.text)]
        is_one = len(tags) == 1 and _TWO_WORDS.match(tags[0]) is not None
        if is_one and not self._has_blank_tags and not self._is_report:
            self._has_blank_tags = True
            message = f"{shown(tags[0])} is one tag; separate several with commas, here and in the rows below"
            self._findings.warn(cell.at, "tags", message)
        return Items(tuple(Text(tag, cell.at, quoted=True) for tag in tags if tag), cell.at)

    def _reported(self, record: Record, cells: list[_Cell], row: Row) -> frozenset[str]:
        """Report cells that a spreadsheet spoilt, and return the names of their inputs."""
        reported: list[str] = []
        for path, column, text in cells:
            is_guarded = column.number - 1 in record.guarded
            fault = None if text.quoted else fault_of(text.text.strip(), column.kind, is_guarded=is_guarded)
            # In a workbook a text that begins so is guarded.
            if self._is_workbook and text.text[0] == "=" and not is_guarded:
                fault = unstored(text.text)
            if fault is None:
                continue
            where = f"{row_name(row, '')}, inputs.{visible('.'.join(path))}"
            if fault.is_error:
                reported.append(path[0])
                self._findings.error(text.at, where, fault.message, nearest=fault.nearest)
            else:
                self._findings.warn(text.at, where, fault.message)
        return frozenset(reported)

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
            elif _COUNT.fullmatch(seeds.text):
                wanted = f"for {seeds.text} takes write {seeds.text} in a column takes"
                self._findings.warn(
                    seeds.at, row.where("seeds"), f"is one take with seed {seeds.text}; {wanted}"
                )
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
