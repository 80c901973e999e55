"""Talking to the API about a run that is on record, with no run going on: its account or its simulator, and no engine.

In: a run directory, its header, an environment. Out: the settled `RunRequest` of such a talk, and answers as values. It
submits nothing and records nothing.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from runner.commands.steps.find_run import manifest_of
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.request import RunRequest
from runner.commands.steps.session import account_of, run_alone
from runner.domain.api_answers import FailureKind, JobStatus, RequestFailure, StatusReply
from runner.domain.errors import AccountRefused, ServiceUnavailable, ShotrunnerError, UsageError
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import Ended
from runner.engine.ports import Queue
from runner.simulator.settings import SimulatorSettings
from runner.store.run_dir import RunDir
from runner.system.backoff import Backoff, Chance
from runner.system.clock import Clock, SystemClock
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
    environ: Mapping[str, str] | None = None,
    api_base: str | None = None,
    clock: Clock | None = None,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> RunRequest:
    """Return what it takes to talk about the jobs of a run: the API they live at, or its own simulator.

    Raises:
        UsageError: the flag or the environment names another API than the run's.
    """
    environment = os.environ if environ is None else environ
    return RunRequest(
        manifest_of(place, header),
        simulate=SimulatorSettings() if header.simulated else None,
        api_base=None if header.simulated else _base(header, api_base, environment),
        environ=environment,
        clock=clock or SystemClock(),
        opening=opening,
    )


def _base(header: RunHeader, api_base: str | None, environ: Mapping[str, str]) -> str:
    from runner.api.account import BASE_VARIABLE, parse_base

    asked = api_base or environ.get(BASE_VARIABLE)
    if not asked:
        return header.api_base
    origin = parse_base(asked)
    if not is_same_api(origin, header.api_base):
        raise UsageError(
            f"the jobs of this run live at {header.api_base}, not at {origin}",
            advice=f"leave out --api-base and unset {BASE_VARIABLE}",
        )
    return origin


def with_api(
    request: RunRequest, place: RunDir, takes: Sequence[TakeRecord], words: Callable[[Queue], Awaitable[T]]
) -> T:
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

    with account_of(request, place, takes) as account:
        return run_alone(session(RunComfyQueue(account, clock=request.clock)))


async def retry_transient(
    ask: Callable[[], Awaitable[T | RequestFailure]], *, clock: Clock, chance: Chance = random.random
) -> T | RequestFailure:
    """Ask up to three times what is free to repeat, while the API is away or busy; then return the trouble."""
    for failures in range(1, _TRIES + 1):
        answer = await ask()
        passing = isinstance(answer, RequestFailure) and answer.kind in {
            FailureKind.TRANSIENT,
            FailureKind.THROTTLED,
        }
        if not isinstance(answer, RequestFailure) or not passing or failures == _TRIES:
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
    return ServiceUnavailable(f"the API did not answer: {trouble.reason}", advice="try again later")
