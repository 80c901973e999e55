"""Jobs of drawn lengths at an API in memory, which the real engine watches in virtual time: its looks are counted."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from runner.domain import api_answers as answers
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, Ended, TakeState
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.ports import Begin
from runner.engine.testing import MemoryDelivery, MemoryJournal, Recorder
from tests.virtual_time import VirtualClock, run_virtual

MODEL = "pika/pikaframes"


def spread_evenly(takes: int, seconds: float, *, share: float = 0.3, seed: int = 1) -> list[float]:
    """Return the seconds that so many jobs take, even within `seconds` ± `share` of it; the same each time."""
    chance = random.Random(seed)
    return [seconds * (1.0 + share * (2.0 * chance.random() - 1.0)) for _ in range(takes)]


def least_makespan(durations: Iterable[float], *, cap: int) -> float:
    """Return the seconds to do such jobs in this order if each begins the moment that one of `cap` places is free."""
    places = [0.0] * cap
    for seconds in durations:
        heapq.heapreplace(places, places[0] + seconds)
    return max(places)


class DrawnJobs:
    """An API whose jobs take the durations given, in the order of their submission; fits the engine's `Queue`.

    Every answer comes `away` seconds after its request, and is about the moment in the middle. Its records say how long
    a job took only if `tells`.
    """

    def __init__(self, durations: Iterable[float], *, away: float = 0.0, tells: bool = False) -> None:
        self._durations = iter(durations)
        self._way = away / 2.0
        self._tells = tells
        self._ends: dict[str, tuple[float, float]] = {}
        self._first, self._going = 0.0, 0
        self.looks = self.most_at_once = 0

    @property
    def makespan(self) -> float:
        """Seconds from the first submit that was accepted to the end of the last job."""
        return max(end for end, _ in self._ends.values()) - self._first

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> answers.SubmitAnswer:  # noqa: ARG002 - all are alike
        """Accept it."""
        await begin()
        await asyncio.sleep(self._way)
        seconds, now = next(self._durations), asyncio.get_running_loop().time()
        request_id = f"req-{len(self._ends) + 1}"
        self._first = self._first if self._ends else now
        self._ends[request_id] = (now + seconds, seconds)
        await asyncio.sleep(self._way)
        return Accepted(attempt, request_id)

    async def look(self, request_id: str) -> answers.LookAnswer:
        """Say whether the job has ended."""
        self.looks += 1
        self._going += 1
        self.most_at_once = max(self.most_at_once, self._going)
        await asyncio.sleep(self._way)
        has_ended = asyncio.get_running_loop().time() >= self._ends[request_id][0]
        await asyncio.sleep(self._way)
        self._going -= 1
        if has_ended:
            return answers.StatusReply(answers.JobStatus.ENDED, "completed")
        return answers.StatusReply(answers.JobStatus.RUNNING, "in_progress")

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> answers.ResultAnswer:  # noqa: ARG002 - all are alike
        """Return the record of a job that has ended."""
        await asyncio.sleep(2.0 * self._way)
        seconds = self._ends[request_id][1] if self._tells else None
        return Ended(TakeState.SUCCEEDED, "{}", ("https://files.example/clip.mp4",), seconds=seconds)

    async def cancel(self, request_id: str) -> answers.CancelAnswer | answers.RequestFailure:  # noqa: ARG002 - as above
        """Say that nothing can be cancelled."""
        return answers.CancelAnswer("not_cancellable")

    async def probe(self, model: str) -> answers.RequestFailure | None:  # noqa: ARG002 - as above
        """Say that all is well."""
        return None


@dataclass(frozen=True, slots=True)
class Watched:
    """A run that was watched: seconds from first submit to last end by the API's clock, and the looks at its jobs."""

    makespan: float
    looks: int
    most_at_once: int


def watch(
    durations: Sequence[float],
    options: EngineOptions,
    *,
    away: float = 0.0,
    tells: bool = False,
    bodies: Sequence[str] = (),
    seed: int = 1,
) -> Watched:
    """Render one take for each duration in virtual time with the real engine, and without downloads.

    `bodies` are the takes' request bodies, if it matters what they hold.
    """
    tickets = [
        Ticket(f"s{n:05}", MODEL, bodies[n] if bodies else "{}", f"print-{n}", TakeState.PENDING)
        for n in range(len(durations))
    ]

    async def main() -> Watched:
        api = DrawnJobs(durations, away=away, tells=tells)
        engine = Engine(
            tickets,
            queue=api,
            journal=MemoryJournal(each.take_id for each in tickets),
            delivery=MemoryDelivery(),
            clock=VirtualClock(),
            listener=Recorder(),
            options=replace(options, download=False),
            epoch=1,
            chance=random.Random(seed).random,
        )
        await engine.run()
        return Watched(api.makespan, api.looks, api.most_at_once)

    return run_virtual(main())
