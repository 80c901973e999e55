"""T1: the command is killed with SIGKILL at random moments, again and again, while the service misbehaves.

Each case is a number of kills on boards of 30 to 60 takes; a board that is complete makes room for the next. Most
moments are spread over the work of a life, some over its start, some fall just as a request arrives at the service.
One case after another has a window of 1, 4 and 32, and one that adapts to a service that is far away.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.outside.faults import Fault
from tests.torture.life import Life
from tests.torture.registry import Verdict
from tests.torture.rig import QUICK, REPOSITORY, Rig, Tally
from tests.torture.weather import Weather, storm

NAME = "T1 killed at random moments"
KILLS = 600
_PER_CASE = 20
_WINDOWS = ((1, False), (4, False), (32, False), (32, True))
_FAR = 0.1
_ROUTES = ("submit", "submit", "submit", "status", "result", "file")


@dataclass(frozen=True, slots=True)
class RandomKills:
    """So many kills from one seed."""

    name: str
    seed: int
    kills: int
    window: int = 1
    adapting: bool = False


def cases(seed: int, scale: float) -> Iterator[RandomKills]:
    """Yield as many cases as make 600 kills at scale 1."""
    left, number = max(1, round(KILLS * scale)), 0
    while left > 0:
        window, adapting = _WINDOWS[number % len(_WINDOWS)]
        yield RandomKills(
            f"kills-{number:03}", seed * 1009 + number, min(_PER_CASE, left), window, adapting=adapting
        )
        left, number = left - _PER_CASE, number + 1


def run(case: RandomKills, workdir: Path, *, tree: Path = REPOSITORY) -> Verdict:
    """Kill until the number is reached; stop early at the first finding."""
    chance, tally, board = random.Random(case.seed), Tally(), 0
    while tally.kills < case.kills and not tally.found:
        board += 1
        with _rig(case, workdir / f"board-{board}", tally, chance, tree) as rig:
            while tally.kills < case.kills and rig.unfinished and not tally.found:
                rig.check(_life(rig, chance))
            rig.finish()
    return tally.verdict()


def _rig(case: RandomKills, folder: Path, tally: Tally, chance: random.Random, tree: Path) -> Rig:
    sky = storm()
    if case.adapting:
        sky = {**sky, "submit": [*sky["submit"], (1.0, Fault(delay=_FAR))]}
    return Rig(
        folder,
        tally,
        takes=chance.randint(30, 60),
        weather=Weather(chance.getrandbits(32), sky),
        settings=QUICK,
        window=case.window,
        adapting=case.adapting,
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
        # Counted in requests too, since on a busy machine the first submit may come long after the first request.
        skipped = chance.choice((0, 2, 8, 20))
        life.wait_until(lambda: rig.weather.calls > calls + skipped, within=3.0)
        time.sleep(chance.uniform(0.0, chance.choice((0.03, 0.35))))
    rig.weather.forget_strike()
    life.kill()
    return life
