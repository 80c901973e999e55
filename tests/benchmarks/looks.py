"""The trade between looks and idle slots: `python -m tests.benchmarks.looks`.

The real engine renders three loads at several prices of a look, in virtual time against an API in memory. Looks and
seconds are counted, so the table is the same on every machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from runner.engine.options import EngineOptions
from runner.engine.poll_pace import LookPace
from tests.drawn_jobs import least_makespan, spread_evenly, watch

PRICES = (0.001, 0.002, 0.005, 0.0075, 0.01, 0.02, 0.04)


@dataclass(frozen=True, slots=True)
class Load:
    """So many takes of `seconds` ± 30 %, `cap` at once, whose answers come after `away` seconds."""

    takes: int
    cap: int
    seconds: float
    pace: LookPace = field(default_factory=LookPace)
    away: float = 0.0

    def __str__(self) -> str:
        flag = "" if self.pace == LookPace() else f", --poll-interval {self.pace.floor:g}"
        return f"{self.takes} takes, cap {self.cap}, jobs of {self.seconds:g} s, {self.away * 1000:g} ms away{flag}"


LOADS = (
    Load(1000, 100, 60.0),
    Load(200, 50, 5.0, away=0.2),
    Load(2000, 100, 1.0, LookPace(floor=0.05, least=0.05)),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for each load."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.looks", description=__doc__)
    parser.add_argument(
        "--prices", type=float, nargs="+", default=PRICES, help="shares of the usual duration"
    )
    parser.add_argument("--seeds", type=int, default=3, help="runs for each point, whose mean is printed")
    given = parser.parse_args(arguments)
    for load in LOADS:
        print(
            f"{load}\n| price of a look | looks a take | over the least makespan | over busy slots |\n|---|---|---|---|"
        )
        for price in given.prices:
            print(row(load, price, seeds=given.seeds), flush=True)
    return 0


def row(load: Load, price: float, *, seeds: int) -> str:
    """Return one line of the table: means over so many runs."""
    options = EngineOptions(jobs=load.cap, pace=replace(load.pace, price=price))
    looks = waits = busy = 0.0
    for seed in range(1, seeds + 1):
        durations = spread_evenly(load.takes, load.seconds, seed=seed)
        run = watch(durations, options, away=load.away, seed=seed)
        looks += run.looks / load.takes / seeds
        waits += run.makespan / least_makespan(durations, cap=load.cap) / seeds
        busy += run.makespan / (sum(durations) / load.cap) / seeds
    chosen = " (chosen)" if price == LookPace().price else ""
    return f"| {price:.2%}{chosen} | {looks:.2f} | {waits:.3f} | {busy:.3f} |"


if __name__ == "__main__":
    raise SystemExit(main())
