"""Requests that are free to repeat, over the kept connections of aiohttp.

It returns `HttpOutcome` values; no exception of aiohttp leaves it, and it knows no takes and no retries. The paid POST
never comes here: aiohttp has no hook before the first byte, and repeats requests by itself.

aiohttp is used without cookies, redirects, unpacking and time-outs; `LivedDeadline` bounds each request. A proxy gets
only a tunnel to open. A refused certificate is looked at once, to say whose it is.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import yarl

from runner.api.account import Secret, request_headers
from runner.api.exchange import HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import BODY_CAP, Deadlines, Progress, finds_no_name
from runner.api.proxy_answers import no_tunnel
from runner.api.silence import on_the_way, refused_certificate, silence
from runner.system.certificates import Certificate
from runner.system.proxies import DIRECT, Proxy, ProxyRules
from runner.system.tls import context_for

READ_DEADLINES = Deadlines(connect=10.0, write=10.0, read=20.0, overall=30.0)

_IDLE_SECONDS = 30.0
"""How long an unused connection is kept: longer than the time between two looks, so few need a new handshake."""
_LONGEST_HEADER = 100 << 10
_MOST_CANCELS = 100
T = TypeVar("T")


class ReadPool:
    """Asks the API at `origin`, at most `calls` times at once; further ones wait their turn.

    It opens nothing before the first request, which needs a running loop. `proxies` say which way requests go.
    """

    def __init__(
        self,
        origin: str,
        token: Secret,
        *,
        calls: int = 20,
        deadlines: Deadlines = READ_DEADLINES,
        proxies: ProxyRules = DIRECT,
    ) -> None:
        self._origin = origin
        self._headers = request_headers(token)
        self._deadlines = deadlines
        # aiohttp's own limit is not used: who waits for a connection there uses up the time of the request.
        self._turns = asyncio.Semaphore(calls)
        self._session: aiohttp.ClientSession | None = None
        self._proxy = proxies.of(origin)
        self._shown: dict[str, Certificate | None] = {}

    async def ask(self, path: str, *, method: str = "GET", cap: int = BODY_CAP) -> HttpOutcome:
        """Return the answer to a request without a body for `path`, and of the answer's body at most `cap` bytes.

        It is sent once.
        """
        async with self._turns:
            progress = Progress(self._deadlines)
            try:
                async with progress.limit:
                    return await self._exchange(method, path, progress, cap)
            except TimeoutError:
                by = f", through the proxy {self._proxy}" if self._proxy else ""
                return NoResponse(progress.milestone, SilenceKind.TIMEOUT, f"{progress.limit.reason}{by}")
            except Exception as error:  # noqa: BLE001 - a foreign library may raise anything, and each is a silence
                return await self._silence(error, progress.milestone)

    async def _silence(self, error: Exception, milestone: SendStage) -> NoResponse:
        if self._proxy and (refusal := _refusal_of(self._proxy, error, milestone)):
            return refusal
        if refused := refused_certificate(error):
            at_proxy = self._proxy is not None and getattr(error, "host", "") == self._proxy.host
            return await self._untrusted(refused, milestone, self._proxy if at_proxy else None)
        is_at_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        return silence(
            milestone,
            _kind(error),
            error,
            told=_told(error),
            is_garbled=isinstance(error, aiohttp.ClientResponseError),
            whither=on_the_way(self._proxy, is_reached=not is_at_proxy),
        )

    async def _untrusted(
        self, refused: ssl.SSLCertVerificationError, milestone: SendStage, at: Proxy | None
    ) -> NoResponse:
        """Return the silence after a refused certificate: that of the API, or of the proxy `at`."""
        # It imports the other library, for which commands that only read would wait.
        from runner.api.peer_certificate import shown_certificate, words_for

        origin, way = (f"https://{at.host}:{at.port}", None) if at else (self._origin, self._proxy)
        if origin not in self._shown:
            self._shown[origin] = await shown_certificate(origin, way)
        host = f"the proxy {at}" if at else urlsplit(origin).hostname or origin
        reason, advice = words_for(host, refused, self._shown[origin])
        return NoResponse(milestone, SilenceKind.CERTIFICATE, reason, type(refused).__name__, advice)

    async def _exchange(self, method: str, path: str, progress: Progress, cap: int) -> HttpOutcome:
        if self._session is None:
            self._session = _session(self._origin, self._proxy)
        # The path is quoted already: yarl would undo the escapes that an id need not have.
        url = yarl.URL(f"{self._origin}{path}", encoded=True)
        # Headers of the session would go to a proxy too, the token among them.
        response = await _ended_at_once(
            self._session.request(
                method,
                url,
                headers=self._headers,
                allow_redirects=False,
                trace_request_ctx=progress,
                **_tunnel(self._proxy),
            )
        )
        try:
            progress.goes_on(SendStage.ANSWERING)
            return await progress.answer(
                response.status,
                response.headers,
                response.content.iter_any(),
                coding=",".join(response.headers.getall("Content-Encoding", ())),
                cap=cap,
                broken=aiohttp.ClientError,
            )
        finally:
            # A connection whose answer was read to its end is kept.
            response.close()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()


async def _ended_at_once(request: Coroutine[Any, Any, T]) -> T:
    """Return what a request returns; a cancel ends it, though a library would first close a connection that stalls."""
    task = asyncio.ensure_future(request)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        for _ in range(_MOST_CANCELS):
            if task.done():
                break
            task.cancel()
            await asyncio.sleep(0)
        raise


def _tunnel(proxy: Proxy | None) -> dict[str, Any]:
    """Return what a request needs for an HTTP proxy; a SOCKS proxy is the connector's."""
    return {"proxy": proxy.address, "proxy_headers": proxy.headers} if proxy and not proxy.is_socks else {}


