"""Talking to the API about a run: whom to talk to, and short talks without an engine, which submit and record nothing.

In: a run directory, its header, an environment. Out: the settled `RunRequest` of such a talk, and answers as values.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from runner.api.account import BASE_VARIABLE, Account, Secret, find_account, parse_base
from runner.commands.steps.find_run import manifest_of
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.request import RunRequest
from runner.commands.steps.signals import Interrupts
from runner.domain.api_answers import FailureKind, JobStatus, RequestFailure, StatusReply
from runner.domain.errors import AccountRefused, ServiceUnavailable, ShotrunnerError, UsageError
from runner.domain.network import barred
from runner.domain.records import RunHeader, RunRecord
from runner.domain.states import Ended
from runner.engine.ports import Queue
from runner.models.registry import search_path
from runner.plan.identity import fingerprint
from runner.simulator.settings import SIMULATOR_TOKEN, SimulatorSettings
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.backoff import Backoff, Chance
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.clock import Clock
from runner.system.event_loop import new_loop
from runner.system.web_links import is_same_api

T = TypeVar("T")
Found: TypeAlias = StatusReply | Ended | RequestFailure
"""What the API says of an id: the result's record if the job has ended, else where it stands."""

_TRIES = 3
_LONGEST_WAIT = 30.0
_BACKOFF = Backoff()


