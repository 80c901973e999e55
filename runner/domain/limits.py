"""The limits of a run: money, submissions and time, and the count of what is left of them.

Money is counted in whole millionths of a dollar. A take's estimate is reserved before its POST, so that parallel
submits cannot pass the cap together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from runner.domain import states
from runner.domain.money import NOTHING_SPENT, Spending, dollars, micros
from runner.domain.option_checks import Rule, above_zero, check_options, one, or_none, whole
from runner.domain.shots import Ticket
from runner.domain.states import Fact

_CLOCKS_AGREE = 2.0
"""Seconds by which the wall clock may drift from the monotonic one without counting as set."""

NO_PRICE = "no price under --max-cost"


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds that a person set for a run; None means that there is no bound.

    `max_cost` and `warn_cost` are US dollars and `max_submits` a number, each over the whole life of the run directory.
    `lasts` is in seconds, `until` a time of day on this machine or unix seconds; the run turns both into one deadline.
    When a limit stops the submitting, `cancel_queued` cancels jobs that still wait at the API. Otherwise they run to
    their end, and what they cost less than reserved goes to further takes. `allow_unpriced` lets takes without a price
    go under a cap, where they count for nothing.

    Raises:
        UsageError: a bound of the wrong type, or one that lets nothing happen.
    """

    max_cost: float | None = None
    warn_cost: float | None = None
    max_submits: int | None = None
    until: time | float | None = None
    lasts: float | None = None
    cancel_queued: bool = False
    allow_unpriced: bool = False

    def __post_init__(self) -> None:
        check_options(self, _RULES)

    def seconds_from(self, start: float) -> float | None:
        """Return how many seconds a run that began at wall time `start` may submit; None without a limit.

        The result is negative if the time was up before, so that the message names that moment.
        """
        given = [self.lasts] if self.lasts is not None else []
        if isinstance(self.until, time):
            given.append(_next_moment(self.until, start) - start)
        elif self.until is not None:
            given.append(self.until - start)
        return min(given, default=None)

    @property
    def needs_prices(self) -> bool:
        """True where a take without a price may not go."""
        return self.max_cost is not None and not self.allow_unpriced


_RULES = {
    **dict.fromkeys(("max_cost", "warn_cost", "lasts"), or_none(above_zero())),
    "max_submits": or_none(whole(1)),
    "until": or_none(
        Rule(
            "a datetime.time or unix seconds",
            lambda given: isinstance(given, time | int | float) and not isinstance(given, bool),
        )
    ),
    **dict.fromkeys(("cancel_queued", "allow_unpriced"), one(bool)),
}
"""What each field of `Limits` may hold."""


def _next_moment(when: time, start: float) -> float:
    """Return the next moment at which local clocks show `when`, as unix seconds.

    In the hour that autumn repeats they show it twice (PEP 495). For a time that spring skips it is one hour later.
    """
    begins = datetime.fromtimestamp(start)  # noqa: DTZ006 - a time of day is what the clocks here show
    days = [datetime.combine(begins.date(), when) + timedelta(days=day) for day in (0, 1)]
    first = [day.timestamp() for day in days]
    again = [max(at, day.replace(fold=1).timestamp()) for at, day in zip(first, days, strict=True)]
    return min(moment for moment in (*first, *again) if moment > start)


@dataclass(frozen=True, slots=True)
class Hurdle:
    """Why the next take may not go, in words; `may_ease` says that work in progress may make room for it.

    `short` is the text for a take among many.
    """

    reason: str
    short: str
    may_ease: bool = False


