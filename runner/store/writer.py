"""The one writer thread: takes every piece of work that waits, commits it in one flush, then wakes all.

In: functions that use the connection. Out: futures that are done when the commit is on disk. Group commit is
what makes full durability cheap: a hundred waiters share one fsync. It knows no take and no fact.
"""

from __future__ import annotations

import sqlite3
import threading
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

    def attempt(self, connection: sqlite3.Connection, path: Path) -> None:
        """Do the work in a savepoint: what it breaks is undone and spoils only itself."""
        connection.execute("SAVEPOINT job")
        try:
            self.result = self.work(connection)
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

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._waiting: deque[_Job[Any]] = deque()
        self._changed = threading.Condition()
        self._stopped = False
        # A daemon, so that a program that forgets to close still ends; what was acknowledged is on disk.
        self._thread = threading.Thread(target=self._run, name="state-file-writer", daemon=True)
        self._thread.start()

    def submit(self, work: Work[T]) -> Future[T]:
        """Queue `work`; its future is done when it is durable, or when it is certain that nothing of it is."""
        job = _Job(work)
        # From here it cannot be cancelled: a fact that was handed in is recorded whether or not its
        # sender still wants to know (asyncio cancels the future of a cancelled task).
        job.future.set_running_or_notify_cancel()
        with self._changed:
            # Under the same lock as the end of the thread, so that no job can slip in behind it.
            if self._stopped:
                job.fail(BrokenPromise(f"{self._path}: the state file is closed"))
            else:
                self._waiting.append(job)
                self._changed.notify()
        return job.future

    def stop(self) -> None:
        """Finish what waits, then end the thread; what comes later fails."""
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
            while not self._waiting and not self._stopped:
                self._changed.wait()
            group = list(self._waiting)
            self._waiting.clear()
        return group

    def _commit(self, group: Sequence[_Job[Any]]) -> None:
        try:
            with atomic(self._connection):
                for job in group:
                    job.attempt(self._connection, self._path)
        except sqlite3.Error as error:
            for job in group:
                # Each waiter gets an error of its own: a shared one would collect all their tracebacks.
                job.fail(_own(error, self._path))
            return
        # Only now, after COMMIT has returned: a future that is done promises that the fact is on disk.
        for job in group:
            job.wake()
