"""Hooks beside a run: each clip once, whatever the take is called; what was cut short comes again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from runner.commands.steps.clip_hooks import ClipHooks
from runner.commands.steps.hook_record import OUTPUT, RECORD, open_record
from runner.domain.errors import CannotCreate
from runner.domain.run_events import FactRecorded
from runner.domain.states import Delivered, FetchStarted, FileGone, TakeState
from runner.notify.program import Finished
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import SystemClock
from tests.integration.store_samples import drive, make_take, new_state_file, tell

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "delivered.schema.json").read_text("utf-8"))
PATIENCE = 20.0
WELL = Finished(0, "", b"uploaded\n")


class Command:
    """A command that notes what it gets, and ends as it is asked to."""

    def __init__(self, ends: Callable[[str], Finished] = lambda _: WELL) -> None:
        self.got: list[tuple[Sequence[str], str]] = []
        self._ends = ends

    def __call__(self, words: Sequence[str], given: str, _stop: threading.Event) -> Finished:
        self.got.append((words, given))
        return self._ends(words[-2])

    @property
    def takes(self) -> list[str]:
        return sorted(words[-2] for words, _ in self.got)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    """Yield a record of three takes; the first is delivered before there is a hook."""
    with new_state_file(tmp_path, [make_take(name) for name in ("a", "b", "c")]) as opened:
        deliver(opened, "a")
        begin(opened, Command()).finish(patience=PATIENCE)
        yield opened


def deliver(state: StateFile, take_id: str) -> FactRecorded:
    """Bring a take to its delivered clip."""
    drive(state, TakeState.SUCCEEDED, take_id=take_id)
    clip = Delivered(f"clips/{take_id}.mp4", f"{ord(take_id):064x}", 9)
    tell(state, FetchStarted("https://clips/1.mp4"), clip, take_id=take_id)
    return FactRecorded(take_id, clip, 0.0)


def begin(state: StateFile, command: Command, said: list[str] | None = None) -> ClipHooks:
    place = RunDir(state.path.parent)
    with closing(open_reader(state.path, checked=True)) as reader:
        record = open_record(place.path, newest=reader.newest_event)
    hooks = ClipHooks(place, ["upload"], record, command, SystemClock())
    hooks.begin(said.append if said is not None else lambda _: None)
    return hooks


def test_each_clip_that_is_delivered_since_there_is_a_hook_gets_it_once(state: StateFile) -> None:
    """A clip that is fetched again, the same bytes of the same job, is no other clip."""
    command = Command()
    hooks = begin(state, command)
    event = deliver(state, "b")
    hooks.on_event(event)
    hooks.finish(patience=PATIENCE)
    tell(state, FileGone("lost"), FetchStarted("https://clips/2.mp4"), event.fact, take_id="b")
    again = begin(state, command)
    again.on_event(event)
    again.finish(patience=PATIENCE)
    assert (command.takes, hooks.remarks, again.remarks) == (["b"], (), ())
    ((words, given),) = command.got
    clip = state.path.parent / "clips" / "b.mp4"
    assert words == ["upload", "b", str(clip)]
    Draft202012Validator(SCHEMA).validate(json.loads(given))
    assert json.loads(given)["sidecar"] == str(clip.with_suffix(".json"))


def test_what_a_killed_session_left_and_what_was_cut_short_comes_again(state: StateFile) -> None:
    deliver(state, "b")
    deliver(state, "c")
    cut = begin(
        state, Command(lambda take: Finished(None, "was stopped", is_cut=True) if take == "b" else WELL)
    )
    cut.finish(patience=PATIENCE)
    assert cut.remarks == ("1 clip left to the next run with --on-delivered",)
    command = Command()
    begin(state, command).finish(patience=PATIENCE)
    assert command.takes == ["b"]


def test_a_record_that_a_kill_cut_short_repeats_one_clip_and_loses_none(state: StateFile) -> None:
    deliver(state, "b")
    begin(state, Command()).finish(patience=PATIENCE)
    record = state.path.parent / RECORD
    record.write_bytes(record.read_bytes()[:-20])
    deliver(state, "c")
    command = Command()
    begin(state, command).finish(patience=PATIENCE)
    assert command.takes == ["b", "c"]
    again = Command()
    begin(state, again).finish(patience=PATIENCE)
    assert again.takes == []


def test_a_failure_is_said_at_once_counted_at_the_end_and_not_repeated(state: StateFile) -> None:
    deliver(state, "b")
    deliver(state, "c")
    said: list[str] = []
    hooks = begin(
        state, Command(lambda take: Finished(7, "exited with 7", b"no\n") if take == "b" else WELL), said
    )
    hooks.finish(patience=PATIENCE)
    log = state.path.parent / OUTPUT
    assert said == ["--on-delivered: b exited with 7"]
    assert hooks.remarks == (f"--on-delivered failed for 1 of 2 clips: b exited with 7; see {log}",)
    assert "b exited with 7\nno\n" in log.read_text()
    assert oct(log.stat().st_mode & 0o777) == "0o600"
    again = Command()
    begin(state, again).finish(patience=PATIENCE)
    assert again.takes == []


def test_a_record_that_cannot_be_written_is_found_before_the_run(tmp_path: Path) -> None:
    (tmp_path / RECORD).mkdir()
    with pytest.raises(CannotCreate, match=RECORD):
        open_record(tmp_path, newest=lambda: 0)
