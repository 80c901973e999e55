"""Where a run stands and who runs it, and all that is recorded about one take: from its record, without its lock.

In: a run directory or its manifest. Out: values to print. It works while the run is active.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.steps.find_run import command_about, find_run_to_read, manifest_of
from runner.commands.steps.known_jobs import known_outside
from runner.commands.steps.known_picks import ChoiceCounts, choice_counts
from runner.commands.steps.lost_run import refuse_lost, without_record
from runner.commands.steps.open_for_decision import named
from runner.commands.steps.run_activity import activity_of
from runner.commands.steps.tuned_settings import flags_of
from runner.domain.activity import Activity
from runner.domain.errors import FileMissing, UsageError
from runner.domain.money import Spending, micros, usd
from runner.domain.orders import Tune, order_from_json
from runner.domain.records import (
    AttemptRecord,
    EventRecord,
    OrderRecord,
    RunHeader,
    SessionRecord,
    Standing,
    TakeRecord,
    pause_of,
    schema_of,
)
from runner.domain.run_pace import Pace, pace_of
from runner.domain.states import UNFINISHED, DeliveryState, TakeState
from runner.output.failure_kinds import FailureKind, failure_kinds
from runner.store.lock import read_owner
from runner.store.open_checks import beside, refuse_less_known
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.system.canonical_json import JsonValue
from runner.system.clock import Clock, SystemClock
from runner.system.escapes import command_line

if TYPE_CHECKING:
    from runner.output.take_groups import Group


@dataclass(frozen=True, slots=True)
class RunStatus:
    """Where a run stands: its takes by state, rendered ones by delivery, held and flagged ones, and its money.

    With `simulated` nothing was paid. `choices` are what people decided, None before the first decision. All of it is
    as of the wall time `at`. `pace` is None unless a session goes on. `go_on` is the command that continues a run that
    is paused, or not running and not over; else it is empty. `failures` are the takes that wait for a person, and
    `groups` are what was asked for by `by`. `settings` are those of the newest session, `orders` the latest ones to it,
    oldest first, and `pause` is the one that keeps it from submitting now.
    """

    run_dir: Path
    header: RunHeader
    simulated: bool
    counts: Mapping[TakeState, int]
    deliveries: Mapping[DeliveryState, int]
    held: tuple[TakeRecord, ...]
    spending: Spending
    flagged: tuple[Standing, ...] = ()
    choices: ChoiceCounts | None = None
    at: float = 0.0
    activity: Activity = field(default_factory=Activity)
    pace: Pace | None = None
    go_on: str = ""
    failures: tuple[FailureKind, ...] = ()
    groups: tuple[Group, ...] = ()
    settings: Mapping[str, JsonValue] = field(default_factory=dict)
    orders: tuple[OrderRecord, ...] = ()
    pause: OrderRecord | None = None

    @property
    def left(self) -> float | None:
        """What is left of the limit on cost of the newest session, in US dollars; None without a limit."""
        limit = self.settings.get("max_cost_usd")
        if not isinstance(limit, int | float):
            return None
        return usd(max(0, micros(limit) - micros(self.spending.committed)))


@dataclass(frozen=True, slots=True)
class TakeHistory:
    """Everything that is recorded about one take; `origin` is the API of its run, `schema` is the SHA-256 or None.

    `out` is the address of the store that its clip is in, empty if that is the run directory.
    """

    take: TakeRecord
    attempts: Sequence[AttemptRecord]
    events: Sequence[EventRecord]
    schema: str | None
    origin: str
    out: str = ""


def status(
    target: str | Path, *, simulated: bool | None = None, by: str = "", clock: Clock | None = None
) -> RunStatus:
    """Return where a run stands; the parameters are those of `report`.

    With `by` the takes are also grouped: by `shot`, `model`, `tag`, `class` of failure, or the name of a swept input.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file is gone or cannot be read, or it knows less than other files of the run.
        UsageError: the takes cannot be grouped so.
    """
    place = _place(Path(target), simulated=simulated)
    # A runner has compared the record with its witnesses when it began, and the next one will.
    told = () if beside(place.state_file, "-wal").exists() else known_outside(place, os.environ)
    with open_reader(place.state_file) as reader:
        refuse_less_known(reader.path, reader.header.run_id, told, unknown=reader.unrecorded)
        with reader.at_one_moment():
            return _status(place, reader, by=by, now=(clock or SystemClock()).wall())


def _place(target: Path, *, simulated: bool | None) -> RunDir:
    try:
        place = find_run_to_read(target, simulated=simulated)
    except FileMissing:
        lost = without_record(target, simulated=simulated)
        if lost is None:
            raise
        place = lost
    refuse_lost(place)
    return place


def _status(place: RunDir, reader: Reader, *, by: str, now: float) -> RunStatus:
    from runner.output.take_groups import take_groups

    header, activity, session = reader.header, activity_of(place, reader), reader.newest_session()
    orders = reader.orders(epoch=session.epoch) if session else []
    pause = pause_of(orders) if activity.is_session else None
    counts, deliveries, troubled = reader.counts(), reader.deliveries(), reader.troubled()
    command = partial(command_about, place, header)
    is_over = not (deliveries[DeliveryState.FETCHING] or any(counts[state] for state in _GOES_ON))
    return RunStatus(
        place.path,
        header,
        reader.nothing_paid,
        counts,
        deliveries,
        tuple(take for take in troubled if take.state is TakeState.HELD),
        reader.sums(),
        tuple(reader.flagged()),
        choice_counts(place),
        at=now,
        activity=activity,
        pace=_pace(reader, session, now=now) if session and activity.is_session and not pause else None,
        go_on=(
            command("resume")
            if pause
            else _go_on(place, header, orders)
            if activity.running is False and not is_over
            else ""
        ),
        failures=failure_kinds(troubled, command),
        groups=tuple(take_groups(reader.outcomes(), reader.spending(), by)) if by else (),
        settings=session.settings if session else {},
        orders=tuple(orders[-_ORDERS_SHOWN:]),
        pause=pause,
    )


def _go_on(place: RunDir, header: RunHeader, orders: Iterable[OrderRecord]) -> str:
    """Return the command that continues: that of a killed run, with all its flags, as it was tuned, or a plain one.

    Its note counts only if its words mean this manifest here: they may be of another folder, or of another command.
    """
    owner = read_owner(place.path)
    with suppress(ValueError, OSError):
        _, verb, *words = shlex.split(owner.command if owner else "")
        manifest = manifest_of(place, header)
        if verb == "run" and any(Path(word).resolve() == manifest for word in words):
            end = words.index("--") if "--" in words else len(words)
            return command_line(verb, *words[:end], *_tuned_flags(orders), *words[end:])
    return command_about(place, header, "run")


def _tuned_flags(orders: Iterable[OrderRecord]) -> list[str]:
    """Return what the run was tuned to, as flags: of the same flag twice, a command line takes the last."""
    tunes = []
    for each in orders:
        # A newer program may know more kinds of orders.
        with suppress(UsageError):
            if each.changed and isinstance(tune := order_from_json(dict(each.wish)), Tune):
                tunes.append(tune)
    return flags_of(tunes)


_GOES_ON = UNFINISHED | {TakeState.SUBMITTING}


_ORDERS_SHOWN = 5


def _pace(reader: Reader, session: SessionRecord, *, now: float) -> Pace:
    until = (
        None
        if session.limit_s is None or session.window_began_at is None
        else session.window_began_at + session.limit_s
    )
    spans = reader.job_spans(since=session.began_at)
    return pace_of(spans, reader.waiting(), began_at=session.began_at, now=now, submits_until=until)


def takes_of_shot(
    target: str | Path, shot_id: str, *, simulated: bool | None = None
) -> tuple[TakeRecord, ...]:
    """Return the takes of a shot by their numbers, if `shot_id` names a shot and no single take; else nothing.

    The other parameters, and what is raised, are those of `report`.
    """
    with open_reader(find_run_to_read(target, simulated=simulated).state_file) as reader:
        if reader.take(shot_id) is not None:
            return ()
        takes = [take for take in reader.takes() if take.shot_id == shot_id]
    return tuple(sorted(takes, key=lambda take: (take.number, take.take_id)))


def take_history(target: str | Path, take_id: str, *, simulated: bool | None = None) -> TakeHistory:
    """Return everything that is recorded about one take; the other parameters are those of `report`.

    Raises:
        UsageError: there is no take with this id or label; the advice names the nearest ids.
        FileMissing, StateFileUnusable: as for `status`.
    """
    with open_reader(find_run_to_read(target, simulated=simulated).state_file) as reader:
        take = reader.take(take_id) or named(reader.takes(), [take_id])[0]
        schema = schema_of(take, reader.schemas())
        attempts, events = reader.attempts(take.take_id), reader.events(take.take_id)
        return TakeHistory(take, attempts, events, schema, reader.header.api_base, reader.header.out)
