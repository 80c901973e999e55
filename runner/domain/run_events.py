"""What a run reports as it runs: facts as they are recorded, and messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runner.domain.states import Fact


@dataclass(frozen=True, slots=True)
class FactRecorded:
    """A fact that has just become durable; `label` is the take's short name, empty if it is not known."""

    take_id: str
    fact: Fact
    at: float
    label: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message from the run to the person that is not a fact about one take."""

    text: str


Event: TypeAlias = FactRecorded | Message


class Listener(Protocol):
    """A follower of the run, such as a progress bar or a log."""

    def on_event(self, event: Event) -> None:
        """Handle one event; this must return quickly and must not raise."""
        ...


@dataclass(frozen=True, slots=True)
class Listeners:
    """Several listeners as one; none of them by default."""

    each: Sequence[Listener] = ()

    def on_event(self, event: Event) -> None:
        """Pass an event on."""
        for listener in self.each:
            listener.on_event(event)
