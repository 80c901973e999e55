"""What an error of the operating system means to the user: the one table from `OSError` to Shotrunner's errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from runner.domain.errors import CannotCreate, DiskFailed, FileMissing, ShotrunnerError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
BAD_DISK = FULL | {errno.EIO, errno.EFBIG}
"""The disk is full or failing, so every other file on it will fail too."""

NO_FILES_LEFT = frozenset({errno.EMFILE, errno.ENFILE})
SHORT_OF = NO_FILES_LEFT | {errno.ENOMEM, errno.EAGAIN, errno.EINTR}
"""The process or the machine is short of something for a while; the disk and its permissions are not the cause."""

_NO_FOLDER = frozenset({errno.ENOENT, errno.ENOTDIR})
NEXT_STEP = "free or repair the disk, then run the same command again"
_STEPS = (
    dict.fromkeys(BAD_DISK, "free or repair the disk")
    | dict.fromkeys(SHORT_OF, "free memory")
    | dict.fromkeys(NO_FILES_LEFT, "raise ulimit -n")
)
_LONGEST_SHOWN = 120
# Python gives no error number for this, only these words.
_NO_THREAD = "can't start new thread"


def file_error(
    error: OSError, path: str | Path, what: str = "", *, advice: str = ""
) -> DiskFailed | CannotCreate:
    """Return the error for a file or folder that could not be made or written.

    `what` follows the path ("cannot be made"); `advice` is for a place without permission.
    """
    if error.errno == errno.ENAMETOOLONG:
        return too_long(path)
    message = ": ".join(filter(None, (_shown(path), what, error.strerror or str(error))))
    if step := _STEPS.get(error.errno or 0):
        return DiskFailed(message, advice=f"{step}, then run the same command again")
    return CannotCreate(message, advice=advice or "let this user read and write it, or choose another place")


def too_long(path: str | Path) -> CannotCreate:
    """Return the error for a path that the system or SQLite cannot take."""
    return CannotCreate(
        f"{_shown(path)}: the path is too long ({len(os.fsencode(path))} bytes)",
        advice="choose a folder with a shorter path, or shorter ids",
    )


def machine_error(error: Exception) -> ShotrunnerError | None:
    """Return the error for a fault of the machine that nothing else has reported; None if it may be a bug.

    An error that names a file, or a shortage, is the machine's fault. Any other comes from the program's own file.
    """
    if isinstance(error, MemoryError):
        return DiskFailed(
            "out of memory", advice="free memory or raise ulimit -v, then run the same command again"
        )
    if isinstance(error, ImportError) and os.strerror(errno.EMFILE) in str(error):
        error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    if isinstance(error, RuntimeError) and str(error) == _NO_THREAD:
        return DiskFailed(
            "the system starts no more threads", advice="raise ulimit -u, then run the same command again"
        )
    if not isinstance(error, OSError):
        return None
    where = None if error.filename is None else os.fsdecode(error.filename)
    if error.errno in _NO_FOLDER:
        return FileMissing(
            f"{_shown(where or 'the current folder')}: {error.strerror}",
            advice="give the path of a file or folder that is there",
        )
    if where is not None or error.errno in _STEPS:
        return file_error(error, where or "this machine")
    return None


def _shown(path: str | Path) -> str:
    text = str(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:60]}…{text[-59:]}"
