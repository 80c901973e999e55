"""What survives a kill in a virtual night: facts that had time to become durable, and the tickets they come to.

In: facts, deaths, a person's decisions. Out: tickets for the next run. It stands in for the state file, by the same
table of moves, but a fact takes a moment to become durable, and one that was on its way when the process died is gone.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from runner.domain.errors import IllegalTransition
from runner.domain.shots import Ticket
from runner.domain.states import (
    ACTIVE,
    Accepted,
    Adopted,
    DeclaredNotSent,
    DeliveryState,
    Ended,
    Fact,
    LostContact,
    RefusedForNow,
    SubmissionStarted,
    TakeState,
)
from runner.engine.testing import MemoryJournal, failed
from tests.torture.night_api import NightApi, body_of

MODEL = "pika/pikaframes"
FLUSH = 0.003


@dataclass(frozen=True, slots=True)
class Written:
    """One durable fact, in the order of `seq`; `at` is what the wall clock said, which proves nothing."""

    seq: int
    at: float
    take_id: str
    fact: Fact


class NightJournal:
    """A state file that takes a moment to flush; fits the engine's `Journal`."""

    def __init__(self, takes: Iterable[str]) -> None:
        self.takes = tuple(takes)
        self.memory = MemoryJournal(self.takes)
        self.written: list[Written] = []
        self._waiting: deque[tuple[str, Fact, float, Future[None]]] = deque()

    @property
    def epoch(self) -> int:
        """The epoch of the runner that may submit."""
        return self.memory.epoch

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Append `fact` in a moment."""
        future: Future[None] = Future()
        self._waiting.append((take_id, fact, at, future))
        asyncio.get_running_loop().call_later(FLUSH, self._flush)
        return future

    def _flush(self) -> None:
        if not self._waiting:
            return
        take_id, fact, at, future = self._waiting.popleft()
        future.set_running_or_notify_cancel()
        error = self._write(take_id, fact, at)
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    def _write(self, take_id: str, fact: Fact, at: float) -> BaseException | None:
        error = self.memory.record(take_id, fact, at=at).exception()
        if error is None:
            self.written.append(Written(len(self.written), at, take_id, fact))
        return error

    def die(self) -> None:
        """Lose everything that was not durable yet."""
        self._waiting.clear()

    def begin(self, *, at: float) -> list[str]:
        """Become the next runner, and hold every take whose sender died, as the state file does; return them."""
        self.memory.epoch += 1
        held = []
        for take_id, row in self.memory._rows.items():
            if row.state is TakeState.SUBMITTING and row.attempt is not None:
                self.decide(
                    take_id, LostContact(row.attempt, "unknown", "the runner died while sending"), at=at
                )
                held.append(take_id)
        return held

    def decide(self, take_id: str, fact: Fact, *, at: float) -> None:
        """Record something outside of a run, at once.

        Raises: IllegalTransition where the table forbids it.
        """
        error = self._write(take_id, fact, at)
        if error is not None:
            raise error

    def settle_held(self, api: NightApi, *, at: float) -> int:
        """Decide every held take as a person would who sees the provider's own list; return how many."""
        known = {row.request_id for row in self.memory._rows.values()}
        held = [name for name in self.takes if self.state_of(name) is TakeState.HELD]
        for take_id in held:
            unknown = [charge for charge in api.charges_of(take_id) if charge not in known]
            fact = Adopted(unknown[-1], "a person") if unknown else DeclaredNotSent("a person")
            self.decide(take_id, fact, at=at)
        return len(held)

    def state_of(self, take_id: str) -> TakeState:
        """Return where a take stands."""
        return self.memory.state_of(take_id)[0]

    def unfinished(self) -> list[str]:
        """Return the takes that another run, or a person, has to bring to their end."""
        return [name for name in self.takes if not self._is_over(name)]

    def _is_over(self, take_id: str) -> bool:
        state, delivery, _ = self.memory.state_of(take_id)
        if state is TakeState.SUCCEEDED:
            return delivery is DeliveryState.DELIVERED
        return state in {TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED}

    def tickets(self) -> list[Ticket]:
        """Return what the next run starts from."""
        past: dict[str, _Past] = {name: _Past() for name in self.takes}
        for entry in self.written:
            past[entry.take_id].add(entry)
        return [self._ticket(name, past[name]) for name in self.takes]

    def _ticket(self, take_id: str, past: _Past) -> Ticket:
        state, delivery, request_id = self.memory.state_of(take_id)
        out = state in ACTIVE or state is TakeState.SUCCEEDED
        return Ticket(
            take_id,
            MODEL,
            body_of(take_id),
            f"print-of-{take_id}",
            state,
            delivery,
            request_id,
            submitted_at=past.submitted_at if out else None,
            not_before=past.not_before if state is TakeState.PENDING else 0.0,
            outputs=past.outputs if state is TakeState.SUCCEEDED else (),
        )


@dataclass(slots=True)
class _Past:
    """What one take's facts come to, beside its state."""

    submitted_at: float | None = None
    not_before: float = 0.0
    outputs: tuple[str, ...] = ()

    def add(self, entry: Written) -> None:
        match entry.fact:
            case SubmissionStarted():
                self.not_before = 0.0
            case Accepted() | Adopted():
                self.submitted_at = entry.at
            case RefusedForNow(not_before=moment):
                self.not_before = moment
            case Ended(outputs=links):
                self.outputs = links


class Stopped:
    """Stands before the journal of a process that is dead: nothing it still says is heard."""

    def __init__(self, journal: NightJournal) -> None:
        self._journal = journal
        self.dead = False

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Pass on while alive."""
        if self.dead:
            return failed(IllegalTransition("this process is dead"))
        return self._journal.record(take_id, fact, at=at)
