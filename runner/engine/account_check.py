"""The check whether the API still accepts the account; no single answer decides it.

One refusal concerns only its request. Refused reads of several jobs, or a refused submit, count only if a free question
is refused as well. Then submits pause, while jobs are watched and clips fetched, since a read is free. The run ends
only when nothing else is left to do.
"""

from __future__ import annotations

import asyncio

from runner.domain.api_answers import FailureKind
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.states import ACTIVE
from runner.engine.ports import Queue
from runner.engine.run_state import RunState
from runner.engine.timers import Stopwatch

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
    """Doubts the account of a run, and trusts it again; it ends the run once nothing else is left to do.

    A run that had a good answer first waits as long as refusals may last, since tokens are renewed and services
    restart.
    """

    def __init__(self, state: RunState, queue: Queue) -> None:
        self._state = state
        self._queue = queue
        self._doubted = asyncio.Event()
        self._idle = Stopwatch()
        self._refused: set[str] = set()
        self._reason = ""
        self._was_good = self._is_contradicted = False
        self._answered_at = self._asked_at = float("-inf")

    @property
    def is_doubted(self) -> bool:
        """True while submits pause."""
        return self._doubted.is_set()

    def answered(self) -> None:
        """Note that a request was answered, which shows that the token was accepted."""
        self._was_good = True
        self._answered_at = self._state.now
        self._refused.clear()

    async def read_refused(self, take_id: str, model: str, reason: str) -> None:
        """Note that a read was refused because of the account; after several the free question is asked."""
        self._refused.add(take_id)
        now = self._state.now
        asked_lately = now - self._asked_at < _ASKED_AGAIN
        enough = len(self._refused) >= min(JOBS_THAT_COUNT, len(self._active()))
        if enough and not self.is_doubted and not asked_lately:
            self._asked_at = now
            await self.confirms(model, reason)

    async def confirms(self, model: str, reason: str) -> bool:
        """Ask the free question after a refusal, and return whether it is refused too and the account doubted."""
        for wait in _TRIES:
            trouble = await self._queue.probe(model)
            if trouble is None or trouble.kind is FailureKind.ACCOUNT:
                break
            await self._state.clock.sleep(wait)
        if trouble is None or trouble.kind is not FailureKind.ACCOUNT or self._is_contradicted:
            return False
        self._reason = reason
        if not self.is_doubted:
            self._doubted.set()
            self._state.say(
                f"the API refuses the account: {reason}; submits pause, jobs are watched and clips fetched"
            )
        return True

    async def run(self) -> None:
        """Repeat the question while the account is doubted; runs until it is cancelled."""
        while True:
            await self._doubted.wait()
            began = self._state.now
            await self._until_trusted()
            self._idle.is_over()
            self._was_good = True
            self._doubted.clear()
            what = "still answers about jobs" if self._is_contradicted else "takes the account again"
            self._state.say(f"the API {what}, after {self._state.now - began:.0f} s; submitting continues")
            self._state.changed.set()

    async def _until_trusted(self) -> None:
        """Return once the free question is answered, or reads of jobs with the same token contradict its refusal.

        Such an API refuses only the question. Its refusal no longer counts: the next submits decide.
        """
        began, wait = self._state.now, FIRST_QUESTION
        while True:
            due = self._state.now + wait
            while (left := due - self._state.now) > 0:
                await self._state.clock.sleep(min(left, _STEP))
                if wait > _STEP:
                    self._end_if_idle()
            trouble = await self._queue.probe(self._state.model)
            if trouble is None:
                return
            # An answer that was under way when the doubt began proves nothing.
            if self._answered_at - began >= _LONG_ENOUGH:
                self._is_contradicted = True
                return
            if trouble.kind is FailureKind.ACCOUNT:
                self._end_if_idle()
            wait = min(QUESTION_CEILING, wait * 2.0)

    def _end_if_idle(self) -> None:
        if self._state.has_other_work:
            self._idle.is_over()
            return
        patience = self._state.options.refusal_limit if self._was_good else 0.0
        if self._idle.goes_on(self._state.now) < patience:
            return
        text, names = f"the API refuses the account: {self._reason}", self._active()
        if names:
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            text += f"; left to the next run, since they are at the API: {', '.join(names[:_NAMED])}{more}"
        self._state.end(EndingKind.ACCOUNT, text, Stop.DETACH)

    def _active(self) -> list[str]:
        return [live.id for live in self._state.live.values() if live.state in ACTIVE]
