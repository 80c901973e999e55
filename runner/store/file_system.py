"""The file system of a path, so that SQLite never runs where locks and flushes may not work.

A known local type passes, and is then tested in the folder itself; an unknown type counts as a share. WAL needs memory
shared between processes, which shares do not offer; see "WAL does not work over a network filesystem" in SQLite's
documentation. Only a test shows what a file system does: some shares grant every lock to every writer.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import secrets
import struct
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from runner.domain.disk_errors import SHORT_OF
from runner.domain.errors import NETWORK as NETWORK_FLAG
from runner.domain.errors import FlagRequired
from runner.system.private_files import open_private

Test: TypeAlias = Callable[[int, int], bool]
"""Takes two descriptors of one file and returns whether its file system passes.

Two descriptors of one process stand for two processes, since locks of open file descriptions exclude each other in the
same way.
"""

# fmt: off
LOCAL = frozenset({
    # Disks of Linux, macOS and the BSDs.
    "apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "ffs", "hfs", "hfsplus", "jfs", "nilfs2", "reiser4",
    "reiserfs", "ubifs", "ufs", "xfs", "zfs",
    # USB sticks and the disks of other systems; fuseblk is a local disk with a driver outside the kernel.
    "exfat", "fuseblk", "msdos", "ntfs", "ntfs3", "udf", "vfat",
    # Memory.
    "ramfs", "rootfs", "tmpfs",
    # Layers over the above, as containers and encrypted home folders have them.
    "aufs", "ecryptfs", "fuse.fuse-overlayfs", "overlay", "overlayfs", "shiftfs",
    # Read-only file systems.
    "cramfs", "erofs", "iso9660", "squashfs",
})
# fmt: on
_MOUNTINFO = Path("/proc/self/mountinfo")
_UNKNOWN_HERE = frozenset({errno.EINVAL, errno.ENOSYS})
_WORD = b"shared"


def file_system_of(path: Path, mountinfo: str) -> str | None:
    """Return the type of the file system that holds the absolute `path`, None if the text does not say.

    The format is that of proc_pid_mountinfo(5): the mount point is the fifth field, the type follows ` - `.
    """
    best: tuple[int, str] | None = None
    for line in mountinfo.splitlines():
        left, dash, right = line.partition(" - ")
        fields = left.split()
        if not dash or len(fields) < 5 or not right:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        depth = len(point.parts)
        # A later line of the same depth is mounted over the earlier one.
        if path.is_relative_to(point) and (best is None or depth >= best[0]):
            best = (depth, right.split()[0])
    return best[1] if best else None


def refuse_network(path: Path, *, allowed: bool = False, mountinfo: str | None = None) -> str | None:
    """Return the type of the possible share that `path` lies on; None for a local disk, and if the system is silent.

    Raises `FlagRequired` for a share that is not `allowed`.
    """
    if mountinfo is None:
        mountinfo = ""
        with suppress(OSError):
            mountinfo = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
    kind = file_system_of(path.resolve(), mountinfo)
    if kind is None or kind in LOCAL:
        return None
    if not allowed:
        raise _unfit(path, f"lies on a file system ({kind}) that is not known to be a local disk")
    return kind


def refuse_unfit(path: Path, *, tests: Mapping[str, Test] | None = None) -> None:
    """Refuse a path whose folder fails a test of what SQLite needs, under any name of its file system.

    Raises `FlagRequired`; `OSError` if the folder cannot be written to, or its disk fails.
    """
    trial = path.with_name(f".{secrets.token_hex(8)}.trial")
    first = open_private(trial, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    try:
        os.pwrite(first, bytes(mmap.PAGESIZE), 0)
        os.fsync(first)
        second = open_private(trial, os.O_RDWR)
        try:
            for lacking, behaves in (TESTS if tests is None else tests).items():
                if not behaves(first, second):
                    raise _unfit(path, f"lies on a file system that cannot hold it: {lacking}")
        finally:
            os.close(second)
    finally:
        os.close(first)
        trial.unlink(missing_ok=True)


def _unfit(path: Path, why: str) -> FlagRequired:
    return FlagRequired(
        f"{path}: {why}; the state file needs locks and flushes that work",
        flag=NETWORK_FLAG,
        condition="if no other machine uses this run and there is no local disk",
        otherwise="better give a folder on a local disk with --run-dir",
    )


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
