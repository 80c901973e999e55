"""Money and time against the worst a service, a clock and a person can do: no cap is passed, no run waits in vain."""

from __future__ import annotations

import os
import time as clocks
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.api_answers import NotReady
from runner.domain.limits import Budget, Limits
from runner.domain.money import Charge, Spending, estimate, micros
from runner.domain.run_ending import Ending, EndingKind
from runner.domain.shots import Price, PriceUnit, Ticket
from runner.domain.states import (
    Ended,
    FailureClass,
    LateAnswer,
    LostContact,
    NotSent,
    RefusedForNow,
    TakeState,
)
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions, OnUnknown, RunHistory
from runner.engine.testing import JobScript, MemoryDelivery, MemoryJournal, Recorder, ScriptedQueue
from tests.unit.test_engine import EPOCH, night, ticket
from tests.virtual_time import VirtualClock, run_virtual

BY_SECOND = Price(0.09, PriceUnit.SECOND)


def board(number: int, price: float | None = 0.3) -> list[Ticket]:
    return [ticket(f"s{n:03}", estimate=price) for n in range(number)]


@pytest.mark.parametrize("limits", [Limits(max_cost=0.3), Limits(max_cost=0.3, cancel_queued=True)], ids=repr)
def test_a_cap_that_waits_for_a_job_ends_the_run_when_that_job_is_left_behind(limits: Limits) -> None:
    """Nothing else wakes the submitter: the job ended, holds no slot, and its result never comes."""
    scripts = {"s000": JobScript(results=[NotReady("in_progress")] * 100_000)}
    run = night(board(2), scripts=scripts, options=EngineOptions(outage_limit=60.0, limits=limits))
    assert run.ending.kind is EndingKind.LIMIT
    assert run.queue.ledger == ["s000"]
    assert run.seconds < 3600


@pytest.mark.parametrize("limits", [Limits(max_cost=0.3), Limits(max_submits=1)], ids=["money", "submits"])
def test_a_take_that_is_left_with_its_answer_open_is_waited_for_no_longer(limits: Limits) -> None:
    """Another runner took it over between its POST and its answer; its money stays counted."""
    purse = Budget(limits, wall=lambda: EPOCH, monotonic=lambda: 0.0)
    purse.reserve(ticket("s000", estimate=0.3))
    purse.note("s000", LateAnswer("a", "r"))
    purse.leave("s000")
    limit_hit = purse.limit_hit(ticket("s001", estimate=0.3))
    assert purse.committed == micros(0.3)
    assert limit_hit is not None
    assert not limit_hit.may_ease


def test_late_costs_of_takes_that_this_run_is_not_about_count_against_its_cap() -> None:
    """`--only` leaves them out of the run, and what they did cost was paid all the same."""
    old = ticket("old", state=TakeState.SUCCEEDED, request_id="req-old", finished_at=EPOCH - 60, estimate=0.1)
    new = ticket("new", estimate=0.3)
    waiting = ticket("out", state=TakeState.QUEUED, request_id="req-out", submitted_at=EPOCH, estimate=0.1)
    scripts = {
        "old": JobScript(queued=0.0, runs=0.0, ending=Ended(TakeState.SUCCEEDED, "{}", cost=5.0)),
        "out": JobScript(runs=60.0, ending=Ended(TakeState.SUCCEEDED, "{}", cost=0.1)),
    }
    queue, journal = ScriptedQueue(scripts), MemoryJournal(["old", "new", "out"])
    for each in (old, waiting):
        journal._rows[each.take_id].state, journal._rows[each.take_id].request_id = (
            each.state,
            each.request_id,
        )

    async def main() -> Ending:
        queue.adopt(old)
        queue.adopt(waiting)
        engine = Engine(
            [waiting, new],
            queue=queue,
            journal=journal,
            delivery=MemoryDelivery(),
            clock=VirtualClock(epoch=EPOCH),
            listener=Recorder(),
            options=EngineOptions(jobs=1, limits=Limits(max_cost=1.0, warn_cost=4.0)),
            epoch=journal.epoch,
            past=RunHistory(spending=Spending((Charge("old", 0.1), Charge("out", 0.1))), ended=[old]),
        )
        return await engine.run()

    ending = run_virtual(main())
    assert ending.kind is EndingKind.LIMIT
    assert "new" not in queue.ledger


