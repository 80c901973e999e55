"""Proxies of a studio on loopback: one that opens tunnels by CONNECT, one by SOCKS5, and a server's end of TLS.

In: which port stands for each host, a fault, a login. Out: a port, and what was sent to the proxy itself. All serve in
one thread of their own. It imports nothing of the program.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
import struct
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Self

_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Fault(StrEnum):
    """What a proxy does in place of its work."""

    STALL = "stall"
    CLOSE = "close"
    RESET = "reset"
    GARBAGE = "garbage"
    TLS_STALL = "tls stall"
    TLS_CLOSE = "tls close"


class Studio:
    """A thread with a loop in which proxies and servers listen until the end of the context."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers: list[asyncio.Server] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end_all(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def listen(self, end: TlsEnd | ConnectProxy | SocksProxy, trust: ssl.SSLContext | None = None) -> int:
        """Let a server listen, behind TLS if a context is given, and return its port."""

        async def start() -> int:
            server = await asyncio.start_server(end.serve, "127.0.0.1", 0, ssl=trust)
            self._servers.append(server)
            port: int = server.sockets[0].getsockname()[1]
            return port

        return asyncio.run_coroutine_threadsafe(start(), self._loop).result(10)

    async def _end_all(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class TlsEnd:
    """Unwraps TLS, for which it listens with a context, and passes all on to a port.

    With `cut` it ends the connection at the first byte of a request.
    """

    def __init__(self, upstream: int, *, cut: bool = False) -> None:
        self._upstream, self._cut = upstream, cut

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with _ending(writer):
            if self._cut:
                await reader.readexactly(1)
                return
            await _joined(reader, writer, self._upstream)


class ConnectProxy:
    """Opens tunnels to `hosts`, by their names and ports; `status` is its answer to each CONNECT instead.

    `heads` are the requests to the proxy itself.
    """

    def __init__(
        self, hosts: Mapping[str, int], *, status: int = 200, fault: Fault | None = None, login: str = ""
    ) -> None:
        self._hosts, self._status, self._fault = hosts, status, fault
        self._login = base64.b64encode(login.encode()) if login else b""
        self.heads: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with _ending(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if self._fault in {Fault.STALL, Fault.CLOSE, Fault.RESET, Fault.GARBAGE}:
                await _spoil(self._fault, reader, writer)
                return
            verb, target, _ = head.split(b" ", 2)
            status = self._status if verb == b"CONNECT" else 405
            if status == 200 and self._login and b"Basic " + self._login + b"\r\n" not in head:
                status = 407
            upstream = self._hosts.get(target.decode())
            if status != 200 or upstream is None:
                answer = f"HTTP/1.1 {status if status != 200 else 502} No\r\nContent-Length: 0\r\n\r\n"
                writer.write(answer.encode())
                return
            writer.write(_TUNNEL)
            await _tunnel(reader, writer, upstream, self._fault)


class SocksProxy:
    """Opens tunnels by SOCKS5 (RFC 1928, 1929); `reply` is its answer to each request. `asked` are hosts with ports."""

    def __init__(
        self, hosts: Mapping[str, int], *, reply: int = 0, fault: Fault | None = None, login: str = ""
    ) -> None:
        self._hosts, self._reply, self._fault, self._login = hosts, reply, fault, login
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with _ending(writer):
            _, count = await reader.readexactly(2)
            methods = await reader.readexactly(count)
            if self._fault in {Fault.STALL, Fault.CLOSE, Fault.RESET, Fault.GARBAGE}:
                await _spoil(self._fault, reader, writer)
                return
            method = 2 if self._login else 0
            writer.write(bytes([5, method if method in methods else 255]))
            if method not in methods:
                return
            if self._login and not await self._knows(reader, writer):
                return
            _, _, _, kind = await reader.readexactly(4)
            length = {1: 4, 4: 16}.get(kind) or (await reader.readexactly(1))[0]
            name = await reader.readexactly(length)
            (port,) = struct.unpack(">H", await reader.readexactly(2))
            host = name.decode() if kind == 3 else socket.inet_ntop(socket.AF_INET, name)
            self.asked.append(f"{host}:{port}")
            upstream = self._hosts.get(f"{host}:{port}")
            reply = self._reply or (0 if upstream else 4)
            writer.write(bytes([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]))
            if reply == 0 and upstream:
                await _tunnel(reader, writer, upstream, self._fault)

    async def _knows(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        _, length = await reader.readexactly(2)
        user = await reader.readexactly(length)
        password = await reader.readexactly((await reader.readexactly(1))[0])
        is_known = f"{user.decode()}:{password.decode()}" == self._login
        writer.write(bytes([1, 0 if is_known else 1]))
        return is_known


@contextmanager
def _ending(writer: asyncio.StreamWriter) -> Iterator[None]:
    try:
        with suppress(OSError, ssl.SSLError, asyncio.IncompleteReadError):
            yield
    finally:
        writer.close()


async def _spoil(fault: Fault | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if fault is Fault.GARBAGE:
        writer.write(b"SSH-2.0-none\r\n\r\n")
    elif fault is Fault.RESET:
        _reset(writer)
    elif fault is Fault.STALL:
        await reader.read()


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: int, fault: Fault | None
) -> None:
    if fault is Fault.TLS_STALL:
        await reader.read(1)
        await asyncio.Event().wait()
    elif fault is Fault.TLS_CLOSE:
        await reader.read(1)
    else:
        await _joined(reader, writer, upstream)


async def _joined(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: int) -> None:
    up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
    with _ending(up_writer):
        await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on until their sender ends."""
    with suppress(OSError, ssl.SSLError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw: socket.socket | None = writer.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
    writer.transport.abort()
