"""The plan as it is shown before anybody pays: what a run would do with each take, why, and for how much.

In: the request of a run. Out: a `PlanPreview`. It only reads, takes no lock, and decides by the same code as a run.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.api.account import Account, find_account
from runner.commands.check import gc_paused, plan_of, warnings_of
from runner.commands.steps.known_jobs import known_outside, refuse_lost_record
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.open_run import new_header, refuse_other_run
from runner.commands.steps.other_splits import other_splits
from runner.commands.steps.prices import known_prices
from runner.commands.steps.request import RunRequest
from runner.commands.steps.sync_record import missing
from runner.domain.display import listed
from runner.domain.errors import CannotCreate, DiskFailed, Position, Problem, Severity, UsageError
from runner.domain.money import Spending, total
from runner.domain.name_template import FileNames
from runner.domain.records import RunRecord
from runner.domain.shards import Shard
from runner.domain.shots import Plan
from runner.models.registry import Models, search_path
from runner.plan import prices as pricing
from runner.plan.actions import Action, Step
from runner.plan.blocked import barred, blocked
from runner.plan.file_names import labels_of, names_of_files, take_numbers
from runner.plan.lost_zeros import lost_zeros
from runner.plan.scope import Decision, decide, scope_of
from runner.plan.timing import Forecast, forecast
from runner.store import run_dir as rundir
from runner.store.open_checks import refuse_less_known
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir

if TYPE_CHECKING:
    from runner.commands.steps.live_catalogue import LiveCatalogue

_SIBLINGS = 20


@dataclass(frozen=True, slots=True)
class PlanPreview:
    """What a run would do.

    `spending` is all that the run directory ever may have paid; with `nothing_paid` it was simulated. `left_out` counts
    takes that were not chosen; `forecast` is None where no such job has ended yet. `prices` are by model, for the takes
    that would be submitted. `labels` are the short names of all takes by their ids, and `stems` the names of the files
    of those on the board.
    `duplicates` would pay again for a request that another take sends, and no one has agreed to that. With a `shard` it
    is about some of the takes on the board, and `board` is how many there are.
    """

    name: str
    manifest: Path
    run_dir: Path
    simulated: bool
    steps: tuple[Step, ...]
    spending: Spending
    forecast: Forecast | None
    left_out: int
    warnings: tuple[Problem, ...]
    prices: Mapping[str, str]
    live: LiveCatalogue | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    stems: Mapping[str, str] = field(default_factory=dict)
    manifest_sha256: str = ""
    duplicates: tuple[str, ...] = ()
    nothing_paid: bool = False
    shard: Shard | None = None
    board: int = 0

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many takes each action is for."""
        found = Counter(step.action for step in self.steps)
        return {action: found[action] for action in Action if found[action]}

    @property
    def submits(self) -> tuple[Step, ...]:
        """The steps that send a job."""
        return tuple(step for step in self.steps if step.action is Action.SUBMIT)

    @property
    def estimate(self) -> float:
        """What the submits with a price cost together, in US dollars."""
        return total(step.estimate for step in self.submits if step.estimate is not None)

    @property
    def unpriced(self) -> int:
        """How many submits have no price."""
        return sum(1 for step in self.submits if step.estimate is None)


@gc_paused()
def preview(
    request: RunRequest, *, given: bytes | None = None, online: bool = False, allow_duplicates: bool = False
) -> PlanPreview:
    """Return what a run of `request` would do.

    `given` is the manifest's content where its path is `-`. With `online` the API is asked for live prices, the
    balance and its schemas. With `allow_duplicates` it is agreed to that takes send the same request.

    Raises:
        FileMissing, ManifestInvalid: as `check` raises them.
        UsageError: the choice means nothing here, or a run would be refused in this run directory.
        StateFileUnusable: there is a state file that cannot be read, or there was one and it is gone.
        DiskFailed: the disk fails where clips are looked for.
    """
    # Before anything else is done: without a token there is no answer.
    account = _account(request) if online else None
    plan = plan_of(request, given=given)
    place = RunDir(request.home(plan.manifest.name))
    record, warnings = _recorded(request, plan, place)
    plan = replace(plan, warnings=warnings)
    said = _ask(request, account, plan) if account else None
    plan = known_prices(request, plan, record.takes)
    plan = pricing.priced(plan, said.prices) if said else plan
    decisions = decisions_for(place, request.meant)
    scope = scope_of(
        plan, record.takes, request.choice, stale=request.stale, first=request.first, decisions=decisions
    )
    gone = missing(record.takes, place)
    decision = decide(plan, record, scope, files_missing=gone, download=request.options.download)
    doubles = () if request.simulated or allow_duplicates else decision.duplicates
    names = names_of_files(plan, record, decision.comparison, template=request.name_template)
    names.refuse()
    shown = _shown(request, plan, place, record, decision, names)
    warnings = (*shown.warnings, *_twice(plan, doubles))
    return replace(shown, warnings=warnings, live=said, duplicates=tuple(doubles))


