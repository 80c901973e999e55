"""The writer's side of the state file: what facts leave in rows, events and attempts; epochs; plans."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.errors import IllegalTransition, RunInUse
from runner.domain.states import (
    Accepted,
    Adopted,
    CancelRequested,
    CostSeen,
    DeclaredNotSent,
    Ended,
    FailureClass,
    FileGone,
    LostContact,
    Refused,
    RefusedForNow,
    RetryRequested,
    SubmissionStarted,
    TakeState,
    Undeliverable,
)
from runner.domain.states import DeliveryState as D
from runner.store.reader import Reader, open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import (
    A,
    attempts,
    delivery_road,
    drive,
    make_plan,
    make_take,
    new_state_file,
    seen,
    tell,
)

S = TakeState


def test_a_new_take_is_recorded_as_planned(state_file: StateFile) -> None:
    take = seen(state_file)
    assert (take.take_id, take.shot_id, take.model, take.body) == ("a", "a", A.model, A.body)
    assert (take.seed, take.point, take.tags, take.cells) == (2**63 + 7, {"seed": 7}, ("hero",), {"id": "a"})
    assert (take.state, take.delivery, take.attempts, take.position) == (S.PENDING, D.NONE, 0, 0)


def test_a_life_without_trouble_fills_the_row(state_file: StateFile) -> None:
    drive(state_file, S.SUCCEEDED)
    tell(state_file, *delivery_road(D.DELIVERED))
    take = seen(state_file)
    assert (take.request_id, take.submitted_at, take.finished_at) == ("request-a", 1010.0, 1010.0)
    assert (take.outputs, take.result, take.cost) == (("https://clips/1.mp4",), "{}", 0.5)
    assert (take.seconds, take.attempts, take.failure, take.reason) == (12.0, 1, None, "")
    assert (take.delivery, take.file, take.bytes) == (D.DELIVERED, "clips/a.mp4", 1234)


def test_seconds_fall_back_to_the_time_since_the_answer(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    tell(state_file, Ended(S.SUCCEEDED, "{}"), at=1025.5)
    assert seen(state_file).seconds == 15.5


def test_a_clock_set_back_makes_no_negative_duration(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    tell(state_file, Ended(S.SUCCEEDED, "{}"), at=500.0)
    assert seen(state_file).seconds == 0.0


def test_a_record_without_a_cost_keeps_the_one_seen_before(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    tell(state_file, CostSeen(0.75), Ended(S.SUCCEEDED, "{}"))
    assert seen(state_file).cost == 0.75


def test_a_refusal_and_a_request_to_wait_are_told(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    tell(state_file, RefusedForNow("try-a", "busy", 1234.5))
    assert (seen(state_file).not_before, seen(state_file).reason) == (1234.5, "busy")
    tell(state_file, SubmissionStarted("try-2", A.fingerprint, state_file.epoch))
    assert seen(state_file).not_before == 0.0
    tell(state_file, Refused("try-2", FailureClass.REFUSED, "unknown field"))
    take = seen(state_file)
    assert (take.state, take.failure, take.reason) == (S.FAILED, FailureClass.REFUSED, "unknown field")
    assert (take.finished_at, take.request_id, take.attempts) == (1010.0, None, 2)


def test_a_retry_clears_the_row_and_keeps_the_history(state_file: StateFile) -> None:
    drive(state_file, S.FAILED)
    tell(state_file, CancelRequested("ada", "not_cancellable"), RetryRequested("ada"))
    take = seen(state_file)
    assert (take.request_id, take.result, take.outputs, take.failure, take.reason) == (
        None,
        None,
        (),
        None,
        "",
    )
    assert (take.submitted_at, take.finished_at, take.seconds, take.cancel_requested) == (None,) * 4
    assert [(a.attempt, a.outcome, a.request_id) for a in attempts(state_file)] == [
        ("try-a", "Accepted", "request-a")
    ]
    with open_reader(state_file.path) as reader:
        events = reader.events("a")
    assert [event.fact for event in events][-3:] == ["Ended", "CancelRequested", "RetryRequested"]
    assert events[-3].details["reason"] == "broke"
    assert [(event.before, event.after) for event in events] == [
        ("pending", "submitting"),
        ("submitting", "queued"),
        ("queued", "failed"),
        ("failed", "failed"),
        ("failed", "pending"),
    ]


def test_a_lost_answer_leaves_its_evidence_with_the_attempt(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    tell(state_file, LostContact("try-a", "body sent", "read timed out", "HTTP/1.1 2"))
    (attempt,) = attempts(state_file)
    assert (attempt.outcome, attempt.number, attempt.epoch) == ("LostContact", 1, state_file.epoch)
    assert attempt.evidence == {
        "milestone": "body sent",
        "reason": "read timed out",
        "hopeless": False,
        "error": "",
        "evidence": "HTTP/1.1 2",
        "candidates": [],
    }
    tell(state_file, Accepted("try-a", "r-late"), at=1020.0)
    (attempt,) = attempts(state_file)
    assert (attempt.outcome, attempt.request_id, attempt.ended_at) == ("Accepted", "r-late", 1020.0)
    assert attempt.evidence["milestone"] == "body sent"


def test_an_adopted_job_is_as_old_as_its_attempt(state_file: StateFile) -> None:
    drive(state_file, S.HELD)
    tell(state_file, Adopted("r-found", "ada"), at=9000.0)
    assert (seen(state_file).request_id, seen(state_file).submitted_at) == ("r-found", 1010.0)
    assert [(a.outcome, a.request_id) for a in attempts(state_file)] == [("Adopted", "r-found")]


def test_a_person_s_word_settles_the_lost_attempt(state_file: StateFile) -> None:
    drive(state_file, S.HELD)
    tell(state_file, DeclaredNotSent("ada", "not on the site"))
    assert (seen(state_file).state, seen(state_file).reason) == (S.PENDING, "")
    assert [a.outcome for a in attempts(state_file)] == ["DeclaredNotSent"]


def test_a_file_that_went_missing_is_wanted_again(state_file: StateFile) -> None:
    drive(state_file, S.SUCCEEDED)
    tell(state_file, *delivery_road(D.DELIVERED), FileGone("deleted"))
    take = seen(state_file)
    assert (take.delivery, take.file, take.sha256, take.bytes) == (D.NONE, None, None, None)
    tell(state_file, *delivery_road(D.FETCHING), Undeliverable("link expired"))
    assert seen(state_file).reason == "link expired"


def test_a_lone_surrogate_costs_no_fact(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    tell(state_file, Ended(S.FAILED, '{"error": "\ud800"}', failure=FailureClass.NO_OUTPUT, reason="\ud800!"))
    assert (seen(state_file).state, seen(state_file).reason) == (S.FAILED, "?!")


def test_begin_raises_the_epoch_and_holds_what_was_being_sent(tmp_path: Path) -> None:
    takes = [make_take(name) for name in "abc"]
    with new_state_file(tmp_path, takes) as first:
        epoch = first.epoch
        drive(first, S.SUBMITTING, take_id="c")
        drive(first, S.SUBMITTING, take_id="b")
        drive(first, S.QUEUED, take_id="a")
    with StateFile.open(tmp_path / "state.db") as second:
        assert second.begin(at=2000.0) == ("b", "c")
        assert second.epoch == epoch + 1
        assert [ticket.state for ticket in second.tickets()] == [S.QUEUED, S.HELD, S.HELD]
        assert seen(second, "b").reason == "the runner died while sending"
        assert attempts(second, "b")[0].evidence["milestone"] == "unknown"
        assert second.begin(at=2001.0) == ()


def test_an_overtaken_runner_records_its_answer_and_begins_nothing(tmp_path: Path) -> None:
    takes = [make_take(name) for name in "ab"]
    with new_state_file(tmp_path, takes) as old:
        drive(old, S.SUBMITTING, take_id="a")
        with StateFile.open(old.path) as new:
            assert new.begin(at=2000.0) == ("a",)
            with pytest.raises(RunInUse, match="taken this run over"):
                drive(old, S.SUBMITTING, take_id="b")
            tell(old, Accepted("try-a", "r-1"), take_id="a")
            assert (seen(new).state, seen(new).request_id) == (S.QUEUED, "r-1")
            drive(new, S.SUBMITTING, take_id="b")


def test_of_many_writers_exactly_one_claims_each_take(tmp_path: Path) -> None:
    """The compare-and-set in the file is the guarantee; no lock is taken here."""
    takes = [make_take(f"t{number}") for number in range(40)]
    first = new_state_file(tmp_path, takes)
    writers = [first, *(StateFile.open(first.path) for _ in range(3))]
    futures: dict[str, list[Future[None]]] = {
        take.id: [
            writer.record(take.id, SubmissionStarted(f"{take.id}-{n}", take.fingerprint, first.epoch), at=1.0)
            for n, writer in enumerate(writers)
        ]
        for take in takes
    }
    won = {name: sum(future.exception(20) is None for future in claims) for name, claims in futures.items()}
    for writer in reversed(writers):
        writer.close()
    assert set(won.values()) == {1}


def newest_text(reader: Reader) -> str:
    """Return the text of the newest manifest on record."""
    query = "SELECT text FROM manifests WHERE sha256 = ?"
    return str(reader._connection.execute(query, (reader.manifest_sha256(),)).fetchone()[0])


def test_a_plan_is_adopted_again_without_touching_what_was_sent(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    changed = make_take("a", prompt="another hand", notes="better")
    new = make_take("b")
    state_file.adopt_plan(make_plan([new, changed], text="version: 1 # two\n"), renew=(), at=1100.0)
    take = seen(state_file)
    assert (take.position, take.notes, take.body, take.fingerprint) == (1, "better", A.body, A.fingerprint)
    assert [ticket.take_id for ticket in state_file.tickets()] == ["b", "a"]
    assert state_file.header.columns == ("id", "model")
    with open_reader(state_file.path) as reader:
        assert newest_text(reader) == "version: 1 # two\n"
        assert reader.header == state_file.header


def test_an_older_manifest_adopted_again_is_the_newest(state_file: StateFile) -> None:
    for text in ("second\n", "version: 1\n"):
        state_file.adopt_plan(make_plan([A], text=text), renew=(), at=1100.0)
    with open_reader(state_file.path) as reader:
        assert newest_text(reader) == "version: 1\n"


def test_a_take_that_left_the_manifest_goes_on_if_it_was_sent(tmp_path: Path) -> None:
    takes = [make_take(name) for name in "abc"]
    with new_state_file(tmp_path, takes) as state_file:
        drive(state_file, S.QUEUED, take_id="b")
        state_file.adopt_plan(make_plan([make_take("c")]), renew=(), at=1100.0)
        assert [ticket.take_id for ticket in state_file.tickets()] == ["c", "b"]
        with open_reader(state_file.path) as reader:
            assert [(t.take_id, t.position) for t in reader.takes()] == [("c", 0), ("a", None), ("b", None)]
            assert reader.counts()[S.PENDING] == 1


def test_dropped_takes_get_no_ticket(state_file: StateFile) -> None:
    drive(state_file, S.DROPPED)
    assert state_file.tickets() == []


def test_a_ticket_carries_what_the_engine_needs(state_file: StateFile) -> None:
    drive(state_file, S.SUCCEEDED)
    (ticket,) = state_file.tickets()
    assert (ticket.take_id, ticket.body, ticket.fingerprint) == ("a", A.body, A.fingerprint)
    assert (ticket.request_id, ticket.submitted_at) == ("request-a", 1010.0)
    assert (ticket.state, ticket.delivery, ticket.outputs) == (S.SUCCEEDED, D.NONE, ("https://clips/1.mp4",))


@pytest.mark.parametrize("failure", [None, FailureClass.REFUSED, FailureClass.INVALID_INPUT])
def test_a_corrected_row_that_was_never_charged_is_renewed(
    state_file: StateFile, failure: FailureClass | None
) -> None:
    if failure is not None:
        drive(state_file, S.SUBMITTING)
        tell(state_file, Refused("try-a", failure, "duration: 11"))
    corrected = replace(make_take("a", prompt="corrected"), seed=None, point={})
    state_file.adopt_plan(make_plan([corrected]), renew={"a"}, at=1100.0)
    take = seen(state_file)
    assert (take.state, take.failure, take.body, take.fingerprint) == (
        S.PENDING,
        None,
        corrected.body,
        corrected.fingerprint,
    )
    assert (take.seed, take.point) == (None, {})


@pytest.mark.parametrize("state", [state for state in S if state is not S.PENDING])
def test_what_may_have_been_paid_is_never_renewed(state_file: StateFile, state: TakeState) -> None:
    drive(state_file, state)
    corrected = make_take("a", prompt="corrected", notes="new")
    with pytest.raises(IllegalTransition):
        state_file.adopt_plan(make_plan([corrected, make_take("b")]), renew={"a"}, at=1100.0)
    assert (seen(state_file).body, seen(state_file).notes, seen(state_file).state) == (A.body, "", state)
    assert len(state_file.tickets()) == (0 if state is S.DROPPED else 1)


def test_a_take_outside_the_plan_cannot_be_renewed(state_file: StateFile) -> None:
    with pytest.raises(IllegalTransition, match="not in the plan"):
        state_file.adopt_plan(make_plan([A]), renew={"z"}, at=1100.0)
