"""What a Python program gives to follow a run gets its events, and cannot end it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from runner.commands.steps.python_progress import Follower, usual_progress
from runner.commands.steps.request import no_progress
from runner.domain.run_ending import EndingKind
from runner.domain.run_events import Event, Message, RunEnded, RunStarted
from runner.system.clock import SystemClock
from tests.started import started

STARTED = started(total=2)
ENDED = RunEnded(
    at=1.0, run_dir=Path("reports/board"), name="board", kind=EndingKind.FINISHED, reason="", exit_code=0
)
EVENTS = (STARTED, Message("one"), ENDED)


@dataclass
class _Bar:
    heard: list[Event] = field(default_factory=list)
    is_open: bool = False

    def on_event(self, event: Event) -> None:
        assert self.is_open
        self.heard.append(event)

    @contextmanager
    def opened(self, event: RunStarted) -> Iterator[_Bar]:
        assert event is STARTED
        self.is_open = True
        yield self
        self.is_open = False


def follow(given: object) -> None:
    with Follower(given) as follower:  # type: ignore[arg-type]  # a program may give anything
        for event in EVENTS:
            follower.on_event(event)


def test_a_function_gets_every_event() -> None:
    heard = list[Event]()
    follow(heard.append)
    assert heard == list(EVENTS)


def test_a_listener_that_the_first_event_opens_gets_every_event_and_is_closed_at_the_end() -> None:
    bar = _Bar()
    follow(bar.opened)
    assert (bar.heard, bar.is_open) == ([*EVENTS], False)


def test_a_listener_is_closed_where_the_run_has_no_end() -> None:
    bar = _Bar()
    with Follower(bar.opened) as follower:
        follower.on_event(STARTED)
    assert not bar.is_open


def test_what_a_program_raises_is_a_warning_once_and_it_hears_no_more() -> None:
    heard = list[Event]()

    def broken(event: Event) -> None:
        heard.append(event)
        raise ValueError("my bar broke")

    with pytest.warns(RuntimeWarning, match="ValueError: my bar broke") as caught:
        follow(broken)
    assert (heard, len(caught)) == ([STARTED], 1)


class _IPython:
    def __init__(self, shell: object) -> None:
        self._shell = shell

    def get_ipython(self) -> object:
        return self._shell


def test_a_notebook_shows_a_bar_and_any_other_program_nothing() -> None:
    stream, clock = io.StringIO(), SystemClock()
    for modules in ({}, {"IPython": object()}, {"IPython": _IPython(None)}):
        assert usual_progress(modules, clock=clock) is no_progress
    progress = usual_progress({"IPython": _IPython("a shell")}, stream=stream, clock=clock)
    with progress(STARTED) as shown:
        shown.on_event(Message("submitting no more"))
    assert "submitting no more" in stream.getvalue()
