"""Everything before the first submission: what is on record, what to do, for how much, and the plan on record.

In: a plan and an open state file. Out: a `Prepared`, which no longer holds the plan. Before a yes it changes
only what a kill interrupted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from runner.commands.check import warnings_of
from runner.commands.steps import prices
from runner.commands.steps.api_session import api_is_simulator
from runner.commands.steps.complete_run import completion_of
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.other_splits import other_splits
from runner.commands.steps.recheck_failed import recheck
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import count_finished, foresee
from runner.commands.steps.sync_record import missing, read_record, sync, take_over
from runner.domain.name_template import FileNames
from runner.domain.records import Completion, RunRecord, SessionRecord
from runner.domain.shots import Plan
from runner.domain.states import ACTIVE, TakeState
from runner.plan.file_names import names_of_files
from runner.plan.lost_zeros import lost_zeros
from runner.plan.prices import price_changes
from runner.plan.scope import Decision, decide, scope_of, takes_in_scope
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run is about to do, and what there is to say about it.

    `agreed` says that the person agreed, or that nothing is sent. `about` are the takes that the run handles, each with
    its submissions so far, and `finished` counts those that need nothing. `sessions` are the earlier ones. `completion`
    is what the run is made from. The takes of `first` are submitted before all others, in that order.
    """

    agreed: bool
    about: Mapping[str, int]
    finished: int
    sessions: Sequence[SessionRecord]
    said: tuple[str, ...]
    completion: Completion
    first: Sequence[str] = ()

    @property
    def is_engaged(self) -> bool:
        """True if the engine has anything left to do."""
        return self.agreed and self.finished < len(self.about)


def prepare(
    request: RunRequest, plan: Plan, place: RunDir, state: StateFile, *, is_runner: bool = False
) -> Prepared:
    """Go through all steps up to the first submission; raises as `run_manifest`.

    `is_runner` says that this session has gone through them before, for another plan.
    """
    _show_warnings(request, plan, place)
    record, remarks = (read_record(place), ()) if is_runner else _taken_over(request, place, state)
    plan, quoted, decision = _decided(request, plan, record, place)
    submits = _may_submit(request, record, decision)
    estimate = replace(
        foresee(decision, record, host=request.origin, simulated=request.simulated),
        says_simulated=submits and api_is_simulator(request, state, record),
    )
    prices.refuse_unpriced(request, estimate)
    names = names_of_files(plan, record, decision.comparison, template=request.name_template)
    names.refuse()
    tried = _try_the_writes(request, place, names) if submits else ()
    _show_doubts(request, place, quoted, record, decision)
    agreed = not decision.submits or request.confirm(estimate)
    # Only now, so that after a no the clips of stale takes keep their names.
    comparison = decision.comparison if agreed else decision.scope.comparison
    template = request.name_template if agreed else None
    synced = sync(state, quoted, record.takes, comparison, clock=request.clock, name_template=template)
    with open_reader(place.state_file, checked=True) as reader:
        takes = takes_in_scope(reader.standings(), decision.scope)
    return Prepared(
        agreed,
        {take.take_id: take.attempts for take in takes},
        count_finished(takes, request.options),
        record.sessions,
        (*tried, *names.remarks, *synced, *price_changes(plan, quoted), *estimate.remarks, *remarks),
        completion_of(request, plan),
        decision.scope.first,
    )


def _show_warnings(request: RunRequest, plan: Plan, place: RunDir) -> None:
    """Show what `check` warns of, before anything is asked or sent."""
    with open_reader(place.state_file, checked=True) as reader:
        is_known = reader.manifest_sha256() == plan.manifest.sha256 and bool(reader.sessions())
        request.warn((*warnings_of(plan, reader), *other_splits(request, plan)), is_known)


def _taken_over(request: RunRequest, place: RunDir, state: StateFile) -> tuple[RunRecord, tuple[str, ...]]:
    """Return what is on record once this is the runner, and remarks about another look at takes given up."""
    record = take_over(state, clock=request.clock)
    # Before anything is weighed: what has a clip after all is not sent again and does not make room.
    again = recheck(request, place, state, record.takes)
    return (read_record(place) if again.asked else record), again.remarks


def _decided(
    request: RunRequest, plan: Plan, record: RunRecord, place: RunDir
) -> tuple[Plan, Plan, Decision]:
    """Return the plan with the prices on record, the plan with those of today, and what to do by it."""
    plan = prices.known_prices(request, plan, record.takes)
    decisions = decisions_for(place, request.meant)
    scope = scope_of(
        plan, record.takes, request.choice, stale=request.stale, first=request.first, decisions=decisions
    )
    quoted = prices.current_prices(request, plan, scope.sends)
    gone = missing(record.takes, place)
    decision = decide(quoted, record, scope, files_missing=gone, download=request.options.download)
    return plan, quoted, decision


def _show_doubts(
    request: RunRequest, place: RunDir, plan: Plan, record: RunRecord, decision: Decision
) -> None:
    """Show what is doubtful about the takes that are sent: ids that lost their zeros, and media links."""
    if not decision.submits:
        return
    from runner.commands.steps.media_check import look_before_paying

    going = {step.take_id for step in decision.submits}
    lost = lost_zeros(plan, going, record.takes)
    doubts = (*([lost] if lost else []), *look_before_paying(request, plan, going, place))
    # A link may have broken since an earlier session.
    is_known = False
    if doubts:
        request.warn(doubts, is_known)


def _may_submit(request: RunRequest, record: RunRecord, decision: Decision) -> bool:
    """Return whether the run submits, or may do so by its options."""
    options = request.options
    again = (ACTIVE if options.retries else set()) | ({TakeState.HELD} if options.max_extra_paid else set())
    return bool(decision.submits) or any(take.state in again for take in record.takes)


def _try_the_writes(request: RunRequest, place: RunDir, names: FileNames) -> tuple[str, ...]:
    """Try all that the run will write; return remarks."""
    from runner.commands.steps.write_check import try_run_dir

    # Hidden names are made of the ids, whatever the clips are called.
    stems = [*names.stems, *names.stems.values()]
    return try_run_dir(place, stems, download=request.options.download)
