"""What a plan says that a run would not send: by the very allowance of the run, over the life of its folder."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.limits import Limits
from runner.domain.money import Charge, Spending
from runner.domain.records import SessionRecord
from runner.domain.run_ending import EndingKind
from runner.plan.actions import Action, Step
from runner.plan.blocked import barred
from tests.unit.test_engine import night, ticket
from tests.unit.test_engine_limits import options

NOW = 1_800_000_000.0


def submits(*prices: float | None) -> list[Step]:
    return [
        Step(f"s{at:03}", f"s{at:03}", "m", Action.SUBMIT, "new", estimate=price)
        for at, price in enumerate(prices)
    ]


def reasons(
    steps: list[Step],
    limits: Limits,
    *,
    spending: Spending | None = None,
    sessions: tuple[SessionRecord, ...] = (),
) -> dict[str, str]:
    return dict(barred(steps, limits, spending=spending or Spending(), sessions=sessions, now=NOW))


def test_without_limits_everything_goes() -> None:
    assert reasons(submits(0.1, None), Limits()) == {}


def test_what_was_submitted_before_counts_against_the_number() -> None:
    spent = Spending((Charge("x"), Charge("y", latest=False)))
    assert reasons(submits(0.1, 0.1), Limits(max_submits=3), spending=spent) == {"s001": "past --max-submits"}


def test_a_run_stops_at_the_first_that_is_too_dear() -> None:
    told = reasons(submits(0.1, 0.9, 0.1), Limits(max_cost=0.5))
    assert told == dict.fromkeys(("s001", "s002"), "past --max-cost")


def test_one_take_without_a_price_keeps_all_from_going_under_a_cap() -> None:
    told = reasons(submits(0.1, None), Limits(max_cost=5.0))
    assert told["s001"] == "no price under --max-cost"
    assert told["s000"] == "1 of the 2 takes to submit have no price, under --max-cost"
    assert reasons(submits(0.1, None), Limits(max_cost=5.0, allow_unpriced=True)) == {}


def test_an_earlier_submission_that_nobody_can_count_keeps_all_from_going() -> None:
    told = reasons(submits(0.1), Limits(max_cost=5.0), spending=Spending((Charge("x"),)))
    assert told == {"s000": "of 1 earlier submission neither cost nor price is known, under --max-cost"}


def test_a_moment_that_has_passed_is_told_as_it_was() -> None:
    moment = datetime.fromtimestamp(NOW - 3600).strftime("%Y-%m-%d %H:%M")  # noqa: DTZ006 - as it is told
    told = reasons(submits(0.1), Limits(until=NOW - 3600))
    assert told == {"s000": f"its time was up at {moment}"}
    assert reasons(submits(0.1), Limits(until=NOW + 3600)) == {}


@pytest.mark.parametrize(
    ("ending", "is_barred"), [(None, True), (EndingKind.INTERRUPTED, True), (EndingKind.LIMIT, False)]
)
def test_the_time_of_a_run_that_was_killed_goes_on(ending: EndingKind | None, is_barred: bool) -> None:
    session = SessionRecord(
        epoch=1,
        began_at=NOW - 7200,
        version="0",
        ended_at=None,
        ending=ending,
        limit_s=3600.0,
        window_began_at=NOW - 7200,
    )
    assert bool(reasons(submits(0.1), Limits(lasts=3600.0), sessions=(session,))) is is_barred


@given(
    prices=st.lists(st.sampled_from([0.05, 0.1, 0.3]), max_size=8),
    cap=st.sampled_from([0.05, 0.2, 0.5, 5.0]),
    most=st.integers(1, 9),
)
def test_a_run_whose_jobs_cost_their_estimates_sends_what_is_not_barred(
    prices: list[float], cap: float, most: int
) -> None:
    told = reasons(submits(*prices), Limits(max_cost=cap, max_submits=most))
    tickets = [ticket(f"s{at:03}", estimate=price) for at, price in enumerate(prices)]
    run = night(tickets, options=options(max_cost=cap, max_submits=most))
    assert run.queue.ledger == [each.take_id for each in tickets if each.take_id not in told]
