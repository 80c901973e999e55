"""The only module that opens SQLite: connections with checked settings, transactions, and translated errors.

WAL with `synchronous=FULL` is the fastest mode that loses no commit at power loss. `NORMAL` and Python's default
(DELETE with FULL) both lose some.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from runner.domain import failpoints
from runner.domain.disk_errors import FULL, NEXT_STEP, SHORT_OF, file_error, too_long
from runner.domain.errors import (
    BrokenPromise,
    DiskFailed,
    IllegalTransition,
    RecordDamaged,
    RecordDisplaced,
    RunInUse,
    ShotrunnerError,
    StateFileUnusable,
)
from runner.system.escapes import command_line
from runner.system.private_files import NotOurs

BUSY_MS = 10_000

_SHARED_SETTINGS: Mapping[str, int] = {"busy_timeout": BUSY_MS, "trusted_schema": 0, "cell_size_check": 1}
_WRITER_SETTINGS: Mapping[str, int] = {
    **_SHARED_SETTINGS,
    "foreign_keys": 1,
    # Only macOS reads these two: its plain fsync leaves data in the drive's own cache.
    "fullfsync": 1,
    "checkpoint_fullfsync": 1,
}
_FULL, _EXTRA = 2, 3

_SHUT = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}
_DISK = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, *_SHUT}
BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

Failure: TypeAlias = sqlite3.Error | OSError
"""The errors of a failing file or disk; `OSError` comes from files that are not SQLite's."""

_LONGEST = 504
"""The most bytes of a database's path, links followed: SQLite's limit (MAX_PATHNAME 512, with room for `-journal`)."""


def primary_code(error: BaseException) -> int:
    """Return SQLite's primary result code, 0 for an error of Python's own module."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def is_full(error: Failure) -> bool:
    """Return whether the disk was full: then SQLite has undone everything, and the outcome is certain."""
    return primary_code(error) == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in FULL


def disk_failed(path: Path, why: object) -> DiskFailed:
    """Return the error for a disk that is full or failing."""
    return DiskFailed(f"{path}: {why}", advice=NEXT_STEP)


def refuse_long(path: Path) -> None:
    """Raise `CannotCreate` for a path that is too long for SQLite, whose own error would not give that reason."""
    # Unlike Path.resolve it accepts a loop of links.
    real = os.path.realpath(path)
    if len(os.fsencode(real)) > _LONGEST:
        raise too_long(real)


def translate(error: Failure, path: Path, *, opening: bool = False) -> ShotrunnerError:
    """Return our error for SQLite's; the caller raises it `from` the original.

    While `opening`, a file without write permission is unusable. Later, or if its permissions are fine, the disk has
    failed: SQLite opens for reading what it cannot open for writing, for any reason, and fails at the first write.
    """
    if isinstance(error, OSError):
        # The place was fine at the start. Only a fault of the place itself is not the disk's fault.
        if isinstance(error, NotOurs) or error.errno in SHORT_OF or error.errno == errno.ENAMETOOLONG:
            return file_error(error, os.fsdecode(error.filename or path))
        return disk_failed(path, error.strerror or error)
    code = primary_code(error)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_DBMOVED:
        return RecordDisplaced(
            f"{path}: is no longer the file that this run has open, so nothing more is written",
            advice=f"put its folder back, or enter what is known: {command_line('restore', path.parent)}",
        )
    if opening and code in _SHUT:
        if os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK):
            # The cause is not the permissions but something temporary: no descriptors, a failing disk.
            return disk_failed(
                path, f"cannot be opened to write, although its permissions allow it ({error})"
            )
        return StateFileUnusable(f"{path}: {error}", advice="make the state file and its folder writable")
    if isinstance(error, sqlite3.IntegrityError):
        return IllegalTransition(f"the state file refuses this: {error}")
    if isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.DataError):
        return BrokenPromise(f"the state file was misused: {error}")
    if code in BUSY:
        return RunInUse(
            f"{path}: another process has been writing for more than {BUSY_MS // 1000} s",
            advice="wait for it or stop it, then run the same command again",
        )
    if code in _DISK:
        return disk_failed(path, error)
    return unusable(path, str(error))


def unusable(path: Path, why: str) -> RecordDamaged:
    """Return the error for a state file that no run may use."""
    return RecordDamaged(
        f"{path}: {why}",
        advice="do not start over, or paid takes would be paid again: shotrunner restore sets the file aside and enters"
        " into a new one what is known of it; for a new run give another --run-dir",
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn every `Failure` of the block into our error."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise translate(error, path) from error


@contextmanager
def atomic(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block in one write transaction: all of it is committed and flushed, or none."""
    try:
        # This is inside the block, since memory may run out after SQLite has begun.
        connection.execute("BEGIN IMMEDIATE")
        yield
        failpoints.hit("store.before-commit")
        connection.execute("COMMIT")
        failpoints.hit("store.after-commit")
    except BaseException:
        # A full disk has already rolled back; a second ROLLBACK would hide the first error.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def value(connection: sqlite3.Connection, query: str, *parameters: object) -> Any:  # noqa: ANN401 - any cell
    """Return the first cell of the first row that `query` finds, None without a row."""
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else row[0]


