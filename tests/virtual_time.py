"""Virtual time: an event loop whose clock jumps to the next timer when everything waits, and the clock of that loop.

Any number of virtual hours take almost no real time: nothing really sleeps, and a wait without end raises.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: when a real selector would wait, it moves the clock."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0:
            self._jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer when everything waits; a deadlock raises instead of hanging."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now

    def _jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise RuntimeError("everything waits and nothing will ever happen")
        self._now += seconds


class VirtualClock:
    """The clock of a `VirtualLoop`; wall time starts at `epoch` and can be set, as a machine's can."""

    def __init__(self, *, epoch: float = 1_800_000_000.0) -> None:
        self._epoch = epoch

    def wall(self) -> float:
        """Return virtual unix time."""
        return self._epoch + self.monotonic()

    def monotonic(self) -> float:
        """Return the loop's virtual seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    def set_wall(self, unix: float) -> None:
        """Set the wall clock, leaving monotonic time alone."""
        self._epoch = unix - self.monotonic()


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time and return what it returns."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
