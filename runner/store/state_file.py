"""The state file's one writer: makes or opens it, takes plans and facts in, and gives tickets out.

In: plans and facts. Out: futures that are done when the fact is on disk, and the tickets a run starts from.
Several threads may use one `StateFile`; several processes are kept apart by `RunLock`, and by the epoch in the
file should that fail. It knows no asyncio; what a fact may do is decided in `states` and written in `append`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from runner.domain import failpoints
from runner.domain.errors import DiskFailed, IllegalTransition
from runner.domain.records import RunHeader
from runner.domain.shots import Plan, Ticket
from runner.domain.states import (
    Accepted,
    CostSeen,
    Delivered,
    Ended,
    Fact,
    FetchStarted,
    LateAnswer,
    Requeued,
    Started,
    SubmissionStarted,
    TakeState,
    Undeliverable,
    Vanished,
)
from runner.store import database
from runner.store.append_event import Answer, append, overtaken, read_epoch
from runner.store.create import create_file
from runner.store.disk_failure import DiskFailureHandler
from runner.store.disk_space import MIB, FreeSpaceCheck, SafetyOptions
from runner.store.identity import Identity
from runner.store.location import machine_id
from runner.store.open_file import OpenFile, open_for_writing
from runner.store.receipt_file import receipt_of
from runner.store.row_mapping import BY_PLACE, columns_of, decode, read_header
from runner.store.sync_plan import adopt
from runner.store.take_over import begin
from runner.store.unrecorded import enter, leaves_jobs, model_of, refuse_left, submissions
from runner.store.witness import Sent, Testimony, Witness, beside, line_of, outside
from runner.store.writer import PATIENCE, Work, Writer

T = TypeVar("T")

BATCHABLE = Started | Requeued | Ended | Vanished | CostSeen | FetchStarted | Delivered | Undeliverable
"""Facts that may wait for company in a commit: what the API or the disk says will be said again if it is asked again.

