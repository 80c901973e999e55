"""`--on-unknown pay-again` covers answers that were lost, of a run that still submits, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import pytest

from runner.domain.api_answers import SubmitAnswer
from runner.domain.errors import IllegalTransition
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, Fact, LostContact, TakeState
from runner.engine.options import EngineOptions, OnUnknown
from runner.engine.testing import JobScript, MemoryJournal, ScriptedQueue, failed
from tests.unit.test_engine import night, ticket

PAYING = EngineOptions(on_unknown=OnUnknown.PAY_AGAIN, max_extra_paid=5)
LOST = JobScript(submits=[lambda a: LostContact(a, "sent", "cut")] * 5, lost_but_accepted=True)


class Silent(ScriptedQueue):
    """Takes a submit and does not answer for an hour."""

    async def submit(
        self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
    ) -> SubmitAnswer:
        await begin()
        await asyncio.sleep(3600.0)
        return Accepted(attempt, f"late for {ticket.take_id}")


class OthersId(MemoryJournal):
    """Knows every request id as another take's."""

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        if isinstance(fact, Accepted):
            return failed(IllegalTransition("that is another's"))
        return super().record(take_id, fact, at=at)


@pytest.mark.parametrize("how", [Stop.DETACH, Stop.DRAIN])
def test_an_answer_that_a_leaving_run_waits_no_longer_for_is_held(how: Stop) -> None:
    """Put back, it would be sent and paid for by the next run."""
    run = night([ticket("s0")], queue=Silent(), options=PAYING, stop=(1.0, how), patience=8.0)
    assert run.states() == {"s0": TakeState.HELD}
    assert run.ending.kind is EndingKind.INTERRUPTED


def test_an_answer_that_is_lost_after_the_stop_is_held() -> None:
    run = night([ticket("s0")], scripts={"s0": LOST}, options=PAYING, stop=(0.005, Stop.DRAIN))
    assert run.journal.kinds("s0") == ["SubmissionStarted", "LostContact"]


def test_an_id_that_cannot_be_kept_is_no_lost_answer() -> None:
    """The API did accept it: it is held with its id, and counts as one to sort out."""
    options = EngineOptions(on_unknown=OnUnknown.PAY_AGAIN, max_extra_paid=5, max_unknown=1)
    run = night([ticket("s0"), ticket("s1")], journal=OthersId(["s0", "s1"]), options=options)
    assert run.queue.ledger == ["s0"]
    assert run.states() == {"s0": TakeState.HELD, "s1": TakeState.PENDING}
    assert run.ending.kind is EndingKind.UNKNOWNS
    lost = [fact for _, fact in run.journal.facts if isinstance(fact, LostContact)]
    assert [fact.evidence for fact in lost] == ["req-1"]


def test_an_answer_that_names_a_job_under_another_name_is_never_paid_again() -> None:
    named = JobScript(
        submits=[lambda a: LostContact(a, "answering", "no usable id", candidates=("job-1",))],
        lost_but_accepted=True,
    )
    run = night([ticket("s0")], scripts={"s0": named}, options=PAYING)
    assert run.queue.ledger == ["s0"]
    assert run.states() == {"s0": TakeState.HELD}


@pytest.mark.parametrize("bound", [1, 2, 3])
def test_submits_side_by_side_do_not_pass_the_bound_together(bound: int) -> None:
    options = EngineOptions(
        on_unknown=OnUnknown.PAY_AGAIN, max_extra_paid=bound, submit_window=4, max_unknown=9
    )
    names = [f"s{n}" for n in range(4)]
    run = night([ticket(name) for name in names], scripts=dict.fromkeys(names, LOST), options=options)
    assert len(run.queue.ledger) == 4 + bound
    assert list(run.states().values()) == [TakeState.HELD] * 4
