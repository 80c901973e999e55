"""Files and folders of a run: they are private, and anything else under their names is refused.

A symbolic link is not followed. A pipe or a device is refused without waiting. A file with a second name is not written
to. New files and folders have mode 0600 or 0700 under any umask; existing ones keep their mode. Every function raises
`OSError`, which `disk_errors` puts into words.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_ALWAYS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_ODD = {
    errno.ELOOP: "is a symbolic link",
    errno.ENXIO: "is a pipe, a socket or a device",
    errno.EISDIR: "is a folder",
}
_STEM = 40
FILE_MODE = 0o600
FOLDER_MODE = 0o700


class NotOurs(OSError):
    """Something that is not a run's own file is in its place; the errno is ELOOP, ENXIO or EMLINK."""

    def __init__(self, number: int, why: str, path: str | Path) -> None:
        super().__init__(number, f"{why}, not a file of a run; move it away", str(path))


def open_private(
    path: str | Path, flags: int = os.O_RDONLY, *, folder: int | None = None, alone: bool = True
) -> int:
    """Return a descriptor of a regular file; `path` is relative to the descriptor `folder`, if that is given.

    Unless `alone` is False, a file that is opened to be written must have no other name.

    Raises:
        NotOurs: a link, a folder, a pipe, a device or a file with two names is there.
    """
    made = bool(flags & os.O_CREAT) and _made(path, flags, folder)
    fd = made or _opened(path, flags & ~(os.O_CREAT | os.O_TRUNC), folder)
    try:
        _refuse(os.fstat(fd), path, alone=alone and flags & os.O_ACCMODE != os.O_RDONLY)
        if flags & os.O_TRUNC and not made:
            os.ftruncate(fd, 0)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _made(path: str | Path, flags: int, folder: int | None) -> int:
    """Return a descriptor of a new file, 0 if the name is taken and that is allowed."""
    try:
        fd = os.open(path, flags | os.O_EXCL | _ALWAYS, FILE_MODE, dir_fd=folder)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return 0
    os.fchmod(fd, FILE_MODE)
    return fd


def _opened(path: str | Path, flags: int, folder: int | None) -> int:
    try:
        return os.open(path, flags | _ALWAYS, dir_fd=folder)
    except OSError as error:
        if error.errno in _ODD:
            number = errno.ELOOP if error.errno == errno.ELOOP else errno.ENXIO
            raise NotOurs(number, _ODD[error.errno], path) from error
        raise


def refuse_odd(path: Path) -> None:
    """Refuse anything but a plain file, before a library opens it by itself; an absent file is fine.

    Raises:
        NotOurs: it is not a regular file, or has a second name.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    _refuse(found, path, alone=True)


def _refuse(found: os.stat_result, path: str | Path, *, alone: bool) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise NotOurs(errno.ELOOP, _ODD[errno.ELOOP], path)
    if not stat.S_ISREG(found.st_mode):
        raise NotOurs(errno.ENXIO, "is not a regular file", path)
    if alone and found.st_nlink > 1:
        raise NotOurs(errno.EMLINK, "has a second name (a hard link)", path)


def read_private(path: Path, *, limit: int) -> bytes:
    """Return the content of a file.

    Raises:
        FileNotFoundError: there is none.
        NotOurs: it is not a regular file, or larger than `limit` bytes.
    """
    with os.fdopen(open_private(path), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise NotOurs(errno.ENXIO, f"is larger than {limit} bytes", path)
    return data


def read_given(path: Path, *, limit: int) -> bytes:
    """Return the content of a file that the user named, links followed, without ever waiting for it.

    Raises:
        OSError: it is missing, is not a regular file, or is larger than `limit` bytes.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file", str(path))
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EINVAL, f"is larger than {limit} bytes", str(path))
    return data


def write_whole(path: Path, text: str | bytes) -> None:
    """Write a file that is whole or absent, even after a power loss; an older one, or a link, is replaced."""
    with whole_file(path) as file:
        file.write(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a hidden file to write to, which gets its name at the end as by `write_whole`; an error removes it."""
    with _hidden(path) as (_, descriptor), os.fdopen(descriptor, "wb", closefd=False) as file:
        yield file


@contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """Yield the path of a hidden file, for a library that opens files by itself; otherwise like `whole_file`."""
    with _hidden(path) as (part, _):
        yield part


@contextmanager
def _hidden(path: Path) -> Iterator[tuple[Path, int]]:
    # Every writer has its own name: two at once must not share a half-written file.
    part = path.with_name(f".{path.name[:_STEM]}.{secrets.token_hex(4)}.part")
    descriptor: int | None = None
    try:
        # Inside, since a Ctrl-C may come when the file is there and its descriptor is not known yet.
        descriptor = open_private(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        yield part, descriptor
        os.fsync(descriptor)
        part.replace(path)
    except BaseException:
        # The first failure is the one to report.
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    finally:
        if descriptor is not None:
            os.close(descriptor)
    flush_folder(path.parent)


def try_writing(path: Path) -> None:
    """Do what `write_whole` does under another name, and undo it; raises the same errors."""
    if path.is_dir() and not path.is_symlink():
        raise NotOurs(errno.ENXIO, "is a folder", path)
    trial = path.with_name(f".{secrets.token_hex(8)}.trial")
    write_whole(trial, "")
    trial.unlink()


def flush_folder(folder: Path) -> None:
    """Make the folder's entries durable; without it a power loss may undo a rename."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """Make a folder, and the missing folders above it; an existing one stays as it is."""
    try:
        _make_one(path)
    except FileNotFoundError:
        if path.parent == path:
            raise
        make_folder(path.parent)
        _make_one(path)


def _make_one(path: Path) -> None:
    try:
        path.mkdir(FOLDER_MODE)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(FOLDER_MODE)
