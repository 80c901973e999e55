"""CSV manifests: no row is lost in silence, and our own report is read back as the takes it names."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import Severity
from runner.domain.shots import Fields, Shot, Text
from runner.manifest.cell_faults import CellKind, fault_of
from runner.manifest.csv_reader import column_letters, detect_separator
from tests.unit.whole_readings import Reading, parse_manifest


def read(text: str, file: str = "m.csv") -> Reading:
    return parse_manifest(text.encode(), file=file, name="m")


def told(text: str) -> list[str]:
    return [str(problem) for problem in read(text).problems]


def inputs(shot: Shot, variant: int = 0) -> dict[str, str]:
    return {name: node.text for name, node in shot.variants[variant].inputs.items() if isinstance(node, Text)}


def seeds(shot: Shot) -> list[str]:
    return [node.text for v in shot.variants if isinstance(node := v.inputs.get("seed"), Text)]


def test_a_row_is_a_shot_and_an_empty_cell_is_not_given() -> None:
    reading = read("id,model,promptText,seed,tags,notes\ns010,m,A cat,007,hero; night,Look\ns020,m,,,,\n")
    assert not reading.problems
    first, second = reading.shots
    assert (first.id, first.model, first.tags, first.notes) == ("s010", "m", ("hero", "night"), "Look")
    assert inputs(first) == {"promptText": "A cat", "seed": "007"}
    assert inputs(second) == {}
    assert first.cells == {
        "id": "s010",
        "model": "m",
        "promptText": "A cat",
        "seed": "007",
        "tags": "hero; night",
        "notes": "Look",
    }
    assert reading.manifest.columns == ("id", "model", "promptText", "seed", "tags", "notes")


def test_places_are_physical_lines_field_numbers_and_spreadsheet_cells() -> None:
    reading = read('id,model,p\na,m,"two\nlines"\n\nb,m,x\n')
    first, second = reading.shots
    assert inputs(first) == {"p": "two\nlines"}
    assert [str(s.variants[0].inputs["p"].at) for s in (first, second)] == [
        "m.csv:2:3 (cell C2)",
        "m.csv:5:3 (cell C4)",
    ]
    assert str(second.at) == "m.csv:5:1 (cell A4)"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'id,model,p\na,m,"never\nb,m,x\n',
            "m.csv:2:3: row 2: the quote that opens here is never closed, so the rows after it",
        ),
        (
            'id,model,p\na,m,"x\nb,m,y\nc,m,"z"\n',
            "m.csv:2:3: row 2: the quote that opens here ends at line 4 in the middle of a cell",
        ),
        (
            'id,model,p,q\na,m,"x\ny","z\nb,m,1,2\n',
            "m.csv:3:4: row 2: the quote that opens here is never closed",
        ),
        ('id,model,p\na,m,"x"y\n', "m.csv:2:3: row 2: text follows a closing quote"),
        ("id,model,p\na,m\n", "m.csv:2:2 (cell B2): warning: row 2: has 2 cells where the header has 3"),
        (
            "id,model,p\na,m",
            "m.csv:2:2 (cell B2): row 2: has 2 cells where the header has 3; is the file complete",
        ),
        (
            "id,model,p\n# a\n",
            "m.csv:2:1 (cell A2): row 2: is a line without cells; put a text of several lines",
        ),
        ('id,model,p\n"a,m,x"\n', "m.csv:2:1 (cell A2): row 2: the quotes are around the whole row"),
        ("id,model,p,\na,m,x,y\n", "m.csv:2:4 (cell D2): row 2: the column D has no heading"),
        (
            "id,model,p\na,m,“x,y”\n",
            'm.csv:2:3 (cell C2): row 2: “ is not a quote of CSV; write " around the cell',
        ),
        ("id,model,p\na,m,x,y\n", "m.csv:2:4 (cell D2): row 2: has 4 cells where the header has 3"),
        (
            "id,model,p,p\na,m,1,2\n",
            "m.csv:1:4 (cell D1): header: the column 'p' appears twice (first as column 3)",
        ),
        ("id,model,,p\na,m,1,2\n", "m.csv:1:3 (cell C1): header: a column between others has no name"),
        ("id,p\na,x\n", "m.csv:1:1 (cell A1): header: the column model is missing"),
        (
            "id:model\na:m\n",
            "m.csv:1:1 (cell A1): header: the column id is missing; cells are separated by commas, semicolons, tabs or",
        ),
        (
            "id,model,a,a.b\nx,m,1,2\n",
            "m.csv:1:4 (cell D1): header: 'a.b' is a part of the column 'a'; keep one of them",
        ),
        ("id,model,.a\nx,m,1\n", "m.csv:1:3 (cell C1): header: '.a' has a dot with no name beside it"),
        ("id,model,p\n,m,x\n", "m.csv:2:1 (cell A2): row 2: has no id"),
        ("id,model,p\na,,x\n", "m.csv:2:2 (cell B2): shot a: has no model; write one in the column model"),
        (
            "id,model\na,m\nA,m\n",
            "m.csv:3:1 (cell A3): shot A, id: 'A' is used twice (first at line 2, as a:",
        ),
        (
            "id,model\n12-Mar,m\n",
            "m.csv:2:1 (cell A2): warning: shot 12-Mar: '12-Mar' looks as if a spreadsheet had changed it",
        ),
        (
            "id,model\n1.23E+12,m\n",
            "at most 80; it looks as if a spreadsheet had changed it; format the column as",
        ),
        ("id,model\n####,m\n", "m.csv:2:1 (cell A2): shot ####, id: '####' is not an id"),
        ("id,model,seeds\na,m,x\n", "m.csv:2:3 (cell C2): shot a, seeds: 'x' is neither a seed nor a range"),
        (
            "id,model,seeds\na,m,9-7\n",
            "m.csv:2:3 (cell C2): shot a, seeds: the range '9-7' ends before it begins",
        ),
        (
            "id,model,seeds\na,m,1-999999999999\n",
            "seeds: the range '1-999999999999' has more than 10,000 values",
        ),
        ("id,model,seeds\na,m,7 7\n", "shot a, sweep.seed: '7' is given twice"),
        (
            "id,model,seed,seeds\na,m,1,7\n",
            "m.csv:2:3 (cell C2): shot a, inputs.seed: is given and swept at once",
        ),
        ("id,model,p\na,m,x\0y\n", "m.csv:2:6: the control character U+0000 is not allowed"),
        ("", "m.csv:1: no shots: the file is empty"),
        ("\n\n,,\n", "m.csv:1: no shots: the file is empty"),
        ("id,model\n", "m.csv:1: no shots: there is only a header"),
        ("id,model\n\n,\n", "m.csv:1: no shots: there is only a header"),
    ],
)
def test_what_is_wrong_is_told_where_it_is(text: str, expected: str) -> None:
    problems = told(text)
    assert [p for p in problems if expected in p], problems


def test_a_broken_row_does_not_hide_the_rest() -> None:
    problems = told('id,model,p\na,m,"x"y\nb,m\nc/d,m,z\n')
    assert len(problems) == 3
    assert [p.split(":")[1] for p in problems] == ["2", "3", "4"]


def test_a_wrong_value_in_every_row_is_told_for_every_row() -> None:
    problems = told("id,model,seed,seeds\na,m,1,700\nb,m,1,700\n")
    assert [p.split(":")[1] for p in problems] == ["2", "3"]


def test_a_cell_past_the_limit_is_refused_with_our_own_words() -> None:
    (problem,) = told("id,model,p\na,m," + "x" * 100_001 + "\n")
    assert "row 2: this cell is larger than 100,000 bytes" in problem
    (problem,) = told('id,model,p\na,m,"' + "x\n" * 80_000)
    assert "m.csv:2:3: row 2: this cell is larger than 100,000 bytes; is its quote closed?" in problem


def test_too_many_columns_are_refused() -> None:
    (problem,) = told("id,model" + ",x" * 2_000 + "\n")
    assert "more than 1,000 columns" in problem


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        ("id;model;p;notes, mine\na;m;1,5;\n", True),
        ("id;model;p\na;m;1,5\n", False),
        ("id\tmodel\tp\na\tm\t1,5\n", False),
        ("sep=;\nid;model;p\na;m;1,5\n", False),
        ('"sep=;"\r\nid;model;p\r\na;m;1,5\r\n', False),
        ("sep=|\nid|model|p\na|m|1,5\n", False),
        ('id,model,p\na,m,"1,5"\n', False),
    ],
    ids=["doubtful", "semicolon", "tab", "declared", "declared-quoted", "declared-bar", "comma"],
)
def test_the_separator_is_found_and_said_aloud_where_it_is_doubtful(text: str, *, warned: bool) -> None:
    reading = read(text)
    assert inputs(reading.shots[0]) == {"p": "1,5"}
    assert ["read with" in p.message for p in reading.problems] == [True] * warned


def test_a_tsv_file_says_itself_what_separates() -> None:
    assert not read("id\tmodel\na\tm\n", "m.tsv").problems


def test_known_names_outweigh_the_number_of_cells() -> None:
    assert detect_separator("id;model,a,b,c,d;notes\n", ["id", "model", "notes"]) == ";"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_every_kind_of_line_end_is_understood(end: str) -> None:
    reading = read(end.join(["id,model,p", "a,m,x", "", "b,m,y"]))
    assert [(s.id, s.at.line) for s in reading.shots] == [("a", 2), ("b", 4)]


def test_blank_rows_and_empty_trailing_columns_are_passed_over() -> None:
    reading = read("id,model,p,,\na,m,x,,\n,,,,\nb,m,y,,,,\n")
    assert not reading.problems
    assert [s.id for s in reading.shots] == ["a", "b"]
    assert reading.manifest.columns == ("id", "model", "p")


def test_blanks_are_trimmed_but_not_from_prompts() -> None:
    (shot,) = read(" id , model ,promptText, duration,notes\n a , m , a cat , 5 , n \n").shots
    assert (shot.id, shot.model, shot.notes) == ("a", "m", " n ")
    assert inputs(shot) == {"promptText": " a cat ", "duration": "5"}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("'=1+1", "=1+1"),
        ("'  =x", "  =x"),
        ("'+x", "+x"),
        ("'-x", "-x"),
        ("'@x", "@x"),
        ("'＝x", "＝x"),
        ("''=x", "'=x"),
        ("'twas", "'twas"),
        ("'quoted'", "'quoted'"),
        ("'=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("'", "'"),
    ],
)
def test_the_guard_of_our_report_is_taken_off(cell: str, text: str) -> None:
    (shot,) = read(f"id,model,promptText\na,m,{cell}\n").shots
    assert inputs(shot) == {"promptText": text}
    assert shot.cells["promptText"] == text


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("7; 8", ["7", "8"]),
        ("7 8", ["7", "8"]),
        ('"7,8"', ["7", "8"]),
        ("1000-1003", ["1000", "1001", "1002", "1003"]),
        ("1 - 3; 9", ["1", "2", "3", "9"]),
        ("-5", ["-5"]),
    ],
)
def test_seeds_are_a_sweep(cell: str, expected: list[str]) -> None:
    (shot,) = read(f"id,model,seeds\na,m,{cell}\n").shots
    assert seeds(shot) == expected
    assert [list(v.point) for v in shot.variants] == [["seed"]] * len(expected)


def test_a_dotted_column_is_a_nested_input() -> None:
    (shot,) = read("id,model,camera.move.x,camera.zoom\na,m,1,2\n").shots
    camera = shot.variants[0].inputs["camera"]
    assert isinstance(camera, Fields)
    assert isinstance(move := camera.items["move"], Fields)
    assert isinstance(x := move.items["x"], Text)
    assert (x.text, str(camera.key_at("zoom"))) == ("1", "m.csv:2:4 (cell D2)")


REPORT = (
    "id,model,promptText,seeds,take,state,class,request_id,seed,outputs,file,sha256,bytes,submitted_at,finished_at,"
    "seconds,cost,error,fingerprint\n"
)


def test_a_row_of_a_report_is_one_concrete_take() -> None:
    rows = "".join(
        f"s010,m,A cat {{{{ seed }}}},7; 8,s010@seed={n},succeeded,,r1,{n},u,f,h,1,t,t,2,0.1,,fp\n"
        for n in (7, 8)
    )
    reading = read(REPORT + rows)
    assert not reading.problems
    assert [s.take_id for s in reading.shots] == ["s010@seed=7", "s010@seed=8"]
    assert [inputs(s) for s in reading.shots] == [
        {"promptText": "A cat 7", "seed": "7"},
        {"promptText": "A cat 8", "seed": "8"},
    ]
    assert reading.manifest.columns == ("id", "model", "promptText", "seeds", "seed")
    assert set(reading.shots[0].cells) == set(reading.manifest.columns)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a,m,a@seed=7\na,m,a@SEED=7\n", "shot a, take: 'a@SEED=7' is used twice (first at line 2"),
        ("a,m,a@seed=7\na,m,\n", "shot a, id: 'a' is used twice"),
        ("a,m,\na,m,a@seed=7\n", "shot a, id: 'a' is used twice"),
        ("a,m,a@seed=7\nA,m,A@seed=8\n", "shot A, id: 'A' is used twice"),
        ("a,m,b@seed=7\n", "shot a, take: 'b@seed=7' is not a take of a"),
        ("a,m,a@x/../y\n", "'a@x/../y' holds characters that a file name cannot have"),
        ("a,m,a@" + "x" * 200 + "\n", "is longer than 200 bytes"),
    ],
)
def test_take_ids_are_held_to_the_rules_of_file_names(rows: str, expected: str) -> None:
    problems = told("id,model,take,fingerprint\n" + rows.replace("\n", ",\n"))
    assert [p for p in problems if expected in p], problems


@pytest.mark.parametrize(("column", "letters"), [(1, "A"), (26, "Z"), (27, "AA"), (703, "AAA")])
def test_columns_have_spreadsheet_names(column: int, letters: str) -> None:
    assert column_letters(column) == letters


PROSE = st.text(
    st.characters(
        exclude_categories=["Cc", "Cs"], include_characters="\n,;\"'=", exclude_characters="\ufffe\uffff{"
    ),
    max_size=40,
)


def is_plain(text: str) -> bool:
    trimmed = text.strip()
    return trimmed not in {"", "[]"} and text[0] != "'" and fault_of(trimmed, CellKind.PROMPT) is None


@settings(max_examples=150)
@given(st.lists(PROSE.filter(is_plain), min_size=1, max_size=4))
def test_what_a_spreadsheet_writes_is_read_back_byte_for_byte(prompts: list[str]) -> None:
    out = io.StringIO()
    csv.writer(out).writerows(
        [["id", "model", "prompt"], *([f"s{n}", "m", p] for n, p in enumerate(prompts))]
    )
    reading = read(out.getvalue())
    # A text that looks spoilt is warned of, and read as it is.
    assert not [problem for problem in reading.problems if problem.severity is Severity.ERROR]
    assert [inputs(shot)["prompt"] for shot in reading.shots] == prompts
