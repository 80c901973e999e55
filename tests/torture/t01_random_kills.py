"""T1: the command is killed with SIGKILL at random moments, again and again, while the service misbehaves.

Each case is a number of kills on boards of 30 to 60 takes; a board that is complete makes room for the next. Most
moments are spread over the work of a life, some over its start, some fall just as a request arrives at the service.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.life import Life
from tests.torture.registry import Verdict
from tests.torture.rig import QUICK, REPOSITORY, Rig, Tally
from tests.torture.weather import Weather, storm

NAME = "T1 killed at random moments"
KILLS = 600
_PER_CASE = 20
_ROUTES = ("submit", "submit", "submit", "status", "result", "file")


@dataclass(frozen=True, slots=True)
class RandomKills:
    """So many kills from one seed."""

    name: str
    seed: int
    kills: int


def cases(seed: int, scale: float) -> Iterator[RandomKills]:
    """Yield as many cases as make 600 kills at scale 1."""
    left, number = max(1, round(KILLS * scale)), 0
    while left > 0:
        yield RandomKills(f"kills-{number:03}", seed * 1009 + number, min(_PER_CASE, left))
        left, number = left - _PER_CASE, number + 1


def run(case: RandomKills, workdir: Path, *, tree: Path = REPOSITORY) -> Verdict:
    """Kill until the number is reached; stop early at the first finding."""
    chance, tally, board = random.Random(case.seed), Tally(), 0
    while tally.kills < case.kills and not tally.found:
        board += 1
        with _rig(workdir / f"board-{board}", tally, chance, tree) as rig:
            while tally.kills < case.kills and rig.unfinished and not tally.found:
                rig.check(_life(rig, chance))
            rig.finish()
    return tally.verdict()


def _rig(folder: Path, tally: Tally, chance: random.Random, tree: Path) -> Rig:
    return Rig(
        folder,
        tally,
        takes=chance.randint(30, 60),
        weather=Weather(chance.getrandbits(32), storm()),
        settings=QUICK,
        window=chance.choice((1, 1, 1, 4)),
        download=chance.random() < 0.5,
        tree=tree,
    )


def _life(rig: Rig, chance: random.Random) -> Life:
    """Live until a random moment."""
    kind = chance.random()
    if kind < 0.2:
        rig.weather.strike_at(
            chance.choice(_ROUTES), after=chance.uniform(0, 0.004), blow=lambda: life.kill()
        )
    calls = rig.weather.calls
    life = rig.start()
    if kind < 0.1:
        time.sleep(chance.uniform(0.0, 0.35))
    else:
        life.wait_until(lambda: rig.weather.calls > calls, within=3.0)
        time.sleep(chance.uniform(0.0, 0.35))
    rig.weather.forget_strike()
    life.kill()
    return life
