"""A submit that was accepted and whose answer was lost: it is held, shown, and never sent again by itself."""

from __future__ import annotations

import json
import shlex

from tests.acceptance.boards import charges_of, report_of, write_csv
from tests.acceptance.command import Desk

LOST = """\
faults:
  - {route: submit, fault: close, after: 2, count: 1}
"""
FAST = ("--speed", 50, "--poll-interval", 0.1, "-j", 8)


def test_a_lost_answer_is_held_shown_and_not_sent_again(desk: Desk) -> None:
    """Exit 4 twice; run, `status`, `show` and the report name the take; the ledger has it once."""
    board = write_csv(desk.folder / "board.csv", 8)
    script = desk.folder / "lost.yaml"
    script.write_text(LOST)
    first = desk.run("run", board, "--simulate", *FAST, "--no-download", "--script", script, code=4)
    place = desk.folder / "reports" / "board-simulated"
    held = "t0002"
    assert held in first.err
    assert "1 held" in first.out
    # The advice is a command, and it works as it stands.
    advice = next(line for line in first.err.splitlines() if line.startswith("  → shotrunner reconcile"))
    assert held in desk.run(*shlex.split(advice)[2:], code=4).out
    shown = desk.run("show", board, held, "--simulate")
    assert held in shown.out
    assert "held" in shown.out
    assert "LostContact" in shown.out
    status = json.loads(desk.run("status", board, "--simulate", "--output", "json").out)
    assert status["held"] == [held]
    assert status["states"]["held"] == 1
    words = desk.run("status", board, "--simulate").out
    assert held in words
    assert "may have been charged" in words

    ledger = place / "simulator" / "ledger.jsonl"
    charges = charges_of(ledger)
    bodies = [charge["body_sha256"] for charge in charges]
    assert len(set(bodies)) == len(bodies) == 8
    before = ledger.read_bytes()
    second = desk.run("run", board, "--simulate", *FAST, "--no-download", "--quiet", code=4)
    assert ledger.read_bytes() == before
    assert second.out == ""
    assert held in second.err
    (row,) = [row for row in report_of(place) if row["take"] == held]
    assert (row["state"], row["request_id"], row["outputs"]) == ("held", "", "")
    assert row["error"]


def test_too_many_lost_answers_stop_the_submitting(desk: Desk) -> None:
    """After as many submits without an answer as it may bear the run sends no more, says so and exits 4."""
    board = write_csv(desk.folder / "board.csv", 8)
    script = desk.folder / "lost.yaml"
    script.write_text("faults:\n  - {route: submit, fault: close}\n")
    outcome = desk.run("run", board, "--simulate", *FAST, "--max-unknown", 2, "--script", script, code=4)
    ledger = desk.folder / "reports" / "board-simulated" / "simulator" / "ledger.jsonl"
    assert len(charges_of(ledger)) == 2
    assert "2 held" in outcome.out
    assert "6 pending" in outcome.out
    assert "2 submits were left without an answer" in outcome.err
