"""Deadlines in lived time: a pause of the process is no silence of the server, and a silent server is still left."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from runner.api.account import Secret
from runner.api.exchange import Answer, HttpOutcome, NoResponse, SendStage, SilenceKind
from runner.api.progress import Deadlines
from runner.api.read_pool import ReadPool
from runner.api.submit_client import SubmitClient
from tests.outside.faults import End, Fault, Script
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

TOKEN = "lived-token"
BODY = b'{"keyFramesFirst":"https://e.example/a","keyFramesLast":"https://e.example/b","promptText":"p"}'
SHORT = Deadlines(connect=0.5, write=0.5, read=0.5, overall=1.0)
PAUSE = 2.5
LATE = Fault(delay=0.3)
"""It answers while the process is paused, and not before."""


def server(fault: Fault, route: str = "submit") -> OutsideServer:
    return OutsideServer(Settings(slots=4, service=0.05, token=TOKEN), faults=Script({(route, 1): fault}))


async def nothing() -> None:
    pass


async def submit(origin: str, *, meanwhile: Callable[[], Awaitable[None]] = nothing) -> HttpOutcome:
    client = SubmitClient(origin, Secret(TOKEN), deadlines=SHORT)
    try:
        other = asyncio.ensure_future(meanwhile())
        exchange = await client.post("/v1/models/pika/pikaframes", BODY, begin=nothing)
        await other
        return exchange
    finally:
        await client.aclose()


async def blocked_loop() -> None:
    """Hold the loop up from just after the request has left until long after every deadline."""
    await asyncio.sleep(0.1)
    time.sleep(PAUSE)  # noqa: ASYNC251 - a blocked loop is what is tried


def test_an_answer_that_came_while_the_loop_was_blocked_is_read() -> None:
    with server(LATE) as outside:
        exchange = asyncio.run(submit(outside.url, meanwhile=blocked_loop))
        (charged,) = outside.ledger()
    assert isinstance(exchange, Answer)
    assert json.loads(exchange.body)["request_id"] == charged.request_id


def test_a_look_that_was_answered_while_the_loop_was_blocked_is_read() -> None:
    async def look(origin: str) -> HttpOutcome:
        lanes = ReadPool(origin, Secret(TOKEN), calls=1, deadlines=SHORT)
        other = asyncio.ensure_future(blocked_loop())
        try:
            return await lanes.ask("/v1/requests/nobody/status")
        finally:
            await other
            await lanes.aclose()

    with server(LATE, "status") as outside:
        assert isinstance(asyncio.run(look(outside.url)), Answer)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut=0, end=End.STALL),
        Fault(cut=40, end=End.STALL),
        Fault(drip=(1, 0.2)),
        Fault(effect=False, cut=0, end=End.STALL),
    ],
    ids=["silent", "silent in its head", "dripping", "silent without effect"],
)
def test_a_server_that_is_silent_or_drips_is_left_when_the_lived_time_is_up(fault: Fault) -> None:
    with server(fault) as outside:
        exchange = asyncio.run(submit(outside.url))
    assert isinstance(exchange, NoResponse)
    assert exchange.kind is SilenceKind.TIMEOUT
    assert exchange.milestone >= SendStage.SENT


def test_a_silent_server_is_left_although_the_loop_was_blocked_meanwhile() -> None:
    with server(Fault(cut=0, end=End.STALL)) as outside:
        exchange = asyncio.run(submit(outside.url, meanwhile=blocked_loop))
    assert isinstance(exchange, NoResponse)


_CLIENT = """
import asyncio, sys
from runner.api.exchange import Answer
from tests.integration.test_lived_time import submit

async def begun():
    print("begun", flush=True)

exchange = asyncio.run(submit(sys.argv[1], meanwhile=begun))
print(exchange.body.decode() if isinstance(exchange, Answer) else exchange)
"""


def test_an_answer_that_came_while_the_process_was_stopped_is_read() -> None:
    """A container that is paused, Ctrl-Z and `fg`, a laptop that sleeps."""
    with server(LATE) as outside:
        client = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, outside.url], stdout=subprocess.PIPE, text=True
        )
        assert client.stdout is not None
        assert client.stdout.readline() == "begun\n"
        _wait_for(lambda: outside.stats()["calls"].get("submit", 0) == 1)
        os.kill(client.pid, signal.SIGSTOP)
        time.sleep(PAUSE)
        os.kill(client.pid, signal.SIGCONT)
        said = client.communicate(timeout=30)[0]
        (charged,) = outside.ledger()
    assert json.loads(said)["request_id"] == charged.request_id


def _wait_for(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)
