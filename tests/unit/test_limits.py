"""The allowance of a run: whatever is answered in whatever order, what is committed never passes the cap."""

from __future__ import annotations

import argparse
from datetime import datetime, time
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.cli.arg_types import amount, moment, stretch
from runner.domain.errors import UsageError
from runner.domain.limits import Budget, Limits
from runner.domain.money import Charge, Spending, micros
from runner.domain.shots import Ticket
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    AdoptionUndone,
    CostSeen,
    Ended,
    Fact,
    FailureClass,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    TakeState,
    Vanished,
)

NOW = 1_800_000_000.0
FREE: tuple[Fact, ...] = (
    NotSent("a", "no route"),
    RefusedForNow("a", "busy", 0.0),
    Refused("a", FailureClass.REFUSED, "no"),
    AccountTurnedAway("a", FailureClass.AUTH, "no"),
)


def ticket(name: str, estimate: float | None = 0.1) -> Ticket:
    return Ticket(name, "m", "{}", "print", TakeState.PENDING, estimate=estimate)


def allowance(spending: Spending | None = None, *, deadline: float | None = None, **limits: object) -> Budget:
    return Budget(
        Limits(**limits),  # type: ignore[arg-type]
        wall=lambda: NOW,
        monotonic=lambda: 0.0,
        spending=spending or Spending(),
        deadline=deadline,
    )


def send(purse: Budget, name: str, *facts: Fact, estimate: float | None = 0.1) -> None:
    """Reserve for a take and tell what became of it."""
    purse.reserve(ticket(name, estimate))
    for fact in facts:
        purse.note(name, fact)


def accepted() -> Accepted:
    return Accepted("a", "r")


def ended(cost: float | None, outcome: TakeState = TakeState.SUCCEEDED) -> Ended:
    return Ended(outcome, "{}", cost=cost)


def test_three_dimes_fit_under_thirty_cents_exactly() -> None:
    purse = allowance(max_cost=0.3)
    for name in "abc":
        assert purse.limit_hit(ticket(name)) is None
        send(purse, name, accepted(), ended(0.1))
    assert purse.committed == 300_000
    assert purse.limit_hit(ticket("d", 0.000001)) is not None


def test_what_is_reserved_counts_before_it_is_answered() -> None:
    """Submits side by side cannot pass the cap together."""
    purse = allowance(max_cost=0.25)
    for name in "ab":
        assert purse.limit_hit(ticket(name)) is None
        purse.reserve(ticket(name))
    limit_hit = purse.limit_hit(ticket("c"))
    assert limit_hit is not None
    assert limit_hit.may_ease
    assert "--max-cost $0.25: $0.20 is spent or reserved, and c at $0.10" in limit_hit.reason


@pytest.mark.parametrize("fact", FREE, ids=lambda fact: type(fact).__name__)
def test_a_proof_of_not_being_charged_gives_the_money_back(fact: Fact) -> None:
    purse = allowance(max_cost=0.1, max_submits=1)
    send(purse, "a", fact)
    assert (purse.committed, purse.limit_hit(ticket("b"))) == (0, None)
    purse.give_back("a")
    assert purse.committed == 0


def test_a_cost_that_is_lower_makes_room_and_a_higher_one_takes_it() -> None:
    purse = allowance(max_cost=0.2)
    send(purse, "a", accepted(), ended(0.04))
    assert purse.limit_hit(ticket("b", 0.16)) is None
    send(purse, "b", accepted(), ended(0.5), estimate=0.16)
    assert purse.committed == 540_000
    assert purse.limit_hit(ticket("c", 0.0)) is not None


LASTING: dict[str, tuple[Fact, ...]] = {
    "its job is out": (accepted(),),
    "no answer came": (LostContact("a", "sent", "cut"),),
    "it ended and its cost is not known": (accepted(), ended(None)),
    "it failed": (accepted(), ended(None, TakeState.FAILED)),
    "it vanished": (accepted(), Vanished(FailureClass.MISSING, "404")),
}


@pytest.mark.parametrize("facts", LASTING.values(), ids=LASTING)
def test_an_estimate_stands_until_a_cost_is_known(facts: tuple[Fact, ...]) -> None:
    purse = allowance(max_cost=0.1)
    send(purse, "a", *facts)
    assert purse.committed == 100_000
    limit_hit = purse.limit_hit(ticket("b"))
    assert limit_hit is not None
    assert limit_hit.may_ease is (facts == LASTING["its job is out"])
    purse.note("a", CostSeen(0.0))
    assert purse.committed == 0


def test_waiting_is_given_up_where_it_cannot_help() -> None:
    """Even if all that is under way were free, the next take would not fit."""
    purse = allowance(Spending((Charge("old", 0.3, 0.3),)), max_cost=0.45)
    send(purse, "a", accepted())
    limit_hit = purse.limit_hit(ticket("b", 0.2))
    assert limit_hit is not None
    assert not limit_hit.may_ease


