"""Makes a new state file, and migrates an older one; either is done completely or not at all.

In: a path and a header, or a connection. Out: a file of the newest version. It records no fact.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from runner.domain import failpoints
from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate
from runner.domain.records import RunHeader
from runner.store import database
from runner.store.file_system import refuse_network, refuse_unfit
from runner.store.marker import read_marker, successor_of, write_marker
from runner.store.open_checks import DRAFT, refuse_link, refuse_odd_companions
from runner.store.row_mapping import columns_of, header_cells
from runner.store.schema import APPLICATION_ID, MIGRATIONS, RULES
from runner.system.private_files import flush_folder, make_folder, open_private


def create_file(
    path: Path,
    header: RunHeader,
    *,
    machine: str,
    place: str = "",
    network: bool = False,
    mounts: str | None = None,
) -> None:
    """Make the file, private to its owner, and mark its folder; `network` allows a network share.

    The file is built under another name and then linked to its own. So a crash never leaves a half-made state
    file, and two creators at once never both succeed.

    Raises:
        CannotCreate: it exists, or the folder or file cannot be made.
        DiskFailed: the disk is full or failing.
        StateFileUnusable: another run's state file was here and is gone, or the folder is on a network share.
    """
    with _as_cannot_create(path):
        make_folder(path.parent)
        _refuse_place(path, header, network=network, mounts=mounts)
        draft = draft_of(path)
        database.refuse_long(draft)
        # The file is private from the start, and SQLite gives the log the mode of its main file.
        os.close(open_private(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            with database.translated(path):
                _fill(draft, header, machine=machine, place=place)
            failpoints.hit("store.create")
            _publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        # The marker comes last. A marker without a state file would block the run forever. A state file
        # without its marker gets one at the next opening.
        flush_folder(path.parent)
        failpoints.hit("store.created")
        write_marker(path, header.run_id)


def _refuse_place(path: Path, header: RunHeader, *, network: bool, mounts: str | None) -> None:
    """Refuse a used path or an unfit file system; it raises what `create_file` does."""
    refuse_link(path)
    if path.exists():
        raise CannotCreate(f"{path}: a state file is already here", advice="run the same command to go on")
    refuse_odd_companions(path)
    if read_marker(path) not in {None, header.run_id}:
        raise database.unusable(path, "is gone, but a run that wrote it was here")
    if refuse_network(path, allowed=network, mountinfo=mounts) is None:
        refuse_unfit(path)


def draft_of(path: Path) -> Path:
    """Return the name under which the file is built; it is the longest name beside it."""
    return path.with_name(f"{path.name}{DRAFT}{secrets.token_hex(4)}")


@contextmanager
def _as_cannot_create(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_error(
            error, path, "cannot be made", advice="make the folder writable, or give --run-dir"
        ) from error


def _fill(draft: Path, header: RunHeader, *, machine: str, place: str) -> None:
    with closing(database.connect_writer(draft)) as connection:
        migrate(connection)
        marks = ", ".join("?" for _ in header_cells(header))
        with database.atomic(connection):
            connection.execute(
                f"INSERT INTO run ({columns_of(RunHeader)}) VALUES ({marks})",  # noqa: S608 - our own names
                header_cells(header),
            )
            connection.execute("UPDATE run SET machine = ?, place = ?", (machine, place))


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise CannotCreate(f"{path}: another process has just made it") from error
    except OSError:
        # Some file systems (exFAT) have no links; there only the run's lock keeps a second creator out.
        draft.rename(path)


def migrate(
    connection: sqlite3.Connection,
    *,
    keep_copy_at: Path | None = None,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> None:
    """Update the file to the newest version in one transaction, and its triggers to the present `states`.

    `keep_copy_at` is the path of the file; the copy of an older file gets the version as a suffix (`state.db.v1`).
    """
    version = int(str(database.pragma(connection, "user_version")))
    if version < len(migrations):
        # SQLite's own backup makes the copy: a plain copy would miss the log, and closing it would drop our locks.
        if version and keep_copy_at is not None:
            copy = keep_copy_at.with_name(f"{keep_copy_at.name}.v{version}")
            os.close(open_private(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            with closing(sqlite3.connect(copy)) as target:
                connection.backup(target)
        with database.atomic(connection):
            for statement in (step for steps in migrations[version:] for step in steps):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
    _renew_rules(connection)


def _renew_rules(connection: sqlite3.Connection) -> None:
    # The comparison comes first, so that an ordinary opening changes no schema and no reader must parse it again.
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    if found == dict(RULES):
        return
    with database.atomic(connection):
        for name in found:
            quoted = name.replace('"', '""')
            connection.execute(f'DROP TRIGGER "{quoted}"')
        for rule in RULES.values():
            connection.execute(rule)


def note_place(connection: sqlite3.Connection, machine: str, place: str) -> None:
    """Record that the file is open on `machine` and at `place`; an empty place keeps the known one."""
    known = tuple(connection.execute("SELECT machine, place FROM run").fetchone())
    if known != (here := (machine, place or known[1])):
        with database.atomic(connection):
            connection.execute("UPDATE run SET machine = ?, place = ?", here)


def renew_marker(path: Path, run_id: str) -> None:
    """Write the marker if it is missing or names another folder, as after a crash or in an older copy.

    Raises:
        CannotCreate: the folder cannot be written to.
        DiskFailed: the disk is full or failing.
    """
    if read_marker(path) == run_id and successor_of(path) is None:
        return
    try:
        write_marker(path, run_id)
    except OSError as error:
        raise file_error(error, path.parent, "cannot be written to") from error
