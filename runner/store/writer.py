"""The one writer thread: takes every piece of work that waits, commits it in one flush, then wakes all.

In: functions that use the connection. Out: futures that are done when the commit is on disk. Group commit is
what makes full durability cheap: a hundred waiters share one fsync. It knows no take and no fact.

Work is urgent or patient. Urgent work is begun at once and takes along all that was handed in before it. Patient work
waits up to `patience` seconds for company, since every commit has a price: it writes each touched page and flushes.
Patience delays a promise and weakens none: order is kept, and a future is done only when its work is on disk.

A commit that failed is not tried again on its connection: the kernel forgets what it could not write, so that a second
flush may succeed and mean nothing. From then on everything fails, until a receipt for money comes. That one is first
kept beside the file, and then worth one more try on a connection made anew.
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
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from runner.domain import failpoints
from runner.domain.errors import BrokenPromise, DiskFailed, ShotrunnerError
from runner.store.database import Failure, atomic, disk_failed, is_full, primary_code, translate
from runner.store.receipt_file import Receipt

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


class Rescue(Protocol):
    """What the writer can call on when the disk fails it."""

    def make_room(self) -> bool:
        """Give room back on a full disk; return whether there was any to give."""
        ...

    def keep(self, receipts: Sequence[Receipt]) -> Path | None:
        """Write receipts down elsewhere and return where; None if that failed too."""
        ...

    def displaced(self) -> ShotrunnerError | None:
        """Return what is wrong if the file at the path is not the one that is open; None if it is."""
        ...

    def reconnect(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Close `old` and return a new connection; raises what SQLite does."""
        ...

    def has(self, connection: sqlite3.Connection, receipt: Receipt) -> bool:
        """Return whether the file has the receipt already."""
        ...


@dataclass(slots=True, eq=False)
class _Job(Generic[T]):
    """One piece of work and those who wait for it.

    `receipt` is what of it must not be lost, `after` is called once it is durable and before the future is done.
    """

    work: Work[T]
    receipt: Receipt | None = None
    after: Callable[[], None] | None = None
    future: Future[T] = field(default_factory=Future)
    result: T | None = None
    refusal: Exception | None = None

    def do(self, connection: sqlite3.Connection) -> None:
        """Do the work; whatever it raises is passed on."""
        self.result = self.work(connection)

    def attempt(self, connection: sqlite3.Connection, path: Path) -> None:
        """Do the work in a savepoint: what it breaks is undone and spoils only itself."""
        connection.execute("SAVEPOINT job")
        self.refusal = None
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
    if isinstance(error, sqlite3.Error):
        return primary_code(error) not in _ONE_WORKS_FAULT
    return isinstance(error, OSError)


def _is_in_doubt(error: Failure) -> bool:
    """Return whether nobody knows what has reached the disk."""
    return not is_full(error) and primary_code(error) not in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _own(error: Exception, path: Path) -> Exception:
    if not isinstance(error, Failure):
        return error
    ours = translate(error, path)
    ours.__cause__ = error
    return ours


