"""The plan as it is shown before anybody pays: what a run would do with each take, why, and for how much.

In: a manifest's path and the request of a run. Out: a `PlanPreview`. It opens the state file to read only, takes no
lock, changes nothing, and needs no network: what it shows is decided by the same lines as what a run does.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.check import check, gc_paused
from runner.commands.steps import open_run
from runner.commands.steps.known_jobs import known_outside, refuse_forgetful, refuse_lost_record
from runner.commands.steps.prices import quotes
from runner.commands.steps.sync_record import missing
from runner.domain.display import listed
from runner.domain.errors import CannotCreate, DiskFailed, Position, Problem, Severity, UsageError
from runner.domain.limits import Limits
from runner.domain.money import Spending, total
from runner.domain.records import RunRecord, TakeRecord
from runner.domain.shots import Plan, Price
from runner.manifest.size_limits import LIMITS
from runner.manifest.size_limits import Limits as ManifestLimits
from runner.models.registry import search_path
from runner.plan import prices as pricing
from runner.plan.actions import Action, Step, blocked
from runner.plan.blocked import barred
from runner.plan.decide import Decision, decide
from runner.plan.duration_forecast import Forecast, forecast
from runner.plan.scope import scope_of
from runner.plan.selection import ALL, Choice
from runner.store import run_dir as rundir
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock

if TYPE_CHECKING:
    from runner.api.account import Account
    from runner.commands.steps.live_catalogue import LiveCatalogue

_SIBLINGS = 20
_SPENDS = frozenset({Action.SUBMIT})


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a plan is asked for: the same wishes as a run's, as far as they decide what it would do.

    `at_once` is the cap on jobs; `on_this_machine` says that the API runs here; with `allow_duplicates` it is agreed
    to that takes send the same request. `environ` names the user's folders, None for the process's own. With
    `online` the API is asked for live prices, the balance and its schemas.
    """

    manifest: Path
    run_dir: Path | None = None
    choice: Choice = ALL
    stale: bool = False
    download: bool = True
    simulated: bool = False
    on_this_machine: bool = False
    schema_dirs: tuple[Path, ...] = ()
    at_once: int = 4
    limits: Limits = field(default_factory=Limits)
    allow_duplicates: bool = False
    moved: bool = False
    new_run: bool = False
    environ: Mapping[str, str] | None = None
    online: bool = False
    api_base: str | None = None
    clock: Clock = field(default_factory=SystemClock)
    manifest_limits: ManifestLimits = LIMITS
    given: bytes | None = None


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """What a run would do; `estimate` is in US dollars, `unpriced` counts submits without a price.

    `spending` is all that the run directory ever may have paid. `left_out` counts takes that were not chosen;
    `forecast` is None where no such job has ended yet. `prices` are by model, for the takes that would be submitted.
    """

    name: str
    manifest: Path
    run_dir: Path
    simulated: bool
    steps: tuple[Step, ...]
    estimate: float
    unpriced: int
    spending: Spending
    forecast: Forecast | None
    left_out: int
    warnings: tuple[Problem, ...]
    prices: Mapping[str, str]
    live: LiveCatalogue | None = None

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many takes each action is for."""
        found = Counter(step.action for step in self.steps)
        return {action: found[action] for action in Action if found[action]}

    @property
    def would_spend(self) -> bool:
        """True if a run would submit anything."""
        return any(step.action in _SPENDS for step in self.steps)


@gc_paused()
def preview(asked: PlanRequest) -> PlanPreview:
    """Return what a run would do.

    Raises:
        FileMissing, ManifestInvalid: as `check` raises them.
        UsageError: the choice means nothing here, or a run would be refused in this run directory.
        StateFileUnusable: there is a state file that cannot be read, or there was one and it is gone.
        DiskFailed: the disk fails where clips are looked for.
    """
    account = _account(asked)
    plan = check(
        asked.manifest,
        schema_dirs=asked.schema_dirs,
        allow_private_media=asked.simulated or asked.on_this_machine,
        limits=asked.manifest_limits,
        given=asked.given,
    )
    place = RunDir(
        asked.run_dir
        or rundir.default_run_dir(asked.manifest, name=plan.manifest.name, simulated=asked.simulated)
    )
    record = _recorded(asked, plan, place)
    said = _ask(asked, account, plan) if account else None
    plan = pricing.priced(plan, _quotes(asked, plan, record.takes, said))
    scope = scope_of(plan, record.takes, asked.choice, stale=asked.stale)
    gone = missing(record.takes, place)
    decision = decide(plan, record, scope, files_missing=gone, download=asked.download)
    refusals = barred(
        decision.submits,
        asked.limits,
        spending=record.spending,
        sessions=record.sessions,
        now=asked.clock.wall(),
    )
    shown = blocked(decision.steps, refusals)
    submits = [step for step in shown if step.action is Action.SUBMIT]
    ids = frozenset(step.take_id for step in submits)
    return PlanPreview(
        name=plan.manifest.name,
        manifest=asked.manifest,
        run_dir=place.path,
        simulated=asked.simulated,
        steps=shown,
        estimate=total(step.estimate for step in submits if step.estimate is not None),
        unpriced=sum(1 for step in submits if step.estimate is None),
        spending=record.spending,
        forecast=forecast(Counter(step.model for step in submits), _durations(place), at_once=asked.at_once),
        left_out=decision.left_out,
        warnings=(*plan.warnings, *_unwritable(asked, place, ids), *_twice(asked, plan, decision)),
        prices=pricing.rates(plan, ids),
        live=said,
    )


def _recorded(asked: PlanRequest, plan: Plan, place: RunDir) -> RunRecord:
    mine = open_run.second_places(os.environ if asked.environ is None else asked.environ, place.path)
    told = () if asked.new_run else known_outside(place, mine)
    if not os.path.lexists(place.state_file):
        refuse_lost_record(place, told)
        return RunRecord()
    refuse_forgetful(place, told)
    with open_reader(place.state_file) as reader:
        open_run.refuse_other_run(
            reader.header,
            place,
            manifest=asked.manifest,
            name=plan.manifest.name,
            simulated=asked.simulated,
            moved=asked.moved,
        )
        return reader.record()


def _account(asked: PlanRequest) -> Account | None:
    """Return whom to ask, before anything else is done: without a token there is no answer."""
    if not asked.online:
        return None
    from runner.api.account import find_account

    if asked.simulated:
        raise UsageError("a simulated run has no catalogue to ask", advice="leave out --online or --simulate")
    return find_account(os.environ if asked.environ is None else asked.environ, base=asked.api_base)


def _ask(asked: PlanRequest, account: Account, plan: Plan) -> LiveCatalogue:
    from runner.commands.steps.live_catalogue import ask_catalogue
    from runner.models.registry import Models

    known = Models.bundled(search_path(asked.manifest, asked.schema_dirs))
    models = sorted({take.model for take in plan.takes})
    return ask_catalogue(account, models, clock=asked.clock, known=known, till=True)


def _quotes(
    asked: PlanRequest, plan: Plan, recorded: Sequence[TakeRecord], said: LiveCatalogue | None
) -> Mapping[str, Price]:
    folders, simulated = asked.schema_dirs, asked.simulated
    known = quotes(plan, recorded, manifest=asked.manifest, schema_dirs=folders, simulated=simulated)
    return known if simulated or said is None else {**known, **said.prices}


def _twice(asked: PlanRequest, plan: Plan, decision: Decision) -> Iterator[Problem]:
    """Yield a warning where a run asks once more, or refuses where no person can be asked."""
    again = decision.duplicates
    if asked.simulated or asked.allow_duplicates or not again:
        return
    first = next(take for take in plan.takes if take.id == again[0])
    yield Problem(
        first.at,
        "",
        f"{listed(again)} would pay once more for a request that another take sends or has sent; "
        "where no one can be asked, a run is refused without --allow-duplicates",
        severity=Severity.WARNING,
    )


def _unwritable(asked: PlanRequest, place: RunDir, going: Collection[str]) -> Iterator[Problem]:
    """Yield a warning where a run would find out, before its first submit, that it cannot write what it must."""
    if not going:
        return
    from runner.commands.steps.write_check import look_ahead

    try:
        said = look_ahead(place, going, download=asked.download)
    except (CannotCreate, DiskFailed) as error:
        said = (
            f"a run would submit nothing and end with {error.exit_code}: {error.message}; {error.advice}",
        )
    for message in said:
        yield Problem(Position(str(asked.manifest)), "", message, severity=Severity.WARNING)


def _durations(place: RunDir) -> Mapping[str, Sequence[float]]:
    """Return how long jobs took on this machine: in this run, and in the runs beside it."""
    found: dict[str, list[float]] = {}
    for folder in (place.path, *_siblings(place)):
        if not rundir.is_run(folder):
            continue
        with open_reader(RunDir(folder).state_file) as reader:
            for model, seconds in reader.durations().items():
                found.setdefault(model, []).extend(seconds)
    return found


def _siblings(place: RunDir) -> list[Path]:
    """Return the runs beside this one that are of its kind, newest first."""
    simulated = place.path.name.endswith(rundir.SIMULATED)
    try:
        beside = [path for path in place.path.parent.iterdir() if path != place.path and rundir.is_run(path)]
    except OSError:
        return []
    same = [path for path in beside if path.name.endswith(rundir.SIMULATED) is simulated]
    return sorted(same, key=_changed_at, reverse=True)[:_SIBLINGS]


def _changed_at(path: Path) -> float:
    try:
        return (path / rundir.STATE_FILE).stat().st_mtime
    except OSError:
        return 0.0
