"""Tests in a folder what SQLite needs from a file system: locks that exclude, shared memory, working flushes.

In: a folder. Out: what is missing, in words, or None. It knows no state file, and removes its own trial file. Only a
test shows what a file system does: some shares grant every lock to every writer. Two descriptors of one process stand
for two processes, since locks of open file descriptions exclude each other in the same way.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import secrets
import struct
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from runner.domain.disk_errors import SHORT_OF
from runner.system.private_files import open_private

Test: TypeAlias = Callable[[int, int], bool]
"""Takes two descriptors of one file and returns whether it behaves."""

_UNKNOWN_HERE = frozenset({errno.EINVAL, errno.ENOSYS})
_WORD = b"shared"


def shortcoming(folder: Path, *, tests: Mapping[str, Test] | None = None) -> str | None:
    """Return what the folder's file system cannot do, None if it can do everything.

    Raises: OSError.
    """
    path = folder / f".{secrets.token_hex(8)}.trial"
    first = open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        os.pwrite(first, bytes(mmap.PAGESIZE), 0)
        os.fsync(first)
        second = open_private(path, os.O_RDWR)
        try:
            wanted = TESTS if tests is None else tests
            return next((what for what, does in wanted.items() if not does(first, second)), None)
        finally:
            os.close(second)
    finally:
        os.close(first)
        path.unlink(missing_ok=True)


def _file_locks_exclude(first: int, second: int) -> bool:
    fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        fcntl.flock(first, fcntl.LOCK_UN)
    return False


def _byte_locks_exclude(first: int, second: int) -> bool:
    command = getattr(fcntl, "F_OFD_SETLK", None)
    # Other systems use another layout for this request, or do not have it.
    if command is None or sys.maxsize < 2**32:
        return True
    write_lock, free = (
        struct.pack("hhqqi0q", kind, os.SEEK_SET, 0, 1, 0) for kind in (fcntl.F_WRLCK, fcntl.F_UNLCK)
    )
    try:
        fcntl.fcntl(first, command, write_lock)
    except OSError as error:
        if error.errno in _UNKNOWN_HERE:
            return True
        raise
    try:
        fcntl.fcntl(second, command, write_lock)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        fcntl.fcntl(first, command, free)
    return False


def _memory_is_shared(first: int, second: int) -> bool:
    try:
        with mmap.mmap(first, mmap.PAGESIZE) as ours, mmap.mmap(second, mmap.PAGESIZE) as theirs:
            ours[: len(_WORD)] = _WORD
            return theirs[: len(_WORD)] == _WORD
    except OSError as error:
        if error.errno in SHORT_OF:
            raise
        return False


TESTS: Mapping[str, Test] = {
    "its locks do not keep a second writer out": _file_locks_exclude,
    "its locks on parts of a file do not keep a second writer out": _byte_locks_exclude,
    "it shares no memory between processes": _memory_is_shared,
}
