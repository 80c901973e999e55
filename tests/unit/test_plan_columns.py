"""The columns of a sheet meet the models of its rows: one problem a column, and as many takes as a row asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from runner.domain.errors import Problem
from runner.domain.shots import Take
from runner.models.registry import Models
from runner.plan.build import Planned, make_plan
from runner.plan.columns import header_advice
from tests.unit.whole_readings import parse_manifest

FRAMES = "https://e.com/a,https://e.com/b"
PIKA = "pika/pikaframes"


def planned(text: str, *folders: Path) -> Planned:
    reading = parse_manifest(text.encode(), file="m.csv", name="m")
    found = make_plan(reading.manifest, reading.shots, models=Models.bundled(list(folders)))
    return Planned(found.plan, (*reading.problems, *found.problems))


def takes(text: str, *folders: Path) -> tuple[Take, ...]:
    found = planned(text, *folders)
    assert not found.problems
    return found.plan.takes


def put_model(folder: Path, properties: Mapping[str, object], *required: str) -> Path:
    schema = {"type": "object", "properties": properties, "required": required}
    (folder / "models" / "acme").mkdir(parents=True)
    (folder / "models" / "acme" / "any.json").write_text(json.dumps(schema), "utf-8")
    return folder


def said(problems: tuple[Problem, ...]) -> list[str]:
    return [f"{problem.at.cell} {problem.message} ({problem.nearest})" for problem in problems]


def test_each_foreign_column_is_one_problem_with_its_rows_counted() -> None:
    rows = "".join(f"s{n},{PIKA},{FRAMES},hi,INT,{'wide' if n else ''},me\n" for n in range(700))
    found = planned(f"id,model,keyFramesFirst,keyFramesLast,promptText,Scene,Camera,Owner\n{rows}")
    assert said(found.problems) == [
        "F1 Scene is not an input of pika/pikaframes; 700 rows fill it (tags)",
        "H1 Owner is not an input of pika/pikaframes; 700 rows fill it (None)",
        "G1 Camera is not an input of pika/pikaframes; 699 rows fill it (notes)",
    ]


def test_headings_of_artists_are_told_what_they_mean_and_rows_do_not_repeat_it() -> None:
    found = planned(f"ID,Model,First frame,Last frame,Prompt,Seconds\ns1,{PIKA},{FRAMES},hi,5\n")
    meant = [(problem.at.cell, problem.nearest) for problem in found.problems]
    assert meant == [
        ("C1", "keyFramesFirst"),
        ("D1", "keyFramesLast"),
        ("E1", "promptText"),
        ("F1", "duration"),
    ]


def test_case_and_blanks_around_a_heading_do_not_matter_and_the_schema_spells_what_is_sent() -> None:
    (take,) = takes(f" ID , MODEL,keyframesfirst,KeyFramesLast,PromptText ,SEED\ns1,{PIKA},{FRAMES},hi,7\n")
    (same,) = takes(f"id,model,keyFramesFirst,keyFramesLast,promptText,seed\ns1,{PIKA},{FRAMES},hi,7\n")
    assert take.fingerprint == same.fingerprint


def test_two_headings_that_differ_in_case_are_one_input() -> None:
    (problem,) = planned(
        f"id,model,keyFramesFirst,keyFramesLast,promptText,PROMPTTEXT\ns1,{PIKA},{FRAMES},hi,ho\n"
    ).problems
    assert problem.at.cell == "F1"
    assert problem.message == "PROMPTTEXT and promptText are one input, for case does not matter; keep one"


def test_without_id_and_model_only_the_header_is_told() -> None:
    rows = f"010,Sc 1,{FRAMES}\n" * 5
    reading = parse_manifest(f"Shot #,Scene,a,b\n{rows}".encode(), file="m.csv", name="m")
    add = "give every row the id of a model (`shotrunner models` lists them)"
    assert [str(problem) for problem in reading.problems] == [
        "m.csv:1:1 (cell A1): header: the column id is missing; if it is 'Shot #', rename that to id",
        f"m.csv:1:1 (cell A1): header: the column model is missing; {add}",
    ]
    assert header_advice(reading.problems, Path("m.csv")) == (
        "`shotrunner import m.csv` maps the columns of a sheet as it is"
    )


def test_what_is_missing_is_told_at_its_own_cell_or_at_the_header() -> None:
    found = planned(f"id,model,keyFramesFirst,promptText\ns1,{PIKA},,hi\ns2,{PIKA},https://e.com/a,hi\n")
    assert said(found.problems) == [
        "A1 the column keyFramesLast is missing, and pika/pikaframes requires it in 2 rows (None)",
        "C2 missing, and the model requires it (None)",
    ]


def test_a_column_that_is_empty_throughout_says_nothing_and_excuses_nothing() -> None:
    found = planned(f"id,model,keyFramesFirst,keyFramesLast,promtText\ns1,{PIKA},{FRAMES},\n")
    assert said(found.problems) == [
        "A1 the column promptText is missing, and pika/pikaframes requires it in 1 row (None)"
    ]
    assert not found.plan.takes


def test_a_cell_that_was_reported_is_not_missing_as_well() -> None:
    found = planned(f"id,model,keyFramesFirst,keyFramesLast,promptText\ns1,{PIKA},{FRAMES},#REF!\n")
    assert [problem.at.cell for problem in found.problems] == ["E2"]
    assert not found.plan.takes


@pytest.mark.parametrize("column", ["seconds", "state", "cost", "error", "file"])
def test_a_column_with_the_name_of_a_result_is_an_input_like_any_other(tmp_path: Path, column: str) -> None:
    folder = put_model(tmp_path, {column: {"type": "string"}, "prompt": {"type": "string"}})
    (take,) = takes(f"id,model,prompt,{column}\ns1,acme/any,hi,ten\n", folder)
    assert json.loads(take.body) == {"prompt": "hi", column: "ten"}
    found = planned(f"id,model,keyFramesFirst,keyFramesLast,promptText,{column}\ns1,{PIKA},{FRAMES},hi,10\n")
    assert [problem.at.cell for problem in found.problems] == ["F1"]


def test_a_place_of_a_list_in_brackets_is_told_how_it_is_written(tmp_path: Path) -> None:
    folder = put_model(tmp_path, {"images": {"type": "array", "items": {"type": "string", "format": "uri"}}})
    (problem,) = planned("id,model,images[0]\ns1,acme/any,https://e.com/a.png\n", folder).problems
    assert problem.nearest == "images.0"


def test_a_mapping_in_a_sheet_is_told_where_its_parts_go(tmp_path: Path) -> None:
    camera = {"type": "object", "properties": {"pan": {"type": "number"}, "tilt": {"type": "number"}}}
    folder = put_model(tmp_path, {"camera": camera})
    (problem,) = planned("id,model,camera\ns1,acme/any,pan left\n", folder).problems
    assert problem.message.endswith("has a column for each of its parts: camera.pan, camera.tilt")


def test_headings_that_mean_the_id_and_inputs_are_all_told_at_once() -> None:
    found = planned(
        f"Shot ID,model,keyFramesFirst,keyFramesLast,Prompt,Duration (s)\ns1,{PIKA},{FRAMES},hi,5\n"
    )
    assert [problem.nearest for problem in found.problems] == [None, "promptText", "duration"]


def test_a_dot_at_the_end_of_a_heading_is_an_abbreviation() -> None:
    (problem,) = planned(f"id,model,keyFramesFirst,keyFramesLast,Prompt.\ns1,{PIKA},{FRAMES},hi\n").problems
    assert problem.nearest == "promptText"


@pytest.mark.parametrize(
    ("columns", "cells", "message"),
    [
        (
            "images",
            "https://e.com/a.png",
            "is text where a list is needed; a list has a column for each of its parts",
        ),
        (
            "images.1,images.2",
            "https://e.com/a,https://e.com/b",
            "the parts of a list count from 0, without a gap",
        ),
    ],
)
def test_a_list_in_a_sheet_is_told_where_its_parts_go(
    tmp_path: Path, columns: str, cells: str, message: str
) -> None:
    folder = put_model(tmp_path, {"images": {"type": "array", "items": {"type": "string", "format": "uri"}}})
    (problem,) = planned(f"id,model,{columns}\ns1,acme/any,{cells}\n", folder).problems
    assert message in problem.message


@pytest.mark.parametrize(("cell", "sent"), [("TRUE", True), ("FALSE", False), ("WAHR", True), ("true", True)])
def test_a_boolean_of_a_spreadsheet_is_one_where_only_a_boolean_can_be(
    tmp_path: Path, cell: str, *, sent: bool
) -> None:
    folder = put_model(tmp_path, {"loop": {"type": "boolean"}, "word": {"type": "string"}})
    (take,) = takes(f"id,model,loop,word\ns1,acme/any,{cell},{cell}\n", folder)
    assert json.loads(take.body) == {"loop": sent, "word": cell}


def board(takes_cell: str, *, model: str = "pika/pika-2-2/image-to-video") -> str:
    return f"id,model,image,promptText,takes\ns1,{model},https://e.com/a.jpg,hi,{takes_cell}\n"


def test_takes_have_seeds_of_their_own_and_more_of_them_keep_the_first_ones() -> None:
    one, three, five = (takes(board(cell)) for cell in ("", "3", "5"))
    prints = [[(take.id, take.fingerprint) for take in found] for found in (one, three, five)]
    assert prints[2][:3] == prints[1]
    assert prints[1][:1] == prints[0]
    assert len({take.seed for take in five}) == len({take.fingerprint for take in five}) == 5
    assert three[1].id == f"s1@seed={three[1].seed}"
    assert all(take.seed_from_id == "seed" for take in five)


def test_the_first_of_several_takes_keeps_the_default_seed_of_its_model(tmp_path: Path) -> None:
    folder = put_model(tmp_path, {"seed": {"type": "integer", "default": 42, "minimum": 0, "maximum": 44}})
    text = "id,model,takes\ns1,acme/any,{}\n"
    assert [take.seed for take in takes(text.format(1), folder)] == [42]
    three = planned(text.format(3), folder).plan.takes
    assert three[0].seed == 42
    assert len({take.seed for take in three}) == 3
    (problem,) = [p for p in planned(text.format(60), folder).problems if "seeds" in p.message]
    assert problem.message == "acme/any has only 45 seeds, which is too few for 60 takes"


def test_takes_of_a_model_without_a_seed_are_repeats(tmp_path: Path) -> None:
    folder = put_model(tmp_path, {"prompt": {"type": "string"}})
    three = takes("id,model,prompt,takes\ns1,acme/any,hi,3\n", folder)
    assert [take.id for take in three] == ["s1", "s1@repeat=2", "s1@repeat=3"]


@pytest.mark.parametrize("cell", ["0", "-1", "x", "3x", "1.5"])
def test_a_number_of_takes_is_a_whole_number(cell: str) -> None:
    (problem,) = planned(board(cell)).problems
    assert (problem.at.cell, problem.subject) == ("E2", "shot s1, takes")


@pytest.mark.parametrize("column", ["seed", "seeds"])
def test_a_row_with_seeds_of_its_own_has_no_other_takes(column: str) -> None:
    text = board("3").replace("takes", f"takes,{column}").replace("hi,3", "hi,3,700")
    (problem,) = planned(text).problems
    assert problem.message == "the row gives seed itself; leave that or takes empty"
    assert problem.at.cell == "F2"


def test_takes_multiply_the_points_of_a_sweep() -> None:
    text = board("2").replace("takes", "takes,sweep").replace("hi,2", "hi,2,resolution=720p|1080p")
    ids = [take.id.partition(",")[0] for take in takes(text)]
    assert ids == ["s1@resolution=720p", "s1@resolution=720p", "s1@resolution=1080p", "s1@resolution=1080p"]


def test_a_heading_that_a_pattern_of_the_schema_describes_is_a_column(tmp_path: Path) -> None:
    folder = put_model(tmp_path, {"prompt": {"type": "string"}})
    path = folder / "models" / "acme" / "any.json"
    rule = {"patternProperties": {"^weight_[a-z]$": {"type": "number"}}}
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **rule}), "utf-8")
    (take,) = takes("id,model,prompt,weight_a\ns1,acme/any,hi,0.5\n", folder)
    assert json.loads(take.body) == {"prompt": "hi", "weight_a": 0.5}
    found = planned("id,model,prompt,weight_9\ns1,acme/any,hi,0.5\n", folder)
    assert said(found.problems) == ["D1 weight_9 is not an input of acme/any; 1 row fills it (None)"]
