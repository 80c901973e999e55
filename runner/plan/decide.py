"""Decides once what a run would do; `plan` shows the decision and `run` carries it out.

In: a priced plan, the record, the scope, and which clips are not on disk. Out: a `Decision`. It is a pure function, so
what `plan` shows and what `run` does cannot disagree.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from runner.domain.records import RunRecord
from runner.domain.shots import Plan
from runner.plan.actions import Action, Step, steps
from runner.plan.compare import Comparison
from runner.plan.duplicates import paid_twice
from runner.plan.scope import Scope, outcome


@dataclass(frozen=True, slots=True)
class Decision:
    """What a run does: a step for each take that it handles, and the comparison that makes the record fit the plan.

    The run adopts `comparison` after the user has agreed; the one in `scope` leaves stale takes as they are.
    `left_out` counts takes that were not chosen. `duplicates` are takes whose exact request another take sends or sent.
    """

    scope: Scope
    comparison: Comparison
    steps: tuple[Step, ...]
    left_out: int
    duplicates: tuple[str, ...]

    @property
    def submits(self) -> tuple[Step, ...]:
        """The steps that send a job."""
        return tuple(step for step in self.steps if step.action is Action.SUBMIT)


def decide(
    plan: Plan, record: RunRecord, scope: Scope, *, files_missing: Collection[str], download: bool
) -> Decision:
    """Return what a run of `plan` does with the takes of `scope`; `files_missing` are takes without their clips."""
    comparison = outcome(plan, record.takes, scope.rerendered) if scope.rerendered else scope.comparison
    recorded = {take.take_id: take for take in record.takes}
    every = steps(plan.takes, recorded, comparison, files_missing=files_missing, download=download)
    chosen = tuple(step for step in every if _is_about(step, scope))
    renames = scope.comparison.renames
    duplicates = paid_twice(
        plan.takes,
        going={step.take_id for step in chosen if step.action is Action.SUBMIT},
        sent={renames.get(take_id, take_id) for take_id in record.sent},
    )
    return Decision(scope, comparison, chosen, len(every) - len(chosen), duplicates)


def _is_about(step: Step, scope: Scope) -> bool:
    waits, is_out = step.action is Action.SUBMIT, step.action is Action.WATCH
    return scope.concerns(step.take_id, waits=waits, is_out=is_out)
