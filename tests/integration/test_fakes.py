"""The fakes pass the same conformance tests as the real adapters, so that what is proved with them holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from runner.api.account import Account, Secret
from runner.api.client import RunComfyQueue
from runner.domain.api_answers import FailureKind, JobStatus, NotReady, RequestFailure, StatusReply
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, Ended, NotSent, TakeState
from runner.engine.ports import Queue
from runner.engine.testing import JobScript, MemoryJournal, ScriptedQueue
from runner.simulator.server import running
from runner.simulator.settings import SimulatorSettings
from runner.system.clock import Clock, SystemClock
from tests.integration.journal_conformance import CASES, Case, case_id
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.virtual_time import VirtualClock, run_virtual

MODEL = "pika/pika-2-2/image-to-video"
BODY = '{"image":"https://example.com/a.jpg","seed":%d}'


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_the_memory_journal_conforms(case: Case) -> None:
    case(lambda takes: MemoryJournal({take.id: take.fingerprint for take in takes}))


def ticket(seed: int = 1) -> Ticket:
    return Ticket(f"s{seed}", MODEL, BODY % seed, f"print-{seed}", TakeState.PENDING)


class Conversation:
    """A queue to talk to, a clock that fits it, and an event loop for both."""

    def __init__(
        self, make: Callable[[], Queue], clock: Clock, run: Callable[[Coroutine[Any, Any, None]], None]
    ) -> None:
        self._make = make
        self.clock = clock
        self._run = run

    def talk(self, words: Callable[[Queue], Awaitable[None]]) -> None:
        """Say `words` to a fresh queue, and close it."""

        async def main() -> None:
            queue = self._make()
            try:
                await words(queue)
            finally:
                if isinstance(queue, RunComfyQueue):
                    await queue.aclose()

        self._run(main())


@contextmanager
def scripted() -> Iterator[Conversation]:
    script = JobScript(queued=0.2, runs=0.2)
    yield Conversation(
        lambda: ScriptedQueue({f"s{n}": script for n in range(9)}), VirtualClock(), run_virtual
    )


@contextmanager
def real(origin: str, token: str) -> Iterator[Conversation]:
    clock = SystemClock()
    yield Conversation(
        lambda: RunComfyQueue(Account(origin, Secret(token), "test"), clock=clock, calls=4),
        clock,
        asyncio.run,
    )


@contextmanager
def against_the_simulator() -> Iterator[Conversation]:
    with (
        running(SimulatorSettings(speed=4.0, render=False)) as simulator,
        real(simulator.origin, str(simulator.token)) as talk,
    ):
        yield talk


@contextmanager
def against_the_outside_server() -> Iterator[Conversation]:
    with (
        OutsideServer(Settings(slots=4, service=0.1, token="t")) as outside,
        real(outside.url, "t") as talk,
    ):
        yield talk


@pytest.fixture(
    params=[scripted, against_the_simulator, against_the_outside_server], ids=lambda made: made.__name__
)
def talk(request: pytest.FixtureRequest) -> Iterator[Conversation]:
    with request.param() as conversation:
        yield conversation


async def nothing() -> None:
    pass


async def _accepted(queue: Queue, seed: int = 1) -> str:
    answer = await queue.submit(ticket(seed), attempt=f"a{seed}", begin=nothing)
    assert isinstance(answer, Accepted)
    assert answer.attempt == f"a{seed}"
    return answer.request_id


async def _until_ended(queue: Queue, clock: Clock, request_id: str) -> list[StatusReply]:
    seen = []
    for _ in range(400):
        look = await queue.look(request_id)
        assert isinstance(look, StatusReply)
        seen.append(look)
        if look.status is JobStatus.ENDED:
            return seen
        await clock.sleep(0.02)
    raise AssertionError(f"never ended: {seen[-1]}")


def test_a_job_is_accepted_runs_and_ends_with_a_link(talk: Conversation) -> None:
    async def words(queue: Queue) -> None:
        request_id = await _accepted(queue)
        assert isinstance(await queue.result(request_id), NotReady)
        statuses = [seen.status for seen in await _until_ended(queue, talk.clock, request_id)]
        assert set(statuses) <= {JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.ENDED}
        ended = await queue.result(request_id)
        assert isinstance(ended, Ended)
        assert ended.outcome is TakeState.SUCCEEDED
        assert ended.outputs[0].startswith("http")

    talk.talk(words)


def test_every_submit_is_a_new_job(talk: Conversation) -> None:
    async def words(queue: Queue) -> None:
        assert await _accepted(queue, 1) != await _accepted(queue, 2)

    talk.talk(words)


def test_begin_is_awaited_once_before_the_answer_and_its_failure_sends_nothing(talk: Conversation) -> None:
    class Full(Exception):
        pass

    async def words(queue: Queue) -> None:
        calls: list[str] = []

        async def begin() -> None:
            calls.append("began")

        async def full() -> None:
            raise Full

        answer = await queue.submit(ticket(3), attempt="a3", begin=begin)
        assert isinstance(answer, Accepted)
        assert calls == ["began"]
        with pytest.raises(Full):
            await queue.submit(ticket(4), attempt="a4", begin=full)

    talk.talk(words)


def test_an_unknown_id_is_missing_to_every_verb(talk: Conversation) -> None:
    async def words(queue: Queue) -> None:
        for answer in (
            await queue.look("nobody"),
            await queue.result("nobody"),
            await queue.cancel("nobody"),
        ):
            assert isinstance(answer, RequestFailure)
            assert answer.kind is FailureKind.MISSING

    talk.talk(words)


def test_a_service_that_is_there_answers_a_probe(talk: Conversation) -> None:
    async def words(queue: Queue) -> None:
        assert await queue.probe(MODEL) is None

    talk.talk(words)


def test_a_service_that_is_gone_is_transient_to_reads_and_unsent_to_a_submit() -> None:
    with OutsideServer(Settings(token="t")) as outside:
        origin = outside.url

    async def words(queue: Queue) -> None:
        trouble = await queue.probe(MODEL)
        assert trouble is not None
        assert trouble.kind is FailureKind.TRANSIENT
        look = await queue.look("any")
        assert isinstance(look, RequestFailure)
        assert look.kind is FailureKind.TRANSIENT
        assert isinstance(await queue.submit(ticket(), attempt="a1", begin=nothing), NotSent)

    with real(origin, "t") as talk:
        talk.talk(words)
