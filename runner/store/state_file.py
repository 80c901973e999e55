"""The state file, open for writing: it records plans and facts, and returns tickets.

It knows no asyncio. `states` decides what a fact may do, and `append` writes it. Several threads may share one
`StateFile`. `RunLock` keeps other processes out, and the epoch in the file does so if the lock fails.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self, TypeVar

from runner.domain import failpoints, states
from runner.domain.disk_errors import file_error
from runner.domain.errors import IllegalTransition
from runner.domain.orders import GivenOrder, OrderOutcome, order_as_json
from runner.domain.records import Completion, CostsUntold, RunHeader
from runner.domain.shots import Plan, Ticket
from runner.store import database
from runner.store.append_event import Answer, append, overtaken, read_epoch
from runner.store.disk_failure import MIB, DiskFailureHandler, FreeSpaceCheck, receipt_of
from runner.store.identity import Identity
from runner.store.marker import is_noted_simulated, write_marker
from runner.store.open_file import OpenFile, Opening, create_file, open_for_writing
from runner.store.row_mapping import BY_PLACE, columns_of, decode, read_header
from runner.store.schema import NEWEST, REMAINS
from runner.store.sync_plan import adopt, name_files
from runner.store.unrecorded import begin, enter, leaves_jobs, refuse_left, submissions
from runner.store.witness import AboutMoney, Sent, Witness, beside, line_of, outside
from runner.store.writer import Work, Writer
from runner.system.canonical_json import JsonValue

T = TypeVar("T")

BATCHABLE = (
    states.Started
    | states.Requeued
    | states.Ended
    | states.Vanished
    | states.CostSeen
    | states.FetchStarted
    | states.Delivered
    | states.Undeliverable
    | states.Checked
)
"""Facts that may wait and share a commit: if one is lost, the API or the disk reports it again when asked.

