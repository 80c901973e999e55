"""The two ways to the API: a client for the paid POST, and lanes for everything that is free to repeat.

It returns `HttpOutcome` values; no httpx exception leaves it, and it knows no takes and no retries.

Four rules follow from measurements:
- Each read uses a lane with one connection of its own: a pool costs more with each connection.
- httpx's bare transport is used: it takes less than half the processor time of the client, and has no cookies,
  redirects, proxies or log lines to switch off.
- Each POST has a connection of its own: a reused idle one makes a clean submit doubtful.
- httpx's time-outs are off, and each request has a deadline in the process's own running time. They are per socket
  operation and by the wall clock. A server that sends a byte now and then never reaches them, and an answer that came
  while the process was stopped always does.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from runner.api.account import Secret
from runner.api.decompress import unpack
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.process_time import LivedDeadline
from runner.system.tls import tls_context

BODY_CAP = 1 << 20
RECORD_CAP = 16 << 20
"""How many bytes of a result record are read: it may hold any text of a model, but is parsed in memory.

The answer to a submit has the same cap. It is the receipt for money, and may echo the picture that was sent."""

_MOST_SUBMITS = 64
_LONGEST_CHAIN = 50


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How many seconds of running time a request may take: to connect, to write, to read once, and in all."""

    connect: float = 10.0
    write: float = 30.0
    read: float = 60.0
    overall: float = 120.0


SUBMIT_DEADLINES = Deadlines()
READ_DEADLINES = Deadlines(connect=10.0, write=10.0, read=20.0, overall=30.0)


class Trace:
    """Follows one request through httpcore's trace events, and holds its first byte until `begin` has returned.

    The deadline stands still during `begin`: after a flush that was cut short, it would be unknown what is recorded.
    Source: httpcore documents the `trace` extension and awaits it before each step. An exception raised in it ends the
    request with nothing written.
    """

    def __init__(self, begin: Callable[[], Awaitable[None]] | None = None, *, deadlines: Deadlines) -> None:
        self.milestone = SendStage.NOTHING_SENT
        self.failed: Exception | None = None
        self.limit = LivedDeadline(deadlines.overall)
        self.limit.allow(deadlines.connect, "not connected")
        self._deadlines = deadlines
        self._began = False
        self._begin = begin

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        """Note a step of the request, and hold back its first byte."""
        if event == "http11.send_request_headers.started":
            await self.begin_once()
            self.milestone = SendStage.SENDING
            self.limit.allow(self._deadlines.write, "the request was not taken")
        elif event == "http11.send_request_body.complete":
            self.milestone = SendStage.SENT
            self.goes_on()
        elif event == "http11.receive_response_headers.complete":
            self.milestone = SendStage.ANSWERING
            self.goes_on()

    def goes_on(self) -> None:
        """Give the server its reading time again, since something has come."""
        self.limit.allow(self._deadlines.read, "no answer came")

    async def begin_once(self) -> None:
        """Let the caller record its intent, and keep a failure of that, which must not look like one of httpx."""
        if self._began or self._begin is None:
            return
        self.limit.stand_still()
        try:
            await self._begin()
        except Exception as failure:
            self.failed = failure
            raise
        self._began = True
        self.limit.go_on()


class SubmitClient:
    """Sends POSTs that cost money: each has a fresh connection, HTTP/1.1, no redirect and never a second try.

    `hooked` says that the trace hook held the bytes back in the start-up self-test. Otherwise `begin` is awaited before
    the call, which is as safe but leaves more takes held after a kill.
    """

    def __init__(
        self, origin: str, token: Secret, *, hooked: bool = True, deadlines: Deadlines = SUBMIT_DEADLINES
    ) -> None:
        self._deadlines = deadlines
        self._hooked = hooked
        self._origin = origin
        self._headers = {**_headers(token), "Content-Type": "application/json", "Connection": "close"}
        self._transport = _transport(origin, connections=_MOST_SUBMITS, keep=0)

    async def post(self, path: str, body: bytes, *, begin: Callable[[], Awaitable[None]]) -> HttpOutcome:
        """Send `body` once and return the outcome; if `begin` raises, that is passed on and nothing was sent."""
        trace = Trace(begin, deadlines=self._deadlines)
        request = httpx.Request(
            "POST", f"{self._origin}{path}", content=body, headers=self._headers, extensions={"trace": trace}
        )
        exchange = await run_exchange(
            self._transport, request, trace=trace, hooked=self._hooked, cap=RECORD_CAP
        )
        if trace.failed is not None:
            raise trace.failed
        return exchange

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


