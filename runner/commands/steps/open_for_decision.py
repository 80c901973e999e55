"""Where a person's decisions are written: takes found by their ids, and facts on disk on return.

In: a run directory, ids, facts. Out: the takes of those ids, an open state file that no other process writes to, and
what was decided. The callers know what may be decided about which take. It submits nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from runner.commands.steps.open_run import OpenOptions, open_recorded
from runner.domain import failpoints
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.states import Fact
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about which takes; `remarks` are sentences about the state file and where nothing follows."""

    take_ids: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def named(takes: Sequence[TakeRecord], take_ids: Sequence[str]) -> tuple[TakeRecord, ...]:
    """Return the takes of these very ids, each once, in the order given.

    Raises:
        UsageError: there is no such take, with the nearest ids.
    """
    known = {take.take_id: take for take in takes}
    for take_id in take_ids:
        if take_id not in known:
            close = difflib.get_close_matches(take_id, known, n=3, cutoff=0.4)
            hint = f"did you mean {', '.join(close)}?" if close else "see the ids in report.csv"
            raise UsageError(f"there is no take {take_id!r}", advice=hint)
    return tuple(known[take_id] for take_id in dict.fromkeys(take_ids))


@contextmanager
def open_for_decision(place: RunDir, clock: Clock, opening: OpenOptions) -> Iterator[StateFile]:
    """Open the state file to write decisions, with the run to ourselves; what a dead runner was sending is held."""
    with opening.locked(place), open_recorded(place, opening) as state:
        state.begin(at=clock.wall())
        yield state


def record(state: StateFile, facts: Mapping[str, Fact], clock: Clock) -> None:
    """Record one fact a take; they are durable on return."""
    waiting = []
    for take_id, fact in facts.items():
        waiting.append(state.record(take_id, fact, at=clock.wall()))
        failpoints.hit("decide.handed-in")
    for recorded in waiting:
        recorded.result()
    failpoints.hit("decide.recorded")
