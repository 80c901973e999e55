"""An API with a script: what it answers to each take, a ledger of what it charged, a history of every call.

In: one `JobScript` per take, and calls. Out: answers like the real adapter's, after a moment of the loop's time. Jobs
age by that time too. It knows no HTTP, and not what its callers do with an answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain.api_answers import (
    CancelAnswer,
    FailureKind,
    JobStatus,
    LookAnswer,
    NotReady,
    RequestFailure,
    ResultAnswer,
    StatusReply,
    SubmitAnswer,
)
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, Ended, LostContact, NotSent, TakeState


@dataclass(frozen=True, slots=True)
class JobScript:
    """What the scripted API does with one take.

    `submits` are answered first, in order (a callable gets the attempt id); then it accepts. The job is queued for
    `queued` seconds, runs for `runs`, and its result is `ending`. `looks` are answered before the true status is.
    """

    submits: Sequence[Callable[[str], SubmitAnswer]] = ()
    queued: float = 1.0
    runs: float = 4.0
    ending: Ended = field(
        default_factory=lambda: Ended(TakeState.SUCCEEDED, "{}", ("https://files.example/clip.mp4",))
    )
    looks: Sequence[LookAnswer] = ()
    results: Sequence[ResultAnswer] = ()
    lost_but_accepted: bool = False


@dataclass(slots=True)
class _Job:
    take_id: str
    script: JobScript
    accepted_at: float
    looks: list[LookAnswer]
    results: list[ResultAnswer]


class ScriptedQueue:
    """An API with a script per take, a ledger of what it accepted and a history of every call."""

    def __init__(
        self, scripts: Mapping[str, JobScript] | None = None, *, probes: Iterable[RequestFailure] = ()
    ) -> None:
        self._scripts = dict(scripts or {})
        self._tries: Counter[str] = Counter()
        self._jobs: dict[str, _Job] = {}
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

    async def submit(
        self, ticket: Ticket, *, attempt: str, begin: Callable[[], Awaitable[None]]
    ) -> SubmitAnswer:
        """Await `begin`, then answer by the script."""
        script = self._scripts.get(ticket.take_id, JobScript())
        answer = self._scripted_submit(script, ticket.take_id, attempt)
        if not isinstance(answer, NotSent):
            await begin()
        self._note("submit", ticket.take_id)
        await asyncio.sleep(0.01)
        if answer is not None:
            if isinstance(answer, LostContact) and script.lost_but_accepted:
                self._accept(ticket.take_id, script)
            return answer
        return Accepted(attempt, self._accept(ticket.take_id, script))

    def _scripted_submit(self, script: JobScript, take_id: str, attempt: str) -> SubmitAnswer | None:
        turn = self._tries[take_id]
        self._tries[take_id] += 1
        return script.submits[turn](attempt) if turn < len(script.submits) else None

    def _accept(self, take_id: str, script: JobScript) -> str:
        request_id = f"req-{len(self._jobs) + 1}"
        self._jobs[request_id] = _Job(take_id, script, self._now(), list(script.looks), list(script.results))
        self.peak = max(self.peak, sum(1 for job in self._jobs.values() if not self._ended(job)))
        return request_id

    def adopt(self, ticket: Ticket) -> None:
        """Add the job of a ticket that an earlier run submitted, as if accepted just now."""
        assert ticket.request_id is not None
        script = self._scripts.get(ticket.take_id, JobScript())
        self._jobs[ticket.request_id] = _Job(
            ticket.take_id, script, self._now(), list(script.looks), list(script.results)
        )

    async def look(self, request_id: str) -> LookAnswer:
        """Answer by the script, then by the job's age."""
        self._note("look", request_id)
        await asyncio.sleep(0.01)
        job = self._jobs.get(request_id)
        if job is None:
            return RequestFailure(FailureKind.MISSING, "unknown request")
        if job.looks:
            return job.looks.pop(0)
        if self._ended(job):
            return StatusReply(JobStatus.ENDED, "completed")
        running = self._now() - job.accepted_at >= job.script.queued
        return (
            StatusReply(JobStatus.RUNNING, "in_progress")
            if running
            else StatusReply(JobStatus.QUEUED, "in_queue", 1)
        )

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> ResultAnswer:  # noqa: ARG002 - no record names one
        """Answer by the script, then with the job's ending once it has ended."""
        self._note("result", request_id)
        await asyncio.sleep(0.01)
        job = self._jobs.get(request_id)
        if job is None:
            return RequestFailure(FailureKind.MISSING, "unknown request")
        if job.results:
            return job.results.pop(0)
        return job.script.ending if self._ended(job) else NotReady("in_progress")

    async def cancel(self, request_id: str) -> CancelAnswer | RequestFailure:
        """Say that nothing can be cancelled."""
        self._note("cancel", request_id)
        known = request_id in self._jobs
        return (
            CancelAnswer("not_cancellable")
            if known
            else RequestFailure(FailureKind.MISSING, "unknown request")
        )

    async def probe(self, model: str) -> RequestFailure | None:
        """Answer with the next scripted trouble, then that all is well."""
        self._note("probe", model)
        return self._probes.pop(0) if self._probes else None

    def _ended(self, job: _Job) -> bool:
        return self._now() - job.accepted_at >= job.script.queued + job.script.runs

    def _note(self, verb: str, what: str) -> None:
        self.history.append((self._now(), verb, what))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
