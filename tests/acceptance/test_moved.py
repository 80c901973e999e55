"""A run that was moved goes on only when its user says so, and then pays nothing again; ids survive the disk."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.boards import takes_of, write_csv
from tests.acceptance.command import Desk, Outcome
from tests.acceptance.service import Simulated, simulating

RUN = ("-y", "--no-download", "--poll-interval", 0.1)


@pytest.fixture
def service(desk: Desk) -> Iterator[Simulated]:
    with simulating(desk, "--speed", 50) as service:
        yield service


def advised(outcome: Outcome) -> list[str]:
    """Return the words of the command that the refusal names."""
    line = next(line for line in outcome.err.splitlines() if "shotrunner " in line and "→" in line)
    return shlex.split(line.partition(": shotrunner ")[2])


def charged(service: Simulated) -> int:
    return len(service.ledger()["charges"])


def carry_off(place: Path) -> None:
    """Let the run have been open on another machine last, as a copy from there would be."""
    with closing(sqlite3.connect(place / "state.db", isolation_level=None)) as connection:
        connection.execute("UPDATE run SET machine = 'another'")


def test_a_moved_directory_goes_on_once_its_user_says_so_and_pays_nothing_again(
    desk: Desk, service: Simulated
) -> None:
    """Exit 78 and the very command; that command exits 0 with the same charges, and needs its flag only once."""
    write_csv(desk.folder / "board.csv", 3)
    service.desk.run("run", "board.csv", *RUN)
    assert charged(service) == 3
    (desk.folder / "archive" / "may").mkdir(parents=True)
    place = (desk.folder / "reports" / "board").rename(desk.folder / "archive" / "may" / "board")
    again = ("run", "board.csv", *RUN, "--run-dir", place)
    refused = service.desk.run(*again, code=78)
    assert advised(refused) == [*map(str, again), "--moved"]
    assert "everything is complete" in service.desk.run(*advised(refused)).out
    assert "everything is complete" in service.desk.run(*again).out
    assert charged(service) == 3


@pytest.mark.parametrize(
    ("words", "code", "again"),
    [
        (("run", "board.csv", *RUN), 0, 0),
        (("fetch", "board.csv"), 0, 0),
        (("cancel", "board.csv", "t0000"), 2, 2),
        (("verify", "board.csv", "--mark"), 0, 0),
        (("reconcile", "board.csv", "drop", "t0000", "--yes"), 0, 64),
        (("reconcile", "board.csv", "not-sent", "t0000"), 64, 64),
        (("reconcile", "board.csv", "adopt", "t0000", "req-1", "--offline"), 64, 64),
    ],
    ids=lambda case: " ".join(map(str, case[:3:2])) if isinstance(case, tuple) else None,
)
def test_each_command_that_writes_asks_whether_the_run_was_moved(
    desk: Desk, service: Simulated, words: tuple[object, ...], code: int, again: int
) -> None:
    """Exit 78 with the state file untouched; the command that it names gets past that."""
    write_csv(desk.folder / "board.csv", 1)
    service.desk.run("run", "board.csv", *RUN)
    place = desk.folder / "reports" / "board"
    carry_off(place)
    before = (place / "state.db").read_bytes()
    refused = service.desk.run(*words, code=78)
    assert "comes from another machine" in refused.err
    assert (place / "state.db").read_bytes() == before
    service.desk.run(*advised(refused), code=code)
    # It belongs to this machine now.
    service.desk.run(*words, code=again)
    assert charged(service) == 1


def test_an_id_that_only_the_users_own_folder_takes_is_adopted_by_the_next_run(
    desk: Desk, service: Simulated
) -> None:
    """Exit 74 with the id and where it is kept; the same command says that it was found, and pays nothing again."""
    write_csv(desk.folder / "board.csv", 1)
    broken = service.desk.with_environment(SHOTRUNNER_FAILPOINTS="store.receipt=EIO@1+;store.side-file=EIO@1")
    failed = broken.run("run", "board.csv", *RUN, code=74)
    home = Path(desk.environment["HOME"]) / ".local" / "state" / "shotrunner"
    (kept,) = home.glob("*.ids")
    assert str(kept) in failed.err
    again = service.desk.run("run", "board.csv", *RUN)
    (take,) = takes_of(desk.folder / "reports" / "board")
    assert f"t0000 is request {take.request_id}, which was kept beside the state file" in again.err
    assert charged(service) == 1
    assert list(home.glob("*.ids")) == []
