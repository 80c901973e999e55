"""The text of a file of picks: into rows, and back with some of them changed.

In: the bytes of a `picks.csv`, or of a report whose column `pick` was filled in. Out: rows, and bytes. What the program
does not know of a file stays: columns, rows, separator, line ends, byte-order mark. It opens no file.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from runner.domain.display import visible
from runner.domain.errors import PicksInvalid
from runner.domain.picks import Decision, Pick
from runner.domain.take_names import TakeNames
from runner.system.csv_cells import GUARD, guard, unguard

COLUMNS: Final = ("shot", "take", "decision", "note", "who", "when")
"""The columns of a new file; a column `at` follows with the first comment that has a time."""

_REPORTED: Final = "pick"
"""The column of a report that takes the place of `decision`."""

_WORDS: Final[Mapping[str, Decision]] = {
    **dict.fromkeys(("pick", "picked", "x", "yes", "y", "1", "ok", "true"), Decision.PICK),
    **dict.fromkeys(("reject", "rejected", "no", "n", "-"), Decision.REJECT),
    **dict.fromkeys(("maybe", "?"), Decision.MAYBE),
}
_ADVICE = "write pick, reject or maybe, or leave the cell empty"
_TIME = re.compile(r"(?:(?:(\d{1,3}):)?(\d{1,4}):)?(\d{1,6}(?:[.,]\d{1,9})?)", re.ASCII)
_SPREADSHEET_TIMES = ("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")
"""How a spreadsheet may have changed a time; one with slashes would have two meanings."""

_SHOWN = 10
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the file: its cells as they are, and what it says; `pick` is None for a row that says nothing."""

    cells: tuple[str, ...]
    pick: Pick | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """A table after a merge, and the rows that were added or changed by it."""

    table: PicksTable
    changed: tuple[Pick, ...]


@dataclass(frozen=True, slots=True)
class PicksTable:
    """A file of picks: its header, its records, and how it is written.

    `read_as` counts the words that were taken for a decision without being one, such as `x`.
    """

    header: tuple[str, ...] = COLUMNS
    records: tuple[Record, ...] = ()
    separator: str = ","
    line_end: str = "\r\n"
    mark: str = "\ufeff"
    read_as: Mapping[tuple[str, Decision], int] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[Pick, ...]:
        """What the records say, in their order."""
        return tuple(record.pick for record in self.records if record.pick)

    @property
    def is_report(self) -> bool:
        """True if this is a report, whose empty cells say nothing."""
        names = _names(self.header)
        return _REPORTED in names and "decision" not in names

    @property
    def has_comments(self) -> bool:
        """True if a row without a decision is a comment beside the person's decision: the file has a column `at`."""
        return "at" in _names(self.header)

    def named(self, names: TakeNames) -> PicksTable:
        """Return the table with the ids that takes have now, where a row has a label, a number or an id of before."""
        return replace(self, records=tuple(_named(record, names) for record in self.records))

    def merged(self, rows: Iterable[Pick]) -> Merged:
        """Return the table with `rows`: one row for each take and person, of which the newest counts.

        Of two of the same time the one of `rows` counts. A comment stays as it is; the same one is not added twice.
        """
        records = list(self.records)
        places = {_key(record.pick): place for place, record in enumerate(records) if record.pick}
        header, changed = _with_columns(self.header, rows := tuple(rows)), list[Pick]()
        newest: dict[str, str] = {}
        for pick in (record.pick for record in records if record.pick):
            newest[pick.take] = max(pick.moment, newest.get(pick.take, ""))
        for row in rows:
            place = places.get(_key(row))
            before = None if place is None else records[place].pick
            if before is not None and (row.is_comment or row.moment < before.moment):
                continue
            cells = () if place is None else records[place].cells
            record = Record(_cells(header, row, cells), row)
            if place is None:
                places[_key(row)] = len(records)
                records.append(record)
            else:
                records[place] = record
            # The same word at a later time is news only if it outweighs what others said in between.
            if (
                before is None
                or not _says_the_same(row, before)
                or before.moment < newest.get(row.take, "") < row.moment
            ):
                changed.append(row)
        return Merged(replace(self, header=header, records=tuple(records)), tuple(changed))

    def to_bytes(self) -> bytes:
        """Return the file; cells that came with it are as they were, and new ones are guarded against formulas."""
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.separator, lineterminator=self.line_end)
        writer.writerow(self.header)
        writer.writerows(record.cells for record in self.records)
        return (self.mark + text.getvalue()).encode("utf-8", "replace")


