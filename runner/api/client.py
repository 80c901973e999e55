"""The API as the engine's `Queue`: it sends paths and bytes, and returns values of `domain`.

Every URL is built from the account's own origin and an id of a known shape. A URL that the server returns is never
followed: that would give away the token. A host whose name is unknown is a wrong address until it has answered once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import quote, urlsplit

from runner.api.account import Account
from runner.api.classify import sort_barrier, sort_cancel, sort_look, sort_probe, sort_submit
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import RECORD_CAP
from runner.api.read_pool import ReadPool
from runner.api.redaction import MASK, Redactor
from runner.api.result_answer import sort_result
from runner.api.submit_client import SubmitClient
from runner.domain.api_answers import (
    CancelAnswer,
    FailureKind,
    LookAnswer,
    RequestFailure,
    ResultAnswer,
    SubmitAnswer,
)
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, LostContact
from runner.system.clock import Clock
from runner.system.proxies import Proxy


class RunComfyQueue:
    """Talks to the RunComfy Model API; fits the engine's `Queue`."""

    def __init__(self, account: Account, *, clock: Clock, calls: int = 20, hooked: bool = True) -> None:
        self._clock = clock
        self._redactor = Redactor(account.token)
        self._origin = account.origin
        proxies = account.proxies
        self._host = Host(account.origin, proxy=proxies.of(account.origin))
        self._submits = SubmitClient(account.origin, account.token, hooked=hooked, proxies=proxies)
        self._reads = ReadPool(account.origin, account.token, calls=calls, proxies=proxies)

    async def submit(
        self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
    ) -> SubmitAnswer:
        """Send the ticket's body once and return what became of it."""
        path = f"/v1/models/{quote(ticket.model)}"
        exchange = self._taken(await self._submits.post(path, ticket.body.encode(), begin=begin))
        answer = sort_submit(exchange, attempt=attempt, now=self._clock.wall(), origin=self._origin)
        answer = self._redactor.cleaned_value(answer)
        if isinstance(answer, Accepted) and MASK in answer.request_id:
            # An id that shows the token must not be kept.
            return LostContact(attempt, "answering", "the API gives the token back as the request id")
        return answer

    async def look(self, request_id: str) -> LookAnswer:
        """Return the status of the job."""
        exchange = self._taken(await self._reads.ask(_request(request_id, "status")))
        return self._redactor.cleaned_value(
            sort_look(exchange, now=self._clock.wall(), request_id=request_id)
        )

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> ResultAnswer:
        """Return the final record of a job, with its cost if the API knows it already."""
        path = _request(request_id, "result?include_cost=true")
        exchange = self._taken(await self._reads.ask(path, cap=RECORD_CAP))
        about = {"request_id": request_id, "model": model, "sent": sent, "origin": self._origin}
        return self._redactor.cleaned_value(sort_result(exchange, now=self._clock.wall(), **about))

    async def cancel(self, request_id: str) -> CancelAnswer | RequestFailure:
        """Ask for a cancel."""
        exchange = self._taken(await self._reads.ask(_request(request_id, "cancel"), method="POST"))
        return self._redactor.cleaned_value(sort_cancel(exchange, now=self._clock.wall()))

    async def probe(self, model: str) -> RequestFailure | None:
        """Ask the catalogue about `model`, which is free."""
        exchange = self._taken(await self._reads.ask(f"/v1/models/{quote(model)}"))
        trouble = self._host.absence(exchange) or sort_probe(exchange, now=self._clock.wall())
        return self._redactor.cleaned_value(trouble)

    def _taken(self, exchange: HttpOutcome) -> HttpOutcome:
        """Return the exchange without the token, and note whether the host was reached."""
        cleaned = self._redactor.cleaned(exchange)
        self._host.note(cleaned)
        return cleaned

    async def aclose(self) -> None:
        """Close every connection."""
        await self._submits.aclose()
        await self._reads.aclose()
        # A transport finishes closing in the loop's next turn, so the loop must not end before that.
        await asyncio.sleep(0)


def _request(request_id: str, verb: str) -> str:
    return f"/v1/requests/{quote(request_id, safe='')}/{verb}"


_NOT_CONNECTED = frozenset({SilenceKind.UNREACHABLE, SilenceKind.NO_SUCH_NAME})


class Host:
    """Knows whether the API's host was ever reached in this run."""

    def __init__(self, origin: str, *, proxy: Proxy | None = None) -> None:
        self._proxy = proxy
        self._name = urlsplit(origin).hostname or origin
        self._reached = False

    def note(self, exchange: HttpOutcome) -> None:
        """Note an exchange: a host that answered, or was sent a byte, exists.

        A milestone alone does not prove a byte: without the trace hook it is set before the connection is made.
        """
        self._reached = self._reached or isinstance(exchange, Answer) or _was_connected(exchange)

    def absence(self, exchange: HttpOutcome) -> RequestFailure | None:
        """Return why no request can reach the host, if it was never reached; else None."""
        if self._reached:
            return None
        if not isinstance(exchange, NoResponse) or exchange.kind is not SilenceKind.NO_SUCH_NAME:
            return sort_barrier(exchange)
        if self._proxy is not None:
            advice = f"check {self._proxy.variable}, and that this machine's network and DNS work"
            reason = f"the host of the proxy {self._proxy} does not exist"
            return RequestFailure(FailureKind.NO_HOST, reason, advice=advice)
        return RequestFailure(FailureKind.NO_HOST, f"the API's host {self._name} does not exist")


def _was_connected(silence: NoResponse) -> bool:
    return silence.milestone is not SendStage.NOTHING_SENT and silence.kind not in _NOT_CONNECTED
