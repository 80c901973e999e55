"""Limits in a whole run, in virtual time: caps under parallel submits, time that runs out, costs that come late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.limits import Limits
from runner.domain.money import Charge, Spending
from runner.domain.records import CostsUntold
from runner.domain.run_ending import EndingKind
from runner.domain.shots import Ticket
from runner.domain.states import (
    CancelRequested,
    CostSeen,
    Ended,
    FailureClass,
    NotSent,
    Refused,
    RefusedForNow,
    TakeState,
)
from runner.engine.late_costs import COST_MAY_COME, HANDFUL, asks_since
from runner.engine.options import EngineOptions, RunHistory
from runner.engine.testing import JobScript, MemoryJournal
from tests.unit.test_engine import EPOCH, Night, night, ticket
from tests.virtual_time import VirtualClock

CLIP = ("https://files.example/clip.mp4",)


def board(number: int, price: float | None = 0.3) -> list[Ticket]:
    return [ticket(f"s{n:03}", estimate=price) for n in range(number)]


def costing(cost: float | None, *, outcome: TakeState = TakeState.SUCCEEDED, **script: float) -> JobScript:
    failure = FailureClass.PROVIDER_FAILED if outcome is TakeState.FAILED else None
    return JobScript(ending=Ended(outcome, "{}", CLIP, failure, cost=cost), **script)  # type: ignore[arg-type]


def options(*, window: int = 1, jobs: int = 4, retries: int = 0, **limits: object) -> EngineOptions:
    bounds = Limits(**limits)  # type: ignore[arg-type]
    return EngineOptions(submit_window=window, jobs=jobs, retries=retries, limits=bounds)


def knowing(*tickets: Ticket) -> MemoryJournal:
    """Return a journal in which the tickets stand as they do."""
    journal = MemoryJournal([each.take_id for each in tickets])
    for each in tickets:
        journal._rows[each.take_id].state = each.state
        journal._rows[each.take_id].request_id = each.request_id
    return journal


def counts(run: Night) -> dict[str, int]:
    states = list(run.states().values())
    return {state: states.count(state) for state in states}


@pytest.mark.parametrize("window", [1, 8])
def test_a_cap_stops_half_way_and_what_is_out_is_seen_through(window: int) -> None:
    """Without known costs a dollar buys three takes at thirty cents, however many submits go side by side."""
    run = night(board(10), options=options(window=window, jobs=8, max_cost=1.0))
    assert run.ending.kind is EndingKind.LIMIT
    assert "--max-cost $1.00: $0.90 is spent or reserved, and s003 at $0.30" in run.ending.reason
    assert len(run.queue.ledger) == 3
    assert counts(run) == {"succeeded": 3, "pending": 7}


def test_lower_real_costs_make_room_and_the_run_waits_for_them() -> None:
    tickets = board(6)
    scripts = {each.take_id: costing(0.1) for each in tickets}
    run = night(tickets, scripts=scripts, options=options(window=4, jobs=8, max_cost=0.8))
    assert run.ending.kind is EndingKind.FINISHED
    assert len(run.queue.ledger) == 6
    assert run.queue.peak == 2


def test_higher_real_costs_stop_it_earlier() -> None:
    tickets = board(6)
    scripts = {each.take_id: costing(0.5) for each in tickets}
    run = night(tickets, scripts=scripts, options=options(jobs=1, max_cost=1.0))
    assert (run.ending.kind, len(run.queue.ledger)) == (EndingKind.LIMIT, 2)


def test_what_earlier_runs_spent_counts() -> None:
    spent = Spending((Charge("old", 0.3, 0.5), Charge("held", 0.3), Charge("lost", 0.3)))
    run = night(board(3), options=options(max_cost=1.4), past=RunHistory(spending=spent))
    assert (run.ending.kind, len(run.queue.ledger)) == (EndingKind.LIMIT, 1)


def test_a_job_of_an_earlier_run_may_make_room_when_it_ends() -> None:
    out = ticket("old", state=TakeState.RUNNING, request_id="req-old", submitted_at=EPOCH, estimate=0.3)
    spent = Spending((Charge("old", 0.3),))
    run = night(
        [out, *board(1)],
        journal=knowing(out, *board(1)),
        scripts={"old": costing(0.1), "s000": costing(0.3)},
        options=options(max_cost=0.4),
        past=RunHistory(spending=spent),
    )
    assert run.ending.kind is EndingKind.FINISHED
    assert counts(run) == {"succeeded": 2}


def test_submits_that_were_not_charged_count_for_nothing() -> None:
    """Refused for now, not sent, and then taken: one charge, and the cap of one is kept."""
    answers = (lambda a: RefusedForNow(a, "busy", EPOCH), lambda a: NotSent(a, "no route"))
    run = night(
        board(2),
        scripts={"s000": JobScript(submits=answers)},
        options=options(window=2, max_cost=0.3, max_submits=1),
    )
    assert (run.ending.kind, len(run.queue.ledger)) == (EndingKind.LIMIT, 1)


def test_a_take_without_a_price_is_not_sent_under_a_cap() -> None:
    run = night(board(1, None), options=options(max_cost=1.0))
    assert (run.ending.kind, run.queue.ledger) == (EndingKind.LIMIT, [])
    free = night(board(3, None), options=options(max_cost=1.0, allow_unpriced=True))
    assert (free.ending.kind, len(free.queue.ledger)) == (EndingKind.FINISHED, 3)


@pytest.mark.parametrize("window", [1, 8])
def test_so_many_submissions_and_no_more(window: int) -> None:
    run = night(
        board(6),
        options=options(window=window, jobs=8, max_submits=5),
        past=RunHistory(spending=Spending((Charge("x"), Charge("y")))),
    )
    assert (run.ending.reason, len(run.queue.ledger)) == ("--max-submits 5 is reached", 3)


def test_the_warning_is_said_once() -> None:
    run = night(board(6), options=options(warn_cost=0.5))
    assert run.said.count("--warn-cost $0.50") == 1
    before = night(
        board(1), options=options(warn_cost=0.5), past=RunHistory(spending=Spending((Charge("x", 0.6),)))
    )
    assert before.said.count("$0.60 is spent or reserved, more than --warn-cost $0.50") == 1


SLOW = {f"s{n:03}": JobScript(queued=1000.0) for n in range(3)}


def cancels(run: Night) -> list[str]:
    return [fact.by for _, fact in run.journal.facts if isinstance(fact, CancelRequested)]


def test_cutoff_asks_to_cancel_what_waits_under_its_own_name() -> None:
    run = night(board(3), scripts=SLOW, options=options(jobs=2, cancel_queued=True), deadline=EPOCH + 60)
    assert run.ending.kind is EndingKind.LIMIT
    assert cancels(run) == ["--cutoff cancel-queued"] * 2
    assert counts(run) == {"succeeded": 2, "pending": 1}


def test_time_that_is_up_cancels_also_where_nothing_is_left_to_submit() -> None:
    run = night(board(3), scripts=SLOW, options=options(cancel_queued=True), deadline=EPOCH + 60)
    assert (run.ending.kind, len(cancels(run))) == (EndingKind.LIMIT, 3)


@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("limit", [{"max_cost": 0.6}, {"max_submits": 2}], ids=str)
def test_a_cap_and_a_count_cancel_alike_at_once_what_waits(limit: dict[str, Any], window: int) -> None:
    """Costs that may still come are not waited for: once they are known, nothing waits any more."""
    wishes = options(window=window, cancel_queued=True, **limit)
    run = night(board(3), scripts=SLOW, options=wishes)
    assert (run.ending.kind, len(cancels(run))) == (EndingKind.LIMIT, 2)
    assert all(when < EPOCH + 60 for when, verb, _ in run.queue.history if verb == "cancel")


def test_without_that_wish_a_cap_waits_for_what_jobs_cost() -> None:
    run = night(board(3), scripts=SLOW, options=options(max_cost=0.6))
    assert (run.ending.kind, cancels(run), len(run.queue.ledger)) == (EndingKind.LIMIT, [], 2)


def test_a_cut_off_cap_still_waits_for_submits_in_the_air() -> None:
    """A submit that is proved to be free leaves room for the next, whatever becomes of jobs that wait."""
    tickets = board(3)
    scripts = {**SLOW, "s001": JobScript(submits=(lambda a: Refused(a, FailureClass.REFUSED, "no"),))}
    run = night(tickets, scripts=scripts, options=options(window=8, max_cost=0.6, cancel_queued=True))
    assert (run.ending.kind, run.queue.ledger) == (EndingKind.FINISHED, ["s000", "s002"])


def test_when_the_time_is_up_submitting_stops_and_jobs_are_seen_through() -> None:
    scripts = {f"s{n:03}": JobScript(runs=3600.0) for n in range(6)}
    run = night(board(6), scripts=scripts, options=options(jobs=2), deadline=EPOCH + 5400.0)
    assert run.ending.kind is EndingKind.LIMIT
    assert "its time was up" in run.ending.reason
    assert counts(run) == {"succeeded": 4, "pending": 2}
    assert 7200 < run.seconds < 7400


def test_the_time_of_sleep_counts() -> None:
    """The machine slept through the limit: its wall clock jumped, and nothing is submitted after it."""

    def slept(clock: VirtualClock) -> None:
        clock.set_wall(clock.wall() + 8 * 3600)

    scripts = {f"s{n:03}": JobScript(runs=600.0) for n in range(4)}
    run = night(
        board(4), scripts=scripts, options=options(jobs=1), deadline=EPOCH + 6 * 3600, at=[(700.0, slept)]
    )
    assert (run.ending.kind, len(run.queue.ledger)) == (EndingKind.LIMIT, 2)


def test_a_clock_set_back_while_a_run_goes_on_buys_no_time() -> None:
    def set_back(clock: VirtualClock) -> None:
        clock.set_wall(clock.wall() - 8 * 3600)

    scripts = {f"s{n:03}": JobScript(runs=600.0) for n in range(40)}
    run = night(
        board(40), scripts=scripts, options=options(jobs=1), deadline=EPOCH + 3600, at=[(700.0, set_back)]
    )
    assert (run.ending.kind, len(run.queue.ledger)) == (EndingKind.LIMIT, 6)
    assert "set back meanwhile" in run.ending.reason


def test_time_that_has_passed_before_the_start_submits_nothing_and_loses_nothing() -> None:
    out = ticket("old", state=TakeState.QUEUED, request_id="req-old", submitted_at=EPOCH)
    run = night([out, *board(2)], journal=knowing(out, *board(2)), deadline=EPOCH - 10)
    assert (run.ending.kind, run.queue.ledger) == (EndingKind.LIMIT, ["old"])
    assert counts(run) == {"succeeded": 1, "pending": 2}


def test_a_deadline_with_nothing_left_to_submit_is_no_ending() -> None:
    run = night(board(2), scripts={"s001": JobScript(runs=600.0)}, deadline=EPOCH + 60)
    assert run.ending.kind is EndingKind.FINISHED


def done(name: str, **changes: object) -> Ticket:
    """Return a take that was rendered and delivered a minute ago, and whose cost is not known."""
    about = {"request_id": f"req-{name}", "finished_at": EPOCH - 60, **changes}
    ended = ticket(name, state=TakeState.SUCCEEDED, **about)
    return replace(ended, delivery=ended.delivery.DELIVERED)


def costs(run: Night) -> list[tuple[str, float]]:
    return [(name, fact.cost) for name, fact in run.journal.facts if isinstance(fact, CostSeen)]


MANY = [done(f"d{n}", finished_at=EPOCH - 60 - n) for n in range(30)]


def after_many(**scripts: JobScript) -> Night:
    """Run one take after many that ended without a known cost."""
    silent = {each.take_id: costing(None, queued=0.0, runs=0.0) for each in MANY}
    return night([*MANY, *board(1)], scripts=silent | scripts, past=RunHistory(ended=iter(MANY)))


def asked(run: Night) -> list[str]:
    return [what for _, verb, what in run.queue.history if verb == "result" and what.startswith("req-d")]


def test_a_handful_of_late_costs_is_asked_for_where_none_is_named() -> None:
    run = after_many()
    assert asked(run) == [f"req-d{n}" for n in range(HANDFUL)]
    assert costs(run) == []
    assert run.untold is not None
    assert run.untold.ended_at == EPOCH - 60


def test_all_late_costs_are_asked_for_once_where_one_of_a_handful_is_named() -> None:
    run = after_many(d3=costing(0.1, queued=0.0, runs=0.0))
    assert asked(run) == [f"req-d{n}" for n in range(30)]
    assert costs(run) == [("d3", 0.1)]
    assert run.untold is None


def test_an_answer_that_did_not_come_shows_nothing_about_costs() -> None:
    away = RequestFailure(FailureKind.TRANSIENT, "away")
    run = after_many(d1=JobScript(results=[away]))
    assert asked(run) == [f"req-d{n}" for n in range(HANDFUL)]
    assert run.untold is None


@pytest.mark.parametrize(
    ("asked_at", "now", "since"),
    [
        (None, 10.0, 10.0 - COST_MAY_COME),
        # A minute after the end, then again an hour after it, and not before.
        (60.0, 3599.0, 0.0),
        (60.0, 3600.0, 3600.0 - COST_MAY_COME),
        # Two hours after the end, then twenty.
        (7200.0, 71_999.0, 0.0),
        (7200.0, 72_000.0, 72_000.0 - COST_MAY_COME),
        (7200.0, COST_MAY_COME + 9.0, 9.0),
    ],
)
def test_what_the_api_did_not_name_is_asked_for_again_when_it_is_much_older(
    asked_at: float | None, now: float, since: float
) -> None:
    untold = None if asked_at is None else CostsUntold(asked_at, 0.0)
    assert asks_since(untold, now=now) == since


def test_a_late_cost_makes_room_under_the_cap() -> None:
    scripts = {"early": costing(0.1, queued=0.0, runs=0.0)}
    spent = Spending((Charge("early", 0.9),))
    run = night(
        [done("early"), *board(3)],
        scripts=scripts,
        options=options(jobs=1, max_cost=1.2),
        past=RunHistory(spending=spent, ended=[done("early")]),
    )
    assert run.ending.kind is EndingKind.FINISHED
    assert costs(run) == [("early", 0.1)]


def test_costs_hold_nobody_up() -> None:
    """A run that is over waits some seconds for them, and leaves the rest to the next one."""
    many = [done(f"d{n:04}") for n in range(2000)]
    scripts = {each.take_id: costing(0.1, queued=0.0, runs=0.0) for each in many}
    run = night([*many, *board(1)], scripts=scripts, past=RunHistory(ended=many))
    assert run.ending.kind is EndingKind.FINISHED
    assert run.seconds < 15
