"""The file system of a path, so that SQLite never runs where locks and flushes may not work.

In: a path and the text of Linux's mountinfo. Out: a type of file system, or a refusal. It knows no state file. A known
local type passes, and is then tested; an unknown type counts as a share. WAL needs memory shared between processes,
which shares do not offer; see "WAL does not work over a network filesystem" in SQLite's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from runner.domain.errors import NETWORK as NETWORK_FLAG
from runner.domain.errors import FlagRequired
from runner.store.fitness import Test, shortcoming

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
        point = Path(_unescaped(fields[4]))
        depth = len(point.parts)
        # A later line of the same depth is mounted over the earlier one.
        if path.is_relative_to(point) and (best is None or depth >= best[0]):
            best = (depth, right.split()[0])
    return best[1] if best else None


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def refuse_network(path: Path, *, allowed: bool = False, mountinfo: str | None = None) -> str | None:
    """Refuse a path on a possible share, unless that is `allowed`, and return its type; None for a local disk.

    If the system does not say, the path counts as local.

    Raises:
        FlagRequired: it lies on a possible share.
    """
    kind = file_system_of(path.resolve(), _system_mounts() if mountinfo is None else mountinfo)
    if kind is None or kind in LOCAL:
        return None
    if not allowed:
        raise _unfit(path, f"lies on a file system ({kind}) that is not known to be a local disk")
    return kind


def refuse_unfit(path: Path, *, tests: Mapping[str, Test] | None = None) -> None:
    """Refuse a path whose folder fails a test of what SQLite needs, under any name of its file system.

    Raises:
        FlagRequired: a test fails.
        OSError: the folder cannot be written to, or its disk fails.
    """
    if lacking := shortcoming(path.parent, tests=tests):
        raise _unfit(path, f"lies on a file system that cannot hold it: {lacking}")


def _unfit(path: Path, why: str) -> FlagRequired:
    return FlagRequired(
        f"{path}: {why}; the state file needs locks and flushes that work",
        flag=NETWORK_FLAG,
        condition="if no other machine uses this run and there is no local disk",
        otherwise="better give a folder on a local disk with --run-dir",
    )


def _system_mounts() -> str:
    try:
        return _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