def test_a_retried_take_is_counted_for_each_attempt() -> None:
    purse = allowance(max_cost=1.0)
    send(purse, "a", accepted(), ended(0.3, TakeState.FAILED))
    send(purse, "a", accepted(), ended(None))
    assert purse.committed == 400_000
    purse.note("a", CostSeen(0.2))
    assert purse.committed == 500_000


@pytest.mark.parametrize("cost", [-5.0, -1e300, 1e300])
def test_a_senseless_cost_neither_earns_money_nor_breaks_the_sums(cost: float) -> None:
    purse = allowance(max_cost=1.0)
    send(purse, "a", accepted(), ended(cost))
    assert purse.committed >= 0
    assert Charge("a", 0.1, cost).usd >= 0


def test_a_take_without_a_price_needs_the_flag_and_counts_as_nothing() -> None:
    refused = allowance(max_cost=1.0).limit_hit(ticket("a", None))
    assert refused is not None
    assert not refused.may_ease
    purse = allowance(max_cost=1.0, allow_unpriced=True)
    assert purse.limit_hit(ticket("a", None)) is None
    send(purse, "a", accepted(), estimate=None)
    assert purse.committed == 0


def test_submissions_are_counted_over_the_life_of_the_run() -> None:
    purse = allowance(Spending((Charge("x"), Charge("y"))), max_submits=3)
    assert purse.limit_hit(ticket("a")) is None
    purse.reserve(ticket("a"))
    limit_hit = purse.limit_hit(ticket("b"))
    assert limit_hit is not None
    assert limit_hit.may_ease
    purse.note("a", accepted())
    limit_hit = purse.limit_hit(ticket("b"))
    assert limit_hit is not None
    assert not limit_hit.may_ease


def test_the_warning_comes_once_and_only_past_the_mark() -> None:
    purse = allowance(warn_cost=0.2)
    send(purse, "a", accepted())
    send(purse, "b", accepted())
    assert purse.warning() is None
    send(purse, "c", accepted())
    assert purse.warning() == "$0.30 is spent or reserved, more than --warn-cost $0.20"
    assert purse.warning() is None


def test_a_mark_that_was_passed_before_is_told_at_the_start() -> None:
    assert allowance(Spending((Charge("x", 0.5),)), warn_cost=0.2).warning() is not None


def test_when_the_time_is_up_nothing_goes() -> None:
    assert allowance(deadline=NOW + 0.5).limit_hit(ticket("a")) is None
    limit_hit = allowance(deadline=NOW).limit_hit(ticket("a"))
    assert limit_hit is not None
    assert "its time was up at 20" in limit_hit.reason


