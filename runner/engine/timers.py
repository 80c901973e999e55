"""Times: a queue of things to do, waits with an end, and how long something has lasted.

The queue is one heap for all takes instead of one task for each. It does not know what the things are.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

from runner.system.clock import Clock

T = TypeVar("T")


class TimerQueue(Generic[T]):
    """Hands out the earliest item once it is due, to any number of workers, each item to one of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, T]] = []
        self._order = count()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()

    def add(self, item: T, *, after: float = 0.0) -> None:
        """Put `item` on the list, due in `after` seconds."""
        entry = (self._clock.monotonic() + after, next(self._order), item)
        heapq.heappush(self._heap, entry)
        # What is due later than the head changes nothing for the worker that waits for the head.
        if self._heap[0] is entry:
            self._news.set()

    def poll_now(self, within: Callable[[], float]) -> None:
        """Make everything due soon: each item in `within()` seconds at the latest."""
        now = self._clock.monotonic()
        self._heap = [(min(due, now + within()), order, item) for due, order, item in self._heap]
        heapq.heapify(self._heap)
        self._news.set()

    async def next(self) -> T:
        """Return the earliest item when it is due."""
        # One worker waits for the head of the heap, and the others wait for their turn. If all waited for the
        # head, every new item would wake them all.
        async with self._turn:
            while True:
                wait = self._heap[0][0] - self._clock.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._news.clear()
                await happens_within(self._news, wait)


async def happens_within(event: asyncio.Event, seconds: float | None) -> bool:
    """Wait for `event`, and return whether it was set within `seconds`; None waits without end."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


@dataclass(slots=True)
class Stopwatch:
    """Something that may be going on; `since` is the monotonic time when it was first noticed, None if it is not.

    `count` is how often it was noticed since then.
    """

    since: float | None = None
    count: int = 0

    def goes_on(self, now: float) -> float:
        """Note that it begins or goes on at `now`, and return for how many seconds it has lasted."""
        self.count += 1
        if self.since is None:
            self.since = now
        return now - self.since

    def is_over(self) -> None:
        """Note that it has ended; it may begin again."""
        self.since, self.count = None, 0
