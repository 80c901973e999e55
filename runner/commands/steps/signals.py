"""Signals while a run goes on: ask to stop, then insist.

The handlers are ours: the event loop's own answer to Ctrl-C would abandon a POST whose answer may be the receipt.
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

from runner.domain.display import counted
from runner.domain.run_ending import Stop

_PATIENCE = 8.0
_MOST_PATIENT = 2
_ASKED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stoppable(Protocol):
    """What a signal stops."""

    @property
    def active_jobs(self) -> int:
        """How many jobs the API may be working on."""
        ...

    @property
    def sending(self) -> int:
        """How many submissions have begun and have no answer yet."""
        ...

    @property
    def is_away(self) -> bool:
        """True while the API does not answer."""
        ...

    def stop(self, how: Stop, *, patience: float | None = None) -> None:
        """Begin no further POST, and leave as `how` says, waiting `patience` seconds for the one that is being sent."""
        ...


class SignalHandler:
    """Counts the signals of one run: the first Ctrl-C drains, the second or a TERM or HUP leaves, the third insists."""

    def __init__(
        self,
        engine: Stoppable,
        *,
        say: Callable[[str], None],
        first: Stop = Stop.DRAIN,
        insist: Callable[[int], object] = os._exit,
    ) -> None:
        """Stop `engine`, and report it with `say`; `insist` gets the exit code of a process that must end at once."""
        self._engine = engine
        self._insist = insist
        self._say = say
        self._first = first
        self._count = 0
        self.signal: int | None = None

    def take(self, number: int) -> None:
        """Act on one signal."""
        self._count += 1
        self.signal = self.signal or number
        if self._count > _MOST_PATIENT:
            self._insist(128 + number)
            return
        engine, is_first = self._engine, number == signal.SIGINT and self._count == 1
        drains = is_first and self._first is not Stop.DETACH
        if drains:
            engine.stop(self._first)
        else:
            # A container is given ten seconds after its TERM.
            engine.stop(Stop.DETACH, patience=_PATIENCE)
        jobs, weather = (
            counted(engine.active_jobs, "job"),
            ", once the API answers again" if engine.is_away else "",
        )
        answers = f"; waiting for the answer to {counted(engine.sending, 'submit')}" if engine.sending else ""
        if drains:
            left = f"seeing {jobs} through{weather}" if engine.active_jobs else "clips may be on their way"
            self._say(f"submitting no more; {left}{answers} (Ctrl-C again to leave now)")
        else:
            self._say(f"leaving; {jobs} at the API will be picked up by the next run{answers}")


class Interrupts:
    """Interrupts a run from outside its thread: `send` does what a Ctrl-C does, and a second one leaves.

    One object is for one run. What is sent before the run listens waits for it.
    """

    def __init__(self) -> None:
        # The handler of a signal may run while its own thread is sending another one.
        self._lock = threading.RLock()
        self._waiting: list[int] = []
        self._take: Callable[[int], object] = self._waiting.append

    def send(self, number: int = signal.SIGINT) -> None:
        """Send one signal; any thread may call this."""
        with self._lock:
            self._take(number)

    @contextmanager
    def taken_by(self, take: Callable[[int], object]) -> Iterator[None]:
        """Let `take` get the signals of the block, and those that wait for it."""
        with self._lock:
            self._take = take
            waiting, self._waiting[:] = tuple(self._waiting), ()
        for number in waiting:
            take(number)
        try:
            yield
        finally:
            with self._lock:
                self._take = self._waiting.append

    @contextmanager
    def forwarding(self) -> Iterator[None]:
        """Send on what the process gets during the block; only the main thread can."""
        with _handled(lambda number, _frame: self.send(number)):
            yield


@contextmanager
def heed_skips() -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether a signal has come, which does nothing else in the block."""
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True

    with _handled(note):
        yield lambda: asked


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `handler` get the signals of the block; only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # What the parent told us to ignore stays ignored: that is how nohup works.
    heeded = [number for number in _ASKED if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, signal.SIG_DFL if earlier is None else earlier)


@contextmanager
def handle_signals(interruption: SignalHandler, interrupts: Interrupts) -> Iterator[None]:
    """Send signals to `interruption` instead of killing the process; other threads get only those of `interrupts`.

    They reach the event loop through its own thread-safe door, so a handler never runs between two steps of a record.
    """
    loop = asyncio.get_running_loop()

    def hand_over(number: int, _frame: FrameType | None = None) -> None:
        loop.call_soon_threadsafe(interruption.take, number)

    with _handled(hand_over), interrupts.taken_by(hand_over):
        yield
