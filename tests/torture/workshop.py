"""One board, one run directory, one virtual service, and what people and processes can do with them in any order.

In: rows, decisions, kills, weather. Out: what the real state file says afterwards, next to the service's ledger. The
engine and the file are the product's own; time is virtual and goes on between processes. It judges nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import sqlite3
from collections import Counter
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from runner.domain.errors import IllegalTransition, Position
from runner.domain.records import AttemptRecord, RunHeader, TakeRecord
from runner.domain.shots import Manifest, Plan, Take
from runner.domain.states import DeliveryState, Fact, TakeState
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.testing import Recorder, done, failed
from runner.plan.compare import compare
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.torture.night_api import Bad, Fates, NightApi, Spell
from tests.torture.night_life import end_of_a_process
from tests.torture.night_line import Line, NightDelivery
from tests.torture.night_record import MODEL
from tests.virtual_time import VirtualClock, VirtualLoop

T = TypeVar("T")
OPTIONS = EngineOptions(jobs=3, max_unknown=3, outage_limit=1800.0)
FATES = Fates(median=20.0, slow=0.05, refused=0.1, failing=0.1)
_HEADER = RunHeader(
    run_id="run-1",
    name="board",
    manifest="/boards/board.csv",
    simulated=True,
    api_base="http://127.0.0.1:1",
    created_at=1000.0,
    version="0.1",
)


class BlockingJournal:
    """The real state file, waited for on the spot: virtual time has no idea of a real flush."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self.dead = False

    def record(self, take_id: str, fact: Fact, *, at: float) -> Future[None]:
        """Record, wait, and answer with what became of it; a process that is dead is not heard."""
        if self.dead:
            return failed(IllegalTransition("this process is dead"))
        error = self._state.record(take_id, fact, at=at).exception(timeout=30)
        return failed(error) if isinstance(error, Exception) else done(None)


class Workshop:
    """Everything that one example of the state machine has; close it.

    `waived` are charges that somebody's decision gave up, `agreed` counts further charges somebody agreed to.
    """

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.clock = VirtualClock()
        self.agreed: Counter[str] = Counter()
        self.waived: set[str] = set()
        self._path = folder / "state.db"
        self._loop = asyncio.Runner(loop_factory=VirtualLoop)
        self._chance = random.Random(seed)
        self._attempts_made = 0
        self._seen: tuple[list[TakeRecord], list[AttemptRecord]] | None = None
        self.api = self.within(_api(seed))
        StateFile.create(self._path, _HEADER, Opening(patience=0.0)).close()

    def close(self) -> None:
        """End the loop."""
        self._loop.close()

    def within(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in virtual time, which goes on from where it was."""
        return self._loop.run(work)

    def pass_time(self, seconds: float) -> None:
        """Let time pass while no process runs."""
        self.within(asyncio.sleep(seconds))

    def cloud(self, bad: Bad, *, seconds: float, share: float) -> None:
        """Begin a spell of bad weather, in place of any other."""
        now = self.within(_now(self.api))
        self.api.weather = (Spell(bad, now, now + seconds, share),)

    # -- processes ---------------------------------------------------------------------------------------------

    def run(self, rows: Mapping[str, int], *, killed_after: float | None = None) -> list[str]:
        """Be one process, from opening the file on; return the takes that it found abandoned."""
        return self.within(self._run(rows, killed_after))

    async def _run(self, rows: Mapping[str, int], killed_after: float | None) -> list[str]:
        state = StateFile.open(self._path, Opening(patience=0.0))
        try:
            held = state.begin(at=self.clock.wall())
            self._adopt(state, rows)
            door = BlockingJournal(state)
            others = asyncio.all_tasks()
            task = asyncio.create_task(self._engine(state, door).run())
            await asyncio.wait({task}, timeout=killed_after)
            if task.done():
                task.result()
            else:
                door.dead = True
                await end_of_a_process(asyncio.all_tasks() - others)
            return list(held)
        finally:
            state.close()
            self._seen = None

    def _adopt(self, state: StateFile, rows: Mapping[str, int]) -> None:
        takes = [_take(take_id, version) for take_id, version in rows.items()]
        text = json.dumps(rows)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        manifest = Manifest("board", "board.csv", text, sha256, columns=("id",))
        self._seen = None
        found = compare(takes, self.records())
        state.adopt_plan(Plan(manifest, tuple(takes)), renew=found.renewed, at=self.clock.wall())

    def _engine(self, state: StateFile, door: BlockingJournal) -> Engine:
        return Engine(
            state.tickets(),
            queue=Line(self.api, self.clock),
            journal=door,
            delivery=NightDelivery(self.api),
            clock=self.clock,
            listener=Recorder(),
            options=OPTIONS,
            epoch=state.epoch,
            chance=self._chance.random,
            new_attempt=self._attempt,
        )

    def _attempt(self) -> str:
        self._attempts_made += 1
        return f"attempt-{self._attempts_made}"

    def tell(self, take_id: str, fact: Fact) -> None:
        """Record a person's word while nothing runs.

        Raises: IllegalTransition where the table forbids it.
        """
        at = self.within(_wall(self.clock))
        self._seen = None
        with StateFile.open(self._path, Opening(patience=0.0)) as state:
            state.record(take_id, fact, at=at).result(timeout=30)

    # -- looking -----------------------------------------------------------------------------------------------

    def records(self) -> list[TakeRecord]:
        """Return every take on record."""
        return self._look()[0]

    def attempts(self, take_id: str) -> list[AttemptRecord]:
        """Return the attempts of one take."""
        return [attempt for attempt in self._look()[1] if attempt.take_id == take_id]

    def _look(self) -> tuple[list[TakeRecord], list[AttemptRecord]]:
        """Read the file once after each change; looking is most of what this test does."""
        if self._seen is None:
            with open_reader(self._path) as reader:
                takes = reader.takes()
                self._seen = takes, [made for take in takes for made in reader.attempts(take.take_id)]
        return self._seen

    def those(self, *states: TakeState) -> list[TakeRecord]:
        """Return the takes in some states."""
        return [record for record in self.records() if record.state in states]

    def unknown_charges(self, take_id: str) -> list[str]:
        """Return the charges of a take whose ids nobody recorded or gave up."""
        known = {attempt.request_id for attempt in self.attempts(take_id)} | self.waived
        return [charge for charge in self.api.charges_of(take_id) if charge not in known]

    def unfinished(self) -> list[TakeRecord]:
        """Return the takes that another run, or a person, has to bring to their end."""
        return [record for record in self.records() if _is_unfinished(record)]

    def damage(self) -> str:
        """Return what SQLite says is wrong with the file, empty for nothing."""
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchall()
        return "" if found == [("ok",)] else str(found)


def _take(take_id: str, version: int) -> Take:
    body = json.dumps({"promptText": take_id, "version": version})
    fingerprint = hashlib.sha256(body.encode()).hexdigest()
    return Take(take_id, take_id, MODEL, body, fingerprint, None, {}, Position("board.csv", 2))


def _is_unfinished(record: TakeRecord) -> bool:
    if record.position is None and record.state is TakeState.PENDING:
        return False
    if record.state is TakeState.SUCCEEDED:
        return record.delivery is not DeliveryState.DELIVERED
    return record.state not in {TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED}


async def _api(seed: int) -> NightApi:
    return NightApi(seed=seed, fates=FATES)


async def _now(api: NightApi) -> float:
    return api.now()


async def _wall(clock: VirtualClock) -> float:
    return clock.wall()
