"""Notices that the machine slept: wall time went on while monotonic time stood still.

In: a clock. Out: one call per sleep. It knows nothing of what is to be done then.

Source: the monotonic clocks of Linux and macOS stand still in suspend.
"""

from __future__ import annotations

from collections.abc import Callable

from runner.system.clock import Clock

LOOK_EVERY = 5.0
GAP_THAT_COUNTS = 30.0


async def notice_sleep(clock: Clock, woken: Callable[[float], None]) -> None:
    """Call `woken` with the seconds slept after each sleep; runs until it is cancelled."""
    wall, monotonic = clock.wall(), clock.monotonic()
    while True:
        await clock.sleep(LOOK_EVERY)
        gap = (clock.wall() - wall) - (clock.monotonic() - monotonic)
        wall, monotonic = clock.wall(), clock.monotonic()
        if gap >= GAP_THAT_COUNTS:
            woken(gap)
