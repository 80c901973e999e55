"""Writes files that are whole or absent.

Bytes are flushed before they get a name, and the name is durable after the folder's `sync`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from typing import Self

from runner.media.clips.folder import Folder, plain_name

_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR
_BLOCK = 1 << 20
_START = 64 << 10


class FileLocked(Exception):
    """Another process is writing the same file."""


def write_whole(folder: Folder, name: str, data: bytes, *, over: bool = True) -> None:
    """Write a small file whole or not at all; unless `over` is False, it replaces an older one.

    The caller prevents a second writer.

    Raises:
        FileExistsError: the name is taken, and `over` is False.
    """
    hidden = f".{plain_name(name)}.tmp"
    try:
        fd = folder.open(hidden, _NEW)
    except FileExistsError:
        # A killed process has left it, and no process is writing it now.
        folder.remove(hidden)
        fd = folder.open(hidden, _NEW)
    try:
        _write(fd, data)
        os.fsync(fd)
        if over:
            folder.replace(hidden, name)
        else:
            folder.appear(hidden, name)
    except OSError:
        folder.remove(hidden)
        raise
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


class PartFile:
    """A file that grows under a hidden name; `keep` of its first bytes continues what an earlier try left.

    It is locked while open, so a second process that fetches the same clip gets `FileLocked` instead of a mixture.
    Leaving the context removes the hidden file, unless `place` gave it its name or `leave` kept it.

    Raises:
        NameConflict: a link or folder has the hidden name.
        FileLocked: another process has it open.
    """

    def __init__(self, folder: Folder, name: str, *, keep: int = 0) -> None:
        self.name = name
        self.size = 0
        self._folder = folder
        self._hash = hashlib.sha256()
        # The first bytes are read more than once: in most clips they show whether the file is whole.
        self._start = b""
        self._flushed = False
        self._kept = False
        self._fd = self._continued(keep) if keep else self._fresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
        _write(self._fd, data)
        if self.size == len(self._start) < _START:
            self._start += data[: _START - self.size]
        self._hash.update(data)
        self.size += len(data)
        self._flushed = False

    def restart(self) -> None:
        """Forget all bytes so far."""
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)
        self._hash = hashlib.sha256()
        self.size = 0
        self._start = b""
        self._flushed = False

    def read_at(self, at: int, count: int) -> bytes:
        """Return `count` bytes from byte `at` on, or fewer at the end."""
        if at + count <= len(self._start):
            return self._start[at : at + count]
        return os.pread(self._fd, count, at)

    def flush(self) -> None:
        """Make the bytes durable."""
        if not self._flushed:
            os.fsync(self._fd)
            self._flushed = True

    def leave(self) -> None:
        """Flush, and keep the hidden file for a later try."""
        self.flush()
        self._kept = True

    def place(self, final: str) -> None:
        """Flush, then give the file its final name, whole, never replacing another.

        Raises:
            FileExistsError: the name is taken.
        """
        self.flush()
        self._folder.appear(self.name, final)
        self._kept = True

    def _fresh(self) -> int:
        try:
            return self._locked(_NEW)
        except FileExistsError:
            pass
        if self._folder.is_file(self.name):
            # The removal needs the lock: another writer may still hold it, and none may take it afterwards.
            fd = self._locked(os.O_RDONLY)
            try:
                self._folder.remove(self.name)
            finally:
                os.close(fd)
        else:
            self._folder.remove(self.name)
        return self._locked(_NEW)

    def _continued(self, keep: int) -> int:
        if not self._folder.is_file(self.name):
            return self._fresh()
        fd = self._locked(os.O_RDWR)
        found = os.fstat(fd)
        # A second name on the same bytes may be a delivered clip, which must not be written to.
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
            # A file without a name was removed by another process between opening and locking.
            if os.fstat(fd).st_nlink == 0:
                raise BlockingIOError
        except OSError as error:
            os.close(fd)
            if isinstance(error, BlockingIOError):
                raise FileLocked("another process is writing this clip") from error
            raise
        return fd
