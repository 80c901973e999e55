"""Where a run stands: with a process at work on it, without one, and with its record gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from runner.commands.report import report
from runner.commands.status import RunStatus, status
from runner.domain.errors import FileMissing, StateFileUnusable
from runner.domain.states import TakeState
from runner.store.lock import RunLock
from runner.store.marker import MARKER
from runner.store.state_file import StateFile
from tests.integration.store_samples import make_take, new_state_file, road

NOW = 2000.0
TAKES = [make_take(name) for name in ("a", "b", "c", "d", "e", "f")]


@dataclass(frozen=True)
class Stopped:
    """A clock that shows one wall time."""

    now: float = NOW

    def wall(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder of a run."""
    run_dir = tmp_path / "reports" / "board"
    run_dir.mkdir(parents=True)
    return run_dir


@pytest.fixture
def record(folder: Path) -> Iterator[StateFile]:
    """Give its record: four takes that ended after a minute, one at the API, one that waits."""
    with new_state_file(folder, TAKES) as state:
        for number, take in enumerate(TAKES[:5]):
            end = (
                TakeState.FAILED if number == 0 else TakeState.SUCCEEDED if number < 4 else TakeState.RUNNING
            )
            for fact in road(take, end, attempt=f"try-{take.id}", epoch=state.epoch):
                began = 1900.0 + number
                at = began if type(fact).__name__ != "Ended" else began + 60
                state.record(take.id, fact, at=at).result(timeout=20)
        yield state


def look(folder: Path) -> RunStatus:
    return status(folder, clock=Stopped())


def test_of_a_session_that_goes_on_there_is_the_process_the_pace_and_the_failed_takes(
    folder: Path, record: StateFile
) -> None:
    with RunLock(folder, now=lambda: 1890.0):
        record.begin_session(at=1895.0, version="0.1", limit_s=3600.0, window_began_at=1895.0)
        found = look(folder)
        assert (found.activity.running, found.activity.pid, found.activity.since) == (
            True,
            os.getpid(),
            1890.0,
        )
        assert found.activity.is_session
        assert found.activity.last_event == 1904.0
        assert found.go_on == ""
        assert found.pace is not None
        assert (found.pace.left, found.pace.per_hour, found.pace.submits_until) == (2, 144.0, 5495.0)
        assert [(kind.name, kind.takes) for kind in found.failures] == [("provider-failed", ("a",))]
        page = report(folder, clock=Stopped()).html.read_text()
        assert "; the run was going on then" in page


def test_the_command_that_continues_a_killed_run_has_its_flags(
    folder: Path, record: StateFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is that of the note, if it means the same manifest from here; else a plain one."""
    board = Path(record.header.manifest)
    monkeypatch.chdir(folder)
    for command, is_it in (
        (f"x run {board} -j 12", True),
        ("x run other.yaml", False),
        (f"x retry {board}", False),
    ):
        with RunLock(folder, command=command):
            note = (folder / ".lock-owner.json").read_text()
        (folder / ".lock-owner.json").write_text(note)
        assert look(folder).go_on.endswith(" -j 12") is is_it


def test_after_a_kill_it_is_not_running_and_the_command_that_continues_is_named(
    folder: Path, record: StateFile
) -> None:
    """The killed process's note and its open session are still there, and say nothing."""
    with RunLock(folder):
        record.begin_session(at=1895.0, version="0.1")
        note = (folder / ".lock-owner.json").read_text()
    (folder / ".lock-owner.json").write_text(note)
    found = look(folder)
    assert (found.activity.running, found.activity.pid, found.pace) == (False, None, None)
    assert found.go_on.startswith("shotrunner run ")
    assert " --simulate" in found.go_on
    assert (
        "the run was not going on then, and is not over" in report(folder, clock=Stopped()).html.read_text()
    )


def test_another_command_that_holds_the_run_is_no_session(folder: Path, record: StateFile) -> None:
    """A session that was killed before it began has stayed open."""
    record.begin_session(at=1895.0, version="0.1")
    with RunLock(folder, now=lambda: 1990.0):
        found = look(folder)
    assert (found.activity.running, found.activity.is_session, found.pace) == (True, False, None)


def test_a_run_whose_record_is_gone_is_never_begun_from_the_start(folder: Path, record: StateFile) -> None:
    """Its marker shows it, its witness does, and so does a clip's sidecar."""
    record.close()
    (folder / "state.db").unlink()
    for trace in (folder / MARKER, folder / "state.witness"):
        with pytest.raises(StateFileUnusable, match="the record of this run is gone") as caught:
            look(folder)
        assert caught.value.advice == f"shotrunner restore {folder}"
        trace.unlink()
    clips = folder / "clips"
    clips.mkdir()
    (clips / "a.mp4").write_bytes(b"")
    with pytest.raises(FileMissing):
        look(folder)
    (clips / "a.json").write_text("{}")
    with pytest.raises(StateFileUnusable, match="its clips are there"):
        look(folder)
