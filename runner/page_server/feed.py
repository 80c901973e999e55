"""The changes of a run on their way to open pages: each page has only its place in one short list.

So neither many pages nor one that does not read makes the list longer. A page that is behind it is loaded again.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

MOST_KEPT = 256
MOST_BYTES = 8 * 2**20
QUIET_S = 15.0
"""Seconds after which a line without meaning keeps a silent connection open."""


@dataclass(frozen=True, slots=True)
class Message:
    """A numbered message to pages; `data` is JSON in one line."""

    number: int
    event: str
    data: str

    @property
    def text(self) -> bytes:
        """The message as one of a `text/event-stream`."""
        return f"event: {self.event}\nid: {self.number}\ndata: {self.data}\n\n".encode()


class Feed:
    """The latest messages, numbered without gaps; any thread may post, and any may read."""

    def __init__(self) -> None:
        self.newest, self.is_closed = 0, False
        self._kept: deque[Message] = deque()
        self._size = 0
        self._wakes: set[Callable[[], None]] = set()
        self._lock = threading.Lock()

    @property
    def pages(self) -> int:
        """How many pages are open."""
        return len(self._wakes)

    def post(self, data: str) -> None:
        """Send a change to all pages."""
        with self._lock:
            self.newest += 1
            self._kept.append(Message(self.newest, "change", data))
            self._size += len(data)
            while self._size > MOST_BYTES or len(self._kept) > MOST_KEPT:
                self._size -= len(self._kept.popleft().data)
        self._wake()

    def reload(self) -> None:
        """Let all pages be loaded again."""
        with self._lock:
            self.newest += 1
            self._kept.clear()
            self._size = 0
        self._wake()

    def close(self) -> None:
        """End all streams."""
        self.is_closed = True
        self._wake()

    def next_after(self, number: int) -> Message | None:
        """Return the message after the one with this number, None for none yet; a reload if it is not kept."""
        with self._lock:
            if number == self.newest:
                return None
            place = number + 1 - (self.newest + 1 - len(self._kept))
            if 0 <= place < len(self._kept):
                return self._kept[place]
            return Message(self.newest, "reload", "{}")

    async def stream(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield what a page is sent that has seen everything up to the message `after`, until the feed is closed."""
        news, loop = asyncio.Event(), asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(news.set)

        self._wakes.add(wake)
        try:
            yield b": open\n\n"
            while not self.is_closed:
                news.clear()
                while message := self.next_after(after):
                    after = message.number
                    yield message.text
                try:
                    async with asyncio.timeout(QUIET_S):
                        await news.wait()
                except TimeoutError:
                    yield b": quiet\n\n"
        finally:
            self._wakes.discard(wake)

    def _wake(self) -> None:
        for wake in tuple(self._wakes):
            wake()
