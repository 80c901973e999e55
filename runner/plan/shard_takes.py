"""Narrows a plan to the takes of one shard, and warns of takes that an edit moved to another shard.

In: the plan of the whole board. Out: the plan of a part of it, which still knows the whole. No take waits for another
one, not even in a chain of shots: each has its start frame from the manifest. So the id of a take alone decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from runner.domain.errors import Problem, Severity
from runner.domain.records import Standing
from runner.domain.shards import Shard
from runner.domain.shots import Plan
from runner.domain.states import PAID
from runner.plan.compare import compare


def of_shard(plan: Plan, shard: Shard | None) -> Plan:
    """Return the plan with the takes of `shard` alone; all of it without a shard."""
    if shard is None:
        return plan
    return replace(plan, takes=tuple(take for take in plan.takes if shard.holds(take.id)), board=plan.takes)


def moved_elsewhere(plan: Plan, recorded: Sequence[Standing]) -> Iterator[Problem]:
    """Yield a warning for each take that may have been paid for here, and whose new id belongs to another shard."""
    called = compare(plan.board, recorded).came_from
    kept = {take.id for take in plan.takes}, {*compare(plan.takes, recorded).came_from.values()}
    paid = {each.take_id for each in recorded if each.state in PAID}
    for take in plan.board:
        old = called.get(take.id)
        if take.id not in kept[0] and old in paid - kept[1]:
            message = (
                f"take {old} is called {take.id} now, which belongs to another shard. That shard pays for it again, and"
                " the clip stays here; give the take its old id to keep it"
            )
            yield Problem(take.at, f"shot {take.shot_id}", message, severity=Severity.WARNING)