def read_table(data: bytes, *, file: str, who: str = "", when: str = "") -> PicksTable:
    """Return the table in the bytes of a file; `who` and `when` are for rows that name no one and no time.

    Raises:
        PicksInvalid: it is not such a file, or cells cannot be read; the message names each with its line and column.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PicksInvalid(
            f"{file}: byte {error.start + 1} is not UTF-8", advice="save it as CSV UTF-8 in the spreadsheet"
        ) from error
    if not text.strip("\ufeff \r\n"):
        return PicksTable()
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    text = text.removeprefix(mark)
    first = text.partition("\n")[0]
    separator = max(",;\t", key=first.count)
    lines = _lines(text, separator, file)
    header = tuple(lines[0][1]) if lines else ()
    names = _names(header)
    if not {"take"} <= names.keys() or not ({"decision", _REPORTED} & names.keys()):
        raise PicksInvalid(
            f"{file}: its first line has no column take, or neither decision nor pick",
            advice=f"the columns are {','.join(COLUMNS)}; give the file of the page, or a report.csv",
        )
    reader = _Reader(header, who, when)
    records = tuple(reader.record(line, cells) for line, cells in lines[1:])
    if reader.faults:
        more = f"; and {len(reader.faults) - _SHOWN:,} more" if len(reader.faults) > _SHOWN else ""
        raise PicksInvalid(f"{file}: {'; '.join(reader.faults[:_SHOWN])}{more}", advice=_ADVICE)
    line_end = "\r\n" if first.endswith("\r") or not first else "\n"
    return PicksTable(header, records, separator, line_end, mark, dict(reader.read_as))


def _lines(text: str, separator: str, file: str) -> list[tuple[int, list[str]]]:
    """Return the records with the lines where they begin, counted from 1."""
    reader, lines, begins = csv.reader(io.StringIO(text, newline=""), delimiter=separator), [], 1
    try:
        for cells in reader:
            lines.append((begins, cells))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise PicksInvalid(
            f"{file}: line {begins} cannot be read: {error}", advice="correct the quotes there"
        ) from error
    return lines


def _names(header: Sequence[str]) -> Mapping[str, int]:
    """Return the place of each column by its name without case and blanks; of two the first counts."""
    found: dict[str, int] = {}
    for place, heading in enumerate(header):
        found.setdefault(heading.strip().casefold(), place)
    return found


class _Reader:
    """Reads records under one header, and collects what is wrong with them."""

    def __init__(self, header: Sequence[str], who: str, when: str) -> None:
        self._names = _names(header)
        self._is_report = "decision" not in self._names
        self._who, self._when = who, when
        self.faults: list[str] = []
        self.read_as: Counter[tuple[str, Decision]] = Counter()

    def record(self, line: int, cells: Sequence[str]) -> Record:
        """Return a record; what cannot be read is noted, and the record then says nothing."""
        kept = tuple(cells)
        take, word = self._cell(cells, "take"), self._word(cells)
        note, at = ("", "") if self._is_report else (self._cell(cells, "note"), self._cell(cells, "at"))
        # A row of a report without a decision says nothing; in a file of picks it takes an earlier one back.
        if not (word if self._is_report else take or word or note or at):
            return Record(kept)
        faults = len(self.faults)
        decision = _WORDS.get(word.casefold())
        if not take:
            self._fault(line, "take", take, "is empty")
        if word and decision is None:
            self._fault(line, _REPORTED if self._is_report else "decision", word, "is not a decision")
        when, second = self._moment(line, cells), _seconds(at)
        if at and second is None:
            self._fault(line, "at", at, "is not a time in a clip, such as 2.5 or 0:02.5")
        if len(self.faults) > faults:
            return Record(kept)
        if decision is not None and word.casefold() != decision:
            self.read_as[word, decision] += 1
        shot = self._cell(cells, "id" if self._is_report else "shot")
        who = "" if self._is_report else self._cell(cells, "who")
        return Record(kept, Pick(shot, take, decision, note, who or self._who, when, second))

    def _word(self, cells: Sequence[str]) -> str:
        return self._cell(cells, _REPORTED if self._is_report else "decision")

    def _moment(self, line: int, cells: Sequence[str]) -> str:
        text = "" if self._is_report else self._cell(cells, "when")
        found = moment(text) if text else self._when
        if found is None:
            self._fault(line, "when", text, "is not a time such as 2027-01-31T07:00:00Z")
        return found or ""

    def _cell(self, cells: Sequence[str], column: str) -> str:
        place = self._names.get(column)
        cell = "" if place is None or place >= len(cells) else cells[place]
        return (unguard(cell) if GUARD in cell else cell).strip()

    def _fault(self, line: int, column: str, cell: str, why: str) -> None:
        shown = f"{visible(cell, _LONGEST)!r} " if cell else ""
        self.faults.append(f"line {line}, column {column}: {shown}{why}")


def moment(text: str) -> str | None:
    """Return a time in UTC as `2027-01-31T07:00:00Z`, with milliseconds if it has any; None if it is not a time.

    A time without a zone counts as UTC.
    """
    try:
        found = _time(text)
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found.isoformat(timespec="milliseconds" if found.microsecond else "seconds")[:-6] + "Z"


def _time(text: str) -> datetime:
    with suppress(ValueError):
        return datetime.fromisoformat(text)
    for form in _SPREADSHEET_TIMES:
        with suppress(ValueError):
            return datetime.strptime(text, form)  # noqa: DTZ007 - the caller adds the zone
    raise ValueError(text)


def _seconds(text: str) -> float | None:
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _named(record: Record, names: TakeNames) -> Record:
    row = record.pick
    take = names.written(row.take, shot=row.shot, when=row.when) if row else None
    if row is None or take is None or take.take_id == row.take:
        return record
    # A later reader finds the take by the id that it had at this time, which may be another take's id now.
    former = row.take if names.is_former(row.take) else ""
    return replace(record, pick=replace(row, take=take.take_id, former=former))


def _key(row: Pick) -> tuple[object, ...]:
    return (row.take, row.who, row.at, row.note) if row.is_comment else (row.take, row.who)


def _says_the_same(row: Pick, before: Pick) -> bool:
    return (row.decision, row.note) == (before.decision, before.note)


def _with_columns(header: Sequence[str], rows: Iterable[Pick]) -> tuple[str, ...]:
    """Return the header with the columns that it lacks for these rows."""
    wanted = (*COLUMNS, "at") if any(row.at is not None for row in rows) else COLUMNS
    return (*header, *(name for name in wanted if name not in _names(header)))


def _cells(header: Sequence[str], row: Pick, before: Sequence[str]) -> tuple[str, ...]:
    """Return the cells of a row; those of columns that the program does not know are as they were."""
    at = "" if row.at is None else f"{row.at:.3f}".rstrip("0").rstrip(".")
    said = {
        "shot": row.shot,
        "take": row.former or row.take,
        "decision": row.decision or "",
        "note": row.note,
        "who": row.who,
        "when": row.when,
        "at": at,
    }
    cells = [*before, *[""] * (len(header) - len(before))]
    for name, place in _names(header).items():
        if name in said:
            cells[place] = guard(str(said[name]))
    return tuple(cells)
