"""Deadlines for whole downloads, and the one thread that enforces all of them.

In: connected sockets and a time. Out: those sockets, shut down once the time is up. It knows no HTTP and no links. A
time-out per read never stops a server that sends single bytes.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from typing import Self

from runner.media.http.response import DownloadError


class Watchdog:
    """Cuts each watched deadline when its time is up; one thread serves any number of them.

    The first deadline starts the thread, which ends when no deadline is left, so no caller has to close it. The release
    of a deadline does not notify the thread: it checks again at the time that it had planned.
    """

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Reset everything, as a forked process must: the parent's thread is gone, but its lock may be held."""
        self._changed = threading.Condition()
        self._watched: set[Deadline] = set()
        self._checks_at = 0.0
        self._runs = False

    def watch(self, deadline: Deadline) -> None:
        """Cut `deadline` when its time is up, unless it is released before."""
        with self._changed:
            self._watched.add(deadline)
            if not self._runs:
                self._runs = True
                self._checks_at = deadline.at
                # A daemon thread lets a program end even while a download hangs.
                threading.Thread(target=self._run, name="download-watchdog", daemon=True).start()
            elif deadline.at < self._checks_at:
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
                    self._checks_at = min(one.at for one in self._watched)
                    self._changed.wait(self._checks_at - now)
            self._runs = False


PROCESS_WATCHDOG = Watchdog()
"""All downloads of this process share this watchdog."""

os.register_at_fork(after_in_child=PROCESS_WATCHDOG.begin_anew)


class Deadline:
    """One download's time limit, `seconds` from now; it is watched while its context is entered.

    It works on a duplicate of each socket, which stays valid while TLS is wrapped around the original.
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

    def __exit__(self, *_: object) -> None:
        self._watchdog.release(self)
        with self._lock:
            for held in self._held:
                os.close(held)
            self._held.clear()

    def guard(self, connected: socket.socket) -> None:
        """Watch one more connection."""
        with self._lock:
            self._held.append(os.dup(connected.fileno()))
        if self._passed:
            self.cut()

    def check(self) -> None:
        """Raise if the time is up: a cut connection otherwise looks like the end of a body without length.

        Raises:
            DownloadError: the time is up.
        """
        if self._passed:
            raise DownloadError(f"took longer than {self._seconds:g} s")

    def cut(self) -> None:
        """Shut every connection down; a waiting read returns at once."""
        self._passed = True
        with self._lock:
            for held in self._held:
                # A second duplicate is used, since closing this socket object must leave `held` open.
                with suppress(OSError), socket.socket(fileno=os.dup(held)) as connected:
                    connected.shutdown(socket.SHUT_RDWR)
