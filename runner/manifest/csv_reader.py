"""Turns CSV text into records: cells as written, each with its physical line and its spreadsheet row.

In: text. Out: a header, its records, and findings. It is strict where the csv module is lenient: an unclosed quote
hides no rows, and a row has exactly as many cells as the header. It knows column names only to find the separator of
a header.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from runner.domain.errors import Position
from runner.manifest.problems import Findings, Stop, shown
from runner.manifest.size_limits import LONGER_TEXT, MORE_BYTES, MORE_TAKES, Limits
from runner.system.csv_cells import unguard

# This replaces str.splitlines, which also breaks at characters that may stand in a prompt, such as U+2028.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_DECLARED = re.compile(r'"?sep=(.)"?(?=[\r\n]|\Z)', re.IGNORECASE)
# A header longer than this has too many columns anyway, and splitting all of it would waste memory.
_HEADER = 100_000
_SPREADSHEET_ROWS = 1_048_576
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"')


@dataclass(frozen=True, slots=True)
class Record:
    """One row: `number` is its row in a spreadsheet, `line` the physical line on which it begins."""

    number: int
    line: int
    cells: tuple[str, ...]

    def at(self, file: str, column: int) -> Position:
        """Return the place of a cell; `column` counts from 1."""
        return Position(file, self.line, column, f"{column_letters(column)}{self.number}")


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file: its header, trimmed, and its records, all as wide as the header."""

    header: Record
    records: tuple[Record, ...]


