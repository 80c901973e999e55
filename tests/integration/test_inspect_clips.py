"""Clips are looked into beside a run: what is recorded, what is left to the next run, and that nothing fails."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.commands.steps.inspect_clips import ClipInspection
from runner.domain.clip_checks import Probe
from runner.domain.preview_names import preview_names
from runner.domain.run_events import FactRecorded
from runner.domain.states import CostSeen, Delivered, FetchStarted, FileGone, TakeState
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import SystemClock
from runner.video.inspector import Inspector, NoDecoder
from runner.video.judge import Look
from runner.video.kinds import NotReadable
from runner.video.testing import PLAIN, FakeInspector
from tests.integration.store_samples import drive, make_take, new_state_file, seen, tell

PATIENCE = 20.0
SHORT = replace(PLAIN, probe=replace(PLAIN.probe, seconds=2.0), end=2.0)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    """Yield a record in which two takes of one shot are delivered."""
    takes = [replace(make_take(name), body='{"duration": 5}') for name in ("a", "b")]
    with new_state_file(tmp_path, takes) as opened:
        for number, name in enumerate(("a", "b")):
            deliver(opened, name, number)
        yield opened


def deliver(state: StateFile, take_id: str, number: int) -> None:
    """Bring a take to its delivered clip."""
    drive(state, TakeState.SUCCEEDED, take_id=take_id)
    tell(state, FetchStarted("https://clips/1.mp4"), clip_of(take_id, number), take_id=take_id)


def clip_of(take_id: str, number: int) -> Delivered:
    return Delivered(f"clips/{take_id}.mp4", f"{number}" * 64, 9)


def inspect(state: StateFile, inspector: Inspector, *, stand_ins: tuple[str, ...] = ()) -> ClipInspection:
    return ClipInspection(RunDir(state.path.parent), state, SystemClock(), inspector, stand_ins=stand_ins)


def looked_into(state: StateFile, inspector: Inspector, *, stand_ins: tuple[str, ...] = ()) -> ClipInspection:
    inspection = inspect(state, inspector, stand_ins=stand_ins)
    inspection.finish(patience=PATIENCE)
    return inspection


def flags(state: StateFile) -> dict[str, list[str]]:
    return {name: [flag.text for flag in seen(state, name).flags] for name in ("a", "b")}


def test_clips_of_earlier_runs_are_looked_into_once(state: StateFile) -> None:
    """What is odd is recorded with what was measured; the second time there is nothing to do."""
    fake = FakeInspector({"b.mp4": SHORT})
    first = looked_into(state, fake)
    assert (first.remarks, first.is_complete) == ((), True)
    assert flags(state) == {"a": [], "b": ["2 s long instead of 5 s"]}
    assert seen(state).probe == PLAIN.probe
    again = FakeInspector()
    looked_into(state, again)
    assert again.history == []


def test_a_clip_that_arrives_meanwhile_is_looked_into(state: StateFile) -> None:
    looked_into(state, FakeInspector())
    tell(state, FileGone("lost"), FetchStarted("https://clips/2.mp4"), clip_of("a", 7))
    inspection = inspect(state, FakeInspector({"a.mp4": SHORT}))
    inspection.on_event(FactRecorded("a", clip_of("a", 7), 0.0))
    inspection.finish(patience=PATIENCE)
    assert flags(state)["a"] == ["2 s long instead of 5 s"]


def test_clips_of_the_same_bytes_are_decoded_once_and_judged_each_by_its_own_request(tmp_path: Path) -> None:
    bodies = {"a": '{"duration": 5}', "b": '{"duration": 2}'}
    with new_state_file(
        tmp_path, [replace(make_take(name), body=body) for name, body in bodies.items()]
    ) as state:
        deliver(state, "a", 1)
        deliver(state, "b", 1)
        fake = FakeInspector({"a.mp4": SHORT, "b.mp4": SHORT})
        looked_into(state, fake)
        assert flags(state) == {"a": ["2 s long instead of 5 s"], "b": []}
    # One look, and one set of previews.
    assert len(fake.history) == 2


def test_an_unreadable_clip_is_flagged_and_not_tried_again(state: StateFile) -> None:
    looked_into(state, FakeInspector({"a.mp4": "cannot be opened"}))
    assert [flag.kind for flag in seen(state).flags] == ["unreadable"]
    again = FakeInspector()
    looked_into(state, again)
    assert again.history == []


def test_the_ready_made_clip_is_not_judged(state: StateFile) -> None:
    looked_into(state, FakeInspector({"a.mp4": SHORT, "b.mp4": SHORT}), stand_ins=("0" * 64,))
    assert flags(state) == {"a": [], "b": ["2 s long instead of 5 s"]}


def test_without_the_extra_headers_are_read_and_the_extra_looks_again(state: StateFile) -> None:
    """It is said once, with the line that installs it."""
    header = replace(SHORT, probe=replace(SHORT.probe, is_decoded=False))
    said = looked_into(state, FakeInspector({"a.mp4": header, "b.mp4": header}, decodes=False)).remarks
    assert ["pip install 'shotrunner[video]'" in remark for remark in said] == [True]
    assert flags(state) == {name: ["2 s long instead of 5 s"] for name in ("a", "b")}
    assert looked_into(state, FakeInspector(decodes=False)).remarks == ()
    looked_into(state, FakeInspector())
    assert flags(state) == {"a": [], "b": []}


def test_lost_previews_are_made_again(state: StateFile, tmp_path: Path) -> None:
    looked_into(state, FakeInspector())
    names = preview_names("0" * 64)
    (tmp_path / names.last).unlink()
    again = FakeInspector()
    looked_into(state, again)
    assert again.history == ["a.mp4"]
    assert (tmp_path / names.last).is_file()


class Slow(FakeInspector):
    """Looks until it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.began, self._ended = threading.Event(), threading.Event()

    def look(self, path: Path) -> Look:  # noqa: ARG002 - the shape of an inspector
        self.began.set()
        self._ended.wait(PATIENCE)
        raise NoDecoder("it was closed")

    def stop(self) -> None:
        self._ended.set()


