"""T14: clocks that jump an hour, a day, to 1970 and to 2038, and a machine that sleeps for eight hours, at every phase.

In: a jump and a phase. Out: a verdict beside a twin night in which nothing jumps: no burst of requests, no wait for a
wall clock to come back, nothing timed out or given up that was well, and facts told in the order in which they were
written, whatever times they bear.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

from runner.domain.run_ending import Ending, EndingKind
from runner.domain.run_events import FactRecorded
from runner.domain.states import FailureClass, LostContact, RefusedForNow, TakeState
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.testing import Recorder
from tests.torture.night_api import Bad, Fates, NightApi, Spell
from tests.torture.night_life import end_of_a_process
from tests.torture.night_line import Line, NightDelivery
from tests.torture.night_record import NightJournal, Stopped
from tests.torture.registry import Verdict
from tests.virtual_time import VirtualClock, run_virtual

NAME = "T14 clocks"
PR = 0.25

SEED = 15
TAKES, JOBS = 9, 3
_FATES = Fates(median=60.0, slow=0.0, refused=0.0)
# A long throttling, a long outage and a long absence of the clips' host, so that every phase comes.
_WEATHER = (
    Spell(Bad.THROTTLED, 50.0, 250.0, 0.6),
    Spell(Bad.UNREACHABLE, 260.0, 360.0),
    Spell(Bad.CLIPS_AWAY, 370.0, 900.0),
)
_SLEEP = 8 * 3600.0
_EARLY_1970, _EARLY_2038 = 5.0, 2.0**31 + 5.0
WINDOW, WINDOW_AFTER_SLEEP = 60.0, 5.0
"""Seconds after a jump in which requests are counted; after hours of sleep there is soon real work again."""

MOST_MORE = 10
"""Requests that a jump may cause in them must be fewer."""

LOOKS_OF_A_NEW_JOB = 20
"""Looks at a job in its first minute; after a jump a pause may be over sooner, and then jobs begin sooner as well."""


@dataclass(slots=True)
class Scene:
    """One run as it goes: what the phases and jumps look at and change."""

    api: NightApi
    journal: NightJournal
    delivery: NightDelivery
    clock: VirtualClock
    heard: Recorder = field(default_factory=Recorder)
    endings: list[Ending] = field(default_factory=list)
    jumped_at: float | None = None
    took: float = 0.0

    def states(self) -> set[TakeState]:
        """Return the states in which takes are."""
        return {self.journal.state_of(name) for name in self.journal.takes}

    def wrote(self, kind: type) -> bool:
        """Return whether a fact of this kind is on record."""
        return any(isinstance(entry.fact, kind) for entry in self.journal.written)


def _by(seconds: float) -> Callable[[Scene], None]:
    return lambda scene: scene.clock.set_wall(scene.clock.wall() + seconds)


def _to(moment: float) -> Callable[[Scene], None]:
    return lambda scene: scene.clock.set_wall(moment)


def _sleep(scene: Scene) -> None:
    scene.api.machine_slept(_SLEEP)
    scene.clock.set_wall(scene.clock.wall() + _SLEEP)


JUMPS: Mapping[str, Callable[[Scene], None]] = {
    "an hour on": _by(3600.0),
    "an hour back": _by(-3600.0),
    "a day on": _by(86_400.0),
    "a day back": _by(-86_400.0),
    "to 1970": _to(_EARLY_1970),
    "to 2038": _to(_EARLY_2038),
    "asleep for 8 h": _sleep,
}

Phase: TypeAlias = Callable[[Scene], bool]


def _in(bad: Bad, scene: Scene) -> bool:
    now = scene.clock.monotonic()
    return any(spell.bad is bad and spell.begin <= now < spell.end for spell in _WEATHER)


PHASES: Mapping[str, Phase] = {
    "before anything": lambda _: True,
    "while a POST is in the air": lambda scene: scene.api.posting.is_set(),
    "while a job waits": lambda scene: TakeState.QUEUED in scene.states(),
    "while a job runs": lambda scene: TakeState.RUNNING in scene.states(),
    "between a job's end and its result": lambda scene: any(
        job.ends <= scene.api.now() and scene.journal.state_of(job.take) is TakeState.RUNNING
        for job in scene.api.ledger
    ),
    "while a clip comes": lambda scene: len(scene.delivery.fetches) > len(scene.api.clips),
    "while the API wants peace": lambda scene: scene.wrote(RefusedForNow),
    "while the API is away": lambda scene: (
        _in(Bad.UNREACHABLE, scene) and scene.api.asked[-1].verb == "probe"
    ),
    "while the clips' host is away": lambda scene: (
        _in(Bad.CLIPS_AWAY, scene) and TakeState.SUCCEEDED in scene.states()
    ),
    "near the end": lambda scene: len(scene.journal.unfinished()) == 1,
}
BETWEEN = ("between two runs", "between two runs, in a pause")
"""Here the process is killed first, and the next one begins after the jump."""


@dataclass(frozen=True, slots=True)
class Jump:
    """One jump in one phase."""

    name: str
    jump: str
    phase: str


def cases(seed: int, scale: float) -> Iterable[Jump]:
    """Return every jump in every phase; below full scale a sample of them."""
    every = [Jump(f"{jump}, {phase}", jump, phase) for phase in (*PHASES, *BETWEEN) for jump in JUMPS]
    if scale >= 1:
        return every
    return random.Random(seed).sample(every, max(4, round(len(every) * scale)))


def run(case: Jump, workdir: Path) -> Verdict:  # noqa: ARG001 - nothing is written
    """Play one jump and hold it against its twin."""
    jumped, twin = run_virtual(_play(case.phase, case.jump)), _twin(case.phase)
    charged = [job.take for job in jumped.api.ledger]
    owner = {job.request_id: job.take for job in jumped.api.ledger}
    recorded = {jumped.journal.memory.state_of(name)[2]: name for name in jumped.journal.takes}
    held = {name for name in jumped.journal.takes if jumped.journal.state_of(name) is TakeState.HELD}
    print(
        f"T14 {case.name}: {TAKES} takes in {jumped.took:.0f} s with {len(jumped.api.left_at)} requests, "
        f"without the jump in {twin.took:.0f} s with {len(twin.api.left_at)}",
        flush=True,
    )
    return Verdict(
        cases=1,
        kills=int(len(jumped.endings) == 1 and case.phase in BETWEEN),
        doubled=len(charged) - len(set(charged)),
        lost=sum(rid not in recorded and take not in held for rid, take in owner.items()),
        mispaired=sum(rid is not None and owner.get(rid) != take for rid, take in recorded.items()),
        failures=tuple(f"{case.name}: {objection}" for objection in _objections(case, jumped, twin)),
    )


@cache
def _twin(phase: str) -> Scene:
    return run_virtual(_play(phase, None))


async def _play(phase: str, jump: str | None) -> Scene:
    api = NightApi(seed=SEED, weather=_WEATHER, fates=_FATES)
    journal = NightJournal(f"s{number}" for number in range(TAKES))
    scene = Scene(api, journal, NightDelivery(api), VirtualClock())
    if phase in BETWEEN:
        await _live(scene, lambda: _dies(scene, phase))
        await asyncio.sleep(5.0)
        _strike(scene, jump)
        await _live(scene, None)
    else:
        await _live(scene, lambda: _when(scene, PHASES[phase], jump))
    scene.took = scene.clock.monotonic()
    return scene


def _strike(scene: Scene, jump: str | None) -> None:
    scene.jumped_at = scene.clock.monotonic()
    if jump is not None:
        JUMPS[jump](scene)


async def _when(scene: Scene, phase: Phase, jump: str | None) -> bool:
    """Wait for the phase, let the clock jump, and let the run go on."""
    while not phase(scene):
        await scene.clock.sleep(0.05)
    _strike(scene, jump)
    return False


async def _dies(scene: Scene, phase: str) -> bool:
    while not (scene.wrote(RefusedForNow) if "pause" in phase else TakeState.RUNNING in scene.states()):
        await scene.clock.sleep(0.05)
    return True


async def _live(scene: Scene, watcher: Callable[[], object] | None) -> None:
    """Run one process; `watcher` makes what waits for its moment, and says whether the process dies then."""
    scene.journal.begin(at=scene.clock.wall())
    door = Stopped(scene.journal)
    chance = random.Random(f"{SEED}/{scene.journal.epoch}")
    engine = Engine(
        scene.journal.tickets(),
        queue=Line(scene.api, scene.clock),
        journal=door,
        delivery=scene.delivery,
        clock=scene.clock,
        listener=scene.heard,
        options=EngineOptions(jobs=JOBS),
        epoch=scene.journal.epoch,
        chance=chance.random,
        new_attempt=lambda: f"{chance.randrange(1 << 64):016x}",
    )
    others = asyncio.all_tasks()
    task = asyncio.create_task(engine.run())
    waiting = asyncio.ensure_future(watcher()) if watcher is not None else None  # type: ignore[call-overload]
    await asyncio.wait({task} if waiting is None else {task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if waiting is not None and waiting.done() and waiting.result():
        door.dead = True
        scene.journal.die()
        await end_of_a_process(asyncio.all_tasks() - others)
        return
    scene.endings.append(await task)
    if waiting is not None:
        waiting.cancel()


def _objections(case: Jump, jumped: Scene, twin: Scene) -> Iterator[str]:
    if jumped.jumped_at is None:
        yield "the phase never came"
        return
    asleep = case.jump == "asleep for 8 h"
    window = WINDOW_AFTER_SLEEP if asleep else WINDOW
    begun = max(0.0, _begun_within(jumped, window) - _begun_within(twin, window))
    more = _asked_within(jumped, window) - _asked_within(twin, window) - round(LOOKS_OF_A_NEW_JOB * begun)
    if more >= MOST_MORE:
        yield f"{more} requests more than without the jump in the {window:.0f} s after it"
    # A pause that was asked for before the jump is stored by the wall clock, and bounded by an hour.
    patience = 3700.0 if case.phase in BETWEEN else 300.0
    if jumped.took > twin.took + patience:
        yield f"took {jumped.took:.0f} s, without the jump {twin.took:.0f} s"
    if [ending.kind for ending in jumped.endings] != [EndingKind.FINISHED]:
        yield f"ended as {jumped.endings}"
    held = sum(isinstance(entry.fact, LostContact) for entry in jumped.journal.written)
    # Sleep cuts what is in the air, and then nobody knows.
    if held > sum(isinstance(entry.fact, LostContact) for entry in twin.journal.written) + asleep:
        yield f"{held} takes were held"
    yield from _ends(jumped)
    told = [(event.take_id, event.fact) for event in jumped.heard.events if isinstance(event, FactRecorded)]
    written = [(entry.take_id, entry.fact) for entry in jumped.journal.written]
    if case.phase not in BETWEEN and told != written:
        yield "facts were told in another order than they were written"
    if [entry.seq for entry in jumped.journal.written] != list(range(len(written))):
        yield "the record is out of order"


def _asked_within(scene: Scene, window: float) -> int:
    """Count what was asked in so many seconds after the jump, by the machine's own clock."""
    begin = scene.jumped_at or 0.0
    return sum(begin <= at < begin + window for at in scene.api.left_at)


def _begun_within(scene: Scene, window: float) -> float:
    """Return how many jobs began in so many seconds after the jump, each by the share of them that was left for it."""
    begin = scene.jumped_at or 0.0
    left = [window - (at - begin) for at in scene.api.accepted_at if begin <= at < begin + window]
    return sum(left) / window


def _ends(scene: Scene) -> Iterator[str]:
    for name in scene.journal.takes:
        state, _, request_id = scene.journal.memory.state_of(name)
        job = scene.api.job(request_id or "")
        if state is TakeState.HELD:
            continue
        if job is None or (state is TakeState.SUCCEEDED) != (job.fate == "succeeded"):
            yield f"{name} is {state}, but the service says {getattr(job, 'fate', 'nothing')}"
    for entry in scene.journal.written:
        if getattr(entry.fact, "failure", None) in {FailureClass.MISSING, FailureClass.EXPIRED}:
            yield f"{entry.take_id} was given up"