class Writer:
    """Owns the writing connection until `stop`; `submit` may be called from any thread.

    `connection` is the one in use, and `broken` what failed on it, if anything did.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, rescue: Rescue, patience: float = PATIENCE
    ) -> None:
        self.connection = connection
        self.broken: Failure | None = None
        self._path = path
        self._rescue = rescue
        self._patience = patience
        self._waiting: deque[_Job[Any]] = deque()
        self._changed = threading.Condition()
        self._urgent = False
        self._due = 0.0
        self._stopped = False
        # A daemon, so that a program that forgets to close still ends; what was acknowledged is on disk.
        self._thread = threading.Thread(target=self._run, name="state-file-writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Work[T],
        *,
        patient: bool = False,
        receipt: Receipt | None = None,
        after: Callable[[], None] | None = None,
    ) -> Future[T]:
        """Queue `work`; its future is done when it is durable, or when it is certain that nothing of it is.

        Where the disk fails, `receipt` is kept beside the file, and the work is tried once more. It must bear being
        done twice: where one piece of work in a group fails, the group is undone and begun again. `after` is called
        once it is durable, and must not fail.
        """
        job = _Job(work, receipt, after)
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
            self._persist(group)
        except (sqlite3.Error, OSError, ShotrunnerError) as error:
            for job in group:
                # Each waiter gets an error of its own: a shared one would collect all their tracebacks.
                job.fail(self._rescue.displaced() or _own(error, self._path))
            return
        for job in group:
            if job.after is not None and job.refusal is None:
                job.after()
        if self._rescue.displaced() is not None:
            self._stop_at_loss(group)
            return
        # Only now, after COMMIT has returned: a future that is done promises that the fact is on disk.
        for job in group:
            job.wake()

    def _stop_at_loss(self, group: Sequence[_Job[Any]]) -> None:
        """Keep receipts where they are found again, then let all others hear that the file is not in its place.

        What was committed is in the open file, wherever that is; if it was deleted, it is lost.
        """
        receipts = [job.receipt for job in group if job.receipt is not None and job.refusal is None]
        kept = self._rescue.keep(receipts) if receipts else None
        for job in group:
            if job.receipt is not None and kept is not None:
                job.wake()
            else:
                job.fail(self._rescue.displaced() or self._unrecorded(receipts, "the file is gone", kept))

    def _persist(self, group: Sequence[_Job[Any]]) -> None:
        """Write a group; if that fails, save its receipts."""
        try:
            self._write_once(group)
        except (sqlite3.Error, OSError) as error:
            receipts = [job.receipt for job in group if job.receipt is not None and job.refusal is None]
            if not receipts:
                raise
            self._save(group, receipts, error)

    def _write_once(self, group: Sequence[_Job[Any]]) -> None:
        """Write a group on a connection that is whole; on a full disk, once more after room was made."""
        if self.broken is not None:
            raise self.broken
        try:
            try:
                self._write(group)
            except (sqlite3.Error, OSError) as error:
                if not (is_full(error) and self._rescue.make_room()):
                    raise
                self._write(group)
        except (sqlite3.Error, OSError) as error:
            self.broken = error if _is_in_doubt(error) else None
            raise

    def _save(self, group: Sequence[_Job[Any]], receipts: Sequence[Receipt], error: Failure) -> None:
        """Keep receipts elsewhere, then try once more on a new connection.

        Raises:
            DiskFailed: it names what was not recorded, and where it was kept.
        """
        kept = self._rescue.keep(receipts)
        self._rescue.make_room()
        try:
            self.connection = self._rescue.reconnect(self.connection)
            self.broken = None
            # One transaction: if one receipt of it is there, the commit that seemed to fail has taken them all.
            if not self._rescue.has(self.connection, receipts[0]):
                self._write_once(group)
        except (sqlite3.Error, OSError, ShotrunnerError) as again:
            self.broken = again if isinstance(again, sqlite3.Error | OSError) else error
            raise self._unrecorded(receipts, error, kept) from again

    def _unrecorded(self, receipts: Sequence[Receipt], error: Failure | str, kept: Path | None) -> DiskFailed:
        named = ", ".join(f"{receipt.take} is request {receipt.request_id}" for receipt in receipts)
        where = f"kept in {kept} for the next start" if kept else "it is kept nowhere: write it down"
        return disk_failed(self._path, f"{named}, which could not be recorded ({error}); {where}")

    def _write(self, group: Sequence[_Job[Any]]) -> None:
        """Do a group's work in one transaction, at first in the hope that nothing in it is refused."""
        try:
            with atomic(self.connection):
                for job in group:
                    job.do(self.connection)
                _strike(group)
        except Exception as error:
            # Broad, because any of them means the same: all is undone, and each gets a savepoint of its own.
            if _spoils_all(error):
                raise
            with atomic(self.connection):
                for job in group:
                    job.attempt(self.connection, self._path)
                _strike(group)


def _strike(group: Sequence[_Job[Any]]) -> None:
    # A point of its own: what a test wants to fail or kill most is the commit of a receipt.
    if any(job.receipt is not None for job in group):
        failpoints.hit("store.receipt")
