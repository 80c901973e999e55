"""A listener that writes down what an engine says.

In: events. Out: the list of them, in the order in which they were heard. It knows nothing of what they mean.
"""

from __future__ import annotations

from runner.domain.run_events import Event


class Recorder:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)
