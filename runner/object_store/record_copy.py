"""Copies of a run's record in its store, each named after the last file of the log that it contains.

The two newest copies stay, with the log since the older of them, so one that cannot be read loses nothing.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runner.domain.errors import RecordDamaged
from runner.object_store.run_log import RunLog
from runner.object_store.store import ObjectStore
from runner.system.file_digest import digest_of
from runner.system.private_files import open_private

FOLDER = ".shotrunner/state"
_FORM = re.compile(rf"{re.escape(FOLDER)}/([0-9]{{8}})\.db\.gz")
_KEPT = 2
_REHEARSAL = f"{FOLDER}/rehearsal"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a state file; `number` is that of the last file of the log that it contains."""

    number: int
    name: str


def put_copy(log: RunLog, path: Path, *, upto: int) -> None:
    """Compress the state file at `path` into the store, and remove copies and parts of the log that are older.

    `upto` is the `number` that the log had before the copy at `path` was made. A file beside `path` is written and
    removed on the way.

    Raises:
        RunElsewhere: another session has taken the run over, and its record is the one to keep.
        StoreAway, StoreRefused: the store cannot be used.
    """
    log.check()
    packed = path.with_name(f".{path.name}.gz")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with (
            path.open("rb") as source,
            os.fdopen(open_private(packed, flags), "wb") as written,
            gzip.open(written, "wb", compresslevel=1) as target,
        ):
            shutil.copyfileobj(source, target)
        log.store.put_file(packed, f"{FOLDER}/{upto:08d}.db.gz", sha256=digest_of(packed))
    finally:
        packed.unlink(missing_ok=True)
    there = copies(log.store)
    for copy in there[:-_KEPT]:
        log.store.remove(copy.name)
    log.forget(upto=there[-_KEPT:][0].number)


def note_rehearsal(store: ObjectStore) -> None:
    """Note beside the copies that all jobs went to a simulator: this is for display alone."""
    if not is_rehearsal(store):
        store.put_bytes(_REHEARSAL, b"all jobs went to an API that says that it is a simulator\n")


def is_rehearsal(store: ObjectStore) -> bool:
    """Return whether a run has noted that all its jobs went to a simulator."""
    return store.size_of(_REHEARSAL) is not None


def end_rehearsal(store: ObjectStore) -> None:
    """Take the note away: a job may be paid for."""
    store.remove(_REHEARSAL)


def copies(store: ObjectStore) -> list[Copy]:
    """Return the copies in a store, the oldest first."""
    found = (_FORM.fullmatch(name) for name in store.sizes(FOLDER))
    return sorted((Copy(int(match[1]), match[0]) for match in found if match), key=lambda copy: copy.number)


def get_copy(store: ObjectStore, copy: Copy, target: Path) -> None:
    """Write a copy to a local path that does not exist yet.

    Raises:
        RecordDamaged: it is not as it was written; the one before it, with the log since then, may be.
    """
    packed = target.with_name(f".{target.name}.gz")
    try:
        store.get_file(copy.name, packed)
        with (
            gzip.open(packed, "rb") as source,
            os.fdopen(open_private(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as file,
        ):
            shutil.copyfileobj(source, file)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        target.unlink(missing_ok=True)
        advice = "do not start over: an older copy with the log since then is beside it"
        raise RecordDamaged(f"{store.address.under(copy.name)} is damaged", advice=advice) from error
    finally:
        packed.unlink(missing_ok=True)


def get_newest(store: ObjectStore, target: Path, *, refuse: Callable[[Path], None]) -> int:
    """Write the newest copy that is whole to `target`, in place of an older file; return its number, 0 without a copy.

    `refuse` raises `RecordDamaged` for one that may not be used.

    Raises:
        RecordDamaged: there are copies, and none can be used.
    """
    damaged: RecordDamaged | None = None
    for copy in reversed(copies(store)):
        target.unlink(missing_ok=True)
        try:
            get_copy(store, copy, target)
            refuse(target)
        except RecordDamaged as error:
            damaged = error
            continue
        return copy.number
    target.unlink(missing_ok=True)
    if damaged is not None:
        raise damaged
    return 0