class ReadPool:
    """Sends requests that are free to repeat, at most `calls` at once, each on a lane with one kept connection."""

    def __init__(
        self, origin: str, token: Secret, *, calls: int = 20, deadlines: Deadlines = READ_DEADLINES
    ) -> None:
        self._origin = origin
        self._headers = _headers(token)
        self._deadlines = deadlines
        # The queue is last in, first out, so only as many connections as the traffic needs stay warm.
        self._idle: asyncio.LifoQueue[httpx.AsyncHTTPTransport] = asyncio.LifoQueue()
        self._lanes = [_transport(origin, connections=1, keep=1) for _ in range(calls)]
        for lane in self._lanes:
            self._idle.put_nowait(lane)

    async def ask(self, path: str, *, method: str = "GET", cap: int = BODY_CAP) -> HttpOutcome:
        """Return the answer to a request without a body for `path`, and of the answer's body at most `cap` bytes."""
        lane = await self._idle.get()
        trace = Trace(deadlines=self._deadlines)
        request = httpx.Request(
            method, f"{self._origin}{path}", headers=self._headers, extensions={"trace": trace}
        )
        try:
            return await run_exchange(lane, request, trace=trace, cap=cap)
        finally:
            self._idle.put_nowait(lane)

    async def aclose(self) -> None:
        """Close every connection."""
        for lane in self._lanes:
            await lane.aclose()


def _transport(origin: str, *, connections: int, keep: int) -> httpx.AsyncHTTPTransport:
    # Loading the system's certificates takes 30 ms, and plain http (loopback only) does not need them. A bare context
    # trusts no certificate, so an unexpected https hop would fail.
    verify = tls_context() if origin.startswith("https:") else _bare_context()
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=keep)
    return httpx.AsyncHTTPTransport(verify=verify, limits=limits, trust_env=False)


@cache
def _bare_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _headers(token: Secret) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token.reveal()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "shotrunner",
    }


async def run_exchange(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    trace: Trace,
    hooked: bool = True,
    cap: int = BODY_CAP,
) -> HttpOutcome:
    """Run one request to its end; this is the one place that translates failures."""
    try:
        async with trace.limit:
            if not hooked:
                await trace.begin_once()
                trace.milestone = SendStage.SENDING
            response = await transport.handle_async_request(request)
            try:
                return await _answer(response, trace, cap)
            finally:
                await response.aclose()
    except TimeoutError:
        return NoResponse(trace.milestone, SilenceKind.TIMEOUT, trace.limit.reason)
    except Exception as error:  # noqa: BLE001 - a foreign library may raise anything, and each is a silence
        kind = _kind(error)
        # The message of a misuse is not shown: it quotes the faulty header, which may be the token.
        shown = isinstance(error, httpx.TransportError) and not isinstance(error, _UNTOLD)
        told = f": {error}" if shown and str(error) else ""
        return NoResponse(trace.milestone, kind, f"{type(error).__name__}{told}")


async def _answer(response: httpx.Response, trace: Trace, cap: int) -> Answer:
    """Return the answer with its body up to the cap; the status line counts even if the body is incomplete."""
    raw, complete = bytearray(), False
    assert isinstance(response.stream, httpx.AsyncByteStream)
    try:
        async for part in response.stream:
            trace.goes_on()
            raw += part
            if len(raw) > cap:
                break
        complete = len(raw) <= cap
    except httpx.TransportError:
        pass
    except asyncio.CancelledError:
        # The deadline passed within the body. A real cancellation would not have set it off.
        if not trace.limit.expired():
            raise
    inner = unpack(bytes(raw), response.headers.get("content-encoding", ""), cap=cap)
    return Answer(
        response.status_code,
        inner.body[:cap],
        response.headers,
        complete=complete and inner.whole,
        passed=cap if max(len(raw), len(inner.body)) > cap else None,
        packed=inner.packed,
    )


_UNTOLD = (httpx.LocalProtocolError, httpx.TimeoutException)


def _kind(error: Exception) -> SilenceKind:
    match error:
        case httpx.TimeoutException():
            return SilenceKind.TIMEOUT
        case httpx.ConnectError() if _finds_no_name(error):
            return SilenceKind.NO_SUCH_NAME
        case httpx.ConnectError():
            certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
            return SilenceKind.CERTIFICATE if certificate else SilenceKind.UNREACHABLE
        case httpx.LocalProtocolError() | httpx.UnsupportedProtocol() | httpx.InvalidURL():
            return SilenceKind.MISUSE
        case ValueError() | RuntimeError() | OSError():
            return SilenceKind.MISUSE
        case _:
            return SilenceKind.BROKEN


def _finds_no_name(error: BaseException) -> bool:
    """Return whether the resolver's error number says that the name does not exist; its words depend on the language.

    Source: RFC 3493, 6.1 (EAI_NONAME). A resolver that is away says EAI_AGAIN, which is an outage like any other.
    """
    link: BaseException | None = error
    # A chain of causes can be a circle.
    for _ in range(_LONGEST_CHAIN):
        if link is None or isinstance(link, socket.gaierror):
            break
        link = link.__cause__ or link.__context__
    return isinstance(link, socket.gaierror) and link.errno == socket.EAI_NONAME
