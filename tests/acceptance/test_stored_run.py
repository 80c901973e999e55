"""A run whose clips go to a store: a machine that dies leaves all that another needs, and never submits again."""

from __future__ import annotations

import json
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.domain.states import DeliveryState, TakeState
from tests.acceptance.boards import takes_of, write_csv
from tests.acceptance.command import Desk, Outcome
from tests.acceptance.service import OUTSIDE_TOKEN, pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

TAKES = 5
PACE = ("-y", "-j", 2, "--poll-interval", 0.1)
POINTS = (
    *("store.announced", "submit.begun", "submit.answered", "submit.recorded", "collect.fetched"),
    *("store.copied", "delivery.uploaded", "delivery.stored"),
)
"""Where the first machine dies: round a submission, between a copy of the record and its upload, and at a delivery."""


@pytest.fixture
def server() -> Iterator[OutsideServer]:
    with OutsideServer(Settings(service=0.2)) as outside:
        yield outside


@pytest.fixture
def user(desk: Desk, server: OutsideServer) -> Desk:
    write_csv(desk.folder / "board.csv", TAKES)
    return pointed_at(server, desk)


def address(user: Desk) -> str:
    return f"file://{user.folder / 'bucket' / 'night'}"


def begin(user: Desk) -> Outcome:
    return user.run("run", "board.csv", "--run-dir", "first", "--out", address(user), *PACE)


def die(user: Desk, at: str) -> None:
    """Begin the run, and kill it at the second time that it comes to a point."""
    dying = user.with_environment(SHOTRUNNER_FAILPOINTS=f"{at}=kill@2")
    words = ("run", "board.csv", "--run-dir", "first", "--out", address(user), *PACE)
    assert dying.run(*words, code=None).code == -signal.SIGKILL


def go_on_elsewhere(user: Desk, *, code: int | None = 0) -> Outcome:
    return user.run("run", "board.csv", "--run-dir", "second", "--moved", *PACE, code=code)


def bring(user: Desk, *, code: int | None = 0) -> Outcome:
    return user.run("restore", address(user), "--run-dir", "second", code=code)


def paid(server: OutsideServer) -> Counter[str]:
    return Counter(entry.sha256 for entry in server.ledger())


def stored(user: Desk, pattern: str) -> set[str]:
    return {path.name for path in (user.folder / "bucket" / "night").glob(pattern)}


def test_clips_sidecars_and_reports_are_in_the_store_and_not_here(user: Desk, server: OutsideServer) -> None:
    begin(user)
    clips = stored(user, "clips/*")
    assert len(clips) == 2 * TAKES
    assert {"report.html", "report.csv"} <= stored(user, "*")
    assert not list((user.folder / "first" / "clips").iterdir())
    assert OUTSIDE_TOKEN not in json.dumps([path.read_text("latin-1") for path in _small_files(user)])
    assert user.run("verify", "first", "--deep").code == 0
    before = paid(server)
    assert begin(user).code == 0
    assert paid(server) == before


def _small_files(user: Desk) -> list[Path]:
    found = (user.folder / "bucket").rglob("*")
    return [path for path in found if path.is_file() and path.suffix in {".json", ".jsonl", ".csv"}]


@pytest.mark.parametrize("point", POINTS)
def test_another_machine_continues_after_a_death_and_pays_for_nothing_again(
    user: Desk, server: OutsideServer, point: str
) -> None:
    die(user, point)
    bring(user)
    outcome = go_on_elsewhere(user, code=None)
    assert outcome.code in {0, 4}
    takes = takes_of(user.folder / "second")
    assert len(takes) == TAKES
    known = {take.fingerprint for take in takes}
    held = [take for take in takes if take.state is TakeState.HELD]
    assert max(paid(server).values()) == 1
    # What was announced and may have been sent is a person's to decide; everything else is there.
    assert len(held) <= 1
    assert len(known) == TAKES
    delivered = [take for take in takes if take.delivery is DeliveryState.DELIVERED]
    assert len(delivered) == TAKES - len(held)
    names = {f"clips/{name}" for name in stored(user, "clips/*.*")}
    assert {take.file for take in delivered} <= names
    assert not [name for name in names if ".part" in name]
    user.run("verify", "second", "--deep")


@pytest.mark.parametrize("flags", [(), ("--moved",)])
def test_the_first_machine_refuses_once_the_run_is_elsewhere(
    user: Desk, server: OutsideServer, flags: tuple[str, ...]
) -> None:
    die(user, "submit.recorded")
    bring(user)
    before = len(server.ledger())
    refused = user.run("run", "board.csv", "--run-dir", "first", *flags, *PACE, code=78)
    assert "second" in refused.err
    assert len(server.ledger()) == before


def test_a_copy_of_the_folder_continues_only_if_the_original_has_not(
    user: Desk, server: OutsideServer
) -> None:
    die(user, "submit.recorded")
    shutil.copytree(user.folder / "first", user.folder / "second")
    assert go_on_elsewhere(user, code=None).code in {0, 4}
    before = paid(server)
    refused = user.run("run", "board.csv", "--run-dir", "first", "--moved", *PACE, code=78)
    assert "is held by" in refused.err
    assert paid(server) == before


def test_a_store_that_does_not_know_the_run_any_more_needs_a_word(user: Desk, server: OutsideServer) -> None:
    die(user, "submit.recorded")
    bucket = user.folder / "bucket"
    bucket.rename(user.folder / "unmounted")
    before = paid(server)
    words = ("run", "board.csv", "--run-dir", "first", *PACE)
    assert "--new-run" in user.run(*words, "--moved", code=78).err
    assert paid(server) == before
    assert user.run(*words, "--new-run").code == 0
    assert max(paid(server).values()) == 1


@pytest.mark.parametrize("point", ["restore.sealed", "restore.brought"])
def test_a_restore_that_is_killed_can_be_repeated(user: Desk, server: OutsideServer, point: str) -> None:
    die(user, "submit.answered")
    dying = user.with_environment(SHOTRUNNER_FAILPOINTS=f"{point}=kill@1")
    dying.run("restore", address(user), "--run-dir", "second", code=None)
    again = bring(user, code=None) if point == "restore.sealed" else user.run("restore", "second", "--moved")
    assert again.code == 0
    assert go_on_elsewhere(user, code=None).code in {0, 4}
    assert max(paid(server).values()) == 1


def test_another_run_and_another_place_for_the_clips_are_refused(user: Desk, server: OutsideServer) -> None:
    begin(user)
    other = ("run", "board.csv", "--run-dir", "other", "--out", address(user), *PACE)
    assert "is held by" in user.run(*other, code=78).err
    elsewhere = f"file://{user.folder / 'elsewhere'}"
    moved = user.run("run", "board.csv", "--run-dir", "first", "--out", elsewhere, *PACE, code=64)
    assert address(user) in moved.err
    assert not (user.folder / "elsewhere").exists()
    assert "--out s3://bucket/x" in user.run("run", "board.csv", "--run-dir", "s3://bucket/x", code=64).err
    assert max(paid(server).values()) == 1
