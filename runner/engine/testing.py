"""Fakes for tests here and elsewhere: an API with a script, and a journal and downloads in memory.

They fit the engine's Protocols and pass the same conformance tests as the real adapters. They know no HTTP and no
file.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runner.domain import api_answers as answers
from runner.domain import states as facts
from runner.domain.errors import IllegalTransition, RunInUse
from runner.domain.run_events import Event
from runner.domain.shots import Ticket
from runner.domain.states import DeliveryState, Fact, TakeState, advance, advance_delivery
from runner.engine.ports import Begin

T = TypeVar("T")


def done(value: T) -> Future[T]:
    """Return a future that has its result already."""
    future: Future[T] = Future()
    future.set_result(value)
    return future


def failed(error: Exception) -> Future[Any]:
    """Return a future that has failed already."""
    future: Future[Any] = Future()
    future.set_exception(error)
    return future


class Recorder:
    """A listener that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)


class MemoryDelivery:
    """Delivers at once, or answers by a take's script if there is one."""

    def __init__(self, scripts: Mapping[str, Sequence[answers.FetchAnswer]] | None = None) -> None:
        self._scripts = {take_id: list(script) for take_id, script in (scripts or {}).items()}
        self.fetched: list[tuple[str, str]] = []

    def fetch(self, ticket: Ticket) -> Future[answers.FetchAnswer]:
        """Note which link was asked for, and answer."""
        self.fetched.append((ticket.take_id, ticket.outputs[0]))
        script = self._scripts.get(ticket.take_id)
        return done(script.pop(0) if script else facts.Delivered(f"clips/{ticket.take_id}.mp4", "0" * 64, 1))


@dataclass(slots=True)
class _Row:
    state: TakeState = TakeState.PENDING
    delivery: DeliveryState = DeliveryState.NONE
    request_id: str | None = None
    attempt: str | None = None
    lost: bool = False
    adopted: bool = False


def _move_delivery(row: _Row, fact: facts.DeliveryFact) -> None:
    if row.state is not TakeState.SUCCEEDED:
        raise IllegalTransition("only a succeeded take has a clip")
    row.delivery = advance_delivery(row.delivery, fact)


