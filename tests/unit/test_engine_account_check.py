"""No single answer speaks about the account: several witnesses do, and even then nothing that runs is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from runner.domain.api_answers import (
    FailureKind,
    LookAnswer,
    RequestFailure,
    ResultAnswer,
    SubmitAnswer,
)
from runner.domain.run_ending import EndingKind
from runner.domain.shots import Ticket
from runner.domain.states import (
    ACTIVE,
    AccountTurnedAway,
    DeliveryState,
    FailureClass,
    LostContact,
    TakeState,
)
from runner.engine.options import EngineOptions
from runner.engine.testing import JobScript, MemoryJournal, ScriptedQueue
from tests.unit.test_engine import EPOCH, Night, night, ticket

REFUSED = RequestFailure(FailureKind.ACCOUNT, "HTTP 401")
LIMIT = EngineOptions().refusal_limit


class Turning(ScriptedQueue):
    """An API that refuses the account from `begin` to `end`; `free` says whether the free question is refused too."""

    def __init__(
        self,
        begin: float,
        end: float,
        *,
        free: bool = True,
        reads: bool = True,
        submits: bool = True,
        failure: FailureClass = FailureClass.AUTH,
    ) -> None:
        super().__init__({f"s{n}": JobScript(runs=60.0) for n in range(99)})
        self._span = (begin, end)
        self._free, self._reads, self._submits, self._failure = free, reads, submits, failure

    @property
    def _refuses(self) -> bool:
        return self._span[0] <= asyncio.get_running_loop().time() < self._span[1]

    async def look(self, request_id: str) -> LookAnswer:
        answer = await super().look(request_id)
        return REFUSED if self._refuses and self._reads else answer

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> ResultAnswer:
        answer = await super().result(request_id, model=model, sent=sent)
        return REFUSED if self._refuses and self._reads else answer

    async def probe(self, model: str) -> RequestFailure | None:
        answer = await super().probe(model)
        return REFUSED if self._refuses and self._free else answer

    def scripted_submit(self, take_id: str, attempt: str) -> SubmitAnswer | None:
        answer = super().scripted_submit(take_id, attempt)
        return (
            AccountTurnedAway(attempt, self._failure, "HTTP 401")
            if self._refuses and self._submits
            else answer
        )


def board(count: int) -> list[Ticket]:
    return [ticket(f"s{n}") for n in range(count)]


def everything_came_home(run: Night) -> bool:
    return all(
        run.journal.state_of(name)[:2] == (TakeState.SUCCEEDED, DeliveryState.DELIVERED)
        for name in run.states()
    )


@pytest.mark.parametrize("where", ["looks", "results"])
@pytest.mark.parametrize("times", [1, 5])
def test_a_read_that_is_refused_is_asked_again_and_ends_nothing(where: str, times: int) -> None:
    script = JobScript(**{where: [REFUSED] * times})  # type: ignore[arg-type]
    run = night(board(6), scripts={"s0": script})
    assert run.ending.kind is EndingKind.FINISHED
    assert everything_came_home(run)
    assert "refuses the account" not in run.said


@pytest.mark.parametrize("where", ["looks", "results"])
def test_a_job_that_is_refused_for_ever_is_named_once_and_left_and_the_others_go_on(where: str) -> None:
    script = JobScript(**{where: [RequestFailure(FailureKind.ACCOUNT, "not yours (403001)")] * 9999})  # type: ignore[arg-type]
    run = night(board(40), scripts={"s0": script})
    assert run.ending.kind is EndingKind.OUTAGE
    assert run.states()["s0"] in ACTIVE
    assert [state for name, state in run.states().items() if name != "s0"] == [TakeState.SUCCEEDED] * 39
    assert run.said.count("s0: the API refuses to report its status: not yours (403001)") == 1
    assert run.said.count("s0 is left to the next run: not yours (403001)") == 1
    assert "refuses the account" not in run.said
    asked = [at for at, verb, what in run.queue.history if what == "req-1" and verb in {"look", "result"}]
    assert LIMIT <= asked[-1] < LIMIT + 310
    assert len(asked) < 30


def test_several_jobs_that_are_refused_are_not_the_account_while_the_free_question_is_answered() -> None:
    run = night(board(20), queue=Turning(30.0, 300.0, free=False, submits=False))
    assert everything_came_home(run)
    assert "refuses the account" not in run.said
    assert run.queue.calls("probe") <= 300 / 30 + 1
    assert run.said.count("refuses to report its status") == 1


def test_a_token_that_is_refused_for_minutes_pauses_submits_and_loses_nothing() -> None:
    """Everything is refused: reads, submits and the free question. The run waits, and goes on by itself."""
    run = night(board(20), queue=Turning(70.0, 500.0))
    assert run.ending.kind is EndingKind.FINISHED
    assert everything_came_home(run)
    assert sorted(run.queue.ledger) == sorted(f"s{n}" for n in range(20))
    assert run.said.count("the API refuses the account: HTTP 401") == 1
    assert run.said.count("takes the account again") == 1
    during = [verb for at, verb, _ in run.queue.history if 120.0 <= at < 500.0]
    assert "submit" not in during


def test_a_token_that_stays_refused_ends_the_run_once_nothing_else_is_left() -> None:
    run = night(board(20), queue=Turning(70.0, 1e9))
    assert run.ending.kind is EndingKind.ACCOUNT
    assert run.ending.reason.startswith("the API refuses the account: HTTP 401; left to the next run, since")
    assert 70.0 + LIMIT <= run.seconds < 70.0 + LIMIT + 400.0
    assert {TakeState.FAILED, TakeState.HELD, TakeState.SUBMITTING}.isdisjoint(run.states().values())


def test_while_submits_alone_are_refused_what_runs_is_watched_and_fetched_to_its_end() -> None:
    run = night(board(20), queue=Turning(70.0, 1e9, reads=False), options=EngineOptions(jobs=8))
    assert run.ending.kind is EndingKind.ACCOUNT
    paid = set(run.queue.ledger)
    assert 8 <= len(paid) < 20
    for name, state in run.states().items():
        assert state is (TakeState.SUCCEEDED if name in paid else TakeState.PENDING)


def test_a_token_that_was_never_taken_ends_the_run_within_seconds() -> None:
    run = night(board(20), queue=Turning(0.0, 1e9))
    assert run.ending.kind is EndingKind.ACCOUNT
    assert run.seconds < 10
    assert set(run.states().values()) == {TakeState.PENDING}
    assert run.queue.calls("submit") == 1


@pytest.mark.parametrize("active", [1, 3])
def test_a_run_taken_up_again_with_a_wrong_token_ends_within_minutes_and_keeps_its_jobs(
    active: int,
) -> None:
    jobs = [
        ticket(f"s{n}", state=TakeState.RUNNING, request_id=f"old-{n}", submitted_at=EPOCH)
        for n in range(active)
    ]
    journal = MemoryJournal([each.take_id for each in jobs])
    for each in jobs:
        journal._rows[each.take_id].state = TakeState.RUNNING
    run = night(jobs, journal=journal, queue=Turning(0.0, 1e9))
    assert run.ending.kind is EndingKind.ACCOUNT
    assert run.seconds < 60
    assert all(name in run.ending.reason for name in run.states())
    assert set(run.states().values()) == {TakeState.RUNNING}


def refusing(reason: str, failure: FailureClass, times: int = 1) -> JobScript:
    answer: Callable[[str], SubmitAnswer] = lambda attempt: AccountTurnedAway(attempt, failure, reason)  # noqa: E731
    return JobScript(submits=[answer] * times)


@pytest.mark.parametrize("failure", [FailureClass.AUTH, FailureClass.NO_BALANCE, FailureClass.REFUSED])
def test_a_submit_that_is_refused_once_goes_again_where_the_free_question_is_answered(
    failure: FailureClass,
) -> None:
    run = night(board(6), scripts={"s2": refusing("HTTP 403", failure)})
    assert run.ending.kind is EndingKind.FINISHED
    assert everything_came_home(run)


@pytest.mark.parametrize("failure", [FailureClass.AUTH, FailureClass.NO_BALANCE, FailureClass.REFUSED])
def test_a_body_that_is_refused_each_time_while_others_are_taken_has_failed_by_itself(
    failure: FailureClass,
) -> None:
    run = night(
        board(12), scripts={"s2": refusing("HTTP 403", failure, times=9)}, options=EngineOptions(jobs=2)
    )
    assert run.ending.kind is EndingKind.FINISHED
    assert run.states()["s2"] is TakeState.FAILED
    assert list(run.states().values()).count(TakeState.SUCCEEDED) == 11
    assert run.queue.calls("submit") == 13


def test_an_empty_balance_takes_two_witnesses_and_ends_the_run_once_the_rest_is_home() -> None:
    """No free question tells of a balance, and nobody fills one up by waiting."""
    queue = Turning(70.0, 1e9, free=False, reads=False, failure=FailureClass.NO_BALANCE)
    run = night(board(20), queue=queue)
    assert run.ending.kind is EndingKind.ACCOUNT
    paid = set(queue.ledger)
    for name, state in run.states().items():
        assert state is (TakeState.SUCCEEDED if name in paid else TakeState.PENDING)
    assert 2 <= queue.calls("submit") - len(paid) <= 4
    assert run.seconds < 70 + 60 + 120


def test_a_free_question_that_is_refused_after_a_lost_answer_is_no_outage_and_doubts_nobody() -> None:
    lost = JobScript(submits=[lambda a: LostContact(a, "sent", "ReadTimeout")])
    run = night(board(3), queue=ScriptedQueue({"s1": lost}, probes=[REFUSED] * 99))
    assert list(run.states().values()) == [TakeState.SUCCEEDED, TakeState.HELD, TakeState.SUCCEEDED]
    assert "refuses the account" not in run.said


def test_a_question_that_is_always_refused_is_not_believed_against_jobs_that_are_told_of() -> None:
    """Something stands before the catalogue alone: one refused submit must not pause the night."""
    queue = ScriptedQueue(
        {"s5": refusing("HTTP 403", FailureClass.AUTH), **{f"s{n}": JobScript(runs=30.0) for n in range(5)}},
        probes=[REFUSED] * 9999,
    )
    run = night(board(30), queue=queue)
    assert run.ending.kind is EndingKind.FINISHED
    assert everything_came_home(run)
    assert run.seconds < 300


def probes(count: int) -> Sequence[RequestFailure]:
    return [RequestFailure(FailureKind.TRANSIENT, "HTTP 502")] * count


def test_a_free_question_that_fails_says_nothing_about_the_account() -> None:
    queue = ScriptedQueue({"s1": refusing("HTTP 401", FailureClass.AUTH)}, probes=probes(3))
    run = night(board(4), queue=queue)
    assert everything_came_home(run)
