"""Files that are whole or absent, in one folder that was opened once.

In: plain names and bytes. Out: files that appear under their name complete and flushed, and never replace
something that is not ours. Every name is resolved below the open folder, and no symbolic link is followed, so a
link put there in mid-run leads nowhere. It knows no clips, no takes and no network.

Trade-off: a finished file is linked to its final name and its hidden name removed, since a plain rename would
overwrite. A kill between the two leaves both names on the same bytes; the hidden one is removed by the next try.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_RDWR
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_BLOCK = 1 << 20


class InTheWay(Exception):
    """Something that is not ours stands where a file of ours should go, or a name is no plain file name."""


class Busy(Exception):
    """Another process is writing this very file."""


def plain_name(name: str) -> str:
    """Return `name` if it can only mean a file directly in a folder.

    Raises:
        InTheWay: it has a separator, is a dot name, has control characters, or is longer than 255 bytes.
    """
    bad = "/" in name or "\\" in name or name in {"", ".", ".."} or any(ord(c) < 32 for c in name)
    if bad or len(name.encode("utf-8", "surrogatepass")) > 255:
        raise InTheWay(f"{name[:60]!a} is not usable as a file name")
    return name


def below(root: Path, name: str) -> Path:
    """Return the path of the file `name` directly below `root`; raises `InTheWay` like `plain_name`."""
    return root / plain_name(name)


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that it is there whole, flushed, or not at all; an older file is replaced."""
    with Folder(path.parent) as folder:
        folder.write_whole(path.name, data)


class Folder:
    """A folder held open, made if missing; use it as a context manager.

    Raises:
        InTheWay: the folder is a symbolic link or a file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            if not path.is_symlink():
                path.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.EEXIST}:
                raise InTheWay(f"{path.name} is a symbolic link or a file, not a folder") from error
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def has(self, name: str) -> bool:
        """Return whether anything has this name, a dangling link included."""
        return self._mode(name) is not None

    def is_file(self, name: str) -> bool:
        """Return whether `name` is a regular file and no link."""
        mode = self._mode(name)
        return mode is not None and stat.S_ISREG(mode)

    def read(self, name: str, *, limit: int) -> bytes | None:
        """Return the content of a regular file of at most `limit` bytes; None for anything else."""
        if not self.is_file(name):
            return None
        with os.fdopen(self.open(name, _READ), "rb") as file:
            data = file.read(limit + 1)
        return data if len(data) <= limit else None

    def digest(self, name: str) -> tuple[str, int] | None:
        """Return the SHA-256 and size of a regular file, or None if there is none."""
        if not self.is_file(name):
            return None
        with os.fdopen(self.open(name, _READ), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()

    def write_whole(self, name: str, data: bytes) -> None:
        """Write a small file whole or not at all, replacing an older one."""
        with PartFile(self, f".{plain_name(name)}.tmp") as part:
            part.write(data)
            part.flush()
            os.rename(part.name, name, src_dir_fd=self._fd, dst_dir_fd=self._fd)
        self.sync()

    def move(self, old: str, new: str) -> None:
        """Give a file another name without ever replacing one.

        Raises:
            FileExistsError: `new` is taken by another file.
        """
        try:
            os.link(
                plain_name(old),
                plain_name(new),
                src_dir_fd=self._fd,
                dst_dir_fd=self._fd,
                follow_symlinks=False,
            )
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_exclusively(self._fd, old, new)
        else:
            self.sync()
            os.unlink(old, dir_fd=self._fd)
        self.sync()

    def remove(self, name: str) -> None:
        """Remove a name if it is there.

        Raises:
            InTheWay: it is not a regular file.
        """
        if not self.has(name):
            return
        if not self.is_file(name):
            raise InTheWay(f"{name} in {self.path.name} is not a regular file; move it away")
        os.unlink(name, dir_fd=self._fd)

    def free_bytes(self) -> int:
        """Return how many bytes the volume still takes from us."""
        volume = os.fstatvfs(self._fd)
        return volume.f_bavail * volume.f_frsize

    def sync(self) -> None:
        """Make names durable."""
        os.fsync(self._fd)

    def open(self, name: str, flags: int) -> int:
        """Return a descriptor of a file in this folder; the caller closes it."""
        return os.open(plain_name(name), flags, mode=0o644, dir_fd=self._fd)

    def _mode(self, name: str) -> int | None:
        try:
            return os.stat(plain_name(name), dir_fd=self._fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None


class PartFile:
    """A file that grows under a hidden name; `keep` of its first bytes continues what an earlier try left.

    It is locked while open, so a second process that fetches the same clip gets `Busy` and not a mixture.
    Leaving the context removes the hidden file, unless `place` gave it its name or `leave` kept it.

    Raises:
        InTheWay: a link or folder has the hidden name.
        Busy: another process has it open.
    """

    def __init__(self, folder: Folder, name: str, *, keep: int = 0) -> None:
        self.name = name
        self.size = 0
        self._folder = folder
        self._hash = hashlib.sha256()
        self._fd = self._continued(keep) if keep else self._fresh()
        self._kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._kept:
                self._folder.remove(self.name)
        finally:
            os.close(self._fd)

    @property
    def sha256(self) -> str:
        """The hash of all bytes so far."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Append bytes."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
        self._hash.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget all bytes so far."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.size = 0

    def head(self, count: int) -> bytes:
        """Return the first `count` bytes, or fewer."""
        return os.pread(self._fd, count, 0)

    @contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Give the file to read, without moving the place where bytes are appended."""
        with os.fdopen(self._folder.open(self.name, _READ), "rb") as file:
            yield file

    def flush(self) -> None:
        """Make the bytes durable."""
        os.fsync(self._fd)

    def leave(self) -> None:
        """Flush and let the hidden file stay for a later try."""
        self.flush()
        self._kept = True

    def place(self, final: str) -> None:
        """Flush, then give the file its final name, whole, never replacing another.

        Raises:
            FileExistsError: the name is taken.
        """
        self.flush()
        self._folder.move(self.name, final)
        self._kept = True

    def _fresh(self) -> int:
        if self._folder.is_file(self.name):
            # Taken and dropped again: whoever else writes this file still holds its lock.
            os.close(self._locked(_READ))
        self._folder.remove(self.name)
        return self._locked(_NEW)

    def _continued(self, keep: int) -> int:
        if not self._folder.is_file(self.name):
            return self._fresh()
        fd = self._locked(os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(fd)
        # A second name on the same bytes may be a clip that was already delivered: never write into it.
        if found.st_size < keep or found.st_nlink != 1:
            os.close(fd)
            return self._fresh()
        os.ftruncate(fd, keep)
        while block := os.read(fd, _BLOCK):
            self._hash.update(block)
        self.size = keep
        return fd

    def _locked(self, flags: int) -> int:
        fd = self._folder.open(self.name, flags)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise Busy("another process is writing this clip") from error
            raise
        return fd


def _rename_exclusively(folder: int, old: str, new: str) -> None:
    """Rename where the file system has no hard links (exFAT, some mounts): the kernel's own exclusive rename."""
    name, flag = {"linux": ("renameat2", 1), "darwin": ("renameatx_np", 4)}.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is None:
        raise OSError(errno.ENOTSUP, "this file system cannot rename without overwriting", new)
    if call(folder, os.fsencode(old), folder, os.fsencode(new), ctypes.c_uint(flag)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
