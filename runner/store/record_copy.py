"""Copies a run's record while it is in use, as one plain file from which another machine can continue.

In: a state file. Out: a file like the one that a run leaves when it closes. Nothing of the original changes. A copy
continues nothing by itself: it names the session of the log that it was made in, which is over by then.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from pathlib import Path

from runner.store import database
from runner.system.private_files import open_private

_OUR_FILE = re.compile(r"clips/(?!\.{1,2}\Z)[^/\\\x00-\x1f]+")


def copy_record(state_file: Path, target: Path) -> None:
    """Write a copy of the record at one moment to `target`, in place of an older file.

    Raises:
        DiskFailed: the disk is full or failing.
        StateFileUnusable: the state file cannot be read.
    """
    with database.translated(target):
        os.close(open_private(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        with (
            closing(database.connect_reader(state_file)) as source,
            closing(database.connect_writer(target)) as copy,
        ):
            # All at once: SQLite begins a copy in parts again at each commit of the run. In WAL no one waits for it.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            copy.execute("UPDATE run SET at_rest = 1")


def let_continue(copy: Path, session: str) -> None:
    """Note in a copy that it holds the run's log in the store by `session`, so that a run can continue from it.

    Raises:
        DiskFailed: the disk is full or failing.
        StateFileUnusable: it is not a state file.
    """
    with database.translated(copy), closing(database.connect_writer(copy)) as connection:
        connection.execute("UPDATE run SET log_sessions = ?", (json.dumps([session]),))


def refuse_odd_files(copy: Path) -> None:
    """Refuse a record from elsewhere whose clips have other paths than `clips/NAME`: it could name any file here.

    Raises:
        StateFileUnusable: it is not a state file, or it has such a path.
    """
    with database.translated(copy), closing(database.connect_reader(copy)) as connection:
        for (file,) in connection.execute("SELECT file FROM takes WHERE file IS NOT NULL"):
            if not _OUR_FILE.fullmatch(str(file)):
                raise database.unusable(copy, f"names a clip as {str(file)[:80]!a}, which no run does")
