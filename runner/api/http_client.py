"""The two ways to the API: a client for the paid POST, and lanes for everything that is free to repeat.

In: an origin, a token, paths and bytes. Out: `HttpOutcome` values; no httpx exception leaves this package.
It knows no takes, no classes of failure and no retries.

Measurements led to four rules. A pool of connections costs more with each one, so every read uses a lane with one
connection of its own. httpx's bare transport takes less than half the processor time of its client, and has no cookies,
redirects, proxies or log lines to switch off. A reused idle connection makes a clean submit doubtful, so each POST has
a connection of its own. httpx's time-outs are per socket operation and by the wall clock. A slowly dripping server
outlives them, and an answer that came while the process was stopped does not. So they are off, and each request has a
deadline in the process's own running time.
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

from runner.api.decompress import unpack
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.process_time import LivedDeadline
from runner.api.secret import Secret
from runner.system.tls import tls_context

BODY_CAP = 1 << 20
RECORD_CAP = 16 << 20
"""How many bytes of a result record are read: it may hold any text of a model, but is parsed in memory.

The answer to a submit has the same cap. It is the receipt for money, and may echo the picture that was sent."""

_MOST_SUBMITS = 64


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How many seconds of running time a request may take: to connect, to write, to read once, and in all."""

    connect: float = 10.0
    write: float = 30.0
    read: float = 60.0
    overall: float = 120.0


READ_DEADLINES = Deadlines(connect=10.0, write=10.0, read=20.0, overall=30.0)


class _Trace:
    """Follows one request through httpcore's trace events, and holds its first byte until `begin` has returned.

    The deadline stands still during `begin`: after a flush that was cut short, it would be unknown what is recorded.
    Source: httpcore documents the `trace` extension and awaits it before each step. An exception raised in it ends the
    request with nothing written.
    """

    def __init__(self, begin: Callable[[], Awaitable[None]], *, deadlines: Deadlines) -> None:
        self.milestone = SendStage.NOTHING_SENT
        self.failed: Exception | None = None
        self.limit = LivedDeadline(deadlines.overall)
        self.limit.allow(deadlines.connect, "not connected")
        self._deadlines = deadlines
        self._began = False
        self._begin = begin

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
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
        if self._began:
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
        self, origin: str, token: Secret, *, hooked: bool = True, deadlines: Deadlines | None = None
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._hooked = hooked
        self._origin = origin
        self._headers = {**_headers(token), "Content-Type": "application/json", "Connection": "close"}
        self._transport = _transport(origin, connections=_MOST_SUBMITS, keep=0)

    async def post(self, path: str, body: bytes, *, begin: Callable[[], Awaitable[None]]) -> HttpOutcome:
        """Send `body` once and return the outcome; if `begin` raises, that is passed on and nothing was sent."""
        trace = _Trace(begin, deadlines=self._deadlines)
        request = httpx.Request(
            "POST", f"{self._origin}{path}", content=body, headers=self._headers, extensions={"trace": trace}
        )
        exchange = await _exchange(self._transport, request, trace=trace, hooked=self._hooked, cap=RECORD_CAP)
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

    async def get(self, path: str, *, cap: int = BODY_CAP) -> HttpOutcome:
        """Return the answer to a GET of `path` below the origin, and of its body at most `cap` bytes."""
        return await self._send("GET", path, cap)

    async def post(self, path: str) -> HttpOutcome:
        """Return the answer to a POST without a body."""
        return await self._send("POST", path, BODY_CAP)

    async def _send(self, method: str, path: str, cap: int) -> HttpOutcome:
        lane = await self._idle.get()
        trace = _Trace(_nothing, deadlines=self._deadlines)
        request = httpx.Request(
            method, f"{self._origin}{path}", headers=self._headers, extensions={"trace": trace}
        )
        try:
            return await _exchange(lane, request, trace=trace, cap=cap)
        finally:
            self._idle.put_nowait(lane)

    async def aclose(self) -> None:
        """Close every connection."""
        for lane in self._lanes:
            await lane.aclose()


