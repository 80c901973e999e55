"""Does what HTTP cannot express: bytes that break it, connections closed and reset, and clients that go away.

Only this module reaches below ASGI. A server hides its connections from the application. So the protocol class made
here keeps them by their two addresses, which both `asyncio` and ASGI know.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from http import HTTPStatus

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

# uvicorn does not promise this module; its class is subclassed through asyncio.Protocol's own two methods alone.
from uvicorn.protocols.http.h11_impl import H11Protocol

_AT_ONCE = struct.pack("ii", 1, 0)
_FAREWELL = 5.0


class Connections:
    """The open connections of one server, for use in the server's own thread."""

    def __init__(self) -> None:
        self._open: dict[tuple[object, ...], asyncio.Transport] = {}

    def protocol(self) -> type[H11Protocol]:
        """Return a protocol class for the server, which keeps its connections here."""
        wires = self._open

        class KeptProtocol(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                super().connection_made(transport)
                wires[_ends_of(transport)] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                wires.pop(_ends_of(self.transport), None)
                super().connection_lost(exc)

        return KeptProtocol

    def of(self, scope: Scope) -> asyncio.Transport:
        """Return the connection that a request came on."""
        return self._open[(*scope["client"], *scope["server"])]


def _ends_of(transport: asyncio.BaseTransport) -> tuple[object, ...]:
    return (*transport.get_extra_info("peername")[:2], *transport.get_extra_info("sockname")[:2])


class ConnectionCut(Response):
    """Writes bytes as they are, or none, and then closes the connection, or resets it at once."""

    def __init__(self, wires: Connections, raw: bytes = b"", *, reset: bool = False) -> None:
        super().__init__()
        self._wires = wires
        self._raw = raw
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """End the connection, and return after the server knows it, so that it does not answer too."""
        transport = self._wires.of(scope)
        if self._reset:
            # A close with no time to linger is a reset (socket(7)).
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            transport.abort()
        else:
            transport.write(self._raw)
            transport.close()
        await client_left(receive, within=_FAREWELL)


def as_bytes(response: Response, *, keep: int | None = None, announce: int | None = None) -> bytes:
    """Return an answer as HTTP bytes, with `keep` bytes of its body and `announce` as its length."""
    body = bytes(response.body)
    length = len(body) if announce is None else announce
    lines = [f"HTTP/1.1 {response.status_code} {HTTPStatus(response.status_code).phrase}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers if name != b"content-length"]
    lines.append(b"content-length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body[:keep]


async def client_left(receive: Receive, *, within: float) -> bool:
    """Wait up to `within` seconds; return early, and True, if the client goes away."""
    try:
        async with asyncio.timeout(within):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
