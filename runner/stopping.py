"""Signals while a run goes on: ask to stop, then insist.

In: a signal. Out: a call on the engine's `stop`, and a word to the person. The handlers are ours because the
event loop's own answer to Ctrl-C would abandon a POST whose answer may be the receipt for money.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

from runner.engine.options import Stop

_ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable(Protocol):
    """What a signal stops."""

    @property
    def out_there(self) -> int:
        """How many jobs the API may be working on."""
        ...

    def stop(self, how: Stop) -> None:
        """Begin no further POST, and leave as `how` says."""
        ...


class Interruption:
    """Counts the signals of one run: the first Ctrl-C drains, the second or a TERM or HUP leaves, the third insists."""

    def __init__(self, engine: Stoppable, *, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._say = say
        self._count = 0
        self.signal: int | None = None

    def take(self, number: int) -> None:
        """Act on one signal."""
        self._count += 1
        self.signal = self.signal or number
        out = self._engine.out_there
        if self._count >= 3:
            os._exit(128 + number)
        if number == signal.SIGINT and self._count == 1:
            self._engine.stop(Stop.DRAIN)
            self._say(
                f"submitting no more; seeing {out} job{'s' if out != 1 else ''} through (Ctrl-C again to leave now)"
            )
        else:
            self._engine.stop(Stop.DETACH)
            self._say(f"leaving; {out} job{'s' if out != 1 else ''} go on at the API and will be picked up")


@contextmanager
def heeding_signals(interruption: Interruption) -> Iterator[None]:
    """Send signals to `interruption` instead of killing the process; only the main thread can.

    They reach the event loop through its own thread-safe door, so a handler never runs between two steps of a record.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()

    def hand_over(number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(interruption.take, number)

    before = {number: signal.signal(number, hand_over) for number in _ASKED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
