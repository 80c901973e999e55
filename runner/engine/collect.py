"""Collecting: brings finished clips home through a `Delivery`, tries again what can be tried, and never submits.

In: succeeded takes with links. Out: delivered or undeliverable facts. An expired link is read again from the result.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from runner import failpoints
from runner.answers import FetchTrouble
from runner.engine.agenda import Agenda
from runner.engine.board import Live
from runner.engine.means import Means
from runner.engine.ports import Delivery
from runner.shots import Ticket
from runner.states import Delivered, DeliveryState, Ended, FetchStarted, Undeliverable


class Collector:
    """Fetches the clips of succeeded takes."""

    def __init__(self, means: Means, *, delivery: Delivery) -> None:
        self._means = means
        self._board = means.board
        self._delivery = delivery
        self._agenda: Agenda[Live] = Agenda(means.clock)
        self._whose = {link: live.id for live in means.board.takes for link in live.outputs[:1]}

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
        if live.delivery is not DeliveryState.FETCHING:
            await self._board.record(live, FetchStarted(live.outputs[0]))
        answer = await asyncio.wrap_future(self._delivery.fetch(_ticket(live)))
        failpoints.hit("collect.fetched")
        if isinstance(answer, Delivered):
            await self._board.record(live, answer)
            self._compare(live, answer)
        else:
            await self._bear(live, answer)

    def _compare(self, live: Live, clip: Delivered) -> None:
        """Say if another take has the very same link or bytes: one of the two may be another's."""
        link, alike = live.outputs[0], ""
        for key, what in ((link, "link"), (clip.sha256, "bytes")):
            other = self._whose.setdefault(key, live.id)
            if other != live.id and not alike:
                alike = f"{live.id} has the very same clip as {other} (by its {what}): look whose it is"
        if alike:
            self._board.say(alike)

    async def _bear(self, live: Live, trouble: FetchTrouble) -> None:
        live.fetch_failures += 1
        if trouble.permanent or self._is_spent(live, trouble):
            await self._board.record(live, Undeliverable(trouble.reason))
            return
        # A link may be stale without saying so: its host may be gone. So the second failure asks for a fresh one too.
        stale = live.outputs
        if (trouble.link_refused or live.fetch_failures > 1) and not await self._refresh(live, trouble):
            await self._board.record(live, Undeliverable(trouble.reason))
            return
        wait = self._means.options.backoff.delay(live.fetch_failures, chance=self._means.chance())
        self._agenda.add(live, after=wait if live.outputs == stale else 0.0)

    def _is_spent(self, live: Live, trouble: FetchTrouble) -> bool:
        """Count a try; a host that is away is waited for, as an outage is, unless the run wants to end."""
        if trouble.unreachable and not self._board.giving_up:
            return live.away.goes_on(self._means.clock.monotonic()) >= self._means.options.outage_limit
        live.away.is_over()
        live.fetches += 1
        return live.fetches >= self._means.options.fetch_tries

    async def _refresh(self, live: Live, trouble: FetchTrouble) -> bool:
        """Read the result again for fresh links; False once refused links have been refreshed often enough."""
        if live.request_id is None:
            return not trouble.link_refused
        if trouble.link_refused and live.refreshes >= self._means.options.link_refreshes:
            return False
        answer = await self._means.queue.result(live.request_id, model=live.ticket.model)
        if isinstance(answer, Ended) and answer.outputs:
            # Only an answer counts: while the API is away as well, no link can be called refused for good.
            live.refreshes += trouble.link_refused
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
        cost=live.cost if live.cost is not None else live.ticket.cost,
        finished_at=live.finished_at if live.finished_at is not None else live.ticket.finished_at,
    )
