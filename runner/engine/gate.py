"""A gate in front of the API: shut while the service is away, resting when it asked for peace.

After a lost answer, or several failed reads in a row, one free question at a time decides when to go on, so that an
outage of any length costs one doubtful submit and at most one request per half minute. It knows no takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from runner.engine.ports import Queue
from runner.pacing import Clock

FIRST_PROBE = 1.0
PROBE_EVERY = 30.0
PROBE_CEILING = 300.0
PROBE_GROWTH = 1.5
FAILURES_THAT_SHUT = 5


class Gate:
    """Lets calls through while the service answers; `away` is called once an outage passes its limit."""

    def __init__(
        self,
        *,
        queue: Queue,
        clock: Clock,
        limit: float,
        say: Callable[[str], None],
        away: Callable[[str], None],
        opened: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._limit = limit
        self._say = say
        self._away = away
        self._opened = opened
        self._open = asyncio.Event()
        self._open.set()
        self._shut = asyncio.Event()
        self._model = ""
        self._failures = 0
        self._rest_until = 0.0

    @property
    def is_open(self) -> bool:
        """True while reads may go."""
        return self._open.is_set()

    def rest_left(self) -> float:
        """Return the seconds for which the API asked that nothing be submitted."""
        return max(0.0, self._rest_until - self._clock.monotonic())

    def rest(self, seconds: float) -> None:
        """Submit nothing for `seconds`."""
        self._rest_until = max(self._rest_until, self._clock.monotonic() + seconds)

    async def passes(self) -> None:
        """Wait until reads may go."""
        await self._open.wait()

    def answered(self) -> None:
        """Note that the service answered."""
        self._failures = 0

    def failed(self, model: str, reason: str) -> None:
        """Note a read that was not answered; enough of them in a row shut the gate."""
        self._failures += 1
        if self._failures >= FAILURES_THAT_SHUT:
            self.shut(model, reason)

    def shut(self, model: str, reason: str) -> None:
        """Let nothing through until a free question about `model` is answered."""
        if self.is_open:
            self._model = model
            self._open.clear()
            self._shut.set()
            self._say(f"the API does not answer ({reason}); waiting until it does")

    async def keep(self) -> None:
        """Open the gate again whenever the service is back; runs until it is cancelled."""
        while True:
            await self._shut.wait()
            await self._until_back()
            self._shut.clear()
            self._failures = 0
            self._open.set()
            self._opened()

    async def _until_back(self) -> None:
        began, wait = self._clock.monotonic(), FIRST_PROBE
        while True:
            await self._clock.sleep(wait)
            trouble = await self._queue.probe(self._model)
            away_for = self._clock.monotonic() - began
            if trouble is None:
                self._say(f"the API answers again after {away_for:.0f} s")
                return
            if away_for >= self._limit:
                self._away(trouble.reason)
            wait = min(PROBE_CEILING, max(PROBE_EVERY, wait * PROBE_GROWTH))
