"""A server of one page that goes on changing: what the program serves, as far as the page knows it.

In: a folder, the page's source, and what the test says. Out: the page and its files, a stream of events, and the rows
of decisions that the page sends.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SECRET = "/secret/"
_BEAT = 0.05


@dataclass
class PageServer:
    """One page on a loopback address. It can go away and come back at the same one."""

    folder: Path
    page: bytes = b""
    answers: list[tuple[int, Mapping[str, Any]]] = field(default_factory=list)
    """What is answered to the next posts, in this order; without any, that all is saved."""
    rows: list[list[str]] = field(default_factory=list)
    """What the page has sent and was told to be saved."""
    _said: list[tuple[str, str]] = field(default_factory=list)
    _news: threading.Condition = field(default_factory=threading.Condition)
    _server: ThreadingHTTPServer | None = None
    _port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}{SECRET}"

    def say(self, event: str, **data: Any) -> None:  # noqa: ANN401  whatever JSON holds
        """Send an event to all who listen, and to those who missed it."""
        with self._news:
            self._said.append((event, json.dumps(data)))
            self._news.notify_all()

    def start(self) -> None:
        """Serve, at the same address as before if there was one."""
        handler = type("_Bound", (_Handler,), {"source": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(_BEAT,), daemon=True).start()

    def stop(self) -> None:
        """Go away, as a server that was killed."""
        server, self._server = self._server, None
        if server:
            server.shutdown()
            server.server_close()
        with self._news:
            self._news.notify_all()

    def events(self, after: int) -> Iterator[bytes]:
        """Yield each event after one number as it comes, until the server goes away."""
        server = self._server
        while True:
            with self._news:
                while len(self._said) <= after and self._server is server:
                    self._news.wait()
                said = self._said[after:]
            if self._server is not server:
                return
            for event, data in said:
                after += 1
                yield f"event: {event}\nid: {after}\ndata: {data}\n\n".encode()


@contextmanager
def served(folder: Path, page: bytes) -> Iterator[PageServer]:
    """Yield a server of this page and of the files in `folder`, until the block ends."""
    server = PageServer(folder, page)
    server.start()
    try:
        yield server
    finally:
        server.stop()


class _Handler(SimpleHTTPRequestHandler):
    source: PageServer

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == SECRET:
            self._answer(200, self.source.page, "text/html; charset=utf-8")
        elif path == f"{SECRET}events":
            self._stream(int(self.headers.get("Last-Event-ID") or query.partition("=")[2]))
        else:
            super().do_GET()

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
        assert self.headers["Content-Type"] == "application/json"
        assert self.headers["Origin"] == self.source.address.removesuffix(SECRET)
        status, answer = self.source.answers.pop(0) if self.source.answers else (200, {"saved": len(rows)})
        if status == 200:
            self.source.rows += rows
        self._answer(status, json.dumps(answer).encode(), "application/json")

    def _stream(self, after: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(b"retry: 100\n\n")
        for message in self.source.events(after):
            self.wfile.write(message)

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def translate_path(self, path: str) -> str:
        return super().translate_path(path.removeprefix(SECRET.rstrip("/")))

    def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401  as its class has it
        super().__init__(*given, directory=str(self.source.folder), **named)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its class's own name
        """Say nothing."""
