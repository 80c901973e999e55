"""Late costs: it asks again what ended jobs have cost, if their results did not say so at the time.

Many APIs never name a cost. So a handful of jobs is asked about first, and the others only if one of these names its
cost. What the handful showed is kept, so that the next run need not ask again. Jobs that were given up are left out,
since the recheck before a run reads their costs too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from runner.domain.records import CostsUntold
from runner.domain.shots import Ticket
from runner.domain.states import CostSeen, Ended
from runner.engine.ports import Queue

COST_MAY_COME = 3 * 86400.0
"""Seconds after a job's end in which its cost is asked for, since the API keeps results for a few days only."""

GRACE = 5.0
"""Seconds that a run waits for costs after everything else is done."""

HANDFUL = 5

ASKED_AGAIN = 3600.0
MUCH_OLDER = 10.0
"""A job is asked about again after an hour, and once its end is ten times as long ago: some bills come late."""


def asks_since(untold: CostsUntold | None, *, now: float) -> float:
    """Return the wall time after which a job must have ended for its cost to be worth asking for."""
    since = now - COST_MAY_COME
    if untold is None:
        return since
    wait = max(ASKED_AGAIN, MUCH_OLDER * (untold.asked_at - untold.ended_at))
    return since if now - untold.ended_at >= wait else max(since, untold.ended_at)


async def ask_costs(
    tickets: Iterable[Ticket],
    *,
    queue: Queue,
    note: Callable[[str, CostSeen], Awaitable[None]],
    wall: Callable[[], float],
) -> CostsUntold | None:
    """Ask about each ticket once, one after the other; after a handful of answers without a cost, ask no more.

    `tickets` are those that ended last, first. `note` makes a cost durable. Returns what was learnt if each of the
    answers lacks a cost; None if one names it, or if one did not come.
    """
    newest, is_named, is_silent = None, False, True
    for number, ticket in enumerate(tickets):
        if number >= HANDFUL and not is_named:
            break
        assert ticket.request_id is not None
        newest = newest or ticket
        answer = await queue.result(ticket.request_id, model=ticket.model)
        is_silent = is_silent and isinstance(answer, Ended) and answer.cost is None
        if isinstance(answer, Ended) and answer.cost is not None:
            is_named = True
            await note(ticket.take_id, CostSeen(answer.cost))
    if newest is None or newest.finished_at is None or not is_silent:
        return None
    return CostsUntold(wall(), newest.finished_at)
