"""Reads one sheet of an Excel workbook as CSV text, so that a workbook and its CSV export give the same rows.

In: the bytes of an `.xlsx` file. Out: the bytes of a CSV, one line for each row of the sheet, each value as the sheet
shows it. It knows no column, runs no formula and follows no link of the workbook.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zipfile import BadZipFile, ZipFile

from runner.domain.display import counted, listed
from runner.domain.errors import ExtraMissing, Position
from runner.manifest.csv_reader import column_letters
from runner.manifest.problems import Findings, Stop, shown
from runner.manifest.sheet_layout import SheetLayout, layout_of
from runner.manifest.size_limits import MORE_BYTES, Limits
from runner.system.csv_cells import guard

SEPARATOR_LINE = "sep=,\r\n"
"""The first line of the CSV, which is not a row: it names the separator, as Excel itself does."""

_UNPACKED = 16
_ROWS = 1_048_576
_SAVE = "save the sheet as .xlsx or as CSV UTF-8"
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# A sheet shows 10 as 010 if its format is 000.
_PADDED = re.compile("0{2,}")


def csv_of(
    data: bytes, findings: Findings, limits: Limits, *, sheet: str = "", header_row: int = 1
) -> tuple[bytes, str]:
    """Return a sheet of a workbook as CSV, and its name: the one called `sheet`, or else the first that is not hidden.

    Its rows are as wide as that of the headings, the first one from `header_row` on that is not blank. With a
    `header_row` of 0 each row is as wide as it is.

    Raises:
        ExtraMissing: openpyxl is not installed.
        Stop: this is not a workbook that can be read, or it is too large; the problem has been reported.
    """
    try:
        from openpyxl import load_workbook
    except ImportError as error:
        raise ExtraMissing("an Excel workbook", extra="excel") from error

    def book(*, shows_values: bool) -> Any:  # noqa: ANN401 - openpyxl has no types
        return load_workbook(io.BytesIO(data), read_only=True, data_only=shows_values, keep_links=False)

    try:
        # openpyxl warns of styles and rules that it leaves out, and none of them changes a value.
        with warnings.catch_warnings(action="ignore"):
            archive = _unpacked(data, findings, limits)
            chosen = _sheet(book(shows_values=True), sheet, findings)
            written = book(shows_values=False)[chosen.title] if _has_formulas(archive) else None
            layout = layout_of(archive.read(chosen._worksheet_path))  # noqa: SLF001 - it has no public name
            rows = _rows(chosen, written, layout, findings, limits, header_row)
            text = _text(rows, findings, limits, header_row)
    except (Stop, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - in a damaged workbook openpyxl stumbles in many ways
        findings.stop(findings.at(), "", f"the workbook is damaged ({type(error).__name__}); {_SAVE}")
    return text.encode("utf-8", "replace"), chosen.title


def _unpacked(data: bytes, findings: Findings, limits: Limits) -> ZipFile:
    """Return the parts of a workbook that is safe to unpack: no macros, and no small file that becomes a large one."""
    if len(data) > limits.file_bytes:
        message = f"larger than {limits.file_bytes:,} bytes, pictures included; save the sheet as CSV UTF-8"
        findings.stop(findings.at(), "", message)
    try:
        archive = ZipFile(io.BytesIO(data))
    except BadZipFile:
        findings.stop(findings.at(), "", f"not an .xlsx workbook{_other_form(data)}; {_SAVE}")
    sizes = {part.filename.lower(): part.file_size for part in archive.infolist()}
    if "xl/workbook.xml" not in sizes:
        findings.stop(findings.at(), "", f"not an .xlsx workbook{_other_form(data)}; {_SAVE}")
    if any(name.endswith("vbaproject.bin") for name in sizes):
        findings.stop(findings.at(), "", f"a workbook with macros is not opened; {_SAVE}")
    if sum(sizes.values()) > _UNPACKED * limits.file_bytes:
        findings.stop(findings.at(), "", f"the workbook unpacks to too many bytes; {MORE_BYTES}")
    return archive


def _other_form(data: bytes) -> str:
    """Return what a file is instead of a workbook, as far as its first bytes show."""
    if data.startswith(b"PK") and b"opendocument.spreadsheet" in data[:200]:
        return " but an .ods sheet of LibreOffice"
    if data.startswith(b"PK") and b"Index/" in data:
        return " but a document of Numbers"
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return ": it is an older .xls, or it has a password"
    return "" if b"\0" in data[:1000] else " but text; call it .csv if it is a table"


def _has_formulas(archive: ZipFile) -> bool:
    sheets = [
        name for name in archive.namelist() if re.fullmatch(r"xl/worksheets/.*\.xml", name, re.IGNORECASE)
    ]
    return any(b"<f" in archive.read(name) for name in sheets)


def _sheet(book: Any, wanted: str, findings: Findings) -> Any:  # noqa: ANN401 - openpyxl has no types
    sheets = {each.title: each for each in book.worksheets if wanted or each.sheet_state == "visible"}
    if wanted and wanted not in sheets:
        names = ", ".join(map(shown, [*sheets][:20]))
        message = f"the workbook has no sheet {shown(wanted)}; its sheets are {names}"
        findings.error(findings.at(), "", message, nearest=findings.nearest(wanted, sheets))
        findings.cut()
    if not sheets:
        findings.stop(findings.at(), "", "the workbook has no visible sheet of cells")
    first, *others = sheets
    if others and not wanted:
        names = ", ".join(map(shown, others[:5]))
        message = f"read from the sheet {shown(first)}; the others are {names} (import --sheet NAME chooses)"
        findings.warn(findings.at(), "", message)
    return sheets[wanted or first]


def _rows(
    sheet: Any,  # noqa: ANN401 - as above
    written: Any,  # noqa: ANN401 - as above
    layout: SheetLayout,
    findings: Findings,
    limits: Limits,
    header_row: int,
) -> Iterator[list[str]]:
    """Yield each row without the empty cells at its end; `written` is the same sheet with formulas, if it has any."""
    # A workbook may claim any size, and the claim would be filled with empty cells.
    sheet.reset_dimensions()
    if written:
        written.reset_dimensions()
    formulas = written.iter_rows() if written else iter(())
    left_out: dict[str, list[int]] = {"hidden": [], "struck through": []}
    merged: dict[int, tuple[int, str]] = {}
    wide = 0
    for number, row in enumerate(sheet.iter_rows(), 1):
        wide += len(row)
        cells = ["" if cell.value is None else guard(_shown(cell.value, cell)) for cell in row]
        # A formula whose value no program has stored would look like an empty cell.
        for place, (cell, own) in enumerate(zip(row, next(formulas, ()), strict=False)):
            if cell.value is None and own.value is not None:
                cells[place] = str(getattr(own.value, "text", own.value))
        while cells and not cells[-1]:
            cells.pop()
        if cells and number > header_row:
            first = next(place for place, text in enumerate(cells) if text)
            if number in layout.hidden:
                left_out["hidden"].append(number)
            elif (font := row[first].font) and font.strike:
                left_out["struck through"].append(number)
            wide += len(merged)
            _fill_down(cells, merged, layout.merged.get(number, {}), number)
        if number > _ROWS or wide > 4 * limits.cells:
            findings.stop(findings.at(), "", f"more than {4 * limits.cells:,} cells; {MORE_BYTES}")
        yield cells
    _warn_of(left_out, findings)


def _warn_of(left_out: Mapping[str, list[int]], findings: Findings) -> None:
    for how, numbers in left_out.items():
        if numbers:
            are = f"rows {listed([*map(str, numbers)])} are" if len(numbers) > 1 else f"row {numbers[0]} is"
            message = f"{are} {how} in the sheet and read like the others; delete what is not to be rendered"
            findings.warn(findings.at(numbers[0]), "", message)


def _fill_down(
    cells: list[str], merged: dict[int, tuple[int, str]], new: Mapping[int, int], number: int
) -> None:
    """Give each row of a merged range the value that the sheet shows for it; the range has it in its first row."""
    for place, (last, text) in list(merged.items()):
        if last < number:
            del merged[place]
        elif text:
            cells += [""] * (place + 1 - len(cells))
            cells[place] = cells[place] or text
    merged |= {place: (last, cells[place]) for place, last in new.items() if place < len(cells)}


def _text(rows: Iterator[list[str]], findings: Findings, limits: Limits, header_row: int) -> str:
    out = io.StringIO(newline="")
    out.write(SEPARATOR_LINE)
    writer = csv.writer(out)
    blank, width, over = 0, 0, list[str]()
    for number, cells in enumerate(rows, 1):
        if not cells:
            blank += 1
            continue
        # Blank rows count in a sheet, but those at its end are only formatted.
        out.write("\r\n" * blank)
        blank, width = 0, width or (len(cells) if number >= header_row > 0 else 0)
        over += [f"{column_letters(width + 1)}{number}"] if width and any(cells[width:]) else []
        writer.writerow([*cells[: width or None], *[""] * (width - len(cells))])
        if out.tell() > limits.file_bytes:
            message = f"the sheet has more than {limits.file_bytes:,} characters; {MORE_BYTES}"
            findings.stop(findings.at(), "", message)
    if over:
        message = f"cells without a heading above them are left out, in {counted(len(over), 'row')}"
        findings.warn(Position(findings.file, cell=over[0]), "", message)
    return out.getvalue()


def _shown(value: object, cell: Any) -> str:  # noqa: ANN401 - as above
    """Return a value as the sheet shows it; a date has the form in which Excel shows an id that it made a date of."""
    match value:
        case bool():
            return str(value).upper()
        case int() | float():
            return _number(value, cell.number_format)
        case datetime() if value.time() != time():
            return f"{_day(value)} {_clock(value.hour, value.minute, value.second)}"
        case date():
            return _day(value)
        case time():
            return _clock(value.hour, value.minute, value.second)
        case timedelta():
            minutes, seconds = divmod(round(value.total_seconds()), 60)
            return _clock(minutes // 60, minutes % 60, seconds)
        case _:
            # Excel writes a carriage return as _x000D_.
            return re.sub(r"(?<!_x005F)_x000D_\n?", "\n", str(value))


def _number(value: float, shape: str) -> str:
    # Excel keeps and shows 15 digits; more would show how binary fractions are stored.
    text = f"{value:.15g}"
    return text.zfill(len(shape)) if _PADDED.fullmatch(shape) else text


def _day(day: date) -> str:
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year}"


def _clock(hours: int, minutes: int, seconds: int) -> str:
    return f"{hours}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
