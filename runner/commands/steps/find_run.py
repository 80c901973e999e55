"""Which run a command is about: a run directory, or the manifest that made it.

In: a path. Out: a `RunDir`, what its record says of itself, and the command line that continues it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from runner.api.account import named_base
from runner.commands.steps.run_in_store import address_in, copied_from, refuse_address, run_in_store
from runner.domain.records import RunHeader, TakeRecord
from runner.store import run_dir as rundir
from runner.store.marker import read_marker
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.system.escapes import command_line, path_word
from runner.system.web_links import is_same_api


def find_run(target: str | Path, *, simulated: bool | None = None) -> RunDir:
    """Return the run directory meant by `target`, a run directory or a manifest.

    Raises:
        FileMissing: nothing has been run there.
        UsageError: it is the address of a run in a store, which can only be read.
    """
    from runner.manifest.reader import manifest_name

    refuse_address(target)
    path = Path(target)
    if is_recorded(path):
        return RunDir(path)
    name = manifest_name(path)
    return rundir.existing(path, name=name, kinds=(False, True) if simulated is None else (simulated,))


def find_run_to_read(target: str | Path, *, simulated: bool | None = None) -> RunDir:
    """Return the run directory meant by `target`, which may also be the address of a run in a store.

    What is written into the directory of such a run leaves when the process ends.

    Raises:
        FileMissing: nothing has been run there.
        StoreAway, StoreRefused, RecordDamaged: the record in the store cannot be read.
    """
    address = address_in(target)
    return find_run(target, simulated=simulated) if address is None else run_in_store(address)


def is_recorded(path: Path) -> bool:
    """Return whether `path` is a run directory, or was one whose state file is gone."""
    return rundir.is_run(path) or read_marker(path / rundir.STATE_FILE) is not None


def simulated_beside(run_dir: Path) -> Path:
    """Return where the simulated run is whose real one is in `run_dir`."""
    return Path(f"{run_dir}{rundir.SIMULATED}")


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run that is on record: its directory, and what the record says of itself."""

    place: RunDir
    header: RunHeader

    @property
    def words(self) -> list[str]:
        """The command line that continues it, without the program's name."""
        return run_words(self.place, self.header)


def find_recorded(target: str | Path, *, simulated: bool | None = None) -> RecordedRun:
    """Return the run meant by `target`, as `find_run` finds it.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: its state file cannot be read.
    """
    place = find_run(target, simulated=simulated)
    return RecordedRun(place, read_header(place))


def read_header(place: RunDir) -> RunHeader:
    """Return what a run's record says of itself."""
    with open_reader(place.state_file) as reader:
        return reader.header


def read_takes(place: RunDir, *, checked: bool = False) -> list[TakeRecord]:
    """Return every take of a run as it stands now; `checked` says that this process writes the record."""
    with open_reader(place.state_file, checked=checked) as reader:
        return reader.takes()


def manifest_of(place: RunDir, header: RunHeader) -> Path:
    """Return the path of the manifest a run was made from, which may be gone."""
    return Path(os.path.normpath(place.path.resolve() / header.manifest))


def run_words(place: RunDir, header: RunHeader) -> list[str]:
    """Return the command line that continues a run, without the program's name."""
    manifest = manifest_of(place, header)
    words = ["run", as_seen_from_here(manifest)]
    if header.simulated:
        words.append("--simulate")
    if rundir.default_run_dir(manifest, name=header.name, simulated=header.simulated) != place.path.resolve():
        words += ["--run-dir", as_seen_from_here(place.path)]
    # The token is sent only to an API that the user named, so any other than the usual one is named again.
    if not header.simulated and not is_same_api(named_base(None, os.environ), header.api_base):
        words += ["--api-base", header.api_base]
    return words


def command_about(place: RunDir, header: RunHeader, verb: str, *words: str) -> str:
    """Return the command of `verb` for a run, with `words` behind the run, to be given in the current directory.

    A run that is known only by its store is first brought here, before anything else.
    """
    if address := copied_from(place):
        return command_line("restore", str(address), "--run-dir", "FOLDER")
    run, manifest, *flags = run_words(place, header)
    if verb == run:
        return command_line(run, manifest, *flags, *words)
    # Not every command has the flags of `run`; all of them take the folder itself.
    target = as_seen_from_here(place.path) if "--run-dir" in flags else manifest
    return command_line(verb, target, *words, *(["--simulate"] if header.simulated else []))


def as_seen_from_here(path: Path) -> str:
    """Return a path as a word of a command that is given in the current directory."""
    relative = os.path.relpath(path)
    return str(path.resolve()) if relative.startswith("..") else path_word(Path(relative))
