"""From one take to a hundred thousand: what a take costs the engine, the state file and the progress, at each size.

`python -m tests.benchmarks.scale` runs boards of 1,000 and 10,000 takes, and with `--large` of 100,000. The API is a
fake in the same process and its time is virtual; the state file, its writer thread and its flushes are real. With
`--deliver` each clip also goes through the program's delivery, whose download is a fake that answers at once. It prints
processor time and memory a take, and the exponent by which the processor time grows: 1 is a straight line. Nothing
fails for being slow.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import selectors
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from io import StringIO
from itertools import count, pairwise
from math import log
from pathlib import Path
from typing import Self, TypeVar

from runner.delivery.clip_delivery import ClipDelivery
from runner.delivery.task import DeliveryTask
from runner.domain.api_answers import (
    CancelAnswer,
    FetchAnswer,
    JobStatus,
    NotReady,
    RequestFailure,
    StatusReply,
)
from runner.domain.errors import Position
from runner.domain.records import RunHeader
from runner.domain.run_ending import EndingKind
from runner.domain.run_events import Event, FactRecorded, Listeners
from runner.domain.shots import Manifest, Plan, Take, Ticket
from runner.domain.states import Accepted, Delivered, Ended, Fact, TakeState
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.ports import Begin
from runner.output.event_json import JsonEvents
from runner.output.progress import make_progress
from runner.output.safe_stream import SafeStream
from runner.store.open_file import Opening
from runner.store.state_file import StateFile
from runner.system.clock import SystemClock
from tests.started import started
from tests.virtual_time import VirtualClock, VirtualLoop

SIZES, LARGE = (1_000, 10_000), 100_000
CAP = 200
NETWORK, JOB, SPREAD = 0.05, 60.0, 0.3
"""Seconds for one answer, seconds that a job takes, and the share by which that varies."""

MIB = 1 << 20
T = TypeVar("T")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run took: processor seconds, bytes resident at its start and at its peak, and looks a take."""

    takes: int
    cpu: float
    at_start: int
    peak: int
    looks: float


class SteadyApi:
    """An API that accepts everything and forgets a job once its result was read."""

    def __init__(self) -> None:
        self.looks = 0
        self._ends: dict[str, float] = {}
        self._numbers = count(1)
        self._chance = random.Random(7)

    async def submit(self, ticket: Ticket, *, attempt: str, begin: Begin) -> Accepted:  # noqa: ARG002 - all are alike
        """Accept it."""
        await begin()
        await asyncio.sleep(NETWORK)
        request_id = f"{next(self._numbers):032x}"
        takes = JOB * self._chance.uniform(1.0 - SPREAD, 1.0 + SPREAD)
        self._ends[request_id] = asyncio.get_running_loop().time() + takes
        return Accepted(attempt, request_id)

    async def look(self, request_id: str) -> StatusReply:
        """Say whether the job's time has passed."""
        self.looks += 1
        await asyncio.sleep(NETWORK)
        if asyncio.get_running_loop().time() >= self._ends[request_id]:
            return StatusReply(JobStatus.ENDED, "completed")
        return StatusReply(JobStatus.RUNNING, "in_progress")

    async def result(self, request_id: str, *, model: str = "", sent: str = "") -> Ended | NotReady:  # noqa: ARG002 - all are alike
        """Return a record of usual length."""
        await asyncio.sleep(NETWORK)
        del self._ends[request_id]
        link = f"https://files.example.com/{request_id}/output.mp4"
        record = f'{{"request_id": "{request_id}", "status": "completed", "output": {{"video": "{link}"}}}}'
        return Ended(TakeState.SUCCEEDED, record, (link,), cost=0.45)

    async def cancel(self, request_id: str) -> CancelAnswer | RequestFailure:  # noqa: ARG002 - no job is asked about
        """Say that it cannot be cancelled."""
        return CancelAnswer("not_cancellable")

    async def probe(self, model: str) -> RequestFailure | None:  # noqa: ARG002 - it always answers
        """Say that the service answers."""
        return None


class InstantSource:
    """Answers each download at once with a clip of its own; it fits `ClipSource`, and no file is asked for."""

    folder = Path()

    def at(self, folder: Path) -> Self:  # noqa: ARG002 - there are no files
        """Return itself."""
        return self

    def __call__(self, ticket: Ticket) -> FetchAnswer:
        """Say that the clip is there."""
        digest = sha256(ticket.outputs[0].encode()).hexdigest()
        return Delivered(f"clips/{ticket.take_id}.mp4", digest, 5_000_000)

    def sidecar_of(self, ticket: Ticket) -> str:
        """Return the usual name."""
        return f"clips/{ticket.take_id}.json"

    def read(self, ticket: Ticket, data: bytes) -> None:
        """Know no sidecar."""

    def aside(self, ticket: Ticket, data: bytes, *, number: int) -> None:
        """Know no older job."""


class Inline(Executor):
    """Runs a task in the thread that submits it, so that virtual time waits for it."""

    def submit(self, call: Callable[..., T], /, *args: object, **more: object) -> Future[T]:
        """Return what the task has returned."""
        future: Future[T] = Future()
        future.set_result(call(*args, **more))
        return future


