"""A run is steered from a second terminal: an order holds at once, is on record, and pays for nothing twice."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path
from typing import Any

from runner.commands.steer import steer
from runner.domain.orders import Reload
from runner.store.run_dir import RunDir
from tests.acceptance.boards import takes_of, write_csv
from tests.acceptance.command import Desk, Process
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

RUN = ("run", "board.csv", "-y", "-j", 2, "--poll-interval", 0.2, "--rate", "1/min")
FASTER = ("tune", "board.csv", "--rate", "100/s")
"""At first one take is sent and the rest waits, however slow the machine is."""


def answered(here: Desk, *words: object, code: int = 0) -> dict[str, Any]:
    """Give an order, and return its answer as programs get it."""
    found: dict[str, Any] = json.loads(here.run(*words, "--output", "json", code=code).out)
    return found


def going(here: Desk, *flags: object) -> Process:
    """Start a run and return it once it has sent its first take."""
    life = here.start(*RUN, *flags)
    life.wait_until(lambda life: " submitted " in life.err)
    return life


def test_a_paused_run_sends_nothing_and_a_killed_one_goes_on_where_it_was(desk: Desk) -> None:
    """Pause, twice; a kill in the pause; the command that status names; no job doubled."""
    write_csv(desk.folder / "board.csv", 6)
    with OutsideServer(Settings(service=0.4)) as server:
        here = pointed_at(server, desk)
        life = going(here)
        assert answered(here, "pause", "board.csv")["changed"] is True
        assert answered(here, "pause", "board.csv")["changed"] is False
        status = answered(here, "status", "board.csv")
        assert status["running"] is True
        assert answered(here, *FASTER, "-j", 3, "--max-cost", 50)["changed"] is True
        life.wait_until(lambda life: " delivered " in life.err)
        assert server.stats()["submits"] == 1
        life.kill()
        said = answered(here, "resume", "board.csv", code=2)
        assert said["answered"] is False
        rest = here.run(*answered(here, "status", "board.csv")["next"][0][1:])
        assert "6 takes: 6 delivered" in rest.out
        assert "3 jobs" in rest.err, "the killed run's tuned number was forgotten"
        assert (server.stats()["submits"], server.stats()["doubled"]) == (6, 0)


def test_shots_that_are_added_are_taken_up_by_a_run_that_goes_on(desk: Desk) -> None:
    """The new ones are paid for once they are agreed to, those at the API not again, a broken one not at all."""
    board = write_csv(desk.folder / "board.csv", 4)
    with OutsideServer(Settings(service=0.6)) as server:
        here = pointed_at(server, desk)
        life = going(here)
        answered(here, "pause", "board.csv")
        refused = here.run("reload", "board.csv", code=64)
        assert "no one is there to answer" in refused.err
        write_csv(board, 6)
        assert "2 new takes" in here.run("reload", "board.csv", "-n").err
        left_out = answered(here, "cancel", "board.csv", "t0003")
        assert left_out["takes"][0]["stopped"] is True
        found = answered(here, "reload", "board.csv", "-y")
        assert found["changed"] is True, found
        assert found["says"] == ["planned again: 2 takes added, 0 left out"]
        board.write_text(board.read_text() + "t0009,no/such-model,,,,,\n")
        here.run("reload", "board.csv", "-y", code=65)
        assert answered(here, "resume", "board.csv")["changed"] is True, "a reload ended the pause"
        answered(here, *FASTER)
        outcome = life.end()
        stats = server.stats()
    assert outcome.code == 3, outcome
    assert (stats["submits"], stats["doubled"]) == (5, 0), (
        "all but the one that was cancelled before it was sent"
    )
    said = [json.loads(line) for line in Path(desk.folder, "reports/board/run.log").read_text().splitlines()]
    orders = [event["order"]["order"] for event in said if event["event"] == "run.steered"]
    assert orders == ["pause", "cancel", "reload", "resume", "tune"]


def test_what_a_reload_may_not_cost_is_not_paid_by_the_plan_that_stays(desk: Desk) -> None:
    """A row that waits is changed, and the order agrees to less than the new plan costs: the old row is sent."""
    board = write_csv(desk.folder / "board.csv", 4)
    with OutsideServer(Settings(service=0.6)) as server:
        here = pointed_at(server, desk)
        life = going(here)
        answered(here, "pause", "board.csv")
        board.write_text(board.read_text().replace("Shot number 3.", "Another shot."))
        place = RunDir(desk.folder / "reports/board")
        sha256 = hashlib.sha256(board.read_bytes()).hexdigest()
        found = steer(place.path, Reload(sha256, 0.0), by="anna")
        assert (found.changed, found.says) == (
            False,
            ("the old plan stays: the new one costs more than you agreed to",),
        )
        answered(here, "resume", "board.csv")
        answered(here, *FASTER)
        life.end()
        bodies = [take.body for take in takes_of(place.path)]
        stats = server.stats()
    assert (stats["submits"], stats["doubled"]) == (4, 0)
    assert any("Shot number 3." in body for body in bodies)
    assert not any("Another shot." in body for body in bodies)


def test_an_interrupt_while_a_run_leaves_for_another_plan_ends_it(desk: Desk) -> None:
    """Nothing more is submitted, the order is answered, and the next run pays for nothing twice."""
    write_csv(desk.folder / "board.csv", 6)
    with OutsideServer(Settings(service=0.4)) as server:
        here = pointed_at(server, desk)
        life = going(here)
        write_csv(desk.folder / "board.csv", 7)
        order = here.start("reload", "board.csv", "-y", "--output", "json")
        life.wait_until(lambda _: list(Path(desk.folder, "reports/board/.orders").glob("*.taken")) != [])
        life.signal(signal.SIGTERM)
        outcome = life.end()
        order.end()
        assert outcome.code == 143, outcome
        assert "Traceback" not in outcome.err
        rest = here.run("run", "board.csv", "-y", "--poll-interval", 0.2)
        assert "7 takes: 7 delivered" in rest.out
        assert (server.stats()["submits"], server.stats()["doubled"]) == (7, 0)


def test_a_limit_on_takes_holds_over_reloads(desk: Desk) -> None:
    board = write_csv(desk.folder / "board.csv", 4)
    with OutsideServer(Settings(service=0.6)) as server:
        here = pointed_at(server, desk)
        life = going(here, "--limit", 2)
        write_csv(board, 5)
        found = answered(here, "reload", "board.csv", "-y")
        assert found["answered"] is True
        answered(here, *FASTER)
        assert "2 takes: 2 delivered" in life.end().out
        assert server.stats()["submits"] == 2
