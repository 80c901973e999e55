"""A run whose clips are in a store: it holds the run's log there, and copies of its record.

In: an open state file that names a store. Out: a promise that each attempt is in the log before a connection is made
for it. A machine that takes the run over knows of it, and no attempt is made after that. It decides nothing about
takes, and it never reads a clip.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING

from runner.domain import failpoints
from runner.domain.errors import NEW_RUN, FlagRequired, ShotrunnerError
from runner.domain.run_events import Event, FactRecorded
from runner.domain.shots import Ticket
from runner.domain.states import SubmissionStarted
from runner.domain.store_address import store_address
from runner.store.location import machine_id
from runner.store.marker import is_noted_simulated
from runner.store.reader import open_reader
from runner.store.record_copy import copy_record
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.store.witness import AboutMoney, line_of
from runner.system.clock import Clock

if TYPE_CHECKING:
    from runner.commands.steps.open_run import OpenOptions
    from runner.object_store.run_log import Holder, RunLog

COPY_EVERY_S = 300.0
"""How often the record is copied while a run goes on; the log has what happened since."""

_SHARE_OF_TIME = 20
_SWEPT_AFTER_S = 86400.0
_LAST_COPY_S = 10.0
_STEP_S, _SAID_AFTER_S = 0.5, 15.0
_SESSIONS_KEPT = 7
_COPY = ".state.db.copy"


class StoredRun:
    """The store's side of one session. It listens to the engine, and `announce` stands round each submission.

    A copy holds all that the log says up to a number. So this number stops before the first attempt that is announced
    and may not be on record yet.
    """

    def __init__(self, log: RunLog, state: StateFile, clock: Clock) -> None:
        self._log, self._state, self._clock = log, state, clock
        self._announced: dict[str, int] = {}
        self._failed: ShotrunnerError | None = None
        self._say: Callable[[str], None] = lambda _: None
        self._submits_no_more: Callable[[], bool] = lambda: False
        self._is_away = False
        self._wake, self._copying = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._copy_now_and_then, name="record-copies", daemon=True)
        self._thread.start()

    def follow(self, say: Callable[[str], None], *, submits_no_more: Callable[[], bool]) -> None:
        """Note who hears of a store that is away, and what knows when the engine submits no more."""
        self._say, self._submits_no_more = say, submits_no_more

    @asynccontextmanager
    async def announce(self, ticket: Ticket, attempt: str) -> AsyncIterator[None]:
        """Put an attempt into the log, and hold it there until the record has it or never will.

        Raises:
            RunElsewhere: another folder or machine has taken the run over.
            StoreAway, StoreRefused: the log cannot be written.
        """
        started = SubmissionStarted(attempt, ticket.fingerprint, self._state.epoch)
        # Every later object of the log has a higher number than the newest one now.
        self._announced.setdefault(attempt, self._log.number + 1)
        try:
            line = line_of(started, take=ticket.take_id, model=ticket.model, at=self._clock.wall())
            await self._written(asyncio.wrap_future(self._log.append(line)))
            failpoints.hit("store.announced")
            yield
        finally:
            self._announced.pop(attempt, None)

    async def _written(self, promise: asyncio.Future[None]) -> None:
        """Wait until a line is in the log; a run that ends meanwhile sends nothing, so it does not wait."""
        waited = 0.0
        while not (await asyncio.wait({promise}, timeout=_STEP_S))[0]:
            waited += _STEP_S
            if self._submits_no_more():
                raise asyncio.CancelledError
            if waited >= _SAID_AFTER_S and not self._is_away:
                self._is_away = True
                self._say(f"{self._log.store.address} does not answer; nothing is submitted until it does")
        promise.result()
        if self._is_away:
            self._is_away = False
            self._say(f"{self._log.store.address} answers again")

    def on_event(self, event: Event) -> None:
        """Put what became of an attempt into the log; nothing waits for it, since the attempt is there already."""
        if not isinstance(event, FactRecorded) or isinstance(event.fact, SubmissionStarted):
            return
        if isinstance(event.fact, AboutMoney):
            line = line_of(event.fact, take=event.take_id, model="", at=event.at)
            self._log.append(line).add_done_callback(self._note_failure)

    def _note_failure(self, written: Future[None]) -> None:
        error = written.exception()
        if isinstance(error, ShotrunnerError):
            self._failed = error

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know about the store at the end, one sentence each."""
        if self._failed is None:
            return ()
        return (
            f"{self._log.store.address} does not have the newest copy of the record: {self._failed.message}",
        )

    def copy(self) -> None:
        """Write a copy of the record to the store.

        Raises:
            StoreAway, StoreRefused: it cannot be written.
            DiskFailed: there is no room for a copy beside the record.
        """
        from runner.object_store.record_copy import end_rehearsal, note_rehearsal, put_copy

        with self._copying:
            # Taken before the copy, so that the copy holds all that the log says up to there.
            upto = min((self._log.number, *(number - 1 for number in tuple(self._announced.values()))))
            draft = self._state.path.with_name(_COPY)
            try:
                copy_record(self._state.path, draft)
                failpoints.hit("store.copied")
                put_copy(self._log, draft, upto=upto)
                is_rehearsal = is_noted_simulated(self._state.path, self._state.header.run_id)
                (note_rehearsal if is_rehearsal else end_rehearsal)(self._log.store)
            finally:
                draft.unlink(missing_ok=True)

    def close(self) -> None:
        """Write the last copy, and leave the log; what fails is among the `remarks`.

        A person who stopped the run, or a machine that goes down, does not wait long for a store that is away.
        """
        self._log.store = self._log.store.patient(_LAST_COPY_S)
        self._wake.set()
        self._thread.join(_LAST_COPY_S)
        if not self._thread.is_alive():
            self._try_to_copy()
        self._log.close()

    def _copy_now_and_then(self) -> None:
        # What is left of uploads is harmless, so a store that cannot be swept now is swept another time.
        with suppress(ShotrunnerError):
            self._log.store.sweep(older_than=_SWEPT_AFTER_S)
        rest = 0.0
        while not self._wake.wait(rest):
            began = time.monotonic()
            self._try_to_copy()
            rest = max(COPY_EVERY_S, _SHARE_OF_TIME * (time.monotonic() - began))

    def _try_to_copy(self) -> None:
        try:
            self.copy()
            self._failed = None
        except ShotrunnerError as error:
            self._failed = error


