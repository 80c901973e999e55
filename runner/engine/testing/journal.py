"""A state file in memory, one that fails like a full disk, and a listener that keeps what an engine reports.

In: facts. Out: futures, as from the real one, with the same table of moves and the same guards for attempts, epochs
and request ids. It knows no file and keeps no times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from runner.domain.errors import DiskFailed, IllegalTransition, RunInUse
from runner.domain.run_events import Event
from runner.domain.states import (
    Accepted,
    Adopted,
    AdoptionUndone,
    CancelRequested,
    ClipMoved,
    CostSeen,
    Delivered,
    DeliveryState,
    Dropped,
    Fact,
    FetchStarted,
    FileGone,
    FoundAfterAll,
    KeptAsIs,
    LateAnswer,
    LostContact,
    Renamed,
    SubmissionStarted,
    TakeState,
    Undeliverable,
    advance,
    advance_delivery,
)
from runner.engine.ports import Journal


@dataclass(slots=True)
class _Row:
    state: TakeState = TakeState.PENDING
    delivery: DeliveryState = DeliveryState.NONE
    request_id: str | None = None
    attempt: str | None = None
    lost: bool = False
    adopted: bool = False


class MemoryJournal:
    """A state file in memory: the same guards by the same table, and a list of every fact in order.

    `takes` are ids, or a mapping of ids to recorded fingerprints; without fingerprints any will do.
    """

    def __init__(self, takes: Iterable[str] = (), *, epoch: int = 1) -> None:
        self._prints = dict(takes) if isinstance(takes, Mapping) else {}
        self._rows = {take_id: _Row() for take_id in takes}
        self._attempts: set[str] = set()
        self._request_ids: set[str] = set()
        self.epoch = epoch
        self.facts: list[tuple[str, Fact]] = []

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:  # noqa: ARG002 - the real one keeps it
        """Append `fact`, or refuse it as the state file would."""
        row = self._rows.get(take_id)
        if row is None:
            return failed(IllegalTransition(f"there is no take {take_id}"))
        try:
            self._move(take_id, row, fact)
        except (IllegalTransition, RunInUse) as error:
            return failed(error)
        self.facts.append((take_id, fact))
        return done(None)

    def _move(self, take_id: str, row: _Row, fact: Fact) -> None:
        match fact:
            case FetchStarted() | Delivered() | Undeliverable() | FileGone():
                self._move_delivery(row, fact)
                return
            case CancelRequested() | CostSeen() | LateAnswer() | Renamed() | ClipMoved() | KeptAsIs():
                return
            case SubmissionStarted():
                self._start(take_id, row, fact)
            case Accepted(request_id=request_id) | Adopted(request_id=request_id):
                self._check_attempt(row, fact)
                self._give_id(row, fact, request_id)
            case AdoptionUndone(request_id=request_id) if (row.adopted, row.request_id) != (True, request_id):
                raise IllegalTransition(f"request {request_id} was not adopted")
            case FoundAfterAll(request_id=request_id) if request_id != row.request_id:
                raise IllegalTransition(f"request {request_id} is not the latest one")
            case _:
                self._check_attempt(row, fact)
                if isinstance(fact, Dropped):
                    row.delivery = advance_delivery(row.delivery, fact)
                row.state = advance(row.state, fact)
                row.lost = isinstance(fact, LostContact)
                row.lost = row.lost or isinstance(fact, AdoptionUndone)
                if isinstance(fact, AdoptionUndone):
                    self._request_ids.discard(fact.request_id)
                    row.request_id = None
                if row.state is TakeState.PENDING:
                    row.request_id, row.delivery = None, DeliveryState.NONE

    def _start(self, take_id: str, row: _Row, fact: SubmissionStarted) -> None:
        if fact.epoch != self.epoch:
            raise RunInUse("another runner has taken this run over")
        if fact.fingerprint != self._prints.get(take_id, fact.fingerprint):
            raise IllegalTransition("the take's body has changed")
        if fact.attempt in self._attempts:
            raise IllegalTransition("an attempt is made once")
        row.state, row.attempt, row.lost = advance(row.state, fact), fact.attempt, False
        self._attempts.add(fact.attempt)

    @staticmethod
    def _check_attempt(row: _Row, fact: Fact) -> None:
        attempt = getattr(fact, "attempt", row.attempt)
        if attempt != row.attempt or (
            isinstance(fact, Accepted) and row.state is TakeState.HELD and not row.lost
        ):
            raise IllegalTransition("the answer belongs to another attempt")

    def _give_id(self, row: _Row, fact: Accepted | Adopted, request_id: str) -> None:
        if request_id in self._request_ids:
            raise IllegalTransition(f"request id {request_id} belongs to another attempt")
        row.state, row.request_id = advance(row.state, fact), request_id
        row.adopted = isinstance(fact, Adopted)
        self._request_ids.add(request_id)

    def _move_delivery(self, row: _Row, fact: FetchStarted | Delivered | Undeliverable | FileGone) -> None:
        if row.state is not TakeState.SUCCEEDED:
            raise IllegalTransition("only a succeeded take has a clip")
        row.delivery = advance_delivery(row.delivery, fact)

    def state_of(self, take_id: str) -> tuple[TakeState, DeliveryState, str | None]:
        """Return where a take stands: its state, its delivery and its request id."""
        row = self._rows[take_id]
        return row.state, row.delivery, row.request_id

    def kinds(self, take_id: str) -> list[str]:
        """Return the names of a take's facts in order."""
        return [type(fact).__name__ for name, fact in self.facts if name == take_id]


class FailNth:
    """A journal whose n-th record fails as a full disk does, and all after it unless `once`."""

    def __init__(self, journal: Journal, n: int, *, once: bool = False) -> None:
        self._journal = journal
        self._left = n
        self._once = once

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Record, or fail if this call is to fail."""
        self._left -= 1
        if self._left == 0 or (self._left < 0 and not self._once):
            return failed(DiskFailed("the disk is full"))
        return self._journal.record(take_id, fact, at=at)


T = TypeVar("T")


def done(value: T) -> Future[T]:
    """Return a future that has its result already."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def failed(error: Exception) -> Future[Any]:
    """Return a future that has failed already."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


class Recorder:
    """A listener that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)
