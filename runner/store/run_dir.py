"""The folder of a run: where it is for a manifest, and what lies in it.

It knows only the state file's name, so that a program that only needs the place loads no database. The place never
depends on the current directory: otherwise a manifest that is run from two places would be paid for twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.display import listed
from runner.domain.errors import FileMissing
from runner.domain.ids import folder_name
from runner.domain.shards import Shard
from runner.store.marker import read_marker
from runner.system.escapes import command_line, path_word
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


def default_run_dir(manifest: Path, *, name: str, simulated: bool, shard: Shard | None = None) -> Path:
    """Return `reports/<name>` beside the manifest's folder if that is called `manifests`, else inside it.

    Each shard has a folder of its own, such as `reports/<name>-shard-2-of-5`.
    """
    part = f"-{shard.folder}" if shard else ""
    place, older = (
        _reports_of(manifest) / f"{each}{part}{SIMULATED if simulated else ''}"
        for each in (name, folder_name(manifest.stem, composed=False))
    )
    # A run that an older version made under a decomposed file name continues where it is, or it would be paid twice.
    took_it = name == folder_name(manifest.stem) and not is_run(place) and is_run(older)
    return older if took_it else place


def _reports_of(manifest: Path) -> Path:
    folder = manifest.resolve().parent
    return (folder.parent if folder.name == "manifests" else folder) / "reports"


def shards_of(manifest: Path, *, name: str, kinds: Sequence[bool]) -> list[Path]:
    """Return the run directories here that may be shards of a manifest, in the order of their parts.

    `kinds` are those of `existing`. Only the record of each proves that it is one.
    """
    form = re.compile(rf"{re.escape(name)}-shard-([1-9]\d*)-of-([1-9]\d*)({re.escape(SIMULATED)})?", re.ASCII)
    found = []
    with suppress(OSError):
        for path in _reports_of(manifest).iterdir():
            parts = form.fullmatch(path.name)
            if parts and (parts[3] is not None) in kinds and is_run(path):
                found.append(((parts[3] is not None, int(parts[2]), int(parts[1])), path))
    return [path for _, path in sorted(found)]


def is_run(path: Path) -> bool:
    """Return whether `path` is a run directory."""
    return (path / STATE_FILE).is_file()


def existing(manifest: Path, *, name: str, kinds: Sequence[bool], shard: Shard | None = None) -> RunDir:
    """Return the run directory of a manifest that has been run; `kinds` are tried in order, True for simulated.

    With a `shard` it is that of this part of the board. Raises `FileMissing` if nothing has been run there.
    """
    # A folder whose state file is gone is returned too; opening it then refuses it.
    for simulated in kinds:
        place = default_run_dir(manifest, name=name, simulated=simulated, shard=shard)
        if is_run(place) or read_marker(place / STATE_FILE) is not None:
            return RunDir(place)
    words = ("run", manifest, *(("--shard", str(shard)) if shard else ()))
    if shards := shards_of(manifest, name=name, kinds=kinds):
        raise FileMissing(
            f"nothing has been run for {'this shard' if shard else 'the whole board'} of {manifest}",
            advice=f"name one of its shards: {listed([path_word(path) for path in shards])}",
        )
    raise FileMissing(f"nothing has been run for {manifest}", advice=command_line(*words))


def make(path: Path) -> RunDir:
    """Return the run directory at `path`, made if need be; raises `CannotCreate`, or `DiskFailed` for a full disk."""
    try:
        make_folder(path)
    except OSError as error:
        raise file_error(error, path, "cannot be made", advice="choose another with --run-dir") from error
    return RunDir(path)
