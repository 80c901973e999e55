"""Jobs in a queue with so many slots, the ledger of what was accepted, and the counts that judge a client.

In: bodies that were accepted. Out: job states, an append-only ledger, statistics, and clips that are MP4
by their boxes and carry their job's id. It knows no HTTP.
"""

from __future__ import annotations

import hashlib
import random
import struct
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

Later: TypeAlias = Callable[[float, Callable[[], None]], object]
"""Calls something after so many seconds, as `loop.call_later` does."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service behaves: `service` is a job's mean time in seconds, `jitter` its spread as a share.

    `balance` and `price` are invented USD; `clip_bytes` is the size of every clip. `failing` is the share of jobs that
    end as failed. `echo` makes every answer of the API repeat the token it was asked with, as careless services do.
    So many results as `late_costs` come before any says its cost. Each job has so many `outputs`, and an id that
    `id_form` makes of 32 hex digits, such as `{}==` or `eu/{}`.
    """

    slots: int = 100
    service: float = 1.0
    jitter: float = 0.0
    seed: int = 1
    clip_bytes: int = 20_000
    token: str = "bench-token"
    balance: float = 1_000_000.0
    price: float = 0.25
    failing: float = 0.0
    echo: bool = False
    late_costs: int = 0
    outputs: int = 1
    id_form: str = "{}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One accepted submission: a charge. `at` is wall time in unix seconds, `body` what came, as text."""

    request_id: str
    model: str
    sha256: str
    body: str
    at: float


@dataclass(slots=True)
class Job:
    """One accepted job; times are wall time in unix seconds, 0 where it has not come to that.

    `fails` says beforehand whether its result will be a failure.
    """

    id: str
    model: str
    at: float
    state: str = "in_queue"
    started: float = 0.0
    done: float = 0.0
    fails: bool = False


class Jobs:
    """The queue, its ledger and its counts; only one thread may use it."""

    def __init__(self, settings: Settings, later: Later) -> None:
        self.settings = settings
        self.ledger: list[Entry] = []
        self._later = later
        self._random = random.Random(settings.seed)
        self._filler = self._random.randbytes(max(0, settings.clip_bytes))
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._bodies: Counter[tuple[str, str]] = Counter()
        self._running = self._outstanding = self._peak = 0
        self._busy = self._last_done = 0.0
        # Wall time that cannot step back, so that spans between two records are true.
        self._epoch = time.time() - time.monotonic()

    @property
    def balance(self) -> float:
        """What is left of the invented money, in USD."""
        return self.settings.balance - self.settings.price * len(self.ledger)

    def accept(self, model: str, body: bytes) -> Job:
        """Charge for a job, whatever was charged before, and queue it."""
        fails = self.settings.failing > 0 and self._random.random() < self.settings.failing
        job = Job(self.settings.id_form.format(uuid.uuid4().hex), model, self._now(), fails=fails)
        sha256 = hashlib.sha256(body).hexdigest()
        self.ledger.append(Entry(job.id, model, sha256, body.decode("utf-8", "replace"), job.at))
        self._bodies[model, sha256] += 1
        self._jobs[job.id] = job
        self._waiting.append(job)
        self._outstanding += 1
        self._peak = max(self._peak, self._outstanding)
        self._start_waiting()
        return job

    def find(self, request_id: str) -> Job | None:
        """Return the job of that id."""
        return self._jobs.get(request_id)

    def place(self, job: Job) -> int:
        """Return a waiting job's place in the queue, from 1."""
        return self._waiting.index(job) + 1

    def cancel(self, job: Job) -> bool:
        """Cancel a job that still waits; return whether that could be done."""
        if job.state != "in_queue":
            return False
        self._waiting.remove(job)
        job.state, job.done = "cancelled", self._now()
        self._outstanding -= 1
        return True

    def ends(self) -> dict[str, str]:
        """Return by id how each job ends or will end, if nobody cancels it: succeeded, failed or cancelled."""
        words = {True: "failed", False: "succeeded"}
        return {
            job.id: "cancelled" if job.state == "cancelled" else words[job.fails]
            for job in self._jobs.values()
        }

    def stats(self) -> dict[str, int | float]:
        """Return the counts: submits, bodies, outstanding jobs, work in milliseconds, first and last moment."""
        return {
            "submits": len(self.ledger),
            "distinct": len(self._bodies),
            "doubled": sum(count > 1 for count in self._bodies.values()),
            "outstanding": self._outstanding,
            "peak_outstanding": self._peak,
            "busy_ms": round(self._busy * 1000, 3),
            "first_submit": self.ledger[0].at if self.ledger else 0.0,
            "last_done": self._last_done,
        }

    def clip(self, job: Job, number: int = 1) -> bytes:
        """Return an output of the job: ftyp, moov with an mvhd, and an mdat that begins with the job's id.

        Outputs count from 1; from the second on the number follows the id, so that no two are alike.
        """
        front = _box(b"ftyp", b"isom", struct.pack(">I", 512), b"isommp42") + _box(b"moov", _MVHD)
        mark = b"" if number == 1 else b" output %d " % number
        room = max(len(job.id) + len(mark), self.settings.clip_bytes - len(front) - 8)
        return front + _box(b"mdat", (job.id.encode() + mark + self._filler)[:room])

    def _start_waiting(self) -> None:
        while self._waiting and self._running < self.settings.slots:
            job = self._waiting.popleft()
            self._running += 1
            job.state, job.started = "in_progress", self._now()
            spread = 1 + self.settings.jitter * self._random.uniform(-1, 1)
            self._later(self.settings.service * spread, partial(self._end, job))

    def _end(self, job: Job) -> None:
        job.state, job.done = "completed", self._now()
        self._running -= 1
        self._outstanding -= 1
        self._busy += job.done - job.started
        self._last_done = job.done
        self._start_waiting()

    def _now(self) -> float:
        return self._epoch + time.monotonic()


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


# Version 0, 1000 units a second, five seconds long, rate 1, volume 1, the unit matrix, next track 2.
_MATRIX = (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_MVHD = _box(b"mvhd", struct.pack(">IIIIIIH10x9I24xI", 0, 0, 0, 1000, 5000, 0x10000, 0x100, *_MATRIX, 2))
