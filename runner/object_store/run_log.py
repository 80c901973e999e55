"""The sealed log of a run in its store: numbered files, each of which only one machine can have created.

In: lines, which are JSON objects. Out: a promise for each that it is in the store. Only the holder of the log appends.
A session that opens it creates the next number, so the next line of any earlier session fails. That fences a machine
that lost the run, without clocks. It does not know what the lines mean.

The first file of each session stays for ever. A session that slept for days would otherwise find its next number free.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any

from runner.domain.display import when
from runner.domain.errors import NotInStore, RecordDamaged, RunElsewhere
from runner.domain.store_address import StoreAddress
from runner.object_store.failures import AlreadyInStore
from runner.object_store.store import ObjectStore
from runner.system.escapes import command_line, visible

FOLDER = ".shotrunner/log"
PATIENCE = 120.0
_FORM = re.compile(rf"{re.escape(FOLDER)}/([0-9]{{8}})\.jsonl")
_MOST_LINES = 1000
_RACES = 20


@dataclass(frozen=True, slots=True)
class Holder:
    """Who appends to a log: the run, the machine, its folder there, and its part of the board."""

    run_id: str
    machine: str
    folder: str
    shard: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a log: its number, its session with the number that session began at, and who holds the log.

    `since` is when the session began in unix seconds, and `nonce` is unique to this file.
    """

    number: int
    session: str
    first: int
    nonce: str
    holder: Holder
    since: float

    def as_error(self, address: StoreAddress) -> RunElsewhere:
        """Return the error for everybody else who uses the store at `address`."""
        where = visible(f"{self.holder.machine}:{self.holder.folder}")
        return RunElsewhere(
            f"run {visible(self.holder.run_id)} is held by {where} since {when(self.since)}",
            advice=f"continue there; only if it must continue here, bring it here: "
            f"{command_line('restore', str(address), '--run-dir', 'FOLDER')}",
        )


def newest_part(store: ObjectStore) -> Part | None:
    """Return the newest file of a store's log, which says who holds it; None if there is no log."""
    numbers = _numbers(store)
    return _read(store, numbers[-1])[0] if numbers else None


def lines_of(store: ObjectStore, *, since: int) -> Iterator[Mapping[str, Any]]:
    """Yield the lines of all files of a log after number `since`, in order.

    Raises:
        RecordDamaged: a file is missing or is not as it was written.
    """
    for expected, number in enumerate((each for each in _numbers(store) if each > since), start=since + 1):
        if number != expected:
            raise _damaged(store, expected)
        yield from _read(store, number)[1]


