"""Decisions and upkeep on real state files and real clips: what is recorded, by whom, and what is refused untouched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from runner.commands import fetch, reconcile, retry, verify
from runner.commands.cancel import cancel
from runner.commands.steps.api_session import Found, recorded_request
from runner.commands.steps.find_run import manifest_of, run_words
from runner.commands.steps.open_run import OpenOptions
from runner.commands.verify import Finding, Flaw
from runner.domain.api_answers import FailureKind, JobStatus, RequestFailure, StatusReply
from runner.domain.errors import AccountRefused, RunInUse, ServiceUnavailable, UsageError
from runner.domain.records import EventRecord, RunHeader, TakeRecord
from runner.domain.shots import Ticket
from runner.domain.states import (
    Adopted,
    AdoptionUndone,
    DeclaredNotSent,
    Delivered,
    DeliveryState,
    Ended,
    FetchStarted,
    LateAnswer,
    TakeState,
    Undeliverable,
)
from runner.media.clips.fetch import FetchOptions, fetch_clip
from runner.media.clips.restore_sidecars import restore_sidecars
from runner.media.clips.sidecar import DeliveredFile, Sidecar
from runner.store.disk_failure import Receipt, ReceiptFile
from runner.store.lock import RunLock
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, S, drive, make_plan, make_take, new_state_file, tell
from tests.integration.test_delivery_server import body, film, raw_server
from tests.virtual_time import VirtualClock

KNOWN = StatusReply(JobStatus.RUNNING, "in_progress")


class Noon(VirtualClock):
    """A clock whose wall stands still, since no loop runs."""

    def wall(self) -> float:
        return 5000.0


AT_NOON = OpenOptions(clock=Noon())


@pytest.fixture
def place(tmp_path: Path) -> RunDir:
    """Return a run with a take in each state, named after it, and a second held one."""
    takes = [make_take(state) for state in S] + [make_take("held2")]
    with new_state_file(tmp_path, takes) as state:
        for each in S:
            drive(state, each, take_id=each)
        drive(state, S.HELD, take_id="held2")
    return RunDir(tmp_path)


def take_of(place: RunDir, take_id: str) -> TakeRecord:
    with open_reader(place.state_file) as reader:
        found = reader.take(take_id)
    assert found is not None
    return found


def last_event(place: RunDir, take_id: str) -> EventRecord:
    with open_reader(place.state_file) as reader:
        return reader.events(take_id)[-1]


def known(request_id: str) -> Found:
    assert request_id
    return KNOWN


# held takes


def test_held_takes_are_listed_with_their_evidence_and_nothing_is_touched(place: RunDir) -> None:
    before = place.state_file.read_bytes()
    with RunLock(place.path):
        cases = reconcile.held_cases(place)
    assert {case.take_id for case in cases} == {"submitting", "held", "held2"}
    case = next(case for case in cases if case.take_id == "held")
    assert (case.milestone, case.reason, case.prompt) == ("body sent", "read timed out", "a hand")
    assert (case.started_at, case.ended_at) == (1010.0, 1010.0)
    assert case.fingerprint == make_take("held").fingerprint
    assert place.state_file.read_bytes() == before


def test_an_adopted_take_is_queued_under_its_id(place: RunDir) -> None:
    decided = reconcile.adopt(place, "held", "req-found", by="ada", look_up=known, opening=AT_NOON)
    assert decided.take_ids == ("held",)
    take = take_of(place, "held")
    assert (take.state, take.request_id, take.submitted_at) == (S.QUEUED, "req-found", 1010.0)
    event = last_event(place, "held")
    assert (event.fact, event.at, event.details["by"]) == ("Adopted", 5000.0, "ada")


def test_a_take_whose_runner_died_while_sending_can_be_decided_on(place: RunDir) -> None:
    """The decision first holds it, as the next run would."""
    reconcile.drop(place, ["submitting"], by="ada")
    assert take_of(place, "submitting").state is S.DROPPED
    with open_reader(place.state_file) as reader:
        assert [event.fact for event in reader.events("submitting")] == [
            "SubmissionStarted",
            "LostContact",
            "Dropped",
        ]


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (RequestFailure(FailureKind.MISSING, "unknown id"), UsageError),
        (RequestFailure(FailureKind.ACCOUNT, "no token"), AccountRefused),
        (RequestFailure(FailureKind.TRANSIENT, "away"), ServiceUnavailable),
        (RequestFailure(FailureKind.THROTTLED, "later"), ServiceUnavailable),
        (Ended(S.SUCCEEDED, json.dumps({"model_id": "another/model"})), UsageError),
        (Ended(S.SUCCEEDED, json.dumps({"input": {"promptText": "a foot"}})), UsageError),
    ],
    ids=["unknown", "account", "away", "throttled", "other model", "other prompt"],
)
def test_an_id_that_the_api_does_not_confirm_is_not_adopted(
    place: RunDir, found: Found, error: type[Exception]
) -> None:
    with pytest.raises(error):
        reconcile.adopt(place, "held", "req-found", by="ada", look_up=lambda _: found)
    assert take_of(place, "held").state is S.HELD


def test_without_a_look_the_id_is_taken_as_it_is(place: RunDir) -> None:
    reconcile.adopt(place, "held", "req-found", by="ada", look_up=None)
    assert take_of(place, "held").request_id == "req-found"


@pytest.mark.parametrize("request_id", ["", "..", "a/../b", "a b", "x" * 257, "é"])
def test_an_id_that_cannot_be_one_never_reaches_the_api(place: RunDir, request_id: str) -> None:
    asked: list[str] = []

    def ask(request_id: str) -> Found:
        asked.append(request_id)
        return KNOWN

    with pytest.raises(UsageError, match="cannot be a request id"):
        reconcile.adopt(place, "held", request_id, by="ada", look_up=ask)
    assert asked == []


@pytest.mark.parametrize("owner", ["succeeded", "queued", "cancelled"])
def test_an_id_of_another_take_is_refused(place: RunDir, owner: str) -> None:
    with pytest.raises(UsageError, match=f"belongs to take {owner}"):
        reconcile.adopt(place, "held", f"request-{owner}", by="ada", look_up=known)
    assert take_of(place, "held").state is S.HELD


def test_an_id_adopted_for_one_take_is_refused_for_the_next(place: RunDir) -> None:
    reconcile.adopt(place, "held", "req-found", by="ada", look_up=known)
    with pytest.raises(UsageError, match="belongs to take held already"):
        reconcile.adopt(place, "held2", "req-found", by="ada", look_up=known)


def test_a_status_that_names_another_model_is_not_adopted(place: RunDir) -> None:
    with pytest.raises(UsageError, match="its model is other/model"):
        reconcile.adopt(
            place,
            "held",
            "req-found",
            by="ada",
            look_up=lambda _: StatusReply(JobStatus.RUNNING, "in_progress", model="other/model"),
        )
    assert take_of(place, "held").state is S.HELD


def test_an_adoption_is_corrected_and_both_words_are_on_record(place: RunDir) -> None:
    """The id that was taken back is free again, for this take and for others."""
    reconcile.adopt(place, "held", "req-wrong", by="ada", look_up=known, opening=AT_NOON)
    with pytest.raises(UsageError, match="belongs to take held already"):
        reconcile.adopt(place, "held2", "req-wrong", by="ada", look_up=known)
    reconcile.adopt(place, "held", "req-right", by="bob", look_up=known, opening=AT_NOON)
    take = take_of(place, "held")
    assert (take.state, take.request_id, take.submitted_at) == (S.QUEUED, "req-right", 1010.0)
    with open_reader(place.state_file) as reader:
        told = [(event.fact, event.at, event.details.get("by")) for event in reader.events("held")][-3:]
    assert told == [
        ("Adopted", 5000.0, "ada"),
        ("AdoptionUndone", 5000.0, "bob"),
        ("Adopted", 5000.0, "bob"),
    ]
    reconcile.adopt(place, "held2", "req-wrong", by="ada", look_up=known)


def test_an_adoption_is_taken_back_by_any_other_decision(place: RunDir) -> None:
    for take_id in ("held", "held2"):
        reconcile.adopt(place, take_id, f"req-{take_id}", by="ada", look_up=known)
    reconcile.declare_not_sent(place, ["held"], by="ada")
    reconcile.drop(place, ["held2"], by="ada")
    assert [take_of(place, each).state for each in ("held", "held2")] == [S.PENDING, S.DROPPED]
    assert take_of(place, "held").request_id is None


def test_a_take_whose_adoption_was_undone_shows_when_it_was_sent_and_may_take_the_id_at_a_second_word(
    place: RunDir,
) -> None:
    reconcile.adopt(place, "held", "req-odd", by="ada", look_up=known, opening=AT_NOON)
    with StateFile.open(place.state_file) as state:
        assert [ticket.take_id for ticket in state.tickets() if ticket.adopted] == ["held"]
        tell(state, AdoptionUndone("req-odd", "its record", "its model is x"), take_id="held")
    case = next(case for case in reconcile.held_cases(place) if case.take_id == "held")
    assert (case.started_at, case.ended_at, case.reason) == (1010.0, 1010.0, "its model is x")
    reconcile.adopt(place, "held", "req-odd", by="ada", look_up=None)
    with StateFile.open(place.state_file) as state:
        assert [ticket.take_id for ticket in state.tickets() if ticket.adopted] == []


def test_nobody_can_say_that_an_adopted_job_was_not_sent_once_it_has_rendered(place: RunDir) -> None:
    """It would be paid for again, while what it cost left the books."""
    reconcile.adopt(place, "held", "req-found", by="ada", look_up=known)
    with StateFile.open(place.state_file) as state:
        tell(state, Ended(S.SUCCEEDED, "{}", ("https://clips/1.mp4",), cost=0.3), take_id="held")
    with pytest.raises(UsageError, match="request req-found, adopted for it, has rendered"):
        reconcile.declare_not_sent(place, ["held"], by="ada")
    assert take_of(place, "held").state is S.SUCCEEDED
    reconcile.drop(place, ["held"], by="ada")
    assert take_of(place, "held").state is S.DROPPED


def test_once_a_clip_is_on_its_way_an_adoption_stands(place: RunDir) -> None:
    reconcile.adopt(place, "held", "req-found", by="ada", look_up=known)
    with StateFile.open(place.state_file) as state:
        tell(state, Ended(S.SUCCEEDED, "{}", ("https://clips/1.mp4",)), take_id="held")
        tell(state, FetchStarted("https://clips/1.mp4"), take_id="held")
    with pytest.raises(UsageError, match="held is not held, it is succeeded"):
        reconcile.declare_not_sent(place, ["held"], by="ada")


def test_a_caller_that_holds_the_lock_decides_under_it(place: RunDir) -> None:
    with RunLock(place.path) as lock:
        reconcile.drop(place, ["held"], by="ada", opening=OpenOptions(lock=lock))
        with pytest.raises(RunInUse):
            reconcile.drop(place, ["held2"], by="ada")
    assert take_of(place, "held").state is S.DROPPED


def test_a_late_id_of_this_very_take_may_be_adopted(tmp_path: Path) -> None:
    """It came for an attempt that had been decided on; when the next attempt is held too, it is the job to take."""
    with new_state_file(tmp_path, [make_take("a"), make_take("b")]) as state:
        drive(state, S.HELD)
        drive(state, S.HELD, take_id="b")
        tell(state, LateAnswer("try-a", "req-late"))
    place = RunDir(tmp_path)
    with pytest.raises(UsageError, match="belongs to take a"):
        reconcile.adopt(place, "b", "req-late", by="ada", look_up=known)
    reconcile.adopt(place, "a", "req-late", by="ada", look_up=known)
    assert take_of(place, "a").request_id == "req-late"


def test_declared_not_sent_means_pending_again(place: RunDir) -> None:
    decided = reconcile.declare_not_sent(
        place, ["held", "held2"], by="ada", reason="not there", opening=AT_NOON
    )
    assert (decided.take_ids, decided.remarks) == (("held", "held2"), ())
    assert take_of(place, "held").state is S.PENDING
    event = last_event(place, "held2")
    assert (event.fact, event.details) == ("DeclaredNotSent", asdict(DeclaredNotSent("ada", "not there")))


def test_a_take_that_left_the_manifest_is_told_to_be_sent_by_no_run(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a"), make_take("b")]) as state:
        drive(state, S.HELD)
        state.adopt_plan(make_plan([make_take("b")], text="without a"), renew=(), at=1020.0)
    (remark,) = reconcile.declare_not_sent(RunDir(tmp_path), ["a"], by="ada").remarks
    assert "no longer in the manifest" in remark


def test_one_take_that_is_not_held_leaves_all_as_they_were(place: RunDir) -> None:
    with pytest.raises(UsageError, match="succeeded is not held"):
        reconcile.declare_not_sent(place, ["held", "succeeded"], by="ada")
    assert take_of(place, "held").state is S.HELD
    with pytest.raises(UsageError, match="no take 'hold'"):
        reconcile.drop(place, ["hold"], by="ada")


def test_a_dropped_take_is_given_up(place: RunDir) -> None:
    reconcile.drop(place, ["held"], by="ada")
    assert take_of(place, "held").state is S.DROPPED
    assert last_event(place, "held").details == {"by": "ada", "reason": ""}


@pytest.mark.parametrize("state", [S.QUEUED, S.RUNNING, S.SUCCEEDED, S.FAILED, S.CANCELLED])
def test_whatever_was_sent_can_be_dropped_and_keeps_its_id_and_its_charge(
    tmp_path: Path, state: TakeState
) -> None:
    with new_state_file(tmp_path, [make_take("a")]) as file:
        drive(file, state)
    place = RunDir(tmp_path)
    reconcile.drop(place, ["a"], by="ada")
    dropped = take_of(place, "a")
    assert (dropped.state, dropped.request_id, dropped.delivery) == (
        S.DROPPED,
        "request-a",
        DeliveryState.NONE,
    )
    said = {S.QUEUED: "may be billed", S.RUNNING: "may be billed", S.SUCCEEDED: "has rendered"}.get(state, "")
    assert said in dropped.reason
    with open_reader(place.state_file) as reader:
        assert [charge.take_id for charge in reader.spending().charges] == ["a"]
    with pytest.raises(UsageError, match="it was given up before"):
        reconcile.drop(place, ["a"], by="ada")


def test_a_clip_that_cannot_be_fetched_can_be_given_up_and_one_that_is_here_cannot(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a"), make_take("b"), make_take("c")]) as file:
        for name in ("a", "b"):
            drive(file, S.SUCCEEDED, take_id=name)
        tell(file, FetchStarted("https://clips/1.mp4"), Undeliverable("404"))
        tell(file, FetchStarted("https://clips/1.mp4"), Delivered("clips/b.mp4", "ab" * 32, 7), take_id="b")
    place = RunDir(tmp_path)
    for name, why in (("b", "its clip is here"), ("c", "it is not sent yet")):
        with pytest.raises(UsageError, match=why):
            reconcile.drop(place, ["a", name], by="ada")
    assert take_of(place, "a").state is S.SUCCEEDED
    reconcile.drop(place, ["a"], by="ada")
    assert "its clip did not come: 404" in take_of(place, "a").reason


DECISIONS: list[Callable[[RunDir], object]] = [
    lambda place: reconcile.adopt(place, "held", "req-found", by="ada", look_up=known),
    lambda place: reconcile.declare_not_sent(place, ["held"], by="ada"),
    lambda place: reconcile.drop(place, ["held"], by="ada"),
    lambda place: retry.request_retries(place, [take_of(place, "failed")], by="ada"),
    lambda place: verify.mark(place, []),
]


@pytest.mark.parametrize("decide", DECISIONS, ids=["adopt", "not-sent", "drop", "retry", "mark"])
def test_while_a_runner_works_nothing_can_be_decided(
    place: RunDir, decide: Callable[[RunDir], object]
) -> None:
    before = place.state_file.read_bytes()
    with RunLock(place.path), pytest.raises(RunInUse):
        decide(place)
    assert place.state_file.read_bytes() == before


# retries


def test_a_retry_is_recorded_with_who_and_why_and_makes_it_pending(place: RunDir) -> None:
    takes = [take_of(place, "failed"), take_of(place, "cancelled")]
    retry.request_retries(place, takes, by="ada", reason="once more", opening=AT_NOON)
    for take in takes:
        event = last_event(place, take.take_id)
        assert (event.fact, event.details) == ("RetryRequested", {"by": "ada", "reason": "once more"})
        assert take_of(place, take.take_id).state is S.PENDING


def test_a_retry_of_what_has_changed_meanwhile_records_nothing(place: RunDir) -> None:
    """Two people who say yes to the same question pay once."""
    takes = [take_of(place, "cancelled"), take_of(place, "failed")]
    retry.request_retries(place, takes[1:], by="ada")
    with pytest.raises(UsageError, match="failed has changed"):
        retry.request_retries(place, takes, by="bob")
    assert take_of(place, "cancelled").state is S.CANCELLED


# the same run's API and manifest

REAL = RunHeader("run-1", "board", "../board.csv", False, "https://api.example", 1000.0, "0.1")
LOCAL = RunHeader("run-1", "board", "../board.csv", False, "http://127.0.0.1:7001", 1000.0, "0.1")


def test_the_api_of_a_run_is_the_recorded_one(tmp_path: Path) -> None:
    place = RunDir(tmp_path)
    assert recorded_request(place, REAL, environ={}).origin == "https://api.example"
    with pytest.raises(UsageError, match=r"live at https://api\.example"):
        recorded_request(place, REAL, environ={"RUNCOMFY_MODEL_API_BASE": "https://other.example/v1"})
    with pytest.raises(UsageError):
        recorded_request(place, REAL, environ={}, api_base="http://127.0.0.1:7001")
    assert recorded_request(place, LOCAL, environ={}, api_base="http://127.0.0.1:9/v1").origin.endswith(":9")
    assert recorded_request(place, HEADER, environ={}).simulate is not None


def test_the_command_that_goes_on_names_the_manifest_and_an_unusual_folder(tmp_path: Path) -> None:
    usual = RunDir(tmp_path / "reports" / "board")
    there = RunHeader("run-1", "board", "../../board.csv", False, "https://api.example", 1000.0, "0.1")
    assert manifest_of(usual, there) == tmp_path.resolve() / "board.csv"
    named = ["--api-base", "https://api.example"]
    assert run_words(usual, there) == ["run", str(tmp_path.resolve() / "board.csv"), *named]
    odd = RunDir(tmp_path / "elsewhere")
    words = run_words(odd, REAL)
    assert words[:2] == ["run", str(tmp_path.resolve() / "board.csv")]
    assert words[2:] == ["--run-dir", str(odd.path.resolve()), *named]


def test_where_nothing_is_out_there_the_api_is_not_asked(place: RunDir) -> None:
    """So it needs no token and no simulator; held and rendered takes are not called stopped."""
    with open_reader(place.state_file) as reader:
        request = recorded_request(place, reader.header, environ={})
    done = cancel(place, ["pending", "held", "succeeded", "failed"], by="ada", request=request)
    assert [outcome.stopped for outcome in done.outcomes] == [True, False, False, True]
    assert "nothing to cancel" in done.outcomes[0].says
    assert not done.runner_at_work


def test_a_simulated_run_that_is_going_on_cannot_be_reached(place: RunDir) -> None:
    with open_reader(place.state_file) as reader:
        request = recorded_request(place, reader.header, environ={})
    with RunLock(place.path), pytest.raises(RunInUse) as raised:
        cancel(place, ["queued"], by="ada", request=request)
    assert "stop it first" in raised.value.advice


# clips

CLIP = b"a clip's bytes" * 50


def deliver(place: RunDir, name: str, *, extra: bytes | None = None) -> None:
    """Put a clip and its sidecar where a run would, with a second output if `extra` is one."""
    clips = place.path / "clips"
    clips.mkdir(exist_ok=True)
    outputs = [DeliveredFile(0, f"{name}.mp4", hashlib.sha256(CLIP).hexdigest(), len(CLIP))]
    (clips / f"{name}.mp4").write_bytes(CLIP)
    if extra is not None:
        outputs.append(DeliveredFile(1, f"{name}.2.mp4", hashlib.sha256(extra).hexdigest(), len(extra)))
        (clips / f"{name}.2.mp4").write_bytes(extra)
    sidecar = Sidecar(name, f"request-{name}", tuple(outputs), {"model": "pika/pikaframes"})
    (clips / f"{name}.json").write_bytes(sidecar.to_bytes())


@pytest.fixture
def gallery(tmp_path: Path) -> RunDir:
    """Return a run with two delivered clips, a (of two outputs) and b, and c that was never fetched."""
    place = RunDir(tmp_path)
    with new_state_file(tmp_path, [make_take(name) for name in "abc"]) as state:
        for name in "abc":
            drive(state, S.SUCCEEDED, take_id=name)
        for name in "ab":
            file = f"clips/{name}.mp4"
            delivered = Delivered(file, hashlib.sha256(CLIP).hexdigest(), len(CLIP))
            tell(state, FetchStarted("https://clips/1.mp4"), delivered, take_id=name)
            deliver(place, name, extra=b"second" if name == "a" else None)
    return place


def flaws(place: RunDir) -> list[tuple[str, str, Flaw]]:
    return [(find.take_id, find.file, find.flaw) for find in verify.verify(place).findings]


def test_whole_clips_have_no_findings(gallery: RunDir) -> None:
    found = verify.verify(gallery)
    assert (found.checked, found.findings, found.absent) == (2, (), 1)


def _edit(path: Path) -> None:
    path.write_bytes(b"X" + path.read_bytes()[1:])


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".away"))
    path.symlink_to(path.with_suffix(".away"))


@pytest.mark.parametrize(
    ("file", "spoil", "flaw"),
    [
        ("b.mp4", Path.unlink, Flaw.MISSING),
        ("b.mp4", _cut, Flaw.CUT),
        ("b.mp4", _edit, Flaw.CHANGED),
        ("b.mp4", _link, Flaw.MISSING),
        ("b.json", Path.unlink, Flaw.NO_SIDECAR),
        ("b.json", _cut, Flaw.OTHER_SIDECAR),
        ("b.json", _link, Flaw.OTHER_SIDECAR),
        ("a.2.mp4", Path.unlink, Flaw.MISSING),
        ("a.2.mp4", _edit, Flaw.CHANGED),
    ],
    ids=lambda case: getattr(case, "__name__", str(case)).strip("_"),
)
def test_each_flaw_is_found_and_named(
    gallery: RunDir, file: str, spoil: Callable[[Path], None], flaw: Flaw
) -> None:
    spoil(gallery.path / "clips" / file)
    assert flaws(gallery) == [(file[0], f"clips/{file}", flaw)]


def test_a_sidecar_of_another_clip_is_no_sidecar(gallery: RunDir) -> None:
    clips = gallery.path / "clips"
    text = (clips / "b.json").read_text().replace("request-b", "request-x")
    (clips / "b.json").write_text(text)
    assert flaws(gallery) == [("b", "clips/b.json", Flaw.OTHER_SIDECAR)]


def test_a_folder_that_is_gone_is_not_made(tmp_path: Path, gallery: RunDir) -> None:
    (tmp_path / "clips").rename(tmp_path / "away")
    assert {flaw for _, _, flaw in flaws(gallery)} == {Flaw.MISSING}
    assert not (tmp_path / "clips").exists()


def test_a_folder_that_is_a_link_is_refused(tmp_path: Path, gallery: RunDir) -> None:
    _link(tmp_path / "clips")
    with pytest.raises(UsageError, match="symbolic link"):
        verify.verify(gallery)


def test_marked_clips_are_to_be_fetched_again_and_whole_ones_stay(gallery: RunDir) -> None:
    _edit(gallery.path / "clips" / "b.mp4")
    (gallery.path / "clips" / "a.json").unlink()
    marked = verify.mark(gallery, verify.verify(gallery).findings, opening=AT_NOON)
    assert marked.take_ids == ("b",)
    assert last_event(gallery, "b").fact == "FileGone"
    assert take_of(gallery, "b").file is None
    assert take_of(gallery, "a").file == "clips/a.mp4"


def test_marking_twice_records_once(gallery: RunDir) -> None:
    (gallery.path / "clips" / "b.mp4").unlink()
    found: tuple[Finding, ...] = verify.verify(gallery).findings
    assert verify.mark(gallery, found).take_ids == ("b",)
    assert verify.mark(gallery, found).take_ids == ()


def test_a_lost_sidecar_of_a_whole_clip_is_written_anew_without_any_request(gallery: RunDir) -> None:
    """The environment has no token, so a request would be refused."""
    (gallery.path / "clips" / "b.json").unlink()
    with open_reader(gallery.state_file) as reader:
        request = recorded_request(gallery, reader.header, environ={})
    fetched = fetch.fetch(gallery, ["b"], request=request)
    assert (fetched.exit_code, fetched.restored) == (0, ("b",))
    told = json.loads((gallery.path / "clips" / "b.json").read_text())
    assert told["inputs"] == json.loads(make_take("b").body)
    assert told["sha256"] == hashlib.sha256(CLIP).hexdigest()
    assert flaws(gallery) == []


@pytest.mark.parametrize("spoil", [_edit, _cut])
@pytest.mark.parametrize("begin", ["mark", "run"])
def test_an_edited_clip_without_sidecar_is_moved_aside_and_the_paid_one_comes_home(
    gallery: RunDir, spoil: Callable[[Path], None], begin: str
) -> None:
    """Its name and its sum are on record, so it is no stranger's file that would stand in the way for ever."""
    clips = gallery.path / "clips"
    spoil(clips / "b.mp4")
    edited = (clips / "b.mp4").read_bytes()
    (clips / "b.json").unlink()
    assert set(flaws(gallery)) >= {("b", "clips/b.json", Flaw.NO_SIDECAR)}
    if begin == "mark":
        verify.mark(gallery, verify.verify(gallery).findings)
    else:
        assert restore_sidecars(gallery.path, [take_of(gallery, "b")]) == ("b",)
    whole = film()
    with raw_server() as server:
        links = (server.serve(body(whole)),)
        order = Ticket(
            "b", "pika/pikaframes", "{}", "", TakeState.SUCCEEDED, request_id="request-b", outputs=links
        )
        answer = fetch_clip(order, FetchOptions(run_dir=gallery.path, allow_loopback=True, deadline_s=5))
    assert isinstance(answer, Delivered)
    assert (clips / "b.mp4").read_bytes() == whole
    assert (clips / "b+changed.mp4").read_bytes() == edited


