"""Which run a command is about: a run directory, or the manifest that made it.

In: a path. Out: a `RunDir`, or an error with the way on.
"""

from __future__ import annotations

from pathlib import Path

from runner.store import run_dir as rundir
from runner.store.marker import was_here
from runner.store.run_dir import RunDir


def find_run(target: str | Path, *, simulated: bool | None = None) -> RunDir:
    """Return the run directory meant by `target`, a run directory or a manifest.

    Raises:
        FileMissing: nothing has been run there.
    """
    from runner.manifest.reader import manifest_name

    path = Path(target)
    if rundir.is_run(path) or was_here(path / rundir.STATE_FILE):
        return RunDir(path)
    name = manifest_name(path)
    return rundir.existing(path, name=name, kinds=(False, True) if simulated is None else (simulated,))
