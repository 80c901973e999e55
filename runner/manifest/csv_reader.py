"""Turns CSV text into records: cells as written, each with its physical line and its spreadsheet row.

It is stricter than the csv module: an unclosed quote hides no rows, and a row has no more cells than the header. Cells
that are missing at the end of a row are empty, as some spreadsheets leave them out, and each such row is a warning.
It knows column names only to find the separator and the ids.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from typing import NoReturn

from runner.domain.display import counted
from runner.domain.errors import Position
from runner.domain.ids import why_no_id
from runner.manifest.column_names import meant_column
from runner.manifest.decode import line_breaks
from runner.manifest.problems import Findings
from runner.manifest.size_limits import LONGER_TEXT, MORE_BYTES, MORE_TAKES, Limits
from runner.system.csv_cells import GUARD, unguard

# This replaces str.splitlines, which also breaks at characters that a prompt may hold, such as U+2028.
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DECLARED = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
# A header longer than this has too many columns anyway, and splitting all of it would waste memory.
_HEADER = 100_000
_SPREADSHEET_ROWS = 1_048_576
# Three cells are not of one form by chance.
_MANY = 3
_QUOTED = re.compile(r'"[^"]*(?:""[^"]*)*"')
_LINE_END = re.compile(r"\r\n?")
# What people take for quotes of CSV, and how each of them ends.
_QUOTATION = {"“": "”", "„": "“”", "«": "»", "‘": "’", "'": "'", "”": "”"}
# These are invisible, so a heading that begins with one looks right.
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


@dataclass(frozen=True, slots=True)
class Record:
    """One row: `number` is its row in a spreadsheet, `line` the physical line on which it begins.

    `guarded` holds the places, from 0, of cells of which an apostrophe was taken off.
    """

    number: int
    line: int
    cells: tuple[str, ...]
    guarded: tuple[int, ...] = ()

    def at(self, file: str, column: int) -> Position:
        """Return the place of a cell; `column` counts from 1."""
        return Position(file, self.line, column, f"{column_letters(column)}{self.number}")


@cache
def column_letters(column: int) -> str:
    """Return a column's name in a spreadsheet: 1 is A, 27 is AA."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters


