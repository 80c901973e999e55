"""When the breaker before the API opens: by the share of reads that fails, never by a few; and how it closes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest

from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.run_events import Message, Topic
from runner.engine.circuit_breaker import (
    FIRST_PROBE,
    PROBE_CEILING,
    PROBE_EVERY,
    SILENCE_THAT_OPENS,
    CircuitBreaker,
)
from runner.engine.options import EngineOptions
from runner.engine.poll_pace import OutageTest
from runner.engine.run_state import RunState
from runner.engine.testing import MemoryJournal, Recorder
from tests.virtual_time import VirtualClock, run_virtual

MODEL = "acme/dream"
AWAY = RequestFailure(FailureKind.TRANSIENT, "no route")


class Asked:
    """A queue of which only the free question is asked: it answers with the given troubles, then that all is well."""

    def __init__(self, troubles: Iterable[RequestFailure] = ()) -> None:
        self._troubles = iter(troubles)
        self.at: list[float] = []

    async def probe(self, model: str) -> RequestFailure | None:
        assert model == MODEL
        self.at.append(asyncio.get_running_loop().time())
        return next(self._troubles, None)


@asynccontextmanager
async def kept(
    queue: Asked, *, limit: float = 12 * 3600.0
) -> AsyncIterator[tuple[CircuitBreaker, RunState, Recorder]]:
    """Yield a breaker that is kept, the state of its run, and everything that was said."""
    heard = Recorder()
    options = EngineOptions(outage_limit=limit)
    state = RunState([], VirtualClock(), journal=MemoryJournal(), listener=heard, options=options)
    breaker = CircuitBreaker(state, queue)  # type: ignore[arg-type]  # nothing but a probe is asked
    keeper = asyncio.ensure_future(breaker.run())
    yield breaker, state, heard
    keeper.cancel()


def fail(at: CircuitBreaker, times: int = OutageTest.IN_A_ROW) -> None:
    for _ in range(times):
        at.failed(MODEL, "no route")


def test_it_opens_on_eleven_failures_in_a_row_and_not_on_fewer() -> None:
    async def talk() -> list[bool]:
        async with kept(Asked()) as (one, _, _):
            fail(one, OutageTest.IN_A_ROW - 1)
            before = one.is_closed
            fail(one, 1)
            return [before, one.is_closed, one.lets_submit]

    assert OutageTest.IN_A_ROW == 11
    assert run_virtual(talk()) == [True, False, False]


@pytest.mark.parametrize(("answered", "is_closed"), [(False, False), (True, True)])
def test_a_minute_of_failures_without_any_answer_opens_it(answered: bool, is_closed: bool) -> None:
    """At the end of a night few jobs are left, and no eleven of them are looked at within an outage."""

    async def talk() -> bool:
        async with kept(Asked()) as (one, _, _):
            for second in range(0, int(SILENCE_THAT_OPENS) + 1, 20):
                assert one.is_closed
                fail(one, 1)
                if answered and second == 40:
                    one.answered()
                await asyncio.sleep(0 if second == SILENCE_THAT_OPENS else 20)
            return one.is_closed

    assert run_virtual(talk()) is is_closed


def opened(share: float, *, reads: int, seed: int) -> int:
    """Return how often a breaker opens while `share` of `reads` fails, one each second."""

    async def talk() -> int:
        chance, times = random.Random(seed), 0
        async with kept(Asked()) as (one, _, _):
            for _ in range(reads):
                await one.passes()
                if chance.random() < share:
                    one.failed(MODEL, "HTTP 500")
                else:
                    one.answered()
                times += not one.is_closed
            return times

    return run_virtual(talk())


@pytest.mark.parametrize(("share", "most"), [(0.0, 0), (0.07, 0), (0.15, 0), (0.25, 0), (0.33, 1), (0.5, 30)])
def test_a_service_that_answers_badly_is_hardly_ever_taken_for_one_that_is_away(
    share: float, most: int
) -> None:
    assert opened(share, reads=20_000, seed=1) <= most


@pytest.mark.parametrize("share", [0.97, 1.0])
def test_a_service_that_is_away_is_noticed_within_a_few_dozen_reads(share: float) -> None:
    for seed in range(20):
        assert opened(share, reads=60, seed=seed) >= 1


async def _moments(queue: Asked, trouble: Callable[[CircuitBreaker], None], *, times: int) -> list[float]:
    """Bring a breaker into trouble as often as said, at once after each answer; return how long each lasted."""
    clock, lasted = VirtualClock(), []
    async with kept(queue) as (one, state, _):
        for _ in range(times):
            began = clock.monotonic()
            state.changed.clear()
            trouble(one)
            await state.changed.wait()
            lasted.append(round(clock.monotonic() - began, 1))
    return lasted


def test_reads_that_fail_again_and_again_open_it_for_longer_and_longer_up_to_half_a_minute() -> None:
    lasted = run_virtual(_moments(Asked(), fail, times=7))
    assert lasted == [1.0, 2.0, 4.0, 8.0, 16.0, PROBE_EVERY, PROBE_EVERY]


def test_after_an_outage_three_failures_open_it_again_and_two_answers_forget_it() -> None:
    async def talk() -> list[bool]:
        seen = []
        async with kept(Asked()) as (one, _, _):
            for answers in (0, 2):
                fail(one)
                await one.passes()
                for _ in range(answers):
                    one.answered()
                fail(one, 3)
                seen.append(one.is_closed)
                await one.passes()
        return seen

    assert run_virtual(talk()) == [False, True]


def test_answers_end_the_growth_of_its_waits() -> None:
    def trouble(one: CircuitBreaker) -> None:
        for _ in range(9):
            one.answered()
        fail(one)

    assert run_virtual(_moments(Asked(), trouble, times=4)) == [FIRST_PROBE] * 4


def test_an_outage_costs_one_question_in_half_a_minute_and_then_fewer() -> None:
    queue = Asked([AWAY] * 40)

    async def talk() -> list[Message]:
        async with kept(queue) as (one, _, heard):
            fail(one)
            await one.passes()
            return [event for event in heard.events if isinstance(event, Message)]

    heard = run_virtual(talk())
    gaps = [later - earlier for earlier, later in zip([0.0, *queue.at], queue.at, strict=False)]
    assert gaps[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    assert all(30.0 <= gap <= PROBE_CEILING for gap in gaps[5:])
    assert gaps[-1] == PROBE_CEILING
    assert [message.topic for message in heard] == [Topic.OUTAGE, Topic.OUTAGE_OVER]
    assert heard[0].text.startswith("no usable answer from the API (no route)")
    assert heard[1].text.startswith("the API answers again after")


def test_an_outage_that_lasts_too_long_ends_the_run() -> None:
    async def talk() -> tuple[Ending, bool]:
        async with kept(Asked([AWAY] * 9), limit=60.0) as (one, state, _):
            fail(one)
            await one.passes()
            return state.ending, state.left.is_set()

    assert run_virtual(talk()) == (Ending(EndingKind.OUTAGE, "no route"), True)


def test_a_doubtful_submit_stops_submits_alone_until_a_question_asked_at_once_is_answered() -> None:
    async def talk() -> list[object]:
        queue = Asked()
        async with kept(queue) as (one, _, _):
            await asyncio.sleep(5)
            one.doubt_submits(MODEL, "reset")
            before = [one.is_closed, one.lets_submit]
            await asyncio.sleep(0.01)
            return [*before, one.lets_submit, *queue.at]

    assert run_virtual(talk()) == [True, False, True, 5.0]


def test_a_service_that_refuses_the_account_is_there() -> None:
    async def talk() -> bool:
        async with kept(Asked([RequestFailure(FailureKind.ACCOUNT, "token revoked")])) as (one, _, _):
            one.doubt_submits(MODEL, "reset")
            await asyncio.sleep(0.1)
            return one.lets_submit

    assert run_virtual(talk())
