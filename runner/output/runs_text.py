"""What `status` prints of several runs: a line for each, and the sums.

In: figures. Out: lines of safe text. It knows no terminal and no state file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runner.domain import display
from runner.domain.money import Spending
from runner.domain.shards import Shard

_ABSENT_SHOWN = 10


class RunLine(NamedTuple):
    """The figures of one run; `doing` is a word for whether a process works on it."""

    name: str
    states: Mapping[str, int]
    spending: Spending
    simulated: bool
    doing: str


def run_lines(runs: Sequence[RunLine]) -> list[str]:
    """Return a table with a line for each run: its name, its takes, its money, and whether it goes on."""
    rows = [
        (
            display.visible(run.name, display.PATH_LIMIT),
            f"{sum(run.states.values()):,}",
            display.tally(run.states) or "no takes yet",
            display.spent_words(run.spending, simulated=run.simulated) or "nothing spent",
            run.doing,
        )
        for run in runs
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:<{widths[3]}}  {row[4]}"
        for row in rows
    ]


def sum_lines(count: int, states: Mapping[str, int], *, paid: Spending, simulated: Spending) -> list[str]:
    """Return the sums of `count` runs; what was paid and what was simulated are never one sum."""
    takes = display.counted(sum(states.values()), "take")
    sums = (display.spent_words(paid, simulated=False), display.spent_words(simulated, simulated=True))
    return [
        f"{display.counted(count, 'run')}, {takes}: {display.tally(states)}".rstrip(": "),
        *filter(None, sums),
    ]


def absent_lines(absent: Sequence[tuple[str, Shard]]) -> list[str]:
    """Return a line about shards that are not among the runs, so that the sums are not those of a whole board."""
    named = [f"{shard} of {display.visible(name)}" for name, shard in absent]
    return [f"not among them: shard {display.listed(named, most=_ABSENT_SHOWN)}"] if named else []
