"""The one writer thread: it commits all waiting work in one flush, then completes its futures.

It knows no take and no fact. Group commit makes full durability cheap: a hundred waiters share one fsync.

Work is urgent or patient. Urgent work starts at once, together with all work queued before it. Patient work waits up to
`patience` seconds to share a commit, since every commit writes each touched page and flushes. Patience only delays:
order is kept, and a future is done only when its work is on disk.

A failed commit is not tried again on its connection. The kernel drops what it could not write, so a second flush may
succeed without effect. From then on all work fails, until a receipt for money arrives. The receipt is first kept beside
the file, and then tried again on a new connection.
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

from runner.domain import failpoints
from runner.domain.errors import BrokenPromise, DiskFailed, ShotrunnerError
from runner.store.database import BUSY, Failure, atomic, disk_failed, is_full, primary_code, translate
from runner.store.disk_failure import DiskFailureHandler, Receipt
from runner.store.unrecorded import has_receipt

T = TypeVar("T")
Work: TypeAlias = Callable[[sqlite3.Connection], T]

PATIENCE = 0.01
"""Seconds; too short for a person to notice, and many times the interval between the facts of a busy run."""

# Python's own module raises 0; the other codes blame a statement or its values, not the disk.
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
    """One piece of work and its future.

    `receipt` is the part that must not be lost. `after` is called after the commit and before the future is done.
    """

    work: Work[T]
    receipt: Receipt | None = None
    after: Callable[[], None] | None = None
    future: Future[T] = field(default_factory=Future)
    result: T | None = None
    refusal: Exception | None = None

    def do(self, connection: sqlite3.Connection) -> None:
        """Do the work; its errors are passed on."""
        self.result = self.work(connection)

    def attempt(self, connection: sqlite3.Connection, path: Path) -> None:
        """Do the work in a savepoint: if it fails, only its own changes are undone."""
        connection.execute("SAVEPOINT job")
        self.refusal = None
        try:
            self.do(connection)
        except Exception as error:
            # The clause is broad because any error belongs to the waiting caller; it is raised there.
            if _is_file_failure(error):
                raise
            self.refusal = _own(error, path)
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def complete(self) -> None:
        """Set the result or the refusal on the future; the commit is done."""
        if self.refusal is not None:
            self.future.set_exception(self.refusal)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]  # None only where T is None

    def fail(self, error: Exception) -> None:
        """Set an error on the future: nothing was recorded."""
        if not self.future.done():
            self.future.set_exception(self.refusal or error)


def _is_file_failure(error: Exception) -> bool:
    """Return whether the file itself failed, and not just one piece of work."""
    if isinstance(error, sqlite3.Error):
        return primary_code(error) not in _ONE_WORKS_FAULT
    return isinstance(error, OSError)


def _own(error: Exception, path: Path) -> Exception:
    if not isinstance(error, Failure):
        return error
    ours = translate(error, path)
    ours.__cause__ = error
    return ours


def _receipts(group: Sequence[_Job[Any]]) -> list[Receipt]:
    return [job.receipt for job in group if job.receipt is not None and job.refusal is None]


class Writer:
    """Owns the writing connection until `stop`; `submit` may be called from any thread.

    `connection` is the one in use. `broken` is the error that made it unusable, if there was one.
    """

    def __init__(
        self, connection: sqlite3.Connection, path: Path, *, rescue: DiskFailureHandler, patience: float
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
        # A daemon thread lets a program end that forgets to close; acknowledged facts are on disk.
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

        Urgent unless `patient`. If the disk fails, `receipt` is kept beside the file, and the work is tried again. The
        work must be safe to repeat: if one piece of a group fails, the group is undone and started again. `after` is
        called once the work is durable, and must not fail.
        """
        job = _Job(work, receipt, after)
        # From here it cannot be cancelled. A submitted fact is recorded even if its caller has stopped
        # waiting (asyncio cancels the future of a cancelled task).
        job.future.set_running_or_notify_cancel()
        with self._changed:
            # The end of the thread uses the same lock, so no job can be queued after it.
            if self._stopped:
                job.fail(BrokenPromise(f"{self._path}: the state file is closed"))
                return job.future
            # Each notification costs a change of threads, so a second patient job does not notify the writer.
            notifies = not self._waiting if patient else not self._urgent
            if not self._waiting:
                self._due = time.monotonic() + self._patience
            self._waiting.append(job)
            self._urgent = self._urgent or not patient
            if notifies:
                self._changed.notify()
        return job.future

    def stop(self) -> None:
        """Finish all waiting work at once, then end the thread; later work fails."""
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
            # Only a bug or a lack of memory ends the loop early; no caller may wait forever because of it.
            with self._changed:
                self._stopped = True
                left = [*group, *self._waiting]
                self._waiting.clear()
            for job in left:
                job.fail(BrokenPromise(f"{self._path}: the writer died; this may not have been recorded"))

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
        displaced = self._rescue.identity.displaced
        try:
            self._persist(group)
        except (sqlite3.Error, OSError, ShotrunnerError) as error:
            for job in group:
                # Each caller gets its own error: a shared one would collect all their tracebacks.
                job.fail(displaced() or _own(error, self._path))
            return
        for job in group:
            if job.after is not None and job.refusal is None:
                job.after()
        if displaced() is not None:
            # The open file holds all committed facts, wherever it is now; if it was deleted, they are lost. So
            # receipts are kept beside the run's path, and all other jobs fail.
            receipts = _receipts(group)
            kept = self._rescue.keep(receipts) if receipts else None
            for job in group:
                if job.receipt is None or kept is None:
                    job.fail(displaced() or self._unrecorded(receipts, "the file is gone", kept))
        # This comes only after COMMIT has returned: a finished future promises that the fact is on disk.
        for job in group:
            if not job.future.done():
                job.complete()

    def _persist(self, group: Sequence[_Job[Any]]) -> None:
        """Write a group; if that fails, save its receipts."""
        try:
            self._write_once(group)
        except (sqlite3.Error, OSError) as error:
            if not (receipts := _receipts(group)):
                raise
            self._save(group, receipts, error)

    def _save(self, group: Sequence[_Job[Any]], receipts: Sequence[Receipt], error: Failure) -> None:
        """Keep receipts elsewhere, then try again on a new connection.

        Raises `DiskFailed`, which names the receipts that were not recorded, and where they were kept.
        """
        kept = self._rescue.keep(receipts)
        self._rescue.ballast.drop()
        try:
            self.connection = self._rescue.reconnect(self.connection)
            self.broken = None
            # The group is one transaction: if one receipt is there, the seemingly failed commit has stored all.
            if not has_receipt(self.connection, receipts[0]):
                self._write_once(group)
        except (sqlite3.Error, OSError, ShotrunnerError) as again:
            self.broken = again if isinstance(again, sqlite3.Error | OSError) else error
            raise self._unrecorded(receipts, error, kept) from again

    def _write_once(self, group: Sequence[_Job[Any]]) -> None:
        """Write a group on a sound connection; on a full disk, try again after freeing space."""
        if self.broken is not None:
            raise self.broken
        try:
            try:
                self._write(group)
            except (sqlite3.Error, OSError) as error:
                if not (is_full(error) and self._rescue.ballast.drop()):
                    raise
                self._write(group)
        except (sqlite3.Error, OSError) as error:
            # Of a full disk and of a busy file it is certain that nothing has reached the disk.
            self.broken = None if is_full(error) or primary_code(error) in BUSY else error
            raise

    def _unrecorded(self, receipts: Sequence[Receipt], error: Failure | str, kept: Path | None) -> DiskFailed:
        named = ", ".join(f"{receipt.take} is request {receipt.request_id}" for receipt in receipts)
        where = f"kept in {kept} for the next start" if kept else "it is not kept anywhere: write it down"
        return disk_failed(self._path, f"{named}, which could not be recorded ({error}); {where}")

    def _write(self, group: Sequence[_Job[Any]], *, each_alone: bool = False) -> None:
        """Do a group's work in one transaction; the first try expects no refusal."""
        try:
            with atomic(self.connection):
                for job in group:
                    if each_alone:
                        job.attempt(self.connection, self._path)
                    else:
                        job.do(self.connection)
                # The commit of a receipt has its own failpoint: it is the commit that tests most want to fail or kill.
                if any(job.receipt is not None for job in group):
                    failpoints.hit("store.receipt")
        except Exception as error:
            # The clause is broad because any error means the same: all is undone, and each job gets its own savepoint.
            if each_alone or _is_file_failure(error):
                raise
            self._write(group, each_alone=True)
