"""Deadlines over one request, in this process's own running time.

A process that was stopped for a minute (a container, Ctrl-Z, a blocked event loop) has not waited for a minute. The
answer may be in the socket, and must be read first. So a deadline counts its own ticks, each only by its own length.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

LONGEST_TICK = 1.0
_TICKS = 16
_GRACES = 10
"""How many late ticks in a row may delay the end; it must come even on a machine that is always late."""


class LivedDeadline:
    """Ends its block after `overall` seconds of running time, or after those that `allow` gave last.

    `reason` says which of the two it was. A late tick never ends the block by itself: what is in the socket by then is
    read before the next one.
    """

    def __init__(self, overall: float) -> None:
        self.reason = "no answer before the deadline"
        self._limit = asyncio.timeout(None)
        self._left = self._allowed = overall
        self._step = ""
        self._graces = _GRACES
        self._tick = min(LONGEST_TICK, overall / _TICKS)
        self._due = 0.0
        self._next: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        await self._limit.__aenter__()
        self.go_on()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stand_still()
        await self._limit.__aexit__(kind, error, trace)

    def allow(self, seconds: float, step: str) -> None:
        """Give the next step of the request `seconds`; `step` says what has not happened if they run out."""
        self._allowed, self._step = seconds, step
        self._tick = min(self._tick, seconds / _TICKS)

    def go_on(self) -> None:
        """Start or resume counting."""
        loop = asyncio.get_running_loop()
        self._due = loop.time() + self._tick
        self._next = loop.call_at(self._due, self._lived, self._tick)

    def stand_still(self) -> None:
        """Stop counting until `go_on`."""
        if self._next is not None:
            self._next.cancel()

    def expired(self) -> bool:
        """Return whether the deadline has passed."""
        return self._limit.expired()

    def _lived(self, tick: float) -> None:
        now = asyncio.get_running_loop().time()
        self._left -= tick
        self._allowed -= tick
        is_up = min(self._left, self._allowed) < tick / 2
        is_late = now - self._due > tick
        if is_up and not (is_late and self._graces):
            if self._allowed < self._left:
                self.reason = f"{self._step} in time"
            self._limit.reschedule(now)
            return
        self._graces -= is_up
        self.go_on()