class MemoryJournal:
    """A state file in memory: the same guards by the same table, and a list of every fact in order.

    `takes` are ids, or a mapping of ids to recorded fingerprints; without fingerprints any will do.
    """

    def __init__(self, takes: Iterable[str] = (), *, epoch: int = 1) -> None:
        self._fingerprints = dict(takes) if isinstance(takes, Mapping) else {}
        self._rows = {take_id: _Row() for take_id in takes}
        self._attempts: set[str] = set()
        self._request_ids: set[str] = set()
        self.epoch = epoch
        self.facts: list[tuple[str, Fact]] = []

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:  # noqa: ARG002 - the real one keeps it
        """Append `fact`, or refuse it as the state file would."""
        row = self._rows.get(take_id)
        if row is None:
            return failed(IllegalTransition(f"there is no take {take_id}"))
        try:
            if isinstance(fact, facts.SubmissionStarted):
                self._start(row, fact, self._fingerprints.get(take_id, fact.fingerprint))
            elif isinstance(fact, facts.DeliveryFact):
                _move_delivery(row, fact)
            elif not isinstance(fact, facts.NoteFact):
                self._move(row, fact)
        except (IllegalTransition, RunInUse) as error:
            return failed(error)
        self.facts.append((take_id, fact))
        return done(None)

    def _start(self, row: _Row, fact: facts.SubmissionStarted, fingerprint: str) -> None:
        if fact.epoch != self.epoch:
            raise RunInUse("another runner has taken this run over")
        if fact.fingerprint != fingerprint:
            raise IllegalTransition("the take's body has changed")
        if fact.attempt in self._attempts:
            raise IllegalTransition("an attempt is made once")
        row.state, row.attempt, row.lost = advance(row.state, fact), fact.attempt, False
        self._attempts.add(fact.attempt)

    def _move(self, row: _Row, fact: facts.StateFact) -> None:
        match fact:
            case facts.Accepted() if row.state is TakeState.HELD and not row.lost:
                raise IllegalTransition("the answer belongs to another attempt")
            case facts.Accepted(request_id=request_id) | facts.Adopted(request_id=request_id):
                if request_id in self._request_ids:
                    raise IllegalTransition(f"request id {request_id} belongs to another attempt")
            case facts.AdoptionUndone() if not (row.adopted and row.request_id == fact.request_id):
                raise IllegalTransition(f"request {fact.request_id} was not adopted")
            case facts.FoundAfterAll(request_id=request_id) if request_id != row.request_id:
                raise IllegalTransition(f"request {request_id} is not the latest one")
        if getattr(fact, "attempt", row.attempt) != row.attempt:
            raise IllegalTransition("the answer belongs to another attempt")
        state = advance(row.state, fact)
        if isinstance(fact, facts.Dropped):
            row.delivery = advance_delivery(row.delivery, fact)
        row.state = state
        if isinstance(fact, facts.Accepted | facts.Adopted):
            row.request_id, row.adopted = fact.request_id, isinstance(fact, facts.Adopted)
            self._request_ids.add(fact.request_id)
            return
        row.lost = isinstance(fact, facts.LostContact | facts.AdoptionUndone)
        if isinstance(fact, facts.AdoptionUndone):
            self._request_ids.discard(fact.request_id)
            row.request_id = None
        if state is TakeState.PENDING:
            row.request_id, row.delivery = None, DeliveryState.NONE

    def state_of(self, take_id: str) -> tuple[TakeState, DeliveryState, str | None]:
        """Return where a take stands: its state, its delivery and its request id."""
        row = self._rows[take_id]
        return row.state, row.delivery, row.request_id

    def kinds(self, take_id: str) -> list[str]:
        """Return the names of a take's facts in order."""
        return [type(fact).__name__ for name, fact in self.facts if name == take_id]


_CLIP = facts.Ended(TakeState.SUCCEEDED, "{}", ("https://files.example/clip.mp4",))


@dataclass(frozen=True, slots=True)
class JobScript:
    """What the scripted API does with one take.

    `submits` are answered first, in order (a callable gets the attempt id); then it accepts. The job is queued for
    `queued` seconds, runs for `runs`, and its result is `ending`. `looks` are answered before the true status is, and
    `cancels` before it says that nothing can be cancelled; the answer `cancelled` ends the job.
    """

    submits: Sequence[Callable[[str], answers.SubmitAnswer]] = ()
    queued: float = 1.0
    runs: float = 4.0
    ending: facts.Ended = _CLIP
    looks: Sequence[answers.LookAnswer] = ()
    results: Sequence[answers.ResultAnswer] = ()
    lost_but_accepted: bool = False
    cancels: Sequence[answers.CancelAnswer | answers.RequestFailure] = ()


@dataclass(slots=True)
class _Job:
    take_id: str
    script: JobScript
    looks: list[answers.LookAnswer]
    results: list[answers.ResultAnswer]
    cancels: list[answers.CancelAnswer | answers.RequestFailure]
    accepted_at: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def age(self) -> float:
        return asyncio.get_running_loop().time() - self.accepted_at

    @property
    def has_ended(self) -> bool:
        return self.age >= self.script.queued + self.script.runs


