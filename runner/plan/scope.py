"""Finds what a run of a plan would send, from a comparison with the record, a choice and a limit.

In: a plan, what is on record, a choice. Out: a `Scope`. It changes nothing and knows no disk. The commands `plan` and
`run` both ask this module alone, so they cannot disagree on what is sent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.domain.records import TakeRecord
from runner.domain.shots import Plan, Take
from runner.domain.states import ACTIVE, DeliveryState, TakeState
from runner.plan.selection import Choice, choose

if TYPE_CHECKING:
    from runner.plan.compare import Comparison

PAID = ACTIVE | {TakeState.SUCCEEDED}
"""States in which a take's clip was paid for, or its job is active."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A take that can be chosen, with its future id and its state, whether it is on record yet or not.

    `waits` is true for a take that a run sends by itself.
    """

    take_id: str
    shot_id: str
    tags: tuple[str, ...]
    state: TakeState
    delivery: DeliveryState
    is_stale: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """How a plan compares with the record, which takes were chosen, and which of them a run sends.

    Of `sends`, the stale takes in `rerendered` are sent only on explicit request, and their records make room;
    `comparison` leaves that request out. `rooms` are the new ids of paid records that make room for chosen takes.
    Their clips are still to be downloaded.
    """

    comparison: Comparison
    chosen: frozenset[str]
    sends: frozenset[str]
    rerendered: tuple[str, ...]
    rooms: frozenset[str] = frozenset()

    def concerns(self, take_id: str, *, waits: bool, is_out: bool) -> bool:
        """Return whether a run handles a take; `waits` says that it is to be sent, `is_out` that its job is active."""
        return is_out or take_id in (self.sends if waits else self.chosen | self.rooms)


def scope_of(plan: Plan, recorded: Sequence[TakeRecord], choice: Choice, *, stale: bool = False) -> Scope:
    """Return what a run of `plan` would find and send; with `stale`, chosen stale takes are rendered again.

    A limit counts takes that were never sent first, and then stale ones.

    Raises:
        UsageError: the choice matches nothing here.
    """
    from runner.plan.compare import compare

    comparison = compare(plan.takes, recorded)
    views = _views(plan, {record.take_id: record for record in recorded}, comparison)
    chosen = frozenset(choose(views, choice))
    meant = [view for view in views if view.take_id in chosen]
    waiting = [view.take_id for view in meant if view.waits][: choice.limit]
    left = None if choice.limit is None else choice.limit - len(waiting)
    again = [view.take_id for view in meant if stale and view.is_stale][:left]
    renames = (outcome(plan, recorded, again) if again else comparison).renames
    rooms = _rooms(renames, recorded, chosen)
    return Scope(comparison, chosen, frozenset((*waiting, *again)), tuple(again), rooms)


def outcome(plan: Plan, recorded: Sequence[TakeRecord], rerendered: Collection[str]) -> Comparison:
    """Return how `plan` compares with the record if the stale takes of `rerendered` are to be rendered again."""
    from runner.plan.compare import compare

    return compare(plan.takes, recorded, replace=frozenset(rerendered))


def about(takes: Sequence[TakeRecord], found: Scope) -> list[TakeRecord]:
    """Return the takes that a run handles: the chosen ones, and all whose jobs are active already."""
    return [take for take in takes if take.state is not TakeState.DROPPED and _is_about(take, found)]


def _is_about(take: TakeRecord, found: Scope) -> bool:
    return found.concerns(take.take_id, waits=take.state is TakeState.PENDING, is_out=take.state in ACTIVE)


def _rooms(
    renames: Mapping[str, str], recorded: Sequence[TakeRecord], chosen: Collection[str]
) -> frozenset[str]:
    from runner.plan.compare import older_id

    paid = {record.take_id for record in recorded if record.state in PAID}
    return frozenset(new for old, new in renames.items() if old in paid and older_id(new) in chosen)


def _views(plan: Plan, records: Mapping[str, TakeRecord], comparison: Comparison) -> list[Candidate]:
    came_from = comparison.came_from
    new = frozenset(comparison.new)
    unasked = frozenset((*comparison.new, *comparison.renewed, *comparison.replaced))
    elsewhere = {*came_from.values(), *comparison.renames, *(take.id for take in plan.takes)}
    views = [
        _view(take, None if take.id in new else records.get(came_from.get(take.id, take.id)), unasked)
        for take in plan.takes
    ]
    gone = (record for record in records.values() if record.take_id not in elsewhere)
    views += (
        Candidate(
            record.take_id,
            record.shot_id,
            record.tags,
            record.state,
            record.delivery,
            is_stale=False,
            waits=False,
        )
        for record in gone
    )
    return views


def _view(take: Take, record: TakeRecord | None, unasked: Collection[str]) -> Candidate:
    """Return a take of the plan as a candidate; those of `unasked` are sent whatever their record says."""
    state, delivery = (record.state, record.delivery) if record else (TakeState.PENDING, DeliveryState.NONE)
    changed = record is not None and take.fingerprint not in {record.fingerprint, record.kept_for}
    return Candidate(
        take.id,
        take.shot_id,
        take.tags,
        state,
        delivery,
        is_stale=changed and state in PAID,
        waits=state is TakeState.PENDING or take.id in unasked,
    )
