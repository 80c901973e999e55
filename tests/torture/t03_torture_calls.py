"""T3: the n-th call that the command makes fails, once or from then on for ever, for every n that there is.

The calls are those of the kernel, and strace makes them fail: that reaches everything that SQLite does by itself. They
are those on the run directory's files, clips included, and the command's sockets. After each life all is well again,
and the same command must find every id and complete the run. Counts are per thread, so that a fault may strike in each
of them. (The method of SQLite's and curl's torture tests.)
"""

from __future__ import annotations

import random
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture import canary
from tests.torture.life import Life, environment
from tests.torture.power_log import obstacle
from tests.torture.registry import Verdict
from tests.torture.rig import REPOSITORY, Rig, Tally

__all__ = ["NAME", "cases", "few", "obstacle", "run"]

NAME = "T3 the n-th call fails"
_TAKES = 3
_MOST = 400
_BAD_POINTS = 3
"""So many points of a case that go wrong tell enough; each may cost a minute."""

_DISK = frozenset({0, 73, 74})
_NET = frozenset({0, 4, 69})
_FILES = (
    "",
    "state.db",
    "state.db-wal",
    "state.db-shm",
    "state.db-journal",
    "state.ids",
    "state.ballast",
    "run.log",
    "report.csv",
    "report.html",
    "clips",
    *(f"clips/.t{number:03}.{kind}" for number in range(_TAKES) for kind in ("part", "json.tmp")),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Which calls fail, how, and whether for ever from the n-th on; `strands` are the cases it is dealt out to.

    `everywhere` takes every call of the kind, not only those on files of the run directory that have a known name.
    """

    calls: str
    error: str
    ever: bool
    strands: int = 1
    everywhere: bool = False
    codes: frozenset[int] = _DISK

    @property
    def name(self) -> str:
        """Its name in the table."""
        return f"{self.calls.partition(',')[0]}-{self.error}-{'ever' if self.ever else 'once'}"


_NAMES = "rename,renameat,renameat2,link,linkat"
_REMOVALS = "unlink,unlinkat"
SCENARIOS = (
    Scenario("pwrite64", "EIO", ever=False, strands=4),
    Scenario("pwrite64", "ENOSPC", ever=True, strands=4),
    Scenario("fsync,fdatasync", "EIO", ever=False, strands=2, everywhere=True),
    Scenario("fsync,fdatasync", "EIO", ever=True, strands=2, everywhere=True),
    Scenario("openat", "EMFILE", ever=False, strands=2),
    Scenario("openat", "EMFILE", ever=True, strands=2),
    Scenario("openat", "ENOSPC", ever=False, strands=2),
    Scenario("write", "ENOSPC", ever=False),
    Scenario("write", "EDQUOT", ever=True),
    Scenario("ftruncate", "ENOSPC", ever=False, everywhere=True),
    Scenario("ftruncate", "EIO", ever=True, everywhere=True),
    Scenario(_NAMES, "EIO", ever=False, everywhere=True),
    Scenario(_NAMES, "EDQUOT", ever=True, everywhere=True),
    Scenario(_REMOVALS, "EIO", ever=False, everywhere=True),
    Scenario(_REMOVALS, "EIO", ever=True, everywhere=True),
    Scenario("mmap", "ENOMEM", ever=False),
    Scenario("socket", "EMFILE", ever=False, everywhere=True, codes=_NET),
    Scenario("connect", "ENOMEM", ever=False, everywhere=True, codes=_NET),
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
    """Yield each scenario in as many strands as it has; at less than full scale with gaps that the seed places."""
    gap = max(1, round(1 / min(scale, 1.0)))
    chance = random.Random(seed)
    for scenario in SCENARIOS:
        for strand in range(1, scenario.strands + 1):
            first = strand + scenario.strands * chance.randrange(gap)
            yield Calls(f"{scenario.name}-{strand}", seed, scenario, first, scenario.strands * gap)


def run(case: Calls, workdir: Path) -> Verdict:
    """Try every n until one strikes nothing."""
    if why := obstacle():
        print(f"T3 {case.name}: skipped, {why}", flush=True)
        return Verdict()
    verdict, codes, bad = Verdict(), Counter[str](), 0
    for n in range(case.first, case.last + 1, case.step):
        tally, folder = Tally(), workdir / f"n-{n}"
        code = _strike(case.scenario, n, folder, tally)
        verdict += tally.verdict(cases=code is not None)
        bad += tally.found
        if not tally.found:
            shutil.rmtree(folder)
        if code is None or bad == _BAD_POINTS:
            break
        codes[f"exit {code}"] += 1
    ends = ", ".join(f"{count} times {code}" for code, count in sorted(codes.items()))
    print(
        f"T3 {case.name}: {verdict.cases} points failed, each in a life of its own; {ends or 'none'}",
        flush=True,
    )
    return verdict


def _strike(scenario: Scenario, n: int, folder: Path, tally: Tally) -> int | None:
    """Live once with the fault, look, and complete the run without it; return the exit code if the fault struck."""
    with Rig(folder, tally, takes=_TAKES) as rig:
        log = folder / "strace.log"
        life = _under_strace(rig, scenario, n, log)
        code = life.end()
        # A commit that failed may have taken the intent all the same: then nothing was sent, and a doubt stays.
        rig.weather.losses += 1
        rig.check(life, codes=scenario.codes)
        struck = "(INJECTED)" in log.read_text("utf-8", "replace")
        if code != 0 and not struck:
            rig.complain(f"exit code {code} without any fault: {life.said()}")
        if code == 0 and rig.unfinished:
            rig.complain("exit code 0 although takes are left")
        rig.finish()
    return code if struck else None


def _under_strace(rig: Rig, scenario: Scenario, n: int, log: Path) -> Life:
    when = f"{n}+" if scenario.ever else f"{n}"
    names = () if scenario.everywhere else _FILES
    paths = [word for name in names for word in ("-P", str(rig.place / name))]
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
        # Byte code that is written on the way would take some of the counts.
        PYTHONDONTWRITEBYTECODE="1",
        RUNCOMFY_MODEL_API_BASE=f"{rig.server.url}/v1",
        RUNCOMFY_TOKEN=canary.CANARY,
    )
    argv = [*strace, sys.executable, "-m", "runner", *rig.run_arguments()]
    return Life(argv, cwd=rig.folder, env=env, words=rig.folder / "life-000")


def few(seed: int) -> tuple[Calls, ...]:
    """Return a few early and late calls of one scenario, and the first of another that names a clip."""
    flush = next(one for one in SCENARIOS if one.calls.startswith("fsync") and not one.ever)
    name = next(one for one in SCENARIOS if one.calls == _NAMES and not one.ever)
    return (
        Calls("pr-flush", seed, flush, first=3, step=6, last=15),
        Calls("pr-name", seed, name, first=1, step=2, last=3),
    )
