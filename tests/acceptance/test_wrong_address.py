"""An API base that is wrong: nothing is lost by it, and the last line is the command that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.boards import charges_of, report_of, write_csv
from tests.acceptance.command import Desk

FAST = ("--simulate", "--speed", 50, "--poll-interval", 0.1, "-j", 1, "--no-download")


@pytest.mark.parametrize(
    ("fault", "code", "state"),
    [
        pytest.param("redirect", 77, "held", id="a redirect"),
        pytest.param("status, code: 501, accepted: false", 3, "pending", id="cannot"),
    ],
)
def test_an_answer_that_every_submit_would_get_stops_the_run_at_the_first(
    desk: Desk, fault: str, code: int, state: str
) -> None:
    board = write_csv(desk.folder / "board.csv", 4)
    script = desk.folder / "wrong.yaml"
    script.write_text(f"faults:\n  - {{route: submit, fault: {fault}, after: 1}}\n", "utf-8")
    outcome = desk.run("run", board, *FAST, "--script", script, code=code)
    place = desk.folder / "reports" / "board-simulated"
    assert [row["state"] for row in report_of(place)] == ["succeeded", state, "pending", "pending"], outcome
    assert len(charges_of(place / "simulator" / "ledger.jsonl")) == 1
    assert outcome.last_line.startswith("go on with: shotrunner run "), outcome


def test_a_run_that_has_sent_nothing_is_not_bound_to_the_address_it_was_first_called_with(
    desk: Desk,
) -> None:
    """Neither of the two is there, which each says for itself; the second is not refused for being another."""
    board: Path = write_csv(desk.folder / "board.csv", 2)
    here = desk.with_environment(RUNCOMFY_TOKEN="token")
    for base in ("https://api.exmaple.invalid", "https://api.example.invalid"):
        outcome = here.run("run", board, "-y", "--outage-limit", "1s", "--api-base", base, code=69)
        assert f"--api-base {base}" in outcome.last_line
