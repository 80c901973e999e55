"""Submitting: it sends one take at a time through a narrow window, and records each before its first byte.

In: pending takes, a free slot, a closed breaker. Out: the recorded intent, one POST, its answer handed on. It does not
know what the answer means. It never sends an attempt a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from runner.domain import failpoints
from runner.domain.api_answers import SubmitAnswer
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import LostContact, SubmissionStarted, TakeState
from runner.engine.context import EngineContext
from runner.engine.ports import FreeSpace
from runner.engine.run_state import ActiveTake
from runner.system.backoff import RETRY_AFTER_CEILING

_TIME_STEP = 20.0
_MB = 1_000_000


class Submitter:
    """Gives pending takes to the API, in order, as slots come free."""

    def __init__(
        self,
        means: EngineContext,
        *,
        epoch: int,
        new_attempt: Callable[[], str],
        settle: Callable[[ActiveTake, SubmitAnswer], Awaitable[None]],
        room: FreeSpace | None = None,
    ) -> None:
        """`settle` is awaited with every answer before the next submit of its place in the window."""
        self._means = means
        self._board = means.board
        self._breaker = means.breaker
        self._epoch = epoch
        self._new_attempt = new_attempt
        self._settle = settle
        self._room = room or (lambda: None)
        self._stopped = False
        self._at_work = 0
        self._abandoned = asyncio.Event()
        self._breaker.rest(self._wished_before())

    def _wished_before(self) -> float:
        """Return what is left of the pause that the API asked an earlier run for."""
        now = self._means.clock.wall()
        wishes = [live.ticket.not_before - now for live in self._board.pending]
        return min(max([0.0, *wishes]), RETRY_AFTER_CEILING)

    def stop(self) -> None:
        """Begin no further POST; one that is being sent still gets its answer."""
        self._stopped = True
        self._board.changed.set()

    def abandon(self) -> None:
        """Wait no longer for the POST being sent: its take is held, since it may have been charged."""
        self.stop()
        self._abandoned.set()

    async def run(self) -> None:
        """Submit until the run is finished or `stop` was called; run one of these for each place in the window."""
        while (live := await self._next()) is not None:
            self._at_work += 1
            try:
                await self._submit(live)
            finally:
                self._at_work -= 1
            self._board.changed.set()

    async def _next(self) -> ActiveTake | None:
        """Return the next take with its slot taken, or None when there will be none."""
        while not self._stopped:
            # The run must be finished first, since a take that failed may be queued again for another paid attempt.
            if self._board.finished.is_set():
                return None
            wait = self._wait()
            if wait == 0.0:
                if self._is_affordable(self._board.pending[0]) and self._has_room_for_its_clip():
                    return self._claim()
                wait = None
            if not self._stopped:
                await self._change_within(wait)
        return None

    def _has_room_for_its_clip(self) -> bool:
        """Return whether the clips of all active jobs and of one more will fit; if not, the submitting ends.

        Active jobs still run to their end: there is room for their clips.
        """
        room = self._room()
        needed = self._board.largest_clip * (self._board.slots_held + 1)
        if room is None or (room > 0 and room >= needed):
            return True
        reason = f"too little room for clips: {max(room, 0) // _MB} MB to spare"
        reason += f", {-(-needed // _MB)} MB needed" if needed else ""
        self._means.end(EndingKind.DISK, f"{reason}; free the disk first", Stop.DRAIN)
        return False

    def _is_affordable(self, live: ActiveTake) -> bool:
        """Return whether the limits let `live` go; if they never will, the submitting ends."""
        limit_hit = self._board.allowance.limit_hit(live.ticket)
        if limit_hit is not None and not limit_hit.may_ease:
            self._means.end(EndingKind.LIMIT, limit_hit.reason, self._means.options.at_limit)
        return limit_hit is None

    def _claim(self) -> ActiveTake:
        """Take the next take's slot and reserve its price, in one step with the check whether it may go."""
        live = self._board.pending.popleft()
        self._board.take_slot(live)
        self._board.allowance.reserve(live.ticket)
        self._board.warn_of_cost()
        return live

    async def watch_the_time(self) -> None:
        """End the submitting when its time is up, even while it waits for something else."""
        allowance = self._board.allowance
        while left := allowance.time_left():
            # The steps are short, since the limit is by the wall clock, which goes on in sleep and can be set.
            await self._means.clock.sleep(min(left, _TIME_STEP))
        if left is None:
            return
        how = self._means.options.at_limit
        # With nothing left to submit, the limit matters only for jobs that it shall cancel.
        if self._board.pending or (how is Stop.CANCEL_QUEUED and self._board.slots_held):
            self._means.end(EndingKind.LIMIT, allowance.time_is_up(), how)

    def _wait(self) -> float | None:
        """Return the seconds until the next take may go: 0 is now, None is when something changes."""
        if not (self._board.pending and self._board.has_room and self._breaker.lets_submit):
            return None
        if self._means.account.is_doubted or (self._means.refusals.is_spell and self._at_work):
            return None
        if not self._means.vanguard.lets_pass():
            return None
        return self._breaker.rest_left()

    async def _change_within(self, seconds: float | None) -> None:
        self._board.changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._board.changed.wait()
        except TimeoutError:
            return

    async def _submit(self, live: ActiveTake) -> None:
        attempt = self._new_attempt()
        live.attempts += 1
        failpoints.hit("submit.claimed")
        answer = await self._answer(live, attempt)
        failpoints.hit("submit.answered")
        if live.state is TakeState.SUBMITTING or not isinstance(answer, LostContact):
            await self._settle(live, answer)
        else:
            self._board.put_back(live)

    async def _answer(self, live: ActiveTake, attempt: str) -> SubmitAnswer:
        """Return the API's answer, or `LostContact` once `abandon` was called."""
        post = asyncio.ensure_future(self._post(live, attempt))
        abandoned = asyncio.ensure_future(self._abandoned.wait())
        try:
            await asyncio.wait({post, abandoned}, return_when=asyncio.FIRST_COMPLETED)
            if not post.done():
                post.cancel()
                await asyncio.wait({post})
        finally:
            abandoned.cancel()
        if post.cancelled():
            return LostContact(attempt, "sending", "the run was stopped before the answer came")
        return post.result()

    async def _post(self, live: ActiveTake, attempt: str) -> SubmitAnswer:
        async def begin() -> None:
            started = SubmissionStarted(attempt, live.ticket.fingerprint, self._epoch)
            # Shielded: code that gives up on the POST must still learn whether the intent is recorded.
            await asyncio.shield(asyncio.ensure_future(self._board.record(live, started)))
            failpoints.hit("submit.begun")

        return await self._means.queue.submit(live.ticket, attempt=attempt, begin=begin)
