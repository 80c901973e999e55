"""Late costs: it asks once more what ended jobs have cost, where their results did not say so at the time.

In: tickets of ended takes. Out: `CostSeen` facts, for those that the API knows by now. Jobs that were given up are left
out, since the recheck before a run reads their costs too. It does not know how long its caller waits. The next run asks
again about what was not answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from runner.domain.shots import Ticket
from runner.domain.states import CostSeen, Ended, TakeState
from runner.engine.ports import Queue

COST_MAY_COME = 3 * 86400.0
"""Seconds after a job's end in which its cost is asked for, since the API keeps results for a few days only."""

GRACE = 5.0
"""Seconds that a run waits for costs after everything else is done."""

_ENDED = frozenset({TakeState.SUCCEEDED, TakeState.FAILED, TakeState.CANCELLED})


def without_cost(tickets: Iterable[Ticket], *, now: float) -> list[Ticket]:
    """Return the tickets whose jobs ended lately without a known cost: succeeded and older ones first."""
    lacking = [ticket for ticket in tickets if _lacks_cost(ticket, now)]
    return sorted(lacking, key=lambda ticket: (ticket.state is not TakeState.SUCCEEDED, ticket.finished_at))


def _lacks_cost(ticket: Ticket, now: float) -> bool:
    if ticket.state not in _ENDED or ticket.request_id is None or ticket.cost is not None:
        return False
    if ticket.is_given_up:
        return False
    return ticket.finished_at is not None and now - ticket.finished_at < COST_MAY_COME


class LateCosts:
    """Asks for the costs of `tickets`, one after the other, each once."""

    def __init__(
        self,
        tickets: Iterable[Ticket],
        *,
        queue: Queue,
        note: Callable[[str, CostSeen], Awaitable[None]],
    ) -> None:
        """`note` makes a cost durable."""
        self._tickets = list(tickets)
        self._queue = queue
        self._note = note
        self.done = asyncio.Event()
        if not self._tickets:
            self.done.set()

    async def run(self) -> None:
        """Ask about each ticket once, even if the answer names no cost."""
        for ticket in self._tickets:
            assert ticket.request_id is not None
            answer = await self._queue.result(ticket.request_id, model=ticket.model)
            if isinstance(answer, Ended) and answer.cost is not None:
                await self._note(ticket.take_id, CostSeen(answer.cost))
        self.done.set()
