"""The user's own file of decisions in a run directory, `picks.csv`: read beside the record, and written whole.

The file may be edited in a spreadsheet between two commands. It is never written while it cannot be read.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import FileMissing, PicksInvalid, UsageError
from runner.domain.picks import NO_PICKS, Pick, Picks, settled
from runner.domain.take_names import TakeNames
from runner.store.lock import brief_lock
from runner.store.picks_table import PicksTable, read_table
from runner.store.reader import open_reader
from runner.store.run_dir import STATE_FILE
from runner.system.private_files import read_given, read_private, write_whole

PICKS = "picks.csv"
LOCK = ".picks.lock"
MOST_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class OpenPicks:
    """The file of a run as it was read, to be written again with changes; `data` is None without a file."""

    path: Path
    table: PicksTable
    data: bytes | None


def read_picks(run_dir: Path) -> Picks:
    """Return the decisions of a run as they count for its clips; none without a file.

    Raises:
        PicksInvalid: a cell of the file cannot be read.
        CannotCreate, DiskFailed: the file is not a plain file, or the disk fails.
        StateFileUnusable: the run's record cannot be read.
    """
    found = open_picks(run_dir)
    if found.data is None:
        return NO_PICKS
    names = take_names(run_dir)
    return settled(found.table.named(names).rows, names)


def take_names(run_dir: Path) -> TakeNames:
    """Return the names of a run's takes; none without a record."""
    state = run_dir / STATE_FILE
    if not state.exists():
        return TakeNames(())
    with open_reader(state) as reader:
        return TakeNames(reader.named_takes(), reader.former_names())


def picks_lock(run_dir: Path, *, dry_run: bool = False) -> AbstractContextManager[None]:
    """Return what one command at a time holds from reading the file of a run until it is written.

    Entering it raises `UsageError` after a long wait, `CannotCreate` or `DiskFailed`. A `dry_run` needs no lock.
    """
    return nullcontext() if dry_run else brief_lock(run_dir / LOCK)


def open_picks(run_dir: Path) -> OpenPicks:
    """Return the file of a run, or an empty one; raises as `read_picks`."""
    path = run_dir / PICKS
    try:
        data = read_private(path, limit=MOST_BYTES)
    except FileNotFoundError:
        return OpenPicks(path, PicksTable(), None)
    except OSError as error:
        raise file_error(error, path, "cannot be read") from error
    table = read_table(data, file=PICKS)
    if table.is_report:
        raise PicksInvalid(
            f"{path} has no column decision", advice="move it away, and import it with pick --import"
        )
    return OpenPicks(path, table, data)


def read_others(path: Path, *, who: str, when: str) -> PicksTable:
    """Return a file that a person gives, of picks or a report; `who` and `when` are for rows without them.

    Raises:
        FileMissing: it cannot be read.
        PicksInvalid: a cell of it cannot be read.
    """
    try:
        data = read_given(path, limit=MOST_BYTES)
    except OSError as error:
        message = f"{path}: the file cannot be read: {(error.strerror or str(error)).lower()}"
        raise FileMissing(message, advice="give the path of a picks.csv or a report.csv") from error
    return read_table(data, file=str(path), who=who, when=when)


def write_picks(found: OpenPicks, rows: Iterable[Pick]) -> tuple[Pick, ...]:
    """Merge rows into the file of a run and write it, whole or not at all; return the rows that changed it.

    Raises:
        UsageError: the file was changed since it was read.
        CannotCreate, DiskFailed: it cannot be written.
    """
    merged = found.table.merged(rows)
    if not merged.changed:
        return ()
    try:
        now = read_private(found.path, limit=MOST_BYTES) if found.path.exists() else None
        if now != found.data:
            raise UsageError(f"{found.path} has changed meanwhile", advice="give the same command again")
        write_whole(found.path, merged.table.to_bytes())
    except OSError as error:
        raise file_error(error, found.path, "cannot be written") from error
    return merged.changed