@cache
def column_letters(column: int) -> str:
    """Return a column's name in a spreadsheet: 1 is A, 27 is AA."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def parse_csv(text: str, findings: Findings, limits: Limits, *, known: Iterable[str]) -> Table | None:
    """Return the table in `text`, or None if it has no readable header; `known` are names a header may have."""
    separator = _declared(text)
    skipped = separator is not None
    if separator is None:
        separator = detect_separator(text, known)
        if separator == ";" or (separator == "\t" and not findings.file.lower().endswith(".tsv")):
            message = f"read with {_SEPARATORS[separator]} between the cells, as in the header"
            findings.warn(findings.at(1), "", message)
    reader = _Reader(text, separator, findings, limits, skipped=int(skipped))
    try:
        return reader.table()
    except Stop:
        return None


def detect_separator(text: str, known: Iterable[str]) -> str:
    """Return the separator that splits the first row into most known names, then into most cells."""
    names = frozenset(known)
    first = next((line[0][:_HEADER] for line in _LINE.finditer(text) if not line[0].isspace()), "")

    def score(separator: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in first.split(separator)]
        return sum(cell in names for cell in cells), len(cells)

    # The first of several equals wins, so a file of one column counts as separated by commas.
    return max(_SEPARATORS, key=score)


def _declared(text: str) -> str | None:
    found = _DECLARED.match(text)
    return found[1] if found and found[1] in {*_SEPARATORS, "|"} else None


class _Reader:
    """Passes physical lines to the csv module one by one, so that every record knows where it began."""

    def __init__(
        self, text: str, separator: str, findings: Findings, limits: Limits, *, skipped: int
    ) -> None:
        self._lines = _LINE.finditer(text)
        for _ in range(skipped):
            next(self._lines)
        self._read = skipped
        self._separator = separator
        # These are the physical lines of the current record, in which a fault is located.
        self._raw: list[str] = []
        self._findings = findings
        self._limits = limits
        self._broken = False

    def table(self) -> Table | None:
        records = self._records()
        header = next(records, None)
        if header is None:
            self._findings.error(self._findings.at(1), "", "no shots: the file is empty")
            return None
        header = self._trimmed_header(header)
        width = len(header.cells)
        found: list[Record] = []
        written = 0
        for record in records:
            if len(found) == self._limits.takes:
                message = f"more than {self._limits.takes:,} rows; {MORE_TAKES}"
                self._findings.error(self._findings.at(record.line), "", message)
                raise Stop
            # Only a filled cell counts: it becomes a value with its place, and an empty one takes little memory.
            written += sum(map(bool, record.cells))
            if written > self._limits.cells or len(found) * width > 4 * self._limits.cells:
                message = f"more than {self._limits.cells:,} cells; {MORE_BYTES}"
                self._findings.error(self._findings.at(record.line), "", message)
                raise Stop
            found.append(self._fitted(record, width))
        if not found and not self._broken:
            self._findings.error(self._findings.at(header.line), "", "no shots: there is only a header")
        return Table(header, tuple(found))

    def _feed(self) -> Iterator[str]:
        for line in self._lines:
            self._read += 1
            self._raw.append(line[0])
            yield line[0]

    def _records(self) -> Iterator[Record]:
        # The csv module has one limit for the whole process, far below what a person may ask for.
        csv.field_size_limit(max(131_072, self._limits.text_bytes + 1))
        reader = csv.reader(self._feed(), delimiter=self._separator, strict=True)
        number = 0
        while True:
            start = self._read
            self._raw.clear()
            number += 1
            if number > _SPREADSHEET_ROWS:
                message = f"more than {_SPREADSHEET_ROWS:,} rows, the most a spreadsheet can have"
                self._findings.error(self._findings.at(start + 1), "", message)
                raise Stop
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._explain(error, start, number)
                # The csv reader forgets the broken record, and begins a new one on the next line.
                continue
            # A blank row is skipped, but a spreadsheet counts it, and so does `number`.
            if any(cell and not cell.isspace() for cell in cells):
                self._check_sizes(cells, start, number)
                yield Record(number, start + 1, tuple(unguard(cell) for cell in cells))

    def _check_sizes(self, cells: list[str], start: int, number: int) -> None:
        if len(cells) > self._limits.columns:
            message = f"more than {self._limits.columns:,} columns"
            self._findings.error(self._findings.at(start + 1), f"row {number}", message)
            raise Stop
        for column, cell in enumerate(cells, 1):
            if self._limits.too_long(cell):
                at = Record(number, start + 1, ()).at(self._findings.file, column)
                message = f"this cell is larger than {self._limits.text_bytes:,} bytes; {LONGER_TEXT}"
                self._findings.error(at, f"row {number}", message)

    def _explain(self, error: csv.Error, start: int, number: int) -> None:
        self._broken = True
        raw = "".join(self._raw)
        column, opened, closed = _find_fault(raw, self._separator)
        first_line = start + 1 + _line_breaks(raw[:opened])
        subject = f"row {number}"
        at = Position(self._findings.file, first_line, column)
        # The usual mistake is a missing quote, so that the next quote, rows below, seems to close the cell.
        if closed is not None:
            last_line = start + 1 + _line_breaks(raw[:closed])
            message = "text follows a closing quote; write a quote inside a quoted cell twice"
            if last_line != first_line:
                message = (
                    f"the quote that opens here ends at line {last_line} in the middle of a cell; close it"
                )
            self._findings.error(at, subject, message)
        # The csv module stops at its limit, which is always past our own; what follows cannot be trusted.
        elif "limit" in str(error):
            most = self._limits.text_bytes
            self._findings.error(
                at, subject, f"this cell is larger than {most:,} bytes; is its quote closed?"
            )
            raise Stop
        else:
            message = "the quote that opens here is never closed, so the rows after it would be lost"
            self._findings.error(at, subject, message)
            raise Stop

    def _trimmed_header(self, header: Record) -> Record:
        names = [name.strip() for name in header.cells]
        while names and not names[-1]:
            names.pop()
        seen: dict[str, int] = {}
        for column, name in enumerate(names, 1):
            at = header.at(self._findings.file, column)
            if not name:
                self._findings.error(at, "header", "a column between others has no name")
            elif name in seen:
                message = f"the column {shown(name)} appears twice (first as column {seen[name]})"
                self._findings.error(at, "header", message)
            seen.setdefault(name, column)
        return Record(header.number, header.line, tuple(names))

    def _fitted(self, record: Record, width: int) -> Record:
        cells = record.cells
        if len(cells) == width:
            return record
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            message = (
                f"has {len(cells)} cells where the header has {width}; quote a cell that holds the separator"
            )
            self._findings.error(
                record.at(self._findings.file, min(len(cells), width + 1)), f"row {record.number}", message
            )
        # The other cells of a row that is too short or too long are still checked, so it hides nothing else.
        return Record(record.number, record.line, (cells + ("",) * width)[:width])


def _line_breaks(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _find_fault(raw: str, separator: str) -> tuple[int, int, int | None]:
    """Return the number of a record's broken cell, where its quote opens, and where it closes (None: nowhere)."""
    column, start = 1, 0
    while start < len(raw):
        opened, end = start, start
        if raw[start] == '"':
            quoted = _QUOTED.match(raw, start)
            if quoted is None:
                return column, opened, None
            end = quoted.end()
            if end < len(raw) and raw[end] not in f"{separator}\r\n":
                return column, opened, end
        nearest = raw.find(separator, end)
        if nearest < 0:
            break
        column, start = column + 1, nearest + 1
    return column, start, None