def recorded_request(
    place: RunDir,
    header: RunHeader,
    *,
    environ: Mapping[str, str] = os.environ,
    api_base: str | None = None,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> RunRequest:
    """Return what it takes to talk about the jobs of a run: the API they live at, or its own simulator.

    Raises:
        UsageError: the flag or the environment names another API than the run's.
    """
    manifest = manifest_of(place, header)
    if header.simulated:
        return RunRequest(manifest, simulate=SimulatorSettings(), environ=environ, opening=opening)
    asked = api_base or environ.get(BASE_VARIABLE)
    origin = parse_base(asked) if asked else header.api_base
    if not is_same_api(origin, header.api_base):
        raise UsageError(
            f"the jobs of this run live at {header.api_base}, not at {origin}",
            advice=f"leave out --api-base and unset {BASE_VARIABLE}",
        )
    return RunRequest(manifest, api_base=origin, environ=environ, opening=opening)


@contextmanager
def account_of(request: RunRequest, place: RunDir) -> Iterator[Account]:
    """Yield whom to talk to: the account of the environment, or a simulator that runs as long as the run.

    Raises:
        AccountRefused: there is no token.
    """
    if request.simulate is None:
        yield find_account(request.environ, base=request.api_base)
        return
    from runner.simulator.server import running

    settings = replace(
        request.simulate,
        token=SIMULATOR_TOKEN,
        ledger=request.simulate.ledger or place.simulator / "ledger.jsonl",
        clips=request.simulate.clips or place.simulator / "clips",
    )
    with open_reader(place.state_file, checked=True) as reader:
        names, estimates = reader.names(), reader.estimates()

    def slate(model: str, body: Mapping[str, JsonValue]) -> str:
        return names.get(fingerprint(model, canonical_json(dict(body))), "")

    def price(model: str, body: Mapping[str, JsonValue]) -> float | None:
        return estimates.get(fingerprint(model, canonical_json(dict(body))))

    schema_dirs = search_path(request.manifest, request.schema_dirs)
    with running(settings, schema_dirs=schema_dirs, slates=slate, prices=price) as simulator:
        yield Account(simulator.origin, Secret(SIMULATOR_TOKEN), source="the simulator")


def run_alone(session: Coroutine[Any, Any, T], *, interrupts: Interrupts | None = None) -> T:
    """Run `session` on an event loop of its own, in a thread of its own where this one has a loop: a notebook.

    That thread gets no signals, so they are sent to `interrupts`, to which the session listens.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        try:
            return _run(session)
        finally:
            # Python would complain of one that no loop could be made for.
            session.close()
    with ThreadPoolExecutor(1) as thread, interrupts.forwarding() if interrupts else nullcontext():
        return thread.submit(_run, session).result()


def _run(session: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(session)


def with_api(request: RunRequest, place: RunDir, words: Callable[[Queue], Awaitable[T]]) -> T:
    """Open a connection to the run's API, or start its simulator on its ledger, and return what `words` return.

    Raises:
        AccountRefused: there is no token.
    """
    from runner.api.client import RunComfyQueue

    async def session(queue: RunComfyQueue) -> T:
        try:
            return await words(queue)
        finally:
            await queue.aclose()

    with account_of(request, place) as account:
        return run_alone(session(RunComfyQueue(account, clock=request.clock)))


def api_is_simulator(request: RunRequest, state: StateFile, record: RunRecord) -> bool:
    """Return whether the API of a paid run says that it is a simulator, and note that where no job went elsewhere.

    Only an API on this machine is asked. The answer is shown, and makes nothing cheaper: who is asked, what is limited
    and what is kept stay those of a paid run.
    """
    if request.simulated:
        return False
    from runner.api.simulator_check import says_simulated

    said = run_alone(says_simulated(request.origin)) if request.on_this_machine else False
    if said is not None:
        state.note_simulated(said and (record.nothing_paid or not record.sent))
    return bool(said)


async def answers_within(patience_s: float, questions: Mapping[str, Coroutine[Any, Any, T]]) -> dict[str, T]:
    """Ask all questions at the same time, and return the answers that came within `patience_s` seconds."""
    answers: dict[str, T] = {}

    async def ask(name: str, question: Coroutine[Any, Any, T]) -> None:
        answers[name] = await question

    with suppress(TimeoutError):
        async with asyncio.timeout(patience_s), asyncio.TaskGroup() as asking:
            for name, question in questions.items():
                asking.create_task(ask(name, question))
    return answers


async def retry_transient(
    ask: Callable[[], Awaitable[T | RequestFailure]], *, clock: Clock, chance: Chance = random.random
) -> T | RequestFailure:
    """Ask up to three times what is free to repeat, while the API is away or busy; then return the trouble."""
    for failures in range(1, _TRIES + 1):
        answer = await ask()
        if not isinstance(answer, RequestFailure) or failures == _TRIES:
            break
        if answer.kind not in {FailureKind.TRANSIENT, FailureKind.THROTTLED}:
            break
        wait = max(answer.retry_after or 0.0, _BACKOFF.delay(failures, chance=chance()))
        # A person is waiting: what takes longer is theirs to try again.
        if wait > _LONGEST_WAIT:
            break
        await clock.sleep(wait)
    return answer


async def look_up(queue: Queue, request_id: str, *, clock: Clock) -> Found:
    """Return what the API knows of an id: its result if it has ended, for the result alone decides."""
    seen = await retry_transient(lambda: queue.look(request_id), clock=clock)
    if isinstance(seen, RequestFailure) or seen.status is not JobStatus.ENDED:
        return seen
    result = await retry_transient(lambda: queue.result(request_id), clock=clock)
    return result if isinstance(result, Ended | RequestFailure) else seen


async def account_is_refused(queue: Queue, trouble: RequestFailure, *, model: str, clock: Clock) -> bool:
    """Return whether `trouble` about one job is the account's: then a free question about `model` is refused too."""
    if trouble.kind is not FailureKind.ACCOUNT:
        return False
    answer = await retry_transient(lambda: queue.probe(model), clock=clock)
    return answer is not None and answer.kind is FailureKind.ACCOUNT


async def identify(queue: Queue, request_id: str, *, model: str, clock: Clock) -> Found:
    """Return what the API knows of an id that a person has named as a job of `model`.

    Raises:
        UsageError: the API takes the account but refuses to speak of this job: it is almost surely another account's.
    """
    found = await look_up(queue, request_id, clock=clock)
    if not isinstance(found, RequestFailure) or found.kind is not FailureKind.ACCOUNT:
        return found
    if await account_is_refused(queue, found, model=model, clock=clock):
        return found
    raise UsageError(
        f"the API refuses to say what request {request_id} is: {found.reason}",
        advice="look whose job it is; with --offline it is taken as it is",
    )


def unanswered(trouble: RequestFailure) -> ShotrunnerError:
    """Return the error to raise for an API that does not answer; an id it does not know is the caller's to judge."""
    if trouble.kind is FailureKind.ACCOUNT:
        return AccountRefused(
            f"the API refuses the account: {trouble.reason}", advice="put the token or the balance right"
        )
    return barred(trouble, trouble.reason) or ServiceUnavailable(
        f"the API did not answer: {trouble.reason}", advice=trouble.advice or "try again later"
    )