def pragma(connection: sqlite3.Connection, name: str) -> object:
    """Return the value of a setting."""
    return value(connection, f"PRAGMA {name}")


def change_one(
    connection: sqlite3.Connection, statement: str, parameters: Sequence[object], *, refusal: str
) -> None:
    """Run a statement that must change exactly one row; raises `IllegalTransition` with `refusal` if it does not."""
    if connection.execute(statement, parameters).rowcount != 1:
        raise IllegalTransition(refusal)


def connect_glance(path: Path) -> sqlite3.Connection:
    """Open the main file alone, without lock or log: this is right only while no process writes."""
    return _connect(path, "mode=ro&immutable=1", {})


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open for reading; it changes nothing and holds no lasting lock."""
    return _connect(path, "mode=ro", _SHARED_SETTINGS)


def connect_writer(path: Path) -> sqlite3.Connection:
    """Open an existing file for writing in its present journal mode; `awaken` comes next."""
    # With mode=rw SQLite never makes an empty file where the state file has vanished.
    return _connect(path, "mode=rw", {**_WRITER_SETTINGS, "synchronous": _EXTRA})


def _connect(path: Path, query: str, settings: Mapping[str, int]) -> sqlite3.Connection:
    # check_same_thread is off because the opener hands the connection to the writer thread and keeps none.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{query}",
        uri=True,
        isolation_level=None,
        timeout=BUSY_MS / 1000,
        check_same_thread=False,
    )
    try:
        _apply(connection, settings, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _apply(connection: sqlite3.Connection, settings: Mapping[str, int], path: Path) -> None:
    for name, wanted in settings.items():
        # SQLite silently ignores a setting that it cannot apply, so each is read back.
        connection.execute(f"PRAGMA {name} = {wanted}")
        found = pragma(connection, name)
        if found != wanted:
            raise unusable(path, f"SQLite keeps {name} at {found} instead of {wanted}")


def awaken(
    connection: sqlite3.Connection, keeper: sqlite3.Connection, path: Path, *, on_share: bool = False
) -> None:
    """Switch to WAL with FULL, attach `keeper`, and note in the main file itself that a log now belongs to it.

    The note later distinguishes a file whose log was lost from a closed one. The change of mode runs under EXTRA, which
    flushes the folder too: a rollback journal that reappears after a power loss would undo the log. A file on a share
    gets TRUNCATE with FULL, which lose nothing either and need no memory shared between processes. It stays at rest: it
    has no log that could get lost. Raises `StateFileUnusable` if a setting had no effect.
    """
    _use_mode(connection, "truncate" if on_share else "wal", path)
    if on_share:
        return
    # The keeper comes before the note: if it fails, closing may still fold the log and delete it.
    keep_log(keeper)
    with atomic(connection):
        connection.execute("UPDATE run SET at_rest = 0")
    # The log exists before the note reaches the main file: a kill in between must not look like a loss.
    _to_its_end(connection, "PRAGMA wal_checkpoint(TRUNCATE)")


def _use_mode(connection: sqlite3.Connection, mode: str, path: Path, *, switch: bool = True) -> None:
    found = pragma(connection, f"journal_mode = {mode}" if switch else "journal_mode")
    if found != mode:
        raise unusable(path, f"SQLite keeps the journal mode at {found} instead of {mode}")
    _apply(connection, {"synchronous": _FULL}, path)


def _to_its_end(connection: sqlite3.Connection, statement: str) -> None:
    # A statement that is dropped before its last row is committed too, but a failure of that commit raises nothing.
    connection.execute(statement).fetchall()


def keep_log(keeper: sqlite3.Connection) -> None:
    """Attach `keeper`, a reader, so that closing the writing connection leaves the log alone; raises `sqlite3.Error`.

    The last connection to close folds the log in and deletes it. Without the note that the file is at rest, this would
    look like a lost log. After a failed flush nothing more may be written. A reader cannot fold.
    """
    value(keeper, "SELECT at_rest FROM run")


def checkpoint_and_close(connection: sqlite3.Connection, keeper: sqlite3.Connection) -> None:
    """Fold the log into the main file and leave WAL, so that the run's state is one plain file; close `keeper`.

    Readers of a file at rest create nothing beside it. An open reader keeps the file in WAL, which is just as safe.
    """
    with atomic(connection):
        connection.execute("UPDATE run SET at_rest = 1")
    # Here the order is reversed: the note is in the main file before the log is deleted.
    _to_its_end(connection, "PRAGMA wal_checkpoint(TRUNCATE)")
    failpoints.hit("store.folded")
    keeper.close()
    connection.execute(f"PRAGMA synchronous = {_EXTRA}")
    try:
        _to_its_end(connection, "PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if primary_code(error) not in BUSY:
            raise


def reconnect(path: Path, old: sqlite3.Connection, *, on_share: bool = False) -> sqlite3.Connection:
    """Close a connection whose commit failed and return a new one in the same mode; a keeper must be attached.

    Raises `StateFileUnusable` if a setting had no effect.
    """
    old.close()
    failpoints.hit("store.reconnect")
    connection = connect_writer(path)
    try:
        _use_mode(connection, "truncate" if on_share else "wal", path, switch=on_share)
    except BaseException:
        connection.close()
        raise
    return connection
