"""The state file's one writer: makes or opens it, takes plans and facts in, and gives tickets out.

In: plans and facts. Out: futures that are done when the fact is on disk, and the tickets a run starts from.
Several threads may use one `StateFile`; several processes are kept apart by `RunLock`, and by the epoch in the
file should that fail. It knows no asyncio; what a fact may do is decided in `states` and written in `append`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from runner import failpoints
from runner.errors import DiskFailed
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
    SubmissionStarted,
    Undeliverable,
    Vanished,
)
from runner.store import checks, database
from runner.store.adoption import adopt
from runner.store.append import append, read_epoch
from runner.store.creation import create_file, migrate, note_machine, renew_marker
from runner.store.emergency import Receipt, receipt_of
from runner.store.machine import machine_id
from runner.store.receipts import enter_receipt
from runner.store.records import RunHeader
from runner.store.rescue import DiskRescue
from runner.store.reserve import MIB, Gauge, Provision
from runner.store.rows import BY_PLACE, columns_of, decode
from runner.store.writer import PATIENCE, Writer

PATIENT = Started | Requeued | Ended | Vanished | CostSeen | FetchStarted | Delivered | Undeliverable
"""Facts that may wait for company in a commit: what the API or the disk says will be said again if it is asked again.

All others are urgent. The first byte of a POST waits for `SubmissionStarted`; an answer to it is the only receipt for
money; and a person waits for decisions, which come one at a time.
"""


PROVISION = Provision()


class StateFile:
    """An open state file; close it, or use it as a context manager, so that it rests as one plain file.

    `epoch` is the file's as this process last saw it: `begin` raises it and makes this process the one that may submit.
    """

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        keeper: sqlite3.Connection,
        *,
        patience: float,
        provision: Provision,
        share: str | None = None,
    ) -> None:
        """Take over an awakened connection, and a reader that keeps its log; use `create` or `open` instead."""
        self.path = path
        self.header = read_header(connection)
        self.epoch = read_epoch(connection)
        self._keeper = keeper
        # A simulated id is no receipt for money, so nothing of such a run is kept outside its folder.
        self._provision = replace(provision, second_places=()) if self.header.simulated else provision
        self._gauge = Gauge(path, provision.low_water)
        self._rescue = DiskRescue(path, self.header.run_id, self._provision, on_share=share is not None)
        if share is not None:
            self._rescue.notes.append(
                f"{path}: lies on a network share ({share}); run it from one machine only"
            )
        self._writer = Writer(connection, path, rescue=self._rescue, patience=patience)
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        header: RunHeader,
        *,
        patience: float = PATIENCE,
        provision: Provision = PROVISION,
        machine: str | None = None,
        network: bool = False,
        mounts: str | None = None,
    ) -> Self:
        """Make a new state file, private to its owner, and open it; the parameters are those of `open`.

        Raises:
            CannotCreate: it exists, or cannot be made.
            DiskFailed: the disk is full or failing.
            StateFileUnusable: a state file was here and is gone, or this is a network share.
        """
        here = machine_id() if machine is None else machine
        create_file(path, header, machine=here, network=network, mounts=mounts)
        return cls.open(
            path, patience=patience, provision=provision, machine=here, network=network, mounts=mounts
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        patience: float = PATIENCE,
        provision: Provision = PROVISION,
        machine: str | None = None,
        moved: bool = False,
        network: bool = False,
        mounts: str | None = None,
    ) -> Self:
        """Check the whole file, then open it for writing; a file that is refused is left as it was.

        `patience` is how many seconds a fact of `PATIENT` may wait for others. `machine` is a name for this machine,
        by default its own; a file that was last open on another is only taken if it has `moved`, and one on a network
        share only if `network` says so; `mounts` is what Linux's mountinfo tells, None to ask it.

        Raises:
            FileMissing: there is none, and nothing says that there was one.
            StateFileUnusable: it is damaged, foreign, newer, lost, incomplete, not writable or on a network share, or
                it comes from another machine.
            RunInUse: another process is writing.
            CannotCreate: the folder's marker is missing and cannot be written.
            DiskFailed: the disk is full or failing.
        """
        here = machine_id() if machine is None else machine
        share = checks.refuse_odd_place(path, network=network, mounts=mounts)
        with checks.readable(path):
            checks.refuse_log_on_share(path, share)
            if share is not None:
                # Without a log it is the main file that a kill leaves half written, so that comes first.
                checks.undo_half_change(path)
            checks.refuse_lost_log(path)
            checks.refuse_damaged_log(path)
            checks.undo_half_change(path)
            found = checks.refuse_damage(path)
            checks.refuse_older_log(path)
            checks.refuse_other_run(path, found.run_id)
            if not moved:
                checks.refuse_other_machine(path, found.machine, here)
            # Before the file is awakened: a folder that cannot be marked must leave it at rest.
            renew_marker(path, found.run_id)
            failpoints.hit("store.open")
            return cls._awakened(path, patience=patience, provision=provision, machine=here, share=share)

    @classmethod
    def _awakened(
        cls, path: Path, *, patience: float, provision: Provision, machine: str, share: str | None
    ) -> Self:
        with ExitStack() as opened:
            # Attached first and closed last, whatever fails: a log that a dead runner left stays where it is.
            keeper = opened.enter_context(closing(database.connect_reader(path)))
            if share is None:
                database.keep_log(keeper)
            connection = opened.enter_context(closing(database.connect_writer(path)))
            migrate(connection, keep_copy_at=path)
            if share is None:
                database.awaken(connection, keeper, path)
            else:
                database.awaken_on_share(connection, path)
            note_machine(connection, machine)
            state_file = cls(path, connection, keeper, patience=patience, provision=provision, share=share)
            opened.pop_all()
            return state_file

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of how the file was opened and begun, one sentence each."""
        return tuple(self._rescue.notes)

    def has_room(self) -> bool:
        """Return whether the volume is above its low-water mark, as seen within the last second."""
        return self._gauge.has_room()

    def begin(self, *, at: float) -> tuple[str, ...]:
        """Become the runner: raise the epoch, and hold every take whose sender died. Returns their ids.

        Before that the ids are entered that an earlier runner could only keep beside the file.

        Raises:
            DiskFailed: the disk did not take it; the epoch is as it was.
        """
        with database.translated(self.path):
            kept = self._rescue.side.read()

        # One transaction: no other runner may begin between the new epoch and the takes held under it.
        def work(connection: sqlite3.Connection) -> tuple[int, tuple[str, ...], list[Receipt]]:
            epoch = connection.execute("UPDATE run SET epoch = epoch + 1 RETURNING epoch").fetchone()[0]
            # Entered first, or a take whose answer is known would be held for want of it.
            entered = [receipt for receipt in kept if enter_receipt(connection, receipt)]
            return epoch, _hold_abandoned(connection, at=at), entered

        self.epoch, held, entered = self._writer.submit(work).result()
        failpoints.hit("store.begun")
        self._rescue.forget(entered, left=len(kept) - len(entered))
        return held

    def begin_session(
        self, *, at: float, version: str, limit_s: float | None = None, window_began_at: float | None = None
    ) -> None:
        """Note that this process is about to submit, and for how long it may; the parameters are as in the record.

        Raises:
            DiskFailed: the disk did not take it.
        """
        self._change(
            "INSERT INTO sessions (epoch, began_at, version, limit_s, window_began_at) VALUES (?, ?, ?, ?, ?)",
            (self.epoch, at, version, limit_s, window_began_at),
        )

    def end_session(self, *, at: float, ending: str) -> None:
        """Note how this process ended its session.

        Raises:
            DiskFailed: the disk did not take it.
        """
        self._change("UPDATE sessions SET ended_at = ?, ending = ? WHERE epoch = ?", (at, ending, self.epoch))

    def _change(self, statement: str, values: tuple[object, ...]) -> None:
        """Run one statement in a transaction of its own; durable on return."""
        self._writer.submit(lambda connection: connection.execute(statement, values).rowcount).result()

    def adopt_plan(
        self, plan: Plan, *, renew: Collection[str], at: float, renames: Mapping[str, str] | None = None
    ) -> None:
        """Record `plan` in one transaction: its manifest, its new takes as pending, everyone's place, tags and notes.

        Takes on record whose ids `renames` has get new ones first, all at once, with their history. Takes named in
        `renew` get the plan's body, fingerprint, seed and point; they must be pending, or have
        failed without a charge, which makes them pending again. Takes no longer in the plan keep all but their place.

        Raises:
            IllegalTransition: a take to renew may have been paid for, or one to rename is not known; nothing was
                changed.
            DiskFailed: the disk did not take it; nothing was changed.
        """
        self._writer.submit(
            lambda connection: adopt(connection, plan, renew=renew, at=at, renames=renames)
        ).result()
        self.header = replace(self.header, columns=plan.manifest.columns)

    def note_manifest(self, manifest: str) -> None:
        """Record where the manifest lies as seen from the folder, which has moved; durable on return.

        Raises:
            DiskFailed: the disk did not take it; nothing was changed.
        """
        self._change("UPDATE run SET manifest = ?", (manifest,))
        self.header = replace(self.header, manifest=manifest)

    def note_api_base(self, api_base: str) -> None:
        """Record which API the run's jobs are to live at, for a run that has none yet; durable on return.

        Raises:
            DiskFailed: the disk did not take it; nothing was changed.
        """
        self._change("UPDATE run SET api_base = ?", (api_base,))
        self.header = replace(self.header, api_base=api_base)

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Append `fact`, seen at wall time `at`, and move the take as the table says; callable from any thread.

        Facts are recorded in the order in which they are handed in, those that wait together in one commit; a fact
        of `PATIENT` may wait a moment for others, and is durable like all when its future is done. The future cannot
        be cancelled. It raises `IllegalTransition` if the table or the attempt forbids the fact, `RunInUse` if the
        epoch does or another process blocks the file, `DiskFailed` if the disk does, or had too little room to begin
        a submit. Nothing was recorded then; but a request id that the disk did not take was kept beside the file if
        that could be done, and the error says where.
        """
        if isinstance(fact, SubmissionStarted) and not self.has_room():
            return _failed(self._too_full(take_id))
        return self._writer.submit(
            lambda connection: append(connection, take_id, fact, at=at),
            patient=isinstance(fact, PATIENT),
            receipt=receipt_of(take_id, fact, at=at),
        )

    def _too_full(self, take_id: str) -> DiskFailed:
        mark = self._provision.low_water // MIB
        return database.disk_failed(
            self.path,
            f"less than {mark} MiB are free; {take_id} is not sent, since its answer might find no room",
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
        with database.translated(self.path), ExitStack() as left:
            # In this order, whatever happens: the keeper goes last, so that a log that is still needed stays.
            left.callback(self._rescue.close)
            left.callback(self._keeper.close)
            left.callback(self._writer.connection.close)
            # Whoever has taken over is still writing, or died so: the log is theirs. After a failed flush it is
            # the next opening's.
            if self._writer.broken is None and read_epoch(self._writer.connection) == self.epoch:
                database.lay_to_rest(self._writer.connection, self._keeper)

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


def _failed(error: Exception) -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(error)
    return future
