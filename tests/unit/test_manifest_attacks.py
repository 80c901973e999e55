"""Manifests that nobody writes by hand: whatever the bytes, an answer with a place, and nothing lost on the way."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.shots import Text
from runner.manifest.csv_manifest import MISPLACED
from runner.models.registry import Models
from runner.plan.build import make_plan
from tests.unit.any_boards import MODEL, put_schema
from tests.unit.whole_readings import Reading, parse_manifest

MODELS = Models.bundled()
DEEP = "a." * 3_000 + "b"
SHOT = "version: 1\nshots:\n- id: s1\n  model: m\n"
EXAMPLES = [
    (path.suffix, path.read_bytes())
    for path in sorted((Path(__file__).parents[2] / "manifests").glob("*.[cy]*"))
]
SPLINTERS = (
    "{{ ", " }}", "\n", "\r", ": ", "- ", "[", "]", "{", "}", ",", ";", "|", "'", '"', "@", "&a ", "*a", "<<: ", "#",
    "\t", "~", "null", "9" * 30, "=", ".", "\ufeff", "\u2028", "\u202e", "🎬", "file: ", "frame: ", "exclude: ",
    "include: ", "{random: 2}", "take: ", "point: ", "style: ", "chain: true\n", "sequence: ", "\\ud83d", "\\", "1e999",
    ".nan", "? ", "\x85", "\0",
)  # fmt: skip


def read(text: str | bytes, file: str = "m.yaml") -> Reading:
    return parse_manifest(text if isinstance(text, bytes) else text.encode(), file=file, name="m")


def one_shot(fields: str) -> Reading:
    return read(f"version: 1\nshots:\n  - id: s1\n    model: m\n    {fields}\n")


def told(reading: Reading) -> list[str]:
    return [str(problem) for problem in reading.problems]


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(EXAMPLES),
    st.lists(st.sampled_from(SPLINTERS), max_size=5),
    st.randoms(use_true_random=False),
)
def test_whatever_is_done_to_a_board_is_answered_with_places_and_printable_words(
    example: tuple[str, bytes], splinters: list[str], chance: random.Random
) -> None:
    suffix, data = example
    for splinter in splinters:
        place = chance.randrange(len(data))
        data = data[:place] + splinter.encode() + data[place + chance.choice((0, 0, 3)) :]
    reading = read(data, f"m{suffix}")
    problems = (*reading.problems, *make_plan(reading.manifest, reading.shots, models=MODELS).problems)
    lines = len(data.decode("utf-8", "replace").splitlines()) + 1
    assert [str(problem) for problem in problems if not str(problem).isprintable()] == []
    assert [problem for problem in problems if not 0 <= (problem.at.line or 0) <= lines] == []


@pytest.mark.parametrize(
    ("text", "file", "expected"),
    [
        (f"id,model,{DEEP}\ns1,m,1\n", "m.csv", "m.csv:1:3 (cell C1): header: 'a.a"),
        (f"{SHOT}  inputs:\n    ? {DEEP}\n    : 1\n", "m.yaml", "m.yaml:6:7: shot s1"),
        (f"{SHOT}  sweep:\n    ? {DEEP}\n    : [1]\n", "m.yaml", "m.yaml:6:7: shot s1"),
        (f"version: 1\ndefaults:\n  inputs:\n    ? {DEEP}\n    : 1\n{SHOT[11:]}", "m.yaml", "m.yaml:4:7: "),
    ],
    ids=["header", "input", "axis", "default"],
)  # fmt: skip
def test_a_name_of_thousands_of_parts_is_told_where_it_stands(text: str, file: str, expected: str) -> None:
    (problem,) = told(read(text, file))
    assert problem.startswith(expected)
    assert problem.endswith("has more than 64 parts")


def test_a_name_of_as_many_parts_as_are_allowed_is_taken() -> None:
    name = ".".join("a" * 64)
    assert told(read(f"id,model,{name}\ns1,m,1\n", "m.csv")) == []
    assert told(one_shot(f"inputs: {{{name}: 1}}")) == []


@pytest.mark.parametrize("axis", ["file", "frame"])
def test_points_of_an_axis_called_like_a_reference_are_none(axis: str) -> None:
    """`{file: x}` under an input is a prompt file; under `exclude` it is a point, and no file is opened for it."""
    reading = one_shot(f"sweep: {{{axis}: [x, y], exclude: [{{{axis}: x}}], include: [{{{axis}: z}}]}}")
    assert told(reading) == []
    points = [variant.point[axis] for variant in reading.shots[0].variants]
    assert [node.text for node in points if isinstance(node, Text)] == ["y", "z"]


def test_a_point_can_hold_a_reference() -> None:
    sweep = "  sweep: {k: ['@a', x], exclude: [{k: '@a'}]}\n"
    reading = read(f"{SHOT}{sweep}frames: {{a: https://e.com/a}}\n")
    points = [variant.point["k"] for variant in reading.shots[0].variants]
    assert [node.text for node in points if isinstance(node, Text)] == ["x"]


POINTS = {
    "no number": '{"a": NaN}',
    "past the largest": '{"a": 1e999}',
    "too many digits": f'{{"a": {"9" * 5_000}}}',
    "half a pair": '{"a": "\\ud800"}',
    "half a pair as name": '{"\\udfff": 1}',
    "twice": '{"a": 1, "a": 2}',
    "deep": "[" * 5_000,
    "a list": "[]",
    "no JSON": "a=1",
}


@pytest.mark.parametrize("point", POINTS.values(), ids=POINTS)
def test_a_point_that_could_not_be_written_down_again_is_refused(point: str) -> None:
    cell = point.replace('"', '""')
    (problem,) = told(read(f'id,model,take,point\ns1,m,s1,"{cell}"\n', "m.csv"))
    assert problem.startswith(
        "m.csv:2:4 (cell D2): shot s1, point: must be the swept values as a JSON object"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (r'"a \ud83c\udfac"', r"is one character in two halves, as JSON writes it; write '🎬' or \U0001F3AC"),
        (r'"a \\ \uDB40\uDC01"', r"write '\U000e0001' or \U000E0001"),
        (r'"\ud83c x"', "half a surrogate pair, or no character at all; remove it"),
        (r'"\U00110000"', "half a surrogate pair, or no character at all; remove it"),
    ],
)  # fmt: skip
def test_an_escape_that_is_no_character_is_told_with_the_one_that_was_meant(
    value: str, expected: str
) -> None:
    (problem,) = told(one_shot(f"notes: {value}"))
    assert problem.startswith("m.yaml:5:12: ")
    assert problem.endswith(expected.replace("\\\\", "\\"))


@pytest.mark.parametrize("codec", ["utf-32", "utf-32-be"])
def test_utf_32_is_one_problem(codec: str) -> None:
    data = "\ufeffversion: 1".encode(codec) if codec.endswith("be") else "version: 1".encode(codec)
    assert told(read(data)) == ["m.yaml: looks like UTF-32; save it as UTF-8"]


def test_text_behind_the_end_of_a_document_is_told_in_plain_words() -> None:
    (problem,) = told(one_shot("notes: x\n...\nid: s2"))
    assert problem == "m.yaml:6:1: '...' ends the manifest, and text follows it; remove this line"


@pytest.mark.parametrize("mark", ["\u202e", "\ufeff", "\u200b"])
def test_a_name_that_could_steer_a_terminal_is_never_proposed(mark: str) -> None:
    proposals = read(f"mod{mark}el,id\nm,s1\n", "m.csv").problems
    frames = read(
        f"version: 1\nframes: {{doo{mark}r: https://e.com/1}}\nshots: [{{id: s, model: m, inputs: {{a: '@door'}}}}]"
    )
    quoted = read(f"version: 1\nshots: [{{id: s, notes: x{mark}\n")
    for problem in (*proposals, *frames.problems, *quoted.problems):
        assert str(problem).isprintable()


# spreadsheets


@pytest.mark.parametrize("identity", ["a\u2028b", "\u202ea", "x" * 5_000, "a b"])
def test_an_id_that_is_none_is_only_ever_shown_cut_and_printable(identity: str) -> None:
    table = read(f"id,model,seeds\n{identity},nope,x\n", "m.csv")
    listed = read(f"version: 1\nshots: [{{id: '{identity}', model: nope, sweep: {{a: []}}}}]\n")
    for reading in (table, listed):
        problems = (*reading.problems, *make_plan(reading.manifest, reading.shots, models=MODELS).problems)
        assert len(problems) == 3
        assert [problem for problem in problems if not problem.subject.isprintable()] == []
        assert max(len(problem.subject) for problem in problems) < 110


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("seed,seed", "the column 'seed' appears twice (first as column 3)"),
        ("a.b,a.b", "the column 'a.b' appears twice (first as column 3)"),
        (" ,a", "a column between others has no name"),
        (".a,b", "'.a' has a dot with no name beside it"),
    ],
)
def test_what_is_wrong_with_a_header_is_told_there_and_not_again_in_each_row(
    header: str, expected: str
) -> None:
    (problem,) = told(read(f"id,model,{header}\ns1,m,1,2\ns2,m,3,4\n", "m.csv"))
    assert problem.endswith(f"header: {expected}")


def test_an_input_written_with_the_prefix_of_ours_is_told_how_to_be_written() -> None:
    reading = read("id,model,inputs.promptText\ns1,pika/pikaframes,x\n", "m.csv")
    problems = make_plan(reading.manifest, reading.shots, models=MODELS).problems
    assert (str(problems[0].at), problems[0].message) == (
        "m.csv:1:3 (cell C1)",
        f"unknown input inputs: {MISPLACED['inputs']}",
    )


@pytest.mark.parametrize("cell", [";", '","', " ; ;"])
def test_a_cell_of_seeds_that_holds_none_is_told(cell: str) -> None:
    assert told(read(f"id,model,seeds\ns1,m,{cell}\n", "m.csv"))[-1].endswith("shot s1, seeds: has no seeds")


@pytest.mark.parametrize("word", ["null", "NULL", "~"])
def test_a_note_may_be_a_word_that_is_nothing_in_yaml(word: str) -> None:
    reading = read(f"id,model,notes\ns1,m,{word}\n", "m.csv")
    assert (told(reading), reading.shots[0].notes) == ([], word)


def test_a_shot_and_a_tag_may_be_called_null() -> None:
    reading = read("id,model,tags\nnull,m,null;hero\nNULL2,m,null\n", "m.csv")
    assert told(reading) == []
    assert [(shot.id, shot.tags) for shot in reading.shots] == [
        ("null", ("null", "hero")),
        ("NULL2", ("null",)),
    ]


def test_an_input_of_nothing_stays_nothing(tmp_path: Path) -> None:
    """A column of the model is read as before: there `null` in a cell is no text."""
    reading = read(f"id,model,text,maybe\ns1,{MODEL},x,null\n", "m.csv")
    (take,) = make_plan(
        reading.manifest, reading.shots, models=Models.bundled([put_schema(tmp_path)])
    ).plan.takes
    assert json.loads(take.body)["maybe"] is None


@pytest.mark.parametrize("blanks", [" ", "\\n", "\\t", "\\u00a0"])
def test_a_note_of_blanks_is_none_in_yaml_as_in_a_spreadsheet(blanks: str) -> None:
    assert one_shot(f'notes: "{blanks}"').shots[0].notes == ""
    assert one_shot(f'notes: "{blanks}x"').shots[0].notes.endswith("x")
