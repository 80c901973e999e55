"""One process's ways to the virtual service: requests through the product's own classifier, and downloads.

In: tickets and ids. Out: the product's own words. They fit the engine's `Queue` and `Delivery`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from runner.api.classify import sort_cancel, sort_look, sort_probe, sort_submit
from runner.api.exchange import Answer
from runner.api.result_answer import sort_result
from runner.domain.api_answers import (
    CancelAnswer,
    FetchAnswer,
    LookAnswer,
    RequestFailure,
    ResultAnswer,
    SubmitAnswer,
)
from runner.domain.shots import Ticket
from runner.system.clock import Clock
from tests.torture.night_api import Asked, NightApi

SUBMIT_DEADLINE = 60.0


class Line:
    """One process's way to the service; fits the engine's `Queue`."""

    def __init__(self, api: NightApi, clock: Clock) -> None:
        self._api, self._clock = api, clock

    async def submit(
        self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
    ) -> SubmitAnswer:
        """Send the body once."""
        api = self._api
        exchange = await api.talk(
            "submit", lambda: api.accept(ticket.body), deadline=SUBMIT_DEADLINE, begin=begin
        )
        return sort_submit(exchange, attempt=attempt, now=self._clock.wall())

    async def look(self, request_id: str) -> LookAnswer:
        """Ask where a job stands."""
        exchange = await self._api.talk("look", lambda: self._api.status(request_id))
        return sort_look(exchange, now=self._clock.wall(), request_id=request_id)

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> ResultAnswer:
        """Ask how a job ended."""
        exchange = await self._api.talk("result", lambda: self._api.record(request_id))
        return sort_result(exchange, now=self._clock.wall(), request_id=request_id, model=model, sent=sent)

    async def cancel(self, request_id: str) -> CancelAnswer | RequestFailure:
        """Ask for a cancel."""
        exchange = await self._api.talk("cancel", lambda: self._api.no_cancel(request_id))
        return sort_cancel(exchange, now=self._clock.wall())

    async def probe(self, model: str) -> RequestFailure | None:
        """Ask a free question."""
        exchange = await self._api.talk(
            "probe", lambda: Answer(200, json.dumps({"model_id": model}).encode())
        )
        return sort_probe(exchange, now=self._clock.wall())


@dataclass(slots=True)
class NightDelivery:
    """Brings clips home in a few virtual seconds; fits the engine's `Delivery`."""

    api: NightApi
    fetches: list[Asked] = field(default_factory=list)

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        """Download the first output."""
        future: Future[FetchAnswer] = Future()
        self.fetches.append(Asked(self.api.now(), "fetch"))

        def give() -> None:
            if not future.done():
                future.set_result(self.api.clip(ticket.take_id, ticket.outputs[0]))

        asyncio.get_running_loop().call_later(3.0, give)
        return future