class Budget:
    """Counts what a run has left of its limits; the engine asks before each submit and reports every fact.

    A submission is *reserved* from before its POST until its answer, then *out* until its job has ended. Until then its
    cost may turn out lower than its estimate. Without a known cost its estimate counts. `committed` is how many
    millionths of a dollar are spent, may have been, or are reserved.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        wall: Callable[[], float],
        monotonic: Callable[[], float],
        spending: Spending = NOTHING_SPENT,
        active: Collection[str] = (),
        deadline: float | None = None,
    ) -> None:
        """Begin where earlier runs ended; `active` are takes with a job at the API, `deadline` is wall time.

        The time left never grows: the clock by which more time has passed decides. Only the wall clock counts the
        machine's sleep, and only it can be set back. The time of an earlier process is known only by the wall clock.
        """
        self._limits = limits
        self._wall = wall
        self._monotonic = monotonic
        self._deadline = deadline
        self._ends_at = None if deadline is None else monotonic() + deadline - wall()
        self.committed = sum(micros(charge.usd) for charge in spending.charges)
        self._submits = len(spending.charges)
        # Of takes whose cost is known nothing is kept: there may be a hundred thousand of them.
        self._latest = {
            charge.take_id: micros(charge.usd)
            for charge in spending.charges
            if charge.latest and charge.cost is None
        }
        self._reserved: dict[str, int] = {}
        self._out = {take_id for take_id in active if take_id in self._latest}
        self._has_warned = limits.warn_cost is None

    def tune(self, limits: Limits) -> None:
        """Count towards other limits from now on; the deadline stays, and a new `warn_cost` warns again."""
        if limits.warn_cost != self._limits.warn_cost:
            self._has_warned = limits.warn_cost is None
        self._limits = limits

    def time_left(self) -> float | None:
        """Return the seconds until submitting stops, by the clock that says less; None without such a limit."""
        if self._deadline is None or self._ends_at is None:
            return None
        now = self._monotonic()
        self._ends_at = min(self._ends_at, now + self._deadline - self._wall())
        return max(0.0, self._ends_at - now)

    def time_is_up(self) -> str:
        """Return the words for a run whose time is over."""
        deadline = self._deadline or 0.0
        if self._wall() < deadline - _CLOCKS_AGREE:
            return "its time was up; the clock shows less because it was set back meanwhile"
        # It is shown by the machine's own clock and zone, since the limit was given so.
        moment = datetime.fromtimestamp(deadline)  # noqa: DTZ006
        return f"its time was up at {moment:%Y-%m-%d %H:%M}"

    def limit_hit(self, ticket: Ticket) -> Hurdle | None:
        """Return what keeps `ticket` from being submitted now, or None if it may go."""
        if self.time_left() == 0.0:
            return Hurdle(self.time_is_up(), self.time_is_up())
        most = self._limits.max_submits
        if most is not None and self._submits >= most:
            reached = f"--max-submits {most} is reached"
            return Hurdle(reached, "past --max-submits", may_ease=bool(self._reserved))
        if self._limits.max_cost is None:
            return None
        if ticket.estimate is None and self._limits.needs_prices:
            return Hurdle(f"{ticket.take_id} has no price, which --max-cost needs", NO_PRICE)
        cap, price = micros(self._limits.max_cost), micros(ticket.estimate or 0.0)
        if self.committed + price <= cap:
            return None
        reason = (
            f"--max-cost {dollars(cap)}: {dollars(self.committed)} is spent or reserved, and {ticket.take_id} at "
            f"{dollars(price)} would exceed it"
        )
        # These may still turn out lower, at best free, so it is worth waiting for them before the run stops. A run
        # that cancels waiting jobs must not wait for those: once all have ended, none is left to cancel.
        out = () if self._limits.cancel_queued else self._out
        hopes = [*self._reserved.values(), *(self._latest[take_id] for take_id in out)]
        may_ease = bool(hopes) and self.committed - sum(hopes) + price <= cap
        return Hurdle(reason, "past --max-cost", may_ease=may_ease)

    def reserve(self, ticket: Ticket) -> None:
        """Count `ticket` as paid for; call this in the same step as `limit_hit`, before anything else can ask."""
        price = micros(ticket.estimate or 0.0)
        self._reserved[ticket.take_id] = price
        self.committed += price
        self._submits += 1

    def give_back(self, take_id: str) -> None:
        """Count a submission as free, since it was proved not accepted; it does no harm if none is reserved."""
        price = self._reserved.pop(take_id, None)
        if price is not None:
            self.committed -= price
            self._submits -= 1

    def note(self, take_id: str, fact: Fact) -> None:
        """Count what has just been recorded about a take."""
        match fact:
            case states.NotSent() | states.RefusedForNow() | states.Refused() | states.AccountTurnedAway():
                self.give_back(take_id)
            case states.Accepted():
                self._settle(take_id)
                if take_id in self._latest:
                    self._out.add(take_id)
            case states.LostContact():
                self._settle(take_id)
            case states.Ended(cost=cost) | states.CostSeen(cost=cost):
                self.leave(take_id)
                if cost is not None and take_id in self._latest:
                    self.committed += max(0, micros(cost)) - self._latest.pop(take_id)
            case states.Vanished() | states.AdoptionUndone():
                self.leave(take_id)
            case _:
                pass

    def leave(self, take_id: str) -> None:
        """Wait no longer for the cost of a take's job, or for its answer; it stays counted."""
        self._settle(take_id)
        self._out.discard(take_id)

    def _settle(self, take_id: str) -> None:
        """Keep what was reserved as spent, unless an answer says otherwise."""
        if take_id in self._reserved:
            self._latest[take_id] = self._reserved.pop(take_id)

    def warning(self) -> str | None:
        """Return the warning that `warn_cost` asks for, once, when it is passed."""
        mark = self._limits.warn_cost
        if self._has_warned or mark is None or self.committed <= micros(mark):
            return None
        self._has_warned = True
        return cost_warning(self.committed, mark)


def cost_warning(committed: int, mark: float) -> str:
    """Return the words for `committed` millionths of a dollar that are more than `mark` dollars."""
    return f"{dollars(committed)} is spent or reserved, more than --warn-cost {dollars(micros(mark))}"
