"""The one writer thread: takes every piece of work that waits, commits it in one flush, then wakes all.

In: functions that use the connection. Out: futures that are done when the commit is on disk. Group commit is
what makes full durability cheap: a hundred waiters share one fsync. It knows no take and no fact.

Work is urgent or patient. Urgent work is begun at once and takes along all that was handed in before it. Patient work
waits up to `patience` seconds for company, since every commit has a price: it writes each touched page and flushes.
Patience delays a promise and weakens none: order is kept, and a future is done only when its work is on disk.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from runner.errors import BrokenPromise
from runner.store.database import atomic, primary_code, translate

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

PATIENCE = 0.01
"""Seconds; far below what anyone can see, and many times the interval between the facts of a busy run."""

# 0 is what Python's own module raises; the others blame a statement or its values, not the disk.
_ONE_WORKS_FAULT = {
    0,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """One piece of work and whoever waits for it."""

    work: Work[T]
    future: Future[T] = field(default_factory=Future)
    result: T | None = None
    refusal: Exception | None = None

    def do(self, connection: sqlite3.Connection) -> None:
        """Do the work; whatever it raises is passed on."""
        self.result = self.work(connection)

    def attempt(self, connection: sqlite3.Connection, path: Path) -> None:
        """Do the work in a savepoint: what it breaks is undone and spoils only itself."""
        connection.execute("SAVEPOINT job")
        try:
            self.do(connection)
        except Exception as error:
            # Broad, because whatever it is belongs to the one who waits; it is raised there.
            if _spoils_all(error):
                raise
            self.refusal = _own(error, path)
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def wake(self) -> None:
        """Hand over what came of the work; the commit is done."""
        if self.refusal is not None:
            self.future.set_exception(self.refusal)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # None only where T is None

    def fail(self, error: Exception) -> None:
        """Hand over that nothing was recorded."""
        if not self.future.done():
            self.future.set_exception(self.refusal or error)


def _spoils_all(error: Exception) -> bool:
    """Return whether the file itself failed, as against one piece of work that asked for too much."""
    return isinstance(error, sqlite3.Error) and primary_code(error) not in _ONE_WORKS_FAULT


def _own(error: Exception, path: Path) -> Exception:
    if not isinstance(error, sqlite3.Error):
        return error
    ours = translate(error, path)
    ours.__cause__ = error
    return ours


class Writer:
    """Owns the writing connection from `start` to `stop`; `submit` may be called from any thread."""

    def __init__(self, connection: sqlite3.Connection, path: Path, *, patience: float = PATIENCE) -> None:
        self._connection = connection
        self._path = path
        self._patience = patience
        self._waiting: deque[_Job[Any]] = deque()
        self._changed = threading.Condition()
        self._urgent = False
        self._due = 0.0
        self._stopped = False
        # A daemon, so that a program that forgets to close still ends; what was acknowledged is on disk.
        self._thread = threading.Thread(target=self._run, name="state-file-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T], *, patient: bool = False) -> Future[T]:
        """Queue `work`; its future is done when it is durable, or when it is certain that nothing of it is.

        It must bear being done twice: where one piece of work in a group fails, the group is undone and begun again.
        """
        job = _Job(work)
        # From here it cannot be cancelled: a fact that was handed in is recorded whether or not its
        # sender still wants to know (asyncio cancels the future of a cancelled task).
        job.future.set_running_or_notify_cancel()
        with self._changed:
            # Under the same lock as the end of the thread, so that no job can slip in behind it.
            if self._stopped:
                job.fail(BrokenPromise(f"{self._path}: the state file is closed"))
            else:
                self._queue(job, patient=patient)
        return job.future

    def _queue(self, job: _Job[Any], *, patient: bool) -> None:
        # Each wake of the writer costs a change of threads, so company for a patient one does not wake it.
        wakes = not self._waiting if patient else not self._urgent
        if not self._waiting:
            self._due = time.monotonic() + self._patience
        self._waiting.append(job)
        self._urgent = self._urgent or not patient
        if wakes:
            self._changed.notify()

    def stop(self) -> None:
        """Finish what waits, at once, then end the thread; what comes later fails."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        group: Sequence[_Job[Any]] = ()
        try:
            while group := self._next_group():
                self._commit(group)
        finally:
            # Only a bug or a lack of memory ends the loop early; nobody may wait for ever because of it.
            with self._changed:
                self._stopped = True
                left = [*group, *self._waiting]
                self._waiting.clear()
            for job in left:
                job.fail(BrokenPromise(f"{self._path}: the writer died; this was perhaps not recorded"))

    def _next_group(self) -> list[_Job[Any]]:
        with self._changed:
            while not (self._urgent or self._stopped):
                left = self._due - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    break
                self._changed.wait(left)
            group = list(self._waiting)
            self._waiting.clear()
            self._urgent = False
        return group

    def _commit(self, group: Sequence[_Job[Any]]) -> None:
        try:
            self._write(group)
        except sqlite3.Error as error:
            for job in group:
                # Each waiter gets an error of its own: a shared one would collect all their tracebacks.
                job.fail(_own(error, self._path))
            return
        # Only now, after COMMIT has returned: a future that is done promises that the fact is on disk.
        for job in group:
            job.wake()

    def _write(self, group: Sequence[_Job[Any]]) -> None:
        """Do a group's work in one transaction, at first in the hope that nothing in it is refused."""
        try:
            with atomic(self._connection):
                for job in group:
                    job.do(self._connection)
        except Exception as error:
            # Broad, because any of them means the same: all is undone, and each gets a savepoint of its own.
            if _spoils_all(error):
                raise
            with atomic(self._connection):
                for job in group:
                    job.attempt(self._connection, self._path)
