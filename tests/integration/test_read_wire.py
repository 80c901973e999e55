"""Reads over real sockets: faults are sorted, each is sent once, and many at once do not wait for a slow one."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import pytest

from runner.api.account import Secret
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import Deadlines
from runner.api.read_pool import ReadPool
from tests.outside.faults import BASIC, At, End, Fault, Faults, Reply, Script, truthful
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.outside.wire import Request

T = TypeVar("T")

TOKEN = Secret("bench-token")
QUICK = Deadlines(connect=2.0, write=2.0, read=1.0, overall=2.0)
STATUS, CANCEL = "/v1/requests/nobody/status", "/v1/requests/nobody/cancel"


def server(faults: Faults = truthful) -> OutsideServer:
    return OutsideServer(Settings(token=TOKEN.reveal()), faults=faults)


def with_pool(origin: str, use: Callable[[ReadPool], Awaitable[T]], *, calls: int = 4) -> T:
    async def main() -> T:
        pool = ReadPool(origin, TOKEN, calls=calls, deadlines=QUICK)
        try:
            return await use(pool)
        finally:
            await pool.aclose()

    return asyncio.run(main())


def ask(origin: str, path: str = STATUS, *, method: str = "GET", times: int = 1) -> HttpOutcome:
    async def use(pool: ReadPool) -> HttpOutcome:
        return [await pool.ask(path, method=method) for _ in range(times)][-1]

    return with_pool(origin, use)


ANSWERED = {
    "413 in mid-body",
    "body cut by FIN",
    "body cut by RST",
    "body stalls",
    "late",
    "dripping",
    "closed while idle",
    "503 before effect",
    "503 after effect",
    "429 with Retry-After",
    "HTML with 200",
    "empty 200",
}
CUT = {"body cut by FIN", "body cut by RST", "body stalls"}


@pytest.mark.parametrize(("route", "path", "method"), [("status", STATUS, "GET"), ("cancel", CANCEL, "POST")])
@pytest.mark.parametrize("name", sorted(BASIC))
def test_every_fault_is_an_answer_or_a_silence_and_nothing_is_sent_twice(
    name: str, route: str, path: str, method: str
) -> None:
    """Aiohttp by itself would send a GET again after a connection broke."""
    fault = BASIC[name]
    route = "connect" if fault.at is At.CONNECT else route
    # A request without a body has no middle of it.
    fault = replace(fault, at=At.HEADERS) if fault.at is At.BODY else fault
    with server(Script({(route, 0): fault})) as outside:
        exchange = ask(outside.url, path, method=method)
        calls = outside.stats()["calls"]
    if name in ANSWERED:
        # A reset may overtake the answer.
        assert isinstance(exchange, Answer) or name == "body cut by RST"
    else:
        assert isinstance(exchange, NoResponse)
        stalls = fault.end is End.STALL
        kinds = {SilenceKind.TIMEOUT if stalls else SilenceKind.BROKEN}
        # A connection that the other end drops at once may be noticed before or after our first byte.
        assert exchange.kind in kinds | ({SilenceKind.UNREACHABLE} if route == "connect" else set()), exchange
        assert exchange.milestone is SendStage.SENT or route == "connect"
    if isinstance(exchange, Answer):
        assert exchange.complete is (name not in CUT)
    assert calls["connect"] == 1
    assert calls.get(route, 0) <= 1


def test_a_closed_port_is_unreachable_with_nothing_sent() -> None:
    with server() as outside:
        url = outside.url
    exchange = ask(url)
    assert isinstance(exchange, NoResponse)
    assert (exchange.milestone, exchange.kind) == (SendStage.NOTHING_SENT, SilenceKind.UNREACHABLE)
    assert "Connect" in exchange.reason


def test_a_redirect_is_an_answer_and_not_followed() -> None:
    with server() as elsewhere:
        moved = Reply(307, b"", {"Location": f"{elsewhere.url}{STATUS}"})
        with server(Script({("status", 0): Fault(reply=moved)})) as outside:
            exchange = ask(outside.url)
        assert isinstance(exchange, Answer)
        assert exchange.status == 307
        assert elsewhere.stats()["calls"] == {}


def test_a_cookie_is_not_sent_back_and_no_header_is_added() -> None:
    seen: list[dict[str, str]] = []

    def note(reply: Reply, request: Request) -> Reply:
        seen.append(dict(request.headers))
        return Reply(reply.status, reply.body, {"Set-Cookie": "a=b; Path=/"})

    with server(Script({("status", 0): Fault(change=note)})) as outside:
        ask(outside.url, times=2)
        host = outside.url.removeprefix("http://")
    own = {
        "host": host,
        "authorization": "Bearer bench-token",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "shotrunner",
    }
    assert seen == [own, own]


def test_a_packed_body_is_unpacked_by_its_header_in_two_lines_or_one() -> None:
    body = gzip.compress(gzip.compress(b'{"status": "completed"}'))
    packed = Reply(200, body, {"Content-Encoding": "gzip", "content-encoding": "gzip"})
    with server(Script({("status", 0): Fault(reply=packed)})) as outside:
        exchange = ask(outside.url)
    assert isinstance(exchange, Answer)
    assert json.loads(exchange.body) == {"status": "completed"}


def test_a_long_header_of_a_gateway_spoils_no_answer() -> None:
    wordy = Reply(200, b"{}", {"X-Policy": "x" * 30_000})
    with server(Script({("status", 0): Fault(reply=wordy)})) as outside:
        assert isinstance(ask(outside.url), Answer)


@pytest.mark.parametrize(("cap", "complete", "passed"), [(10, True, None), (9, False, 9)])
def test_a_body_is_read_up_to_the_cap(cap: int, complete: bool, passed: int | None) -> None:
    with server(Script({("status", 0): Fault(reply=Reply(200, b"0123456789"))})) as outside:
        answer = with_pool(outside.url, lambda pool: pool.ask(STATUS, cap=cap))
    assert isinstance(answer, Answer)
    assert (answer.body, answer.complete, answer.passed) == (b"0123456789"[:cap], complete, passed)


@pytest.mark.parametrize("request_id", ["eu%2Fx", "a%3D%3D", "a%2Bb", "%C3%A9"])
def test_a_path_is_sent_as_it_is_written(request_id: str) -> None:
    seen: list[str] = []

    def note(reply: Reply, request: Request) -> Reply:
        seen.append(request.path)
        return reply

    with server(Script({("status", 0): Fault(change=note)})) as outside:
        ask(outside.url, f"/v1/requests/{request_id}/status")
    assert seen == [f"/v1/requests/{request_id}/status"]


def test_connections_are_kept_and_a_hundred_reads_do_not_wait_for_one_that_is_never_answered() -> None:
    silent = Script({("result", 0): Fault(cut=0, end=End.STALL)})

    async def use(pool: ReadPool) -> set[type]:
        slow = asyncio.ensure_future(pool.ask("/v1/requests/nobody/result"))
        found = [
            answer
            for _ in range(3)
            for answer in await asyncio.gather(*(pool.ask(STATUS) for _ in range(39)))
        ]
        slow.cancel()
        with suppress(asyncio.CancelledError):
            await slow
        return {type(each) for each in found}

    with server(silent) as outside:
        assert with_pool(outside.url, use, calls=40) == {Answer}
        assert outside.stats()["calls"]["connect"] <= 40


def test_the_time_in_which_a_read_waits_for_its_turn_is_not_its_own() -> None:
    slow = Script({("status", 0): Fault(delay=0.7)})

    async def use(pool: ReadPool) -> list[HttpOutcome]:
        return await asyncio.gather(*(pool.ask(STATUS) for _ in range(4)))

    with server(slow) as outside:
        assert {type(each) for each in with_pool(outside.url, use, calls=1)} == {Answer}
