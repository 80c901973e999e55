"""A service of which a share fails slows a run by about that share: no step, no cliff, at every share up to a half."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from itertools import pairwise
from statistics import median

import pytest

from runner.domain.api_answers import (
    FailureKind,
    LookAnswer,
    RequestFailure,
    ResultAnswer,
    SubmitAnswer,
)
from runner.domain.shots import Ticket
from runner.domain.states import LostContact, NotSent, TakeState
from runner.engine.options import EngineOptions
from runner.engine.testing import JobScript, ScriptedQueue
from tests.unit.test_engine import night, ticket

READS = ("look", "result", "probe")
SHARES = (0.0, 0.07, 0.15, 0.25, 0.33, 0.42, 0.5)
SLACK = 1.5
"""How much more time a run may take than what the failing share itself costs."""


class Flaky(ScriptedQueue):
    """Jobs of 0.4 s, of which every call named in `shares` fails by chance."""

    def __init__(self, shares: Mapping[str, float], *, kind: FailureKind, seed: int) -> None:
        super().__init__({f"s{n:03}": JobScript(queued=0.0, runs=0.4) for n in range(999)})
        self._shares, self._kind, self._chance = shares, kind, random.Random(seed)

    def _fails(self, verb: str) -> bool:
        return self._chance.random() < self._shares.get(verb, 0.0)

    @property
    def _trouble(self) -> RequestFailure:
        return RequestFailure(self._kind, "HTTP 500")

    async def look(self, request_id: str) -> LookAnswer:
        answer = await super().look(request_id)
        return self._trouble if self._fails("look") else answer

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> ResultAnswer:
        answer = await super().result(request_id, model=model, sent=sent)
        return self._trouble if self._fails("result") else answer

    async def probe(self, model: str) -> RequestFailure | None:
        answer = await super().probe(model)
        return self._trouble if self._fails("probe") else answer

    async def submit(
        self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
    ) -> SubmitAnswer:
        if self._fails("unsent"):
            return NotSent(attempt, "connection refused")
        answer = await super().submit(ticket, attempt=attempt, begin=begin)
        return LostContact(attempt, "sent", "HTTP 500") if self._fails("lost") else answer


@cache
def seconds(share: float, *verbs: str, kind: FailureKind = FailureKind.TRANSIENT) -> float:
    """Return the virtual seconds of a run in which so many of the calls fail: of five, the middle one.

    A single take that fails ten times in a row is luck, and a run is as long as its unluckiest take.
    """
    return median(_seconds(share, *verbs, kind=kind, seed=seed) for seed in range(5))


def _seconds(share: float, *verbs: str, kind: FailureKind, seed: int) -> float:
    takes = [ticket(f"s{n:03}") for n in range(300)]
    queue = Flaky(dict.fromkeys(verbs, share), kind=kind, seed=seed)
    run = night(takes, queue=queue, options=EngineOptions(jobs=50, max_unknown=999))
    assert set(run.states().values()) <= {TakeState.SUCCEEDED, TakeState.HELD}
    return run.seconds


def within(share: float) -> float:
    """Return how long a run may take of which so many of the calls fail."""
    return SLACK * seconds(0.0) / (1.0 - share) + 10.0


def test_reads_that_fail_cost_about_their_share_without_a_step_from_one_share_to_the_next() -> None:
    took = {share: seconds(share, *READS) for share in SHARES}
    assert all(took[share] <= within(share) for share in SHARES)
    assert all(later <= 1.6 * earlier for earlier, later in pairwise(took.values()))


@pytest.mark.parametrize("share", [0.15, 0.5])
def test_a_busy_api_is_asked_at_most_half_as_often_and_so_costs_at_most_twice_that(share: float) -> None:
    assert seconds(share, *READS, kind=FailureKind.THROTTLED) <= 2.0 * within(share)


@pytest.mark.parametrize("share", [0.15, 0.5])
@pytest.mark.parametrize("way", ["lost", "unsent"])
def test_submits_that_fail_cost_about_their_share(share: float, way: str) -> None:
    assert seconds(share, way, "probe") <= within(share)