All others are urgent. The first byte of a POST waits for `SubmissionStarted`. The answer to a POST is the only receipt
for money. A person waits for decisions, which are made one at a time.
"""


class StateFile:
    """An open state file; close it, or use it as a context manager, so that one plain file is left.

    `epoch` is the epoch that this process last saw. `begin` raises it, and then only this process may submit.
    """

    def __init__(self, awake: OpenFile, opening: Opening) -> None:
        """Take over an open file; callers use `create` or `open`."""
        self.path = awake.path
        self.header = read_header(awake.connection)
        self.epoch = read_epoch(awake.connection)
        self._keeper = awake.keeper
        self._left = awake.left
        self._closed = False
        provision, on_share = opening.provision, awake.share is not None
        if self.header.simulated:
            # A simulated id is not a receipt for money, so a simulated run keeps nothing outside its folder.
            provision = replace(provision, second_places=())
        self._gauge = FreeSpaceCheck(self.path, provision.low_water)
        self._identity = Identity(self.path, self.header.run_id, log=not on_share)
        places = outside(provision.second_places, self.path.parent, opening.machine)
        self._witness = Witness(beside(self.path), self.header, tuple(places))
        self._rescue = DiskFailureHandler(self.path, provision, identity=self._identity, on_share=on_share)
        if on_share:
            self._rescue.notes.append(
                f"{self.path}: lies on a network share ({awake.share}); run it from one machine only"
            )
        self._writer = Writer(awake.connection, self.path, rescue=self._rescue, patience=opening.patience)

    @classmethod
    def create(
        cls,
        path: Path,
        header: RunHeader,
        opening: Opening | None = None,
        *,
        plan: Plan | None = None,
        doubtful: Sequence[Sent] = (),
        at: float = 0.0,
    ) -> Self:
        """Make a new state file, private to its owner, and open it.

        A `plan` is adopted and its takes in `doubtful` are held before the file has its name: after a kill no take that
        may have been sent looks as if it never was. Raises what `open` does, and `CannotCreate` if it exists or cannot
        be made.
        """

        def fill(connection: sqlite3.Connection) -> None:
            if plan is not None:
                adopt(connection, plan, renew=(), at=at, renames={})
            for sent in doubtful:
                enter(connection, sent, sent.take, at=at)

        opening = opening or Opening()
        create_file(path, header, opening, fill=fill)
        return cls.open(path, opening)

    @classmethod
    def open(cls, path: Path, opening: Opening | None = None) -> Self:
        """Check the whole file, then open it for writing; a refused file is left as it was.

        Raises:
            FileMissing: there is none, and nothing says that there was one.
            StateFileUnusable: it is damaged, foreign, newer, lost, incomplete, not writable or on a network share. Or
                it was last open on another machine or in another folder, or it knows less than its witnesses.
            RunInUse: another process is writing.
            CannotCreate: the folder's marker is missing and cannot be written.
            DiskFailed: the disk is full or failing.
        """
        opening = opening or Opening()
        with open_for_writing(path, opening) as awake:
            return cls(awake, opening)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the opening of the file, one sentence each."""
        return tuple(self._rescue.notes)

    def has_room(self) -> bool:
        """Return whether the volume is above its low-water mark, as seen within the last second."""
        return self._gauge.has_room()

    def begin(self, *, at: float) -> tuple[str, ...]:
        """Become the runner: raise the epoch, hold every take whose sender died, and return their ids.

        Request ids that an earlier runner could only keep beside the file are recorded first. Raises `DiskFailed` if
        the disk did not store it; the epoch is then unchanged.
        """
        with database.translated(self.path):
            kept = self._rescue.kept()

        # One transaction: otherwise another runner could begin after the new epoch and before the takes are held.
        self.epoch, held, entered = self._writer.submit(
            lambda connection: begin(connection, kept, at=at)
        ).result()
        failpoints.hit("store.begun")
        self._rescue.forget(entered, left=len(kept) - len(entered))
        return held

    def begin_session(
        self,
        *,
        at: float,
        version: str,
        limit_s: float | None = None,
        window_began_at: float | None = None,
        settings: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Record that this process is about to submit, and for how long; the parameters are those of the record.

        Raises `DiskFailed` if the disk did not store it, and so does every method that returns when a change is
        durable: nothing was changed then.
        """
        columns = "epoch, began_at, version, limit_s, window_began_at, settings"
        statement = f"INSERT INTO sessions ({columns}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608 - our own names
        noted = json.dumps(settings or {})
        self._change(statement, self.epoch, at, version, limit_s, window_began_at, noted)

    def end_session(self, *, at: float, ending: str) -> None:
        """Record how this process ended its session."""
        self._change("UPDATE sessions SET ended_at = ?, ending = ? WHERE epoch = ?", at, ending, self.epoch)

    def note_order(
        self,
        given: GivenOrder,
        outcome: OrderOutcome,
        *,
        at: float,
        settings: Mapping[str, JsonValue] | None = None,
    ) -> Future[None]:
        """Record what became of an order at wall time `at`; it is durable when the future is done.

        `settings` are those of the session that are different now, merged as RFC 7396 says: null takes one away.
        """
        cells = (
            *(given.id, given.epoch, given.at, at, given.by, json.dumps(order_as_json(given.order))),
            *(outcome.changed, json.dumps(outcome.says)),
        )

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO orders (id, epoch, at, obeyed_at, by, wish, changed, says)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                cells,
            )
            connection.execute(
                "UPDATE sessions SET settings = json_patch(settings, ?) WHERE epoch = ?",
                (json.dumps(settings or {}), given.epoch),
            )

        return self._writer.submit(self._mine(work))

    def _change(self, statement: str, *values: object) -> None:
        self._do(lambda connection: connection.execute(statement, values).rowcount)

    def _do(self, work: Work[T]) -> T:
        """Do `work` as the present runner in its own transaction; it is durable on return."""
        return self._writer.submit(self._mine(work)).result()

    def _mine(self, work: Work[T]) -> Work[T]:
        """Return `work` that is refused once another runner has begun, since this one's knowledge is then old."""

        def fenced(connection: sqlite3.Connection) -> T:
            if read_epoch(connection) != self.epoch:
                raise overtaken(str(self.path.parent))
            self._identity.check()
            return work(connection)

        return fenced

    def adopt_plan(
        self,
        plan: Plan,
        *,
        renew: Collection[str],
        at: float,
        renames: Mapping[str, str] | None = None,
        name_template: str | None = None,
    ) -> bool:
        """Record `plan` in one transaction: its manifest, its new takes as pending, each take's place, tags and notes.

        First, recorded takes get their new ids from `renames`, all at once, with their history. Takes named in `renew`
        get the plan's body, fingerprint, seed and point. They must be pending, or have failed without a charge; those
        become pending again. Takes that left the plan lose only their place. Files are named by `name_template`, or by
        that of the run if it is None; they follow later. Returns whether a reader would see any
        take differently now. Raises `IllegalTransition` if a take to renew may have been paid for, or a take to rename
        is not known.
        """
        changed = self._do(
            lambda connection: adopt(
                connection, plan, renew=renew, at=at, renames=renames or {}, name_template=name_template
            )
        )
        self.header = replace(self.header, columns=plan.manifest.columns)
        return changed

    def name_files(self, template: str) -> None:
        """Record the names of all takes' files by a template; the files themselves follow later.

        Raises:
            UsageError: it is not a template, or it does not suit the takes of the board.
        """
        self._do(lambda connection: name_files(connection, template, strict=True))

    def note_header(self, header: RunHeader) -> None:
        """Record what may change of a header: the manifest's path, the API of a run without jobs, the store."""
        self._change(
            "UPDATE run SET manifest = ?, api_base = ?, out = ?", header.manifest, header.api_base, header.out
        )
        self.header = replace(self.header, manifest=header.manifest, api_base=header.api_base, out=header.out)

    def log_sessions(self) -> tuple[str, ...]:
        """Return the sessions by which this record may hold the run's log in its store."""
        return self._writer.submit(_log_sessions).result()

    def note_log_sessions(self, sessions: Sequence[str]) -> None:
        """Record the sessions by which this record may hold the run's log in its store."""
        self._change("UPDATE run SET log_sessions = ?", json.dumps(sessions))

    def note_simulated(self, simulated: bool) -> None:  # noqa: FBT001 - the noted value itself
        """Note whether all jobs went to an API that says that it is a simulator: in the marker, for display alone.

        Raises:
            DiskFailed, CannotCreate: the marker cannot be written.
        """
        if simulated == is_noted_simulated(self.path, self.header.run_id):
            return
        try:
            write_marker(self.path, self.header.run_id, simulated=simulated)
        except OSError as error:
            raise file_error(error, self.path.parent, "cannot be written to") from error

    def note_heard(self, extents: Mapping[str, int]) -> None:
        """Record how much of what lies outside it the record contains, so that the next reader reads only the rest."""
        self._change("UPDATE run SET heard = ?", json.dumps(dict(extents)))

    def note_completion(self, completion: Completion) -> None:
        """Record what this run was made from if it leaves nothing to do and nothing to say about any take."""

        def work(connection: sqlite3.Connection) -> None:
            wanted = completion.downloads
            if database.value(connection, REMAINS, wanted) is None:
                known = replace(completion, events=int(database.value(connection, NEWEST)))
                connection.execute("UPDATE run SET completion = ?", (json.dumps(asdict(known)),))

        self._do(work)

    def note_costs_untold(self, untold: CostsUntold) -> None:
        """Record that late costs were asked for in vain."""
        self._change(
            "UPDATE run SET costs_asked_at = ?, costs_untold_to = ?", untold.asked_at, untold.ended_at
        )

    def record(self, take_id: str, fact: states.Fact, *, at: float) -> Future[None]:
        """Append `fact`, seen at wall time `at`, and move the take as the table says; callable from any thread.

        Facts are recorded in the order of the calls, and those that wait at the same time share one commit. A fact is
        durable when its future is done; the future cannot be cancelled. If it raises, nothing was recorded:

        - `IllegalTransition`: the table or the attempt forbids the fact.
        - `RunInUse`: another runner has begun, or another process blocks the file.
        - `DiskFailed`: the disk fails, or has too little space to begin a submission. A request id that was not stored
          is kept beside the file if possible, and the error says where.
        - `RecordDisplaced`: the file is not in its place, so no submission is begun; the error says where it is.
        """
        if isinstance(fact, states.SubmissionStarted) and not self.has_room():
            short = f"less than {self._gauge.low_water // MIB} MiB are free"
            why = f"{short}; {take_id} is not sent, since its answer might not fit"
            refused: Future[None] = Future()
            refused.set_exception(database.disk_failed(self.path, why))
            return refused
        work, after = self._witnessed(take_id, fact, at=at)
        # The answer to a POST is the only receipt for money, so it is accepted from any runner that has it.
        if not isinstance(fact, Answer | states.LateAnswer | states.SubmissionStarted):
            work = self._mine(work)
        receipt = receipt_of(take_id, fact, at=at)
        return self._writer.submit(work, patient=isinstance(fact, BATCHABLE), receipt=receipt, after=after)

    def _witnessed(
        self, take_id: str, fact: states.Fact, *, at: float
    ) -> tuple[Work[None], Callable[[], None] | None]:
        """Return the work that appends a fact, and the call that informs the witness once the fact is durable."""
        lines: list[Mapping[str, object]] = []

        def work(connection: sqlite3.Connection) -> None:
            if isinstance(fact, states.SubmissionStarted):
                self._identity.check()
                refuse_left(self.path, take_id, fact.fingerprint, self._left)
            # The witness is armed first: it must exist before there is a paid job that it could name.
            if isinstance(fact, AboutMoney) and not self._witness.is_armed:
                self._witness.arm(submissions(connection), epoch=self.epoch)
            try:
                found = append(connection, take_id, fact, at=at)
            except IllegalTransition as error:
                # The caller records a receipt again, as a late answer. For other facts the takeover is the reason.
                is_receipt = isinstance(fact, states.Accepted | states.LateAnswer)
                if is_receipt or read_epoch(connection) == self.epoch:
                    raise
                raise overtaken(f"take {take_id}") from error
            if isinstance(fact, AboutMoney):
                lines[:] = [line_of(fact, take=take_id, model=found.model, at=at)]

        return work, (lambda: self._witness.say(*lines)) if isinstance(fact, AboutMoney) else None

    def tickets(self, *, dropped: bool = False) -> list[Ticket]:
        """Return all takes that a run may still work on, in manifest order, then those that left the manifest.

        Pending takes that left the manifest are not included. Dropped takes are included only if `dropped` is set.
        """
        given_up = "" if dropped else "state <> 'dropped' AND "

        def work(connection: sqlite3.Connection) -> list[Ticket]:
            rows = connection.execute(
                f"SELECT {columns_of(Ticket)} FROM takes WHERE {given_up}"  # noqa: S608 - our own names
                f"(state <> 'pending' OR position IS NOT NULL) {BY_PLACE}"
            )
            return [decode(Ticket, row) for row in rows]

        return self._writer.submit(work).result()

    def enter(self, told: Sequence[tuple[Sent, str]], *, at: float) -> list[states.TakeState | None]:
        """Record submissions that witnesses know and the record does not, each for a take; all or none of them.

        Returns each take's state afterwards, None for a submission that was not recorded.
        """
        return self._do(lambda connection: [enter(connection, sent, take, at=at) for sent, take in told])

    def leave_aside(self, told: Sequence[Sent]) -> None:
        """Write to the witness that these submissions belong to no take, so that no start asks about them again."""
        self._writer.submit(
            lambda connection: self._witness.arm(submissions(connection), epoch=self.epoch)
        ).result()
        self._witness.say(*({"left": each.request_id or each.attempt} for each in told))

    def close(self) -> None:
        """Record all waiting facts, fold the log into the file and close it; safe to call twice.

        Raises `DiskFailed`, with all acknowledged facts still safe in the log, or `RecordDisplaced`: the file holds all
        acknowledged facts wherever it is now.
        """
        if self._closed:
            return
        # Set before all else: a close that failed must not be tried again on a closed connection.
        self._closed = True
        self._writer.stop()
        lost = self._identity.displaced()
        with database.translated(self.path), ExitStack() as left:
            left.callback(self._identity.close)
            left.callback(self._witness.close)
            # The order holds in every case: the keeper closes after the writer, so that SQLite leaves a needed log.
            mine = lost is None and read_epoch(self._writer.connection) == self.epoch
            left.callback(self._rescue.close, leave=not mine)
            left.callback(self._keeper.close)
            left.callback(self._writer.connection.close)
            if lost is not None:
                self._identity.leave_word()
                raise lost
            # A runner that has taken over may still be writing: the log belongs to it. After a failed flush the
            # next opening must read the log.
            if self._writer.broken is None and mine:
                is_over = not leaves_jobs(self._writer.connection)
                database.checkpoint_and_close(self._writer.connection, self._keeper)
                if is_over:
                    self._witness.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def _log_sessions(connection: sqlite3.Connection) -> tuple[str, ...]:
    return tuple(json.loads(str(database.value(connection, "SELECT log_sessions FROM run"))))
