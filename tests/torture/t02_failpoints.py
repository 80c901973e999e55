"""T2: the command kills itself at every failpoint in its source: at the first, second, third and a random hit.

The names are read from the source, so a new point is tortured from the day it is written, and one that no scenario
reaches is a failure of this test. Kills at different points follow each other on one board, so that each is also made
on what another has left. One case after another has a window of 1, 4 and 32.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from tests.torture import points
from tests.torture.life import HUNG
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally
from tests.torture.scenarios import DISK_FAILED, SCENARIOS, Scenario

NAME = "T2 killed at every failpoint"
KILLS = 1000
_EACH_AT_LEAST = 8
_WINDOWS = (1, 4, 32)
_PER_CASE = 24
_PER_BOARD = 10
_BOARDS_PER_GOAL = 4
_PATIENCE = 8.0
"""Seconds for a life to come to its point: in bad weather a run may rightly wait for half a minute."""


@dataclass(frozen=True, slots=True)
class Goal:
    """To be killed at the `nth` hit of `point`."""

    point: str
    nth: int


@dataclass(frozen=True, slots=True)
class FailpointKills:
    """Goals that are tried on common boards."""

    name: str
    seed: int
    goals: tuple[Goal, ...]
    window: int = 1


def cases(seed: int, scale: float) -> Iterator[FailpointKills]:
    """Yield cases that make 1,000 kills at scale 1, at least 8 of them at each point."""
    names = points.names(REPOSITORY)
    chance = random.Random(seed)
    each = ceil(max(KILLS * scale / len(names), _EACH_AT_LEAST * min(scale, 1.0)))
    goals = [
        Goal(name, (1, 2, 3, chance.randint(4, 12))[number % 4]) for number in range(each) for name in names
    ]
    for number, start in enumerate(range(0, len(goals), _PER_CASE)):
        yield FailpointKills(
            f"points-{number:03}",
            seed * 1013 + number,
            tuple(goals[start : start + _PER_CASE]),
            _WINDOWS[number % len(_WINDOWS)],
        )


def once(seed: int) -> FailpointKills:
    """Return the case that is killed at the first hit of each point, once."""
    return FailpointKills("points-once", seed, tuple(Goal(name, 1) for name in points.names(REPOSITORY)))


@dataclass(slots=True)
class _Learnt:
    """What this process has learnt of the points, so that no life is spent on finding it out again.

    By point: the scenarios whose first life does not reach it, how often at most a life hits it, and how often a
    board that was begun already has led to it more often than not.
    """

    missed: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    most: dict[str, int] = field(default_factory=dict)
    later: Counter[str] = field(default_factory=Counter)

    def scenario(self, point: str) -> Scenario | None:
        """Return the first scenario that may reach `point`, of those that say so if there are any left."""
        left = (SCENARIOS[name] for name in SCENARIOS if name not in self.missed[point])
        return min(left, key=lambda scenario: not point.startswith(scenario.reaches), default=None)

    def nth(self, goal: Goal) -> int:
        """Return the hit to die at: the one that is wanted, if a life has as many."""
        return min(goal.nth, self.most.get(goal.point, goal.nth))

    def fits(self, goal: Goal, scenario: Scenario, *, fresh: bool) -> bool:
        """Return whether a goal is worth a life on a board of `scenario`."""
        return self.scenario(goal.point) is scenario and (fresh or self.later[goal.point] > _HOPELESS)

    def hit(self, goal: Goal, *, fresh: bool) -> None:
        """Note a kill."""
        self.later[goal.point] += not fresh

    def miss(self, goal: Goal, scenario: Scenario, *, fresh: bool) -> None:
        """Note a life that ended by itself."""
        if not fresh:
            self.later[goal.point] -= 1
        elif (nth := self.nth(goal)) > 1:
            self.most[goal.point] = nth // 2
        else:
            self.missed[goal.point].add(scenario.name)


_HOPELESS = -2
_LEARNT = _Learnt()


def run(case: FailpointKills, workdir: Path, *, tree: Path = REPOSITORY) -> Verdict:
    """Reach every goal; stop early at the first finding."""
    chance, tally = random.Random(case.seed), Tally()
    left = chance.sample(case.goals, len(case.goals))
    for board in range(_BOARDS_PER_GOAL * len(left)):
        if not left or tally.found:
            break
        scenario = _LEARNT.scenario(left[0].point)
        if scenario is None:
            tally.failures.append(f"the failpoint {left[0].point} is reached by no scenario")
            # A machine that was too busy for a moment may be why: the next case tries all of them again.
            _LEARNT.missed.pop(left[0].point)
            break
        place, seed = workdir / f"board-{board}", chance.getrandbits(32)
        with scenario.rig(place, tally, seed, window=case.window, tree=tree) as rig:
            scenario.prepare(rig)
            _kill_on(rig, scenario, left, tally)
            rig.finish()
    if left and not tally.found:
        tally.failures.append(f"{left[0]} was not reached in {board + 1} boards")
    return tally.verdict()


def _kill_on(rig: Rig, scenario: Scenario, left: list[Goal], tally: Tally) -> None:
    """Try goals on one board until a life outlives its failpoint, which leaves the board complete."""
    for tried in range(_PER_BOARD):
        fresh = tried == 0
        goal = next((goal for goal in left if _LEARNT.fits(goal, scenario, fresh=fresh)), None)
        if goal is None or tally.found:
            return
        rules = f"{scenario.rules}{goal.point}=kill@{_LEARNT.nth(goal)}"
        life = rig.start(scenario.arguments(rig), failpoints=rules)
        hung = life.end(within=_PATIENCE) == HUNG
        # Where the disk failed an id may be kept beside the state file until the next run begins.
        rig.check(life, codes=scenario.codes, hurried=life.code == DISK_FAILED)
        if hung or not life.killed:
            _LEARNT.miss(goal, scenario, fresh=fresh)
            left.remove(goal)
            left.insert(0, goal)
            return
        _LEARNT.hit(goal, fresh=fresh)
        left.remove(goal)
