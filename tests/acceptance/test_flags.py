"""What the flags of `run` promise: progress for people and programs, a part of the board, a place, no downloads."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.acceptance.boards import ONE_SHOT, charges_of, copy_examples, report_of, takes_of, write_csv
from tests.acceptance.command import Desk

ROOT = Path(__file__).parents[2]
FAST = ("--simulate", "--speed", 50, "--poll-interval", 0.1, "-j", 8)


@pytest.fixture
def board(desk: Desk) -> Path:
    return write_csv(desk.folder / "board.csv", 3)


EVENTS = Draft202012Validator(json.loads((ROOT / "schemas" / "events.schema.json").read_text("utf-8")))


def _events(text: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        EVENTS.validate(line)
    return lines


def test_events_are_all_that_is_on_stderr_and_the_log_has_the_same(desk: Desk, board: Path) -> None:
    """Each take's way can be followed to its file, from the session's begin to its end."""
    lines = _events(desk.run("run", board, *FAST, "--progress", "json").err)
    ways: dict[str, list[str]] = {}
    for line in lines:
        if take := line.get("take"):
            ways.setdefault(take, []).append(line["event"])
    assert set(ways) == {"t0000", "t0001", "t0002"}
    for way in ways.values():
        known = [event for event in way if event != "take.running"]
        words = ("submitting", "submitted", "ended", "fetching", "delivered")
        assert known == [f"take.{word}" for word in words]
    place = desk.folder / "reports" / "board-simulated"
    files = [line["file"] for line in lines if line["event"] == "take.delivered"]
    assert all((place / file).is_file() for file in files)
    logged = _events((place / "run.log").read_text("utf-8"))
    ends = [(each[0]["event"], each[-1]["event"], each[-1]["exit"]) for each in (lines, logged)]
    assert ends == [("run.started", "run.ended", 0)] * 2
    assert [line for line in logged if "take" in line] == [line for line in lines if "take" in line]
    _ask_with_jq(place / "run.log")


def test_what_goes_first_and_how_often_is_in_the_manifest_of_an_example(desk: Desk) -> None:
    """The model without a rate does not wait for the other one."""
    board = copy_examples(desk.folder) / "sequence.yaml"
    desk.run("run", board, "--simulate", "--speed", 100, "--poll-interval", 0.05, "--no-inspect", "-j", 8)
    log = (desk.folder / "reports" / "night-walk-simulated" / "run.log").read_text("utf-8")
    (started, *events) = _events(log)
    assert started["settings"]["rates"] == {"pika/pikaframes": "4/s"}
    assert started["settings"]["first"] == ["walk-04", "s030"]
    sent = {line["take"]: line["at"] for line in events if line["event"] == "take.submitting"}
    # Whether s010 goes second depends on how fast the machine is; it goes before what comes after it on the board.
    assert list(sent).index("s010") < list(sent).index("the-stairs")
    paced = {take: datetime.fromisoformat(at) for take, at in sent.items() if take != "s010"}
    assert list(paced) == ["walk-04", "s030", "walk-01", "walk-02", "the-stairs"]
    assert all((later - earlier).total_seconds() > 0.2 for earlier, later in pairwise(paced.values()))


def test_a_plan_knows_what_goes_first_and_refuses_a_limit_for_no_take(desk: Desk, board: Path) -> None:
    planned = desk.run(
        "plan", board, "--simulate", "--first", "t0002", "--max-submits", 1, "--output", "json"
    )
    assert [(each["take"], each["action"]) for each in json.loads(planned.out)["takes"]] == [
        ("t0000", "blocked"),
        ("t0001", "blocked"),
        ("t0002", "submit"),
    ]
    refused = desk.run("run", board, "--simulate", "--rate", "pika/pikaframe=10/min", code=64)
    assert "--rate is for the model 'pika/pikaframe', and no take is of it" in refused.err
    assert "did you mean pika/pikaframes?" in refused.err


def test_a_fetch_has_events_as_a_run_has(desk: Desk, board: Path) -> None:
    desk.run("run", board, *FAST, "--no-download", "--quiet")
    lines = _events(desk.run("fetch", board, "--simulate", "t0001", "--progress", "json").err)
    assert [line["event"] for line in lines] == [
        "run.started",
        "take.fetching",
        "take.delivered",
        "run.ended",
    ]
    assert (lines[0]["command"][:2], lines[-1]["exit"]) == (["shotrunner", "fetch"], 0)
    logged = _events((desk.folder / "reports" / "board-simulated" / "run.log").read_text("utf-8"))
    assert [line["event"] for line in logged[-4:]] == [line["event"] for line in lines]


def _ask_with_jq(log: Path) -> None:
    """Put the questions of the page to a log; each is answered."""
    page = (ROOT / "docs" / "machines.md").read_text("utf-8")
    questions = re.findall("```jq\n(.*)\n```", page)
    assert len(questions) == 6
    for question in questions if shutil.which("jq") else ():
        command = shlex.split(question.replace("RUN/run.log", str(log)))
        subprocess.run(command, check=True, capture_output=True, timeout=60)


def test_an_error_is_the_last_event_and_stderr_holds_nothing_else(desk: Desk, board: Path) -> None:
    board.write_text(board.read_text("utf-8").replace("t0001", "t0000"), "utf-8")
    *_, end = _events(desk.run("run", board, *FAST, "--progress", "json", code=65).err)
    assert (end["event"], end["exit"], len(end["problems"])) == ("run.ended", 65, 1)


def test_the_run_directory_is_where_it_is_told_and_serves_one_manifest(desk: Desk, board: Path) -> None:
    """`--run-dir` holds all of the run, silent as it was asked to be; another manifest is refused there."""
    wishes = ("--no-download", "--progress", "none", "--run-dir", "elsewhere/deep")
    outcome = desk.run("run", board, *FAST, *wishes)
    assert outcome.err == ""
    assert "3 takes: 3 succeeded" in outcome.out
    place = desk.folder / "elsewhere" / "deep"
    assert str(place / "report.csv") in outcome.out or "elsewhere/deep/report.csv" in outcome.out
    assert len(takes_of(place)) == 3
    assert not (desk.folder / "reports").exists()
    other = desk.folder / "other.yaml"
    other.write_text(ONE_SHOT)
    refused = desk.run("run", other, *FAST, "--run-dir", "elsewhere/deep", code=64)
    assert "board.csv" in refused.err
    assert "--run-dir" in refused.err
    assert len(takes_of(place)) == 3


def test_clips_that_are_not_there_are_fetched_later_without_paying(desk: Desk, board: Path) -> None:
    """With `--no-download` no file; the same command without it only fetches, also what was deleted since."""
    place = desk.folder / "reports" / "board-simulated"
    desk.run("run", board, *FAST, "--only", "t0000")
    first = place / "clips" / "t0000.mp4"
    content = first.read_bytes()
    outcome = desk.run("run", board, *FAST, "--no-download")
    assert "2 succeeded" in outcome.out
    assert [path.name for path in place.glob("clips/*.mp4")] == ["t0000.mp4"]
    assert all(row["outputs"] for row in report_of(place))
    first.unlink()
    ledger = place / "simulator" / "ledger.jsonl"
    charged = ledger.read_bytes()
    later = desk.run("run", board, *FAST)
    assert "3 takes: 3 delivered" in later.out
    assert first.read_bytes() == content
    assert len(list(place.glob("clips/*.mp4"))) == 3
    assert ledger.read_bytes() == charged


TAGGED = """\
version: 1
name: tagged
defaults:
  model: pika/pikaframes
  inputs:
    keyFramesFirst: https://example.com/a.jpg
    keyFramesLast: https://example.com/b.jpg
    promptText: "Shot {{ id }}."
    duration: 1
