"""T13: signals at every phase of a run, once, twice and three times.

A phase is a failpoint at which the process is made to sleep; the signals are sent when a thread of it really sleeps.
INT, TERM and HUP must end it with their code, the first in good order, the second within a second. A reader of its
output that goes away, and a stop with a later continue, must change nothing. The next run must complete.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture import points
from tests.torture.life import PATIENCE, Life
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally, settings

NAME = "T13 signals"
PHASES = 10
_ONLY_IN_TROUBLE = frozenset(
    {"store.side-file", "store.reconnect", "recall.clip_renamed", "recall.clip_moved"}
)
"""Points that a run passes only when something has gone wrong, or its manifest has changed; others must be reached."""
_OTHER_COMMANDS = ("cancel.", "decide.", "retry.", "upkeep.")
"""How the names of points begin that other commands pass, and no run."""

_SLEEP = 0.4
_BETWEEN = 0.08
_ENDING = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "HUP": signal.SIGHUP}
_KINDS = (*_ENDING, "PIPE", "TSTP")
_FIRST, _SECOND = 10.0, 1.0
"""Seconds to leave: the first signal may see short jobs through or wait for a POST in the air, a second may not."""
_CROWDED = 1.0
"""Seconds that a busy machine may add."""


@dataclass(frozen=True, slots=True)
class Signals:
    """One kind of signal at one phase, so many times."""

    name: str
    seed: int
    kind: str
    phase: str
    times: int


def phases() -> tuple[str, ...]:
    """Return ten points, spread over the source, that every run passes which has something to do."""
    found = [
        name
        for name in points.names(REPOSITORY)
        if name not in _ONLY_IN_TROUBLE and not name.startswith(_OTHER_COMMANDS)
    ]
    return tuple(found[round(at * (len(found) - 1) / (PHASES - 1))] for at in range(PHASES))


def cases(seed: int, scale: float) -> Iterator[Signals]:
    """Yield five kinds at ten phases, one, two and three times: 150 cases at scale 1."""
    every = [
        Signals(f"{kind}-{times}-at-{number}-{phase}", seed * 1031 + number, kind, phase, times)
        for number, phase in enumerate(phases())
        for kind in _KINDS
        for times in (1, 2, 3)
    ]
    few = max(1, round(len(every) * scale))
    yield from every if few >= len(every) else random.Random(seed).sample(every, few)


def run(case: Signals, workdir: Path) -> Verdict:
    """Send the signals, look at how it ends, and let the next run complete."""
    tally = Tally()
    # What happens once in a run has no second time; what happens for each take has six.
    nth = 1 if case.phase.startswith(("store.", "recall.")) else random.Random(case.seed).randint(1, 3)
    with Rig(workdir / "board", tally, takes=6, settings=settings(service=0.15, slots=4), jobs=3) as rig:
        rules = f"{case.phase}=sleep:{_SLEEP}@{nth}"
        if case.kind == "PIPE":
            _readers_leave(rig, rules, case.times)
        elif case.kind == "TSTP":
            _stopped(rig, rules, case.times)
        else:
            _told_to_end(rig, rules, _ENDING[case.kind], case.times)
        rig.finish()
    return tally.verdict()


def _told_to_end(rig: Rig, rules: str, number: signal.Signals, times: int) -> None:
    life = rig.start(failpoints=rules)
    _wait_for_phase(rig, life)
    for _ in range(times):
        life.send(number)
        time.sleep(_BETWEEN)
    took = _seconds_to_leave(life)
    code = life.end(within=0.0)
    limit = _SLEEP + _CROWDED + (_FIRST if times == 1 else _SECOND)
    if took > limit:
        rig.complain(f"it took {took:.1f} s to leave after {times} × {number.name}")
    # The first signal counts; a shell says the same of a process that a signal ended before our handler stood.
    rig.check(life, codes=frozenset({128 + number, -number, 0}), hurried=times > 1)
    if code == 0 and rig.unfinished:
        rig.complain(f"exit code 0 after {number.name}, and takes are left")


def _seconds_to_leave(life: Life) -> float:
    """Wait for its end and return how long it took, not counting waits for a processor."""
    if life.code is not None:
        return 0.0
    sent, patience = life.unhindered(), time.monotonic() + PATIENCE
    while not life.over() and time.monotonic() < patience:
        time.sleep(0.002)
    return life.unhindered() - sent


def _readers_leave(rig: Rig, rules: str, which: int) -> None:
    """Close the reading end of its stdout (1), its stderr (2), or both (3): the run goes on to its end."""
    pairs = [os.pipe() if which & bit else None for bit in (1, 2)]
    out, err = (pair[1] if pair else None for pair in pairs)
    life = rig.start(failpoints=rules, pipes=(out, err))
    for pair in filter(None, pairs):
        os.close(pair[1])
    _wait_for_phase(rig, life)
    for pair in filter(None, pairs):
        os.close(pair[0])
    life.end()
    _must_be_complete(rig, life, codes=frozenset({0, 128 + signal.SIGPIPE}))


def _stopped(rig: Rig, rules: str, times: int) -> None:
    life = rig.start(failpoints=rules)
    _wait_for_phase(rig, life)
    for _ in range(times):
        life.send(signal.SIGTSTP)
        time.sleep(_BETWEEN)
        life.send(signal.SIGCONT)
        time.sleep(_BETWEEN)
    life.end()
    _must_be_complete(rig, life, codes=frozenset({0}))


def _wait_for_phase(rig: Rig, life: Life) -> None:
    if not life.wait_until(life.sleeping, within=10.0):
        rig.complain("the phase was not reached")


def _must_be_complete(rig: Rig, life: Life, *, codes: frozenset[int]) -> None:
    rig.check(life, codes=codes)
    if rig.unfinished:
        rig.complain("the run did not go on to its end")
