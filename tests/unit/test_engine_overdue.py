"""Nothing waits without a line and without an end: unknown words, jobs that never end, jobs that are too old."""

from __future__ import annotations

import pytest

from runner.domain.api_answers import FailureKind, JobStatus, NotReady, RequestFailure, StatusReply
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.run_events import Message
from runner.domain.states import ACTIVE, DeliveryState, Ended, TakeState
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.overdue import EVERY, PATIENCE
from runner.engine.testing import JobScript, MemoryJournal
from tests.unit.test_engine import EPOCH, Night, night, past_jobs, ticket

HOUR = 3600.0
FOREVER = 30 * 24 * HOUR
ODD = StatusReply(JobStatus.UNKNOWN, "dreaming")


def lines(run: Night, about: str) -> list[str]:
    return [event.text for event in run.heard.events if isinstance(event, Message) and about in event.text]


def test_a_result_decides_though_the_status_word_is_never_known() -> None:
    run = night([ticket("s0")], scripts={"s0": JobScript(looks=[ODD] * 100_000)})
    assert run.states() == {"s0": TakeState.SUCCEEDED}
    assert run.seconds < 60
    assert len(lines(run, "'dreaming', an unknown status")) == 1


def test_a_result_that_cannot_be_read_meanwhile_is_nothing_to_worry_about() -> None:
    trouble = RequestFailure(FailureKind.TRANSIENT, "HTTP 500")
    script = JobScript(looks=[ODD] * 100_000, results=[trouble, NotReady("in_progress")])
    run = night([ticket("s0")], scripts={"s0": script})
    assert run.states() == {"s0": TakeState.SUCCEEDED}
    assert not lines(run, "API failed")


@pytest.mark.parametrize(
    "script",
    [
        JobScript(queued=FOREVER),
        JobScript(runs=FOREVER),
        JobScript(looks=[ODD] * 100_000, results=[NotReady("dreaming", is_known=False)] * 100_000),
    ],
    ids=["in queue for ever", "running for ever", "an unknown word for ever"],
)
def test_a_job_that_never_ends_is_told_of_every_hour_and_left_past_the_limit(script: JobScript) -> None:
    run = night([ticket("s0"), ticket("s1")], scripts={"s0": script})
    assert run.states()["s0"] in ACTIVE
    assert run.states()["s1"] is TakeState.SUCCEEDED
    assert 24 * HOUR <= run.seconds < 25 * HOUR
    assert (run.ending.kind, "older than --job-limit: 1;" in run.ending.reason) == (EndingKind.FINISHED, True)
    told = lines(run, "long overdue: s0, request req-1, is ")
    assert 23 <= len(told) <= 25
    assert all("shotrunner reconcile RUN drop TAKE" in line for line in told)
    assert len(lines(run, "s0 is left to the next run: its job is older than 24 h (--job-limit)")) == 1
    assert run.queue.ledger == ["s0", "s1"]


def test_many_overdue_jobs_are_one_line() -> None:
    names = [f"s{n}" for n in range(40)]
    scripts = {name: JobScript(runs=2 * HOUR) for name in names}
    run = night([ticket(name) for name in names], scripts=scripts, options=EngineOptions(jobs=40))
    assert len(lines(run, "long overdue")) <= 4
    assert "and 35 more" in run.said


def test_how_long_such_jobs_take_is_waited_for_first() -> None:
    run = night(
        [ticket("s0")], scripts={"s0": JobScript(runs=1.5 * HOUR)}, past=RunHistory(durations=past_jobs(HOUR))
    )
    (line,) = lines(run, "long overdue")
    assert "70 min (such jobs took 60 min)" in line or "71 min" in line


def test_an_ended_job_that_its_status_hides_is_found_when_it_is_overdue() -> None:
    running = StatusReply(JobStatus.RUNNING, "in_progress")
    run = night([ticket("s0")], scripts={"s0": JobScript(looks=[running] * 100_000)})
    assert run.states() == {"s0": TakeState.SUCCEEDED}
    assert PATIENCE <= run.seconds < PATIENCE + 120


def test_a_job_from_the_night_before_is_looked_at_and_then_left() -> None:
    old = ticket(
        "s0",
        state=TakeState.RUNNING,
        delivery=DeliveryState.NONE,
        request_id="req-old",
        submitted_at=EPOCH - 48 * HOUR,
    )
    scripts = {"s0": JobScript(runs=FOREVER)}
    journal = MemoryJournal(["s0"])
    row = journal._rows["s0"]
    row.state, row.request_id = TakeState.RUNNING, "req-old"
    run = night([old], scripts=scripts, journal=journal)
    assert run.queue.calls("look") > 3
    assert PATIENCE <= run.seconds < PATIENCE + 120
    assert run.queue.ledger == ["s0"]


def test_past_its_time_a_run_watches_on_but_not_past_the_limit_of_a_job() -> None:
    run = night(
        [ticket("s0"), ticket("s1")],
        scripts={"s0": JobScript(queued=FOREVER)},
        options=EngineOptions(jobs=1, job_limit=2 * HOUR),
        deadline=EPOCH + HOUR,
    )
    assert 2 * HOUR <= run.seconds < 2.5 * HOUR
    assert run.states() == {"s0": TakeState.QUEUED, "s1": TakeState.PENDING}


def test_no_run_is_silent_for_longer_than_a_stated_time() -> None:
    """Here nothing is overdue yet: such jobs take ten hours."""
    run = night(
        [ticket("s0")],
        scripts={
            "s0": JobScript(runs=10 * HOUR, ending=Ended(TakeState.SUCCEEDED, "{}", ("https://a.example/b",)))
        },
        past=RunHistory(durations=past_jobs(10 * HOUR)),
        stop=(8 * HOUR, Stop.DETACH),
    )
    told = lines(run, "still at work: 1 at the API, 0 to be sent, 1 unfinished")
    assert 6 <= len(told) <= 8
    assert EVERY == HOUR
