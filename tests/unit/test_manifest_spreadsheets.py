"""What YAML has and a spreadsheet has not: a column of that name is refused with what to do instead."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.commands.check import check
from runner.domain.errors import ManifestInvalid
from runner.manifest.csv_manifest import MISPLACED
from runner.models.registry import Models
from runner.plan.build import Planned, make_plan
from tests.unit.whole_readings import parse_manifest

LINKS = "https://e.com/a,https://e.com/b,x"
HEAD = "keyFramesFirst,keyFramesLast,promptText"


def planned(text: str, *folders: Path) -> Planned:
    reading = parse_manifest(text.encode(), file="m.csv", name="m")
    assert not reading.problems
    return make_plan(reading.manifest, reading.shots, models=Models.bundled(list(folders)))


def board(column: str, *cells: str, model: str = "pika/pikaframes") -> str:
    rows = "".join(f"s{n},{model},{LINKS},{cell}\n" for n, cell in enumerate(cells))
    return f"id,model,{HEAD},{column}\n{rows}"


@pytest.mark.parametrize("column", MISPLACED)
def test_a_column_for_a_word_of_yaml_says_what_to_do_instead(column: str) -> None:
    problems = [str(problem) for problem in planned(board(column, "noir", "", "noir")).problems]
    (problem,) = problems
    assert problem == f"m.csv:1:6 (cell F1): header: unknown input {column}: {MISPLACED[column]}"


def test_a_style_is_refused_with_the_two_ways_that_work() -> None:
    (problem,) = planned(board("style", "noir")).problems
    assert problem.message == (
        "unknown input style: a CSV has no styles; give each input of the style its own column, filled down, "
        "or write the board in YAML"
    )
    assert [take.id for take in planned(board("negativePrompt", "colour", "colour")).plan.takes] == [
        "s0",
        "s1",
    ]


def test_an_empty_cell_asks_for_no_style_and_hides_no_other_mistake() -> None:
    found = planned(board("style,seed", "noir,x", ",7"))
    assert [take.id for take in found.plan.takes] == ["s1"]
    assert [problem.subject for problem in found.problems] == [
        "header",
        "shot s0, inputs.seed",
    ]


def test_a_part_of_a_style_is_one_too() -> None:
    (problem,) = planned(board("style.text", "noir")).problems
    assert (str(problem.at), problem.subject) == ("m.csv:1:6 (cell F1)", "header")


def test_an_unknown_input_in_parts_is_told_once_at_its_first_column() -> None:
    (problem,) = planned(board("camra.zoom,camra.pan", "1,2", "3,4")).problems
    assert (
        str(problem)
        == "m.csv:1:6 (cell F1): header: camra is not an input of pika/pikaframes; 2 rows fill it"
    )


def test_a_model_with_an_input_of_that_name_gets_it(tmp_path: Path) -> None:
    """Nothing that a model takes is ever read as a word of ours, and no take of such a board moves."""
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in ("style", "chain")}}
    (tmp_path / "models" / "acme").mkdir(parents=True)
    (tmp_path / "models" / "acme" / "any.json").write_text(json.dumps(schema), "utf-8")
    found = planned("id,model,style,chain\ns0,acme/any,noir,gold\n", tmp_path)
    assert found.problems == ()
    assert [json.loads(take.body) for take in found.plan.takes] == [{"style": "noir", "chain": "gold"}]


def test_in_yaml_the_same_name_is_only_an_unknown_input() -> None:
    text = "version: 1\nshots: [{id: s0, model: pika/pikaframes, inputs: {promptText: x, style: noir, keyFramesFirst: "
    text += "https://e.com/a, keyFramesLast: https://e.com/b}}]\n"
    reading = parse_manifest(text.encode(), file="m.yaml", name="m")
    (problem,) = make_plan(reading.manifest, reading.shots, models=Models.bundled()).problems
    assert problem.message == "unknown input"


def test_the_mistakes_of_a_prompt_file_are_told_behind_all_of_the_manifest(tmp_path: Path) -> None:
    """Also behind what only the plan finds: two files are not told line by line in turn."""
    (tmp_path / "p.txt").write_text("{{ x }}", "utf-8")
    (tmp_path / "m.yaml").write_text(
        "version: 1\ndefaults: {model: pika/pikaframes}\nshots:\n"
        "  - {id: a, inputs: {promptText: {file: p.txt}, keyFramesFirst: https://e.com/1, keyFramesLast: nope}}\n",
        "utf-8",
    )
    with pytest.raises(ManifestInvalid) as caught:
        check(tmp_path / "m.yaml")
    places = [(Path(p.at.file).name, p.at.line, p.subject) for p in caught.value.problems]
    assert places == [
        ("m.yaml", 4, "shot a, inputs.keyFramesLast"),
        ("p.txt", 1, "shot a, inputs.promptText"),
    ]