shots:
  - {id: s010, tags: [night], inputs: {seed: 1}}
  - {id: s020, sweep: {seed: [7, 8], resolution: [720p, 1080p]}}
  - {id: s030, inputs: {seed: 3}}
  - {id: s040, tags: [hero, night], inputs: {seed: 4}}
  - {id: s050, inputs: {seed: 5}}
"""


@pytest.fixture
def tagged(desk: Desk) -> Path:
    path = desk.folder / "tagged.yaml"
    path.write_text(TAGGED)
    return path


def test_only_submits_what_is_meant(desk: Desk, tagged: Path) -> None:
    """An id, a glob, a tag and a state choose takes; each is submitted once, whatever was asked before."""
    place = desk.folder / "reports" / "tagged-simulated"
    steps = {
        ("s030", "s020@*seed=8"): {"s030", "s020@resolution=720p,seed=8", "s020@resolution=1080p,seed=8"},
        ("tag:night",): {"s010", "s040"},
    }
    done: set[str] = set()
    for wishes, meant in steps.items():
        only = [word for wish in wishes for word in ("--only", wish)]
        desk.run("run", tagged, *FAST, "--no-download", *only)
        done |= meant
        assert {take.take_id for take in takes_of(place) if take.request_id} == done, wishes
    desk.run("run", tagged, *FAST, "--no-download", "--only", "status:pending")
    takes = takes_of(place)
    assert len(takes) == 8
    charges = charges_of(place / "simulator" / "ledger.jsonl")
    assert sorted(str(take.request_id) for take in takes) == sorted(
        str(charge["request_id"]) for charge in charges
    )


@pytest.mark.parametrize(
    ("wish", "advice"),
    [("s03", "s030"), ("status:done", "succeeded"), ("tag:nobody", "nobody")],
)
def test_a_wish_that_means_nothing_is_refused_with_the_nearest(
    desk: Desk, tagged: Path, wish: str, advice: str
) -> None:
    """Exit 64, not an empty run that looks complete."""
    outcome = desk.run("run", tagged, *FAST, "--only", wish, code=64)
    assert advice in outcome.err
    assert not list(desk.folder.rglob("ledger.jsonl"))


@pytest.mark.parametrize(
    "flags",
    [
        ("-j", "0"),
        ("-j", "many"),
        ("--poll-interval", "0"),
        ("--speed", "nan"),
        ("--progress", "loud"),
        ("--what",),
    ],
    ids=" ".join,
)
def test_a_wrong_flag_is_64_and_names_itself(desk: Desk, board: Path, flags: tuple[str, ...]) -> None:
    """Exit 2 would say that takes failed."""
    outcome = desk.run("run", board, "--simulate", *flags, code=64)
    assert flags[0] in outcome.err
    assert not (desk.folder / "reports").exists()


def test_a_simulator_does_not_start_with_a_schema_that_is_not_what_its_hash_says(desk: Desk) -> None:
    folder = desk.folder / "more" / "models" / "acme"
    folder.mkdir(parents=True)
    wrong = {"model": "acme/a", "input": {"type": "object"}, "output": {}, "sha256": {"input": "00"}}
    (folder / "a.json").write_text(json.dumps(wrong))
    refused = desk.run("simulate", "--schema-dir", "more", code=65)
    assert "more/models/acme/a.json: its input schema is not what its sha256 says" in refused.err
    assert refused.out == ""


def test_advice_about_takes_names_them_and_no_command_that_lacks_its_manifest(
    desk: Desk, board: Path
) -> None:
    desk.run("run", board, *FAST)
    kept = desk.run("accept", board, "t0000", code=64)
    assert "take t0000 is not stale; nothing was recorded\n  → nothing here is stale" in kept.err
    chosen = desk.run("plan", board, "--simulate", "--only", "zz", code=64)
    assert "no take matches 'zz'\n  → the shots are t0000, t0001, t0002" in chosen.err
