"""A finished sweep that grows: only what is new is rendered and paid, in YAML and in CSV."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.boards import OTHER_MODEL, charges_of, report_of
from tests.acceptance.command import Desk

FAST = ("--simulate", "--speed", 50, "--poll-interval", 0.1, "-j", 8, "--no-download")
YAML = """\
version: 1
shots:
  - id: s010
    model: {model}
    inputs: {{image: "https://example.com/a.jpg", promptText: x, resolution: 720p}}
    sweep: {{seed: {seed}}}
"""
CSV = (
    "id,model,image,promptText,resolution,sweep\ns010,{model},https://example.com/a.jpg,x,720p,seed={seed}\n"
)


@pytest.mark.parametrize(
    ("name", "text", "before", "after"),
    [
        ("board.yaml", YAML, "{random: 2}", "{random: 4}"),
        ("board.csv", CSV, "0-20:20|random:1", "5|0-20:10|random:2"),
    ],
    ids=["yaml", "csv"],
)
def test_points_added_to_a_finished_sweep_are_all_that_is_paid(
    desk: Desk, name: str, text: str, before: str, after: str
) -> None:
    board = desk.folder / name
    place = desk.folder / "reports" / "board-simulated"
    board.write_text(text.format(model=OTHER_MODEL, seed=before), "utf-8")
    desk.run("run", board, *FAST)
    first = _paid(place)
    board.write_text(text.format(model=OTHER_MODEL, seed=after), "utf-8")
    desk.run("run", board, *FAST)
    second = _paid(place)
    assert second[: len(first)] == first
    assert len(second) == len(set(second)) > len(first)
    assert len(report_of(place)) == len(second)


def _paid(place: Path) -> list[str]:
    """Return the bodies that were charged, in the order they were."""
    return [json.dumps(charge["body"]) for charge in charges_of(place / "simulator" / "ledger.jsonl")]