def test_no_sidecar_is_made_up_for_a_clip_that_is_gone_or_over_what_stands_there(gallery: RunDir) -> None:
    clips = gallery.path / "clips"
    (clips / "b.mp4").unlink()
    (clips / "b.json").unlink()
    (clips / "a.json").write_text("somebody's")
    assert restore_sidecars(gallery.path, [take_of(gallery, name) for name in "ab"]) == ()
    assert not (clips / "b.json").exists()
    assert (clips / "a.json").read_text() == "somebody's"


def test_what_a_person_should_know_of_the_state_file_is_told_with_the_decision(place: RunDir) -> None:
    side = ReceiptFile(place.state_file.with_suffix(".ids"), HEADER.run_id)
    side.append([Receipt("nobody", "try-x", "req-x", 1.0)])
    side.close()
    decided = reconcile.drop(place, ["held"], by="ada")
    assert [note for note in decided.remarks if "belong to no take of this run" in note]


def test_a_take_without_a_clip_cannot_be_fetched(place: RunDir) -> None:
    with open_reader(place.state_file) as reader:
        request = recorded_request(place, reader.header, environ={})
    with pytest.raises(UsageError, match="failed has no clip to fetch"):
        fetch.fetch(place, ["failed"], request=request)


def test_every_decision_is_a_fact_with_a_name(place: RunDir) -> None:
    reconcile.adopt(place, "held", "req-found", by="ada", look_up=None)
    assert last_event(place, "held").details == asdict(Adopted("req-found", "ada"))
    assert last_event(place, "held").after == TakeState.QUEUED


def test_the_log_has_who_decided_what_and_why(place: RunDir) -> None:
    reconcile.declare_not_sent(place, ["held", "held2"], by="ada", reason="not there", opening=AT_NOON)
    retry.request_retries(place, [take_of(place, "failed")], by="bo", opening=AT_NOON)
    lines = map(json.loads, place.log.read_text("utf-8").splitlines())
    assert [(line["event"], line["take"], line["by"], line["reason"]) for line in lines] == [
        ("take.declared-not-sent", "held", "ada", "not there"),
        ("take.declared-not-sent", "held2", "ada", "not there"),
        ("take.retry-requested", "failed", "bo", ""),
    ]
