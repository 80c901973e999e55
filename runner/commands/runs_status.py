"""Where several runs stand, one by one and together: shards of a board, or different boards.

In: run directories or manifests. Out: values to print. A run that cannot be read is among them with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from runner.commands.status import RunStatus, status
from runner.commands.steps.find_run import recorded_shard
from runner.commands.steps.find_runs import names_of_runs
from runner.domain.errors import ShotrunnerError
from runner.domain.money import Spending
from runner.domain.records import RunHeader
from runner.domain.shards import Shard
from runner.output.status_text import standings
from runner.system.clock import Clock


@dataclass(frozen=True, slots=True)
class UnreadRun:
    """A run that could not be read, and why."""

    run: Path
    error: ShotrunnerError


@dataclass(frozen=True, slots=True)
class RunsStatus:
    """The runs by their names, those that could not be read, and the shards of boards that are not among them."""

    runs: tuple[tuple[str, RunStatus], ...]
    unread: tuple[UnreadRun, ...] = ()
    absent: tuple[tuple[str, Shard], ...] = ()

    @property
    def states(self) -> Counter[str]:
        """How many takes of all runs have each standing."""
        return sum((standings(run.counts, run.deliveries) for _, run in self.runs), Counter())

    def spending(self, *, simulated: bool) -> Spending:
        """Return what the simulated runs, or all others, have spent; the two never add up."""
        found = (run.spending.charges for _, run in self.runs if run.simulated is simulated)
        return Spending(tuple(chain.from_iterable(found)))


def status_of_runs(
    targets: Sequence[Path], *, simulated: bool | None = None, clock: Clock | None = None
) -> RunsStatus:
    """Return where the runs stand, each as `status` returns it.

    Raises:
        ShotrunnerError: none of them can be read; it is what `status` says of the first one.
    """
    found: list[RunStatus] = []
    unread: list[UnreadRun] = []
    for target in targets:
        try:
            found.append(status(target, simulated=simulated, clock=clock))
        except ShotrunnerError as error:
            unread.append(UnreadRun(target, error))
    if not found and unread:
        raise unread[0].error
    names = names_of_runs([run.run_dir for run in found])
    absent = absent_shards([run.header for run in found])
    return RunsStatus(tuple(zip(names, found, strict=True)), tuple(unread), absent)


def absent_shards(headers: Sequence[RunHeader]) -> tuple[tuple[str, Shard], ...]:
    """Return the shards that are not among runs which are other shards of the same board, by the board's name."""
    known: dict[tuple[str, bool, int], set[int]] = {}
    for header in headers:
        if shard := recorded_shard(header):
            known.setdefault((header.name, header.simulated, shard.of), set()).add(shard.number)
    return tuple(
        (name, Shard(number, of))
        for (name, _, of), numbers in known.items()
        for number in range(1, of + 1)
        if number not in numbers
    )
