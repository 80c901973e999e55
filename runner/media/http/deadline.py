"""Deadlines over whole downloads, and the one thread that keeps all of them.

In: connected sockets and a time. Out: those sockets shut down once the time is up: a time-out per read never ends a
server that drips. It knows no HTTP and no links.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from runner.media.http.response import DownloadError


class Watchdog:
    """Cuts each deadline that it watches when its time comes; one thread, however many there are.

    The thread is begun by the first deadline and ends when it wakes and finds none, so nobody has to close it.
    A deadline that is kept wakes nobody: the thread sleeps on to the moment it had in mind and looks again then.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget everything, as a forked process must: it has no thread of its parent's, but perhaps a held lock."""
        self._changed = threading.Condition()
        self._watched: set[Deadline] = set()
        self._wakes_at = 0.0
        self._runs = False

    def watch(self, deadline: Deadline) -> None:
        """Cut `deadline` when its time is up, unless it is released before."""
        with self._changed:
            self._watched.add(deadline)
            if not self._runs:
                self._runs = True
                self._wakes_at = deadline.at
                # A daemon, so that a download that hangs does not keep a program alive that was told to end.
                threading.Thread(target=self._run, name="download-watchdog", daemon=True).start()
            elif deadline.at < self._wakes_at:
                self._changed.notify()

    def release(self, deadline: Deadline) -> None:
        """Forget `deadline`."""
        with self._changed:
            self._watched.discard(deadline)

    def _run(self) -> None:
        with self._changed:
            while self._watched:
                now = time.monotonic()
                for deadline in [one for one in self._watched if one.at <= now]:
                    deadline.cut()
                    self._watched.discard(deadline)
                if self._watched:
                    self._wakes_at = min(one.at for one in self._watched)
                    self._changed.wait(self._wakes_at - now)
            self._runs = False


PROCESS_WATCHDOG = Watchdog()
"""The one that all downloads of this process share."""

os.register_at_fork(after_in_child=PROCESS_WATCHDOG.begin_anew)


class Deadline:
    """One download's time, `seconds` from now; a context manager that is watched over while it is entered.

    Works on a duplicate of each socket, which stays valid while TLS is wrapped around the original.
    """

    def __init__(self, seconds: float, watchdog: Watchdog) -> None:
        self.at = time.monotonic() + seconds
        self._seconds = seconds
        self._watchdog = watchdog
        self._passed = False
        self._held: list[int] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._watchdog.watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watchdog.release(self)
        with self._lock:
            for held in self._held:
                os.close(held)
            self._held.clear()

    def guard(self, connected: socket.socket) -> None:
        """Watch over one more connection."""
        with self._lock:
            self._held.append(os.dup(connected.fileno()))
        if self._passed:
            self.cut()

    def check(self) -> None:
        """Raise if the time is up: a cut connection otherwise looks like the end of a body without length.

        Raises:
            DownloadError: it is.
        """
        if self._passed:
            raise DownloadError(f"took longer than {self._seconds:g} s")

    def cut(self) -> None:
        """Shut every connection down; whoever reads from one wakes at once."""
        self._passed = True
        with self._lock:
            for held in self._held:
                # Shut down through a second duplicate, since closing that object must leave ours open.
                with suppress(OSError), socket.socket(fileno=os.dup(held)) as connected:
                    connected.shutdown(socket.SHUT_RDWR)
