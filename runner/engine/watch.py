"""Watching: looks at jobs that are out there, spaced by what is known of their length, and reads their results.

In: accepted takes. Out: started, requeued, ended and vanished facts, and succeeded takes handed on. A failed look
never fails a paid take.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from runner.answers import JobStatus, NotYet, Seen, Trouble, TroubleKind
from runner.engine.agenda import Agenda
from runner.engine.board import Live
from runner.engine.means import Means
from runner.engine.options import EndingKind, Stop
from runner.pacing import Durations
from runner.states import Ended, FailureClass, Requeued, Started, TakeState, Vanished

MISSES_THAT_COUNT = 3
"""Looks in a row that must find an id unknown before it is believed: one may be a replica that lags."""

_UNSEEN_SHARE = 0.9
"""A job found ended at its first look took at most so long; the guess errs low, or history could only grow."""


class Watcher:
    """Looks at every accepted take until its result is known."""

    def __init__(self, means: Means, *, durations: Durations, succeeded: Callable[[Live], None]) -> None:
        self._means = means
        self._board = means.board
        self._gate = means.gate
        self._durations = durations
        self._succeeded = succeeded
        self._agenda: Agenda[Live] = Agenda(means.clock)
        self._strange: set[str] = set()

    def watch(self, live: Live) -> None:
        """Put a take that is out there on the agenda, first look when it may have ended."""
        age = self._means.clock.monotonic() - live.born
        first = self._means.options.pace.first(
            self._durations.soonest(live.ticket.model), chance=self._means.chance()
        )
        # Takes taken up again are all overdue at once; a look each within the floor spreads them.
        spread = self._means.options.pace.floor * self._means.chance() if age > first else 0.0
        self._agenda.add(live, after=max(first - age, spread))

    async def run(self) -> None:
        """Look at whatever is due, until cancelled; run once per call allowed in flight."""
        while True:
            live = await self._agenda.next()
            await self._gate.passes()
            await self._look(live)

    async def _look(self, live: Live) -> None:
        assert live.request_id is not None
        now = self._means.clock.monotonic()
        first = live.watched_from is None
        if live.watched_from is None:
            live.watched_from = now
        answer = await self._means.queue.look(live.request_id)
        if isinstance(answer, Trouble):
            await self._bear(live, answer)
            return
        self._gate.answered()
        live.failures = live.missed = 0
        if answer.status is JobStatus.ENDED:
            await self._collect(live, seen_after=(now - live.born) * (_UNSEEN_SHARE if first else 1.0))
            return
        await self._note(live, answer)
        self._again(live)

    async def _note(self, live: Live, seen: Seen) -> None:
        """Record that a job started or waits again, and say a status word nobody knows."""
        if seen.status is JobStatus.RUNNING and live.state is TakeState.QUEUED:
            await self._board.record(live, Started())
        elif seen.status is JobStatus.QUEUED and live.state is TakeState.RUNNING:
            await self._board.record(live, Requeued())
        elif seen.status is JobStatus.UNKNOWN and seen.word not in self._strange:
            self._strange.add(seen.word)
            self._board.say(f"the API calls {live.id} {seen.word!r}, a word not known here; still looking")

    def _again(self, live: Live) -> None:
        watched = self._means.clock.monotonic() - (live.watched_from or 0.0)
        self._agenda.add(live, after=self._means.options.pace.next(watched, chance=self._means.chance()))

    async def _collect(self, live: Live, *, seen_after: float) -> None:
        """Read the result; the slot is free already, since the API has ended its work."""
        assert live.request_id is not None
        self._board.free_slot(live)
        answer = await self._means.queue.result(live.request_id)
        match answer:
            case Ended():
                await self._close(live, answer, seen_after)
            case NotYet():
                self._again(live)
            case Trouble():
                await self._bear(live, answer)
            case _:
                assert_never(answer)

    async def _close(self, live: Live, ended: Ended, seen_after: float) -> None:
        await self._board.record(live, ended)
        live.outputs = ended.outputs
        if live.state is TakeState.SUCCEEDED:
            self._durations.add(live.ticket.model, seen_after if ended.seconds is None else ended.seconds)
            self._succeeded(live)

    async def _bear(self, live: Live, trouble: Trouble) -> None:
        """Take a read that was not answered for what it is; nothing here fails a job that may still run."""
        live.failures += 1
        if trouble.kind is TroubleKind.ACCOUNT:
            self._means.end(EndingKind.ACCOUNT, trouble.reason, Stop.DETACH)
        elif trouble.kind is TroubleKind.MISSING and await self._is_gone(live, trouble.reason):
            return
        elif trouble.kind is TroubleKind.TRANSIENT:
            self._gate.failed(live.ticket.model, trouble.reason)
        options = self._means.options
        backoff = options.throttled if trouble.kind is TroubleKind.THROTTLED else options.backoff
        wait = max(trouble.retry_after or 0.0, backoff.delay(live.failures, chance=self._means.chance()))
        self._agenda.add(live, after=max(wait, options.pace.floor))

    async def _is_gone(self, live: Live, reason: str) -> bool:
        """Record that the API does not know the id any more, once that is beyond doubt."""
        live.missed += 1
        age = self._means.clock.monotonic() - live.born
        if live.missed < MISSES_THAT_COUNT or age < self._means.options.missing_grace:
            return False
        await self._board.record(live, Vanished(FailureClass.MISSING, reason))
        return True
