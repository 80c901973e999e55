"""Submitting: it sends takes through a window as narrow as the way allows, and records each before its first byte.

It hands the answer on and does not know what it means. It never sends an attempt a second time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

from runner.domain import failpoints
from runner.domain.api_answers import SubmitAnswer
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, LostContact, SubmissionStarted, TakeState
from runner.engine.context import EngineContext
from runner.engine.pending import Lane
from runner.engine.ports import Announce, FreeSpace
from runner.engine.run_state import ActiveTake
from runner.engine.submit_window import Post, SubmitWindow
from runner.engine.task_failures import raise_first_failure
from runner.engine.timers import happens_within
from runner.system.backoff import RETRY_AFTER_CEILING

_TIME_STEP = 20.0
_ANNOUNCED_FOR = 60.0
"""Seconds by the wall clock, which counts sleep, for which an announcement holds before a POST begins."""

_MB = 1_000_000


class Submitter:
    """Gives pending takes to the API, in order, as slots come free, `window` has room and their models may go.

    `settle` is awaited with every answer before its POST counts as answered. Once `abandoned` is set, the POSTs in the
    air are waited for no longer, and their takes are held, since they may have been charged.
    """

    def __init__(
        self,
        context: EngineContext,
        *,
        epoch: int,
        new_attempt: Callable[[], str],
        window: SubmitWindow,
        settle: Callable[[ActiveTake, SubmitAnswer, Post], Awaitable[None]],
        announce: Announce,
        room: FreeSpace | None,
    ) -> None:
        self.abandoned = asyncio.Event()
        self._context = context
        self._state = context.state
        self._epoch = epoch
        self._new_attempt = new_attempt
        self._window = window
        self._settle = settle
        self._announce = announce
        self._room = room
        self._in_flight: set[asyncio.Task[None]] = set()
        self._failed: list[asyncio.Task[None]] = []
        # An earlier run may have been asked for a pause, which is not over yet.
        wishes = [ticket.not_before - self._state.clock.wall() for ticket in self._state.tickets]
        context.breaker.rest(min(max([0.0, *wishes]), RETRY_AFTER_CEILING))

    async def run(self) -> None:
        """Submit until the run is finished or stopped, and every POST in flight has its answer on record.

        After the first failure of one no other begins; all failures are raised as one.
        """
        try:
            while (live := await self._next()) is not None:
                task = asyncio.create_task(self._submit(live, self._window.begin(self._state.now)))
                self._in_flight.add(task)
                task.add_done_callback(self._answered)
        finally:
            # The answer to a POST that is being sent may be the receipt for money.
            while self._in_flight:
                await asyncio.wait(self._in_flight)
        raise_first_failure(self._failed)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._window.end(waiting=self._waiting)
        if not task.cancelled() and task.exception() is not None:
            self._failed.append(task)
            self._state.stop_submitting()
        self._state.changed.set()

    @property
    def _waiting(self) -> int:
        """How many free slots wait for the POST of a pending take; where a cap or a rate holds it back, none does."""
        return min(self._context.gate.ready(), self._state.options.jobs - self._state.slots_held)

    async def _next(self) -> ActiveTake | None:
        """Return the next take with its slot taken, or None when there will be none."""
        state = self._state
        # The run must be finished first, since a take that failed may be queued again for another paid attempt.
        while not state.is_stopped and not state.finished.is_set():
            turn = self._turn()
            if isinstance(turn, Lane):
                if self._is_affordable(state.next_ticket(turn)) and self._has_room_for_its_clip():
                    # The slot and the price are taken in one step with the check whether the take may go.
                    live = state.claim(turn)
                    state.budget.reserve(live.ticket)
                    self._context.gate.claimed(live.ticket)
                    state.warn_of_cost()
                    return live
                turn = None
            if not state.is_stopped:
                state.changed.clear()
                await happens_within(state.changed, turn)
        return None

    def _turn(self) -> Lane | float | None:
        """Return whose turn it is, or the seconds until the next take may go; None is when something changes."""
        context, state = self._context, self._state
        has_slot = state.pending and not state.is_paused and state.slots_held < state.options.jobs
        if not (has_slot and self._window.has_room and context.breaker.lets_submit):
            return None
        if context.account.is_doubted or (context.refusals.is_streak and self._window.in_flight):
            return None
        context.scouts.halt_if_lost()
        return context.breaker.rest_left() or context.gate.turn(scouts_only=context.scouts.are_out)

    def _has_room_for_its_clip(self) -> bool:
        """Return whether the clips of all active jobs and of one more will fit; if not, the submitting ends."""
        room = self._room() if self._room else None
        needed = self._state.largest_clip * (self._state.slots_held + 1)
        if room is None or (room > 0 and room >= needed):
            return True
        reason = f"too little space for clips: {max(room, 0) // _MB} MB available"
        reason += f", {-(-needed // _MB)} MB needed" if needed else ""
        self._state.end(EndingKind.DISK, f"{reason}; free some space first", Stop.DRAIN)
        return False

    def _is_affordable(self, ticket: Ticket) -> bool:
        """Return whether the limits let `ticket` go; if they never will, the submitting ends."""
        limit_hit = self._state.budget.limit_hit(ticket)
        if limit_hit is not None and not limit_hit.may_ease:
            self._state.end(EndingKind.LIMIT, limit_hit.reason, self._state.options.at_limit)
        return limit_hit is None

    async def watch_the_time(self) -> None:
        """End the submitting when its time is up, even while it waits for something else."""
        state = self._state
        while left := state.budget.time_left():
            # The steps are short, since the limit is by the wall clock, which runs during sleep and can be set.
            await state.clock.sleep(min(left, _TIME_STEP))
        how = state.options.at_limit
        # With nothing left to submit, the limit matters only for jobs that it cancels.
        matters = state.pending or (how is Stop.CANCEL_QUEUED and state.slots_held)
        if left is not None and matters:
            state.end(EndingKind.LIMIT, state.budget.time_is_up(), how)

    async def _submit(self, live: ActiveTake, post: Post) -> None:
        attempt = self._new_attempt()
        live.attempts += 1
        failpoints.hit("submit.claimed")
        try:
            answer = await self._answer(live, attempt)
        finally:
            # Where no way led to the API, no POST has begun.
            self._context.gate.begun(live.ticket)
        failpoints.hit("submit.answered")
        if live.state is TakeState.SUBMITTING or not isinstance(answer, LostContact):
            await self._settle(live, answer, post)
            if isinstance(answer, Accepted):
                self._window.accepted(post, now=self._state.now, waiting=self._waiting)
        else:
            self._state.put_back(live)

    async def _answer(self, live: ActiveTake, attempt: str) -> SubmitAnswer:
        """Return the API's answer, or `LostContact` once `abandoned` is set."""
        wall, announced_at = self._state.clock.wall, -math.inf

        async def begin() -> None:
            started = SubmissionStarted(attempt, live.ticket.fingerprint, self._epoch)
            # A machine that slept since it announced this may have lost the run meanwhile.
            is_fresh = 0 <= wall() - announced_at < _ANNOUNCED_FOR
            async with nullcontext() if is_fresh else self._announce(live.ticket, attempt):
                # Shielded: code that gives up on the POST must still learn whether the intent is recorded.
                await asyncio.shield(asyncio.ensure_future(self._state.record(live, started)))
            self._context.gate.begun(live.ticket)
            failpoints.hit("submit.begun")

        async def submit() -> SubmitAnswer:
            nonlocal announced_at
            async with self._announce(live.ticket, attempt):
                announced_at = wall()
                return await self._context.queue.submit(live.ticket, attempt=attempt, begin=begin)

        post = asyncio.ensure_future(submit())
        abandoned = asyncio.ensure_future(self.abandoned.wait())
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
