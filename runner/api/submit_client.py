"""The client for the paid POST, over httpx: nothing but that comes here.

It returns `HttpOutcome` values; no httpx exception leaves it, and it knows no takes and no retries.

Three rules follow from measurements:
- httpx's bare transport is used: it takes less than half the processor time of the client, and has no cookies,
  redirects or log lines to switch off.
- Each POST has a connection of its own: a reused idle one makes a clean submit doubtful.
- httpx's time-outs are off, and each request has a deadline in the process's own running time. They are per socket
  operation and by the wall clock. A server that sends a byte now and then never reaches them, and an answer that came
  while the process was stopped always does.

A proxy gets the request through a tunnel alone (CONNECT, or SOCKS), in which it can neither read nor repeat it. Until
the tunnel is open nothing has been sent, whatever the proxy does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

from runner.api.account import Secret, request_headers
from runner.api.exchange import HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import RECORD_CAP, Deadlines, Progress, finds_no_name
from runner.api.proxy_answers import no_tunnel
from runner.api.silence import on_the_way, silence
from runner.system.httpx_proxy import httpx_proxy
from runner.system.proxies import DIRECT, Proxy, ProxyRules
from runner.system.tls import context_for

_MOST_SUBMITS = 64

SUBMIT_DEADLINES = Deadlines()


class Trace(Progress):
    """Follows one request through httpcore's trace events, and holds its first byte until `begin` has returned.

    The deadline stands still during `begin`: after a flush that was cut short, it would be unknown what is recorded.
    Source: httpcore documents the `trace` extension and awaits it before each step. An exception raised in it ends the
    request with nothing written.
    """

    def __init__(self, begin: Callable[[], Awaitable[None]] | None = None, *, deadlines: Deadlines) -> None:
        super().__init__(deadlines)
        self.failed: Exception | None = None
        self._write_time = deadlines.write
        self._began = False
        self._begin = begin
        self.reached_proxy = self._is_tunnelling = False

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Note a step of the request, and hold back its first byte."""
        if event == "socks.connect_tcp.complete":
            self.reached_proxy = True
        if event == "http11.send_request_headers.started":
            # The request to a proxy fires the same events; with it, nothing is sent to the API.
            self._is_tunnelling = getattr(info.get("request"), "method", b"") == b"CONNECT"
            self.reached_proxy = self.reached_proxy or self._is_tunnelling
        if self._is_tunnelling:
            return
        if event == "http11.send_request_headers.started":
            await self.begin_once()
            self.milestone = SendStage.SENDING
            self.limit.allow(self._write_time, "the request was not taken")
        elif event == "http11.send_request_body.complete":
            self.goes_on(SendStage.SENT)
        elif event == "http11.receive_response_headers.complete":
            self.goes_on(SendStage.ANSWERING)

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
    the call, which is as safe but leaves more takes held after a kill. `proxies` say which way requests go.
    """

    def __init__(
        self,
        origin: str,
        token: Secret,
        *,
        hooked: bool = True,
        deadlines: Deadlines = SUBMIT_DEADLINES,
        proxies: ProxyRules = DIRECT,
    ) -> None:
        self._deadlines = deadlines
        self._hooked = hooked
        self._origin = origin
        own = {"Content-Type": "application/json", "Connection": "close"}
        self._headers = httpx.Headers({**request_headers(token), **own})
        limits = httpx.Limits(max_connections=_MOST_SUBMITS, max_keepalive_connections=0)
        self._proxy = proxies.of(origin)
        self._transport = httpx.AsyncHTTPTransport(
            verify=context_for(origin), limits=limits, trust_env=False, proxy=httpx_proxy(self._proxy)
        )

    async def post(self, path: str, body: bytes, *, begin: Callable[[], Awaitable[None]]) -> HttpOutcome:
        """Send `body` once and return the outcome; if `begin` raises, that is passed on and nothing was sent."""
        trace = Trace(begin, deadlines=self._deadlines)
        request = httpx.Request(
            "POST", f"{self._origin}{path}", content=body, headers=self._headers, extensions={"trace": trace}
        )
        exchange = await run_exchange(
            self._transport, request, trace=trace, hooked=self._hooked, proxy=self._proxy
        )
        if trace.failed is not None:
            raise trace.failed
        return exchange

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


async def run_exchange(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    *,
    trace: Trace,
    hooked: bool = True,
    proxy: Proxy | None = None,
) -> HttpOutcome:
    """Run one request to its end; this is the one place that translates failures."""
    try:
        async with trace.limit:
            if not hooked:
                await trace.begin_once()
                trace.milestone = SendStage.SENDING
            response = await transport.handle_async_request(request)
            assert isinstance(response.stream, httpx.AsyncByteStream)
            try:
                return await trace.answer(
                    response.status_code,
                    response.headers,
                    response.stream,
                    coding=response.headers.get("content-encoding", ""),
                    cap=RECORD_CAP,
                    broken=httpx.TransportError,
                )
            finally:
                await response.aclose()
    except TimeoutError:
        by = f", through the proxy {proxy}" if proxy and trace.milestone is SendStage.NOTHING_SENT else ""
        return NoResponse(trace.milestone, SilenceKind.TIMEOUT, f"{trace.limit.reason}{by}")
    except Exception as error:  # noqa: BLE001 - a foreign library may raise anything, and each is a silence
        if proxy and isinstance(error, httpx.ProxyError):
            return _no_tunnel(proxy, trace.milestone, error)
        kind = _kind(error)
        # The message of a misuse is not shown: it quotes the faulty header, which may be the token.
        shown = isinstance(error, httpx.TransportError) and not isinstance(error, _UNTOLD)
        told = str(error) if shown else ""
        is_garbled = isinstance(error, httpx.RemoteProtocolError) and not told.startswith(_CLOSED)
        whither = on_the_way(proxy, is_reached=trace.reached_proxy)
        return silence(trace.milestone, kind, error, told=told, is_garbled=is_garbled, whither=whither)


def _no_tunnel(proxy: Proxy, milestone: SendStage, error: httpx.ProxyError) -> NoResponse:
    # The text begins with the status of an HTTP proxy; that of SOCKS is the library's own.
    text = str(error)
    status = int(text[:3]) if text[:3].isdigit() else None
    words, told = ("", f"ProxyError: {status}") if status else (text, f"ProxyError: {text}")
    return no_tunnel(proxy, milestone, error=told, status=status, words=words)


_CLOSED = ("Server disconnected", "peer closed connection")
"""How h11's words begin for a connection that was closed, among those for bytes that are no answer."""

_UNTOLD = (httpx.LocalProtocolError, httpx.TimeoutException)


def _kind(error: Exception) -> SilenceKind:
    match error:
        case httpx.TimeoutException():
            return SilenceKind.TIMEOUT
        case httpx.ConnectError() if finds_no_name(error):
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
