"""Submitting: one take at a time through a narrow window, each written down before its first byte.

In: pending takes, a free slot, an open gate. Out: one fact per attempt. What it must not do is try again: only a
proof that nothing was sent puts a take back to pending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import assert_never

from runner.answers import SubmitAnswer
from runner.engine.board import Live
from runner.engine.means import Means
from runner.engine.options import EndingKind, Stop
from runner.errors import DiskFailed
from runner.states import (
    Accepted,
    AccountTurnedAway,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    SubmissionStarted,
    TakeState,
)


class Submitter:
    """Gives pending takes to the API, in order, as slots come free."""

    def __init__(
        self, means: Means, *, epoch: int, new_attempt: Callable[[], str], accepted: Callable[[Live], None]
    ) -> None:
        self._means = means
        self._board = means.board
        self._gate = means.gate
        self._epoch = epoch
        self._new_attempt = new_attempt
        self._accepted = accepted
        self._in_the_air = 0
        self._unknown = 0
        self._refusals = 0
        self._stopped = False

    def stop(self) -> None:
        """Begin no further POST; one that is in the air is seen through."""
        self._stopped = True
        self._board.changed.set()

    async def run(self) -> None:
        """Submit until nothing is left to submit or `stop` was called; run once per place in the window."""
        while (live := await self._next()) is not None:
            self._in_the_air += 1
            try:
                await self._submit(live)
            finally:
                self._in_the_air -= 1
                self._board.changed.set()

    async def _next(self) -> Live | None:
        """Return the next take with its slot taken, or None when there will be none."""
        while not self._stopped:
            if not self._board.pending and not self._in_the_air:
                return None
            wait = self._wait()
            if wait == 0.0:
                live = self._board.pending.popleft()
                self._board.take_slot(live)
                return live
            await self._change_within(wait)
        return None

    def _wait(self) -> float | None:
        """Return the seconds until the next take may go: 0 for now, None for until something changes."""
        if not (self._board.pending and self._board.has_room and self._gate.is_open):
            return None
        own = self._board.pending[0].not_before - self._means.clock.wall()
        return max(self._gate.rest_left(), own, 0.0)

    async def _change_within(self, seconds: float | None) -> None:
        self._board.changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._board.changed.wait()
        except TimeoutError:
            return

    async def _submit(self, live: Live) -> None:
        attempt = self._new_attempt()

        async def begin() -> None:
            started = SubmissionStarted(attempt, live.ticket.fingerprint, self._epoch)
            await self._board.record(live, started)

        answer = await self._means.queue.submit(live.ticket, attempt=attempt, begin=begin)
        await self._settle(live, answer)

    async def _settle(self, live: Live, answer: SubmitAnswer) -> None:
        match answer:
            case Accepted():
                await self._keep(live, answer)
            case NotSent(reason=reason):
                await self._put_back(live, answer)
                self._gate.shut(live.ticket.model, reason)
            case RefusedForNow(not_before=moment):
                live.not_before = moment
                await self._put_back(live, answer)
                self._rest(moment)
            case AccountTurnedAway(reason=reason):
                await self._put_back(live, answer)
                self._means.end(EndingKind.ACCOUNT, reason, Stop.DRAIN)
            case Refused():
                self._refusals = 0
                await self._board.record(live, answer)
            case LostContact(reason=reason):
                await self._hold(live, answer, reason)
            case _:
                assert_never(answer)

    async def _keep(self, live: Live, answer: Accepted) -> None:
        """Make the receipt durable before anything uses it."""
        try:
            await self._board.record(live, answer)
        except DiskFailed as failure:
            raise DiskFailed(
                f"{live.id} was accepted as request {answer.request_id}, but that could not be written down: {failure}",
                advice="keep this id: the take is held when the run goes on",
            ) from failure
        self._refusals = 0
        live.request_id = answer.request_id
        live.born = self._means.clock.monotonic()
        self._accepted(live)

    async def _put_back(self, live: Live, answer: NotSent | RefusedForNow | AccountTurnedAway) -> None:
        # A connection that never came about has not awaited `begin`, so there may be no attempt to close.
        if live.state is TakeState.SUBMITTING:
            await self._board.record(live, answer)
        self._board.put_back(live)

    def _rest(self, not_before: float) -> None:
        """Pause all submits, longer after each refusal in a row."""
        self._refusals += 1
        own = self._means.options.throttled.delay(self._refusals, chance=self._means.chance())
        wished = not_before - self._means.clock.wall()
        self._gate.rest(max(own, wished))
        self._board.say(f"the API asked for a pause; submitting goes on in {max(own, wished):.0f} s")

    async def _hold(self, live: Live, answer: LostContact, reason: str) -> None:
        await self._board.record(live, answer)
        self._unknown += 1
        if self._unknown >= self._means.options.max_unknown:
            self._means.end(
                EndingKind.UNKNOWNS, f"{self._unknown} submits were left without an answer", Stop.DRAIN
            )
        else:
            self._gate.shut(live.ticket.model, reason)