class RunLog:
    """A log that is open for appending; `number` is that of the newest file that is in the store.

    Lines wait `patience` seconds for a store that is away, and all else as long as `store` does.
    """

    def __init__(self, store: ObjectStore, newest: Part, *, patience: float) -> None:
        self.store, self.holder, self.number = store, newest.holder, newest.number
        self._patient, self._session = store.patient(patience), newest.session
        self._newest, self._first, self._lost = newest, newest.first, False
        self._earlier_left = True
        self._waiting: queue.SimpleQueue[tuple[str, Future[None]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="run-log", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls,
        store: ObjectStore,
        holder: Holder,
        *,
        session: str,
        after: Collection[str] | None = None,
        patience: float = PATIENCE,
        wall: Callable[[], float] = time.time,
    ) -> RunLog:
        """Begin or continue the log of a run as `session`, and fence every session before this one.

        It continues a log whose newest session is one of `after`, or any of the same run with None: that takes it over.
        No two sessions have the same name. `patience` is how many seconds a line may wait for a store that is away.

        Raises:
            RunElsewhere: another run, or a session that is not one of `after`, has this log.
            StoreAway, StoreRefused: the store does not answer, or cannot keep such a log.
        """
        store.check_create()
        for _ in range(_RACES):
            newest = newest_part(store)
            if newest and not (
                newest.holder.run_id == holder.run_id and (after is None or newest.session in after)
            ):
                raise newest.as_error(store.address)
            number = newest.number + 1 if newest else 1
            part = Part(number, session, number, uuid.uuid4().hex, holder, wall())
            try:
                _create(store, part, ())
            except AlreadyInStore:
                continue
            return cls(store, part, patience=patience)
        raise RunElsewhere(
            f"other sessions write to the log of {store.address}", advice="end them, then run again"
        )

    def append(self, line: Mapping[str, object]) -> Future[None]:
        """Return a promise that the line is in the store; lines that wait go into one file, in their order.

        The promise fails with `RunElsewhere` for good once another session holds the log. It fails with `StoreAway` or
        `StoreRefused` if the line may not be there, and it may be read later even so.
        """
        promise: Future[None] = Future()
        self._waiting.put((json.dumps(line), promise))
        return promise

    def lines(self, *, since: int) -> Iterator[Mapping[str, Any]]:
        """Yield the lines of all files after number `since`; see `lines_of`."""
        return lines_of(self.store, since=since)

    def check(self) -> None:
        """Raise `RunElsewhere` if another session holds the log by now; it may take it a moment later."""
        newest = newest_part(self.store)
        if newest is not None and newest.session != self._session:
            raise newest.as_error(self.store.address)

    def forget(self, *, upto: int) -> None:
        """Remove files up to number `upto`, but for the newest and the first of each session."""
        # A higher number is of a session that has taken the run over: it fences this one.
        numbers = [each for each in _numbers(self.store) if each <= upto and each < self.number]
        left, first = numbers, self._first
        while left:
            for number in (each for each in left if each > first):
                self.store.remove(_name(number))
            left = [each for each in left if each < first] if self._earlier_left else []
            # One look at the last file of the session before shows where that session began.
            first = _read(self.store, left[-1])[0].first if left else 0
        self._earlier_left = self._earlier_left and upto < self._first - 1

    def close(self, *, seconds: float = 10.0) -> None:
        """Write the lines that wait, for at most that long, and end; safe to call twice."""
        self._waiting.put(None)
        self._thread.join(seconds)

    def _write(self) -> None:
        """Write what waits, until the end is asked for."""
        is_open = True
        while is_open:
            batch = [self._waiting.get()]
            while batch[-1] and len(batch) < _MOST_LINES and not self._waiting.empty():
                batch.append(self._waiting.get())
            is_open = batch[-1] is not None
            self._keep([each for each in batch if each])

    def _keep(self, batch: Sequence[tuple[str, Future[None]]]) -> None:
        """Write lines into one file and keep their promises, or fail them."""
        error: Exception | None = None
        try:
            if batch:
                self._put([line for line, _ in batch])
        except Exception as failed:  # noqa: BLE001 - a promise that is not kept must fail, or its caller waits for ever
            error = failed
        for _, promise in batch:
            if promise.set_running_or_notify_cancel():
                promise.set_exception(error) if error else promise.set_result(None)

    def _put(self, lines: Sequence[str]) -> None:
        """Create the next file with these lines; one that is there already says whose it is."""
        nonce = uuid.uuid4().hex
        while True:
            if self._lost:
                raise self._newest.as_error(self.store.address)
            before = self._newest
            number = before.number + 1
            part = Part(number, before.session, before.first, nonce, before.holder, before.since)
            try:
                _create(self._patient, part, lines)
            except AlreadyInStore:
                part = _read(self._patient, number)[0]
            # A file of this session with other lines is one whose promise failed, and whose bytes came late.
            self._lost = part.session != before.session
            self._newest = part
            if not self._lost:
                self.number = number
                if part.nonce == nonce:
                    return


def _name(number: int) -> str:
    return f"{FOLDER}/{number:08d}.jsonl"


def _numbers(store: ObjectStore) -> list[int]:
    return sorted(int(match[1]) for name in store.sizes(FOLDER) if (match := _FORM.fullmatch(name)))


def _create(store: ObjectStore, part: Part, lines: Sequence[str]) -> None:
    text = "\n".join((json.dumps({"log": asdict(part)}), *lines, ""))
    store.create(_name(part.number), text.encode())


def _read(store: ObjectStore, number: int) -> tuple[Part, list[Mapping[str, Any]]]:
    try:
        head, *lines = (json.loads(line) for line in store.read(_name(number)).splitlines())
        part = Part(**{**head["log"], "holder": Holder(**head["log"]["holder"])})
        texts = (part.session, part.nonce, *asdict(part.holder).values())
        whole = all(isinstance(each, str) for each in texts) and all(isinstance(line, dict) for line in lines)
        float(part.since)
    except NotInStore:
        raise _damaged(store, number) from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(store, number) from error
    if not whole or part.number != number:
        raise _damaged(store, number)
    return part, lines


def _damaged(store: ObjectStore, number: int) -> RecordDamaged:
    return RecordDamaged(
        f"{store.address.under(_name(number))} is missing or not as it was written",
        advice="do not start over: bring that file back, or restore from the folder of the run",
    )