def shape_of(text: str) -> str:
    """Return which kinds of characters a text has: the ids `s010` and `s20` are of one shape."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text.strip()))


def plain_heading(heading: str) -> str:
    """Return a heading without the blanks and invisible characters around it."""
    return heading.strip(f"{_INVISIBLE} \t\r\n\u00a0\u202f")


def detect_separator(text: str, known: Iterable[str]) -> str:
    """Return the separator that splits the first row into most known names, then into most cells."""
    names = frozenset(map(str.casefold, known))
    first = next((line[0][:_HEADER] for line in _LINE.finditer(text) if not line[0].isspace()), "")

    def score(separator: str) -> tuple[int, int]:
        cells = [plain_heading(cell.strip().strip('"')).casefold() for cell in first.split(separator)]
        return sum(cell in names for cell in cells), len(cells)

    # The first of several equals wins, so a file of one column counts as separated by commas.
    return max(_SEPARATORS, key=score)


def records_of(
    text: str,
    findings: Findings,
    limits: Limits,
    *,
    known: Iterable[str],
    header_row: int = 1,
    keeps_nameless: bool = False,
    checks_quotes: bool = True,
) -> Iterator[Record]:
    """Yield the header, its names trimmed, and then the records, as wide as it; `known` are names a header may have.

    Rows above `header_row`, which counts as a spreadsheet does, are passed over. Columns without a name at the end
    belong to the table if it `keeps_nameless`. With `checks_quotes` a cell that holds rows is an error.

    Raises:
        Stop: the rest cannot be trusted, or is more than the limits allow; the problem has been reported.
    """
    declared = _DECLARED.match(text)
    head = next(islice(_LINE.finditer(text), header_row - 1, None), None)
    separator = declared[1] if declared else detect_separator(text[head.start() if head else 0 :], known)
    is_doubtful = (
        separator != "," and any(each in head[0] for each in {*_SEPARATORS} - {separator}) if head else False
    )
    if is_doubtful and not declared:
        message = f"read with {_SEPARATORS[separator]} between the cells, as in the header"
        findings.warn(findings.at(1), "", message)
    end, lines = (declared.end(), 1) if declared else (0, 0)
    return _Reader(
        text, separator, findings, limits, end, lines, header_row, keeps_nameless, checks_quotes
    ).table()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suspect:
    """A quoted cell with what looks like rows in it, until line `ends`, in the row at the place `row` of the table.

    `ids` are the id that seems to be in it and the row's own, which is behind the cell if `is_behind`.
    """

    at: Position
    subject: str
    ends: int
    ids: tuple[str, str]
    row: int
    is_behind: bool
    is_same: bool
    is_alike: bool


@dataclass(slots=True)
class _Reader:
    """Passes physical lines to the csv module one by one, so that every record knows where it began.

    `end` is the place up to which `text` was read, after `lines` physical lines. `ids` are the cells of the column that
    seems to hold the ids, from the header on.
    """

    text: str
    separator: str
    findings: Findings
    limits: Limits
    end: int
    lines: int
    header_row: int
    keeps_nameless: bool
    checks_quotes: bool
    broken: bool = False
    id_at: int = 0
    ids: list[str] = field(default_factory=list)
    suspects: list[_Suspect] = field(default_factory=list)

    def table(self) -> Iterator[Record]:
        """Yield the header and the records."""
        records = self._records()
        header = next((record for record in records if record.number >= self.header_row), None)
        if header is None:
            self.findings.error(self.findings.at(1), "", "no shots: the file is empty")
            return
        names = [plain_heading(name) for name in header.cells]
        while names and not names[-1] and not self.keeps_nameless:
            names.pop()
        meant = list(map(meant_column, names))
        self.id_at = meant.index("id") if "id" in meant else 0
        self.ids += names[self.id_at : self.id_at + 1]
        yield replace(header, cells=tuple(names))
        width, found, written = len(names), 0, 0
        for found, record in enumerate(records, 1):
            if found > self.limits.takes:
                self._stop(record.line, "", f"more than {self.limits.takes:,} rows; {MORE_TAKES}")
            self.ids.append(record.cells[self.id_at].strip() if self.id_at < len(record.cells) else "")
            # Only a filled cell counts: it becomes a value with its place, and an empty one takes little memory.
            written += sum(map(bool, record.cells))
            if written > self.limits.cells or found * width > 4 * self.limits.cells:
                self._stop(record.line, "", f"more than {self.limits.cells:,} cells; {MORE_BYTES}")
            fitted = record if len(record.cells) == width else self._fitted(record, header, width)
            if fitted:
                yield fitted
        self._judge()
        if not found and not self.broken:
            self.findings.error(self.findings.at(header.line), "", "no shots: there is only a header")

    def _feed(self) -> Iterator[str]:
        for line in _LINE.finditer(self.text, self.end):
            self.lines += 1
            self.end = line.end()
            yield line[0]

    def _records(self) -> Iterator[Record]:
        # The csv module has one limit for the whole process, far below what a person may ask for.
        csv.field_size_limit(max(131_072, self.limits.text_bytes + 1))
        reader = self._reader()
        for number in range(1, _SPREADSHEET_ROWS + 1):
            begin, line = self.end, self.lines + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                # The csv reader forgets the broken record, and begins a new one on the next line.
                self._explain(error, self.text[begin : self.end], line, f"row {number}")
                continue
            whole = "".join(cells)
            # A blank row is skipped, but a spreadsheet counts it, and so does `number`.
            if not whole or whole.isspace():
                continue
            is_spaced = '"' in whole and any(
                cell[0].isspace() and cell.lstrip()[:1] == '"' for cell in cells if cell
            )
            if is_spaced:
                cells = self._without_blanks(begin, line) or cells
                reader, whole = self._reader(), "".join(cells)
            if self.checks_quotes and ("\n" in whole or "\r" in whole):
                self._check_swallowed(cells, line, f"row {number}", is_table_spaced=is_spaced)
            record = Record(number, line, tuple(cells))
            if GUARD in whole:
                plain = tuple(map(unguard, cells))
                guarded = tuple(i for i, cell in enumerate(cells) if cell != plain[i])
                record = replace(record, cells=plain, guarded=guarded)
            if len(cells) > self.limits.columns or self.limits.too_long(whole):
                self._check_sizes(record)
            yield record
        message = f"more than {_SPREADSHEET_ROWS:,} rows, the most a spreadsheet can have"
        self._stop(self.lines + 1, "", message)

    def _reader(self, *, skip_blanks: bool = False) -> Iterator[list[str]]:
        """Return a reader that goes on where the text was read to."""
        lines = self._feed()
        if skip_blanks:
            # The csv module skips only the plain blank.
            before_quote = re.compile(rf'(?<![^{self.separator}\r\n])[^\S\r\n{self.separator}]+(?=")')
            lines = (before_quote.sub(" ", line) for line in lines)
        return csv.reader(lines, delimiter=self.separator, strict=True, skipinitialspace=skip_blanks)

    def _without_blanks(self, begin: int, line: int) -> list[str] | None:
        """Read a record again with the blanks before its quotes skipped; None if its quotes are no quotes of CSV."""
        after = self.end, self.lines
        self.end, self.lines = begin, line - 1
        try:
            return next(self._reader(skip_blanks=True))
        except (csv.Error, StopIteration):
            self.end, self.lines = after
            return None

    def _check_swallowed(
        self, cells: Sequence[str], line: int, subject: str, *, is_table_spaced: bool
    ) -> None:
        """Note a quoted cell with rows in it: its quote was not closed, and the next one seemed to close it.

        The first line of such a cell ends as its row does, and the last line begins as a row does. With
        `is_table_spaced` the table itself has blanks behind its separators.
        """
        for column, cell in enumerate(cells, 1):
            first, *others = (text.split(self.separator) for text in _LINE_END.sub("\n", cell).split("\n"))
            after = cells[column:]
            if not others or len(first) <= len(after) or len(others[-1]) < column:
                continue
            found = [*others[-1][: column - 1], *first[len(first) - len(after) :]]
            pairs = list(zip(found, [*cells[: column - 1], *after], strict=True))
            # A blank follows the commas of prose, and is rare behind those of a table.
            is_spaced = any(part[:1].isspace() for part in [*found[1:], others[-1][column - 1]])
            is_same = any("/" in own and part.strip() == own.strip() for part, own in pairs)
            is_alike = is_same or any("://" in part and "://" in own for part, own in pairs)
            if not is_spaced or is_table_spaced:
                is_alike |= any(_is_alike(*pair) for pair in pairs)
                is_alike |= len(pairs) >= _MANY and all(
                    shape_of(part) == shape_of(own) for part, own in pairs
                )
            if is_alike or not is_spaced:
                opens = line + sum(map(line_breaks, cells[: column - 1]))
                is_behind = self.id_at >= column
                ids = next(islice(pairs, self.id_at - is_behind, None), ("", ""))
                self.suspects.append(
                    _Suspect(
                        at=Position(self.findings.file, opens, column),
                        subject=subject,
                        ends=opens + line_breaks(cell),
                        ids=ids if self.id_at != column - 1 else ("", ""),
                        row=len(self.ids),
                        is_behind=is_behind,
                        is_same=is_same,
                        is_alike=is_alike,
                    )
                )

    def _judge(self) -> None:
        """Report the quoted cells with rows in them: an error only if the id in one is missing among the rows."""
        filled = list(filter(None, self.ids))
        known, forms = set(filled), {shape_of(each) for each in filled[1:]}
        for suspect in self.suspects:
            part, own = (text.strip() for text in suspect.ids)
            # Where ids repeat, the column may hold something else.
            if part in known and part != own and len(known) == len(filled):
                continue
            # The next row's id if the row's own is before the quote, or the id of the row before.
            place = suspect.row - 1 if suspect.is_behind else suspect.row + 1
            beside = self.ids[place] if 0 <= place < len(self.ids) else ""
            around = [beside, part, own] if suspect.is_behind else [own, part, beside]
            shape = shape_of(part)
            # Behind an id there may be a part such as the A of 3A.
            is_id = why_no_id(part) is None and any(
                shape[:end] in forms and ("9" in shape[:end] or end == len(shape))
                for end in range(1, len(shape) + 1)
            )
            told = f"the quote that opens here ends at line {suspect.ends}, and in it is what "
            if suspect.is_same or (suspect.is_alike and is_id and all(map(_is_before, around, around[1:]))):
                self.findings.error(suspect.at, suspect.subject, f"{told}looks like rows; close it")
            elif suspect.is_alike or is_id:
                told += (
                    f"may be rows; close it, or write a blank after the {_SEPARATORS[self.separator]} in it"
                )
                self.findings.warn(suspect.at, suspect.subject, told)

    def _check_sizes(self, record: Record) -> None:
        subject = f"row {record.number}"
        if len(record.cells) > self.limits.columns:
            self._stop(record.line, subject, f"more than {self.limits.columns:,} columns")
        for column, cell in enumerate(record.cells, 1):
            if self.limits.too_long(cell):
                message = f"this cell is larger than {self.limits.text_bytes:,} bytes; {LONGER_TEXT}"
                self.findings.error(record.at(self.findings.file, column), subject, message)

    def _explain(self, error: csv.Error, raw: str, line: int, subject: str) -> None:
        """Report a broken record, whose text is `raw`.

        Raises:
            Stop: what follows cannot be trusted.
        """
        self.broken = True
        column, opened, closed = _find_fault(raw, self.separator)
        first = line + line_breaks(raw[:opened])
        at = Position(self.findings.file, first, column)
        if closed is None:
            message = "the quote that opens here is never closed, so the rows after it would be lost"
            # The csv module stops at its limit, which is always above the program's own.
            if "limit" in str(error):
                message = f"this cell is larger than {self.limits.text_bytes:,} bytes; is its quote closed?"
            self.findings.stop(at, subject, message)
        last = line + line_breaks(raw[:closed])
        is_blank = not raw[closed:].split(self.separator)[0].strip()
        message = "text follows a closing quote; write a quote inside a quoted cell twice"
        if is_blank:
            message = "a blank follows a closing quote; remove it"
        # The usual mistake is a missing quote, so that the next quote, rows below, seems to close the cell.
        if last != first:
            message = f"the quote that opens here ends at line {last} in the middle of a cell; close it"
        self.findings.error(at, subject, message)

    def _fitted(self, record: Record, header: Record, width: int) -> Record | None:
        """Return a record as wide as the header, or None if it is a line of text; what does not fit is reported."""
        cells, is_cut = record.cells, self.end == len(self.text) and self.text[-1:] not in "\r\n"
        filled = [place for place, cell in enumerate(cells) if place >= width and cell.strip()]
        place, is_short = filled[0] if filled else len(cells) - 1, len(cells) < width
        message = f"has {counted(len(cells), 'cell')} where the header has {width}"
        if len(cells) == 1 < width and self.separator in cells[0]:
            message = "the quotes are around the whole row, so it is one cell; remove them"
        elif len(cells) == 1 < width:
            message = "is a line without cells; put a text of several lines in quotes, and remove remarks"
        elif len(cells) < width and is_cut:
            message += "; is the file complete?"
        elif len(cells) < width:
            message += "; the others are read as empty"
        elif filled and (quoted := _quoted_otherwise(cells, self.separator)):
            place, cells = quoted
            message = f'{record.cells[place].strip()[0]} is not a quote of CSV; write " around the cell'
        elif filled and place < len(header.cells):
            message = f"the column {column_letters(place + 1)} has no heading"
        else:
            message += "; quote a cell that holds the separator"
        if filled or is_short:
            is_warning = is_short and len(cells) > 1 and not is_cut
            report = self.findings.warn if is_warning else self.findings.error
            report(record.at(self.findings.file, place + 1), f"row {record.number}", message)
        if len(cells) == 1 < width:
            return None
        # The other cells of a row that is too short or too long are still checked, so it hides nothing else.
        return replace(record, cells=(cells + ("",) * width)[:width])

    def _stop(self, line: int, subject: str, message: str) -> NoReturn:
        self.findings.stop(self.findings.at(line), subject, message)


def _is_before(first: str, second: str) -> bool:
    """Return whether two ids may follow each other; only numbers of one form have an order."""
    shape = shape_of(first)
    is_ordered = "9" in shape and shape == shape_of(second)
    return (len(first), first) < (len(second), second) if is_ordered else first != second


def _is_alike(part: str, own: str) -> bool:
    """Return whether a part of a line could be the cell of another row: the same text, or a number of its form."""
    shape = shape_of(part)
    return bool(shape) and (part.strip() == own.strip() or ("9" in shape and shape == shape_of(own)))


def _quoted_otherwise(cells: Sequence[str], separator: str) -> tuple[int, tuple[str, ...]] | None:
    """Return the place of a cell in quotes that are none of CSV, and the cells with its parts joined."""
    for first, cell in enumerate(cells):
        ends = _QUOTATION.get(cell.strip()[:1], "")
        last = next(
            (n for n in range(first + 1, len(cells)) if ends and cells[n].strip()[-1:] in [*ends]), None
        )
        if last:
            return first, (*cells[:first], separator.join(cells[first : last + 1]), *cells[last + 1 :])
    return None


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
