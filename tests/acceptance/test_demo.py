"""The first thing anybody does: the example storyboard on the simulator, twice; and every other example."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import av
import pytest

from tests.acceptance.boards import (
    EXAMPLES,
    MODEL,
    OTHER_MODEL,
    charges_of,
    copy_examples,
    is_whole_mp4,
    report_of,
    takes_of,
)
from tests.acceptance.command import Desk

FAST = ("--speed", 20, "--poll-interval", 0.1, "-j", 8)
# The sheet of an artist has a map beside it, and a test of its own.
ELSEWHERE = ("faults", "artist-board")
BOARDS = sorted(
    path.name
    for path in EXAMPLES.iterdir()
    if path.suffix in {".yaml", ".csv"} and not path.stem.startswith(ELSEWHERE)
)


@pytest.mark.installed
def test_the_demo_renders_every_take_and_a_second_run_submits_nothing(desk: Desk) -> None:
    """Both models, all clips whole, both reports named; the second run finds everything complete."""
    board = copy_examples(desk.folder) / "storyboard.yaml"
    first = desk.run("run", board, "--simulate", *FAST)
    place = desk.folder / "reports" / "paper-boat-simulated"
    takes = takes_of(place)
    assert len(takes) >= 12
    assert {take.model for take in takes} == {MODEL, OTHER_MODEL}
    assert any(take.point for take in takes), "no sweep"
    clips = sorted((place / "clips").glob("*.mp4"))
    assert {place / str(take.file) for take in takes} == set(clips)
    assert all(is_whole_mp4(clip) for clip in clips)
    for report in ("report.csv", "report.html"):
        assert str(place / report) in first.out
        assert (place / report).stat().st_size > 0
    assert f"{len(takes)} takes: {len(takes)} delivered" in first.out
    assert str(place / str(takes[0].file)) in first.out
    ledger, log = place / "simulator" / "ledger.jsonl", place / "run.log"
    before = ledger.read_bytes(), log.read_bytes()
    assert len(charges_of(ledger)) == len(takes)

    second = desk.run("run", board, "--simulate")
    assert (ledger.read_bytes(), log.read_bytes()) == before
    assert "everything is complete" in second.out
    assert second.err == "", "a run with nothing to do should start nothing and say nothing"
    assert all(str(place / report) in second.out for report in ("report.csv", "report.html"))


def test_the_clips_are_as_long_and_as_wide_as_was_asked(desk: Desk) -> None:
    """A clip has the duration of its take, a wide picture, and something moves in it."""
    board = copy_examples(desk.folder) / "storyboard.yaml"
    desk.run("run", board, "--simulate", *FAST, "--only", "s030", "--only", "s040")
    place = desk.folder / "reports" / "paper-boat-simulated"
    takes = [take for take in takes_of(place) if take.file]
    assert {take.shot_id for take in takes} == {"s030", "s040"}
    for take in takes:
        with av.open(str(place / str(take.file))) as clip:
            stream = clip.streams.video[0]
            frames = [frame.to_ndarray(format="gray") for frame in clip.decode(stream)]
            seconds = float(clip.duration or 0) / av.time_base
        assert seconds == pytest.approx(json.loads(take.body)["duration"], abs=0.2)
        height, width = frames[0].shape
        assert width / height == pytest.approx(16 / 9, rel=0.05)
        assert (frames[0] != frames[-1]).any()


def test_the_yaml_example_and_its_csv_twin_are_the_same_takes(desk: Desk) -> None:
    """`check` gives the same takes, bodies, seeds and fingerprints in the same order."""
    plans = [
        json.loads(desk.run("check", EXAMPLES / f"storyboard.{kind}", "--output", "json").out)
        for kind in ("yaml", "csv")
    ]
    assert plans[0]["takes"] == plans[1]["takes"]
    assert all(plan["ok"] for plan in plans)
    assert len(plans[0]["takes"]) >= 12


@pytest.mark.parametrize("name", [name for name in BOARDS if name != "storyboard.yaml"])
def test_every_other_example_runs(desk: Desk, name: str) -> None:
    """An example that does not run is no example."""
    board = copy_examples(desk.folder) / name
    outcome = desk.run("run", board, "--simulate", *FAST, "--no-download", "--only", "s0[34]0")
    assert " succeeded" in outcome.out
    assert not any(word in outcome.out for word in ("failed", "held"))


def test_the_bad_night_ends_as_its_comments_say(desk: Desk) -> None:
    """With the example script one take is held, one is refused by moderation, and all others come home."""
    folder = copy_examples(desk.folder)
    script = ("--script", folder / "faults.yaml")
    outcome = desk.run("run", folder / "storyboard.yaml", "--simulate", *FAST, *script, code=4)
    place = desk.folder / "reports" / "paper-boat-simulated"
    rows = report_of(place)
    counts = Counter(row["state"] for row in rows)
    assert counts == {"held": 1, "failed": 1, "delivered": len(rows) - 2}
    assert [row["class"] for row in rows if row["state"] == "failed"] == ["moderation"]
    assert "flagged by content moderation (simulated)" in outcome.err, "no word of it is taken for the token"
    (held,) = [row["take"] for row in rows if row["state"] == "held"]
    assert held in outcome.err
    charges = charges_of(place / "simulator" / "ledger.jsonl")
    assert len({str(charge["body_sha256"]) for charge in charges}) == len(charges) == len(rows)
    assert all(is_whole_mp4(clip) for clip in (place / "clips").glob("*.mp4"))
    assert not list(Path(place / "clips").glob("*.part*"))


def test_a_service_that_answers_oddly_costs_no_clip_and_nothing_twice(desk: Desk) -> None:
    """With the other example script all clips come, whole and paid for once; what was refused alike is sent later."""
    folder = copy_examples(desk.folder)
    script = ("--script", folder / "faults-odd.yaml")
    outcome = desk.run("run", folder / "storyboard.yaml", "--simulate", *FAST, *script)
    assert "3 submits were refused alike: HTTP 404: no route matched" in outcome.out + outcome.err
    place = desk.folder / "reports" / "paper-boat-simulated"
    rows = report_of(place)
    assert {row["state"] for row in rows} == {"delivered"}
    charges = charges_of(place / "simulator" / "ledger.jsonl")
    assert len({str(charge["body_sha256"]) for charge in charges}) == len(charges) == len(rows)
    assert all(is_whole_mp4(clip) for clip in (place / "clips").glob("*.mp4"))
