"""What an error of the operating system is called, and what its reader is told to do."""

from __future__ import annotations

import errno
import os

import pytest

from runner.domain.disk_errors import file_error, machine_error
from runner.domain.errors import CannotCreate, DiskFailed, FileMissing


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (errno.ENOSPC, DiskFailed, "free or repair"),
        (errno.EDQUOT, DiskFailed, "free or repair"),
        (errno.EIO, DiskFailed, "free or repair"),
        (errno.EFBIG, DiskFailed, "free or repair"),
        (errno.EMFILE, DiskFailed, "ulimit -n"),
        (errno.ENFILE, DiskFailed, "ulimit -n"),
        (errno.ENOMEM, DiskFailed, "free memory"),
        (errno.EACCES, CannotCreate, "choose another"),
        (errno.EPERM, CannotCreate, "choose another"),
        (errno.EROFS, CannotCreate, "choose another"),
        (errno.ENOTDIR, CannotCreate, "choose another"),
        (errno.EISDIR, CannotCreate, "choose another"),
        (errno.ELOOP, CannotCreate, "choose another"),
        (errno.EEXIST, CannotCreate, "choose another"),
        (errno.ENAMETOOLONG, CannotCreate, "shorter path"),
    ],
)
def test_each_error_says_whether_the_disk_or_the_place_is_to_blame(
    number: int, kind: type[Exception], advice: str
) -> None:
    error = OSError(number, os.strerror(number))
    ours = file_error(error, "run/clips", "cannot be made", advice="choose another")
    assert type(ours) is kind
    assert "run/clips" in ours.message
    assert advice in ours.advice


def test_a_path_that_is_too_long_is_named_as_such_and_shown_by_its_ends() -> None:
    path = "/start/" + "d" * 5000 + "/end"
    ours = file_error(OSError(errno.ENAMETOOLONG, "File name too long"), path)
    assert isinstance(ours, CannotCreate)
    assert "the path is too long (5011 bytes)" in ours.message
    assert "/start/" in ours.message
    assert "/end" in ours.message
    assert len(ours.message) < 250


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), DiskFailed),
        (RuntimeError("can't start new thread"), DiskFailed),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), CannotCreate),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 300), CannotCreate),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone"), FileMissing),
        (FileNotFoundError(errno.ENOENT, "No such file or directory"), FileMissing),
        (OSError(errno.ENOSPC, "No space left on device"), DiskFailed),
        (OSError(errno.EMFILE, "Too many open files", "/x"), DiskFailed),
        (OSError(errno.EIO, "Input/output error"), DiskFailed),
    ],
    ids=repr,
)
def test_what_the_machine_lacks_is_not_a_bug_of_ours(error: Exception, kind: type[Exception]) -> None:
    assert type(machine_error(error)) is kind


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), RuntimeError("x"), OSError(errno.EBADF, "Bad file descriptor"), KeyError("x")],
    ids=repr,
)
def test_what_the_machine_is_not_to_blame_for_may_be_a_bug(error: Exception) -> None:
    assert machine_error(error) is None