def _transport(origin: str, *, connections: int, keep: int) -> httpx.AsyncHTTPTransport:
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=keep)
    return httpx.AsyncHTTPTransport(verify=_verification(origin), limits=limits, trust_env=False)


@cache
def _bare_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _verification(origin: str) -> ssl.SSLContext:
    # Loading the system's certificates takes 30 ms, and plain http (loopback only) does not need them. A bare context
    # trusts no certificate, so an unexpected https hop would fail.
    return tls_context() if origin.startswith("https:") else _bare_context()


def _headers(token: Secret) -> dict[str, str]:
    return {
        "Authorization": f"Bearer {token.reveal()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "shotrunner",
    }


async def _exchange(
    transport: httpx.AsyncHTTPTransport,
    request: httpx.Request,
    *,
    trace: _Trace,
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
    except httpx.TimeoutException as error:
        return NoResponse(trace.milestone, SilenceKind.TIMEOUT, _name(error))
    except httpx.TransportError as error:
        return NoResponse(trace.milestone, _kind(error), _describe(error))
    except (httpx.InvalidURL, UnicodeError, ValueError, RuntimeError, OSError) as error:
        # The message is not shown, since it can hold header values.
        return NoResponse(trace.milestone, SilenceKind.MISUSE, _name(error))
    except Exception as error:  # noqa: BLE001 - a foreign library may raise anything, and each is a silence
        return NoResponse(trace.milestone, SilenceKind.BROKEN, _name(error))


async def _nothing() -> None:
    """Stand in for `begin` where nothing has to be recorded."""


async def _answer(response: httpx.Response, trace: _Trace, cap: int) -> Answer:
    """Return the answer with its body up to the cap; the status line counts even if the body is incomplete."""
    parts: list[bytes] = []
    complete = False
    try:
        complete = await _read_into(parts, response, trace, cap)
    except httpx.TransportError:
        pass
    except asyncio.CancelledError:
        # The deadline passed within the body. A real cancellation would not have set it off.
        if not trace.limit.expired():
            raise
    raw = b"".join(parts)
    inner = unpack(raw, response.headers.get("content-encoding", ""), cap=cap)
    return Answer(
        response.status_code,
        inner.body[:cap],
        response.headers,
        complete=complete and inner.whole,
        passed=cap if max(len(raw), len(inner.body)) > cap else None,
        packed=inner.packed,
    )


async def _read_into(parts: list[bytes], response: httpx.Response, trace: _Trace, cap: int) -> bool:
    """Collect the body's raw bytes; return whether the body is complete and within `cap`."""
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    size = 0
    async for part in stream:
        trace.goes_on()
        parts.append(part)
        size += len(part)
        if size > cap:
            return False
    return True


def _kind(error: httpx.TransportError) -> SilenceKind:
    if isinstance(error, httpx.ConnectError):
        if _finds_no_name(error):
            return SilenceKind.NO_SUCH_NAME
        certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return SilenceKind.CERTIFICATE if certificate else SilenceKind.UNREACHABLE
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        return SilenceKind.MISUSE
    return SilenceKind.BROKEN


def _finds_no_name(error: BaseException) -> bool:
    """Return whether the resolver's error number says that the name does not exist; its words depend on the language.

    Source: RFC 3493, 6.1 (EAI_NONAME). A resolver that is away says EAI_AGAIN, which is an outage like any other.
    """
    link: BaseException | None = error
    seen: set[int] = set()
    while link is not None and id(link) not in seen:
        if isinstance(link, socket.gaierror):
            return link.errno == socket.EAI_NONAME
        seen.add(id(link))
        link = link.__cause__ or link.__context__
    return False


def _describe(error: httpx.TransportError) -> str:
    # A LocalProtocolError quotes the faulty header, which may be the token.
    if isinstance(error, httpx.LocalProtocolError):
        return _name(error)
    return f"{_name(error)}: {error}" if str(error) else _name(error)


def _name(error: BaseException) -> str:
    return type(error).__name__
