"""The paid POST over real sockets: what is durable before what, and how every way of failing is sorted."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from runner.api.account import Account, Secret
from runner.api.classify import sort_submit
from runner.api.client import RunComfyQueue
from runner.api.hook_selftest import hook_holds_bytes
from runner.api.progress import Deadlines
from runner.api.submit_client import SubmitClient
from runner.domain.api_answers import SubmitAnswer
from runner.domain.shots import Ticket
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    LostContact,
    NotSent,
    Refused,
    RefusedForNow,
    TakeState,
)
from runner.system.clock import SystemClock
from tests.outside.faults import BASIC, At, End, Fault, Script
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

TOKEN = Secret("bench-token")
BODY = (
    b'{"keyFramesFirst":"https://example.com/a","keyFramesLast":"https://example.com/b",'
    b'"promptText":"p","seed":1}'
)
QUICK = Deadlines(connect=1.0, write=1.0, read=0.5, overall=1.0)
TICKET = Ticket("s010", "pika/pikaframes", BODY.decode(), "print", TakeState.PENDING)


async def nothing() -> None:
    pass


def submit(
    origin: str, *, begin: Callable[[], Awaitable[None]] = nothing, hooked: bool = True, token: Secret = TOKEN
) -> SubmitAnswer:
    async def main() -> SubmitAnswer:
        client = SubmitClient(origin, token, deadlines=QUICK, hooked=hooked)
        try:
            exchange = await client.post("/v1/models/pika/pikaframes", BODY, begin=begin)
        finally:
            await client.aclose()
        return sort_submit(exchange, attempt="a1", now=0.0)

    return asyncio.run(main())


def server(fault: Fault | None = None) -> OutsideServer:
    route = "connect" if fault is not None and fault.at is At.CONNECT else "submit"
    faults = Script({(route, 1): fault} if fault else {})
    return OutsideServer(Settings(slots=4, service=0.05, token=TOKEN.reveal()), faults=faults)


EXPECTED: dict[str, tuple[type, ...]] = {
    # A connection that the other end drops at once may be noticed before or after our first byte.
    "closed on connect": (LostContact, NotSent),
    "reset on connect": (LostContact, NotSent),
    "413 in mid-body": (Refused, LostContact),
    "late": (Accepted,),
    "dripping": (Accepted,),
    "closed while idle": (Accepted,),
    "429 with Retry-After": (RefusedForNow,),
    # The id was read to its end before the answer broke off.
    "body cut by FIN": (Accepted,),
    "body cut by RST": (Accepted, LostContact),
    "body stalls": (Accepted,),
}


@pytest.mark.parametrize("name", BASIC)
def test_every_fault_is_sorted_and_what_may_be_charged_is_never_called_unsent(name: str) -> None:
    with server(BASIC[name]) as outside:
        answer = submit(outside.url)
        charged = len(outside.ledger())
    assert isinstance(answer, EXPECTED.get(name, (LostContact,))), answer
    if charged:
        assert isinstance(answer, Accepted | LostContact)
    if isinstance(answer, NotSent | Refused | RefusedForNow | AccountTurnedAway):
        assert charged == 0


@pytest.mark.parametrize("hooked", [True, False])
def test_intent_is_written_down_before_the_server_sees_a_byte(hooked: bool) -> None:
    seen: list[int] = []
    with server() as outside:

        async def begin() -> None:
            await asyncio.sleep(0.05)
            seen.append(outside.stats()["submits"])

        assert isinstance(submit(outside.url, begin=begin, hooked=hooked), Accepted)
        assert seen == [0]
        assert outside.stats()["submits"] == 1


class DiskFull(Exception):
    pass


@pytest.mark.parametrize("hooked", [True, False])
def test_if_intent_cannot_be_written_nothing_is_sent_and_the_failure_is_passed_on(hooked: bool) -> None:
    async def begin() -> None:
        raise DiskFull

    with server() as outside:
        with pytest.raises(DiskFull):
            submit(outside.url, begin=begin, hooked=hooked)
        assert outside.stats()["calls"].get("submit", 0) == 0


def test_a_closed_port_is_proved_unsent_without_an_intent() -> None:
    began: list[bool] = []

    async def begin() -> None:
        began.append(True)

    with server() as outside:
        url = outside.url
    assert isinstance(submit(url, begin=begin), NotSent)
    assert began == []


def test_each_post_has_a_connection_of_its_own() -> None:
    async def main(origin: str) -> None:
        client = SubmitClient(origin, TOKEN, deadlines=QUICK)
        for _ in range(3):
            await client.post("/v1/models/pika/pikaframes", BODY, begin=nothing)
        await client.aclose()

    with server() as outside:
        asyncio.run(main(outside.url))
        assert outside.stats()["calls"]["connect"] == 3
        assert outside.stats()["submits"] == 3


@pytest.mark.parametrize("hooked", [True, False])
def test_a_slow_disk_is_waited_for_and_never_cut_short(hooked: bool) -> None:
    """A flush that was cut short would leave it unknown whether the intent is on record."""

    async def begin() -> None:
        await asyncio.sleep(1.3 * QUICK.overall)

    with server() as outside:
        assert isinstance(submit(outside.url, begin=begin, hooked=hooked), Accepted)


def test_an_id_that_came_before_the_deadline_struck_is_the_receipt() -> None:
    stalls = Fault(cut=-1, end=End.STALL)
    with server(stalls) as outside:
        answer = submit(outside.url)
        (charged,) = outside.ledger()
    assert answer == Accepted("a1", charged.request_id)


def test_a_wrong_token_turns_the_account_away_and_charges_nothing() -> None:
    with server() as outside:
        assert isinstance(submit(outside.url, token=Secret("wrong")), AccountTurnedAway)
        assert outside.ledger() == []


def test_the_self_test_passes_with_the_http_client_in_use() -> None:
    assert asyncio.run(hook_holds_bytes())


def test_the_self_test_fails_where_no_socket_can_be_opened() -> None:
    """A server that listens nowhere is what asyncio gives back then; the run goes on without the hook."""

    async def listen(*arguments: Any) -> asyncio.Server:  # noqa: ANN401 - passed on as they come
        server = await asyncio.start_server(*arguments)
        server.close()
        return server

    assert not asyncio.run(hook_holds_bytes(listen=listen))


def test_the_bytes_on_the_wire_are_the_bytes_that_were_fingerprinted() -> None:
    ticket = replace(TICKET, body=TICKET.body.replace('"p"', '"é ☂ 𝄞"'))

    async def main(origin: str) -> SubmitAnswer:
        queue = RunComfyQueue(Account(origin, TOKEN, "test"), clock=SystemClock())
        try:
            return await queue.submit(ticket, attempt="a1", begin=nothing)
        finally:
            await queue.aclose()

    with server() as outside:
        assert isinstance(asyncio.run(main(outside.url)), Accepted)
        assert outside.ledger()[0].sha256 == hashlib.sha256(ticket.body.encode()).hexdigest()
