"""What a run must write and cannot: found before the first submit, said with its path, and never paid for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.boards import report_of, write_csv
from tests.acceptance.command import Desk, bound_by_modes
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

NEVER_WAITS = 30.0
FAST = ("-y", "--poll-interval", 0.1, "--run-dir", "run")


@pytest.fixture
def server() -> Iterator[OutsideServer]:
    with OutsideServer(Settings(service=0.05)) as outside:
        yield outside


@pytest.fixture
def payer(desk: Desk, server: OutsideServer) -> Desk:
    return pointed_at(server, desk)


def a_file(path: Path) -> None:
    path.write_text("theirs")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def a_link_to_a_folder(path: Path) -> None:
    (path.parent.parent / "elsewhere").mkdir()
    path.symlink_to(path.parent.parent / "elsewhere")


def a_link_to_a_file(path: Path) -> None:
    path.parent.with_name("theirs").write_text("theirs")
    path.symlink_to(path.parent.with_name("theirs"))


def a_dangling_link(path: Path) -> None:
    path.symlink_to(path.parent.with_name("theirs"))


def a_second_name(path: Path) -> None:
    path.parent.with_name("theirs").write_text("theirs")
    path.hardlink_to(path.parent.with_name("theirs"))


def a_device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 7))


NOT_A_FOLDER = (a_file, a_pipe, a_link_to_a_folder, a_dangling_link)
NOT_A_FILE = (a_folder, a_pipe, a_link_to_a_file, a_dangling_link, a_second_name)
LOGS = ("state.db-wal", "state.db-shm", "state.db-journal")

CASES = [
    *(("clips", put, 73) for put in NOT_A_FOLDER),
    *((name, put, 73) for name in ("run.log", "state.ballast", ".lock") for put in NOT_A_FILE),
    *(("state.ids", put, 73) for put in NOT_A_FILE[:-1]),
    # Bytes that may be receipts say that a run was here.
    ("state.ids", a_second_name, 78),
    *((name, a_folder, 73) for name in ("report.csv", "report.html", ".lock-owner.json")),
    *((name, put, 78) for name in (*LOGS, "state.db") for put in NOT_A_FILE),
    *((".shotrunner-run", put, 78) for put in (a_folder, a_pipe, a_link_to_a_file, a_dangling_link)),
]


@pytest.mark.parametrize(
    ("name", "put", "code"), CASES, ids=lambda value: getattr(value, "__name__", str(value))
)
def test_what_stands_in_the_way_of_a_name_is_found_before_paying(
    payer: Desk, server: OutsideServer, name: str, put: Callable[[Path], None], code: int
) -> None:
    """The first run of a board, into a folder that holds one thing that is not the run's."""
    board = write_csv(payer.folder / "board.csv", 2)
    (payer.folder / "run").mkdir()
    put(payer.folder / "run" / name)
    outcome = payer.run("run", board, *FAST, code=code, within=NEVER_WAITS)
    assert name in outcome.err
    assert server.stats()["submits"] == 0
    theirs = payer.folder / "theirs"
    assert not theirs.exists() or theirs.read_text() == "theirs"
    assert not list(payer.folder.glob("elsewhere/*"))


@pytest.mark.parametrize("name", ["report.csv", "report.html", "preflight.json", ".lock-owner.json"])
@pytest.mark.parametrize("put", [a_pipe, a_link_to_a_file, a_dangling_link, a_second_name])
def test_a_file_that_is_replaced_whole_takes_the_place_of_what_is_there(
    payer: Desk, server: OutsideServer, name: str, put: Callable[[Path], None]
) -> None:
    """A link is replaced, and what it leads to is left as it was."""
    board = write_csv(payer.folder / "board.csv", 1)
    (payer.folder / "run").mkdir()
    put(payer.folder / "run" / name)
    payer.run("run", board, *FAST, within=NEVER_WAITS)
    assert server.stats()["submits"] == 1
    assert len(report_of(payer.folder / "run")) == 1
    theirs = payer.folder / "theirs"
    assert not theirs.exists() or theirs.read_text() == "theirs"


@pytest.mark.parametrize("mode", [0o000, 0o500], ids=oct)
@pytest.mark.parametrize("name", ["clips", "."])
def test_a_folder_that_may_not_be_written_is_found_before_paying(
    payer: Desk, server: OutsideServer, name: str, mode: int
) -> None:
    here = bound_by_modes(payer)
    if here is None:
        pytest.skip("nothing is read-only to root, and it cannot be made so")
    board = write_csv(payer.folder / "board.csv", 2)
    folder = payer.folder / "run" / name
    folder.mkdir(parents=True)
    folder.chmod(mode)
    try:
        # Where nobody may look, not even plan knows what is there.
        blind = name == "." and mode == 0
        planned = here.run("plan", board, "--run-dir", "run", code=73 if blind else 0)
        outcome = here.run("run", board, *FAST, code=73)
    finally:
        folder.chmod(0o700)
    assert "run" in outcome.err
    assert "Permission denied" in outcome.err
    assert "Permission denied" in planned.err
    assert server.stats()["submits"] == 0


def test_plan_says_it_too_and_leaves_nothing_behind(payer: Desk) -> None:
    board = write_csv(payer.folder / "board.csv", 2)
    assert "would submit nothing" not in payer.run("plan", board).err
    assert list(payer.folder.iterdir()) == [board]
    (payer.folder / "run").mkdir()
    a_file(payer.folder / "run" / "clips")
    before = sorted(payer.folder.rglob("*"))
    outcome = payer.run("plan", board, "--run-dir", "run")
    assert "a run would submit nothing and end with 73" in outcome.err
    assert str(Path("run") / "clips") in outcome.err
    assert sorted(payer.folder.rglob("*")) == before


def test_a_run_with_nothing_to_submit_needs_none_of_it(payer: Desk, server: OutsideServer) -> None:
    board = write_csv(payer.folder / "board.csv", 1)
    payer.run("run", board, *FAST)
    for name in ("run.log", "report.csv"):
        (payer.folder / "run" / name).unlink()
        (payer.folder / "run" / name).mkdir()
    assert "everything is complete" in payer.run("run", board, *FAST).out
    assert server.stats()["submits"] == 1


def folder_of(length: int, home: Path) -> Path:
    """Return a folder whose path has so many characters."""
    path = home
    while length - len(str(path)) > 202:
        path /= "d" * 200
    return path / ("e" * (length - len(str(path)) - 1))


@pytest.mark.parametrize("length", [260, 400, 460, 470, 480, 490, 496, 500, 510, 600, 1000, 4000, 4090, 5000])
def test_a_path_runs_or_is_too_long_before_paying(payer: Desk, server: OutsideServer, length: int) -> None:
    """The limit is SQLite's; what is under it works to the end."""
    board = write_csv(payer.folder / "board.csv", 1)
    place = folder_of(length, payer.folder)
    fits = length + len("/state.db.new-12345678") <= 504
    flags = ("--run-dir", place)
    planned = payer.run("plan", board, *flags, code=73 if length > 4080 else 0)
    outcome = payer.run("run", board, "-y", "--poll-interval", 0.1, *flags, code=0 if fits else 73)
    assert server.stats()["submits"] == fits
    assert ("the path is too long" in outcome.err) is not fits
    assert ("the path is too long" in planned.err) is not fits
    assert ("many programs on Windows" in planned.err) is fits
    assert ("many programs on Windows" in outcome.err) is fits


def test_a_short_path_is_not_remarked(payer: Desk) -> None:
    board = write_csv(payer.folder / "board.csv", 1)
    assert "Windows" not in payer.run("run", board, *FAST).err
