"""One folder that was opened once, and the names in it; new names never replace a file.

Every name is resolved in the open folder, and no symbolic link is followed, so a link that appears during a run has no
effect. Names are durable after `Folder.sync`, which a caller may call once for many names. Before it a power loss may
undo them, but a kill cannot.

A finished file is linked to its final name and its hidden name removed, since a plain rename would overwrite. A kill
between the two leaves both names on the same bytes; the next try removes the hidden one. Each system call lets another
thread run, so one call is used where it is enough.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import re
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

from runner.system.private_files import FOLDER_MODE, NotOurs, make_folder, open_private

MOST_BYTES = 4 << 20
"""No file beside a clip is larger: a prompt has at most 100 kB, and a job at most 64 outputs."""

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_PLAIN = re.compile(r"[^/\\\x00-\x1f]+")


class NameConflict(Exception):
    """Something else is at the place of a run's own file, or a name is not a plain file name."""


def plain_name(name: str) -> str:
    """Return `name` if it can only mean a file directly in a folder.

    Raises:
        NameConflict: it has a separator, is a dot name, has control characters, or is longer than 255 bytes.
    """
    if not _PLAIN.fullmatch(name) or name in {".", ".."} or len(name.encode("utf-8", "surrogatepass")) > 255:
        raise NameConflict(f"{name[:60]!a} is not usable as a file name")
    return name


class Folder:
    """A folder that is held open, and made if missing; use it as a context manager.

    `home` is the device and inode of its parent folder, which is then never made: if it is gone, the run is elsewhere.
    With None any parent at that path will do.

    Raises:
        NameConflict: the folder is a symbolic link or a file, or its parent is not `home`.
    """

    def __init__(self, path: Path, *, home: tuple[int, int] | None = None) -> None:
        self.path = path
        self._home = home
        try:
            self._fd = self._open()
        except OSError as error:
            if error.errno in {errno.ENOTDIR, errno.ELOOP, errno.EEXIST}:
                raise NameConflict(f"{path.name} is a symbolic link or a file, not a folder") from error
            raise

    def _open(self) -> int:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        if self._home is None:
            make_folder(self.path.parent)
        above = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.fstat(above)
            if self._home not in {None, (found.st_dev, found.st_ino)}:
                raise NameConflict(f"{self.path.parent} is no longer the run's folder")
            try:
                return os.open(self.path.name, flags, dir_fd=above)
            except FileNotFoundError:
                with suppress(FileExistsError):
                    os.mkdir(self.path.name, FOLDER_MODE, dir_fd=above)
                    os.chmod(self.path.name, FOLDER_MODE, dir_fd=above)
                return os.open(self.path.name, flags, dir_fd=above)
        finally:
            os.close(above)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def has(self, name: str) -> bool:
        """Return whether anything has this name, a dangling link included."""
        return self._stat(name) is not None

    def names(self) -> list[str]:
        """Return every name in the folder."""
        return os.listdir(self._fd)  # noqa: PTH208 - of the open folder, not of the folder now at its path

    def is_file(self, name: str) -> bool:
        """Return whether `name` is a regular file and not a link."""
        return self.size(name) is not None

    def size(self, name: str) -> int | None:
        """Return how many bytes a regular file has, None if there is none."""
        found = self._stat(name)
        return found.st_size if found and stat.S_ISREG(found.st_mode) else None

    def is_one_file(self, name: str, other: str) -> bool:
        """Return whether two names belong to the same file."""
        one, two = self._stat(name), self._stat(other)
        return one is not None and two is not None and os.path.samestat(one, two)

    def read(self, name: str, *, limit: int = MOST_BYTES) -> bytes | None:
        """Return the content of a file, or None if nothing has this name.

        Raises:
            NameConflict: it is not a regular file, or larger than `limit` bytes.
        """
        try:
            fd = self.open(name, os.O_RDONLY)
        except FileNotFoundError:
            return None
        except NotOurs as error:
            raise self._odd(name) from error
        try:
            size = os.fstat(fd).st_size
            if size > limit:
                raise self._odd(name)
            return os.read(fd, size)
        finally:
            os.close(fd)

    def digest(self, name: str) -> tuple[str, int] | None:
        """Return the SHA-256 and size of a regular file, or None if there is none."""
        try:
            fd = self.open(name, os.O_RDONLY)
        except (FileNotFoundError, NotOurs):
            return None
        with os.fdopen(fd, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()

    def holds(self, name: str, sha256: str) -> bool:
        """Return whether a regular file has this name and this hash."""
        found = self.digest(name)
        return found is not None and found[0] == sha256

    def move(self, old: str, new: str) -> None:
        """Give a file another name without ever replacing one; the file has a name at every moment.

        Raises:
            FileExistsError: `new` is taken by another file.
        """
        if self._linked(old, new):
            # The flush comes between the two, or a power loss could undo the new name but not the removal of the old.
            self.sync()
            os.unlink(old, dir_fd=self._fd)
        self.sync()

    def appear(self, hidden: str, final: str) -> None:
        """Move a flushed file from its hidden name to its final one; the name is durable after `sync`.

        Raises:
            FileExistsError: `final` is taken by another file.
        """
        if self._linked(hidden, final):
            os.unlink(hidden, dir_fd=self._fd)

    def replace(self, hidden: str, final: str) -> None:
        """Move a flushed file from its hidden name to its final one, over an older file."""
        os.rename(plain_name(hidden), plain_name(final), src_dir_fd=self._fd, dst_dir_fd=self._fd)

    def _linked(self, old: str, new: str) -> bool:
        """Give a file a second name; False if the file system has no links and the file was renamed."""
        old, new = plain_name(old), plain_name(new)
        try:
            os.link(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            rename_exclusively(self._fd, old, new)
            return False
        return True

    def remove(self, name: str) -> None:
        """Remove a name if it is there.

        Raises:
            NameConflict: it is not a regular file.
        """
        found = self._stat(name)
        if found is not None and not stat.S_ISREG(found.st_mode):
            raise self._odd(name)
        if found is not None:
            os.unlink(name, dir_fd=self._fd)

    def free_bytes(self) -> int:
        """Return how many bytes this user may still write on the volume."""
        volume = os.fstatvfs(self._fd)
        return volume.f_bavail * volume.f_frsize

    def sync(self) -> None:
        """Make names durable."""
        os.fsync(self._fd)

    def open(self, name: str, flags: int) -> int:
        """Return a descriptor of a file in this folder; the caller closes it, and never waits for a pipe or a device.

        Raises:
            NotOurs: it is not a regular file.
        """
        return open_private(plain_name(name), flags, folder=self._fd, alone=False)

    def _odd(self, name: str) -> NameConflict:
        return NameConflict(f"{name} in {self.path.name} is not a regular file of this run; move it away")

    def _stat(self, name: str) -> os.stat_result | None:
        try:
            return os.stat(plain_name(name), dir_fd=self._fd, follow_symlinks=False)
        except FileNotFoundError:
            return None


def rename_exclusively(folder: int, old: str, new: str) -> None:
    """Rename in an open folder without hard links (exFAT, some mounts), by the kernel's own exclusive rename.

    Raises:
        FileExistsError: `new` is taken.
    """
    name, flag = {"linux": ("renameat2", 1), "darwin": ("renameatx_np", 4)}.get(sys.platform, ("", 0))
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None) if name else None
    if call is None:
        raise OSError(errno.ENOTSUP, "this file system cannot rename without overwriting", new)
    if call(folder, os.fsencode(old), folder, os.fsencode(new), ctypes.c_uint(flag)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), new)
