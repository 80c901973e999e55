"""Decides once what a run would do and send; `plan` shows the decision and `run` carries it out.

In: a priced plan, what is on record, a choice, and which clips are not on disk. Out: a `Scope`, then a `Decision`. It
changes nothing and knows no disk. Both commands ask this module alone, so they cannot disagree on what is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from runner.domain.labels import take_label
from runner.domain.records import RunRecord, Standing
from runner.domain.shots import Plan
from runner.domain.states import ACTIVE, PAID, DeliveryState, TakeState
from runner.plan.actions import Action, Step, steps
from runner.plan.compare import Comparison, compare, older_id
from runner.plan.duplicates import paid_twice
from runner.plan.file_names import labels_of, take_numbers
from runner.plan.selection import UNDECIDED, Candidate, Choice, Decisions, choose

T = TypeVar("T", bound=Standing)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Scope:
    """How a plan compares with the record, which takes were chosen, and which of them a run sends.

    Of `sends`, the stale takes in `rerendered` are sent only on explicit request, and their records make room;
    `comparison` leaves that request out. `rooms` are the new ids of paid records that make room for chosen takes.
    Their clips are still to be downloaded. The takes of `first` are sent before all others, in that order.
    """

    comparison: Comparison
    chosen: frozenset[str]
    sends: frozenset[str]
    rerendered: tuple[str, ...]
    rooms: frozenset[str] = frozenset()
    first: tuple[str, ...] = ()

    def concerns(self, take_id: str, *, waits: bool, is_out: bool) -> bool:
        """Return whether a run handles a take; `waits` says that it is to be sent, `is_out` that its job is active."""
        if waits:
            return is_out or take_id in self.sends
        return is_out or take_id in self.chosen or take_id in self.rooms


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
        """The steps that send a job, in the order in which they do."""
        found = [step for step in self.steps if step.action is Action.SUBMIT]
        return tuple(first_ones_first(found, self.scope.first, key=lambda step: step.take_id))


def scope_of(
    plan: Plan,
    recorded: Sequence[Standing],
    choice: Choice,
    *,
    stale: bool = False,
    first: Sequence[str] = (),
    decisions: Decisions = UNDECIDED,
) -> Scope:
    """Return what a run of `plan` would find and send; with `stale`, chosen stale takes are rendered again.

    A limit counts takes that were never sent first, and then stale ones. The takes that the patterns `first` mean are
    sent before others. `decisions` are by the ids on record.

    Raises:
        UsageError: the choice, or a pattern of `first`, matches nothing here.
    """
    comparison = compare(plan.takes, recorded)
    views = _views(plan, {record.take_id: record for record in recorded}, comparison)
    # A renamed take is chosen under its new id.
    called = {old: new for new, old in comparison.came_from.items()} if decisions else {}
    decided = {called.get(take_id, take_id): said for take_id, said in decisions.items()}
    chosen = frozenset(choose(views, choice, decisions=decided))
    meant = [view for view in views if view.take_id in chosen]
    waiting = [view.take_id for view in meant if view.waits][: choice.limit]
    left = None if choice.limit is None else choice.limit - len(waiting)
    again = [view.take_id for view in meant if stale and view.is_stale][:left]
    renames = compare(plan.takes, recorded, replace=again).renames if again else comparison.renames
    paid = {record.take_id for record in recorded if record.state in PAID}
    rooms = frozenset(new for old, new in renames.items() if old in paid and older_id(new) in chosen)
    ahead = (choose(views, Choice(only=(pattern,)), decisions=decided) for pattern in first)
    order = tuple(dict.fromkeys(chain.from_iterable(ahead)))
    return Scope(comparison, chosen, frozenset((*waiting, *again)), tuple(again), rooms, order)


def decide(
    plan: Plan, record: RunRecord, scope: Scope, *, files_missing: Collection[str], download: bool
) -> Decision:
    """Return what a run of `plan` does with the takes of `scope`; `files_missing` are takes without their clips."""
    comparison = scope.comparison
    if scope.rerendered:
        comparison = compare(plan.takes, record.takes, replace=scope.rerendered)
    recorded = {take.take_id: take for take in record.takes}
    every = steps(plan.takes, recorded, comparison, files_missing=files_missing, download=download)
    chosen = tuple(
        step
        for step in every
        if scope.concerns(
            step.take_id, waits=step.action is Action.SUBMIT, is_out=step.action is Action.WATCH
        )
    )
    renames = scope.comparison.renames
    duplicates = duplicates_in(
        plan,
        going={step.take_id for step in chosen if step.action is Action.SUBMIT},
        sent={renames.get(take_id, take_id) for take_id in record.sent},
    )
    return Decision(scope, comparison, chosen, len(every) - len(chosen), duplicates)


def duplicates_in(plan: Plan, *, going: Collection[str], sent: Collection[str]) -> tuple[str, ...]:
    """Return which of the `going` takes pay again for a request that another one of the board sends or has sent.

    What other shards do is not known here, so they count as sending all of their takes. Of two takes in two shards only
    the later one on the board pays again.
    """
    mine = {take.id for take in plan.takes}
    elsewhere = {take.id for take in plan.board} - mine
    return tuple(
        take_id
        for take_id in paid_twice(plan.board or plan.takes, going={*going, *elsewhere}, sent=sent)
        if take_id in mine
    )


def first_ones_first(items: Sequence[R], first: Sequence[str], *, key: Callable[[R], str]) -> Sequence[R]:
    """Return `items` with those whose ids, by `key`, are in `first` before the others, in that order."""
    place = {take_id: number for number, take_id in enumerate(first)}
    return sorted(items, key=lambda item: place.get(key(item), len(place))) if place else items


def takes_in_scope(takes: Iterable[T], found: Scope) -> list[T]:
    """Return the takes that a run handles: the chosen ones, and all whose jobs are active already."""
    return [
        take
        for take in takes
        if take.state is not TakeState.DROPPED
        and found.concerns(take.take_id, waits=take.state is TakeState.PENDING, is_out=take.state in ACTIVE)
    ]


def _views(plan: Plan, records: Mapping[str, Standing], comparison: Comparison) -> list[Candidate]:
    """Return what can be chosen: the takes of the plan, then the records that belong to none of them."""
    came_from, new = comparison.came_from, frozenset(comparison.new)
    # These are sent whatever their record says.
    unasked = frozenset((*comparison.new, *comparison.renewed, *comparison.replaced))
    labels = labels_of(take_numbers(plan, records.values(), comparison))
    views = []
    for take in plan.takes:
        record = None if take.id in new else records.get(came_from.get(take.id, take.id))
        state = record.state if record else TakeState.PENDING
        delivery = record.delivery if record else DeliveryState.NONE
        changed = record is not None and take.fingerprint not in {record.fingerprint, record.kept_for}
        stale, waits = changed and state in PAID, state is TakeState.PENDING or take.id in unasked
        flags, label = record.flags if record else (), labels[take.id]
        views.append(Candidate(take.id, take.shot_id, take.tags, state, delivery, stale, waits, flags, label))
    known = {*came_from.values(), *comparison.renames, *(take.id for take in plan.takes)}
    gone = [record for record in records.values() if record.take_id not in known]
    return [*views, *map(_gone, gone), *_elsewhere(plan)]


def _elsewhere(plan: Plan) -> Iterator[Candidate]:
    """Yield the takes of other shards: a pattern that means only these is right, and finds nothing to do here."""
    mine, numbers = {take.id for take in plan.takes}, plan.board_numbers()
    for take in plan.board:
        if take.id not in mine:
            label = take_label(take.shot_id, numbers[take.id], take.id)
            yield Candidate(
                take.id, take.shot_id, take.tags, TakeState.PENDING, DeliveryState.NONE, label=label
            )


def _gone(record: Standing) -> Candidate:
    return Candidate(
        record.take_id,
        record.shot_id,
        record.tags,
        record.state,
        record.delivery,
        flags=record.flags,
        label=record.label,
    )
