"""A webhook on loopback: what is posted, when it is tried again, and what is never followed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from runner.notify.notice import Notice, NoticeKind
from runner.notify.ports import NotSent
from runner.notify.webhook import Webhook

NOTICE = Notice(event=NoticeKind.COST, at=0.0, run="board", run_dir=Path("board"), text="board: a notice")


class Receiver:
    """Answers posts with the given codes, and counts them."""

    def __init__(self, codes: list[int]) -> None:
        self.codes = codes
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []


@contextmanager
def receiving(*codes: int) -> Iterator[tuple[Receiver, str]]:
    """Yield a receiver and its address as long as the block lasts."""
    receiver = Receiver(list(codes))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, dict(self.headers), body))
            self.send_response(receiver.codes.pop(0))
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield receiver, f"http://127.0.0.1:{server.server_port}/hook?key=SECRET"
        finally:
            server.shutdown()
            thread.join()


def test_a_failing_server_is_asked_three_times_and_gets_no_token() -> None:
    rests: list[float] = []
    with receiving(503, 429, 204) as (receiver, address):
        Webhook(address, rest=rests.append, chance=lambda: 0.5).send(NOTICE)
    assert rests == [1.0, 2.0]
    assert [path for path, _, _ in receiver.got] == ["/hook?key=SECRET"] * 3
    _, headers, body = receiver.got[-1]
    assert "Authorization" not in headers
    assert json.loads(body) == json.loads(NOTICE.to_json())


@pytest.mark.parametrize(("code", "said"), [(404, "HTTP 404"), (307, "HTTP 307; redirects are not followed")])
def test_a_refusal_and_a_redirect_are_final(code: int, said: str) -> None:
    with receiving(code, 204) as (receiver, address), pytest.raises(NotSent, match=f"^{said}$"):
        Webhook(address, rest=lambda _: None).send(NOTICE)
    assert len(receiver.got) == 1


def test_a_server_that_is_not_there_is_reported_without_the_address() -> None:
    with receiving() as (_, address):
        pass
    with pytest.raises(NotSent, match="no connection") as caught:
        Webhook(address, rest=lambda _: None).send(NOTICE)
    assert "SECRET" not in str(caught.value)
