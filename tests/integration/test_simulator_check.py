"""What an API says of itself over a real socket: only a plain `true` in its own answer makes it a simulator."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from runner.api.simulator_check import says_simulated
from runner.commands.steps.api_session import api_is_simulator
from runner.commands.steps.request import RunRequest
from runner.domain.states import SubmissionStarted
from runner.simulator.server import running
from runner.simulator.settings import SimulatorSettings
from runner.store.marker import is_noted_simulated
from runner.store.reader import open_reader
from tests.integration.store_samples import HEADER, make_take, new_state_file, tell

YES = b'{"simulated": true}'


def answer(body: bytes, *, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def asked(reply: bytes, *, waits: bool = False) -> tuple[bool | None, bytes]:
    """Return what is made of a server's `reply`, and the request; a server that `waits` leaves it at that."""
    received, served = bytearray(), list[asyncio.Task[None]]()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(serve(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        # A client that has seen enough leaves the rest.
        with suppress(ConnectionError):
            await (reader.read() if waits else writer.drain())
        writer.close()

    async def main() -> bool | None:
        server = await asyncio.start_server(begin, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            said = await says_simulated(f"http://127.0.0.1:{port}", patience_s=0.2 if waits else 5)
            await asyncio.gather(*served)
            return said

    return asyncio.run(main()), bytes(received)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        pytest.param(answer(YES), True, id="yes"),
        pytest.param(answer(b'{"simulated": false}'), False, id="no"),
        pytest.param(answer(b'{"simulated": 1}'), False, id="not exactly true"),
        pytest.param(answer(b'["simulated"]'), False, id="no object"),
        pytest.param(answer(b"<html>"), False, id="no JSON"),
        pytest.param(answer(b"[" * 60_000), False, id="too deep"),
        pytest.param(answer(YES, status="404 Not Found"), False, id="refused"),
        pytest.param(
            answer(YES, status="302 Found", more="Location: http://127.0.0.1:9/\r\n"), False, id="redirected"
        ),
        pytest.param(answer(YES + b" " * (64 << 10)), False, id="too long"),
        pytest.param(b"", None, id="closed"),
        pytest.param(answer(YES)[:-1], None, id="cut off"),
    ],
)
def test_only_a_plain_true_counts_and_no_token_is_sent(reply: bytes, *, said: bool | None) -> None:
    found, request = asked(reply)
    assert found is said
    assert request.startswith(b"GET / HTTP/1.1\r\n")
    assert b"authorization" not in request.lower()


def test_an_answer_that_does_not_end_is_not_waited_for() -> None:
    assert asked(b"HTTP/1.1 200 OK\r\n\r\n" + YES, waits=True)[0] is None


def test_nobody_there_is_no_answer() -> None:
    assert asyncio.run(says_simulated("http://127.0.0.1:9")) is None


def test_the_note_is_about_one_run_and_can_be_taken_back(tmp_path: Path) -> None:
    header = replace(HEADER, simulated=False)
    with new_state_file(tmp_path, [make_take("a")], header=header) as state:
        before = open_reader(state.path, checked=True)
        marks = [before.mark()]
        for simulated in (True, False):
            state.note_simulated(simulated)
            with open_reader(state.path, checked=True) as reader:
                assert reader.nothing_paid is simulated
                assert not reader.header.simulated
                marks.append(reader.mark())
            assert not is_noted_simulated(state.path, "another")
        assert marks[0] == marks[2] != marks[1]
        before.close()


def test_a_run_is_simulated_as_long_as_no_job_went_elsewhere(tmp_path: Path) -> None:
    """Without an answer what is known stays; another API takes it back."""
    header, take = replace(HEADER, simulated=False), make_take("a")
    request = RunRequest(tmp_path / "board.yaml", environ={})
    with new_state_file(tmp_path, [take], header=header) as state:

        def noted(base: str) -> tuple[bool, bool]:
            with open_reader(state.path, checked=True) as reader:
                said = api_is_simulator(replace(request, api_base=base), state, reader.record())
                return said, reader.nothing_paid

        with running(SimulatorSettings(token=None)) as simulator:
            assert noted(simulator.origin) == (True, True)
        assert noted(simulator.origin) == (False, True)
        assert noted("https://api.example.com") == (False, False)
        tell(state, SubmissionStarted("try-1", take.fingerprint, state.epoch))
        with running(SimulatorSettings(token=None)) as simulator:
            assert noted(simulator.origin) == (True, False)