@contextmanager
def stored(
    place: RunDir, state: StateFile, opening: OpenOptions, *, patience: float
) -> Iterator[StoredRun | None]:
    """Hold the run at its store as long as the block lasts; None for a run whose clips are in its own folder.

    `patience` is how many seconds a submission may wait for a store that is away.

    Raises:
        RunElsewhere: another run, folder or machine holds it.
        FlagRequired: the store does not know this run any more.
        StoreAway, StoreRefused: the store cannot be used.
        ExtraMissing: the packages for this store are not installed.
    """
    if not state.header.out:
        yield None
        return
    log = _opened_log(place, state, patience=patience, is_agreed=opening.new_run)
    run = StoredRun(log, state, opening.clock)
    try:
        yield run
    finally:
        run.close()


def refuse_if_elsewhere(state: StateFile) -> None:
    """Refuse a run that continues elsewhere by its log in the store, where it has one.

    Raises:
        RunElsewhere: the newest session of the log is none of this record's.
        StoreAway, StoreRefused: the store cannot be read.
    """
    if not state.header.out:
        return
    from runner.object_store.run_log import newest_part
    from runner.object_store.store import open_store

    store = open_store(store_address(state.header.out))
    newest = newest_part(store)
    if newest is not None and newest.session not in state.log_sessions():
        raise newest.as_error(store.address)


def _opened_log(place: RunDir, state: StateFile, *, patience: float, is_agreed: bool) -> RunLog:
    """Open the log of the run as its next session, if the newest one was this record's.

    If another session came since, another folder or machine has submitted, and this record does not know what. The log
    may also be gone: the store was emptied, or what answers is another one, such as the folder below a missing mount.
    """
    from runner.object_store.run_log import RunLog, newest_part
    from runner.object_store.store import open_store

    header, session, mine = state.header, uuid.uuid4().hex, state.log_sessions()
    store = open_store(store_address(header.out))
    if mine and not is_agreed and newest_part(store) is None and _has_sent(place):
        raise FlagRequired(
            f"{header.out} does not know this run any more",
            flag=NEW_RUN,
            condition="if it was emptied on purpose, and no other machine continues this run",
            otherwise="if not, see that the right store is there",
        )
    # Noted before it begins: after a kill in between, it may have begun or not.
    state.note_log_sessions([*mine[-_SESSIONS_KEPT:], session])
    holder = holder_at(place.path, run_id=header.run_id, shard=header.shard)
    return RunLog.open(store, holder, session=session, after=mine, patience=patience)


def _has_sent(place: RunDir) -> bool:
    with open_reader(place.state_file, checked=True) as reader:
        return reader.has_sent()


def holder_at(folder: Path, *, run_id: str, shard: str) -> Holder:
    """Return who holds a run that continues in `folder` of this machine."""
    from runner.object_store.run_log import Holder

    machine = f"{gethostname()}-{machine_id()[:8]}"
    return Holder(run_id, machine, str(folder.resolve()), shard)
