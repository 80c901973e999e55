"""The writer: what facts leave in rows, events and attempts; epochs; plans; group commit; the file's own rules."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import BrokenPromise, DiskFailed, IllegalTransition
from runner.states import (
    Accepted,
    Adopted,
    CancelRequested,
    CostSeen,
    DeclaredNotSent,
    Ended,
    Fact,
    FailureClass,
    FileGone,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    RetryRequested,
    Started,
    SubmissionStarted,
    TakeState,
    Undeliverable,
)
from runner.states import DeliveryState as D
from runner.store.read import open_reader
from runner.store.records import AttemptRecord, TakeRecord
from runner.store.state_file import StateFile
from tests.integration.store_samples import (
    delivery_road,
    make_plan,
    make_take,
    new_state_file,
    road,
)

S = TakeState
A = make_take("a")


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[StateFile]:
    with new_state_file(tmp_path, [A]) as state_file:
        yield state_file


def tell(state_file: StateFile, *facts: Fact, take_id: str = "a", at: float = 1010.0) -> None:
    for fact in facts:
        state_file.record(take_id, fact, at=at).result(timeout=20)


def drive(state_file: StateFile, state: TakeState, *, take_id: str = "a") -> None:
    tell(
        state_file,
        *road(make_take(take_id), state, attempt=f"try-{take_id}", epoch=state_file.epoch),
        take_id=take_id,
    )


def seen(state_file: StateFile, take_id: str = "a") -> TakeRecord:
    with open_reader(state_file.path) as reader:
        found = reader.take(take_id)
    assert found is not None
    return found


def attempts(state_file: StateFile, take_id: str = "a") -> list[AttemptRecord]:
    with open_reader(state_file.path) as reader:
        return reader.attempts(take_id)


def raw(state_file: StateFile, sql: str, *values: object) -> None:
    """Run SQL as a program that knows none of our rules would."""
    with sqlite3.connect(state_file.path, timeout=5) as connection:
        connection.execute(sql, values)
    connection.close()


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
        "evidence": "HTTP/1.1 2",
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
            with pytest.raises(IllegalTransition, match="taken over"):
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
        assert reader.manifest() == "version: 1 # two\n"
        assert reader.header == state_file.header


def test_an_older_manifest_adopted_again_is_the_newest(state_file: StateFile) -> None:
    for text in ("second\n", "version: 1\n"):
        state_file.adopt_plan(make_plan([A], text=text), renew=(), at=1100.0)
    with open_reader(state_file.path) as reader:
        assert reader.manifest() == "version: 1\n"


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


# Group commit and failures


def hold_writer(state_file: StateFile) -> Callable[[], None]:
    """Make the writer wait, so that what is handed in meanwhile is one group; returns what lets it go."""
    gate = threading.Event()
    busy = threading.Event()

    def work(_connection: sqlite3.Connection) -> None:
        busy.set()
        gate.wait(20)

    state_file._writer.submit(work)
    busy.wait(20)
    return gate.set


def test_two_thousand_records_from_fifty_threads_are_durable_and_in_order(tmp_path: Path) -> None:
    takes = [make_take(f"t{number:03d}") for number in range(500)]
    with new_state_file(tmp_path, takes) as state_file:
        epoch = state_file.epoch

        def sender(mine: list[str]) -> None:
            futures = [
                state_file.record(name, fact, at=1.0)
                for name in mine
                for fact in road(make_take(name), S.SUCCEEDED, attempt=f"try-{name}", epoch=epoch)
            ]
            futures += [state_file.record(name, CostSeen(0.5), at=1.0) for name in mine]
            for future in futures:
                future.result(timeout=30)
            done.append(len(futures))

        done: list[int] = []
        threads = [
            threading.Thread(target=sender, args=([take.id for take in takes[n::50]],)) for n in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(done) == 2000
    with open_reader(tmp_path / "state.db") as reader:
        assert reader.counts()[S.SUCCEEDED] == 500
        events = reader.events()
    assert len(events) == 2000
    kinds = {take.id: [event.fact for event in events if event.take_id == take.id] for take in takes[:20]}
    assert set(map(tuple, kinds.values())) == {("SubmissionStarted", "Accepted", "Ended", "CostSeen")}


def test_all_that_waits_shares_one_commit(state_file: StateFile) -> None:
    commits: list[str] = []
    release = hold_writer(state_file)
    state_file._connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    futures = [state_file.record("a", CostSeen(float(n)), at=1.0) for n in range(500)]
    release()
    for future in futures:
        future.result(timeout=20)
    state_file._connection.set_trace_callback(None)
    assert len(commits) == 2  # the held one's, and that of all five hundred


def test_a_refused_record_spoils_only_itself(state_file: StateFile) -> None:
    release = hold_writer(state_file)
    good = state_file.record("a", CostSeen(1.0), at=1.0)
    bad = [
        state_file.record("a", Accepted("try", "r"), at=1.0),
        state_file.record("nobody", CostSeen(1.0), at=1.0),
        state_file.record("a", CostSeen(1.0), at=float("nan")),
        state_file.record("a", CancelRequested("ada", object()), at=1.0),  # type: ignore[arg-type]  # a bug
    ]
    last = state_file.record("a", CostSeen(2.0), at=1.0)
    release()
    assert good.exception(20) is None
    assert last.exception(20) is None
    assert [type(future.exception(20)) for future in bad] == [IllegalTransition] * 3 + [BrokenPromise]
    with open_reader(state_file.path) as reader:
        assert [event.details for event in reader.events()] == [{"cost": 1.0}, {"cost": 2.0}]


def test_a_full_disk_fails_the_whole_group_and_records_nothing(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    release = hold_writer(state_file)
    connection = state_file._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    small = state_file.record("a", Started(), at=1.0)
    large = state_file.record("a", Ended(S.SUCCEEDED, "x" * 100_000), at=1.0)
    release()
    assert isinstance(small.exception(20), DiskFailed)
    assert isinstance(large.exception(20), DiskFailed)
    assert small.exception() is not large.exception()
    assert seen(state_file).state is S.QUEUED
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    tell(state_file, Started(), Ended(S.SUCCEEDED, "x" * 100_000))
    assert seen(state_file).state is S.SUCCEEDED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_leaves_nobody_waiting(state_file: StateFile) -> None:
    def die(_connection: sqlite3.Connection) -> None:
        raise SystemExit

    release = hold_writer(state_file)
    futures = [state_file.record("a", CostSeen(1.0), at=1.0), state_file._writer.submit(die)]
    release()
    assert [type(future.exception(20)) for future in futures] == [BrokenPromise, BrokenPromise]
    assert isinstance(state_file.record("a", CostSeen(1.0), at=1.0).exception(20), BrokenPromise)
    assert seen(state_file).cost is None


def test_closing_records_what_waits_and_refuses_what_comes_later(state_file: StateFile) -> None:
    futures = [state_file.record("a", CostSeen(float(n)), at=1.0) for n in range(50)]
    state_file.close()
    state_file.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert isinstance(state_file.record("a", CostSeen(1.0), at=1.0).exception(20), BrokenPromise)
    assert seen(state_file).cost == 49.0


# The file's own rules


def test_the_settings_that_keep_the_promises_are_on(state_file: StateFile) -> None:
    found = {
        name: state_file._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync", "foreign_keys")
    }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "foreign_keys": 1,
    }
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        assert stat.S_IMODE((state_file.path.parent / name).stat().st_mode) == 0o600


SECOND_RUN = """
    INSERT INTO run SELECT 2, run_id, name, manifest, simulated, api_base, created_at, version, columns, epoch,
    at_rest, newest_manifest FROM run
