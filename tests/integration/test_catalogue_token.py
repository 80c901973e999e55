"""The token and the catalogue: it goes to the API's own origin and the vendor's till, whatever is answered."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.api.account import DEFAULT_BASE, Account, Secret
from runner.api.catalogue import BALANCE_ORIGIN, BalanceAnswer, Catalogue, EntryAnswer, balance_origin
from runner.domain.api_answers import RequestFailure
from runner.system.clock import SystemClock
from tests.integration.test_catalogue import MODEL, TOKEN, ask, live, serving


class _Leading(BaseHTTPRequestHandler):
    """Answers every GET with a redirect to the same path elsewhere."""

    status = 302
    elsewhere = ""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.send_header("Location", f"{self.elsewhere}{self.path}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Say nothing."""


@contextmanager
def leading(elsewhere: str, status: int) -> Iterator[str]:
    kind = type("_LeadingThere", (_Leading,), {"elsewhere": elsewhere, "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def asked(origin: str) -> tuple[EntryAnswer, BalanceAnswer]:
    catalogue = Catalogue(Account(origin, Secret(TOKEN), "a test"), clock=SystemClock())
    try:
        return await catalogue.entry(MODEL), await catalogue.balance()
    finally:
        await catalogue.aclose()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_leads_the_token_nowhere(status: int) -> None:
    """Not even to the same path at another port of this machine."""
    with serving(entry=live(), balance={"balance_usd": 5}) as elsewhere:
        with leading(elsewhere.origin, status) as origin:
            answers = asyncio.run(asked(origin))
        assert all(isinstance(answer, RequestFailure) for answer in answers)
        assert elsewhere.asked == []


def test_the_balance_is_asked_at_the_vendors_till_for_the_real_api_alone() -> None:
    assert balance_origin(DEFAULT_BASE) == BALANCE_ORIGIN
    for origin in (
        "http://127.0.0.1:8000",
        "https://proxy.example",
        f"{DEFAULT_BASE}.evil.example",
        f"{DEFAULT_BASE}:444",
    ):
        assert balance_origin(origin) == origin


def test_an_answer_that_repeats_the_token_does_not_show_it() -> None:
    echo = json.dumps({"message": f"bad token {TOKEN}", "error_code": 400001}).encode()
    with serving(entry=(400, echo), balance=(400, echo)) as stub:
        for answer in ask(stub):
            assert isinstance(answer, RequestFailure)
            assert TOKEN not in repr(answer)
