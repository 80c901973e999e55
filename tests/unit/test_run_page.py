"""`--open` beside a run whose progress is shown anew after each reload."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.cli.run_page import opening
from runner.domain.run_events import Event, Message, RunStarted
from tests.started import started


@dataclass
class Heard:
    """What each session showed."""

    events: list[Event] = field(default_factory=list)

    def on_event(self, event: Event) -> None:
        self.events.append(event)


def test_the_page_starts_once_a_run_and_its_address_is_shown_by_the_session_of_that_moment() -> None:
    sessions: list[Heard] = []
    starts: list[Callable[[str], None]] = []

    @contextmanager
    def progress(_started: RunStarted) -> Iterator[Heard]:
        sessions.append(Heard())
        yield sessions[-1]

    def start(_run_dir: Path, say: Callable[[str], None]) -> None:
        starts.append(say)

    shown = opening(progress, start=start)
    for text in ("first", "second"):
        with shown(started(total=2)) as listener:
            listener.on_event(Message(text))
            starts[0](f"the address, {text}")
    starts[0]("the run is over")
    assert len(starts) == 1
    texts = [[event.text for event in heard.events if isinstance(event, Message)] for heard in sessions]
    assert texts == [["first", "the address, first"], ["second", "the address, second"]]
