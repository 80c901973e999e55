"""A file server of raw sockets for the delivery tests, which can be rude, and the films it serves.

It shares no code with the client: every answer is bytes written by hand. It keeps what it was asked.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat


@dataclass
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]


Answer = Callable[[socket.socket, Asked], None]


@dataclass
class RawServer:
    """Answers each path with its script; `bytes_in` counts every byte that any client sent."""

    host: str
    port: int
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    bytes_in: int = 0
    connections: int = 0
    _ended: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def wait_ended(self, count: int) -> None:
        """Wait until so many more connections have been read to their end."""
        for _ in range(count):
            assert self._ended.acquire(timeout=5)

    def url(self, path: str = "/clip.mp4") -> str:
        return f"http://{self.host}:{self.port}{path}"

    def serve(self, *answers: Answer, path: str = "/clip.mp4") -> str:
        """Answer `path` with these in turn, the last one for ever, and return its URL."""
        self.answers[path] = list(answers)
        return self.url(path)

    def ranges(self) -> list[str | None]:
        return [asked.headers.get("range") for asked in self.asked]

    def _serve(self, peer: socket.socket) -> None:
        try:
            self._talk(peer)
        finally:
            self._ended.release()

    def _talk(self, peer: socket.socket) -> None:
        peer.settimeout(5)
        with peer, suppress(OSError):
            text = b""
            while b"\r\n\r\n" not in text:
                data = peer.recv(65536)
                self.bytes_in += len(data)
                text += data
                if not data:
                    return
            lines = text.decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines[1:] if line)
            asked = Asked(lines[0].split()[1], {name.lower(): value.strip() for name, _, value in pairs})
            self.asked.append(asked)
            script = self.answers.get(asked.path.partition("?")[0], [status(404)])
            (script.pop(0) if len(script) > 1 else script[0])(peer, asked)
            peer.shutdown(socket.SHUT_WR)

    def _listen(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(peer,), daemon=True).start()


@contextmanager
def raw_server(host: str = "127.0.0.1") -> Iterator[RawServer]:
    """Run a server on a free port."""
    listener = socket.create_server((host, 0))
    server = RawServer(host, listener.getsockname()[1])
    thread = threading.Thread(target=server._listen, args=(listener,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def raw(data: bytes) -> Answer:
    return lambda peer, _: peer.sendall(data)


def status(code: int, **headers: object) -> Answer:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return raw(f"HTTP/1.1 {code} Word\r\n{lines}Content-Length: 0\r\n\r\n".encode())


def body(content: bytes, *, length: int | None = -1, code: int = 200, **headers: object) -> Answer:
    """Answer with `content`; `length` is what is announced: -1 the truth, None nothing."""
    return reply(content, length=length, code=code, headers=headers)


def reply(
    content: bytes, *, headers: Mapping[str, object], length: int | None = -1, code: int = 200
) -> Answer:
    """Answer as `body` does, with these headers over its own."""
    announced = {} if length is None else {"Content-Length": len(content) if length < 0 else length}
    pairs = {**announced, **headers}.items()
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in pairs)
    return raw(f"HTTP/1.1 {code} Word\r\n{lines}\r\n".encode() + content)


def chunked(content: bytes, *, end: bool = True) -> Answer:
    framed = b"%x\r\n%s\r\n" % (len(content), content) + (b"0\r\n\r\n" if end else b"")
    return raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed)


def drip(content: Iterable[int], *, pause: float) -> Answer:
    """Send byte by byte, each well within any time-out per read."""

    def answer(peer: socket.socket, _: Asked) -> None:
        for byte in content:
            peer.sendall(bytes([byte]))
            time.sleep(pause)

    return answer


def drip_on(content: bytes) -> Answer:
    """Send byte by byte, and then more of the last byte until the client leaves."""
    return drip(chain(content, repeat(content[-1])), pause=0.02)


def silence(peer: socket.socket, _: Asked) -> None:
    """Say nothing until the client leaves."""
    peer.settimeout(None)
    peer.recv(1)


def store(content: bytes, *, etag: str = '"v1"', heeds_etag: bool = True) -> Answer:
    """Answer as an object store does: whole, or the range asked for if the ETag still matches."""

    def answer(peer: socket.socket, asked: Asked) -> None:
        start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if not start or (heeds_etag and asked.headers.get("if-range") != etag):
            body(content, ETag=etag)(peer, asked)
        elif start >= len(content):
            status(416, Content_Range=f"bytes */{len(content)}")(peer, asked)
        else:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            body(content[start:], code=206, ETag=etag, Content_Range=span)(peer, asked)

    return answer


def cut(content: bytes, *, at: int, etag: str | None = '"v1"', **headers: object) -> Answer:
    """Announce all of `content` and break off after `at` bytes."""
    tags: dict[str, object] = {} if etag is None else {"ETag": etag}
    return reply(content[:at], length=len(content), headers={**tags, **headers})


def film(size: int = 4000, *, fill: bytes = b"\xa5") -> bytes:
    """Return a whole MP4 file of exactly `size` bytes, as far as boxes go."""

    def box(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(content), name) + content

    head, index = box(b"ftyp", b"isom\0\0\0\0isom"), box(b"moov", bytes(24))
    left = size - len(head) - len(index) - 8
    return head + index + box(b"mdat", (fill * (left // len(fill) + 1))[:left])


def test_the_films_have_the_size_asked_for() -> None:
    assert [len(film(size)) for size in (100, 4000)] == [100, 4000]


def test_the_server_keeps_what_it_was_asked() -> None:
    request = b"GET /clip.mp4 HTTP/1.1\r\nHost: x\r\n\r\n"
    with raw_server() as server, socket.create_connection((server.host, server.port)) as client:
        server.serve(body(b"hello"))
        client.sendall(request)
        assert client.makefile("rb").read().endswith(b"\r\n\r\nhello")
    assert [asked.path for asked in server.asked] == ["/clip.mp4"]
    assert server.bytes_in == len(request)
