"""Equal refusals: if several bodies in a row are refused alike, the cause is the account or the service.

They make a *streak*: submits pause, and one take is tried at growing intervals. Takes that were refused in it go back
to pending, and an acceptance ends it. A take that is refused while others are accepted is itself at fault.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from runner.domain.api_answers import folded
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import AccountTurnedAway, FailureClass, Refused, RetryRequested, TakeState
from runner.engine.circuit_breaker import CircuitBreaker
from runner.engine.poll_pace import OutageTest
from runner.engine.run_state import ActiveTake, RunState
from runner.engine.timers import Stopwatch

FIRST_TRIAL = 30.0
TRIAL_CEILING = 300.0
"""Seconds before a take is tried again: 30, 60, 120, 240 and then every five minutes."""

NO_BALANCE_ALIKE = 2
"""How many bodies refused for an empty balance are enough: no free question can show the balance."""

BY = "the run"
"""The name under which the record says that a refused take is sent again."""

_STEP = 5.0
_SAY_AGAIN_AFTER = 3 * 3600.0
_Answer: TypeAlias = Refused | AccountTurnedAway


@dataclass(frozen=True, slots=True)
class Refusal:
    """One submit that was refused, and how."""

    live: ActiveTake
    answer: _Answer

    @property
    def kind(self) -> tuple[FailureClass, str]:
        """What makes two refusals alike: their words, without numbers, ids and links."""
        return self.answer.failure, folded(self.answer.reason)


class Refusals:
    """Keeps the refusals since the last acceptance, and decides when they are a streak."""

    def __init__(self, state: RunState, breaker: CircuitBreaker) -> None:
        self._state = state
        self._breaker = breaker
        self._recent: list[Refusal] = []
        self._accepted = self._trials = 0
        self._first: dict[tuple[str, tuple[FailureClass, str]], int] = {}
        self._streak = asyncio.Event()
        self._idle = Stopwatch()
        self._said_at = float("-inf")

    @property
    def is_streak(self) -> bool:
        """True while one take at a time is tried."""
        return self._streak.is_set()

    def accepted(self) -> None:
        """Note that a submit was accepted, which ends a streak."""
        self._accepted += 1
        self._recent.clear()
        if self.is_streak:
            self._streak.clear()
            self._trials = 0
            self._idle.is_over()
            self._state.say("a submit was accepted again; submitting continues")

    def is_own_fault(self, live: ActiveTake, answer: _Answer) -> bool:
        """Return whether a take is itself at fault: it is refused again although others were accepted meanwhile."""
        this = Refusal(live, answer)
        if self.is_streak or self._is_fresh(this):
            return False
        return not any(each.kind == this.kind and self._is_fresh(each) for each in self._recent)

    def _is_fresh(self, refusal: Refusal) -> bool:
        """Return whether no take was accepted since this one was first refused in this way."""
        return self._first.get((refusal.live.id, refusal.kind), self._accepted) == self._accepted

    def note(self, live: ActiveTake, answer: _Answer) -> Sequence[Refusal]:
        """Note a refusal, and return those of a streak whose takes go back to pending; none outside a streak."""
        this = Refusal(live, answer)
        self._first.setdefault((live.id, this.kind), self._accepted)
        self._recent.append(this)
        if self.is_streak:
            return [this]
        # Other refusals in between change nothing: a gateway may refuse in several ways. A bad body shows itself later.
        bodies = {each.live.ticket.fingerprint for each in self._recent}
        alike = {each.live.ticket.fingerprint for each in self._recent if each.kind == this.kind}
        if len(bodies) < OutageTest.IN_A_ROW and len(alike) < self._enough(this, alike):
            return []
        # The streak begins at once, so that the answer to a parallel submit does not count the same takes again.
        self._streak.set()
        return list(self._recent)

    def _enough(self, last: Refusal, alike: set[str]) -> int:
        """Return how many different bodies make a streak."""
        answer, few = last.answer, self._state.options.same_refusals
        bodies = self._some_bodies(alike, enough=max(few, OutageTest.IN_A_ROW))
        if isinstance(answer, AccountTurnedAway):
            return min(NO_BALANCE_ALIKE if answer.failure is FailureClass.NO_BALANCE else few, len(bodies))
        if answer.hopeless or (answer.failure is FailureClass.REFUSED and not self._accepted):
            return 1
        # Before anything is accepted, a streak ends the run, so it needs more bodies. Otherwise a few bad rows at the
        # head of a manifest would keep every run from the good rows after them.
        return few if self._accepted else max(few, min(OutageTest.IN_A_ROW, len(bodies)))

    def _some_bodies(self, alike: set[str], *, enough: int) -> set[str]:
        """Return different bodies that were refused alike or wait, at most `enough` of them."""
        bodies = set(alike)
        for ticket in self._state.tickets:
            if len(bodies) >= enough:
                break
            bodies.add(ticket.fingerprint)
        return bodies

    async def put_back(self, streak: Sequence[Refusal]) -> None:
        """Put what failed in a streak back to pending, and pause; end the submitting if nothing was ever accepted."""
        last = streak[-1]
        for each in streak:
            if each.live.state is TakeState.FAILED:
                wish = RetryRequested(BY, f"refused as others were: {each.answer.reason}")
                await self._state.record(each.live, wish, goes_on=True)
                self._state.requeue(each.live)
        hopeless = isinstance(last.answer, Refused) and last.answer.hopeless
        if hopeless or not self._accepted:
            self._end("cannot take submits" if hopeless else "refuses everything", last)
        # If it is no longer recent, a submit that was accepted meanwhile has ended the streak. If the breaker rests,
        # this submit was already being sent when the pause began.
        elif last in self._recent and self._breaker.rest_left() <= 0.0:
            self._pause(last, len(streak))

    def _pause(self, last: Refusal, count: int) -> None:
        wait = min(TRIAL_CEILING, FIRST_TRIAL * 2.0**self._trials)
        self._trials = min(self._trials + 1, 9)
        self._breaker.rest(wait)
        now = self._state.now
        if self._trials == 1 or now - self._said_at >= _SAY_AGAIN_AFTER:
            self._said_at = now
            times = f"{count} submits were" if count > 1 else "a submit was"
            self._state.say(
                f"{times} refused alike: {last.answer.reason}; not the takes' fault, so they are pending again; "
                f"submits pause, and one is tried in {wait:.0f} s, then every {TRIAL_CEILING / 60:.0f} min"
            )

    async def run(self) -> None:
        """End the submitting once only refused takes have been left for long enough; runs until cancelled."""
        while True:
            await self._streak.wait()
            await self._state.clock.sleep(_STEP)
            if not self.is_streak or self._state.has_other_work:
                self._idle.is_over()
                continue
            last = self._recent[-1]
            # An empty account does not fill up by itself.
            is_broke = last.answer.failure is FailureClass.NO_BALANCE
            patience = 0.0 if is_broke else self._state.options.refusal_limit
            if self._idle.goes_on(self._state.now) >= patience:
                self._end("refuses every submit", last)

    def _end(self, what: str, last: Refusal) -> None:
        is_account = isinstance(last.answer, AccountTurnedAway)
        kind = EndingKind.ACCOUNT if is_account else EndingKind.HALTED
        self._state.end(kind, f"the API {what}: {last.answer.reason}", Stop.DRAIN)
