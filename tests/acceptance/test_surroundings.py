"""Hostile surroundings: no home, no locale, closed or narrow output, folders that refuse, files that are not ours."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.acceptance.boards import ONE_SHOT, record_many, takes_of, write_csv
from tests.acceptance.command import Desk

FAST = ("--simulate", "--speed", 50, "--poll-interval", 0.1, "--no-download")


@pytest.fixture
def board(desk: Desk) -> Path:
    path = desk.folder / "board.yaml"
    path.write_text(ONE_SHOT)
    return path


NARROW = {
    "C": {"LC_ALL": "C"},
    "C without coercion": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
}


@pytest.mark.parametrize("locale", NARROW)
def test_an_encoding_that_cannot_say_everything_says_what_it_can(desk: Desk, locale: str) -> None:
    """A narrow encoding costs some characters and never a command: not an arrow, not a name, not a problem."""
    narrow = desk.with_environment(**NARROW[locale])
    assert "check board.yaml" in narrow.run("init", "board.yaml").out
    board = desk.folder / "grün.yaml"
    board.write_text(ONE_SHOT, "utf-8")
    assert "1 take" in narrow.run("check", board).out
    board.write_text(ONE_SHOT.replace("duration: 1", "duration: über-elf →"), "utf-8")
    assert ":10:17: shot s010, inputs.duration" in narrow.run("check", board, code=65).err


def test_a_run_and_what_it_shows_survive_a_narrow_encoding(desk: Desk) -> None:
    """A pipe gets the path of every clip; a prompt with an arrow is told as far as ASCII goes."""
    board = write_csv(desk.folder / "board.csv", 14)
    board.write_text(board.read_text("utf-8").replace("Shot number 0.", "Zoë →"), "utf-8")
    narrow = desk.with_environment(PYTHONIOENCODING="ascii")
    outcome = narrow.run("run", board, "--simulate", "--speed", 50, "--poll-interval", 0.1, "-j", 14)
    assert "14 takes: 14 delivered" in outcome.out
    assert outcome.out.count(".mp4") == 14
    assert "t0000" in narrow.run("show", board, "t0000", "--simulate").out


@pytest.mark.parametrize(
    "arguments", [("models", "pika/pikaframes"), ("--help",), ("check", "board.yaml")], ids=" ".join
)
@pytest.mark.parametrize("plumbing", ["| true", "| head -n 1 >/dev/null", ">&-", "2>&-", ">/dev/full"])
def test_an_output_that_breaks_gives_no_traceback(
    desk: Desk, board: Path, arguments: Sequence[str], plumbing: str
) -> None:
    """A reader that has gone, a closed stream and a full device end a command quietly."""
    assert board.exists()
    program = " ".join([*desk.program, *arguments])
    shell = subprocess.run(
        ["/bin/sh", "-c", f"{program} {plumbing}"],
        cwd=desk.folder,
        env=dict(desk.environment),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in shell.stderr
    assert "Exception ignored" not in shell.stderr
    assert "shotrunner: a bug in Shotrunner" not in shell.stderr


def test_a_run_whose_reader_has_gone_goes_on_to_its_end(desk: Desk, board: Path) -> None:
    """Progress that nobody reads stops nothing: the take is there afterwards."""
    program = " ".join(map(str, [*desk.program, "run", board, *FAST]))
    subprocess.run(
        ["/bin/sh", "-c", f"{program} 2>&1 | true"],
        cwd=desk.folder,
        env=dict(desk.environment),
        timeout=60,
        check=True,
    )
    (take,) = takes_of(desk.folder / "reports" / "one-shot-simulated")
    assert take.state == "succeeded"


def test_a_place_where_no_folder_can_be_made_is_73(desk: Desk, board: Path) -> None:
    """A file stands where the run directory should be: exit 73, the path, and the flag that helps."""
    (desk.folder / "reports").write_text("not a folder")
    outcome = desk.run("run", board, *FAST, code=73)
    assert str(desk.folder / "reports") in outcome.err
    assert "--run-dir" in outcome.err


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_read_only_folder_is_73(desk: Desk, board: Path) -> None:
    """Exit 73 and the flag that helps."""
    desk.folder.chmod(0o500)
    try:
        assert "--run-dir" in desk.run("run", board, *FAST, code=73).err
    finally:
        desk.folder.chmod(0o700)


def test_a_state_file_that_is_not_ours_or_gone_is_78_and_is_left_alone(desk: Desk, board: Path) -> None:
    """Nothing takes it for an empty run, which would pay for everything again, and nothing changes it."""
    state = record_many(desk.folder / "run", 2) / "state.db"
    again = ("run", board, *FAST, "--run-dir", "run")
    state.write_text("this was a database once\n")
    for arguments in (again, ("status", "run"), ("report", "run"), ("show", "run", "s010")):
        assert "state.db" in desk.run(*arguments, code=78).err
        assert state.read_text() == "this was a database once\n"
    state.unlink()
    assert "state.db" in desk.run(*again, code=78).err
    assert not state.exists()


def test_one_manifest_is_one_run_from_wherever_it_is_called(desk: Desk, board: Path, tmp_path: Path) -> None:
    """Neither the current folder nor a home decides the run directory, or the same board would be paid for twice."""
    assert "1 take: 1 succeeded" in desk.with_environment(HOME="").run("run", board, *FAST).out
    elsewhere = Desk(tmp_path, desk.environment)
    assert (
        "everything is complete" in elsewhere.run("run", "work/board.yaml", "--simulate", "--no-download").out
    )
    assert [path.parent for path in tmp_path.rglob("state.db")] == [
        desk.folder / "reports" / "one-shot-simulated"
    ]


def test_a_port_that_is_taken_is_told(desk: Desk) -> None:
    """A second simulator on the same port exits 64 and names the port."""
    first = desk.start("simulate")
    first.wait_until(lambda life: "# simulating" in life.out)
    port = first.out.split("/v1")[0].rpartition(":")[2]
    outcome = desk.run("simulate", "--port", port, code=64)
    assert port in outcome.err
    first.popen.terminate()
    assert first.end().code == 0
