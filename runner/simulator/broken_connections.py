"""Does what HTTP cannot express: bytes that break it, closed connections, and clients that go away.

A server hides its connections from the application. So the protocol class made here keeps them by their two
addresses, which both `asyncio` and ASGI know.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# uvicorn does not promise this module; its class is subclassed through asyncio.Protocol's own two methods alone.
from uvicorn.protocols.http.h11_impl import H11Protocol

_FAREWELL = 5.0

Connections: TypeAlias = dict[tuple[object, ...], asyncio.Transport]
"""The open connections of one server; the application's `state.connections` holds them."""


def protocol_of(connections: Connections) -> type[H11Protocol]:
    """Return a protocol class for a server that keeps its connections in the mapping."""

    class KeptProtocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            connections[_ends_of(transport)] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            connections.pop(_ends_of(self.transport), None)
            super().connection_lost(exc)

    return KeptProtocol


def _ends_of(transport: asyncio.BaseTransport) -> tuple[object, ...]:
    return (*transport.get_extra_info("peername")[:2], *transport.get_extra_info("sockname")[:2])


class ConnectionCut(Response):
    """Writes bytes as they are, or none, and then closes the connection."""

    def __init__(self, raw: bytes = b"") -> None:
        super().__init__()
        self._raw = raw

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """End the connection, and return after the server knows it, so that it does not answer too."""
        connections: Connections = scope["app"].state.connections
        self.end(connections[(*scope["client"], *scope["server"])])
        await client_left(receive, within=_FAREWELL)

    def end(self, transport: asyncio.Transport) -> None:
        """End one connection."""
        transport.write(self._raw)
        transport.close()


def head_of(response: Response) -> bytes:
    """Return all of an answer but its body as HTTP bytes."""
    status = f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()
    lines = [status, *(name + b": " + value for name, value in response.raw_headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"


async def client_left(receive: Receive, *, within: float) -> None:
    """Wait up to `within` seconds, or until the client goes away."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while (await receive())["type"] != "http.disconnect":
                pass