class ScriptedQueue:
    """An API with a script per take, a ledger of what it accepted and a history of every call."""

    def __init__(
        self, scripts: Mapping[str, JobScript] | None = None, *, probes: Iterable[answers.RequestFailure] = ()
    ) -> None:
        self._scripts = dict(scripts or {})
        self._tries: Counter[str] = Counter()
        self._jobs: dict[str, _Job] = {}
        self._out: list[_Job] = []
        self._probes = list(probes)
        self.history: list[tuple[float, str, str]] = []
        self.peak = 0

    @property
    def ledger(self) -> list[str]:
        """The takes that were charged, once for each charge."""
        return [job.take_id for job in self._jobs.values()]

    def calls(self, verb: str) -> int:
        """Return how often `verb` was called."""
        return sum(1 for _, name, _ in self.history if name == verb)

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> answers.SubmitAnswer:
        """Await `begin`, then answer by the script."""
        answer = self.scripted_submit(ticket.take_id, attempt)
        if not isinstance(answer, facts.NotSent):
            await begin()
        await self._call("submit", ticket.take_id)
        if answer is None:
            return facts.Accepted(attempt, self._accept(ticket.take_id))
        if isinstance(answer, facts.LostContact) and self._script(ticket.take_id).lost_but_accepted:
            self._accept(ticket.take_id)
        return answer

    def scripted_submit(self, take_id: str, attempt: str) -> answers.SubmitAnswer | None:
        """Return the next scripted answer to a submit of a take; None accepts it."""
        turn, submits = self._tries[take_id], self._script(take_id).submits
        self._tries[take_id] += 1
        return submits[turn](attempt) if turn < len(submits) else None

    def _script(self, take_id: str) -> JobScript:
        return self._scripts.get(take_id, JobScript())

    def _accept(self, take_id: str) -> str:
        request_id = f"req-{len(self._jobs) + 1}"
        self._add(request_id, take_id)
        self._out = [job for job in self._out if not job.has_ended]
        self.peak = max(self.peak, len(self._out))
        return request_id

    def _add(self, request_id: str, take_id: str) -> None:
        script = self._script(take_id)
        job = _Job(take_id, script, list(script.looks), list(script.results), list(script.cancels))
        self._jobs[request_id] = job
        self._out.append(job)

    def adopt(self, ticket: Ticket) -> None:
        """Add the job of a ticket that an earlier run submitted, as if accepted just now."""
        assert ticket.request_id is not None
        self._add(ticket.request_id, ticket.take_id)

    async def look(self, request_id: str) -> answers.LookAnswer:
        """Answer by the script, then by the job's age."""
        job = await self._asked("look", request_id)
        if job is None:
            return answers.RequestFailure(answers.FailureKind.MISSING, "unknown request")
        if job.looks:
            return job.looks.pop(0)
        if job.has_ended:
            return answers.StatusReply(answers.JobStatus.ENDED, "completed")
        if job.age >= job.script.queued:
            return answers.StatusReply(answers.JobStatus.RUNNING, "in_progress")
        return answers.StatusReply(answers.JobStatus.QUEUED, "in_queue", 1)

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> answers.ResultAnswer:  # noqa: ARG002 - no record names one
        """Answer by the script, then with the job's ending once it has ended."""
        job = await self._asked("result", request_id)
        if job is None:
            return answers.RequestFailure(answers.FailureKind.MISSING, "unknown request")
        if job.results:
            return job.results.pop(0)
        return job.script.ending if job.has_ended else answers.NotReady("in_progress")

    async def cancel(self, request_id: str) -> answers.CancelAnswer | answers.RequestFailure:
        """Answer by the script, then that nothing can be cancelled."""
        job = await self._asked("cancel", request_id)
        if job is None:
            return answers.RequestFailure(answers.FailureKind.MISSING, "unknown request")
        answer = job.cancels.pop(0) if job.cancels else answers.CancelAnswer("not_cancellable")
        if answer == answers.CancelAnswer("cancelled"):
            ending = facts.Ended(TakeState.CANCELLED, "{}")
            job.script = JobScript(queued=0.0, runs=0.0, ending=ending)
        return answer

    async def probe(self, model: str) -> answers.RequestFailure | None:
        """Answer with the next scripted trouble, then that all is well."""
        self._note("probe", model)
        return self._probes.pop(0) if self._probes else None

    async def _asked(self, verb: str, request_id: str) -> _Job | None:
        await self._call(verb, request_id)
        return self._jobs.get(request_id)

    async def _call(self, verb: str, what: str) -> None:
        self._note(verb, what)
        await asyncio.sleep(0.01)

    def _note(self, verb: str, what: str) -> None:
        self.history.append((asyncio.get_running_loop().time(), verb, what))
