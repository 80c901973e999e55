"""Hunts: ways to make a bug show itself within a number of kills, each on boards of its own until something is found.

In: a source tree, a folder, a tally. Out: the tally, with whatever the core check and the rules of the wire found. A
hunt does not know which bug it is after.
"""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.outside.faults import BASIC, Fault, Reply
from tests.torture import t23_lost_places, t24_clips, t25_cliff
from tests.torture.rig import Rig, Tally
from tests.torture.t23_lost_places import LostPlace, When
from tests.torture.t24_clips import Clips
from tests.torture.t25_cliff import Cliff
from tests.torture.weather import RETRY_SOON, UNKNOWN_ID, Chances, Weather, storm

LIVES = 30
_ANY_CODE = frozenset(range(128))


@dataclass(frozen=True, slots=True)
class Hunt:
    """One way to hunt: weather, how a life is ended, and how many takes a board has."""

    name: str
    live: Callable[[Rig, random.Random], None]
    chances: Chances = field(default_factory=dict)
    takes: int = 16
    window: int = 1
    control_lives: int = 10

    def go(self, tree: Path, folder: Path, tally: Tally, chance: random.Random, *, lives: int = LIVES) -> int:
        """Hunt until something is found or `lives` are spent; return how many were."""
        spent = 0
        while spent < lives and not tally.found:
            weather = Weather(chance.getrandbits(32), self.chances)
            place = folder / f"board-{spent:02}"
            with Rig(place, tally, takes=self.takes, weather=weather, window=self.window, tree=tree) as rig:
                while spent < lives and rig.unfinished and not tally.found:
                    spent += 1
                    self.live(rig, chance)
                if not tally.found:
                    rig.finish()
        return spent


@dataclass(frozen=True, slots=True)
class Replay:
    """A hunt that plays cases of another test, each of `lives_each` lives, in a folder, for a tally, with luck."""

    name: str
    play: Callable[[Path, Tally, random.Random, Path], None]
    lives_each: int
    control_lives: int = 1

    def go(self, tree: Path, folder: Path, tally: Tally, chance: random.Random, *, lives: int = LIVES) -> int:
        """Play until something is found or `lives` are spent; return how many were."""
        spent = 0
        while spent < lives and not tally.found:
            self.play(folder / f"case-{spent:02}", tally, chance, tree)
            spent += self.lives_each
        return spent


def _lost(loss: str, when: When) -> Callable[[Path, Tally, random.Random, Path], None]:
    def play(folder: Path, tally: Tally, chance: random.Random, tree: Path) -> None:
        seed = chance.getrandbits(32)
        t23_lost_places.play(LostPlace(loss, seed, loss, when), folder, tally, tree=tree)

    return play


def _clips(folder: Path, tally: Tally, chance: random.Random, tree: Path) -> None:
    t24_clips.play(Clips("clips", chance.getrandbits(32), outputs=2), folder, tally, tree=tree)


def _half_failing(folder: Path, tally: Tally, chance: random.Random, tree: Path) -> None:
    t25_cliff.play(Cliff("looks", chance.getrandbits(32), "looks", 0.5), folder, tally, tree=tree)


def _killed_at_random(rig: Rig, chance: random.Random) -> None:
    calls = rig.weather.calls
    life = rig.start()
    life.wait_until(lambda: rig.weather.calls > calls, within=5.0)
    life.wait_until(lambda: False, within=chance.uniform(0.0, 0.5))
    life.kill()
    rig.check(life)


def _killed_in_flight(rig: Rig, chance: random.Random) -> None:
    """Die just as a request arrives: nothing that was still to be done after it is done."""
    rig.weather.strike_at("submit", after=0.0, blow=lambda: life.kill())
    skipped = chance.randint(0, 3)
    life = rig.start(failpoints=f"state.recorded=sleep:0.05@{skipped * 2 + 1}")
    life.end(within=20.0)
    rig.check(life)


def _killed_at_first_use(rig: Rig, chance: random.Random) -> None:
    """Die as the first look arrives, on a disk that takes its time: the id that it names must be on disk by then."""
    rig.weather.strike_at("status", after=chance.uniform(0.0, 0.02), blow=lambda: life.kill())
    life = rig.start(failpoints="store.before-commit=sleep:0.03@1+")
    life.end(within=20.0)
    rig.check(life)


