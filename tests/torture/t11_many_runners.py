"""T11: eight runners are started at once on one state file.

With the lock one of them runs and the others leave with exit code 75 within two seconds. With the lock switched off, in
a patched copy, all of them run, each beginning as a resume does, so that only the epoch keeps them apart: still nothing
is paid twice and no answer is lost.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.outside.faults import Fault
from tests.torture.life import PATIENCE, Life
from tests.torture.patches import LOCKLESS, copy_tree
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings
from tests.torture.weather import Weather

NAME = "T11 many runners"
ROUNDS = 30
RUNNERS = 8
_PER_CASE = 5
_TAKES = 8
_AT_ONCE = 2.0
_IN_USE = 75
_ANY_CODE = frozenset(range(128))


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many rounds of so many runners, with or without the lock."""

    name: str
    seed: int
    rounds: int
    runners: int
    locked: bool


def cases(seed: int, scale: float) -> Iterator[Crowd]:
    """Yield 30 rounds with the lock and 30 without, at scale 1."""
    rounds = max(1, round(ROUNDS * scale))
    for locked in (True, False):
        for number, start in enumerate(range(0, rounds, _PER_CASE)):
            name = f"{'locked' if locked else 'lockless'}-{number:02}"
            yield Crowd(name, seed * 1021 + number, min(_PER_CASE, rounds - start), RUNNERS, locked)


def run(case: Crowd, workdir: Path) -> Verdict:
    """Run the rounds on one state file, which is given more takes each time; stop early at the first finding."""
    chance, tally, done = random.Random(case.seed), Tally(), 0
    tree = REPOSITORY if case.locked else copy_tree(REPOSITORY, workdir / "tree", [LOCKLESS])
    with _rig(case, workdir / "board", tally, chance, tree) as rig:
        while done < case.rounds and not tally.found:
            done += 1
            if case.locked:
                _locked(rig, case.runners)
            else:
                _lockless(rig, case.runners, chance)
            rig.grow(rig.takes + _TAKES)
        rig.finish()
    return tally.verdict(cases=done)


def _rig(case: Crowd, folder: Path, tally: Tally, chance: random.Random, tree: Path) -> Rig:
    # With the lock the winner must outlast the start of all others, or a late one would rightly run after it.
    jobs = settings(service=0.35 * case.runners) if case.locked else settings(service=0.2, jitter=0.8)
    weather = Weather(chance.getrandbits(32), {"submit": [(0.5, Fault(delay=0.04))]})
    return Rig(folder, tally, takes=_TAKES, weather=weather, settings=jobs, tree=tree)


def _locked(rig: Rig, runners: int) -> None:
    lives = [rig.start() for _ in range(runners)]
    seconds = _seconds_lived(lives)
    codes = sorted(life.end() for life in lives)
    if codes != [0] + [_IN_USE] * (runners - 1):
        rig.complain(f"{runners} runners at once ended with {codes}")
    late = [lived for life, lived in zip(lives, seconds, strict=True) if life.code == _IN_USE]
    if late and max(late) > _AT_ONCE:
        rig.complain(f"one left after {max(late):.1f} s, not counting what it waited for a processor")
    rig.check(*lives, codes=frozenset({0, _IN_USE}))


def _seconds_lived(lives: Sequence[Life]) -> list[float]:
    """Wait for all and return how long each lived; many at once on few processors wait for those, and not for us."""
    lived: dict[int, float] = {}
    end = time.monotonic() + PATIENCE
    while len(lived) < len(lives) and time.monotonic() < end:
        for number, life in enumerate(lives):
            if number not in lived and life.over():
                lived[number] = life.unhindered()
        time.sleep(0.005)
    return [lived.get(number, PATIENCE) for number in range(len(lives))]


def _lockless(rig: Rig, runners: int, chance: random.Random) -> None:
    lives = []
    for _ in range(runners):
        lives.append(rig.start())
        time.sleep(chance.uniform(0.0, 0.05))
    for life in lives:
        life.end()
    # Whoever was overtaken may leave with any code; what counts is the money.
    rig.check(*lives, codes=_ANY_CODE)
