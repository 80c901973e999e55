"""A session that can be steered: the run's lock and record are real, and what obeys is a fake that notes each order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.commands.steps.steering import LOOK_S, Steering
from runner.domain.errors import UsageError
from runner.domain.orders import GivenOrder, OrderOutcome, Reload, Tune
from runner.domain.shots import Take
from runner.engine.testing import Recorder, done
from runner.store.lock import RunLock
from runner.store.state_file import StateFile
from runner.system.canonical_json import JsonValue
from runner.system.clock import Clock
from tests.integration.store_samples import new_state_file

SETTINGS: Mapping[str, JsonValue] = {
    "jobs": 4,
    "max_cost_usd": 40.0,
    "warn_cost_usd": None,
    "max_submits": None,
}


@dataclass
class FakeEngine:
    """Obeys at once, and keeps what it was asked; a tune to 13 jobs is refused, and one to 14 is a bug."""

    asked: list[object] = field(default_factory=list)
    is_paused: bool = False

    def pause(self) -> OrderOutcome:
        """Pause."""
        self.asked.append("pause")
        was, self.is_paused = self.is_paused, True
        return OrderOutcome(
            not was, ("it was paused already" if was else "it submits no more; its jobs go on",)
        )

    def resume(self) -> OrderOutcome:
        """Resume."""
        self.asked.append("resume")
        was, self.is_paused = self.is_paused, False
        return OrderOutcome(was, ("it submits again" if was else "it was not paused",))

    def tune(self, tune: Tune) -> OrderOutcome:
        """Note the numbers."""
        if tune.jobs == 13:
            raise UsageError("not 13", advice="take 12")
        if tune.jobs == 14:
            raise ZeroDivisionError
        self.asked.append(tune)
        return OrderOutcome(changed=True, says=("tuned",))

    async def cancel(self, take_ids: Sequence[str], *, by: str) -> OrderOutcome:
        """Note the takes."""
        self.asked.append((tuple(take_ids), by))
        return OrderOutcome(changed=True, says=("asked the API",))

    def reload(self, given: GivenOrder) -> OrderOutcome | None:
        """Note the hash."""
        assert isinstance(given.order, Reload)
        self.asked.append(given.order.manifest_sha256)
        return OrderOutcome(changed=True, says=())


@dataclass
class WaitingJournal:
    """The record, for a loop in virtual time, which no other thread can wake: a future of it is done on return."""

    state: StateFile

    @property
    def epoch(self) -> int:
        """The epoch of the session."""
        return self.state.epoch

    def note_order(
        self,
        given: GivenOrder,
        outcome: OrderOutcome,
        *,
        at: float,
        settings: Mapping[str, JsonValue] | None = None,
    ) -> Future[None]:
        """Record the outcome."""
        self.state.note_order(given, outcome, at=at, settings=settings).result(timeout=20)
        return done(None)


@dataclass
class Session:
    """A session that goes on in this process."""

    state: StateFile
    engine: FakeEngine = field(default_factory=FakeEngine)
    heard: Recorder = field(default_factory=Recorder)

    def steering(self, clock: Clock, *, waits: bool = True) -> Steering:
        """Return what watches its orders, in virtual time if it `waits` for the record; else it looks more often."""
        journal = WaitingJournal(self.state) if waits else self.state
        interval = LOOK_S if waits else 0.05
        return Steering(self.state.path.parent, self.engine, journal, self.heard, clock, interval)


@contextmanager
def session(folder: Path, takes: Sequence[Take], *, command: str = "x run board.csv") -> Iterator[Session]:
    """Hold a run in `folder` and let a session of it go on."""
    folder.mkdir(parents=True, exist_ok=True)
    with RunLock(folder, command=command, now=lambda: 1000.0), new_state_file(folder, takes) as state:
        state.begin_session(at=1001.0, version="0.1", settings=SETTINGS)
        yield Session(state)