def _killed_while_nothing_is_written(rig: Rig, _chance: random.Random) -> None:
    """Keep the state file from being written, as a slow disk does, and see whether a request leaves all the same."""
    submits = _counter(rig)
    before = submits()
    life = rig.start()
    life.wait_until(lambda: submits() > before, within=10.0)
    with closing(sqlite3.connect(rig.place / "state.db", isolation_level=None)) as outsider:
        outsider.execute("BEGIN IMMEDIATE")
        before = submits()
        # The one that was begun may still arrive, and no other.
        life.wait_until(lambda: submits() > before + 1, within=0.25)
        # Stopped first: with it gone, closing this connection would fold its log in.
        life.send(signal.SIGSTOP)
        outsider.execute("ROLLBACK")
    life.kill()
    rig.check(life)


def _left_alone(rig: Rig, _chance: random.Random) -> None:
    """Live to the end; rules of the wire are held against the whole life."""
    life = rig.start()
    life.end()
    rig.check(life)
    rig.check_peace()


def _overtaken(rig: Rig, _chance: random.Random) -> None:
    """Stop a runner, let another begin and die, let the first go on: it may see its POST through and begin no other."""
    submits = _counter(rig)
    before = submits()
    first = rig.start()
    first.wait_until(lambda: submits() >= before + 2)
    first.send(signal.SIGSTOP)
    # It dies before it claims a take: what the first would send next is still as the first knows it.
    second = rig.start(failpoints="submit.claimed=kill@1")
    has_begun = second.end() == -signal.SIGKILL
    before = submits()
    first.send(signal.SIGCONT)
    first.end()
    # One that was stopped within a transaction keeps the state file, and nobody takes it over.
    if (more := submits() - before) > 1 and has_begun:
        rig.complain(f"a runner that was overtaken began {more} more submits")
    rig.check(first, second, codes=_ANY_CODE)


def _crowded(rig: Rig, chance: random.Random) -> None:
    """Let several runners loose at once."""
    lives = []
    for _ in range(4):
        lives.append(rig.start())
        time.sleep(chance.uniform(0.0, 0.05))
    for life in lives:
        life.end()
    rig.check(*lives, codes=_ANY_CODE)


def _counter(rig: Rig) -> Callable[[], int]:
    return lambda: int(rig.server.stats()["submits"])


def _often(*faults: Fault, share: float = 0.3) -> Sequence[tuple[float, Fault]]:
    return [(share / len(faults), fault) for fault in faults]


_SLOWLY = (0.4, Fault(delay=0.05))
_500 = Fault(reply=Reply(500, b'{"error_message": "internal"}'))
_REFUSED = Fault(effect=False, reply=RETRY_SOON)

MOVED_AWAY = Replay("moved away", _lost("renamed", When.LIVE), lives_each=4)
SET_BACK = Replay("set back", _lost("set back", When.AFTER_KILL), lives_each=4)
FORGOTTEN = Replay("forgotten", _lost("deleted", When.AFTER_KILL), lives_each=2)
LYING_HOST = Replay("a lying host", _clips, lives_each=5)
CLIFF = Replay("every second look fails", _half_failing, lives_each=15)

PLAIN = Hunt("killed at random", _killed_at_random, {"submit": [_SLOWLY]})
STORMY = Hunt("killed in a storm", _killed_at_random, storm(0.2), takes=40)
IN_FLIGHT = Hunt("killed in flight", _killed_in_flight, {"submit": [(1.0, Fault(delay=0.2))]})
LOST = Hunt("lost answers", _killed_at_random, {"submit": _often(BASIC["closed after effect"])})
SLOW_DISK = Hunt("nothing is written", _killed_while_nothing_is_written, takes=40)
FIRST_USE = Hunt("first use", _killed_at_first_use, {"status": [(1.0, Fault(delay=0.1))]})
EMPTY = Hunt("empty answers", _killed_at_random, {"submit": _often(BASIC["empty 200"])})
SERVER_ERRORS = Hunt("server errors", _killed_at_random, {"submit": _often(_500)})
LOST_READS = Hunt("unknown ids", _killed_at_random, {"status": _often(UNKNOWN_ID)})
REFUSING = Hunt(
    "refused for now",
    _left_alone,
    {"submit": [*_often(_REFUSED, share=0.2), (1.0, Fault(delay=0.06))]},
    takes=8,
    control_lives=2,
)
OVERTAKEN = Hunt("overtaken", _overtaken, {"submit": [(1.0, Fault(delay=0.1))]}, takes=14)
CROWDED = Hunt(
    "crowded", _crowded, {"submit": [(1.0, Fault(delay=0.05))]}, takes=12, window=4, control_lives=4
)
