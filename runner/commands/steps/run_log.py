"""The run's log: what happened in each session, and what people decided between them, in the words for programs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from runner.commands.steps.write_check import open_log
from runner.domain.errors import CannotCreate, DiskFailed
from runner.domain.run_events import FactRecorded
from runner.output.event_json import JsonEvents
from runner.output.safe_stream import SafeStream
from runner.store.run_dir import RunDir
from runner.system.clock import Clock


@contextmanager
def run_log(place: RunDir, clock: Clock) -> Iterator[JsonEvents]:
    """Yield the run's log to append to; no command fails because it cannot be opened or closed."""
    with ExitStack() as opened:
        try:
            stream = os.fdopen(open_log(place), "a", encoding="utf-8")
        except (CannotCreate, DiskFailed):
            stream = opened.enter_context(open(os.devnull, "a", encoding="utf-8"))  # noqa: PTH123 - a device
        else:
            opened.callback(SafeStream(stream).end)
        yield JsonEvents(SafeStream.over(stream), clock=clock)


def log_facts(place: RunDir, clock: Clock, facts: Sequence[FactRecorded]) -> None:
    """Add facts to the run's log that were recorded between two sessions."""
    if not facts:
        return
    with run_log(place, clock) as log:
        for fact in facts:
            log.on_event(fact)
