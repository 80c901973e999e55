"""Signals: asked once it sees its jobs through, asked twice it leaves, and the command it names goes on."""

from __future__ import annotations

import shlex
import signal
import time
from collections.abc import Sequence
from signal import SIGHUP, SIGINT, SIGTERM

import pytest

from tests.acceptance.boards import write_csv
from tests.acceptance.command import Desk, Outcome, Process
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

pytestmark = pytest.mark.installed

JOBS = 2
WAYS = {
    "terminate": ((SIGTERM,), 143),
    "hang-up": ((SIGHUP,), 129),
    "interrupt twice": ((SIGINT, SIGINT), 130),
}


def stopped(life: Process, signals: Sequence[signal.Signals]) -> Outcome:
    """Send the signals as soon as the run has submitted what it may, and return how it ended."""
    life.wait_until(lambda life: life.err.count(" submitted ") == JOBS)
    for number in signals:
        life.signal(number)
        time.sleep(0.15)
    outcome = life.end()
    assert "Traceback" not in outcome.err
    return outcome


def told_of(outcome: Outcome, word: str) -> set[str]:
    """Return the takes of which the run said `word`."""
    return {line.split()[1] for line in outcome.err.splitlines() if f"  {word}  " in line}


def way_on(outcome: Outcome) -> list[str]:
    """Return the arguments of the command that the last line says goes on."""
    said, _, told = outcome.last_line.partition(": ")
    assert said == "go on with", outcome
    name, *arguments = shlex.split(told)
    assert name == "shotrunner"
    return arguments


def test_an_interrupt_sees_the_jobs_through_and_the_named_command_goes_on(desk: Desk) -> None:
    """Exit 130 after no more submits and every clip of those before; the command completes with none doubled."""
    board = write_csv(desk.folder / "the board.csv", 2 * JOBS)
    with OutsideServer(Settings(service=1.0)) as server:
        here = pointed_at(server, desk)
        life = here.start("run", board, "-y", "-j", JOBS, "--poll-interval", 0.2)
        outcome = stopped(life, [SIGINT])
        assert outcome.code == 130
        assert server.stats()["submits"] == JOBS
        assert outcome.err.count(" delivered ") == JOBS
        rest = here.run(*way_on(outcome))
        stats = server.stats()
    assert "4 takes: 4 delivered" in rest.out
    assert (stats["submits"], stats["doubled"]) == (4, 0)


def test_every_other_way_to_stop_leaves_at_once_and_can_be_gone_on_from(desk: Desk) -> None:
    """Terminated, hung up on, interrupted twice, in turn: no job is waited for, and nothing doubled at the end."""
    total = JOBS * (len(WAYS) + 1)
    board = write_csv(desk.folder / "board.csv", total)
    with OutsideServer(Settings(service=1.0)) as server:
        here = pointed_at(server, desk)
        arguments = ["run", str(board), "-y", "-j", str(JOBS), "--poll-interval", "0.2"]
        for number, (way, (signals, code)) in enumerate(WAYS.items(), 1):
            outcome = stopped(here.start(*arguments), signals)
            assert outcome.code == code, way
            assert server.stats()["submits"] == number * JOBS, way
            assert told_of(outcome, "submitted") & told_of(outcome, "delivered") == set(), way
            assert f"leaving; {JOBS} jobs" in outcome.err
            arguments = way_on(outcome)
        rest = here.run(*arguments)
        stats = server.stats()
    assert f"{total} takes: {total} delivered" in rest.out
    assert (stats["submits"], stats["doubled"], stats["distinct"]) == (total, 0, total)


def test_at_the_question_an_interrupt_ends_it_and_nothing_is_submitted(desk: Desk) -> None:
    """Ctrl-C instead of an answer: exit 130, no traceback."""
    board = write_csv(desk.folder / "board.csv", 3)
    with OutsideServer() as server:
        life = pointed_at(server, desk).start_at_terminal("run", board)
        life.wait_until(lambda life: "Go on?" in life.err)
        life.signal(SIGINT)
        outcome = life.end()
        assert server.stats()["submits"] == 0
    assert outcome.code == 130, outcome
    assert "Traceback" not in outcome.err
