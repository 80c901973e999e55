"""HTTP/1.1 by hand on asyncio transports: keep-alive, pipelining, lengths, and the carrying out of faults.

In: bytes of a connection. Out: bytes of answers that a `Service` gives, spoilt where `Faults` say so. It
knows no route and no job. Requests with a transfer coding are refused, since no client of this API needs one.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol, cast

from tests.outside.faults import At, End, Fault, Faults, Reply

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_HALF_CLOSED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request as read; header names are in lower case, `length` is the body's announced length.

    `connection` is the number of the connection it came on, counting from 1.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    length: int = 0
    body: bytes = b""
    connection: int = 0


class Service(Protocol):
    """Whoever gives the answers."""

    def route(self, request: Request) -> str:
        """Name the route of a request whose head is read."""
        ...

    def count(self, route: str) -> int:
        """Count one call of `route` and return which one it is, from 1."""
        ...

    def answer(self, route: str, request: Request) -> Reply:
        """Carry out a whole request."""
        ...


def parse_head(head: bytes) -> Request:
    """Read a request's head without its blank line.

    Raises: ValueError where it is not HTTP/1.x, or its body has no plain length.
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"not a header: {line!r}")
        headers[name.lower()] = value.strip()
    length = headers.get("content-length", "0")
    if not version.startswith("HTTP/1.") or "transfer-encoding" in headers or not length.isdecimal():
        raise ValueError("not HTTP/1.x with a plain length")
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, int(length))


def encode(reply: Reply) -> bytes:
    """Return the bytes of an answer, with JSON and the true length unless the reply says otherwise."""
    headers = {"Content-Type": "application/json", "Content-Length": str(len(reply.body)), **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {reply.status} {_PHRASES.get(reply.status, 'Unknown')}\r\n{lines}\r\n"
    return head.encode("latin-1") + reply.body


class Connection(asyncio.Protocol):
    """One client connection: requests are answered in order, one at a time."""

    def __init__(self, service: Service, faults: Faults, open_now: set[Connection]) -> None:
        self._service, self._faults, self._open_now = service, faults, open_now
        self._buffer = bytearray()
        self._head: Request | None = None
        self._route = ""
        self._fault: Fault | None = None
        self._act: asyncio.Task[None] | None = None
        self._deaf = False
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._open_now.add(self)
        self._number = self._service.count("connect")
        fault = self._faults("connect", self._number)
        if fault:
            self._carry_out(fault, b"")

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._open_now.discard(self)
        if self._act:
            self._act.cancel()

    def data_received(self, data: bytes) -> None:
        if not self._deaf:
            self._buffer += data
            self._go_on()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _go_on(self) -> None:
        while self._act is None and not self._deaf and self._head_read() and self._request_answered():
            pass

    def _head_read(self) -> bool:
        if self._head:
            return True
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        try:
            self._head = parse_head(bytes(self._buffer[:end]))
        except ValueError:
            self._carry_out(Fault(end=End.CLOSE), encode(Reply(400)))
            return False
        del self._buffer[: end + 4]
        self._route = self._service.route(self._head)
        self._fault = self._faults(self._route, self._service.count(self._route))
        return True

    def _request_answered(self) -> bool:
        """Answer the request if it is whole, or spoil it early; return whether to go on reading."""
        head, fault = cast("Request", self._head), self._fault
        early = fault and (fault.at is At.HEADERS or (fault.at is At.BODY and self._buffer))
        if fault and early:
            self._carry_out(fault, _replaced(fault))
            return False
        if len(self._buffer) < head.length:
            return False
        body = bytes(self._buffer[: head.length])
        del self._buffer[: head.length]
        self._head = None
        self._respond(replace(head, body=body, connection=self._number))
        return True

    def _respond(self, request: Request) -> None:
        fault = self._fault
        reply = None
        if fault is None or fault.effect:
            reply = self._service.answer(self._route, request)
        if fault and fault.change and reply:
            reply = fault.change(reply, request)
        if fault:
            self._carry_out(fault, _replaced(fault) or (encode(reply) if reply else b""))
        elif reply:
            self._transport.write(encode(reply))
            if request.headers.get("connection", "").lower() == "close":
                self._transport.close()

    def _carry_out(self, fault: Fault, answer: bytes) -> None:
        if fault.at in {At.HEADERS, At.BODY}:
            self._transport.pause_reading()
        self._act = asyncio.get_running_loop().create_task(self._spoil(fault, answer[: fault.cut]))

    async def _spoil(self, fault: Fault, answer: bytes) -> None:
        await asyncio.sleep(fault.delay)
        size, pause = fault.drip or (len(answer) or 1, 0.0)
        for start in range(0, len(answer), size):
            self._transport.write(answer[start : start + size])
            await asyncio.sleep(pause)
        await asyncio.sleep(fault.linger)
        self._act = None
        if fault.end is End.KEEP:
            self._transport.resume_reading()
            self._go_on()
        else:
            self._finish(fault.end)

    def _finish(self, end: End) -> None:
        self._deaf = True
        if end is End.RESET:
            raw: socket.socket = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
            self._transport.abort()
        elif end is End.CLOSE and not self._transport.is_closing():
            # A full close with bytes still unread would send RST: half-close, and swallow what comes.
            self._transport.resume_reading()
            with suppress(OSError):
                self._transport.write_eof()
            asyncio.get_running_loop().call_later(_HALF_CLOSED_SECONDS, self._transport.close)


def _replaced(fault: Fault) -> bytes:
    return encode(fault.reply) if isinstance(fault.reply, Reply) else fault.reply or b""
