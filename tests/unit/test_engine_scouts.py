"""Scouts go first; one that never comes back ends the submitting, however it was lost, and nobody waits for it."""

from __future__ import annotations

import pytest

from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.run_ending import EndingKind
from runner.domain.states import AccountTurnedAway, FailureClass, LostContact, Refused, TakeState
from runner.engine.options import EngineOptions
from runner.engine.testing import JobScript, MemoryJournal
from tests.unit.test_engine import EPOCH, ending, night, ticket

SCOUTING = EngineOptions(scout=1)


@pytest.mark.parametrize(
    ("script", "state"),
    [
        pytest.param(
            JobScript(submits=[lambda a: Refused(a, FailureClass.INVALID_INPUT, "bad image")]),
            "failed",
            id="refused",
        ),
        pytest.param(JobScript(submits=[lambda a: LostContact(a, "sent", "reset")]), "held", id="held"),
        pytest.param(
            JobScript(looks=[RequestFailure(FailureKind.MISSING, "404")] * 999),
            "failed",
            id="vanished",
        ),
        pytest.param(
            JobScript(looks=[RequestFailure(FailureKind.TRANSIENT, "500")] * 9999), "queued", id="left"
        ),
        pytest.param(
            JobScript(looks=[RequestFailure(FailureKind.ACCOUNT, "403")] * 9999), "queued", id="denied"
        ),
    ],
)
def test_a_scout_that_does_not_come_back_ends_the_submitting(script: JobScript, state: str) -> None:
    run = night([ticket(f"s{n}") for n in range(4)], scripts={"s0": script}, options=SCOUTING)
    assert run.ending.kind is EndingKind.HALTED
    assert run.ending.reason == f"the scout s0 did not succeed: it is {state}"
    assert list(run.states().values()) == [state, *[TakeState.PENDING] * 3]
    assert run.queue.calls("submit") == 1


def test_a_scout_that_is_taken_back_goes_again_before_the_others() -> None:
    """It waits at the end of the queue, and those before it wait for it."""
    poor = JobScript(submits=[lambda a: AccountTurnedAway(a, FailureClass.AUTH, "HTTP 403")])
    other = ticket("b0", body='{"resolution":"1080p"}')
    run = night(
        [*(ticket(f"s{n}") for n in range(4)), other],
        scripts={"s0": poor},
        options=SCOUTING,
    )
    assert set(run.states().values()) == {TakeState.SUCCEEDED}
    submits = [what for _, verb, what in run.queue.history if verb == "submit"]
    assert submits[:3] == ["s0", "b0", "s0"]


def test_a_job_of_an_earlier_engine_is_a_scout_before_any_other_is_paid_for() -> None:
    """After a kill or a reload the first take of its settings may still be at the API."""
    out = ticket("s0", state=TakeState.QUEUED, request_id="old-1", submitted_at=EPOCH - 30)
    scripts = {"s0": ending(FailureClass.MODERATION)}
    takes = [out, *(ticket(f"s{n}") for n in range(1, 4))]
    journal = MemoryJournal([each.take_id for each in takes])
    journal._rows["s0"].state, journal._rows["s0"].request_id = TakeState.QUEUED, "old-1"
    run = night(takes, scripts=scripts, journal=journal, options=SCOUTING)
    assert run.ending.kind is EndingKind.HALTED
    assert run.queue.calls("submit") == 0
