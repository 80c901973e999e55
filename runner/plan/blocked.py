"""Says which submits of a plan a run would not make, and why: its limits on money, number and time.

In: the submits in their order, the limits, what is on record of money and sessions. Out: reasons by take. It uses the
same budget that a run checks before each submit, and a run uses the same `uncounted`. It reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from runner.domain.display import counted
from runner.domain.limits import NO_PRICE, Budget, Limits
from runner.domain.money import Spending
from runner.domain.records import SessionRecord
from runner.domain.shots import Ticket
from runner.domain.states import TakeState
from runner.plan.actions import Action, Step
from runner.plan.timing import window


def barred(
    submits: Sequence[Step],
    limits: Limits,
    *,
    spending: Spending,
    sessions: Sequence[SessionRecord],
    now: float,
) -> Mapping[str, str]:
    """Return by take id why a run begun `now` would not send it; estimates count as costs.

    A run stops at the first take over a limit, even if a cheaper one behind it would still fit.
    """
    unpriced = sum(1 for step in submits if step.estimate is None)
    if why := uncounted(limits, submits=len(submits), unpriced=unpriced, unknown=spending.unpriced):
        why = f"{why}, under --max-cost"
        return {step.take_id: NO_PRICE if step.estimate is None else why for step in submits}
    deadline = window(limits, sessions, now=now).deadline
    allowance = Budget(limits, wall=lambda: now, monotonic=lambda: 0.0, spending=spending, deadline=deadline)
    for at, step in enumerate(submits):
        ticket = Ticket(step.take_id, step.model, "", "", TakeState.PENDING, estimate=step.estimate)
        if limit_hit := allowance.limit_hit(ticket):
            return dict.fromkeys((other.take_id for other in submits[at:]), limit_hit.short)
        allowance.reserve(ticket)
    return {}


def blocked(steps: Sequence[Step], refusals: Mapping[str, str]) -> tuple[Step, ...]:
    """Return the same steps, but those of `refusals` (take id to reason) are blocked instead of submitted."""
    return tuple(
        replace(step, action=Action.BLOCKED, reason=f"{refusals[step.take_id]}; {step.reason}", was=None)
        if step.action is Action.SUBMIT and step.take_id in refusals
        else step
        for step in steps
    )


def uncounted(limits: Limits, *, submits: int, unpriced: int, unknown: int) -> str:
    """Return why a cap could not be kept, because some money is unknown; empty if it can, or if there is no cap.

    `unpriced` of the `submits` have no price, and of `unknown` earlier submissions neither cost nor price is known.
    """
    if not limits.needs_prices or not submits:
        return ""
    why = []
    if unpriced:
        why.append(f"{unpriced} of the {submits} takes to submit have no price")
    if unknown:
        why.append(f"of {counted(unknown, 'earlier submission')} neither cost nor price is known")
    return " and ".join(why)