"""
OLD_EPOCH = """
    INSERT INTO attempts (attempt, take_id, number, epoch, fingerprint, started_at)
    VALUES ('x', 'a', 2, 0, 'f', 1.0)
"""
BORN_QUEUED = """
    INSERT INTO takes (take_id, state, shot_id, model, fingerprint, point, tags, notes, cells, body)
    VALUES ('b', 'queued', 'b', 'm', 'f', '{}', '[]', '', '{}', '{}')
"""


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE takes SET state = 'pending'",
        "UPDATE takes SET state = 'submitting', request_id = NULL",
        "UPDATE takes SET state = 'invented'",
        "UPDATE takes SET delivery = 'fetching'",
        "UPDATE takes SET request_id = NULL",
        "UPDATE takes SET body = '{}'",
        "UPDATE takes SET attempts = 'many'",
        "DELETE FROM takes",
        "DELETE FROM events",
        "DELETE FROM attempts",
        "DELETE FROM run",
        "UPDATE events SET fact = 'Ended'",
        "UPDATE run SET epoch = 0",
        SECOND_RUN,
        OLD_EPOCH,
        BORN_QUEUED,
    ],
)
def test_the_file_itself_refuses_what_the_rules_forbid(state_file: StateFile, sql: str) -> None:
    drive(state_file, S.QUEUED)
    before = seen(state_file)
    with pytest.raises(sqlite3.IntegrityError):
        raw(state_file, sql)
    assert seen(state_file) == before


def test_a_raw_claim_without_an_attempt_is_refused(state_file: StateFile) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="open attempt"):
        raw(state_file, "UPDATE takes SET state = 'submitting'")


def test_rules_that_were_taken_out_are_put_back_at_opening(state_file: StateFile) -> None:
    state_file.close()
    raw(state_file, "DROP TRIGGER take_moves_by_the_table")
    with (
        StateFile.open(state_file.path) as again,
        pytest.raises(sqlite3.IntegrityError, match="table of states"),
    ):
        raw(again, "UPDATE takes SET state = 'failed'")


def test_not_sent_lets_the_take_be_tried_again(state_file: StateFile) -> None:
    drive(state_file, S.SUBMITTING)
    tell(state_file, NotSent("try-a", "no route"))
    tell(state_file, SubmissionStarted("try-2", A.fingerprint, state_file.epoch))
    assert [(a.number, a.outcome) for a in attempts(state_file)] == [(1, "NotSent"), (2, None)]