def _connector(origin: str, proxy: Proxy | None) -> aiohttp.TCPConnector:
    # aiohttp's own limit is off: the pool has turns.
    how: dict[str, Any] = {"ssl": context_for(origin), "limit": 0, "keepalive_timeout": _IDLE_SECONDS}
    if proxy is None or not proxy.is_socks:
        # Of the other resolver, which aiohttp prefers if it is installed, no error number is known.
        return aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), **how)
    from aiohttp_socks import ProxyConnector

    # The proxy looks the names up, as with httpx, which has no other way.
    user, password = proxy.user or None, proxy.password or None
    return ProxyConnector(proxy.host, proxy.port, username=user, password=password, rdns=True, **how)


def _session(origin: str, proxy: Proxy | None) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_sent)
    return aiohttp.ClientSession(
        connector=_connector(origin, proxy),
        skip_auto_headers=["Content-Type"],
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),
        auto_decompress=False,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
        trace_configs=[trace],
        middlewares=[_once],
    )


async def _sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _: object) -> None:
    context.trace_request_ctx.goes_on(SendStage.SENT)


class ConnectionBroken(aiohttp.ClientError):
    """A connection broke after it was made."""


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again by itself, which it does after these two exceptions."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise ConnectionBroken(str(error)) from error


def _refusal_of(proxy: Proxy, error: Exception, milestone: SendStage) -> NoResponse | None:
    """Return the silence if `error` says that the proxy was reached and opened no tunnel, or could not be reached."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return no_tunnel(proxy, milestone, error=f"ClientHttpProxyError: {error.status}", status=error.status)
    if not proxy.is_socks:
        return None
    import aiohttp_socks

    if isinstance(error, aiohttp_socks.ProxyConnectionError):
        whither = on_the_way(proxy, is_reached=False)
        return silence(milestone, SilenceKind.UNREACHABLE, error, told=str(error), whither=whither)
    if isinstance(error, aiohttp_socks.ProxyError):
        return no_tunnel(proxy, milestone, error=f"ProxyError: {error}", words=str(error))
    return None


def _kind(error: Exception) -> SilenceKind:
    match error:
        case aiohttp.ClientConnectorError():
            return SilenceKind.NO_SUCH_NAME if finds_no_name(error) else SilenceKind.UNREACHABLE
        case ValueError() | RuntimeError() | OSError():
            return SilenceKind.MISUSE
        case _:
            return SilenceKind.BROKEN


def _told(error: Exception) -> str:
    """Return the words of the network or the server in one line; a misuse has none, since it may quote the token."""
    told: object = ""
    match error:
        case aiohttp.ClientConnectorError():
            # Its own text describes the TLS context.
            told = error.os_error
        case aiohttp.ClientResponseError():
            told = error.message
        case aiohttp.ClientError() if not isinstance(error, ValueError):
            told = error
    first, *_ = str(told).splitlines() or [""]
    return first
