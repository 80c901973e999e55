"""The state file's one writer: makes or opens it, takes plans and facts in, and gives tickets out.

In: plans and facts. Out: futures that are done when the fact is on disk, and the tickets a run starts from.
Several threads may use one `StateFile`; several processes are kept apart by `RunLock`, and by the epoch in the
file should that fail. It knows no asyncio; what a fact may do is decided in `states` and written in `append`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from runner.errors import CannotCreate
from runner.shots import Plan, Ticket
from runner.states import (
    CostSeen,
    Delivered,
    Ended,
    Fact,
    FetchStarted,
    LostContact,
    Requeued,
    Started,
    Undeliverable,
    Vanished,
)
from runner.store import checks, database
from runner.store.adoption import adopt
from runner.store.append import append
from runner.store.creation import create_file, migrate
from runner.store.marker import read_marker, write_marker
from runner.store.records import RunHeader
from runner.store.rows import BY_PLACE, columns_of, decode
from runner.store.writer import PATIENCE, Writer

PATIENT = Started | Requeued | Ended | Vanished | CostSeen | FetchStarted | Delivered | Undeliverable
"""Facts that may wait for company in a commit: what the API or the disk says will be said again if it is asked again.

All others are urgent. The first byte of a POST waits for `SubmissionStarted`; an answer to it is the only receipt for
money; and a person waits for decisions, which come one at a time.
"""


class StateFile:
    """An open state file; close it, or use it as a context manager, so that it rests as one plain file.

    `epoch` is the file's as this process last saw it: `begin` raises it and makes this process the one that may submit.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, patience: float) -> None:
        """Take over an awakened connection; use `create` or `open` instead."""
        self.path = path
        self.header = read_header(connection)
        self.epoch = read_epoch(connection)
        self._connection = connection
        self._writer = Writer(connection, path, patience=patience)
        self._closed = False

    @classmethod
    def create(cls, path: Path, header: RunHeader, *, patience: float = PATIENCE) -> Self:
        """Make a new state file, private to its owner, and open it.

        Raises:
            CannotCreate: it exists, or cannot be made.
            DiskFailed: the disk is full or failing.
            StateFileUnusable: a state file was here and is gone, or this is a network share.
        """
        create_file(path, header)
        return cls.open(path, patience=patience)

    @classmethod
    def open(cls, path: Path, *, patience: float = PATIENCE) -> Self:
        """Check the whole file, then open it for writing; a file that is refused is left as it was.

        `patience` is how many seconds a fact of `PATIENT` may wait for others.

        Raises:
            FileMissing: there is none, and nothing says that there was one.
            StateFileUnusable: it is damaged, foreign, newer, lost, incomplete, not writable or on a network share.
            RunInUse: another process is writing.
            CannotCreate: the folder's marker is missing and cannot be written.
            DiskFailed: the disk is full or failing.
        """
        checks.refuse_odd_place(path)
        with checks.readable(path):
            checks.refuse_lost_log(path)
            checks.undo_half_change(path)
            run_id = checks.refuse_damage(path)
            checks.refuse_other_run(path, run_id)
            # Before the file is awakened: a folder that cannot be marked must leave it at rest.
            _mark(path, run_id)
            connection = database.connect_writer(path)
            try:
                migrate(connection, keep_copy_at=path)
                database.awaken(connection, path)
                return cls(path, connection, patience=patience)
            except BaseException:
                database.abandon(connection, path)
                raise

    def begin(self, *, at: float) -> tuple[str, ...]:
        """Become the runner: raise the epoch, and hold every take whose sender died. Returns their ids.

        Raises:
            DiskFailed: the disk did not take it; the epoch is as it was.
        """

        # One transaction: no other runner may begin between the new epoch and the takes held under it.
        def work(connection: sqlite3.Connection) -> tuple[int, tuple[str, ...]]:
            epoch = connection.execute("UPDATE run SET epoch = epoch + 1 RETURNING epoch").fetchone()[0]
            return epoch, _hold_abandoned(connection, at=at)

        self.epoch, held = self._writer.submit(work).result()
        return held

    def adopt_plan(self, plan: Plan, *, renew: Collection[str], at: float) -> None:
        """Record `plan` in one transaction: its manifest, its new takes as pending, everyone's place, tags and notes.

        Takes named in `renew` get the plan's body, fingerprint, seed and point; they must be pending, or have
        failed without a charge, which makes them pending again. Takes no longer in the plan keep all but their place.

        Raises:
            IllegalTransition: a take to renew may have been paid for; nothing was changed.
            DiskFailed: the disk did not take it; nothing was changed.
        """
        self._writer.submit(lambda connection: adopt(connection, plan, renew=renew, at=at)).result()
        self.header = replace(self.header, columns=plan.manifest.columns)

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Append `fact`, seen at wall time `at`, and move the take as the table says; callable from any thread.

        Facts are recorded in the order in which they are handed in, those that wait together in one commit; a fact
        of `PATIENT` may wait a moment for others, and is durable like all when its future is done. The future cannot
        be cancelled. It raises `IllegalTransition` if the table, the attempt or the epoch forbids the fact,
        `DiskFailed` if the disk does, `RunInUse` if another process blocks it; nothing was recorded then.
        """
        return self._writer.submit(
            lambda connection: append(connection, take_id, fact, at=at), patient=isinstance(fact, PATIENT)
        )

    def tickets(self) -> list[Ticket]:
        """Return all takes a run could still care for, in manifest order, then those that left the manifest.

        Left out are dropped takes, and pending ones that are no longer in the manifest.
        """

        def work(connection: sqlite3.Connection) -> list[Ticket]:
            rows = connection.execute(
                f"SELECT {columns_of(Ticket)} FROM takes WHERE state <> 'dropped'"  # noqa: S608 - our own names
                f" AND (state <> 'pending' OR position IS NOT NULL) {BY_PLACE}"
            )
            return [decode(Ticket, row) for row in rows]

        return self._writer.submit(work).result()

    def close(self) -> None:
        """Record all that waits, fold the log into the file and close it; safe to call twice.

        Raises:
            DiskFailed: the disk failed while folding; what was acknowledged is still safe in the log.
        """
        if self._closed:
            return
        # First of all, so that a close that fails is not tried again on a connection that is gone.
        self._closed = True
        self._writer.stop()
        with database.translated(self.path):
            try:
                if read_epoch(self._connection) != self.epoch:
                    # Whoever has taken over is still writing, or died so: the log is theirs.
                    database.abandon(self._connection, self.path)
                else:
                    database.lay_to_rest(self._connection)
                    self._connection.close()
            except BaseException:
                database.abandon(self._connection, self.path)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_header(connection: sqlite3.Connection) -> RunHeader:
    """Return which run the file belongs to."""
    row = connection.execute(f"SELECT {columns_of(RunHeader)} FROM run").fetchone()  # noqa: S608 - our own names
    return decode(RunHeader, row)


def read_epoch(connection: sqlite3.Connection) -> int:
    """Return how many runners have begun on this file."""
    return int(connection.execute("SELECT epoch FROM run").fetchone()[0])


def _hold_abandoned(connection: sqlite3.Connection, *, at: float) -> tuple[str, ...]:
    found = connection.execute(
        "SELECT t.take_id, a.attempt FROM takes t JOIN attempts a"
        " ON a.take_id = t.take_id AND a.number = t.attempts WHERE t.state = 'submitting'"
        " ORDER BY t.position IS NULL, t.position, t.rowid"
    ).fetchall()
    for take_id, attempt in found:
        lost = LostContact(attempt, milestone="unknown", reason="the runner died while sending")
        append(connection, take_id, lost, at=at)
    return tuple(take_id for take_id, _ in found)


def _mark(path: Path, run_id: str) -> None:
    """Write the marker where a crash, or an older copy of the folder, has left none."""
    if read_marker(path) == run_id:
        return
    try:
        write_marker(path, run_id)
    except OSError as error:
        raise CannotCreate(f"{path.parent}: cannot be written to: {error.strerror}") from error
