"""A run whose state file is gone, while its folder still holds what it paid for: it is never started over."""

from __future__ import annotations

from pathlib import Path

from runner.commands.steps.find_run import as_seen_from_here
from runner.domain.errors import StateFileUnusable
from runner.media.clips.sidecar import CLIPS
from runner.store import run_dir as rundir
from runner.store import witness
from runner.store.marker import read_marker, went_to
from runner.store.run_dir import RunDir
from runner.system.escapes import command_line


def without_record(target: Path, *, simulated: bool | None = None) -> RunDir | None:
    """Return the run directory meant by `target` if it has neither state file nor marker, but other traces of a run."""
    from runner.manifest.reader import manifest_name

    if target.is_dir():
        places = [target]
    else:
        name, kinds = manifest_name(target), (False, True) if simulated is None else (simulated,)
        places = [rundir.default_run_dir(target, name=name, simulated=kind) for kind in kinds]
    return next((RunDir(place) for place in places if _was_run(place)), None)


def refuse_lost(place: RunDir) -> None:
    """Refuse a run directory whose state file is gone; one that was moved elsewhere is not meant.

    Raises:
        StateFileUnusable: with the command that makes a new record.
    """
    path = place.state_file
    # A file that is there and cannot be read is explained by those who open it.
    if path.is_symlink() or path.exists() or went_to(path) is not None:
        return
    if not (_was_run(place.path) or read_marker(path) is not None):
        return
    left = "; its clips are there" if _has_sidecars(place.path) else ""
    raise StateFileUnusable(
        f"the record of this run is gone: {as_seen_from_here(path)}{left}",
        advice=command_line("restore", as_seen_from_here(place.path)),
    )


def _was_run(folder: Path) -> bool:
    return witness.beside(folder / rundir.STATE_FILE).exists() or _has_sidecars(folder)


def _has_sidecars(folder: Path) -> bool:
    return any((folder / CLIPS).glob("*.json"))
