"""The second memory of a state file, and whether the file at its path is still the one that is open."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from runner.commands.restore import assigned
from runner.commands.steps.known_jobs import heard_now, known_outside, sidecars_of, trace_in
from runner.domain.errors import IllegalTransition, RecordDisplaced, RunInUse, StateFileUnusable
from runner.domain.run_events import FactRecorded, Message
from runner.domain.states import (
    Accepted,
    Adopted,
    LateAnswer,
    NotSent,
    RetryRequested,
    Started,
    SubmissionStarted,
    TakeState,
)
from runner.media.clips.clip_names import stem_of
from runner.media.clips.ownership import try_clip
from runner.media.clips.sidecar import TRIAL, Sidecar
from runner.output.event_json import JsonEvents
from runner.output.safe_stream import SafeStream
from runner.store import witness
from runner.store.disk_failure import SafetyOptions
from runner.store.identity import number_of, path_of_open
from runner.store.lock import OWNER, RunLock
from runner.store.marker import MARKER, read_marker, went_to
from runner.store.open_file import Opening
from runner.store.reader import open_reader, read_heard
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.store.witness import NOTHING_HEARD, Heard, Sent, beside, outside, read_witness
from runner.system.clock import SystemClock
from tests.integration.store_samples import HEADER, drive, make_take, new_state_file, seen, tell
from tests.started import started

A, B = make_take("a"), make_take("b", prompt="b hand")
PAID = replace(HEADER, simulated=False)
BEGUN = SubmissionStarted("try-a", A.fingerprint, 1)


def known(path: Path) -> witness.Testimony:
    found = read_witness(path)
    assert found is not None
    return found


def test_the_witness_knows_each_submission_and_its_end_and_is_private(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [A, B]) as state:
        tell(state, BEGUN, Accepted("try-a", "r-1"))
        tell(state, SubmissionStarted("try-b", B.fingerprint, 1), NotSent("try-b", "no route"), take_id="b")
    path = beside(state.path)
    a, b = known(path).sent
    assert a == Sent("try-a", "a", A.model, A.fingerprint, 1, 1010.0, "r-1")
    assert (b.attempt, b.request_id, b.is_free) == ("try-b", "", True)
    assert [each.take for each in known(path).charged] == ["a"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_run_that_sends_nothing_leaves_no_witness(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [A]):
        pass
    assert not beside(tmp_path / "state.db").exists()


@pytest.mark.parametrize(
    "torn",
    [
        b'{"begun": "x',
        b"\xff\xfe",
        b"[1]\n",
        b'{"begun": {}}\n',
        b'{"begun": "x\\ud800", "take": "a\\udc00"}\n',
        b"7\n",
        b'{"begun": "x", "epoch": 1e999}\n',
        b'{"begun": "x", "at": 1%s}\n' % (b"0" * 400),
    ],
)
def test_a_line_that_makes_no_sense_is_passed_over_and_does_not_spoil_the_next(
    tmp_path: Path, torn: bytes
) -> None:
    with new_state_file(tmp_path, [A]) as state:
        tell(state, BEGUN)
    with beside(state.path).open("ab") as file:
        file.write(torn)
    with StateFile.open(state.path) as again:
        again.begin(at=2.0)
        tell(again, Adopted("r-9", "ada"))
    assert "r-9" in {each.request_id for each in known(beside(state.path)).sent}


def test_a_lost_witness_is_made_whole_from_the_record_before_the_next_submit(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [A, B]) as state:
        tell(state, BEGUN, Accepted("try-a", "r-1"))
    beside(state.path).unlink()
    with StateFile.open(state.path) as again:
        again.begin(at=2.0)
        tell(again, SubmissionStarted("try-b", B.fingerprint, again.epoch), take_id="b")
    assert {(each.take, each.request_id) for each in known(beside(state.path)).sent} == {
        ("a", "r-1"),
        ("b", ""),
    }


def test_a_witness_that_is_made_whole_knows_what_was_proved_to_be_free(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [A, B]) as state:
        tell(state, BEGUN, NotSent("try-a", "no route"))
    beside(state.path).unlink()
    with StateFile.open(state.path) as again:
        again.begin(at=2.0)
        tell(again, SubmissionStarted("try-b", B.fingerprint, again.epoch), take_id="b")
    assert [each.take for each in known(beside(state.path)).charged] == ["b"]


@pytest.mark.parametrize("take", [b"a\\q", b"\xff", b"a\nb", b"a\x00", b"a\\ud800"])
def test_a_damaged_sidecar_says_nothing_and_ends_no_run(tmp_path: Path, take: bytes) -> None:
    place = RunDir(tmp_path)
    (tmp_path / "clips").mkdir()
    sidecar = Sidecar("take-a", "r-1", ()).to_bytes()
    (tmp_path / "clips" / "whole.json").write_bytes(sidecar)
    (tmp_path / "clips" / "damaged.json").write_bytes(sidecar.replace(b"take-a", take))
    for whole in (False, True):
        (told,) = known_outside(place, {}, whole=whole)
        assert [(sent.take, sent.request_id) for sent in told.sent] == [("take-a", "r-1")]
    assert trace_in(place)


@pytest.mark.parametrize("fact", [SubmissionStarted("try-a", A.fingerprint, 1), Accepted("try-a", "r-1")])
def test_a_log_with_a_submission_is_a_trace_of_a_run_and_a_log_without_is_none(
    tmp_path: Path, fact: SubmissionStarted | Accepted
) -> None:
    place = RunDir(tmp_path)
    with place.log.open("w") as file:
        log = JsonEvents(SafeStream.over(file), clock=SystemClock())
        log.on_event(started(total=1))
        log.on_event(Message("a remark"))
        file.flush()
        assert not trace_in(place)
        log.on_event(FactRecorded("a", fact, 1.0))
    assert trace_in(place) == "run.log"
    place.log.write_text(f'{{"at": 1.0, "take": "a", "fact": "{type(fact).__name__}"}}\n')
    assert trace_in(place) == "run.log"


@pytest.mark.parametrize("longest", ["a", "a-take-with-a-very-long-name-indeed"])
def test_what_a_kill_leaves_of_a_trial_speaks_for_no_job(tmp_path: Path, longest: str) -> None:
    take = stem_of(try_clip(tmp_path / "clips", [longest]))
    for take_id, request_id in ((take, TRIAL), (take, "r-1"), ("take-a", TRIAL)):
        sidecar = Sidecar(take_id, request_id, ())
        (tmp_path / "clips" / f"{take_id}-{request_id}.json").write_bytes(sidecar.to_bytes())
    (testimony,) = known_outside(RunDir(tmp_path), {})
    named = {(each.take, each.request_id) for each in testimony.sent}
    assert named == {(each.take, each.request_id) for each in sidecars_of(RunDir(tmp_path))}
    assert named == {(take, "r-1"), ("take-a", TRIAL)}


def test_both_readers_take_the_head_of_a_sidecar_that_is_damaged_behind_it(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.json").write_bytes(Sidecar("take-a", "r-1", ()).to_bytes()[:-3])
    for whole in (False, True):
        (told,) = known_outside(RunDir(tmp_path), {}, whole=whole)
        assert [(sent.take, sent.request_id) for sent in told.sent] == [("take-a", "r-1")]


def told(path: Path, heard: Heard) -> list[str]:
    found = read_witness(path, heard=heard)
    assert found is not None
    return [each.attempt for each in found.sent]


def test_what_the_record_was_noted_to_hold_is_not_read_again(tmp_path: Path) -> None:
    """The witness of another run, a shorter one and another file are read from their beginning."""
    with new_state_file(tmp_path, [A, B]) as state:
        tell(state, BEGUN, Accepted("try-a", "r-1"))
        path, place = beside(state.path), RunDir(state.path.parent)
        state.note_heard(heard_now(place, {}))
        tell(state, SubmissionStarted("try-b", B.fingerprint, 1), take_id="b")
    heard = read_heard(place.state_file)
    assert told(path, heard) == ["try-b"]
    assert told(path, replace(heard, run_id="another")) == ["try-a", "try-b"]
    assert told(path, replace(heard, extents={key: size + 9999 for key, size in heard.extents.items()})) == [
        "try-a",
        "try-b",
    ]
    copy = path.with_name("copy.witness")
    shutil.copy(path, copy)
    assert told(copy, heard) == ["try-a", "try-b"]
    path.write_bytes(path.read_bytes() + b'{"left": "try-a"}\n')
    assert heard_now(place, {}) == {}


def test_only_sidecars_that_came_since_are_read_again(tmp_path: Path) -> None:
    """One that is moved here counts as new, however old it says it is."""
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "a.json").write_bytes(Sidecar("a", "r-1", ()).to_bytes())
    moved = tmp_path / "b.json"
    moved.write_bytes(Sidecar("b", "r-2", ()).to_bytes())
    os.utime(moved, ns=(1, 1))
    with new_state_file(tmp_path, [A]) as state:
        place = RunDir(state.path.parent)
        heard = heard_now(place, {})
        state.note_heard({key: changed + 10**12 for key, changed in heard.items()})
    assert known_outside(place, {}) == []
    with StateFile.open(place.state_file) as state:
        state.note_heard(heard)
    assert known_outside(place, {}) == []
    moved.rename(folder / "b.json")
    assert "r-2" in {each.request_id for found in known_outside(place, {}) for each in found.sent}
    assert read_heard(tmp_path / "none.db") == NOTHING_HEARD


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("other"), Path.mkdir])
def test_something_else_in_place_of_the_witness_is_neither_followed_nor_waited_for(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(beside(tmp_path / "state.db"))
    with new_state_file(tmp_path, [A]) as state:
        tell(state, BEGUN, Accepted("try-a", "r-1"))
    assert not (tmp_path / "other").exists()
    with pytest.raises(OSError, match=r"."):
        read_witness(beside(state.path))


def test_the_second_witness_knows_the_same_and_says_when_the_run_came_to_its_end(tmp_path: Path) -> None:
    provision = SafetyOptions(second_places=(tmp_path / "home",))
    with new_state_file(tmp_path / "run", [A], provision=provision, header=PAID) as state:
        drive(state, TakeState.FAILED)
        (second,) = (tmp_path / "home").glob("*.witness")
        assert (known(second).has_ended, known(second).header) == (False, PAID)
        # It is found by the path alone.
        assert second.name == outside([tmp_path], tmp_path / "run", _machine())[0].name
    assert known(second).has_ended
    with StateFile.open(state.path, Opening(provision=provision)) as again:
        again.begin(at=2.0)
        tell(again, RetryRequested("ada"), SubmissionStarted("try-2", A.fingerprint, again.epoch))
        assert not known(second).has_ended
    assert [each.attempt for each in known(second).sent] == ["try-a", "try-2"]


@pytest.mark.parametrize("left", list(TakeState))
def test_a_run_that_leaves_a_job_out_has_not_come_to_its_end(tmp_path: Path, left: TakeState) -> None:
    provision = SafetyOptions(second_places=(tmp_path / "home",))
    other = make_take("b")
    with new_state_file(tmp_path / "run", [A, other], provision=provision, header=PAID) as state:
        drive(state, TakeState.FAILED, take_id="a")
        drive(state, left, take_id="b")
    (second,) = (tmp_path / "home").glob("*.witness")
    # What has succeeded here has no clip yet.
    over = {TakeState.PENDING, TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED}
    assert known(second).has_ended == (left in over)


def _machine() -> str:
    from runner.store.location import machine_id

    return machine_id()


def test_a_record_that_knows_less_than_its_witness_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [A]) as state:
        pass
    older = shutil.copy(state.path, tmp_path / "older")
    with StateFile.open(state.path) as again:
        again.begin(at=2.0)
        tell(again, SubmissionStarted("try-a", A.fingerprint, again.epoch), Accepted("try-a", "r-1"))
    told = [known(beside(state.path))]
    StateFile.open(state.path, Opening(told=told)).close()
    shutil.copy(older, state.path)
    before = state.path.read_bytes()
    with pytest.raises(StateFileUnusable, match="knows less") as caught:
        StateFile.open(state.path, Opening(told=told))
    assert "shotrunner restore" in caught.value.advice
    assert state.path.read_bytes() == before


@pytest.mark.parametrize("state_before", [s for s in TakeState if s is not TakeState.SUBMITTING])
@pytest.mark.parametrize("request_id", ["r-9", ""])
def test_whatever_a_witness_knows_can_be_entered_and_makes_no_take_pending(
    tmp_path: Path, state_before: TakeState, request_id: str
) -> None:
    with new_state_file(tmp_path, [A]) as state:
        drive(state, state_before)
        sent = Sent("try-9", "a", A.model, A.fingerprint, 1, 5.0, request_id)
        (stands,) = state.enter([(sent, "a")], at=9.0)
        with open_reader(state.path) as reader:
            assert reader.unrecorded([sent]) == ([] if stands is not None else [sent])
        if state_before in {TakeState.PENDING, TakeState.FAILED, TakeState.CANCELLED}:
            assert seen(state).state is (TakeState.QUEUED if request_id else TakeState.HELD)
        else:
            assert seen(state).state is state_before
        # Twice is once.
        state.enter([(sent, "a")] if stands is not None else [], at=9.0)


def test_a_submission_is_given_to_a_take_of_its_body_and_to_no_other() -> None:
    takes = {"a": "1", "b": "2", "b2": "2", "b3": "2", "new name": "3"}
    same, renamed = Sent("x", "a", fingerprint="1", at=2.0), Sent("y", "old name", fingerprint="3", at=1.0)
    edited, twice = Sent("z", "a", fingerprint="9"), Sent("w", "gone", fingerprint="2")
    untold = Sent(request_id="r", take="b")
    waiting = {"a", "b", "b3", "new name"}
    assert assigned([same, renamed, edited, twice, untold], takes, waiting=waiting) == (
        # Of those with one body the one that waits and has no job yet.
        [(twice, "b3"), (untold, "b"), (renamed, "new name"), (same, "a")],
        [edited],
    )


def _moved(folder: Path) -> None:
    folder.rename(folder.with_name("there"))


def _replaced(folder: Path) -> None:
    shutil.copytree(folder, folder.with_name("copy"))
    _moved(folder)
    folder.with_name("copy").rename(folder)


def _deleted(folder: Path) -> None:
    shutil.rmtree(folder)


def _another_runs_marker(folder: Path) -> None:
    (folder / MARKER).write_text('{"run_id": "run-2"}')


def _log_replaced(folder: Path) -> None:
    shutil.copy(folder / "state.db-wal", folder / "copy")
    (folder / "copy").rename(folder / "state.db-wal")


@pytest.mark.parametrize("lose", [_moved, _replaced, _deleted, _another_runs_marker, _log_replaced])
def test_nothing_is_begun_once_the_file_is_not_in_its_place_and_answers_are_still_kept(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    home = tmp_path / "home"
    provision = SafetyOptions(second_places=(home,))
    state = new_state_file(tmp_path / "run", [A, B], provision=provision, header=PAID)
    tell(state, BEGUN)
    lose(tmp_path / "run")
    for fact in (SubmissionStarted("try-b", B.fingerprint, 1), Started()):
        with pytest.raises(RecordDisplaced, match="run") as caught:
            tell(state, fact, take_id="b")
    assert ("there/state.db" in caught.value.message) == (lose in {_moved, _replaced})
    tell(state, Accepted("try-a", "r-1"))
    with pytest.raises(RecordDisplaced):
        state.close()
    told = [known(path) for path in home.glob("*.witness")]
    assert [each.request_id for testimony in told for each in testimony.sent] == ["r-1"]
    assert not any(testimony.has_ended for testimony in told)
    if lose is _deleted:
        assert [path.name for path in home.glob("*.ids")] == ["run-1.ids"]
    elif lose is _moved:
        with open_reader(tmp_path / "there" / "state.db") as reader:
            assert {take.request_id for take in reader.takes()} == {"r-1", None}


@pytest.mark.parametrize("lose", [_moved, _deleted])
def test_the_old_place_says_where_the_record_went(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    state = new_state_file(tmp_path / "run", [A])
    lose(tmp_path / "run")
    with pytest.raises(RecordDisplaced):
        state.close()
    assert read_marker(state.path) == "run-1"
    assert went_to(state.path) == (tmp_path / "there" / "state.db" if lose is _moved else None)


def test_a_marker_that_goes_missing_in_mid_run_is_written_again(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [A]) as state:
        (tmp_path / MARKER).unlink()
        tell(state, BEGUN)
        assert read_marker(state.path) == "run-1"


def test_an_overtaken_runner_may_record_the_answer_it_holds_and_nothing_else(tmp_path: Path) -> None:
    first = new_state_file(tmp_path, [A, make_take("b")])
    tell(first, BEGUN)
    drive(first, TakeState.QUEUED, take_id="b")
    with StateFile.open(first.path) as second:
        assert second.begin(at=2.0) == ("a",)
        with pytest.raises(RunInUse):
            tell(first, Started(), take_id="b")
        with pytest.raises(RunInUse):
            tell(first, NotSent("try-a", "no route"))
        tell(first, Accepted("try-a", "r-1"))
        first.close()
        assert (tmp_path / "state.ids").exists()
        tell(second, Started(), take_id="b")
        assert seen(second).request_id == "r-1"
        with pytest.raises(IllegalTransition):
            tell(second, Accepted("try-a", "r-2"))
        tell(second, LateAnswer("try-a", "r-2"))


def test_the_facts_of_the_next_owner_of_a_lock_are_not_taken_away(tmp_path: Path) -> None:
    with RunLock(tmp_path, command="first"):
        (tmp_path / OWNER).write_text("the second's")
    assert (tmp_path / OWNER).read_text() == "the second's"


def test_an_open_file_is_found_under_its_new_name_and_not_once_it_is_deleted(tmp_path: Path) -> None:
    with (tmp_path / "a").open("w") as file:
        number = number_of(tmp_path / "a")
        assert number is not None
        (tmp_path / "a").rename(tmp_path / "b (deleted)")
        assert path_of_open(number) == tmp_path / "b (deleted)"
        (tmp_path / "b (deleted)").unlink()
        assert path_of_open(number) is None
        assert file.fileno() >= 0
