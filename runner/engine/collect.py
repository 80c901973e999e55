"""Collecting: brings finished clips home through a `Delivery`, tries again what can be tried, and never submits.

In: succeeded takes with links. Out: delivered or undeliverable facts. An expired link is read again from the result.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from runner.answers import FetchTrouble
from runner.engine.agenda import Agenda
from runner.engine.board import Live
from runner.engine.means import Means
from runner.engine.ports import Delivery
from runner.shots import Ticket
from runner.states import Delivered, Ended, FetchStarted, Undeliverable


class Collector:
    """Fetches the clips of succeeded takes."""

    def __init__(self, means: Means, *, delivery: Delivery) -> None:
        self._means = means
        self._board = means.board
        self._delivery = delivery
        self._agenda: Agenda[Live] = Agenda(means.clock)

    def collect(self, live: Live) -> None:
        """Put a take on the agenda if its clip is wanted."""
        if self._board.wants_fetching(live):
            self._agenda.add(live)

    async def run(self) -> None:
        """Fetch whatever is due, until cancelled; run once per download allowed at a time."""
        while True:
            await self._fetch(await self._agenda.next())

    async def _fetch(self, live: Live) -> None:
        if not live.outputs:
            await self._board.record(live, FetchStarted(""))
            await self._board.record(live, Undeliverable("the result names no output"))
            return
        await self._board.record(live, FetchStarted(live.outputs[0]))
        answer = await asyncio.wrap_future(self._delivery.fetch(_ticket(live)))
        if isinstance(answer, Delivered):
            await self._board.record(live, answer)
        else:
            await self._bear(live, answer)

    async def _bear(self, live: Live, trouble: FetchTrouble) -> None:
        live.fetches += 1
        # A link may be stale without saying so: its host may be gone. So the second failure asks for a fresh one too.
        fresh = (trouble.link_refused or live.fetches > 1) and await self._refresh(live)
        spent = live.fetches >= self._means.options.fetch_tries or (trouble.link_refused and not fresh)
        if trouble.permanent or spent:
            await self._board.record(live, Undeliverable(trouble.reason))
        else:
            self._agenda.add(
                live, after=self._means.options.backoff.delay(live.fetches, chance=self._means.chance())
            )

    async def _refresh(self, live: Live) -> bool:
        """Read the result again for fresh links; False once that has been tried often enough."""
        if live.refreshes >= self._means.options.link_refreshes or live.request_id is None:
            return False
        live.refreshes += 1
        answer = await self._means.queue.result(live.request_id)
        if isinstance(answer, Ended) and answer.outputs:
            live.outputs = answer.outputs
        return True


def _ticket(live: Live) -> Ticket:
    """Return the ticket as the downloader needs it: with the id and links of this attempt."""
    return replace(
        live.ticket,
        state=live.state,
        delivery=live.delivery,
        request_id=live.request_id,
        outputs=live.outputs,
    )
