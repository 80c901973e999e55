"""Late costs: it asks again what ended jobs have cost, if their results did not say so at the time.

Jobs that were given up are left out, since the recheck before a run reads their costs too. The next run repeats the
questions that were not answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from runner.domain.shots import Ticket
from runner.domain.states import ENDED, CostSeen, Ended, TakeState
from runner.engine.ports import Queue

COST_MAY_COME = 3 * 86400.0
"""Seconds after a job's end in which its cost is asked for, since the API keeps results for a few days only."""

GRACE = 5.0
"""Seconds that a run waits for costs after everything else is done."""


def without_cost(tickets: Iterable[Ticket], *, now: float) -> list[Ticket]:
    """Return the tickets whose jobs ended lately without a known cost: succeeded and older ones first."""
    lacking = [
        ticket
        for ticket in tickets
        if ticket.state in ENDED
        and ticket.request_id is not None
        and ticket.cost is None
        and not ticket.is_given_up
        and ticket.finished_at is not None
        and now - ticket.finished_at < COST_MAY_COME
    ]
    return sorted(lacking, key=lambda ticket: (ticket.state is not TakeState.SUCCEEDED, ticket.finished_at))


async def ask_costs(
    tickets: Iterable[Ticket], *, queue: Queue, note: Callable[[str, CostSeen], Awaitable[None]]
) -> None:
    """Ask about each ticket once, one after the other, even if no cost is named yet; `note` makes a cost durable."""
    for ticket in tickets:
        assert ticket.request_id is not None
        answer = await queue.result(ticket.request_id, model=ticket.model)
        if isinstance(answer, Ended) and answer.cost is not None:
            await note(ticket.take_id, CostSeen(answer.cost))
