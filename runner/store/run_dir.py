"""The folder of a run: where it is for a manifest, and what lies in it.

It knows only the state file's name, so that a program that only needs the place loads no database. The place never
depends on the current directory: otherwise a manifest that is run from two places would be paid for twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import FileMissing
from runner.domain.ids import folder_name
from runner.store.marker import read_marker
from runner.system.escapes import command_line
from runner.system.private_files import make_folder

STATE_FILE = "state.db"
REPORT = "report.csv"
SIMULATED = "-simulated"


@dataclass(frozen=True, slots=True)
class RunDir:
    """A run's folder and what lies in it."""

    path: Path

    @property
    def state_file(self) -> Path:
        """The record of the run; not safe to delete."""
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
    place, older = (
        home / "reports" / (each + SIMULATED if simulated else each)
        for each in (name, folder_name(manifest.stem, composed=False))
    )
    # A run that an older version made under a decomposed file name continues where it is, or it would be paid twice.
    took_it = name == folder_name(manifest.stem) and not is_run(place) and is_run(older)
    return older if took_it else place


def is_run(path: Path) -> bool:
    """Return whether `path` is a run directory."""
    return (path / STATE_FILE).is_file()


def existing(manifest: Path, *, name: str, kinds: Sequence[bool]) -> RunDir:
    """Return the run directory of a manifest that has been run; `kinds` are tried in order, True for simulated.

    Raises `FileMissing` if nothing has been run there.
    """
    # A folder whose state file is gone is returned too; opening it then refuses it.
    for simulated in kinds:
        place = default_run_dir(manifest, name=name, simulated=simulated)
        if is_run(place) or read_marker(place / STATE_FILE) is not None:
            return RunDir(place)
    raise FileMissing(f"nothing has been run for {manifest}", advice=command_line("run", manifest))


def make(path: Path) -> RunDir:
    """Return the run directory at `path`, made if need be; raises `CannotCreate`, or `DiskFailed` for a full disk."""
    try:
        make_folder(path)
    except OSError as error:
        raise file_error(error, path, "cannot be made", advice="choose another with --run-dir") from error
    return RunDir(path)
