"""A fast server of files for the benchmark of downloads: `python -m tests.benchmarks.file_server --bytes N`.

Every name below `/files/` is a film of so many bytes that begins with its own name, so that no two are alike. The rest
of it is sent by the kernel from one temporary file. Connections are kept. It prints its port as one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import socketserver
import struct
import tempfile
from typing import IO

_FTYP = struct.pack(">I4s4sI8s", 24, b"ftyp", b"isom", 512, b"isommp42")
_MOOV = struct.pack(">I4s", 8, b"moov")


class FileServer(socketserver.ThreadingTCPServer):
    """Serves films of `size` bytes on loopback, each connection in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, *, size: int, filler: IO[bytes]) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.size = size
        self.filler = filler

    def front(self, name: bytes) -> bytes:
        """Return the first bytes of the film of that name: its boxes up to the content, and the name."""
        content = self.size - len(_FTYP) - len(_MOOV)
        return b"".join((_FTYP, _MOOV, struct.pack(">I4s", content, b"mdat"), name))


class _Connection(socketserver.BaseRequestHandler):
    """Answers one request after the other; anything but a GET of a file is a 404."""

    server: FileServer
    request: socket.socket

    def handle(self) -> None:
        """Serve until the client closes."""
        waiting = b""
        while True:
            while b"\r\n\r\n" not in waiting:
                if not (more := self.request.recv(65536)):
                    return
                waiting += more
            head, _, waiting = waiting.partition(b"\r\n\r\n")
            _, _, path = head.split(b" ", 2)[1].rpartition(b"/files/")
            self._answer(path) if path else self.request.sendall(_ABSENT)
            if b"connection: close" in head.lower():
                return

    def _answer(self, name: bytes) -> None:
        front, size = self.server.front(name), self.server.size
        head = f"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: {size}\r\n\r\n"
        self.request.send(head.encode() + front, socket.MSG_MORE)
        at, filler = len(front), self.server.filler.fileno()
        while at < size:
            at += os.sendfile(self.request.fileno(), filler, at, size - at)


_ABSENT = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.file_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--bytes", type=int, default=5_000_000, help="size of each file")
    given = parser.parse_args()
    with tempfile.TemporaryFile() as filler:
        filler.write(os.urandom(given.bytes))
        filler.flush()
        with FileServer(given.port, size=given.bytes, filler=filler) as server:
            print(json.dumps({"port": server.server_address[1]}), flush=True)
            server.serve_forever()


if __name__ == "__main__":
    main()
