"""Plans again in the middle of a session, for a person who has changed the manifest.

In: what was to do, and the order that waits. Out: what is to do now, with the answer on record. The engine has ended by
then, and no submission is in flight.
"""

from __future__ import annotations

from dataclasses import replace

from runner.commands.check import plan_of
from runner.commands.steps.controls import Controls
from runner.commands.steps.prepare import Prepared, prepare
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import RunEstimate, needs_nothing
from runner.domain.display import counted
from runner.domain.errors import ShotrunnerError, UsageError
from runner.domain.money import micros
from runner.domain.orders import OrderOutcome, Reload
from runner.domain.run_events import Steered
from runner.store.order_box import OrderBox
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile


def plan_again(
    request: RunRequest, place: RunDir, state: StateFile, todo: Prepared, *, controls: Controls
) -> Prepared:
    """Return what is to do by the manifest as it is now.

    Where it cannot be planned, or would cost more than was agreed to, what was to do before stays.

    Raises:
        DiskFailed, RunInUse: the answer could not be recorded.
    """
    given = controls.reload
    assert given is not None
    assert isinstance(given.order, Reload)
    todo, outcome = _planned(replace(request, options=controls.options), place, state, todo, given.order)
    at = request.clock.wall()
    state.note_order(given, outcome, at=at).result()
    OrderBox(place.path).forget(given.id)
    controls.reload, controls.answered = (
        None,
        Steered(given.order, given.by, at, outcome.changed, outcome.says),
    )
    return todo


def _planned(
    request: RunRequest, place: RunDir, state: StateFile, todo: Prepared, order: Reload
) -> tuple[Prepared, OrderOutcome]:
    asked = replace(request, confirm=lambda estimate: _is_agreed(order, estimate))
    try:
        plan = plan_of(asked)
        if plan.manifest.sha256 != order.manifest_sha256:
            raise UsageError("the manifest was changed again after you looked at the new plan")
        found = prepare(asked, plan, place, state, is_runner=True)
    except ShotrunnerError as error:
        return _as_before(request, place, todo), OrderOutcome(
            changed=False, says=(f"the old plan stays: {error.message}",)
        )
    if not found.agreed:
        says = "the old plan stays: the new one costs more than you agreed to"
        return _as_before(request, place, todo), OrderOutcome(changed=False, says=(says,))
    added, gone = found.about.keys() - todo.about.keys(), todo.about.keys() - found.about.keys()
    is_other = bool(added or gone) or found.completion != todo.completion
    says = f"planned again: {counted(len(added), 'take')} added, {len(gone):,} left out"
    # The submissions of this session are counted from its beginning.
    about = {take_id: todo.about.get(take_id, before) for take_id, before in found.about.items()}
    said = tuple(dict.fromkeys((*todo.said, *found.said)))
    return replace(found, about=about, said=said), OrderOutcome(is_other, (says,))


def _is_agreed(order: Reload, estimate: RunEstimate) -> bool:
    if order.most_usd is None:
        return True
    return not estimate.unpriced and micros(estimate.estimate or 0.0) <= micros(order.most_usd)


def _as_before(request: RunRequest, place: RunDir, todo: Prepared) -> Prepared:
    """Return what was to do before, as far as it is not done yet."""
    with open_reader(place.state_file, checked=True) as reader:
        takes = [take for take in reader.standings() if take.take_id in todo.about]
    return replace(todo, finished=sum(1 for take in takes if needs_nothing(take, request.options)))
