"""Clips under a user's own names: given at once, changed in one step, and never lost, mixed up or paid for again."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.acceptance.boards import MODEL, charges_of, report_of
from tests.acceptance.command import Desk

QUICK = ("--simulate", "--speed", 50, "-j", 8, "--poll-interval", 0.05)


def board(desk: Desk) -> Path:
    path = desk.folder / "board.yaml"
    path.write_text(
        f"version: 1\nname: board\ndefaults:\n  model: {MODEL}\n  inputs:\n"
        "    keyFramesFirst: https://example.com/a.jpg\n    keyFramesLast: https://example.com/b.jpg\n"
        "    duration: 5\nshots:\n"
        "  - id: s010\n    inputs: {promptText: one}\n    sweep: {seed: [7, 8]}\n"
        "  - id: s020\n    inputs: {promptText: two, seed: 7}\n"
    )
    return path


def place(desk: Desk) -> Path:
    return desk.folder / "reports" / "board-simulated"


def clips(desk: Desk) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in (place(desk) / "clips").glob("*.mp4")}


def owners(desk: Desk) -> dict[str, str]:
    """Return the take that each sidecar names, by the sidecar's own name."""
    return {
        path.stem: json.loads(path.read_text())["take"] for path in (place(desk) / "clips").glob("*.json")
    }


NAMED = {"s010_t01": "s010@seed=7", "s010_t02": "s010@seed=8", "s020_t01": "s020"}


def test_clips_have_the_names_of_the_template_until_another_is_given(desk: Desk) -> None:
    path = board(desk)
    desk.run("run", path, *QUICK, "--name", "{shot}_t{take:02}")
    before = clips(desk)
    assert owners(desk) == NAMED
    assert before.keys() == NAMED.keys()
    # The run keeps its template, and a take that comes later is named by it.
    path.write_text(path.read_text().replace("[7, 8]", "[9, 7, 8]"))
    desk.run("run", path, *QUICK)
    assert owners(desk) == NAMED | {"s010_t03": "s010@seed=9"}
    rows = report_of(place(desk))
    assert {row["label"]: row["file"] for row in rows} == {name: f"clips/{name}.mp4" for name in owners(desk)}
    desk.run("run", path, *QUICK, "--name", "{id}")
    assert clips(desk)["s010@seed=8"] == before["s010_t02"]
    desk.run("verify", path, "--simulate")
    assert len(charges_of(place(desk) / "simulator" / "ledger.jsonl")) == 4


@pytest.mark.parametrize("point", ["recall.adopted", "recall.clip_renamed", "recall.clip_moved"])
def test_a_kill_while_clips_are_named_anew_loses_and_repays_nothing(desk: Desk, point: str) -> None:
    path = board(desk)
    desk.run("run", path, *QUICK)
    before = clips(desk)
    dying = desk.with_environment(SHOTRUNNER_FAILPOINTS=f"{point}=kill@1")
    outcome = dying.start("run", path, *QUICK, "--name", "{shot}_t{take:02}").end()
    assert outcome.code == -signal.SIGKILL, outcome
    desk.run("run", path, *QUICK)
    assert clips(desk) == {name: before[take] for name, take in NAMED.items()}
    desk.run("verify", path, "--simulate")
    assert len(charges_of(place(desk) / "simulator" / "ledger.jsonl")) == 3


def test_a_fetch_does_the_rest_of_an_interrupted_renaming(desk: Desk) -> None:
    path = board(desk)
    desk.run("run", path, *QUICK)
    before = clips(desk)
    dying = desk.with_environment(SHOTRUNNER_FAILPOINTS="recall.named=kill@1")
    outcome = dying.start("fetch", path, "--simulate", "--name", "{shot}_t{take:02}").end()
    assert outcome.code == -signal.SIGKILL, outcome
    desk.run("fetch", path, "--simulate")
    assert clips(desk) == {name: before[take] for name, take in NAMED.items()}
    assert owners(desk) == NAMED


def test_a_template_that_does_not_suit_the_board_sends_nothing(desk: Desk) -> None:
    path = board(desk)
    for command in ("run", "plan"):
        refused = desk.run(command, path, *QUICK, "--name", "{shot}", code=64)
        assert "s010@seed=7 and s010@seed=8 would both have the file name s010" in refused.err
        assert "add {take:02} or {seed} to --name" in refused.err
    assert not (place(desk) / "simulator" / "ledger.jsonl").exists()


def test_a_strangers_file_under_a_new_name_stays_and_so_does_the_clip(desk: Desk) -> None:
    path = board(desk)
    desk.run("run", path, *QUICK)
    stranger = place(desk) / "clips" / "s010_t02.mp4"
    stranger.write_bytes(b"mine")
    before = clips(desk)
    said = desk.run("run", path, *QUICK, "--name", "{shot}_t{take:02}")
    assert "s010@seed=8: its clip keeps the name" in said.err
    assert stranger.read_bytes() == b"mine"
    assert before["s010@seed=8"] in clips(desk).values()
    # Its sidecar is beside it, so nothing is missing.
    known = owners(desk)
    desk.run("verify", path, "--simulate")
    desk.run("fetch", path, "--simulate")
    assert owners(desk) == known
    stranger.unlink()
    desk.run("run", path, *QUICK)
    assert clips(desk).keys() == NAMED.keys()


def test_fetch_gives_clips_other_names_and_brings_back_what_is_missing(desk: Desk) -> None:
    path = board(desk)
    desk.run("run", path, *QUICK)
    (place(desk) / "clips" / "s020.mp4").unlink()
    desk.run("fetch", path, "--simulate", "--name", "{shot}_{seed}")
    named = {"s010_7": "s010@seed=7", "s010_8": "s010@seed=8", "s020_7": "s020"}
    assert clips(desk).keys() == named.keys()
    # The sidecar of the clip that was gone stays behind, and gives way to any other.
    assert owners(desk) == named | {"s020": "s020"}
    desk.run("verify", path, "--simulate")


def test_a_take_is_known_by_its_label_and_a_shot_shows_its_takes(desk: Desk) -> None:
    path = board(desk)
    desk.run("run", path, *QUICK)
    shown = json.loads(desk.run("show", path, "s010_t02", "--simulate", "--output", "json").out)
    assert (shown["take"]["take"], shown["take"]["label"]) == ("s010@seed=8", "s010_t02")
    table = desk.run("show", path, "s010", "--simulate").out.splitlines()
    assert [line.split()[:3] for line in table] == [
        ["s010_t01", "s010@seed=7", "delivered"],
        ["s010_t02", "s010@seed=8", "delivered"],
    ]
    refused = desk.run("fetch", path, "s010", "--simulate", code=64)
    assert "it is a shot, with the takes s010_t01, s010_t02; --only s010 chooses them all" in refused.err
    planned = json.loads(desk.run("plan", path, "--simulate", "--only", "*_t02", "--output", "json").out)
    assert [(take["take"], take["label"], take["name"]) for take in planned["takes"]] == [
        ("s010@seed=8", "s010_t02", "s010@seed=8")
    ]
