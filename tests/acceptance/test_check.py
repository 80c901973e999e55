"""`check` tells every problem of every row at once, each at its place, and nothing is submitted while there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.boards import takes_of
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.server import OutsideServer

BAD_YAML = """\
version: 1
name: bad
defaults:
  model: pika/pikaframes
shots:
  - id: s010
    inputs:
      keyFramesFirst: https://example.com/a.jpg
      keyFramesLast: https://example.com/b.jpg
      promptText: A boat.
      duration: 11
  - id: s020
    inputs:
      keyFrameFirst: https://example.com/a.jpg
      keyFramesLast: http://example.com/b.jpg
      promptText: ""
  - id: S010
    model: pika/pika-2-2/image-to-video
    inputs: {image: https://example.com/a.jpg}
  - id: s040
    model: pika/pika-2-2/image-to-video
    inputs:
      image: https://example.com/a.jpg
      resolution: 16:9
      seed: 007
      duration: no
  - id: s050
    model: pika/pikaframe
    inputs: {promptText: x}
  - id: s060
    inputs:
      keyFramesFirst: https://example.com/a.jpg
      promptText: "LONG"
      resolution: 720
    sweeps: {seed: [1]}
""".replace("LONG", "x" * 2001)

# The place in the file, then every word that must stand in the line that tells of it.
YAML_PROBLEMS = [
    ("11:17", ("s010", "inputs.duration", "11", "1…10")),
    ("14:7", ("s020", "inputs.keyFrameFirst", "unknown", "did you mean keyFramesFirst?")),
    ("15:22", ("s020", "inputs.keyFramesLast", "https")),
    ("16:19", ("s020", "inputs.promptText", "empty")),
    ("17:9", ("S010", "id", "twice", "line 6")),
    ("24:19", ("s040", "inputs.resolution", "16:9", "720p, 1080p")),
    ("25:13", ("s040", "inputs.seed", "007", "did you mean 7?")),
    ("26:17", ("s040", "inputs.duration", "no", "5, 10")),
    ("28:12", ("s050", "model", "pika/pikaframe", "did you mean pika/pikaframes?")),
    ("30:5", ("s060", "inputs.keyFramesLast", "missing")),
    ("33:19", ("s060", "inputs.promptText", "2001", "2000")),
    ("34:19", ("s060", "inputs.resolution", "did you mean 720p?", "720p, 1080p")),
    ("35:5", ("s060", "sweeps", "did you mean sweep?")),
]

BAD_CSV = """\
id,model,keyFramesFirst,keyFramesLast,image,promptText,resolution,duration,seed,promptTxt
s010,pika/pikaframes,https://example.com/a.jpg,https://example.com/b.jpg,,A boat.,720p,11,,
s020,pika/pikaframes,https://example.com/a.jpg,http://example.com/b.jpg,,,720p,5,,
S010,pika/pika-2-2/image-to-video,,,https://example.com/a.jpg,,,,,
s040,pika/pika-2-2/image-to-video,,,https://example.com/a.jpg,,16:9,no,007,
s050,pika/pikaframe,,,,x,,,,
s060,pika/pikaframes,https://example.com/a.jpg,https://example.com/b.jpg,,LONG,720,,1.5,x
s 70,pika/pikaframes,https://example.com/a.jpg,https://example.com/b.jpg,,x,720p,,,
""".replace("LONG", "x" * 2001)

CSV_PROBLEMS = [
    ("1:10 (cell J1)", ("header", "promptTxt", "not an input of pika/pikaframes", "1 row fills it")),
    ("2:8 (cell H2)", ("s010", "inputs.duration", "11", "1…10")),
    ("3:4 (cell D3)", ("s020", "inputs.keyFramesLast", "https")),
    ("3:6 (cell F3)", ("s020", "inputs.promptText", "missing")),
    ("4:1 (cell A4)", ("S010", "id", "twice")),
    ("5:7 (cell G5)", ("s040", "inputs.resolution", "16:9", "720p, 1080p")),
    ("5:8 (cell H5)", ("s040", "inputs.duration", "no", "5, 10")),
    ("5:9 (cell I5)", ("s040", "inputs.seed", "007", "did you mean 7?")),
    ("6:2 (cell B6)", ("s050", "model", "pika/pikaframe", "did you mean pika/pikaframes?")),
    ("7:6 (cell F7)", ("s060", "inputs.promptText", "2001", "2000")),
    ("7:7 (cell G7)", ("s060", "inputs.resolution", "did you mean 720p?")),
    ("7:9 (cell I7)", ("s060", "inputs.seed", "1.5")),
    ("8:1 (cell A8)", ("id", "s 70")),
]

Problems = Sequence[tuple[str, tuple[str, ...]]]
BOTH = pytest.mark.parametrize(
    ("file", "text", "problems"),
    [("bad.yaml", BAD_YAML, YAML_PROBLEMS), ("bad.csv", BAD_CSV, CSV_PROBLEMS)],
    ids=["yaml", "csv"],
)


@BOTH
def test_every_problem_is_told_once_with_its_place_and_the_way_out(
    desk: Desk, file: str, text: str, problems: Problems
) -> None:
    """Exit 65; file, line, column, shot, field, and what would have been right, in the order of the file."""
    (desk.folder / file).write_text(text)
    outcome = desk.run("check", file, code=65)
    told = [line for line in outcome.err.splitlines() if line.startswith(f"{file}:")]
    for place, words in problems:
        mine = [line for line in told if line.startswith(f"{file}:{place}: ")]
        assert len(mine) == 1, f"{place} is told {len(mine)} times\n{outcome}"
        assert [word for word in words if word not in mine[0]] == [], mine[0]
    assert len(told) == len(problems), outcome
    assert re.search(rf"\b{len(problems)} problems\b", outcome.err)
    assert outcome.out == ""


@BOTH
def test_problems_for_programs_have_the_same_places(
    desk: Desk, file: str, text: str, problems: Problems
) -> None:
    """`--output json` gives line and column as numbers, and allowed values and the nearest name apart."""
    (desk.folder / file).write_text(text)
    found = json.loads(desk.run("check", file, "--output", "json", code=65).out)
    assert found["ok"] is False
    places = [f"{problem['line']}:{problem['column']}" for problem in found["problems"]]
    assert places == [place.partition(" ")[0] for place, _ in problems]
    assert {problem["file"] for problem in found["problems"]} == {file}
    assert "keyFramesFirst" in {problem["nearest"] for problem in found["problems"]} or file == "bad.csv"


@BOTH
def test_nothing_is_submitted_from_a_manifest_with_a_problem(
    desk: Desk, file: str, text: str, problems: Problems
) -> None:
    """`run` tells the same and exits 65, and the service never hears of it, although some rows were right."""
    (desk.folder / file).write_text(text)
    with OutsideServer() as server:
        outcome = pointed_at(server, desk).run("run", file, "-y", code=65)
        assert sum(server.stats()["calls"].values()) == 0
    # A service on this machine may be given media of this machine; nothing else changes.
    assert len([line for line in outcome.err.splitlines() if line.startswith(f"{file}:")]) == len(problems)
    assert not list(desk.folder.rglob("state.db"))


def test_a_row_with_one_problem_is_still_searched_for_others(desk: Desk) -> None:
    """A duplicate id hides neither the unknown model nor the wrong input of its row."""
    rows = ["id,model,image,duration"]
    rows += [f"a,{model},https://example.com/a.jpg,{seconds}" for model, seconds in TWINS]
    (desk.folder / "board.csv").write_text("\n".join(rows))
    outcome = desk.run("check", "board.csv", code=65)
    told = [line.partition(": ")[0] for line in outcome.err.splitlines() if line.startswith("board.csv:")]
    assert told == [
        "board.csv:3:1 (cell A3)",
        "board.csv:3:2 (cell B3)",
        "board.csv:4:1 (cell A4)",
        "board.csv:4:4 (cell D4)",
    ], outcome


TWINS = (
    ("pika/pika-2-2/image-to-video", 5),
    ("pika/pika-2-2/image-to-vidio", 5),
    ("pika/pika-2-2/image-to-video", 6),
)


def test_a_right_manifest_is_told_by_its_size(desk: Desk) -> None:
    """Exit 0, on stdout how many takes, and no word of a problem; it leaves nothing behind."""
    desk.run("init", "board.yaml")
    before = sorted(desk.folder.rglob("*"))
    outcome = desk.run("check", "board.yaml")
    assert "6 takes of 3 shots, all valid" in outcome.out
    assert outcome.err == ""
    assert sorted(desk.folder.rglob("*")) == before


@pytest.mark.parametrize("command", ["check", "run", "status", "report"])
def test_a_manifest_that_is_not_there_is_66(desk: Desk, command: str) -> None:
    """Each command names the file it did not find."""
    outcome = desk.run(command, "nowhere.yaml", code=66)
    assert "nowhere.yaml" in outcome.err


ODD_SCHEMA = {
    "type": "object",
    "required": ["prompt", "ghost"],
    "properties": {
        "prompt": {"type": "string", "maxLength": 50},
        "strength": {"type": "float", "default": 0.5, "minimum": 0, "maximum": 1},
        "steps": {"type": "integer", "default": None},
        "start": {"type": "string", "format": "image_uri"},
        "validations": {"type": "string", "validations": [{"rule": "private"}]},
    },
}


def own_model(folder: Path) -> None:
    place = folder / "schemas" / "acme" / "dream.json"
    place.parent.mkdir(parents=True)
    place.write_text(json.dumps(ODD_SCHEMA))


def test_a_users_own_odd_schema_beside_the_manifest_is_used(desk: Desk) -> None:
    """A new model is a new file: it is listed, it checks, it types its inputs, and it runs on the simulator."""
    own_model(desk.folder)
    board = desk.folder / "board.csv"
    board.write_text("id,model,prompt,strength,start\na,acme/dream,Sheep,0.25,https://example.com/a.png\n")
    plan = json.loads(desk.run("check", board, "--output", "json").out)
    body = plan["takes"][0]["body"]
    assert (body["prompt"], body["strength"]) == ("Sheep", 0.25)
    assert "ghost" not in body
    assert "acme/dream" in desk.run("models", "--schema-dir", "schemas").out
    desk.run("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1)
    (take,) = takes_of(desk.folder / "reports" / "board-simulated")
    assert (take.model, take.file) == ("acme/dream", "clips/a.mp4")


def test_a_users_own_schema_is_obeyed(desk: Desk) -> None:
    """Its limits and its types are held, odd as they are written."""
    own_model(desk.folder)
    board = desk.folder / "board.csv"
    board.write_text("id,model,prompt,strength,steps\na,acme/dream,Sheep,1.5,2.5\n")
    outcome = desk.run("check", board, code=65)
    assert "inputs.strength: 1.5" in outcome.err
    assert "inputs.steps: 2.5" in outcome.err
