"""The two ways to the API: a client for the one paid POST, and sharded clients for everything that is free to repeat.

In: an origin, a token, paths and bytes. Out: `Exchange` values; no httpx exception leaves this package.
It knows nothing of takes, classes of failure or retries.

Three rules found by measurement shape it. One httpx pool collapses above about 50 busy connections, so reads are
spread over shards of ten with a semaphore in front. A reused idle connection turns a clean submit into a doubtful
one, so each POST has a connection of its own. httpx time-outs are per socket operation, so each request also has
one deadline over all.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from runner.transport.exchange import Answer, Exchange, Milestone, Silence, SilenceKind
from runner.transport.secret import Secret
from runner.transport.tls import tls_context

BODY_CAP = 1 << 20
_SHARD_CALLS = 10
_QUIET = {"Accept": "application/json", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds a request may take: to connect, to write, to read once, and in all."""

    connect: float = 10.0
    write: float = 30.0
    read: float = 60.0
    overall: float = 120.0

    def per_operation(self) -> httpx.Timeout:
        """Return httpx's own, finer time-outs."""
        return httpx.Timeout(connect=self.connect, write=self.write, read=self.read, pool=self.connect)


READ_DEADLINES = Deadlines(connect=10.0, write=10.0, read=20.0, overall=30.0)


class _Trace:
    """Follows one request through httpcore's trace events and holds its first byte until `begin` has returned.

    Source: httpcore documents the `trace` extension and awaits it before each step; an exception raised in it
    ends the request with nothing written.
    """

    def __init__(self, begin: Callable[[], Awaitable[None]]) -> None:
        self.milestone = Milestone.NOTHING_SENT
        self.failed: Exception | None = None
        self.began = False
        self._begin = begin

    async def __call__(self, event: str, _info: Mapping[str, Any]) -> None:
        if event == "http11.send_request_headers.started":
            await self.begin_once()
            self.milestone = Milestone.SENDING
        elif event == "http11.send_request_body.complete":
            self.milestone = Milestone.SENT
        elif event == "http11.receive_response_headers.complete":
            self.milestone = Milestone.ANSWERING

    async def begin_once(self) -> None:
        """Let the caller write down its intent, and keep a failure of that: it must not look like httpx's."""
        if self.began:
            return
        try:
            await self._begin()
        except Exception as failure:
            self.failed = failure
            raise
        self.began = True


