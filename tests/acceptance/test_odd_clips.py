"""Odd clips are flagged from the run to the report, and a flag changes nothing else."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.acceptance.command import Desk

BOARD = """
version: 1
name: odd
defaults: {model: pika/pika-2-2/image-to-video, inputs: {duration: 5, image: "https://example.com/a.jpg"}}
shots:
  - {id: s010, inputs: {promptText: A fox.}, sweep: {seed: [1, 2]}}
  - {id: s020, inputs: {promptText: A boat.}}
"""
SCRIPT = """
version: 1
faults:
  - {route: submit, fault: clip-short, after: 1, count: 1}
"""
FLAGS = [{"kind": "duration", "message": "2 s long instead of 5 s"}]

pytestmark = pytest.mark.inspects


@pytest.fixture
def words(desk: Desk) -> tuple[object, ...]:
    """Return the run of a board whose second take is short."""
    (desk.folder / "odd.yaml").write_text(BOARD)
    (desk.folder / "faults.yaml").write_text(SCRIPT)
    fast = ("--speed", 50, "--poll-interval", 0.1, "--script", "faults.yaml", "-j", 1)
    return ("run", "odd.yaml", "--run-dir", "r", "--simulate", *fast)


def test_an_odd_clip_is_flagged_everywhere_and_fails_nothing(desk: Desk, words: tuple[object, ...]) -> None:
    """Exit 0 and no second payment; the take can be chosen, and each clip has its previews."""
    said = desk.run(*words)
    assert "1 clip flagged: s010_t02 2 s long instead of 5 s" in said.err
    odd = {"take": "s010@seed=2", "label": "s010_t02", "flags": FLAGS}
    assert json.loads(desk.run("status", "r", "--output", "json").out)["flagged"] == [odd]
    assert "duration: 2 s long" in desk.run("show", "r", "s010@seed=2").out
    rows = list(csv.DictReader((desk.folder / "r" / "report.csv").read_text("utf-8-sig").splitlines()))
    assert [row["flags"] for row in rows] == ["", "duration: 2 s long instead of 5 s", ""]
    assert [row["clip_seconds"] for row in rows] == ["5.0", "2.0", "5.0"]
    assert len(list((desk.folder / "r" / "previews").glob("*.small.jpg"))) == 3
    chosen = desk.run("fetch", "r", "--only", "flagged")
    assert "every clip is here" in chosen.out
    again = desk.run(*words)
    assert "nothing was submitted" in again.out
    assert "1 clip flagged" in again.err


def test_lost_previews_come_back_with_fetch_and_a_switch_leaves_all_out(
    desk: Desk, words: tuple[object, ...]
) -> None:
    assert "flagged" not in desk.run(*words, "--no-inspect").err
    previews = desk.folder / "r" / "previews"
    assert not previews.exists()
    desk.run("fetch", "r")
    made = names(previews)
    assert len(made) == 15
    for each in sorted(previews.iterdir())[:3]:
        each.unlink()
    desk.run("fetch", "r")
    assert names(previews) == made


def names(folder: Path) -> set[str]:
    return {each.name for each in folder.iterdir()}