ANSWERS = st.sampled_from(
    [
        lambda a: RefusedForNow(a, "busy", EPOCH),
        lambda a: NotSent(a, "no route"),
        lambda a: LostContact(a, "sent", "cut"),
    ]
)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), window=st.sampled_from([1, 4, 16]), again=st.booleans())
def test_no_order_of_answers_failures_and_retries_commits_more_than_the_cap(
    data: st.DataObject, window: int, again: bool
) -> None:
    """Costs at most as estimated: then what the API accepted stays within the cap, whatever goes wrong on the way."""
    tickets = [
        ticket(f"s{n:03}", estimate=data.draw(st.sampled_from([0.0, 0.1, 0.3, 0.7]))) for n in range(8)
    ]
    scripts = {}
    for each in tickets:
        outcome = data.draw(st.sampled_from([TakeState.SUCCEEDED, TakeState.FAILED]))
        failure = FailureClass.PROVIDER_FAILED if outcome is TakeState.FAILED else None
        price = each.estimate or 0.0
        cost = data.draw(st.sampled_from([None, price, price / 2, 0.0, -1.0]))
        scripts[each.take_id] = JobScript(
            submits=data.draw(st.lists(ANSWERS, max_size=3)),
            lost_but_accepted=data.draw(st.booleans()),
            ending=Ended(outcome, "{}", (), failure, cost=cost),
        )
    cap = data.draw(st.sampled_from([0.1, 0.5, 1.1, 2.0]))
    options = EngineOptions(
        jobs=8,
        submit_window=window,
        retries=data.draw(st.integers(0, 3)),
        on_unknown=OnUnknown.PAY_AGAIN if again else OnUnknown.HOLD,
        max_extra_paid=3 if again else 0,
        max_unknown=100,
        download=False,
        limits=Limits(max_cost=cap),
    )
    run = night(tickets, scripts=scripts, options=options)
    prices = {each.take_id: each.estimate or 0.0 for each in tickets}
    costs = {
        name: max(0.0, script.ending.cost) if script.ending.cost is not None else prices[name]
        for name, script in scripts.items()
    }
    assert sum(micros(costs[name]) for name in run.queue.ledger) <= micros(cap)


@pytest.mark.parametrize(
    "digits", ["1" + "0" * 400, "1e400", "NaN", "-1", "0", "true", '"٣"', '"1e3"', "[5]"]
)
def test_a_duration_that_is_none_makes_no_price(digits: str) -> None:
    assert estimate(BY_SECOND, f'{{"duration": {digits}}}') is None


@pytest.mark.parametrize("duration", ["8", '"8"', '"8s"', '"8 s"', '"8.0 sec"', '"8 seconds"', '"8S"'])
def test_a_duration_has_its_price_however_the_model_spells_its_seconds(duration: str) -> None:
    assert estimate(Price(0.4, PriceUnit.SECOND), f'{{"duration": {duration}}}') == 3.2


@pytest.mark.parametrize("duration", ['"8m"', '"8ms"', '"8 frames"', '"auto"', '"s"', '"0:08"'])
def test_a_duration_in_another_unit_makes_no_price(duration: str) -> None:
    assert estimate(BY_SECOND, f'{{"duration": {duration}}}') is None


@contextmanager
def clocks_of(zone: str) -> Iterator[None]:
    """Set this process's clocks to a zone, as a machine's are."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = zone
    clocks.tzset()
    try:
        yield
    finally:
        del os.environ["TZ"]
        if before is not None:
            os.environ["TZ"] = before
        clocks.tzset()


CHANGES = {
    "begun in the hour before it comes again": ((2026, 11, 1, 5, 45), time(1, 30), 45 * 60),
    "begun in the hour that has come again": ((2026, 11, 1, 6, 15), time(1, 30), 15 * 60),
    "begun before an hour that comes twice": ((2026, 11, 1, 5, 15), time(1, 30), 15 * 60),
    "a night that is an hour longer": ((2026, 11, 1, 3, 0), time(7), 9 * 3600),
    "a night that is an hour shorter": ((2026, 3, 8, 4, 0), time(7), 7 * 3600),
    "a time that the clocks leave out": ((2026, 3, 8, 6, 30), time(2, 30), 3600),
    "the moment itself is the next day's": ((2026, 7, 1, 11, 0), time(7), 24 * 3600),
}


@pytest.mark.parametrize(("begins", "until", "seconds"), CHANGES.values(), ids=CHANGES)
def test_until_a_time_of_day_is_the_next_one_also_where_clocks_change(
    begins: tuple[int, int, int, int, int], until: time, seconds: float
) -> None:
    start = datetime(*begins, tzinfo=UTC).timestamp()
    with clocks_of("EST5EDT,M3.2.0,M11.1.0"):
        assert Limits(until=until).seconds_from(start) == seconds
