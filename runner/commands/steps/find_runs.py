"""Which runs a command over several runs is about: each as `find_run` finds it, or all that a word stands for.

In: words of a person. Out: a path for each run, which `find_run` takes. A board that was run in shards alone stands for
these, and a folder that is not a run for the runs in it, here or in a store. It opens no record.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from runner.commands.steps.find_run import as_seen_from_here, find_run, is_recorded
from runner.commands.steps.run_in_store import address_in, copied_from, name_of, runs_below
from runner.domain.errors import FileMissing, ShotrunnerError, UsageError
from runner.store import run_dir as rundir
from runner.store.run_dir import RunDir

MOST_RUNS = 200
"""Each run that is read holds files open, and a process may have about a thousand."""


def find_runs(targets: Iterable[Path], *, simulated: bool | None = None) -> list[Path]:
    """Return the path of each run that `targets` mean, without repeats; what means none stays, to be refused later.

    Raises:
        UsageError: they are too many.
    """
    found: dict[str, Path] = {}
    for target in targets:
        for each in _meant(target, simulated=simulated):
            found.setdefault(os.path.realpath(each), each)
    if len(found) > MOST_RUNS:
        raise UsageError(
            f"{len(found)} runs are too many at once", advice=f"name at most {MOST_RUNS} of them"
        )
    return [*found.values()]


def _meant(target: Path, *, simulated: bool | None) -> Sequence[Path]:
    try:
        if address := address_in(target):
            return [Path(str(each)) for each in runs_below(address)]
    except ShotrunnerError:
        return [target]
    kinds = (False, True) if simulated is None else (simulated,)
    with suppress(OSError):
        if target.is_dir() and not is_recorded(target):
            runs = sorted(each for each in target.iterdir() if is_recorded(each))
            return [each for each in runs if each.name.endswith(rundir.SIMULATED) in kinds] or [target]
    try:
        return [find_run(target, simulated=simulated).path] if target.is_file() else [target]
    except FileMissing:
        from runner.manifest.reader import manifest_name

        return rundir.shards_of(target, name=manifest_name(target), kinds=kinds) or [target]
    except ShotrunnerError:
        return [target]


def names_of_runs(places: Sequence[Path]) -> list[str]:
    """Return a name for each run: that of its folder, or its path where two folders have one name."""
    names = [_name(place) for place in places]
    return [
        name if names.count(name) == 1 else str(copied_from(RunDir(place)) or as_seen_from_here(place))
        for name, place in zip(names, places, strict=True)
    ]


def _name(place: Path) -> str:
    address = copied_from(RunDir(place))
    return name_of(address) if address else os.path.basename(os.path.abspath(place))  # noqa: PTH100, PTH119 - no `..`