def _shown(
    request: RunRequest,
    plan: Plan,
    place: RunDir,
    record: RunRecord,
    decision: Decision,
    names: FileNames,
) -> PlanPreview:
    """Return a decision with what limits refuse, how long it takes, and what a run could not write."""
    refusals = barred(
        decision.submits,
        request.options.limits,
        spending=record.spending,
        sessions=record.sessions,
        now=request.clock.wall(),
    )
    steps = blocked(decision.steps, refusals)
    going = {step.take_id: step.model for step in steps if step.action is Action.SUBMIT}
    return PlanPreview(
        name=plan.manifest.name,
        manifest=request.manifest,
        run_dir=place.path,
        simulated=request.simulated,
        steps=steps,
        spending=record.spending,
        forecast=forecast(
            Counter(going.values()),
            _durations(place),
            at_once=request.options.jobs,
            model_jobs=request.options.model_jobs,
            rates=request.options.rates,
        ),
        left_out=decision.left_out,
        warnings=(
            *plan.warnings,
            *other_splits(request, plan),
            *filter(None, [lost_zeros(plan, going, record.takes)]),
            *_expiring(request, plan, going),
            *_unwritable(request, place, [*going, *map(names.stems.__getitem__, going)]),
            *(_about_file(request, remark) for remark in names.remarks),
        ),
        prices=pricing.rates(plan, going),
        labels=labels_of(take_numbers(plan, record.takes, decision.comparison)),
        stems=names.stems,
        manifest_sha256=plan.manifest.sha256,
        nothing_paid=record.nothing_paid,
        shard=request.shard,
        board=len(plan.board),
    )


def _recorded(request: RunRequest, plan: Plan, place: RunDir) -> tuple[RunRecord, tuple[Problem, ...]]:
    """Return what is on record, and the warnings about the plan beside it."""
    told = () if request.opening.new_run else known_outside(place, request.environ)
    if not os.path.lexists(place.state_file):
        refuse_lost_record(place, told)
        return RunRecord(), plan.warnings
    with open_reader(place.state_file) as reader:
        refuse_less_known(reader.path, reader.header.run_id, told, unknown=reader.unrecorded)
        name, base = plan.manifest.name, reader.header.api_base
        asked = new_header(
            place,
            request.manifest,
            name=name,
            simulated=request.simulated,
            api_base=base,
            shard=request.shard,
        )
        refuse_other_run(reader.header, asked, place, moved=request.opening.moved)
        return reader.record(), warnings_of(plan, reader)


def _account(request: RunRequest) -> Account:
    if request.simulated:
        raise UsageError("a simulated run has no catalogue to ask", advice="leave out --online or --simulate")
    return find_account(request.environ, base=request.api_base)


def _ask(request: RunRequest, account: Account, plan: Plan) -> LiveCatalogue:
    from runner.commands.steps.live_catalogue import ask_catalogue

    known = Models.bundled(search_path(request.manifest, request.schema_dirs))
    models = sorted({take.model for take in plan.takes})
    return ask_catalogue(account, models, clock=request.clock, known=known, till=True)


def _twice(plan: Plan, doubles: Sequence[str]) -> Iterator[Problem]:
    """Yield a warning where a run asks again, or refuses where no person can be asked."""
    if doubles:
        yield Problem(
            next(take.at for take in plan.takes if take.id == doubles[0]),
            "",
            f"{listed(doubles)} would pay again for a request that another take sends or has sent; "
            "where no one can be asked, a run is refused without --allow-duplicates",
            severity=Severity.WARNING,
        )


def _expiring(request: RunRequest, plan: Plan, going: Collection[str]) -> Iterator[Problem]:
    """Yield a warning for each signed link that has expired, where a run would refuse it, or soon will."""
    if request.on_this_machine or not going:
        return
    from runner.commands.steps.link_expiry import expiring_links

    takes = (take for take in plan.takes if take.id in going)
    folders = search_path(request.manifest, request.schema_dirs)
    for found in expiring_links(takes, plan.manifest, folders=folders, now=request.clock.wall()):
        yield replace(found.problem, severity=Severity.WARNING)


def _unwritable(request: RunRequest, place: RunDir, going: Collection[str]) -> Iterator[Problem]:
    """Yield a warning where a run would find out, before its first submit, that it cannot write what it must."""
    if not going:
        return
    from runner.commands.steps.write_check import look_ahead

    try:
        said = look_ahead(place, going, download=request.options.download)
    except (CannotCreate, DiskFailed) as error:
        what = f"a run would submit nothing and end with {error.exit_code}"
        said = (f"{what}: {error.message}; {error.advice}",)
    for message in said:
        yield _about_file(request, message)


def _about_file(request: RunRequest, message: str) -> Problem:
    return Problem(Position(str(request.manifest)), "", message, severity=Severity.WARNING)


def _durations(place: RunDir) -> Mapping[str, Sequence[float]]:
    """Return how long jobs took on this machine: in this run, and in the runs beside it."""
    found: dict[str, list[float]] = {}
    for folder in (place.path, *_siblings(place)):
        if not rundir.is_run(folder):
            continue
        with open_reader(RunDir(folder).state_file) as reader:
            for job in reader.durations():
                found.setdefault(job.model, []).append(job.seconds)
    return found


def _siblings(place: RunDir) -> list[Path]:
    """Return the runs beside this one that are of its kind, newest first."""
    simulated = place.path.name.endswith(rundir.SIMULATED)
    changed_at: dict[Path, float] = {}
    with suppress(OSError):
        for path in place.path.parent.iterdir():
            same_kind = path.name.endswith(rundir.SIMULATED) is simulated
            with suppress(OSError):
                if same_kind and path != place.path and rundir.is_run(path):
                    changed_at[path] = (path / rundir.STATE_FILE).stat().st_mtime
    return sorted(changed_at, key=changed_at.__getitem__, reverse=True)[:_SIBLINGS]
