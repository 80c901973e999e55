"""Gives an order to the session of a run that goes on in another process, and waits for its answer.

In: a run and an order. Out: what became of the order. An order is answered, or withdrawn for certain, or it is reported
that this is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from runner.commands.steps.api_session import run_alone
from runner.commands.steps.find_run import command_about, find_run
from runner.commands.steps.run_activity import activity_of
from runner.commands.steps.tuned_settings import in_force
from runner.domain.errors import UsageError
from runner.domain.orders import GivenOrder, Order, Pause, Reload, Resume, Tune
from runner.domain.records import pause_of
from runner.domain.tune_text import changes, unknown_models
from runner.store.order_box import OrderBox
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock

PATIENCE_S = 10.0
LOOK_S = 0.1
_LATER_S = 1.0
_AT_WORK_S = 120.0
"""Seconds that an order which was taken is waited for beyond `PATIENCE_S`.

A cancellation asks the API, and a reload waits for downloads.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order: whether a session `answered`, and `changed` anything, None where that is not known.

    `says` are sentences, and `advice` is a command or empty. With `dry_run` the order was not given.
    """

    order: Order
    says: tuple[str, ...]
    advice: str = ""
    answered: bool = False
    changed: bool | None = False
    dry_run: bool = False


def steer(
    target: str | Path,
    order: Order,
    *,
    by: str,
    simulated: bool | None = None,
    dry_run: bool = False,
    clock: Clock | None = None,
) -> Answer:
    """Give an order to the session of a run, and return its answer; with `dry_run` only what it would change.

    Raises:
        FileMissing: nothing has been run there.
        UsageError: the order names a model that the run does not have.
        CannotCreate, DiskFailed: the order cannot be written into the run's folder.
    """
    place = find_run(target, simulated=simulated)
    with open_reader(place.state_file) as reader:
        if isinstance(order, Tune):
            unknown = next(unknown_models(order, reader.models()), None)
            if unknown is not None:
                raise UsageError(unknown[0], advice=unknown[1])
        if not may_hear(place, reader):
            used = activity_of(place, reader).running
            says = (
                "a process works on this run, and submits nothing more"
                if used
                else "this run is not going on"
            )
            advice = command_about(place, reader.header, "status" if used else "run")
            return Answer(order, (f"{says}; nothing was changed",), advice, dry_run=dry_run)
        if dry_run:
            return Answer(order, _would(order, reader), dry_run=True)
    return run_alone(ask(place, order, by=by, clock=clock or SystemClock()))


def may_hear(place: RunDir, reader: Reader) -> bool:
    """Return whether a session goes on; where the lock cannot be tested, whether the record knows no end of one."""
    activity, session = activity_of(place, reader), reader.newest_session()
    is_open = session is not None and session.ended_at is None
    return activity.is_session or (activity.running is None and is_open)


def _would(order: Order, reader: Reader) -> tuple[str, ...]:
    session = reader.newest_session()
    assert session is not None
    pause = pause_of(reader.orders(epoch=session.epoch))
    match order:
        case Pause():
            return ("it is paused already" if pause else "it would submit no more; its jobs would go on",)
        case Resume():
            return ("it would submit again" if pause else "it is not paused",)
        case Tune():
            return tuple(changes(in_force(session.settings), order))
        case Reload():
            return ("it would plan again from the manifest",)
    return ()


async def ask(place: RunDir, order: Order, *, by: str, clock: Clock, patience: float = PATIENCE_S) -> Answer:
    """Give an order and wait for the answer, `patience` seconds for a session that does not react.

    Raises:
        CannotCreate, DiskFailed: the order cannot be written into the run's folder.
    """
    with open_reader(place.state_file) as reader:
        given = GivenOrder(uuid4().hex, by, clock.wall(), reader.epoch, order)
    box, began, waited = OrderBox(place.path), clock.monotonic(), 0.0
    box.put(given)
    try:
        while True:
            await clock.sleep(LOOK_S if waited < patience else _LATER_S)
            # The order of these looks counts: what is gone from the folder has its outcome on record by then.
            is_there = box.holds(given.id)
            with open_reader(place.state_file) as reader:
                is_over = reader.epoch != given.epoch or not may_hear(place, reader)
                found = reader.order(given.id)
            if found is not None:
                return Answer(order, found.says, answered=True, changed=found.changed)
            waited = clock.monotonic() - began
            if is_over or waited >= patience:
                why = "the run ended" if is_over else f"the run did not react within {patience:.0f} s"
                if box.withdraw(given.id):
                    return Answer(order, (f"{why}; nothing was changed",))
            if is_over or waited >= patience + _AT_WORK_S:
                says = "the run took this order and did not answer; whether it was obeyed is not known"
                advice = command_about(place, reader.header, "status")
                return Answer(order, (says,), advice, changed=None)
            if not is_there:
                return Answer(order, ("the run refused this order; nothing was changed",))
    finally:
        # A person may interrupt the wait.
        box.withdraw(given.id)
