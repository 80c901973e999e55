"""T3: the n-th call that the command makes on its state file fails, once or for ever, for every n that there is.

The calls are those of the kernel, and strace makes them fail: that reaches everything that SQLite does by itself.
After each life the disk is well again, and the same command must find every id and complete the run. Counts are per
thread, so that a fault may strike in each of them. (The method of SQLite's and curl's torture tests.)
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.torture import canary
from tests.torture.life import Life, environment
from tests.torture.power_log import can_record
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally

NAME = "T3 the n-th file call fails"
_TAKES = 3
_MOST = 400
_CODES = frozenset({0, 73, 74})
_FILES = ("state.db", "state.db-wal", "state.db-shm", "state.db-journal", "state.ids", "state.ballast", "")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which calls fail, how, and whether for ever from the n-th on."""

    calls: str
    error: str
    ever: bool

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.calls.replace(',', '+')}-{self.error}-{'ever' if self.ever else 'once'}"


SCENARIOS = (
    Scenario("pwrite64", "EIO", ever=False),
    Scenario("pwrite64", "ENOSPC", ever=True),
    Scenario("fsync,fdatasync", "EIO", ever=False),
    Scenario("fsync,fdatasync", "EIO", ever=True),
    Scenario("openat", "EMFILE", ever=False),
    Scenario("openat", "EMFILE", ever=True),
)


@dataclass(frozen=True, slots=True)
class Calls:
    """One scenario, for every n from `first` in steps of `step`; `last` ends it early."""

    name: str
    seed: int
    scenario: Scenario
    first: int = 1
    step: int = 1
    last: int = _MOST


def cases(seed: int, scale: float) -> Iterator[Calls]:
    """Yield each scenario twice, for odd and for even n; at less than full scale with gaps."""
    step = 2 * max(1, round(1 / min(scale, 1.0)))
    chance = random.Random(seed)
    for scenario in SCENARIOS:
        for first in (1, 2):
            begin = first if step == 2 else 2 * chance.randrange(step // 2) + first
            yield Calls(f"{scenario.name}-{first}", seed, scenario, begin, step)


def run(case: Calls, workdir: Path) -> Verdict:
    """Try every n until one strikes nothing."""
    if not can_record():
        print(f"{case.name}: skipped, strace is not here or may not trace")
        return Verdict()
    verdict = Verdict()
    for n in count(case.first, case.step):
        tally = Tally()
        struck = _strike(case.scenario, n, workdir / f"n-{n}", tally)
        verdict += tally.verdict()
        if not struck or n + case.step > case.last or tally.found:
            return verdict
    raise AssertionError("unreachable")  # pragma: no cover


def _strike(scenario: Scenario, n: int, folder: Path, tally: Tally) -> bool:
    """Live once with the fault, look, and complete the run without it; return whether the fault struck."""
    with Rig(folder, tally, takes=_TAKES) as rig:
        log = folder / "strace.log"
        life = _under_strace(rig, scenario, n, log)
        life.end()
        # A commit that failed may have taken the intent all the same: then nothing was sent, and a doubt stays.
        rig.weather.losses += 1
        rig.check(life, codes=_CODES)
        struck = "(INJECTED)" in log.read_text("utf-8", "replace")
        if not struck and life.code != 0:
            rig.complain(f"exit code {life.code} without any fault: {life.said()}")
        rig.finish()
    return struck


def _under_strace(rig: Rig, scenario: Scenario, n: int, log: Path) -> Life:
    when = f"{n}+" if scenario.ever else f"{n}"
    paths = [word for name in _FILES for word in ("-P", str(rig.place / name))]
    strace = ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "0", "-o", str(log), *paths]
    strace += [
        "-e",
        f"trace={scenario.calls}",
        "-e",
        f"inject={scenario.calls}:error={scenario.error}:when={when}",
    ]
    env = environment(
        HOME=str(rig.folder / "home"),
        PYTHONPATH=str(REPOSITORY),
        RUNCOMFY_MODEL_API_BASE=f"{rig.server.url}/v1",
        RUNCOMFY_TOKEN=canary.CANARY,
    )
    argv = [*strace, sys.executable, "-m", "runner", *rig.run_arguments()]
    return Life(argv, cwd=rig.folder, env=env, words=rig.folder / "life-000")


def few(seed: int) -> tuple[Calls, ...]:
    """Return a few early and late calls of one scenario."""
    return (Calls("pr", seed, SCENARIOS[2], first=3, step=6, last=15),)
