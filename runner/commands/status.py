"""Where a run stands, and all that is recorded about one take: from the state file alone, without its lock.

In: a run directory or its manifest. Out: values to print. It works while the run is active.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.commands.steps.find_run import find_run
from runner.commands.steps.known_jobs import known_outside
from runner.commands.steps.known_picks import ChoiceCounts, choice_counts
from runner.commands.steps.open_for_decision import named
from runner.domain.money import Spending
from runner.domain.records import AttemptRecord, EventRecord, RunHeader, TakeRecord, schema_of
from runner.domain.states import DeliveryState, TakeState
from runner.store.open_checks import beside, refuse_less_known
from runner.store.reader import open_reader


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands: its takes by state, its rendered takes by delivery, the held ones, and its money.

    `choices` are what people decided, None before the first decision.
    """

    run_dir: Path
    header: RunHeader
    counts: Mapping[TakeState, int]
    deliveries: Mapping[DeliveryState, int]
    held: tuple[TakeRecord, ...]
    spending: Spending
    choices: ChoiceCounts | None = None


@dataclass(frozen=True, slots=True)
class TakeHistory:
    """Everything that is recorded about one take; `origin` is the API of its run, `schema` is the SHA-256 or None."""

    take: TakeRecord
    attempts: Sequence[AttemptRecord]
    events: Sequence[EventRecord]
    schema: str | None
    origin: str


def status(target: str | Path, *, simulated: bool | None = None) -> RunStatus:
    """Return where a run stands; the parameters are those of `report`.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file cannot be read, or it knows less than other files of the run.
    """
    place = find_run(target, simulated=simulated)
    # A runner has compared the record with its witnesses when it began, and the next one will.
    told = () if beside(place.state_file, "-wal").exists() else known_outside(place, os.environ)
    with open_reader(place.state_file) as reader:
        refuse_less_known(reader.path, reader.header.run_id, told, unknown=reader.unrecorded)
        counts = reader.counts()
        takes = reader.takes() if counts.get(TakeState.HELD) else ()
        held = tuple(take for take in takes if take.state is TakeState.HELD)
        deliveries, choices = reader.deliveries(), choice_counts(place)
        return RunStatus(place.path, reader.header, counts, deliveries, held, reader.sums(), choices)


def take_history(target: str | Path, take_id: str, *, simulated: bool | None = None) -> TakeHistory:
    """Return everything that is recorded about one take; the other parameters are those of `report`.

    Raises:
        UsageError: there is no such take; the advice names the nearest ids.
        FileMissing, StateFileUnusable: as for `status`.
    """
    with open_reader(find_run(target, simulated=simulated).state_file) as reader:
        take = reader.take(take_id) or named(reader.takes(), [take_id])[0]
        schema = schema_of(take, reader.schemas())
        attempts, events = reader.attempts(take.take_id), reader.events(take.take_id)
        return TakeHistory(take, attempts, events, schema, reader.header.api_base)
