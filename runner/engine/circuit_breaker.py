"""A circuit breaker in front of the API: open during an outage, and closed again by one free question.

Reads open it by the share of them that fails (`poll_pace.OutageTest`). A doubtful submit does not open it: reads go on,
and submits wait for the answer to a free question. Questions are asked one at a time, at growing intervals, so an
outage is cheap. A host that never existed is a wrong address and not an outage.
"""

from __future__ import annotations

import asyncio

from runner.domain.api_answers import FailureKind, RequestFailure
from runner.domain.network import barred
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.run_events import Topic
from runner.engine.poll_pace import OutageTest
from runner.engine.ports import Queue
from runner.engine.run_state import RunState
from runner.engine.timers import Stopwatch, happens_within

SOONEST_PROBE = 0.25
FIRST_PROBE = 1.0
PROBE_EVERY = 30.0
PROBE_CEILING = 300.0
PROBE_GROWTH = 1.5
"""The waits between questions are 1, 2, 4, 8, 16 and 30 s; then each is half as long again, up to 300 s.

After a doubtful submit the first is asked at once and the second after a quarter of a second."""

SILENCE_THAT_OPENS = 60.0
"""Seconds of failed reads alone that open it: a few jobs make too few reads for a test by shares."""

ABSENCES_THAT_END = 5
"""A name may be unknown for a moment while a network comes up; after five failures in a row it is a wrong name."""

ABSENT_EVERY = 10.0
"""Seconds between questions to a host that does not exist; they load no server, and a person awaits the message."""

_WORTH_SAYING = 10.0
_SAY_AGAIN_AFTER = 3 * 3600.0


class CircuitBreaker:
    """Lets calls through while the service answers, and ends the run once an outage is longer than its limit."""

    def __init__(self, state: RunState, queue: Queue) -> None:
        self._state = state
        self._queue = queue
        self._closed = asyncio.Event()
        self._closed.set()
        self._question = asyncio.Event()
        self._was_answered = asyncio.Event()
        self._model = self._reason = ""
        self._first_wait = FIRST_PROBE
        self._test = OutageTest()
        self._unanswered = Stopwatch()
        self._relapses, self._rest_until = 0, 0.0
        self._said_at = float("-inf")

    @property
    def is_closed(self) -> bool:
        """True while reads may go."""
        return self._closed.is_set()

    @property
    def is_in_doubt(self) -> bool:
        """True while failed reads are evidence for an outage."""
        return self._test.is_in_doubt

    @property
    def lets_submit(self) -> bool:
        """True while submits may go, since no question waits for its answer."""
        return not self._question.is_set()

    def rest_left(self) -> float:
        """Return for how many more seconds submits pause."""
        return max(0.0, self._rest_until - self._state.now)

    def rest(self, seconds: float) -> None:
        """Submit nothing for `seconds`."""
        self._rest_until = max(self._rest_until, self._state.now + seconds)

    async def passes(self) -> None:
        """Wait until reads may go."""
        await self._closed.wait()

    def answered(self) -> None:
        """Note that a read was answered."""
        self._unanswered.is_over()
        self._was_answered.set()
        if self._test.answered():
            self._relapses = 0

    def failed(self, model: str, reason: str) -> None:
        """Note a read about a job of `model` that was not answered."""
        is_outage = self._test.failed()
        lasted = self._unanswered.goes_on(self._state.now)
        if self.is_closed and (is_outage or lasted >= SILENCE_THAT_OPENS):
            self._closed.clear()
            self.doubt_submits(model, reason, wait=min(PROBE_EVERY, FIRST_PROBE * 2.0**self._relapses))
            self._relapses += 1

    def doubt_submits(self, model: str, reason: str, *, wait: float = 0.0) -> None:
        """Submit nothing until a free question about `model`, asked in `wait` seconds, is answered."""
        if not self._question.is_set():
            self._model, self._reason, self._first_wait = model, reason, wait
            self._was_answered.clear()
            self._question.set()

    async def raise_if_barred(self, model: str) -> None:
        """Ask a free question about `model` after a submit that no other try could cure.

        Raises:
            CertificateRefused, ProxyRefused: the service cannot be reached, and never was in this run.
        """
        if (trouble := await self._queue.probe(model)) and trouble.kind is not FailureKind.NO_HOST:
            _raise_barred(trouble)

    async def run(self) -> None:
        """Close the breaker again each time the service is back; runs until it is cancelled.

        Raises:
            NoSuchHost, CertificateRefused, ProxyRefused: the service cannot be reached, and never was in this run.
        """
        while True:
            await self._question.wait()
            await self._until_answered()
            if not self.is_closed:
                self._test.half_open()
                self._unanswered.is_over()
            self._question.clear()
            self._closed.set()
            self._state.changed.set()

    async def _until_answered(self) -> None:
        began = self._state.now
        wait, absences, is_said = self._first_wait, 0, False
        # A long outage is worth one line, not one a minute.
        if wait >= _WORTH_SAYING and began - self._said_at >= _SAY_AGAIN_AFTER:
            self._said_at = began
            self._state.say(
                f"the API failed again ({self._reason}); it is asked again in {wait:.0f} s", Topic.OUTAGE
            )
        while True:
            # A read that is answered meanwhile proves the same sooner; it does not cut short a wait that was asked for.
            if not self.is_closed or self._first_wait > 0.0:
                await self._state.clock.sleep(wait)
            elif await happens_within(self._was_answered, wait):
                return
            trouble = await self._queue.probe(self._model)
            away_for = self._state.now - began
            # A service that refuses the account does answer; the next call will show whether it still refuses.
            if trouble is None or trouble.kind is FailureKind.ACCOUNT:
                if is_said:
                    self._state.say(f"the API answers again after {away_for:.0f} s", Topic.OUTAGE_OVER)
                return
            if away_for >= self._state.options.outage_limit:
                self._state.end(EndingKind.OUTAGE, trouble.reason, Stop.DETACH)
            absences = absences + 1 if trouble.kind is FailureKind.NO_HOST else 0
            if absences >= ABSENCES_THAT_END or trouble.kind is not FailureKind.NO_HOST:
                _raise_barred(trouble)
            if away_for >= _WORTH_SAYING and not is_said:
                self._state.say(
                    f"no usable answer from the API ({self._reason}); waiting until it gives one",
                    Topic.OUTAGE,
                )
                is_said = True
            wait = ABSENT_EVERY if absences else _wait_after(wait, trouble)


def _raise_barred(trouble: RequestFailure) -> None:
    error = barred(trouble, f"{trouble.reason}; nothing was sent, and no take has changed")
    if error is not None:
        raise error


def _wait_after(wait: float, trouble: RequestFailure) -> float:
    """Return the seconds until the next question, after one that waited `wait` seconds and failed."""
    short = min(PROBE_EVERY, max(SOONEST_PROBE, wait * 2.0))
    grown = short if wait < PROBE_EVERY else wait * PROBE_GROWTH
    return min(PROBE_CEILING, max(grown, trouble.retry_after or 0.0))
