"""Requests that are free to repeat, over the kept connections of aiohttp.

It returns `HttpOutcome` values; no exception of aiohttp leaves it, and it knows no takes and no retries. The paid POST
never comes here: aiohttp has no hook before the first byte, and repeats requests by itself.

aiohttp is used without cookies, redirects, proxies, unpacking and time-outs; `LivedDeadline` bounds each request.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import aiohttp
import yarl

from runner.api.account import Secret, request_headers
from runner.api.exchange import HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import BODY_CAP, Deadlines, Progress, finds_no_name
from runner.api.silence import silence
from runner.system.tls import context_for

READ_DEADLINES = Deadlines(connect=10.0, write=10.0, read=20.0, overall=30.0)

_IDLE_SECONDS = 30.0
"""How long an unused connection is kept: longer than the time between two looks, so few need a new handshake."""
_LONGEST_HEADER = 100 << 10


class ReadPool:
    """Asks the API at `origin`, at most `calls` times at once; further ones wait their turn.

    It opens nothing before the first request, which needs a running loop.
    """

    def __init__(
        self, origin: str, token: Secret, *, calls: int = 20, deadlines: Deadlines = READ_DEADLINES
    ) -> None:
        self._origin = origin
        self._headers = request_headers(token)
        self._deadlines = deadlines
        # aiohttp's own limit is not used: who waits for a connection there uses up the time of the request.
        self._turns = asyncio.Semaphore(calls)
        self._session: aiohttp.ClientSession | None = None

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
                return NoResponse(progress.milestone, SilenceKind.TIMEOUT, progress.limit.reason)
            except Exception as error:  # noqa: BLE001 - a foreign library may raise anything, and each is a silence
                is_garbled = isinstance(error, aiohttp.ClientResponseError)
                return silence(
                    progress.milestone, _kind(error), error, told=_told(error), is_garbled=is_garbled
                )

    async def _exchange(self, method: str, path: str, progress: Progress, cap: int) -> HttpOutcome:
        if self._session is None:
            self._session = _session(self._origin, self._headers)
        # The path is quoted already: yarl would undo the escapes that an id need not have.
        url = yarl.URL(f"{self._origin}{path}", encoded=True)
        response = await self._session.request(method, url, allow_redirects=False, trace_request_ctx=progress)
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


def _session(origin: str, headers: dict[str, str]) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(_sent)
    connector = aiohttp.TCPConnector(
        ssl=context_for(origin),
        limit=0,
        keepalive_timeout=_IDLE_SECONDS,
        # Of the other resolver, which aiohttp prefers if it is installed, no error number is known.
        resolver=aiohttp.ThreadedResolver(),
    )
    return aiohttp.ClientSession(
        connector=connector,
        headers=headers,
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


def _kind(error: Exception) -> SilenceKind:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return SilenceKind.CERTIFICATE
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
