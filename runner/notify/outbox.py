"""Sends notices over several channels, each from a thread of its own, so that neither the run nor a channel waits.

What fails is counted and never raised: a run does not depend on who hears of it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from runner.domain.display import counted
from runner.notify.notice import Notice
from runner.notify.ports import Channel, NotSent

MOST_WAITING = 16
PATIENCE_S = 15.0
_TICK_S = 0.1


class Outbox:
    """Takes notices until it is closed; `channels` are those that are there."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self._posts = [_Post(channel) for channel in channels]

    def post(self, make: Callable[[], Notice]) -> None:
        """Send what `make` returns, which is called in another thread; this returns at once."""
        made = cache(make)
        for post in self._posts:
            post.put(made)

    def close(
        self, *, patience: float = PATIENCE_S, is_asked: Callable[[], bool] = lambda: False
    ) -> tuple[str, ...]:
        """Wait for what is still to be sent, but not longer than `patience` seconds or until `is_asked`.

        Return a sentence for each channel with notices that were not sent.
        """
        end = time.monotonic() + patience
        for post in self._posts:
            post.close()
        while any(map(_Post.is_busy, self._posts)) and time.monotonic() < end and not is_asked():
            next(post for post in self._posts if post.is_busy()).join(_TICK_S)
        return tuple(words for post in self._posts for words in post.remarks())


class _Post:
    """A channel's thread and what waits for it; of more than `MOST_WAITING` notices the oldest are dropped."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._waiting: deque[Callable[[], Notice]] = deque()
        self._changed = threading.Condition()
        self._is_closed = self._is_sending = False
        self._unsent, self._reason = 0, ""
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)
        self._thread.start()

    def put(self, made: Callable[[], Notice]) -> None:
        with self._changed:
            if len(self._waiting) == MOST_WAITING:
                self._waiting.popleft()
                self._note("too many waited before it")
            self._waiting.append(made)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    def is_busy(self) -> bool:
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def remarks(self) -> Iterator[str]:
        """Yield what was not sent, in one sentence."""
        with self._changed:
            if late := len(self._waiting) + self._is_sending:
                self._note("it took too long", count=late)
            if self._unsent:
                yield f"{counted(self._unsent, 'notice')} not sent to {self._channel.name}: {self._reason}"

    def _run(self) -> None:
        while (made := self._next()) is not None:
            try:
                self._channel.send(made())
            except NotSent as error:
                self._note(str(error))
            except Exception as error:  # noqa: BLE001 - a library's or a user's own channel may raise anything
                # Its message may quote an address.
                self._note(type(error).__name__)

    def _next(self) -> Callable[[], Notice] | None:
        with self._changed:
            self._is_sending = False
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            self._is_sending = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None

    def _note(self, reason: str, *, count: int = 1) -> None:
        self._unsent += count
        self._reason = self._reason or reason
