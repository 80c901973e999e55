"""`status` while a run goes on and of a very large run; and a second run, which must keep away."""

from __future__ import annotations

import json
import signal

from tests.acceptance.boards import ONE_SHOT, record_many, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

MANY = 10_000


def test_status_answers_while_a_run_goes_on_and_a_second_run_is_turned_away(desk: Desk) -> None:
    """No lock is needed to look; the second runner exits 75, names the first, and submits nothing."""
    board = write_csv(desk.folder / "board.csv", 3)
    with OutsideServer(Settings(service=60)) as server:
        here = pointed_at(server, desk)
        life = here.start("run", board, "-y", "-j", 2)
        life.wait_until(lambda life: life.err.count(" submitted ") == 2)
        status = here.run("status", board)
        assert "3 takes: " in status.out
        assert "1 pending" in status.out
        assert f"(process {life.popen.pid} on " in status.out.splitlines()[1]
        found = json.loads(here.run("status", board, "--output", "json").out)
        assert (found["running"], found["pid"]) == (True, life.popen.pid)
        counts = found["states"]
        assert counts["pending"] == 1
        assert counts.get("queued", 0) + counts.get("running", 0) == 2
        rival = here.run("run", board, "-y", code=75)
        assert f"process {life.popen.pid} " in rival.err
        assert server.stats()["submits"] == 2
        life.signal(signal.SIGTERM)
        assert life.end().code == 143
        assert here.run("status", board).out.splitlines()[2].startswith("  → shotrunner run board.csv")


def test_only_a_terminal_is_drawn_on(desk: Desk) -> None:
    refusal = desk.run("status", record_many(desk.folder / "small", 2), "--watch", code=64)
    assert "→ leave out --watch" in refusal.err


def test_a_run_that_was_never_made_has_no_status(desk: Desk) -> None:
    """Exit 66, and the advice is how to run it."""
    (desk.folder / "board.yaml").write_text(ONE_SHOT)
    outcome = desk.run("status", "board.yaml", code=66)
    assert "→ shotrunner run board.yaml" in outcome.err


def test_of_ten_thousand_takes_the_one_that_needs_a_person_is_named(desk: Desk) -> None:
    shown = desk.run("status", record_many(desk.folder / "big", MANY)).out
    assert "10,000 takes" in shown
    assert "1 held" in shown
    assert "t0001" in shown
