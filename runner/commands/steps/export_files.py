"""Where exports go, and which files they may replace: those that this program wrote and that are unchanged.

In: paths. Out: the same paths, free to be written. Any other file of the name stays, unless it is forced.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runner.commands.steps.find_run import find_run_to_read
from runner.commands.steps.run_in_store import copied_from, name_of
from runner.domain.disk_errors import file_error
from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import CannotCreate, FileMissing
from runner.system.private_files import make_folder, open_private, read_private, write_whole

EXPORTS = "exports"
"""The folder of a run for what is made of it for other programs."""

_RECORD = ".written.json"
_LARGEST_RECORD = 1 << 20
_LONGEST_NAME = 100


def export_file(target: Path, ending: str, *, simulated: bool | None, mark: str = "") -> Path:
    """Return where a file goes: into the folder `exports` of its run, or beside a manifest that has not been run.

    `ending` is what follows the name, such as `.mp4`; beside a manifest `mark` stands before it. Of a run that is only
    known by its store it goes into the current folder, also with the mark.
    """
    try:
        place = find_run_to_read(target, simulated=simulated)
    except FileMissing:
        return target.with_name(f"{target.stem[:_LONGEST_NAME]}{mark}{ending}")
    if address := copied_from(place):
        return Path(f"{name_of(address)[:_LONGEST_NAME]}{mark}{ending}")
    return place.path / EXPORTS / f"{place.path.resolve().name[:_LONGEST_NAME]}{ending}"


def make_room(paths: Sequence[Path], *, force: bool) -> None:
    """Refuse names that are taken, and make the folder of exports if one of them lies there.

    Raises:
        CannotCreate: a folder has the name, or without `force` a file that is not an unchanged export.
        DiskFailed: the disk is full or failing.
    """
    for path in paths:
        shown = visible(str(path), PATH_LIMIT)
        if path.is_dir():
            raise CannotCreate(f"{shown} is a folder", advice="give another name with -o")
        if os.path.lexists(path) and not force and not _is_unchanged(path):
            raise CannotCreate(
                f"{shown} is there already", advice="give another name with -o, or add --force"
            )
        if path.parent.name == EXPORTS:
            try:
                make_folder(path.parent)
            except OSError as error:
                raise file_error(error, path.parent, "cannot be made") from error


def note_written(paths: Iterable[Path]) -> None:
    """Record what was written into a folder of exports, so that the next export may replace it."""
    for path in paths:
        if path.parent.name == EXPORTS:
            # Without the record the next export only asks for --force.
            with suppress(OSError):
                known = {**_recorded(path.parent), path.name: _digest(path)}
                write_whole(path.parent / _RECORD, json.dumps(known, indent=1) + "\n")


def _is_unchanged(path: Path) -> bool:
    try:
        return path.parent.name == EXPORTS and _recorded(path.parent).get(path.name) == _digest(path)
    except OSError:
        return False


def _recorded(folder: Path) -> Mapping[str, object]:
    """Return the digests of exports by name; none if the record is not there, or is not one."""
    try:
        known = json.loads(read_private(folder / _RECORD, limit=_LARGEST_RECORD))
    except (OSError, ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _digest(path: Path) -> str:
    with os.fdopen(open_private(path), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
