"""Fakes for tests, ours and other people's: an API with a script, a journal and a downloader in memory, virtual time.

They fit the engine's Protocols and pass the same conformance tests as the real adapters. Nothing here sleeps for
real: `run_virtual` runs a coroutine on an event loop whose clock jumps to the next timer when all are waiting.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from runner.answers import (
    CancelAnswer,
    FetchAnswer,
    JobStatus,
    LookAnswer,
    NotYet,
    ResultAnswer,
    Seen,
    SubmitAnswer,
    Trouble,
    TroubleKind,
)
from runner.engine.ports import Event, Journal
from runner.errors import DiskFailed, IllegalTransition, RunInUse
from runner.shots import Ticket
from runner.states import (
    Accepted,
    Adopted,
    CancelRequested,
    ClipMoved,
    CostSeen,
    Delivered,
    DeliveryState,
    Ended,
    Fact,
    FetchStarted,
    FileGone,
    KeptAsIs,
    LateAnswer,
    LostContact,
    NotSent,
    Renamed,
    SubmissionStarted,
    TakeState,
    Undeliverable,
    advance,
    advance_delivery,
)

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Never waits: where a real selector would, it moves the clock."""

    def __init__(self, jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0:
            self._jump(timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only when everything waits; a deadlock raises instead of hanging."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self._jump))

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._now

    def _jump(self, seconds: float | None) -> None:
        if seconds is None:
            raise RuntimeError("everything waits and nothing will ever happen")
        self._now += seconds


class VirtualClock:
    """The clock of a `VirtualLoop`; wall time starts at `epoch` and can be set, as a machine's can."""

    def __init__(self, *, epoch: float = 1_800_000_000.0) -> None:
        self._epoch = epoch

    def wall(self) -> float:
        """Return virtual unix time."""
        return self._epoch + self.monotonic()

    def monotonic(self) -> float:
        """Return the loop's virtual seconds."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)

    def set_wall(self, unix: float) -> None:
        """Set the wall clock, leaving monotonic time alone."""
        self._epoch = unix - self.monotonic()


def run_virtual(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` to its end in virtual time and return what it returns."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


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


@dataclass(slots=True)
class _Row:
    state: TakeState = TakeState.PENDING
    delivery: DeliveryState = DeliveryState.NONE
    request_id: str | None = None
    attempt: str | None = None
    lost: bool = False


class MemoryJournal:
    """A state file in memory: the same guards by the same table, and a list of every fact in order.

    `takes` are their ids, or a mapping of ids to recorded fingerprints, without which any fingerprint will do.
    """

    def __init__(self, takes: Iterable[str] = (), *, epoch: int = 1) -> None:
        self._prints = dict(takes) if isinstance(takes, Mapping) else {}
        self._rows = {take_id: _Row() for take_id in takes}
        self._attempts: set[str] = set()
        self._request_ids: set[str] = set()
        self.epoch = epoch
        self.facts: list[tuple[str, Fact]] = []

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:  # noqa: ARG002 - the real one keeps it
        """Append `fact` or refuse it as the state file would."""
        row = self._rows.get(take_id)
        if row is None:
            return failed(IllegalTransition(f"there is no take {take_id}"))
        try:
            self._move(take_id, row, fact)
        except (IllegalTransition, RunInUse) as error:
            return failed(error)
        self.facts.append((take_id, fact))
        return done(None)

    def _move(self, take_id: str, row: _Row, fact: Fact) -> None:
        match fact:
            case FetchStarted() | Delivered() | Undeliverable() | FileGone():
                self._move_delivery(row, fact)
                return
            case CancelRequested() | CostSeen() | LateAnswer() | Renamed() | ClipMoved() | KeptAsIs():
                return
            case SubmissionStarted():
                self._start(take_id, row, fact)
            case Accepted(request_id=request_id) | Adopted(request_id=request_id):
                self._check_attempt(row, fact)
                self._give_id(row, fact, request_id)
            case _:
                self._check_attempt(row, fact)
                row.state = advance(row.state, fact)
                row.lost = isinstance(fact, LostContact)
                if row.state is TakeState.PENDING:
                    row.request_id, row.delivery = None, DeliveryState.NONE

    def _start(self, take_id: str, row: _Row, fact: SubmissionStarted) -> None:
        if fact.epoch != self.epoch:
            raise RunInUse("another runner has taken this run over")
        if fact.fingerprint != self._prints.get(take_id, fact.fingerprint):
            raise IllegalTransition("the take's body has changed")
        if fact.attempt in self._attempts:
            raise IllegalTransition("an attempt is made once")
        row.state, row.attempt, row.lost = advance(row.state, fact), fact.attempt, False
        self._attempts.add(fact.attempt)

    @staticmethod
    def _check_attempt(row: _Row, fact: Fact) -> None:
        attempt = getattr(fact, "attempt", row.attempt)
        if attempt != row.attempt or (
            isinstance(fact, Accepted) and row.state is TakeState.HELD and not row.lost
        ):
            raise IllegalTransition("the answer belongs to another attempt")

    def _give_id(self, row: _Row, fact: Accepted | Adopted, request_id: str) -> None:
        if request_id in self._request_ids:
            raise IllegalTransition(f"request id {request_id} belongs to another attempt")
        row.state, row.request_id = advance(row.state, fact), request_id
        self._request_ids.add(request_id)

    def _move_delivery(self, row: _Row, fact: FetchStarted | Delivered | Undeliverable | FileGone) -> None:
        if row.state is not TakeState.SUCCEEDED:
            raise IllegalTransition("only a succeeded take has a clip")
        row.delivery = advance_delivery(row.delivery, fact)

    def state_of(self, take_id: str) -> tuple[TakeState, DeliveryState, str | None]:
        """Return where a take stands: its state, its delivery and its request id."""
        row = self._rows[take_id]
        return row.state, row.delivery, row.request_id

    def kinds(self, take_id: str) -> list[str]:
        """Return the names of a take's facts in order."""
        return [type(fact).__name__ for name, fact in self.facts if name == take_id]


class FailNth:
    """A journal whose n-th record fails as a full disk does, with all after it unless `once`."""

    def __init__(self, journal: Journal, n: int, *, once: bool = False) -> None:
        self._journal = journal
        self._left = n
        self._once = once

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Record, or fail if this call is to fail."""
        self._left -= 1
        if self._left == 0 or (self._left < 0 and not self._once):
            return failed(DiskFailed("the disk is full"))
        return self._journal.record(take_id, fact, at=at)


@dataclass(frozen=True, slots=True)
class JobScript:
    """What the scripted API does with one take.

    `submits` are answered first, in order (a callable gets the attempt id); then it accepts. The job is queued for
    `queued` seconds, runs for `runs`, and its result is `ending`. `looks` are answered before the truth is.
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
        self, scripts: Mapping[str, JobScript] | None = None, *, probes: Iterable[Trouble] = ()
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
        """Know the job of a ticket that an earlier run submitted, accepted just now."""
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
            return Trouble(TroubleKind.MISSING, "unknown request")
        if job.looks:
            return job.looks.pop(0)
        if self._ended(job):
            return Seen(JobStatus.ENDED, "completed")
        running = self._now() - job.accepted_at >= job.script.queued
        return Seen(JobStatus.RUNNING, "in_progress") if running else Seen(JobStatus.QUEUED, "in_queue", 1)

    async def result(self, request_id: str) -> ResultAnswer:
        """Answer by the script, then with the job's ending once it has ended."""
        self._note("result", request_id)
        await asyncio.sleep(0.01)
        job = self._jobs.get(request_id)
        if job is None:
            return Trouble(TroubleKind.MISSING, "unknown request")
        if job.results:
            return job.results.pop(0)
        return job.script.ending if self._ended(job) else NotYet("in_progress")

    async def cancel(self, request_id: str) -> CancelAnswer | Trouble:
        """Say that nothing can be cancelled."""
        self._note("cancel", request_id)
        known = request_id in self._jobs
        return CancelAnswer("not_cancellable") if known else Trouble(TroubleKind.MISSING, "unknown request")

    async def probe(self, model: str) -> Trouble | None:
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


class MemoryDelivery:
    """Delivers at once, by a script of answers per take where there is one."""

    def __init__(self, scripts: Mapping[str, Sequence[FetchAnswer]] | None = None) -> None:
        self._scripts = {take_id: list(answers) for take_id, answers in (scripts or {}).items()}
        self.fetched: list[tuple[str, str]] = []

    def fetch(self, ticket: Ticket) -> Future[FetchAnswer]:
        """Note which link was asked for, and answer."""
        self.fetched.append((ticket.take_id, ticket.outputs[0]))
        script = self._scripts.get(ticket.take_id)
        if script:
            return done(script.pop(0))
        return done(Delivered(f"clips/{ticket.take_id}.mp4", "0" * 64, 1))


class Recorder:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def hear(self, event: Event) -> None:
        """Keep `event`."""
        self.events.append(event)