def test_the_end_of_a_run_waits_no_longer_than_it_may(state: StateFile) -> None:
    """What is left is said, and nothing is recorded of it."""
    inspection = inspect(state, Slow())
    inspection.finish(patience=0)
    assert inspection.remarks == (
        f"not looked into yet: 2 clips; go on with: shotrunner fetch {state.path.parent}",
    )
    assert seen(state).probe is None
    assert not inspection.is_complete


class SlowPreviews(FakeInspector):
    """Looks at once, and makes previews when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def make_previews(self, path: Path, run_dir: Path, sha256: str) -> None:
        assert self.let.wait(PATIENCE)
        super().make_previews(path, run_dir, sha256)


def test_a_person_who_waits_sees_what_is_left(state: StateFile) -> None:
    inspector, said = SlowPreviews(), list[str]()

    def say(text: str) -> None:
        said.append(text)
        inspector.let.set()

    inspect(state, inspector).finish(patience=PATIENCE, say=say)
    assert said == ["making previews of 1 clip (Ctrl-C leaves the rest to the next fetch)"]


def test_why_there_are_no_previews_is_said_once(state: StateFile) -> None:
    """It fails nothing, and the clips are looked into all the same."""

    class Full(FakeInspector):
        def make_previews(self, path: Path, run_dir: Path, sha256: str) -> None:  # noqa: ARG002 - as above
            raise NotReadable("No space left on device")

    assert looked_into(state, Full()).remarks == (
        "no previews of 2 clips in previews/: No space left on device",
    )
    assert seen(state).probe == PLAIN.probe


def test_a_signal_ends_the_wait_and_nothing_else(state: StateFile) -> None:
    slow = Slow()
    inspection = inspect(state, slow)
    assert slow.began.wait(PATIENCE)
    before = signal.getsignal(signal.SIGTERM)

    def interrupt() -> None:
        # Before the wait has begun, the signal would end the tests.
        while signal.getsignal(signal.SIGTERM) is before:
            threading.Event().wait(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=interrupt, daemon=True).start()
    # If the signal did not end it, the slow look would, and both takes would be read by their headers.
    inspection.finish(patience=10 * PATIENCE)
    assert inspection.left == 2
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("a disk"), MemoryError()])
def test_no_failure_of_an_inspector_reaches_the_run(state: StateFile, error: Exception) -> None:
    inspection = looked_into(state, FakeInspector({"a.mp4": error}))
    assert inspection.left == 2
    drive_on(state)


def test_without_a_worker_headers_are_read(state: StateFile) -> None:
    said = looked_into(state, FakeInspector({"a.mp4": NoDecoder("no such program")})).remarks
    assert said == ("clips were checked by their headers alone: no such program",)
    assert seen(state).probe == Probe("mp4")


def drive_on(state: StateFile) -> None:
    """Prove that the record still takes facts."""
    tell(state, CostSeen(0.5))
    assert seen(state).cost == 0.5
