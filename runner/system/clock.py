"""The clock: monotonic time, wall time and waiting, as a parameter, so that tests need not wait."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The only way in which the program reads the time or waits."""

    def wall(self) -> float:
        """Return wall time in unix seconds: for records and messages, never for waiting."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's own clock."""

    def wall(self) -> float:
        """Return wall time in unix seconds."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait on the running event loop."""
        # `check` reads the time and starts without an event loop.
        import asyncio

        await asyncio.sleep(seconds)
