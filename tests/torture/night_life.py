"""Virtual nights as they are lived: processes that run, die and begin again on one machine, before one service.

In: a plan, which says everything that will happen. Out: a `Morning` with the ledger and the record. A kill takes the
process's tasks, what it had not yet made durable, and nothing else. It judges nothing.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

from runner.domain.run_ending import Ending, EndingKind
from runner.domain.states import LostContact
from runner.engine.engine import Engine
from runner.engine.options import EngineOptions
from runner.engine.testing import Recorder
from tests.torture.night_api import Fates, NightApi, Spell
from tests.torture.night_line import Line, NightDelivery
from tests.torture.night_record import NightJournal, Stopped
from tests.virtual_time import VirtualClock, run_virtual

_LONGEST = 10 * 24 * 3600.0
_MOST_LIVES = 80


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that will happen in one night; times are seconds from its beginning."""

    seed: int
    takes: int
    jobs: int
    fates: Fates
    weather: tuple[Spell, ...] = ()
    kills: tuple[float, ...] = ()
    sleeps: tuple[tuple[float, float], ...] = ()
    jumps: tuple[tuple[float, float], ...] = ()


@dataclass(slots=True)
class Morning:
    """What a night left behind."""

    plan: Plan
    api: NightApi
    journal: NightJournal
    fetches: NightDelivery
    kills: int = 0
    held_by_kills: int = 0
    held_per_kill: int = 0
    held_per_life: int = 0
    lives: list[float] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def live(plan: Plan) -> Morning:
    """Live through a night, and the days after until all is done."""
    return run_virtual(_live(plan))


async def _live(plan: Plan) -> Morning:
    api = NightApi(seed=plan.seed, weather=plan.weather, fates=plan.fates)
    journal = NightJournal(f"s{number:04}" for number in range(plan.takes))
    morning = Morning(plan, api, journal, NightDelivery(api))
    clock = VirtualClock()
    chance = random.Random(f"{plan.seed}/lives")
    _plan_the_machine(plan, api, clock)
    kills = list(plan.kills)
    while journal.unfinished() and len(morning.lives) < _MOST_LIVES and api.now() < _LONGEST:
        kill = next((at for at in kills if at > clock.monotonic()), None)
        ending = await _one_life(morning, clock, kill, chance)
        if ending is None:
            kills = [at for at in kills if kill is None or at > kill]
            await asyncio.sleep(chance.uniform(1, 600))
        elif ending.kind is not EndingKind.FINISHED or morning.journal.unfinished():
            # A person comes, sees what is held, and runs the same command again.
            journal.settle_held(api, at=clock.wall())
            await asyncio.sleep(chance.uniform(60, 1800))
    return morning


def _plan_the_machine(plan: Plan, api: NightApi, clock: VirtualClock) -> None:
    loop = asyncio.get_running_loop()

    def sleep(seconds: float) -> None:
        api.machine_slept(seconds)
        clock.set_wall(clock.wall() + seconds)

    for at, seconds in plan.sleeps:
        loop.call_later(at, sleep, seconds)

    def jump(seconds: float) -> None:
        clock.set_wall(clock.wall() + seconds)

    for at, seconds in plan.jumps:
        loop.call_later(at, jump, seconds)


async def _one_life(
    morning: Morning, clock: VirtualClock, kill: float | None, chance: random.Random
) -> Ending | None:
    """Run one process to its end, or to its death; None says that it was killed."""
    journal = morning.journal
    held = journal.begin(at=clock.wall())
    if morning.lives:
        morning.held_by_kills += len(held)
        morning.held_per_kill = max(morning.held_per_kill, len(held))
    morning.lives.append(morning.api.now())
    before = len(journal.written)
    door = Stopped(journal)
    engine = Engine(
        journal.tickets(),
        queue=Line(morning.api, clock),
        journal=door,
        delivery=morning.fetches,
        clock=clock,
        listener=Recorder(),
        options=EngineOptions(jobs=morning.plan.jobs),
        epoch=journal.epoch,
        chance=chance.random,
        new_attempt=lambda: f"{chance.randrange(1 << 64):016x}",
    )
    others = asyncio.all_tasks()
    task = asyncio.create_task(engine.run())
    await asyncio.wait({task}, timeout=None if kill is None else kill - clock.monotonic())
    if not task.done() and chance.random() < 0.7:
        await _next_post(morning.api, task, chance)
    lost = sum(1 for entry in journal.written[before:] if isinstance(entry.fact, LostContact))
    morning.held_per_life = max(morning.held_per_life, lost)
    if task.done():
        return task.result()
    morning.kills += 1
    door.dead = True
    journal.die()
    await end_of_a_process(asyncio.all_tasks() - others)
    return None


async def _next_post(api: NightApi, task: asyncio.Task[Ending], chance: random.Random) -> None:
    """Wait until a POST is in the air, where a kill hurts most, or the run ends."""
    api.posting.clear()
    begun = asyncio.create_task(api.posting.wait())
    await asyncio.wait({task, begun}, return_when=asyncio.FIRST_COMPLETED)
    begun.cancel()
    await asyncio.wait({task}, timeout=chance.uniform(0, 0.4))


async def end_of_a_process(tasks: set[asyncio.Task[object]]) -> None:
    """End every task of a process; nothing they say on the way out is heard any more."""
    for _ in range(50):
        left = {task for task in tasks | asyncio.all_tasks() if not task.done()} - {asyncio.current_task()}
        if not left:
            break
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=0.001)
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
