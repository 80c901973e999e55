"""Waits of the event loop for what other threads complete.

Each call into a loop from outside is a system call and a change of threads. So one such call hands over all that was
completed by then, as a commit completes many facts at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class HandOver:
    """Hands completed futures to the loop that waits for them."""

    def __init__(self) -> None:
        self._completed: deque[asyncio.Future[None]] = deque()
        self._is_called = False

    async def result(self, work: Future[T]) -> T:
        """Return what `work` returns, or raise what it raises; cancelling the caller does not cancel `work`."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        work.add_done_callback(partial(self._complete, loop, waiter))
        await waiter
        return work.result()

    def _complete(
        self, loop: asyncio.AbstractEventLoop, waiter: asyncio.Future[None], _work: Future[T]
    ) -> None:
        self._completed.append(waiter)
        if not self._is_called and not loop.is_closed():
            self._is_called = True
            loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        # This comes first: what is completed from here on calls again.
        self._is_called = False
        while self._completed:
            waiter = self._completed.popleft()
            # The caller may have been cancelled meanwhile.
            if not waiter.done():
                waiter.set_result(None)