class _Clocks:
    """Two clocks that a test moves; the wall clock also back."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 500.0

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds

    def purse(self, *, lasts: float) -> Budget:
        return Budget(Limits(), wall=lambda: self.wall, monotonic=lambda: self.steady, deadline=NOW + lasts)


def test_a_clock_set_back_lengthens_nothing() -> None:
    clocks = _Clocks()
    purse = clocks.purse(lasts=100.0)
    clocks.pass_by(60.0)
    clocks.wall -= 3600.0
    assert purse.time_left() == 40.0
    clocks.pass_by(40.0)
    limit_hit = purse.limit_hit(ticket("a"))
    assert limit_hit is not None
    assert "set back meanwhile" in limit_hit.reason


def test_sleep_that_was_seen_stays_counted_when_the_clock_is_set_back() -> None:
    """Asleep only the wall clock goes on; put back afterwards, it gives none of that time back."""
    clocks = _Clocks()
    purse = clocks.purse(lasts=100.0)
    clocks.wall += 70.0
    assert purse.time_left() == 30.0
    clocks.wall -= 70.0
    assert purse.time_left() == 30.0


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(-200, 200)), max_size=20))
def test_what_is_left_shrinks_by_no_less_than_the_time_that_passes(moves: list[tuple[float, float]]) -> None:
    """However the wall clock is set: after so many seconds of work a run has at most the rest."""
    clocks = _Clocks()
    purse = clocks.purse(lasts=100.0)
    worked = 0.0
    for seconds, jump in moves:
        clocks.pass_by(seconds)
        clocks.wall += jump
        worked += seconds
        left = purse.time_left()
        assert left is not None
        assert left <= max(0.0, 100.0 - worked) + 1e-5


STEP = st.tuples(
    st.integers(0, 30), st.sampled_from(["go", "accept", "free", "lose", "end", "late"]), st.integers(0, 150)
)


@given(
    cap=st.integers(1, 1_000),
    prices=st.lists(st.integers(0, 400), min_size=1, max_size=12),
    steps=st.lists(STEP, max_size=60),
)
def test_what_is_committed_never_passes_the_cap(
    cap: int, prices: list[int], steps: list[tuple[int, str, int]]
) -> None:
    """For any order of answers and any costs: only a cost above its estimate can, and by no more than that."""
    purse = allowance(max_cost=cap / 1000)
    in_air: list[Ticket] = []
    out: list[Ticket] = []
    over: list[Ticket] = []
    names = count()
    booked: dict[str, int] = {}
    excess = 0
    for which, what, share in steps:
        if what == "go":
            price = prices[which % len(prices)]
            take = ticket(f"t{next(names)}", price / 1000)
            limit_hit = purse.limit_hit(take)
            assert (limit_hit is None) == (sum(booked.values()) + price * 1000 <= cap * 1000)
            if limit_hit is None:
                purse.reserve(take)
                in_air.append(take)
                booked[take.take_id] = price * 1000
            else:
                assert limit_hit.may_ease <= bool(in_air or out)
        elif what in {"accept", "free", "lose"} and in_air:
            take = in_air.pop(which % len(in_air))
            fact = {"accept": accepted(), "free": FREE[share % 4], "lose": LostContact("a", "sent", "cut")}[
                what
            ]
            purse.note(take.take_id, fact)
            if what == "free":
                del booked[take.take_id]
            else:
                (out if what == "accept" else over).append(take)
        elif what in {"end", "late"} and (out if what == "end" else over):
            source = out if what == "end" else over
            take = source.pop(which % len(source))
            if what == "end" and share % 3 == 0:
                # Its cost comes late, if ever.
                purse.note(take.take_id, ended(None))
                over.append(take)
            else:
                cost = (take.estimate or 0.0) * share / 100
                purse.note(take.take_id, ended(cost) if what == "end" else CostSeen(cost))
                excess += max(0, micros(cost) - booked[take.take_id])
                booked[take.take_id] = micros(cost)
        assert purse.committed == sum(booked.values())
        assert purse.committed <= cap * 1000 + excess


GOOD_AMOUNTS = {"1": 1.0, "12.50": 12.5, "0.000001": 0.000001}
BAD_AMOUNTS = ["nan", "inf", "-5", "1,50", "0", "0.00", "", "1e3", "$5", "٣", "1.2345678", " 1"]


@pytest.mark.parametrize("text", GOOD_AMOUNTS)
def test_an_amount_is_plain_dollars(text: str) -> None:
    assert amount(text) == GOOD_AMOUNTS[text]


@pytest.mark.parametrize("text", BAD_AMOUNTS)
def test_what_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"12\.50"):
        amount(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("6h", 21600), ("90m", 5400), ("2h30m", 9000), ("1d", 86400), ("1h1s", 3601)]
)
def test_a_stretch_of_time_may_have_parts(text: str, seconds: int) -> None:
    assert stretch(text) == seconds


@pytest.mark.parametrize("text", ["", "0h", "6", "h", "-6h", "6 h", "1.5h", "30m2h", "31d", "nan", "inf"])
def test_what_is_no_stretch_of_time_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="2h30m"):
        stretch(text)


def test_a_moment_is_a_time_of_day_or_a_date_and_time() -> None:
    assert moment("07:00") == time(7)
    assert moment("7:05") == time(7, 5)
    assert moment("2027-01-31T07:00") == datetime(2027, 1, 31, 7).timestamp()  # noqa: DTZ001 - local on purpose
    assert moment("2027-01-31T07:00+00:00") == 1_801_378_800.0


@pytest.mark.parametrize("text", ["", "7", "24:00", "07:60", "2027-01-31", "2027-02-30T07:00", "noon", "nan"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="07:00"):
        moment(text)


def test_until_a_time_of_day_means_the_next_one() -> None:
    """Before it the same day, from that very moment on the next."""
    seven = datetime(2026, 11, 20, 7).timestamp()  # noqa: DTZ001 - local on purpose
    limits = Limits(until=time(7))
    assert limits.seconds_from(seven - 60) == 60
    assert limits.seconds_from(seven) == 86400
    assert limits.seconds_from(seven + 3600) == 82800


def test_the_shorter_of_two_times_holds_and_a_moment_that_has_passed_leaves_none() -> None:
    assert Limits(until=NOW + 100, lasts=60.0).seconds_from(NOW) == 60
    assert Limits(until=NOW + 10, lasts=60.0).seconds_from(NOW) == 10
    assert Limits(until=NOW - 10).seconds_from(NOW) == -10
    assert Limits().seconds_from(NOW) is None


@pytest.mark.parametrize("name", ["max_cost", "warn_cost", "max_submits", "lasts"])
@pytest.mark.parametrize("value", [0, -5, float("nan"), float("inf")])
def test_a_bound_that_bounds_nothing_or_everything_is_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        Limits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fact",
    [Vanished(FailureClass.MISSING, "unknown"), AdoptionUndone("r", "its record", "its model is x")],
    ids=["vanished", "disowned"],
)
def test_a_job_of_which_no_cost_will_come_stays_counted_and_is_not_waited_for(fact: Fact) -> None:
    purse = allowance(max_cost=0.15)
    send(purse, "a", accepted())
    before = purse.limit_hit(ticket("b"))
    assert before is not None
    assert before.may_ease
    purse.note("a", fact)
    after = purse.limit_hit(ticket("b"))
    assert after is not None
    assert not after.may_ease
    assert purse.committed == 100_000
