"""Decides the whole course of a job when it is accepted, so that its phase depends on the time alone.

In: an accepted body, a clock, a seed. Out: a frozen `Job` with its start, its end and its outcome. Nothing about a job
changes while it runs, so a record of its acceptance is enough to restore it after a restart.
It knows no HTTP, no file and no clip.
"""

from __future__ import annotations

import hashlib
import heapq
import secrets
import uuid
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum


class JobOutcome(StrEnum):
    """How a job will end; all but `SUCCEEDS` have the name of the fault that causes them."""

    SUCCEEDS = "succeeds"
    FAILS = "fails"
    MODERATION = "moderation"
    NEVER_ENDS = "never-ends"


class ClipFlaw(StrEnum):
    """What is wrong with the clip of a job that succeeds, under the name of the fault that causes it."""

    SMALL = "clip-small"
    SHORT = "clip-short"
    BLACK = "clip-black"
    FROZEN = "clip-frozen"
    CUT = "clip-cut"


class Phase(StrEnum):
    """The phase of a job, in the API's words; `ENDED` does not mean success."""

    QUEUED = "in_queue"
    RUNNING = "in_progress"
    ENDED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Job:
    """One accepted submit, which is one charge.

    `body` is the request's text verbatim, and `body_sha256` is the hash of its bytes; `owner` identifies its token.
    Moments are unix seconds; `ends_at` is None for a job that never ends. `price` is in millionths of a dollar.
    `file` is the name of its output, and `flaw` is what is wrong with it.
    """

    request_id: str
    model: str
    body: str
    body_sha256: str
    owner: str
    price: int
    accepted_at: float
    started_at: float
    ends_at: float | None
    fate: JobOutcome
    file: str
    cancelled_at: float | None = None
    flaw: ClipFlaw | None = None

    def phase(self, now: float) -> Phase:
        """Return the phase of the job at `now`."""
        if self.cancelled_at is not None:
            return Phase.CANCELLED
        if now < self.started_at:
            return Phase.QUEUED
        return Phase.RUNNING if self.ends_at is None or now < self.ends_at else Phase.ENDED

    @property
    def over_at(self) -> float | None:
        """Return the moment at which the job is over, however it ends."""
        return self.ends_at if self.cancelled_at is None else self.cancelled_at


def new_request_id() -> str:
    """Return an id like those of the API: opaque, and never the same twice."""
    return str(uuid.uuid4())


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Decides the fate of each accepted body, and assigns the slots in which jobs run; it is for one thread.

    The n-th submit of the same body to the same model takes equally long and ends equally, whatever came between.
    """

    clock: Callable[[], float]
    speed: float = 1.0
    slots: int = 64
    seed: int = 0
    fail_rate: float = 0.0
    new_id: Callable[[], str] = new_request_id
    _free_from: list[float] = field(init=False)
    _starts: list[float] = field(default_factory=list)
    _seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._free_from = [0.0] * self.slots

    def decide(
        self,
        model: str,
        body: bytes,
        *,
        owner: str,
        price: int,
        seconds: float,
        fate: JobOutcome | None = None,
        flaw: ClipFlaw | None = None,
        ending: str = ".mp4",
    ) -> Job:
        """Return the new job for a body that asks for `seconds` of clip; a given `fate` or `flaw` overrides luck.

        `ending` is that of the name of its file.
        """
        now = self.clock()
        digest = hashlib.sha256(body).hexdigest()
        who = (model, digest, self._seen[model, digest])
        if flaw is not None:
            fate = JobOutcome.SUCCEEDS
        if fate is None:
            fails = chance(self.seed, "fails", *who) < self.fail_rate
            fate = JobOutcome.FAILS if fails else JobOutcome.SUCCEEDS
        wait = between(0.3, 0.8, chance(self.seed, "queue", *who)) / self.speed
        start = max(now + wait, self._free_from[0])
        # A run's length depends on the model's own pace, the length of the clip, and luck.
        pace = between(0.8, 1.3, chance(0, "pace", model))
        length = pace * between(0.8, 1.6, chance(self.seed, "length", *who)) * seconds / 5.0 / self.speed
        job = Job(
            request_id=self.new_id(),
            model=model,
            body=body.decode("utf-8", "replace"),
            body_sha256=digest,
            owner=owner,
            price=price,
            accepted_at=now,
            started_at=start,
            ends_at=None if fate is JobOutcome.NEVER_ENDS else start + length,
            fate=fate,
            file=secrets.token_hex(16) + ending,
            flaw=flaw,
        )
        self.admit(job)
        return job

    def admit(self, job: Job) -> None:
        """Give a decided job its slot and its place in the queue.

        This also restores the jobs of an earlier simulator, in the order in which they were accepted.
        """
        self._seen[job.model, job.body_sha256] += 1
        heapq.heapreplace(self._free_from, float("inf") if job.ends_at is None else job.ends_at)
        if job.cancelled_at is None:
            insort(self._starts, job.started_at)

    def withdraw(self, job: Job) -> None:
        """Remove a cancelled job from the queue; its slot stays reserved, since the other starts are decided."""
        self._starts.remove(job.started_at)

    def ahead_of(self, job: Job, now: float) -> int:
        """Return how many waiting jobs start before this one; the number falls over time."""
        return max(bisect_left(self._starts, job.started_at) - bisect_right(self._starts, now), 0)


def chance(seed: int, *decision: object) -> float:
    """Return a number in [0, 1) that depends on the seed and on the decision's words alone."""
    words = "\x1f".join(str(word) for word in (seed, *decision))
    digest = hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64 * (1.0 - 2.0**-53)


def between(low: float, high: float, luck: float) -> float:
    """Return the point of [low, high) for `luck` in [0, 1)."""
    return low + (high - low) * luck
