"""Tries whether a folder can hold a state file, before there is one.

In: a folder. Out: SQLite's version, or the error with what to do. It leaves no file behind.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from runner.domain.errors import CannotCreate
from runner.store.file_system import refuse_network, refuse_unfit
from runner.store.run_dir import STATE_FILE


def try_folder(folder: Path) -> str:
    """Write to a small database in a folder of its own below `folder`, as a run does; return SQLite's version.

    Raises:
        FlagRequired: the file system is a share, or its locks do not work.
        CannotCreate: SQLite cannot keep its log there.
        OSError: the folder cannot be written to.
    """
    with TemporaryDirectory(prefix=".shotrunner-", dir=folder) as trial:
        path = Path(trial, STATE_FILE)
        refuse_network(path)
        refuse_unfit(path)
        try:
            with closing(sqlite3.connect(path)) as database:
                (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
                database.execute("CREATE TABLE trial (word)")
        except sqlite3.Error as error:
            mode = str(error)
    if mode != "wal":
        raise CannotCreate(
            f"SQLite cannot work with a write-ahead log in {folder}: {mode}",
            advice="keep the runs on a local disk, with --run-dir",
        )
    return sqlite3.sqlite_version
