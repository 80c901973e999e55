"""Twice the takes cost twice the work: of a run, of what goes wrong in it, of its budget and of its progress."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest

from runner.domain.limits import Budget, Limits
from runner.domain.money import Charge, Spending
from runner.domain.orders import ALL_MODELS
from runner.domain.rates import Rate
from runner.domain.run_events import FactRecorded
from runner.domain.shots import Ticket
from runner.domain.states import (
    Accepted,
    Delivered,
    Ended,
    Fact,
    FailureClass,
    FetchStarted,
    LostContact,
    Refused,
    Started,
    SubmissionStarted,
    TakeState,
)
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.testing import JobScript
from runner.output.event_json import JsonEvents
from runner.output.progress import Kind, make_progress
from runner.output.safe_stream import SafeStream
from runner.system.clock import SystemClock
from tests.effort import calls
from tests.started import started
from tests.unit.test_engine import EPOCH, MODEL, night, ticket

FEW = 250
STRAIGHT = 2.1
"""How much more twice as many may cost: it is a little less than twice today, and was 2.2 when facts looked at all."""

COSTING = Ended(TakeState.SUCCEEDED, "{}", ("https://files.example/clip.mp4",), cost=0.2)


def board(number: int) -> list[Ticket]:
    return [ticket(f"s{n:05}", estimate=0.3, body=f'{{"seed":{n}}}') for n in range(number)]


def refused(attempt: str) -> Refused:
    return Refused(attempt, FailureClass.INVALID_INPUT, f"no such picture {attempt}")


def lost(attempt: str) -> LostContact:
    return LostContact(attempt, "sent", "cut")


def every_third(answer: Callable[[str], Refused | LostContact], number: int) -> dict[str, JobScript]:
    return {f"s{n:05}": JobScript(submits=[answer]) for n in range(0, number, 3)}


def failing(number: int) -> dict[str, JobScript]:
    ending = Ended(TakeState.FAILED, "{}", failure=FailureClass.PROVIDER_FAILED, cost=0.1)
    return {f"s{n:05}": JobScript(ending=ending) for n in range(0, number, 3)}


def costing(number: int) -> dict[str, JobScript]:
    return {f"s{n:05}": JobScript(ending=COSTING) for n in range(number)}


CAP = Limits(max_cost=1e6, warn_cost=1e5, max_submits=10**6)
FATES: dict[str, tuple[Callable[[int], dict[str, JobScript]], EngineOptions]] = {
    "without downloads": (lambda _: {}, EngineOptions(jobs=20, download=False)),
    "with downloads": (lambda _: {}, EngineOptions(jobs=20)),
    "under a cap": (costing, EngineOptions(jobs=20, limits=CAP)),
    "with scouts": (lambda _: {}, EngineOptions(jobs=20, scout=2)),
    "with caps and rates": (
        lambda _: {},
        EngineOptions(
            jobs=20, model_jobs={MODEL: 10}, rates={MODEL: Rate(20, "s"), ALL_MODELS: Rate(30, "s")}
        ),
    ),
    "a third refused": (lambda number: every_third(refused, number), EngineOptions(jobs=20)),
    "a third lost": (lambda number: every_third(lost, number), EngineOptions(jobs=20, max_unknown=10**6)),
    "a third retried": (failing, EngineOptions(jobs=20, retries=2)),
}


@pytest.mark.parametrize("fate", FATES)
def test_a_run_of_twice_as_many_takes_costs_twice_as_much(fate: str) -> None:
    scripts, options = FATES[fate]

    def run(number: int) -> int:
        return calls(lambda: night(board(number), scripts=scripts(number), options=options))

    assert run(2 * FEW) < STRAIGHT * run(FEW)


def test_a_long_past_costs_a_run_nothing_for_each_take() -> None:
    def run(number: int) -> int:
        past = RunHistory(spending=Spending(tuple(Charge(f"old{n}", 0.3, 0.2) for n in range(number))))
        return calls(lambda: night(board(50), options=EngineOptions(limits=CAP), past=past))

    assert run(2 * FEW) < STRAIGHT * run(FEW)


def test_a_budget_near_its_cap_asks_as_much_of_each_take() -> None:
    def spend(number: int) -> None:
        budget = Budget(Limits(max_cost=0.3 * number), wall=lambda: EPOCH, monotonic=lambda: 0.0)
        for each in board(2 * number):
            if budget.limit_hit(each) is None:
                budget.reserve(each)
                budget.note(each.take_id, Accepted("a", "r"))
                budget.note(each.take_id, COSTING)

    assert calls(lambda: spend(2 * FEW)) < STRAIGHT * calls(lambda: spend(FEW))


def facts(number: int) -> Iterator[FactRecorded]:
    story: list[Fact] = [
        SubmissionStarted("a", "f", 1),
        Accepted("a", "r"),
        Started(),
        COSTING,
        FetchStarted("u"),
    ]
    for each in range(number):
        yield from (FactRecorded(f"s{each}", fact, EPOCH) for fact in [*story, Delivered("f", "0" * 64, 1)])


@pytest.mark.parametrize("kind", ["bar", "plain", None])
def test_progress_costs_as_much_for_each_fact(kind: Kind | None) -> None:
    """Without a person to show it to, the events are for programs."""

    def show(number: int) -> None:
        stream, clock = io.StringIO(), SystemClock()
        shown = (
            make_progress(kind, stream=stream, started=started(total=number, done=0), clock=clock)
            if kind
            else JsonEvents(SafeStream(stream), clock=clock)
        )
        for event in facts(number):
            shown.on_event(event)

    # The bar's library is imported at its first use.
    show(1)
    assert calls(lambda: show(2 * FEW)) < STRAIGHT * calls(lambda: show(FEW))
