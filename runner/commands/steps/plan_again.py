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
from runner.commands.steps.summary import RunEstimate, count_finished
from runner.domain.display import counted
from runner.domain.errors import DiskFailed, ShotrunnerError, UsageError
from runner.domain.money import micros
from runner.domain.orders import OrderOutcome, Reload
from runner.domain.run_events import Steered
from runner.domain.shots import Plan
from runner.domain.states import TakeState
from runner.plan.selection import Choice
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
    _answer(request, place, state, controls, outcome)
    return todo


def give_up(request: RunRequest, place: RunDir, state: StateFile, *, controls: Controls) -> None:
    """Answer an order to plan again that waits, since the run ended first."""
    if controls.reload is not None:
        _answer(request, place, state, controls, OrderOutcome(changed=False, says=("the run ended first",)))


def _answer(
    request: RunRequest, place: RunDir, state: StateFile, controls: Controls, outcome: OrderOutcome
) -> None:
    given, at = controls.reload, request.clock.wall()
    assert given is not None
    state.note_order(given, outcome, at=at).result()
    OrderBox(place.path).forget(given.id)
    controls.reload = None
    controls.answered = Steered(given.order, given.by, at, outcome.changed, outcome.says)


def _planned(
    request: RunRequest, place: RunDir, state: StateFile, todo: Prepared, order: Reload
) -> tuple[Prepared, OrderOutcome]:
    # A no is an error here: nothing of the new plan may get into the record, from which the next engine sends.
    asked = replace(
        request,
        choice=_left_of(request.choice, place, todo),
        confirm=lambda estimate: _agreed(order, estimate),
    )
    try:
        found = prepare(asked, _plan_of(asked, order), place, state, is_runner=True)
    except DiskFailed:
        # It may have failed between record and clips, and the engine would fail next.
        raise
    except ShotrunnerError as error:
        why = error.message
    except Exception as error:  # noqa: BLE001 - no order may end a run that has paid for jobs, not even by a bug
        why = f"a bug in Shotrunner: {type(error).__name__}"
    else:
        return _other(todo, found)
    return _as_before(request, place, todo), OrderOutcome(changed=False, says=(f"the old plan stays: {why}",))


def _left_of(choice: Choice, place: RunDir, todo: Prepared) -> Choice:
    """Return the choice with what is left of its limit, which counts the takes that this session has sent."""
    if choice.limit is None:
        return choice
    with open_reader(place.state_file, checked=True) as reader:
        sent = sum(
            1
            for take in reader.standings()
            if take.state is not TakeState.PENDING
            and take.attempts > todo.about.get(take.take_id, take.attempts)
        )
    return replace(choice, limit=max(0, choice.limit - sent))


def _plan_of(request: RunRequest, order: Reload) -> Plan:
    plan = plan_of(request)
    if plan.manifest.sha256 != order.manifest_sha256:
        raise UsageError("the manifest was changed again after you looked at the new plan")
    return plan


def _other(todo: Prepared, found: Prepared) -> tuple[Prepared, OrderOutcome]:
    """Return what is to do by the new plan, and how it differs from before."""
    added, gone = found.about.keys() - todo.about.keys(), todo.about.keys() - found.about.keys()
    is_other = bool(added or gone) or found.completion != todo.completion
    says = f"planned again: {counted(len(added), 'take')} added, {len(gone):,} left out"
    # The submissions of this session are counted from its beginning.
    about = {take_id: todo.about.get(take_id, before) for take_id, before in found.about.items()}
    said = tuple(dict.fromkeys((*todo.said, *found.said)))
    return replace(found, about=about, said=said), OrderOutcome(is_other, (says,))


def _agreed(order: Reload, estimate: RunEstimate) -> bool:
    if estimate.unpriced > order.unpriced or micros(estimate.estimate or 0.0) > micros(order.most_usd):
        raise UsageError("the new one costs more than you agreed to")
    return True


def _as_before(request: RunRequest, place: RunDir, todo: Prepared) -> Prepared:
    """Return what was to do before, as far as it is not done yet."""
    with open_reader(place.state_file, checked=True) as reader:
        takes = [take for take in reader.standings() if take.take_id in todo.about]
    return replace(todo, finished=count_finished(takes, request.options))
