"""What a run reports as it runs: its beginning and end, facts as they are recorded, and messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from runner.domain.limits import Limits
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.orders import Order
from runner.domain.run_ending import EndingKind
from runner.domain.states import DeliveryState, Fact, TakeState
from runner.system.canonical_json import JsonValue


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A session of a run begins, about `total` takes, of which `done` need nothing more; `at` is in unix seconds.

    `counts`, `deliveries` and `spending` are those of the whole run before this session. `command` are the words of the
    command line without secrets, none for a caller in Python, and `settings` what holds for the session. It begins
    `paused` where a reload follows a pause.
    """

    at: float
    run_dir: Path
    name: str
    total: int
    done: int
    simulated: bool = False
    jobs: int = 1
    limits: Limits = field(default_factory=Limits)
    counts: Mapping[TakeState, int] = field(default_factory=dict)
    deliveries: Mapping[DeliveryState, int] = field(default_factory=dict)
    spending: Spending = NOTHING_SPENT
    command: Sequence[str] = ()
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    paused: bool = False


@dataclass(frozen=True, slots=True)
class FactRecorded:
    """A fact that has just become durable; `label` is the take's short name, empty if it is not known."""

    take_id: str
    fact: Fact
    at: float
    label: str = ""


class Topic(StrEnum):
    """What a message is about."""

    REMARK = "remark"
    COST = "cost"
    OUTAGE = "outage"
    OUTAGE_OVER = "outage-over"


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the run to the person that is not a fact about one take."""

    text: str
    topic: Topic = Topic.REMARK


@dataclass(frozen=True, slots=True)
class Steered:
    """The session did what a person asked of it from outside, or said why not; `at` is in unix seconds."""

    order: Order
    by: str
    at: float
    changed: bool
    says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A session has ended and the reports are written; `page` is None where they could not be.

    `counts` and `deliveries` are over the takes that the session was about, `spending` is that of the whole run.
    """

    at: float
    run_dir: Path
    name: str
    kind: EndingKind
    reason: str
    exit_code: int
    simulated: bool = False
    counts: Mapping[TakeState, int] = field(default_factory=dict)
    deliveries: Mapping[DeliveryState, int] = field(default_factory=dict)
    spending: Spending = NOTHING_SPENT
    page: Path | None = None


Event: TypeAlias = RunStarted | FactRecorded | Message | Steered | RunEnded


class Listener(Protocol):
    """A follower of the run, such as a progress bar or a log."""

    def on_event(self, event: Event) -> None:
        """Handle one event; this must return quickly."""
        ...


@dataclass(slots=True)
class Listeners:
    """Several listeners as one; none of them by default.

    One that raises is heard of no more, and `on_failure` gets what it raised, once: nothing that only watches a run
    may end it.
    """

    each: Sequence[Listener] = ()
    on_failure: Callable[[Exception], None] = field(default=lambda _error: None)
    _failed: set[int] = field(default_factory=set)

    def on_event(self, event: Event) -> None:
        """Pass an event on."""
        for listener in self.each:
            if id(listener) in self._failed:
                continue
            try:
                listener.on_event(event)
            except Exception as error:  # noqa: BLE001 - a listener may be a user's own function, and raise anything
                self._failed.add(id(listener))
                self.on_failure(error)