All others are urgent. The first byte of a POST waits for `SubmissionStarted`; an answer to it is the only receipt for
money; and a person waits for decisions, which come one at a time.
"""

PROVISION = SafetyOptions()


class StateFile:
    """An open state file; close it, or use it as a context manager, so that it rests as one plain file.

    `epoch` is the file's as this process last saw it: `begin` raises it and makes this process the one that may submit.
    """

    def __init__(self, awake: OpenFile, *, patience: float, provision: SafetyOptions, machine: str) -> None:
        """Take over an open file; use `create` or `open` instead."""
        self.path = awake.path
        self.header = read_header(awake.connection)
        self.epoch = read_epoch(awake.connection)
        self._keeper = awake.keeper
        # A simulated id is no receipt for money, so nothing of such a run is kept outside its folder.
        self._provision = replace(provision, second_places=()) if self.header.simulated else provision
        self._gauge = FreeSpaceCheck(self.path, provision.low_water)
        self._identity = Identity(self.path, self.header.run_id, log=awake.share is None)
        places = outside(self._provision.second_places, self.path.parent, machine)
        self._witness = Witness(beside(self.path), self.header, tuple(places))
        self._rescue = DiskFailureHandler(
            self.path,
            self.header.run_id,
            self._provision,
            identity=self._identity,
            on_share=awake.share is not None,
        )
        if awake.share is not None:
            self._rescue.notes.append(
                f"{self.path}: lies on a network share ({awake.share}); run it from one machine only"
            )
        self._writer = Writer(awake.connection, self.path, rescue=self._rescue, patience=patience)
        self._left = awake.left
        self._closed = False

    @classmethod
    def create(
        cls,
        path: Path,
        header: RunHeader,
        *,
        patience: float = PATIENCE,
        provision: SafetyOptions = PROVISION,
        machine: str | None = None,
        place: str = "",
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
        create_file(path, header, machine=here, place=place, network=network, mounts=mounts)
        return cls.open(
            path,
            patience=patience,
            provision=provision,
            machine=here,
            place=place,
            network=network,
            mounts=mounts,
        )

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        patience: float = PATIENCE,
        provision: SafetyOptions = PROVISION,
        machine: str | None = None,
        place: str = "",
        moved: bool = False,
        network: bool = False,
        mounts: str | None = None,
        told: Sequence[Testimony] = (),
    ) -> Self:
        """Check the whole file, then open it for writing; a file that is refused is left as it was.

        `patience` is how many seconds a fact of `BATCHABLE` may wait for others. `machine` is a name for this machine,
        by default its own, and `place` says where the folder is, "" where nobody asks; a file that was last open on
        another machine or in another folder is only taken if it has `moved`, and one on a network
        share only if `network` says so; `mounts` is what Linux's mountinfo tells, None to ask it. A file that knows
        less than `told` is not taken.

        Raises:
            FileMissing: there is none, and nothing says that there was one.
            StateFileUnusable: it is damaged, foreign, newer, lost, incomplete, not writable or on a network share, or
                it comes from another machine or folder, or knows less than its witnesses.
            RunInUse: another process is writing.
            CannotCreate: the folder's marker is missing and cannot be written.
            DiskFailed: the disk is full or failing.
        """
        here = machine_id() if machine is None else machine
        with open_for_writing(
            path, machine=here, place=place, moved=moved, network=network, mounts=mounts, told=told
        ) as awake:
            return cls(awake, patience=patience, provision=provision, machine=here)

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
        self.epoch, held, entered = self._writer.submit(
            lambda connection: begin(connection, kept, at=at)
        ).result()
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
        self._writer.submit(
            self._mine(lambda connection: connection.execute(statement, values).rowcount)
        ).result()

    def _mine(self, work: Work[T]) -> Work[T]:
        """Return `work` that is refused once another runner has begun: what this one knows is of yesterday."""

        def fenced(connection: sqlite3.Connection) -> T:
            if read_epoch(connection) != self.epoch:
                raise overtaken(str(self.path.parent))
            self._identity.check()
            return work(connection)

        return fenced

    def adopt_plan(
        self, plan: Plan, *, renew: Collection[str], at: float, renames: Mapping[str, str] | None = None
    ) -> bool:
        """Record `plan` in one transaction: its manifest, its new takes as pending, everyone's place, tags and notes.

        Takes on record whose ids `renames` has get new ones first, all at once, with their history. Takes named in
        `renew` get the plan's body, fingerprint, seed and point; they must be pending, or have failed without a charge,
        which makes them pending again. Takes no longer in the plan keep all but their place. Returns whether a
        reader would find any take other than before.

        Raises:
            IllegalTransition: a take to renew may have been paid for, or one to rename is not known; nothing was
                changed.
            DiskFailed: the disk did not take it; nothing was changed.
        """
        changed = self._writer.submit(
            self._mine(lambda connection: adopt(connection, plan, renew=renew, at=at, renames=renames))
        ).result()
        self.header = replace(self.header, columns=plan.manifest.columns)
        return changed

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
        of `BATCHABLE` may wait a moment for others, and is durable like all when its future is done. The future cannot
        be cancelled. It raises `IllegalTransition` if the table or the attempt forbids the fact, `RunInUse` if the
        epoch does or another process blocks the file, `DiskFailed` if the disk does, or had too little room to begin
        a submit. Nothing was recorded then; but a request id that the disk did not take was kept beside the file if
        that could be done, and the error says where. It raises `RecordDisplaced` once the file is not in its place:
        no submission is begun then, and what was recorded is where that error says.
        """
        if isinstance(fact, SubmissionStarted) and not self.has_room():
            return _failed(self._too_full(take_id))
        work, after = self._witnessed(take_id, fact, at=at)
        return self._writer.submit(
            # The answer to a POST is the only receipt for money, so it is taken from whoever has it.
            work if isinstance(fact, Answer | LateAnswer | SubmissionStarted) else self._mine(work),
            patient=isinstance(fact, BATCHABLE),
            receipt=receipt_of(take_id, fact, at=at),
            after=after,
        )

    def _witnessed(self, take_id: str, fact: Fact, *, at: float) -> tuple[Work[None], Callable[[], None]]:
        """Return the work that appends a fact, and what tells the witness once it is durable."""
        lines: list[Mapping[str, object]] = []

        def work(connection: sqlite3.Connection) -> None:
            if isinstance(fact, SubmissionStarted):
                self._identity.check()
                refuse_left(self.path, take_id, fact.fingerprint, self._left)
            # Armed first: the place where a paid job is looked for must be known before there is one.
            line = line_of(fact, take=take_id, model=model_of(connection, take_id), at=at)
            if line is not None and not self._witness.is_armed:
                self._witness.arm(submissions(connection), epoch=self.epoch)
            self._append(connection, take_id, fact, at=at)
            lines[:] = [] if line is None else [line]

        return work, lambda: self._witness.say(*lines)

    def _append(self, connection: sqlite3.Connection, take_id: str, fact: Fact, *, at: float) -> None:
        try:
            append(connection, take_id, fact, at=at)
        except IllegalTransition as error:
            # A receipt is offered once more, as a late answer; for the others it matters why the table forbids them.
            if isinstance(fact, Accepted | LateAnswer) or read_epoch(connection) == self.epoch:
                raise
            raise overtaken(f"take {take_id}") from error

    def _too_full(self, take_id: str) -> DiskFailed:
        mark = self._provision.low_water // MIB
        return database.disk_failed(
            self.path,
            f"less than {mark} MiB are free; {take_id} is not sent, since its answer might find no room",
        )

    def tickets(self, *, dropped: bool = False) -> list[Ticket]:
        """Return all takes a run could still care for, in manifest order, then those that left the manifest.

        Left out are pending ones that are no longer in the manifest, and dropped takes, but where these are asked for.
        """
        given_up = "" if dropped else "state <> 'dropped' AND "

        def work(connection: sqlite3.Connection) -> list[Ticket]:
            rows = connection.execute(
                f"SELECT {columns_of(Ticket)} FROM takes WHERE {given_up}"  # noqa: S608 - our own names
                f"(state <> 'pending' OR position IS NOT NULL) {BY_PLACE}"
            )
            return [decode(Ticket, row) for row in rows]

        return self._writer.submit(work).result()

    def enter(self, told: Sequence[tuple[Sent, str]], *, at: float) -> list[TakeState | None]:
        """Record submissions that witnesses know and the record does not, each for a take; all or none of them.

        Returns where each take stands then, None for a submission that found no place.
        """
        return self._writer.submit(
            self._mine(lambda connection: [enter(connection, sent, take, at=at) for sent, take in told])
        ).result()

    def leave_aside(self, told: Sequence[Sent]) -> None:
        """Let the witness say that these submissions belong to no take, so that they are not asked about again."""
        self._writer.submit(
            lambda connection: self._witness.arm(submissions(connection), epoch=self.epoch)
        ).result()
        self._witness.say(*({"left": each.request_id or each.attempt} for each in told))

    def close(self) -> None:
        """Record all that waits, fold the log into the file and close it; safe to call twice.

        Raises:
            DiskFailed: the disk failed while folding; what was acknowledged is still safe in the log.
            RecordDisplaced: the file is not in its place; what was acknowledged is where it is now.
        """
        if self._closed:
            return
        # First of all, so that a close that fails is not tried again on a connection that is gone.
        self._closed = True
        self._writer.stop()
        lost = self._identity.displaced()
        with database.translated(self.path), ExitStack() as left:
            left.callback(self._identity.close)
            left.callback(self._witness.close)
            # In this order, whatever happens: the keeper goes last, so that a log that is still needed stays.
            mine = lost is None and read_epoch(self._writer.connection) == self.epoch
            left.callback(self._rescue.close, leave=not mine)
            left.callback(self._keeper.close)
            left.callback(self._writer.connection.close)
            if lost is not None:
                self._identity.leave_word()
                raise lost
            # Whoever has taken over is still writing, or died so: the log is theirs. After a failed flush it is
            # the next opening's.
            if self._writer.broken is None and mine:
                is_over = not leaves_jobs(self._writer.connection)
                database.checkpoint_and_close(self._writer.connection, self._keeper)
                if is_over:
                    self._witness.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _failed(error: Exception) -> Future[None]:
    future: Future[None] = Future()
    future.set_exception(error)
    return future
