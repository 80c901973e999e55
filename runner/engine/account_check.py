"""The check whether the API still accepts the account; no single answer decides it.

In: refused reads of jobs, refused submits, and the answers to a free question. Out: the account is doubted, so submits
pause; or it is good again. One refusal concerns only its request. Refused reads of several jobs, or a refused submit,
count only if the free question is refused as well. Meanwhile jobs are watched and clips fetched, since a read is free.
The run ends only when nothing else is left to do. It records nothing.
"""

from __future__ import annotations

import asyncio

from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.run_ending import End, EndingKind, Stop
from runner.domain.states import OUT_THERE
from runner.engine.ports import Queue
from runner.engine.run_state import RunState
from runner.engine.timers import Stopwatch
from runner.system.clock import Clock

JOBS_THAT_COUNT = 2
"""How many different jobs need refused reads, with no read answered since, before a question is worth it."""

FIRST_QUESTION = 1.0
QUESTION_CEILING = 300.0
"""Seconds between questions while the account is doubted: 1, 2, 4 and so on up to five minutes."""

_ASKED_AGAIN = 30.0
_LONG_ENOUGH = 4.0
_TRIES = (1.0, 4.0, 0.0)
_STEP = 5.0
_NAMED = 5


class AccountCheck:
    """Doubts the account of a run, and trusts it again; `end` is called once nothing else is left to do.

    A run that had a good answer waits `limit` seconds first, since tokens are renewed and services restart.
    """

    def __init__(self, board: RunState, *, queue: Queue, clock: Clock, limit: float, end: End) -> None:
        self._board = board
        self._queue = queue
        self._clock = clock
        self._limit = limit
        self._end = end
        self._doubted = asyncio.Event()
        self._alone = Stopwatch()
        self._refused: set[str] = set()
        self._reason = ""
        self._was_good = False
        self._answered_at = float("-inf")
        self._is_contradicted = False
        self._asked_at = float("-inf")

    @property
    def is_doubted(self) -> bool:
        """True while nothing shall be submitted."""
        return self._doubted.is_set()

    def answered(self) -> None:
        """Note that a request was answered, which shows that the token was accepted."""
        self._was_good = True
        self._answered_at = self._clock.monotonic()
        self._refused.clear()

    async def read_refused(self, take_id: str, model: str, reason: str) -> None:
        """Note that a read was refused because of the account; after several the free question is asked."""
        self._refused.add(take_id)
        out_there = sum(1 for live in self._board.takes if live.state in OUT_THERE)
        now = self._clock.monotonic()
        asked_lately = now - self._asked_at < _ASKED_AGAIN
        if self.is_doubted or asked_lately or len(self._refused) < min(JOBS_THAT_COUNT, out_there):
            return
        self._asked_at = now
        await self.confirms(model, reason)

    async def confirms(self, model: str, reason: str) -> bool:
        """Ask the free question after a refusal, and return whether it is refused too and the account doubted."""
        for wait in _TRIES:
            trouble = await self._queue.probe(model)
            if trouble is None or trouble.kind is FailureKind.ACCOUNT:
                break
            await self._clock.sleep(wait)
        if trouble is None or trouble.kind is not FailureKind.ACCOUNT or self._is_contradicted:
            return False
        self._doubt(reason)
        return True

    def _doubt(self, reason: str) -> None:
        self._reason = reason
        if not self.is_doubted:
            self._doubted.set()
            self._board.say(
                f"the API refuses the account: {reason}; submits pause, jobs are watched and clips fetched"
            )

    async def keep(self) -> None:
        """Repeat the question while the account is doubted; runs until it is cancelled."""
        while True:
            await self._doubted.wait()
            began = self._clock.monotonic()
            await self._until_trusted()
            self._alone.is_over()
            self._was_good = True
            self._doubted.clear()
            what = "answers about jobs all the same" if self._is_contradicted else "takes the account again"
            self._board.say(
                f"the API {what}, after {self._clock.monotonic() - began:.0f} s; submitting goes on"
            )
            self._board.changed.set()

    async def _until_trusted(self) -> None:
        """Return once the free question is answered, or reads of jobs with the same token contradict its refusal.

        Such an API refuses the question itself, so its refusal no longer counts: what it does with submits, they show.
        """
        began, wait = self._clock.monotonic(), FIRST_QUESTION
        while True:
            trouble = await self._asked_in(wait)
            if trouble is None:
                return
            # An answer that was under way when the doubt began proves nothing.
            if self._answered_at - began >= _LONG_ENOUGH:
                self._is_contradicted = True
                return
            if trouble.kind is FailureKind.ACCOUNT:
                self._end_if_alone()
            wait = min(QUESTION_CEILING, wait * 2.0)

    async def _asked_in(self, seconds: float) -> RequestFailure | None:
        """Return the answer to the free question asked in `seconds`, and end the run meanwhile if it is time."""
        due = self._clock.monotonic() + seconds
        while (left := due - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left, _STEP))
            if seconds > _STEP:
                self._end_if_alone()
        model = next((live.ticket.model for live in self._board.takes), "")
        return await self._queue.probe(model)

    def _end_if_alone(self) -> None:
        if self._board.has_other_work:
            self._alone.is_over()
            return
        patience = self._limit if self._was_good else 0.0
        if self._alone.goes_on(self._clock.monotonic()) >= patience:
            self._end(
                EndingKind.ACCOUNT, f"the API refuses the account: {self._reason}{self._left()}", Stop.DETACH
            )

    def _left(self) -> str:
        """Return the words for the jobs that stay at the API."""
        names = [live.id for live in self._board.takes if live.state in OUT_THERE]
        if not names:
            return ""
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        return f"; left to the next run, since they are at the API: {', '.join(names[:_NAMED])}{more}"
