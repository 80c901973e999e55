"""A sheet of an Excel workbook is read as its CSV export would be, and a hostile workbook costs little."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from runner.domain.errors import ExtraMissing
from runner.domain.shots import Text
from runner.manifest.size_limits import LIMITS
from tests.effort import at_most
from tests.unit.whole_readings import Reading, parse_manifest

openpyxl = pytest.importorskip("openpyxl", reason="the extra [excel] is not installed")

HEADER = ["id", "model", "promptText", "duration"]


def saved(book: Any) -> bytes:  # noqa: ANN401 - openpyxl has no types
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def workbook(*rows: Sequence[object], title: str = "Board") -> Any:  # noqa: ANN401 - as above
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def read(data: bytes, *, file: str = "board.xlsx", column_map: str = "") -> Reading:
    chosen = column_map.encode() or None
    return parse_manifest(data, file=file, name="board", column_map=chosen)


def prompts(reading: Reading) -> list[str]:
    nodes = [shot.variants[0].inputs.get("promptText") for shot in reading.shots]
    return [node.text for node in nodes if isinstance(node, Text)]


def cells(reading: Reading) -> list[list[str]]:
    """Return the rows of the sheet as CSV, before any of them is taken for a shot."""
    _, *rows = csv.reader(io.StringIO(reading.manifest.text, newline=""))
    return rows


def raw(sheet: str) -> bytes:
    """Return a workbook whose only sheet has this XML, which no spreadsheet program would write."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}">'
        '<sheets><sheet name="Board" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}">{sheet}</worksheet>',
    }
    out = io.BytesIO()
    with ZipFile(out, "w", ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def packed(name: str, text: str) -> bytes:
    out = io.BytesIO()
    with ZipFile(out, "w") as archive:
        archive.writestr(name, text)
    return out.getvalue()


def inline(*cells: tuple[str, str]) -> str:
    return "".join(f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>' for place, text in cells)


def test_a_workbook_gives_the_shots_of_its_csv_export() -> None:
    rows: list[Sequence[object]] = [
        HEADER,
        ["s010", "m", "a boat, “late”\nand rain", 5],
        ["s020", "m", "'=x", 7.5],
    ]
    table = 'id,model,promptText,duration\r\ns010,m,"a boat, “late”\nand rain",5\r\ns020,m,"\'\'=x",7.5\r\n'
    sheet, export = read(saved(workbook(*rows))), read(table.encode(), file="board.csv")
    assert not sheet.problems
    assert prompts(sheet) == prompts(export)
    assert [shot.cells for shot in sheet.shots] == [shot.cells for shot in export.shots]


@pytest.mark.parametrize(
    ("value", "shape", "text"),
    [
        (5.0, "General", "5"),
        (3.5, "General", "3.5"),
        (0.1 + 0.2, "General", "0.3"),
        (10, "000", "010"),
        (1010, "000", "1010"),
        (True, "General", "TRUE"),
        (date(2026, 1, 3), "d-mmm", "3-Jan-2026"),
        (datetime.fromisoformat("2026-01-03T07:05"), "d/m/yyyy h:mm", "3-Jan-2026 7:05"),
        (clock(0, 5), "h:mm", "0:05"),
        (timedelta(minutes=1, seconds=30), "[h]:mm:ss", "0:01:30"),
        ("#REF!", "General", "#REF!"),
        ("  x ", "General", "  x "),
    ],
)
def test_a_value_is_read_as_the_sheet_shows_it(value: object, shape: str, text: str) -> None:
    book = workbook(HEADER, ["s010", "m", value, 5])
    book.active["C2"].number_format = shape
    assert cells(read(saved(book)))[1][2] == text


def test_problems_name_the_cells_of_the_sheet() -> None:
    """Blank rows, and line breaks in cells above, do not move them."""
    book = workbook(HEADER, ["s010", "m", "one\ntwo\nthree", 5], [], ["s010", "m", "again", 5])
    (problem,) = read(saved(book)).problems
    assert str(problem.at) == "board.xlsx:4:1 (cell A4)"


def test_the_first_sheet_that_can_be_seen_is_read_and_the_others_are_named() -> None:
    book = workbook(["secret"], title="Hidden")
    book.active.sheet_state = "hidden"
    for title in ("Board", "Budget"):
        for row in (HEADER, ["s010", "m", title, 5]):
            sheet = book[title] if title in book.sheetnames else book.create_sheet(title)
            sheet.append(row)
    reading = read(saved(book))
    assert prompts(reading) == ["Board"]
    assert "'Budget'" in reading.problems[0].message


@pytest.mark.parametrize(("wanted", "found"), [("Two", ["second"]), ("Three", [])])
def test_a_map_names_the_sheet(wanted: str, found: list[str]) -> None:
    book = workbook(HEADER, ["s010", "m", "first", 5], title="One")
    for row in (["Shot", "Words"], ["s010", "second"]):
        sheet = book["Two"] if "Two" in book.sheetnames else book.create_sheet("Two")
        sheet.append(row)
    chosen = (
        f"format: shotrunner-columns/1\nsheet: {wanted}\n"
        "columns: {Shot: id, Words: input promptText}\nfixed: {model: m}\n"
    )
    reading = read(saved(book), column_map=chosen)
    assert prompts(reading) == found
    assert found or "'One', 'Two'" in reading.problems[0].message


def test_cells_that_have_no_heading_are_left_out_with_a_word() -> None:
    reading = read(saved(workbook(HEADER, ["s010", "m", "x", 5, "stray"])))
    (problem,) = reading.problems
    assert str(problem.at) == "board.xlsx (cell E2)"
    assert problem.severity == "warning"
    assert prompts(reading) == ["x"]


def test_a_formula_without_a_stored_value_is_not_an_empty_cell() -> None:
    """A program that writes workbooks may store no values, and the default of the input would be paid for."""
    assert cells(read(saved(workbook(HEADER, ["s010", "m", "x", "=2+3"]))))[1][3] == "=2+3"


@pytest.mark.parametrize(
    ("formula", "is_formula"),
    [('="A"&" cat"', True), ("=[1]Old!A1", True), ("=-A1", True), ("'=a cat", False)],
)
def test_a_formula_is_never_a_prompt(formula: str, is_formula: bool) -> None:
    """The type of its cell shows it, so its form does not matter; a text may begin with the sign."""
    book = workbook(HEADER, ["s010", "m", formula, 5])
    if not is_formula:
        book.active["C2"].value, book.active["C2"].data_type = formula[1:], "s"
    reading = read(saved(book))
    assert [problem.at.cell for problem in reading.problems] == ["C2"] * is_formula
    assert all("open the workbook" in problem.message for problem in reading.problems)
    assert prompts(reading) == [] if is_formula else [formula[1:]]


def test_rows_that_are_hidden_or_struck_through_are_a_warning() -> None:
    """They are shots like the others, and would be paid for without a word."""
    book = workbook(HEADER, *(["s010", "m", "x", 5] for _ in range(5)))
    for number, row in enumerate(book.active.iter_rows(min_row=2), 1):
        row[0].value = f"s{number}"
    book.active.row_dimensions[3].hidden = book.active.row_dimensions[5].hidden = True
    for cell in book.active[4]:
        cell.font = openpyxl.styles.Font(strike=True)
    book.active.row_dimensions[40].hidden = True
    reading = read(saved(book))
    assert [str(problem).split(";")[0] for problem in reading.problems] == [
        "board.xlsx:3: warning: rows 3, 5 are hidden in the sheet and read like the others",
        "board.xlsx:4: warning: row 4 is struck through in the sheet and read like the others",
    ]
    assert len(reading.shots) == 5


def test_merged_cells_have_the_value_that_the_sheet_shows() -> None:
    """Those of one row only, such as a title, stay as they are."""
    rows: list[Sequence[object]] = [
        ["s010", "m", "a boat", 5],
        ["s020", "m", None, 8],
        ["s030", "m", None, None],
        ["ACT", None],
    ]
    book = workbook(HEADER, *rows)
    for area in ("C2:C3", "D3:D4", "A5:D5"):
        book.active.merge_cells(area)
    table = cells(read(saved(book)))
    assert table[1:] == [
        ["s010", "m", "a boat", "5"],
        ["s020", "m", "a boat", "8"],
        ["s030", "m", "", "8"],
        ["ACT", "", "", ""],
    ]


def test_a_carriage_return_of_excel_is_a_line_end() -> None:
    book = workbook(HEADER, ["s010", "m", "A cat_x000D_\nsits", 5])
    assert prompts(read(saved(book))) == ["A cat\nsits"]


def test_the_content_decides_what_a_workbook_is() -> None:
    assert prompts(read(saved(workbook(HEADER, ["s010", "m", "x", 5])), file="board.csv")) == ["x"]


@pytest.mark.parametrize(
    ("data", "file", "words"),
    [
        (b"id,model\r\n", "board.xlsx", "but text; call it .csv"),
        (b"\xd0\xcf\x11\xe0" + bytes(2000), "board.xls", "older .xls, or it has a password"),
        (packed("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), "board.ods", ".ods sheet"),
        (packed("Index/Document.iwa", "x"), "board.numbers", "document of Numbers"),
        (b"PK\x03\x04" + bytes(100), "board.xlsx", "not an .xlsx workbook"),
        (raw("<sheetData><row"), "board.xlsx", "damaged"),
        (
            raw('<sheetData><row r="1"><c r="A1" t="s"><v>7</v></c></row></sheetData>'),
            "board.xlsx",
            "damaged",
        ),
    ],
    ids=["text", "old or encrypted", "ods", "numbers", "cut", "broken xml", "no such string"],
)
def test_what_is_no_workbook_is_refused_with_what_to_do(data: bytes, file: str, words: str) -> None:
    (problem,) = read(data, file=file).problems
    assert words in problem.message
    assert "save" in problem.message


def test_macros_are_not_opened() -> None:
    out = io.BytesIO(saved(workbook(HEADER)))
    with ZipFile(out, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"x")
    (problem,) = read(out.getvalue(), file="board.xlsm").problems
    assert "macros" in problem.message


@pytest.mark.parametrize(
    "sheet",
    [
        '<dimension ref="A1:XFD1048576"/><sheetData><row r="1">'
        + inline(("A1", "id"))
        + "</row></sheetData>",
        '<sheetData><row r="99999999999">' + inline(("A99999999999", "id")) + "</row></sheetData>",
        "<sheetData>"
        + "".join(f'<row r="{n}"><c r="XFD{n}"><v>1</v></c></row>' for n in range(1, 20_000))
        + "</sheetData>",
        "<sheetData>" + " " * (17 * LIMITS.file_bytes) + "</sheetData>",
    ],
    ids=["claimed size", "far row", "far columns", "zip bomb"],
)
def test_a_small_workbook_that_claims_to_be_large_costs_little(sheet: str) -> None:
    data = raw(sheet)
    with at_most(200):
        reading = read(data)
    assert any(problem.severity == "error" for problem in reading.problems)


def test_without_the_extra_its_install_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ExtraMissing, match=r"needs the \[excel\] extra"):
        read(saved(workbook(HEADER)))
