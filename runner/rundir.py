"""Where a run lives: the folder for a manifest, and opening the state file in it without mistaking one run for another.

In: a manifest's path and name, or a folder. Out: a `RunDir`, or an error with the way out. The place never depends on
the current directory, or running one manifest from two places would pay for it twice. It knows no engine.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotCreate, FileMissing, UsageError
from runner.store.records import RunHeader
from runner.store.state_file import StateFile

STATE_FILE = "state.db"
SIMULATED = "-simulated"


@dataclass(frozen=True, slots=True)
class RunDir:
    """A run's folder and what lies in it."""

    path: Path

    @property
    def state_file(self) -> Path:
        """The one truth; not safe to delete."""
        return self.path / STATE_FILE

    @property
    def log(self) -> Path:
        """Every event as JSON lines."""
        return self.path / "run.log"

    @property
    def simulator(self) -> Path:
        """The folder of a simulated run's own API: its ledger and its renders."""
        return self.path / "simulator"


def default_run_dir(manifest: Path, *, name: str, simulated: bool) -> Path:
    """Return `reports/<name>` beside the manifest's folder if that is called `manifests`, else inside it."""
    folder = manifest.resolve().parent
    home = folder.parent if folder.name == "manifests" else folder
    return home / "reports" / (name + SIMULATED if simulated else name)


def is_run(path: Path) -> bool:
    """Return whether `path` is a run directory."""
    return (path / STATE_FILE).is_file()


def existing(manifest: Path, *, name: str, kinds: Sequence[bool]) -> RunDir:
    """Return the run directory of a manifest that has been run; `kinds` are tried in order, True for simulated.

    Raises:
        FileMissing: nothing has been run there.
    """
    for simulated in kinds:
        place = default_run_dir(manifest, name=name, simulated=simulated)
        if is_run(place):
            return RunDir(place)
    raise FileMissing(f"nothing has been run for {manifest}", advice=f"shotrunner run {manifest}")


def make(path: Path) -> RunDir:
    """Return the run directory at `path`, made if need be.

    Raises:
        CannotCreate: the folder cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CannotCreate(
            f"the run directory {path} cannot be made: {error.strerror}",
            advice="choose another with --run-dir",
        ) from error
    return RunDir(path)


def open_state(run_dir: RunDir, *, header: RunHeader) -> StateFile:
    """Return the run's state file, made with `header` on the first run.

    Raises:
        UsageError: the folder belongs to another manifest, another API, or to a run of the other kind.
        StateFileUnusable: the file is not one of ours or not whole.
    """
    if not run_dir.state_file.exists():
        return StateFile.create(run_dir.state_file, header)
    state = StateFile.open(run_dir.state_file)
    try:
        _same_run(state.header, header, run_dir)
    except UsageError:
        state.close()
        raise
    return state


def _same_run(recorded: RunHeader, asked: RunHeader, run_dir: RunDir) -> None:
    if recorded.simulated != asked.simulated:
        kind = "a simulated" if recorded.simulated else "a paid"
        raise UsageError(
            f"{run_dir.path} holds {kind} run, which cannot go on as the other kind",
            advice="choose another folder with --run-dir",
        )
    if recorded.manifest != asked.manifest:
        raise UsageError(
            f"{run_dir.path} belongs to another manifest: {recorded.manifest}",
            advice="choose another folder with --run-dir, or give this manifest a name of its own",
        )
    if recorded.api_base != asked.api_base and not _both_on_this_machine(recorded.api_base, asked.api_base):
        raise UsageError(
            f"{run_dir.path} was run against {recorded.api_base}, not {asked.api_base}",
            advice="use the same API base, or another folder with --run-dir",
        )


def _both_on_this_machine(*bases: str) -> bool:
    # A server on loopback gets a new port with each start; its ids are its own affair.
    return all(base.startswith(("http://127.", "http://localhost", "http://[::1]")) for base in bases)


def new_header(
    run_dir: RunDir, *, manifest: Path, name: str, simulated: bool, api_base: str, now: float, version: str
) -> RunHeader:
    """Return the header of a run; the manifest is named relative to the folder, so that a tree can be moved whole."""
    relative = os.path.relpath(manifest.resolve(), run_dir.path.resolve())
    return RunHeader(uuid.uuid4().hex, name, relative, simulated, api_base, now, version)
