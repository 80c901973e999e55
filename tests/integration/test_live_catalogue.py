"""What is learnt before paying from a catalogue that lies or dawdles: no price is made up, what came in time counts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.api.account import Account, Secret
from runner.commands.steps.live_catalogue import LiveCatalogue, ask_catalogue
from runner.domain.shots import PriceUnit
from runner.system.clock import SystemClock
from tests.integration.test_catalogue import MODEL, TOKEN, serving


def asked(origin: str, *models: str, till: bool = False, patience_s: float = 10.0) -> LiveCatalogue:
    account = Account(origin, Secret(TOKEN), "a test")
    return ask_catalogue(account, models, clock=SystemClock(), till=till, patience_s=patience_s)


@pytest.mark.parametrize("price", [0, 0.0, 1e-9, -1, None, True, [1], "free"], ids=repr)
def test_a_price_of_nothing_is_no_price(price: object) -> None:
    """Takes at nothing would pass any cap."""
    with serving(entry={"model_id": MODEL, "base_price_usd": price, "price_unit": "output"}) as stub:
        assert asked(stub.origin, MODEL).prices == {}


def test_a_price_by_what_a_request_does_not_say_is_no_price() -> None:
    entry = {"model_id": MODEL, "base_price_usd": 0.1}
    with serving(entry={**entry, "price_unit": "image"}) as stub:
        assert asked(stub.origin, MODEL).prices == {}
    with serving(entry={**entry, "price_unit": "second"}) as stub:
        (price,) = asked(stub.origin, MODEL).prices.values()
    assert (price.usd, price.per) == (0.1, PriceUnit.SECOND)


class _Dawdling(BaseHTTPRequestHandler):
    """Answers for one model, and for everything else begins and never ends."""

    leave = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path.endswith("/quick"):
            body = b'{"model_id": "a/quick", "base_price_usd": 0.5, "price_unit": "output"}'
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.leave.wait(20)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


@contextmanager
def dawdling() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Dawdling) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            _Dawdling.leave.set()
            server.shutdown()
            thread.join()


def test_one_answer_that_never_comes_takes_no_other_with_it_and_is_told() -> None:
    with dawdling() as origin:
        live = asked(origin, "a/slow", "a/quick", till=True, patience_s=1.0)
    assert {model: price.usd for model, price in live.prices.items()} == {"a/quick": 0.5}
    assert live.balance is None
    assert live.problems == ("a/slow: no answer in 1 s", "balance: no answer in 1 s")


def test_nothing_asked_is_nothing_said() -> None:
    assert asked("http://127.0.0.1:9") == LiveCatalogue()
