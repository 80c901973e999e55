"""Where a person's decisions are written: takes found by their ids, and facts on disk on return.

The callers know what may be decided about which take. It submits nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from runner.commands.steps.open_run import OpenOptions, open_recorded
from runner.commands.steps.run_log import log_facts
from runner.domain import failpoints
from runner.domain.display import listed
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.run_events import FactRecorded
from runner.domain.states import Fact
from runner.plan.selection import UNDECIDED, Choice, Decisions, pick
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock
from runner.system.escapes import shell_word


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided about which takes; `remarks` are sentences about the state file and where nothing follows."""

    take_ids: tuple[str, ...]
    remarks: tuple[str, ...] = ()


def named(takes: Sequence[TakeRecord], take_ids: Sequence[str]) -> tuple[TakeRecord, ...]:
    """Return the takes of these very ids or labels, each once, in the order given; an id comes first.

    Raises:
        UsageError: there is no such take, with the nearest ids, or with the takes of the shot of that name.
    """
    known = {take.label: take for take in takes} | {take.take_id: take for take in takes}
    for name in take_ids:
        if name not in known:
            raise UsageError(f"there is no take {name!r}", advice=_meant(takes, name, known))
    return tuple({known[name].take_id: known[name] for name in take_ids}.values())


def _meant(takes: Sequence[TakeRecord], name: str, known: Collection[str]) -> str:
    # A shot is never taken for all its takes here: what is decided may cost money for each of them.
    if of_shot := [take.label for take in takes if take.shot_id == name]:
        return f"it is a shot, with the takes {listed(of_shot)}; --only {shell_word(name)} chooses them all"
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f"did you mean {', '.join(close)}?" if close else "see the ids in report.csv"


def refuse_unclear(names: Sequence[str], choice: Choice, *, everything: bool) -> None:
    """Refuse a command that must say which takes it is about, in exactly one way.

    Raises:
        UsageError: it says so in no way, or in several.
    """
    if bool(names) + (not choice.is_all) + everything != 1:
        raise UsageError("which takes?", advice="name them, or say --only WHAT, or --all")


def fitting(
    takes: Sequence[TakeRecord],
    names: Sequence[str],
    choice: Choice,
    fits: Callable[[TakeRecord], bool],
    none: str,
    *,
    decisions: Decisions = UNDECIDED,
) -> list[str]:
    """Return the ids that a command is about: the named ones, or those of a choice that fit; [] for neither.

    Raises:
        UsageError: no chosen take fits; `none` says what none of them does.
    """
    if names or choice.is_all:
        return [take.take_id for take in named(takes, names)]
    found = pick(takes, choice, fits, decisions=decisions)
    if not found:
        raise UsageError(f"no take that was chosen {none}", advice="see them with shotrunner status")
    return found


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record that is open to write decisions, with the run to ourselves, and a reader of it."""

    state: StateFile
    reader: Reader
    clock: Clock

    def write(self, facts: Mapping[str, Fact], *remarks: str) -> Decided:
        """Record one fact a take, and then in the run's log as well; they are durable on return."""
        at, waiting = self.clock.wall(), []
        for take_id, fact in facts.items():
            waiting.append(self.state.record(take_id, fact, at=at))
            failpoints.hit("decide.handed-in")
        for recorded in waiting:
            recorded.result()
        failpoints.hit("decide.recorded")
        takes = ((take_id, fact, self.reader.take(take_id)) for take_id, fact in facts.items())
        log_facts(
            RunDir(self.state.path.parent),
            self.clock,
            [FactRecorded(take_id, fact, at, take.label if take else "") for take_id, fact, take in takes],
        )
        return Decided(tuple(facts), (*self.state.notes, *remarks))


@contextmanager
def open_for_decision(
    place: RunDir, opening: OpenOptions, clock: Clock | None = None
) -> Iterator[OpenRecord]:
    """Open the record to write decisions; what a dead runner was sending is held."""
    now = clock or opening.clock
    with opening.locked(place), open_recorded(place, opening) as state:
        state.begin(at=now.wall())
        with open_reader(place.state_file, checked=True) as reader:
            yield OpenRecord(state, reader, now)
