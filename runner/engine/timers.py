"""A list of things to do, each not before its time: one heap for all takes instead of one task for each.

It knows nothing of what the things are.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
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

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, item: T, *, after: float = 0.0) -> None:
        """Put `item` on the list, due in `after` seconds."""
        heapq.heappush(self._heap, (self._clock.monotonic() + after, next(self._order), item))
        self._news.set()

    def poll_now(self, within: Callable[[], float]) -> None:
        """Make everything due soon: each item in `within()` seconds at the latest."""
        now = self._clock.monotonic()
        self._heap = [(min(due, now + within()), order, item) for due, order, item in self._heap]
        heapq.heapify(self._heap)
        self._news.set()

    async def next(self) -> T:
        """Return the earliest item when it is due."""
        # One worker waits for the head of the heap, the others for their turn: with a worker each, every new
        # item would wake them all.
        async with self._turn:
            while (wait := self._wait()) is None or wait > 0:
                self._news.clear()
                await self._news_within(wait)
            return heapq.heappop(self._heap)[2]

    def _wait(self) -> float | None:
        return self._heap[0][0] - self._clock.monotonic() if self._heap else None

    async def _news_within(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
