"""A sheet with an artist's own headings, read through its column map, gives the shots that its author means."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.commands.check import check
from runner.domain.errors import ManifestInvalid
from runner.domain.shots import Shot, Text
from runner.manifest.column_map import FORMAT, map_text
from tests.unit.whole_readings import Reading, parse_manifest

MEANINGS = {
    "Shot #": "id",
    "Scene": "tags",
    "Prompt": "input promptText",
    "Seconds": "input duration",
    "Status": "ignore",
    "Camera notes": "notes",
    "Director notes": "notes",
}
HEADER = ",".join(MEANINGS)
SHOT = "010,Sc 1,A boat,5,done,push in,warmer"


def read(
    *rows: str, header: str = HEADER, fixed: dict[str, str] | None = None, column_map: str = ""
) -> Reading:
    """Read a sheet of `rows` through the map of `MEANINGS`, or through another."""
    chosen = column_map or map_text([*MEANINGS.items()], fixed or {"model": "m"}, file="board.csv")
    table = "\r\n".join([header, *rows])
    return parse_manifest(table.encode(), file="board.csv", name="board", column_map=chosen.encode())


def said(reading: Reading) -> list[str]:
    return [str(problem) for problem in reading.problems]


def inputs(shot: Shot) -> dict[str, str]:
    return {name: node.text for name, node in shot.variants[0].inputs.items() if isinstance(node, Text)}


def test_columns_have_the_meaning_that_the_map_gives() -> None:
    reading = read(SHOT)
    (shot,) = reading.shots
    assert not reading.problems
    assert (shot.id, shot.model, shot.tags) == ("010", "m", ("Sc-1",))
    assert inputs(shot) == {"promptText": "A boat", "duration": "5"}
    assert shot.notes == "Camera notes: push in; Director notes: warmer"


def test_one_column_of_notes_is_kept_as_it_is() -> None:
    meanings = [("Shot", "id"), ("Remark", "notes")]
    chosen = map_text(meanings, {"model": "m"}, file="board.csv")
    (shot,) = read("010,push in", header="Shot,Remark", column_map=chosen).shots
    assert shot.notes == "push in"


def test_a_value_stays_at_its_own_cell() -> None:
    """A column that is left out before it does not move it."""
    (shot,) = read(SHOT).shots
    node = shot.variants[0].inputs["duration"]
    assert str(node.at) == "board.csv:2:4 (cell D2)"


def test_the_headings_are_compared_without_case_line_breaks_and_hidden_characters() -> None:
    header = HEADER.replace("Shot #", "\u200bSHOT  #").replace("Camera notes", '"Camera\nnotes"')
    assert [shot.id for shot in read(SHOT, header=header).shots] == ["010"]


def test_a_row_with_only_its_first_cell_is_a_tag_of_the_rows_below_it() -> None:
    rows = ("ACT ONE,,,,,,", SHOT, "020,,A dog,5,,,", ",,,,,,", "ACT TWO,,,,,,", "030,,A cat,5,,,")
    reading = read(*rows)
    assert not reading.problems
    assert [(shot.id, shot.tags) for shot in reading.shots] == [
        ("010", ("ACT-ONE", "Sc-1")),
        ("020", ("ACT-ONE",)),
        ("030", ("ACT-TWO",)),
    ]


@pytest.mark.parametrize(
    ("ids", "alone", "shots"),
    [
        (["010"], "020", ["010", "020"]),
        (["1", "2"], "3A", ["1", "2", "3A"]),
        (["s1", "s2"], "s2b", ["s1", "s2", "s2b"]),
        (["Sh 1", "Sh 2"], "Sh 3", ["Sh-1", "Sh-2", "Sh-3"]),
        (["Sh 1", "Sh 2"], "Sc 3", ["Sh-1", "Sh-2"]),
        (["1", "2"], "1st floor", ["1", "2"]),
        (["s010", "s020"], "s 60", ["s010", "s020", "s-60"]),
        (["s010", "s020"], "Sc 3", ["s010", "s020"]),
    ],
)
def test_a_shot_that_is_only_numbered_yet_is_no_heading(ids: list[str], alone: str, shots: list[str]) -> None:
    """It has the form of the other ids, so what it lacks is reported and nothing is left out in silence."""
    rows = [SHOT.replace("010", each) for each in ids]
    assert [shot.id for shot in read(*rows, f"{alone},,,,,,").shots] == shots


@pytest.mark.parametrize(
    ("ids", "shots"),
    [
        (["#1", "#2"], ["1", "2"]),
        (["1.", "2."], ["1", "2"]),
        (["Plan n° 1", "Plan n° 2"], ["Plan-n-1", "Plan-n-2"]),
        (["Sh 1", "Sh  2"], ["Sh-1", "Sh-2"]),
        (["Kitchen wide", "Door close", "Hall"], ["Kitchen-wide", "Door-close", "Hall"]),
        (["1", "2", "3", "SCENE 1"], ["1", "2", "3", "SCENE 1"]),
        (["1.1.", "2.1."], ["1.1.", "2.1."]),
        (["1/2/2024", "Hall"], ["1/2/2024", "Hall"]),
    ],
)
def test_an_id_is_written_as_a_message_would_propose_it_unless_the_others_differ(
    ids: list[str], shots: list[str]
) -> None:
    rows = [SHOT.replace("010", each) for each in ids]
    assert [shot.id for shot in read(*rows).shots] == shots


def test_a_heading_with_another_cell_is_one_problem() -> None:
    reading = read(SHOT, "SCENE 1,,,20,,,", "ACT 1,,The kitchen,,,,")
    assert [str(problem.at) for problem in reading.problems] == [
        "board.csv:3:1 (cell A3)",
        "board.csv:4:1 (cell A4)",
    ]
    assert all("if this is a heading" in problem.message for problem in reading.problems)
    assert [shot.id for shot in reading.shots] == ["010"]


@pytest.mark.parametrize(
    "row", [",,,198.5,,,", "Total:,,,198.5,,,", ",,TOTAL,198.5 s,,,", ",,,=SUM(D2:D9),,,", ',,,"1,204",,,']
)
def test_a_row_of_sums_is_no_shot(row: str) -> None:
    reading = read(SHOT, row)
    assert not reading.problems
    assert [shot.id for shot in reading.shots] == ["010"]


def test_headings_that_are_repeated_below_are_no_shot() -> None:
    reading = read(SHOT, HEADER, "020,,A dog,5,,,")
    assert not reading.problems
    assert [shot.id for shot in reading.shots] == ["010", "020"]


def test_what_has_a_map_is_a_table_under_any_name() -> None:
    chosen = map_text([*MEANINGS.items()], {"model": "m"}, file="board.csv").encode()
    data = "\n".join([HEADER, SHOT]).encode()
    assert parse_manifest(data, file="stdin", name="stdin", column_map=chosen).shots[0].id == "010"


@pytest.mark.parametrize("row", [",,A boat,5,,,", "total,,A boat,5,,,"])
def test_a_row_with_a_prompt_is_never_taken_for_sums(row: str) -> None:
    assert len(read(SHOT, row).shots) + len(read(SHOT, row).problems) > 1


def test_a_fixed_value_is_for_rows_without_one() -> None:
    reading = read(SHOT, "020,,A dog,,,,", fixed={"model": "m", "duration": "8", "resolution": "720p"})
    assert [inputs(shot)["duration"] for shot in reading.shots] == ["5", "8"]
    assert {inputs(shot)["resolution"] for shot in reading.shots} == {"720p"}


def test_a_fixed_value_without_a_column_is_at_its_line_of_the_map() -> None:
    (shot,) = read(SHOT, fixed={"model": "m", "resolution": "4k"}).shots
    at = shot.variants[0].inputs["resolution"].at
    assert (at.file, at.cell) == ("board.columns.yaml", None)
    assert at.line


def test_the_report_of_a_mapped_sheet_has_the_names_of_a_manifest() -> None:
    """So it is a manifest without the map; what is left out is in no column."""
    reading = read(SHOT)
    assert reading.manifest.columns == ("id", "tags", "promptText", "duration", "notes", "model")
    assert reading.shots[0].cells["model"] == "m"


def test_a_renamed_column_is_not_lost_without_a_word() -> None:
    """A heading that is like the old one is taken for it, so that nothing else is reported."""
    reading = read(SHOT, header=HEADER.replace("Seconds", "Second"))
    assert said(reading) == [
        (
            "board.columns.yaml:8:14: columns: the sheet has no column 'Seconds'; correct its heading here, or remove"
            " the line; did you mean Second?"
        )
    ]
    assert inputs(reading.shots[0])["duration"] == "5"
    reading = read(SHOT, header=HEADER.replace("Seconds", "Length"))
    assert said(reading) == [
        "board.csv:1:4 (cell D1): warning: header: the column 'Length' is not in board.columns.yaml, and is left out",
        (
            "board.columns.yaml:8:14: columns: the sheet has no column 'Seconds'; correct its heading here, or remove"
            " the line"
        ),
    ]


@pytest.mark.parametrize(
    "header",
    ["id,model,promptText,duration,a,b,c", "010,Sc 1,A boat,5,done,push in,warm", "Film of the dog,,,,,,"],
)
def test_a_map_for_other_headings_is_one_problem(header: str) -> None:
    (line,) = said(read(SHOT, header=header))
    assert line.startswith("board.csv:1:1 (cell A1): header: board.columns.yaml is not for these headings, ")
    assert line.endswith(
        "have 0 of its 6 columns; correct its header row, remove it, or write a new one: "
        "shotrunner import board.csv --force"
    )


def test_a_sheet_with_a_map_is_not_advised_to_be_imported(tmp_path: Path) -> None:
    sheet = tmp_path / "board.csv"
    sheet.write_text("Shot,Mood\n010,x\n")
    (tmp_path / "board.columns.yaml").write_text(
        f"format: {FORMAT}\ncolumns: {{Shot: id}}\nfixed: {{model: m}}\n"
    )
    with pytest.raises(ManifestInvalid) as raised:
        check(sheet)
    assert not raised.value.advice


def test_a_column_that_the_map_does_not_name_is_an_error_where_no_rest_is_ignored() -> None:
    chosen = f"format: {FORMAT}\ncolumns: {{Shot: id}}\nfixed: {{model: m}}\n"
    (line,) = said(read("010,x", header="Shot,Mood", column_map=chosen))
    assert "(cell B1)" in line
    assert "add it" in line


@pytest.mark.parametrize("header", [HEADER + ",,", ",".join(["", HEADER, ""])])
def test_cells_without_a_heading_are_left_out_with_a_word(header: str) -> None:
    empty = [""] * header.split(",").index("Shot #")
    row = ",".join([*empty, SHOT, "stray"]) + "," * (header.count(",") - SHOT.count(",") - len(empty) - 1)
    reading = read(row, row.replace("010", "020"), header=header)
    assert [shot.id for shot in reading.shots] == ["010", "020"]
    (problem,) = reading.problems
    assert problem.severity == "warning"
    assert problem.message.endswith("2 cells")


def test_two_columns_cannot_be_one_input() -> None:
    meanings = [("Shot", "id"), ("Prompt", "input promptText"), ("Action", "input promptText")]
    chosen = map_text(meanings, {"model": "m"}, file="board.csv")
    (line,) = said(read("010,a,b", header="Shot,Prompt,Action", column_map=chosen))
    assert "(cell C1)" in line
    assert "'Action' and 'Prompt' are both input promptText" in line


def test_an_input_may_have_the_name_of_a_column() -> None:
    chosen = map_text([("Shot", "id"), ("Words", "input tags")], {"model": "m"}, file="board.csv")
    (shot,) = read("010,x", header="Shot,Words", column_map=chosen).shots
    assert inputs(shot) == {"tags": "x"}


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", "1", "empty"),
        ("- a", "1:1", "begins with 'format:"),
        ("columns: {A: id}\nfixed: {model: m}", "1:1", "format: is missing"),
        ("format: shotrunner-columns/2\ncolumns: {A: id}\nfixed: {model: m}", "1:9", "is not known"),
        (f"format: {FORMAT}\nfixed: {{model: m}}", "1:1", "no column is the id"),
        (f"format: {FORMAT}\ncolumns: {{A: id}}", "2:10", "no column is the model"),
        (
            f"format: {FORMAT}\ncolumns: {{A: id, B: promt}}\nfixed: {{model: m}}",
            "2:21",
            "did you mean input promt?",
        ),
        (
            f"format: {FORMAT}\ncolumns: {{A: id, B: note}}\nfixed: {{model: m}}",
            "2:21",
            "did you mean notes?",
        ),
        (f"format: {FORMAT}\ncolumns: {{A: id, a: notes}}\nfixed: {{model: m}}", "2:18", "given twice"),
        (f"format: {FORMAT}\ncolumns: {{A: id}}\nfixed: {{model: m, id: x}}", "3:19", "cannot be fixed"),
        (
            f"format: {FORMAT}\ncolumns: {{A: id}}\nfixed: {{model: m}}\nheadings: drop",
            "4:11",
            "must be tags",
        ),
        (
            f"format: {FORMAT}\ncolumns: {{A: id}}\nfixed: {{model: m}}\ncolumn: x",
            "4:1",
            "did you mean columns?",
        ),
        (
            f"format: {FORMAT}\nheader row: x\ncolumns: {{A: id}}\nfixed: {{model: m}}",
            "2:13",
            "number of a row",
        ),
        (f"format: {FORMAT}\ncolumns: {{A: id\n", "2:10", "is not closed"),
    ],
)
def test_what_is_wrong_with_a_map_is_told_at_its_place_and_alone(text: str, place: str, words: str) -> None:
    """The sheet cannot be read without it, so its rows are not reported."""
    line, *_ = lines = said(read(SHOT, column_map=text or " "))
    assert line.startswith(f"board.columns.yaml:{place}: ")
    assert words in line
    assert all(each.startswith("board.columns.yaml") for each in lines)


def test_a_map_for_headings_of_any_text_is_read_back_as_it_was_meant() -> None:
    odd = ["*", 'say "hi"', "a: b # c", "*star", "no", "12", "日本", "tab\there", "\u2028line"]
    chosen = map_text([("id", "id"), *((each, "notes") for each in odd)], {"model": "m"}, file="b.csv")
    header = ",".join(['"' + each.replace('"', '""') + '"' for each in ["id", *odd]])
    reading = read(",".join(["010", *"abcdefghi"]), header=header, column_map=chosen)
    assert [problem.severity for problem in reading.problems] == ["warning"]
    assert reading.shots[0].notes.count(": ") >= len(odd) - 1


def test_an_input_may_have_any_name() -> None:
    chosen = map_text([("Shot", "id"), ("Zoom", "input a: b #c")], {"model": "m", "d: e": "1"}, file="b.csv")
    (shot,) = read("010,x", header="Shot,Zoom", column_map=chosen).shots
    assert inputs(shot) == {"a: b #c": "x", "d: e": "1"}


def test_a_large_board_is_mapped_about_as_fast_as_it_is_read() -> None:
    """Headings are looked for in one pass, though each of them asks how the ids look."""
    rows = [row for n in range(5_000) for row in (f"ACT {n},,,,,,", f"{n:04},,A boat,5,,,")]
    assert len(read(*rows).shots) == 5_000