class SubmitClient:
    """Sends a POST that costs money: a fresh connection each, HTTP/1.1, no redirect, never a second try.

    `hooked` says that the start-up self-test found the trace hook to hold the bytes back; without it `begin` is
    awaited before the call, which is as safe and leaves more takes held after a kill.
    """

    def __init__(
        self, origin: str, token: Secret, *, hooked: bool = True, deadlines: Deadlines | None = None
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._hooked = hooked
        self._token = token
        self._client = _client(origin, self._deadlines, connections=64, keep=0)

    async def post(self, path: str, body: bytes, *, begin: Callable[[], Awaitable[None]]) -> Exchange:
        """Send `body` once and return what came of it; what `begin` raises is passed on and nothing was sent."""
        trace = _Trace(begin)
        if not self._hooked:
            await trace.begin_once()
            trace.milestone = Milestone.SENDING
        request = self._client.build_request(
            "POST",
            path,
            content=body,
            headers={**_bearer(self._token), "Content-Type": "application/json"},
            extensions={"trace": trace, "timeout": self._deadlines.per_operation().as_dict()},
        )
        exchange = await _exchange(self._client, request, overall=self._deadlines.overall, trace=trace)
        if trace.failed is not None:
            raise trace.failed
        return exchange

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()


class ReadClients:
    """Sends requests that are free to repeat, over as many shards as the calls in flight need."""

    def __init__(
        self, origin: str, token: Secret, *, calls: int = 20, deadlines: Deadlines = READ_DEADLINES
    ) -> None:
        shards = max(1, -(-calls // _SHARD_CALLS))
        self._deadlines = deadlines
        self._token = token
        self._shards = [
            (
                _client(origin, deadlines, connections=_SHARD_CALLS, keep=_SHARD_CALLS),
                asyncio.Semaphore(_SHARD_CALLS),
            )
            for _ in range(shards)
        ]
        self._turn = 0

    async def get(self, path: str) -> Exchange:
        """Return the answer to a GET of `path` below the origin."""
        return await self._send("GET", path)

    async def post(self, path: str) -> Exchange:
        """Return the answer to a POST without a body."""
        return await self._send("POST", path)

    async def _send(self, method: str, path: str) -> Exchange:
        self._turn = (self._turn + 1) % len(self._shards)
        client, room = self._shards[self._turn]
        async with room:
            request = client.build_request(method, path, headers=_bearer(self._token))
            return await _exchange(client, request, overall=self._deadlines.overall)

    async def aclose(self) -> None:
        """Close every connection."""
        for client, _ in self._shards:
            await client.aclose()


def _client(origin: str, deadlines: Deadlines, *, connections: int, keep: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=origin,
        headers=_QUIET,
        verify=_verification(origin),
        timeout=deadlines.per_operation(),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=keep),
        follow_redirects=False,
        trust_env=False,
    )


def _verification(origin: str) -> ssl.SSLContext:
    # Loading the system's certificates takes 30 ms, and plain http (loopback only) has no use for them. A bare
    # context trusts nobody, so a surprise https hop would fail, not slip through.
    return tls_context() if origin.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _bearer(token: Secret) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.reveal()}"}


async def _exchange(
    client: httpx.AsyncClient, request: httpx.Request, *, overall: float, trace: _Trace | None = None
) -> Exchange:
    """Run one request to its end and translate every failure, once, here."""
    started = trace or _Trace(_nothing)
    try:
        async with asyncio.timeout(overall):
            response = await client.send(request, stream=True)
            try:
                body, complete = await _body(response)
            finally:
                await response.aclose()
    except TimeoutError:
        return Silence(started.milestone, SilenceKind.TIMEOUT, f"no answer within {overall:g} s")
    except httpx.TimeoutException as error:
        return Silence(started.milestone, SilenceKind.TIMEOUT, _name(error))
    except httpx.TransportError as error:
        return Silence(started.milestone, _kind(error), _describe(error))
    except (httpx.InvalidURL, UnicodeError, ValueError, RuntimeError) as error:
        # Not shown: these messages can hold header values.
        return Silence(started.milestone, SilenceKind.MISUSE, _name(error))
    return Answer(response.status_code, body, dict(response.headers), complete=complete)


async def _nothing() -> None:
    """Stand in for `begin` where nothing has to be written down."""


async def _body(response: httpx.Response) -> tuple[bytes, bool]:
    """Return the body up to the cap, and whether it came whole; the status line counts even if it did not."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in response.aiter_raw():
            parts.append(part)
            size += len(part)
            if size > BODY_CAP:
                return b"".join(parts)[:BODY_CAP], False
    except httpx.TransportError:
        return b"".join(parts), False
    return b"".join(parts), True


def _kind(error: httpx.TransportError) -> SilenceKind:
    if isinstance(error, httpx.ConnectError):
        certificate = "CERTIFICATE_VERIFY_FAILED" in str(error)
        return SilenceKind.CERTIFICATE if certificate else SilenceKind.UNREACHABLE
    if isinstance(error, (httpx.LocalProtocolError, httpx.UnsupportedProtocol)):
        return SilenceKind.MISUSE
    return SilenceKind.BROKEN


def _describe(error: httpx.TransportError) -> str:
    # A LocalProtocolError quotes the offending header, and that may be the token.
    if isinstance(error, httpx.LocalProtocolError):
        return _name(error)
    return f"{_name(error)}: {error}" if str(error) else _name(error)


def _name(error: BaseException) -> str:
    return type(error).__name__