class Unheard:
    """Counts the facts that are being recorded: while there are any, the clock must not jump."""

    def __init__(self, journal: StateFile) -> None:
        self._journal = journal
        self.left = 0

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Pass a fact on to the state file."""
        self.left += 1
        return self._journal.record(take_id, fact, at=at)

    def on_event(self, event: Event) -> None:
        """Note that the engine has learnt that a fact is durable."""
        self.left -= isinstance(event, FactRecorded)


class _PatientSelector(selectors.SelectSelector):
    """Waits really while the disk is busy, and lets the clock jump otherwise."""

    def __init__(self, is_busy: Callable[[], object], jump: Callable[[float | None], None]) -> None:
        super().__init__()
        self._is_busy = is_busy
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._is_busy():
            return super().select(timeout)
        self._jump(timeout)
        return []


class DiskLoop(VirtualLoop):
    """A loop with virtual time beside a real disk."""

    def __init__(self, is_busy: Callable[[], object]) -> None:
        self._now = 0.0
        asyncio.SelectorEventLoop.__init__(self, _PatientSelector(is_busy, self._jump))


def prepare(folder: Path, takes: int) -> None:
    """Make a state file of so many pending takes, each with a body of usual length."""
    header = RunHeader("run", "board", str(folder / "board.csv"), True, "", 0.0, "0")
    manifest = Manifest("board", "board.csv", "", "0" * 64)
    plan = Plan(manifest, tuple(_takes(takes)))
    StateFile.create(folder / "state.db", header, plan=plan).close()


def _takes(number: int) -> Iterator[Take]:
    for n in range(number):
        frames = [f"https://example.com/{n}-{side}.jpg" for side in "ab"]
        words = f"shot {n}: {'a hand opens a door, slowly; ' * 6}"
        body = json.dumps({"duration": 5, "images": frames, "promptText": words, "seed": n})
        name = f"s{n:06}"
        print_of = sha256(body.encode()).hexdigest()
        yield Take(name, name, "pika/pikaframes", body, print_of, n, {}, Position("board.csv", n))


def run(folder: Path, *, cap: int, deliver: bool) -> Figures:
    """Run all takes of the state file in `folder` to their ends; `deliver` says whether they have clips."""
    api = SteadyApi()
    began = time.process_time()
    # A run in virtual time has nothing else to do while facts wait to share a commit.
    with StateFile.open(folder / "state.db", Opening(patience=0.0005)) as state:
        state.begin(at=0.0)
        tickets = state.tickets()
        number, at_start = len(tickets), _resident()
        unheard = Unheard(state)
        clock = VirtualClock()
        log = (folder / "log").open("w")
        shown = JsonEvents(SafeStream(log), clock=clock)
        bar = make_progress(
            "bar", stream=StringIO(), started=started(total=number, done=0), clock=SystemClock()
        )

        async def main() -> EndingKind:
            engine = Engine(
                (tickets.pop() for _ in range(number)),
                queue=api,
                journal=unheard,
                delivery=ClipDelivery(Inline(), DeliveryTask(InstantSource())),
                clock=clock,
                listener=Listeners((unheard, shown, bar)),
                options=EngineOptions(jobs=cap, download=deliver),
                epoch=state.epoch,
            )
            return (await engine.run()).kind

        with asyncio.Runner(loop_factory=lambda: DiskLoop(lambda: unheard.left)) as runner, bar:
            ending = runner.run(main())
        assert ending is EndingKind.FINISHED, ending
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Figures(
        number, time.process_time() - began, at_start, used.ru_maxrss * _RSS_UNIT, api.looks / number
    )


def _resident() -> int:
    """Return the bytes resident now; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        return 0


def measured(takes: int, *, cap: int, deliver: bool) -> Figures:
    """Prepare and run a board, each in a process of its own, so that one's memory is not the other's."""
    with tempfile.TemporaryDirectory(prefix="scale-") as name:
        spawned = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawned, max_tasks_per_child=1) as process:
            process.submit(prepare, Path(name), takes).result()
            return process.submit(run, Path(name), cap=cap, deliver=deliver).result()


def main() -> int:
    """Print one line for each size, and the exponent from each size to the next."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scale", description=__doc__)
    parser.add_argument("--takes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--large", action="store_true", help=f"run {LARGE:,} takes as well")
    parser.add_argument("--cap", type=int, default=CAP, help="takes in flight")
    parser.add_argument("--deliver", action="store_true", help="deliver clips as well")
    given = parser.parse_args()
    print("| takes | cpu ms/take | looks/take | MiB at start | MiB at peak |\n|---|---|---|---|---|")
    done: list[Figures] = []
    for takes in sorted({*given.takes, *([LARGE] if given.large else [])}):
        found = measured(takes, cap=given.cap, deliver=given.deliver)
        done.append(found)
        print(
            f"| {takes:,} | {found.cpu / takes * 1000:.2f} | {found.looks:.1f}"
            f" | {found.at_start / MIB:.0f} | {found.peak / MIB:.0f} |",
            flush=True,
        )
    for less, more in pairwise(done):
        exponent = log(more.cpu / less.cpu) / log(more.takes / less.takes)
        print(f"exponent from {less.takes:,} to {more.takes:,}: {exponent:.3f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
