"""What sits before the counting server: TLS with good and bad certificates, and places that speak no HTTP at all.

In: a place and the server's port. Out: a port to send requests to. It unwraps TLS and passes bytes, ends and resets on
as they come; it counts nothing and knows no request. Certificates are made by the `openssl` command, and the authority
behind them is trusted by this process alone.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from contextlib import suppress
from enum import StrEnum
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from runner.system.tls import tls_context
from tests.outside.authority import Authority

_RST_ON_CLOSE = struct.pack("ii", 1, 0)


class Place(StrEnum):
    """Where the request is sent, and what sits there before any HTTP is spoken."""

    SERVER = "server"
    CLOSED_PORT = "closed port"
    NO_SUCH_NAME = "no such name"
    TLS_STALL = "tls stall"
    TLS_RESET = "tls reset"
    TLS_END = "tls end"
    PLAIN_PORT = "plain port"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    WRONG_NAME = "wrong name"


_NAMES = "DNS:localhost,IP:127.0.0.1"


@cache
def certificates() -> Authority:
    """Make an authority of our own, trusted by this process alone, and a certificate for each kind of trouble."""
    folder = Path(mkdtemp(prefix="t6-certificates-"))
    ours, foreign = Authority(folder, "ours"), Authority(folder, "foreign")
    ours.issue("server", names=_NAMES)
    foreign.issue(Place.UNTRUSTED.name, names=_NAMES)
    ours.issue(Place.EXPIRED.name, names=_NAMES, days=-1)
    ours.issue(Place.WRONG_NAME.name, names="DNS:elsewhere.example")
    tls_context().load_verify_locations(cafile=ours.file)
    return ours


@cache
def _server_side(name: str) -> ssl.SSLContext:
    return certificates().server_side(name)


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
    writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until the sender ends; a reset is passed on as one."""
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except (OSError, ssl.SSLError):
        _reset(writer)
        return
    with suppress(OSError, RuntimeError):
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()


class Front:
    """Sits before the server: unwraps TLS and passes on, or plays a place that speaks no HTTP."""

    def __init__(self, place: Place, upstream: int) -> None:
        self._place, self._upstream = place, upstream
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.connections = 0

    async def start(self) -> int:
        """Listen, and return the port."""
        certificate = {Place.SERVER: "server"}.get(self._place, self._place.name)
        speaks = self._place in {Place.SERVER, Place.UNTRUSTED, Place.EXPIRED, Place.WRONG_NAME}
        context = _server_side(certificate) if speaks else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            if self._place in {Place.SERVER, Place.UNTRUSTED, Place.EXPIRED, Place.WRONG_NAME}:
                await self._pass_on(reader, writer)
            else:
                await self._play(reader, writer)
        except (OSError, ssl.SSLError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._open.add(up_writer)
        try:
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        finally:
            self._open.discard(up_writer)
            up_writer.transport.abort()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        match self._place:
            case Place.TLS_RESET:
                _reset(writer)
            case Place.TLS_END:
                writer.close()
            case Place.PLAIN_PORT:
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                writer.close()
            case _:
                await reader.read()

    async def stop(self) -> None:
        """End every connection and stop listening."""
        for writer in list(self._open):
            writer.transport.abort()
        if self._server is not None:
            self._server.close()
