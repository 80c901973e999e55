"""Which file system a path lies on, so that SQLite is never run over a network.

WAL needs memory shared between processes, which network file systems do not give; see "WAL does not work over
a network filesystem" in SQLite's documentation. In: a path and the text of Linux's mountinfo. Out: a type of
file system, or a refusal.
"""

from __future__ import annotations

import re
from pathlib import Path

from runner.store.consent import NETWORK as NETWORK_FLAG
from runner.store.consent import ConsentMissing

# fmt: off
NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fuse.davfs", "fuse.glusterfs",
    "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3",
    "smbfs", "vboxsf", "virtiofs", "vmhgfs",
})
# fmt: on
_MOUNTINFO = Path("/proc/self/mountinfo")


def file_system_of(path: Path, mountinfo: str) -> str | None:
    """Return the type of the file system that holds the absolute `path`, None where the text does not say.

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
    """Refuse a path on a network share unless that is `allowed`, and return the share's type; None for a local disk.

    Where the system does not tell, the path is taken for local.

    Raises:
        ConsentMissing: it lies on one.
    """
    kind = file_system_of(path.resolve(), _system_mounts() if mountinfo is None else mountinfo)
    if kind not in NETWORK:
        return None
    if not allowed:
        raise ConsentMissing(
            f"{path}: lies on a network file system ({kind}), whose locks and flushes SQLite cannot rely on",
            flag=NETWORK_FLAG,
            condition="if no other machine uses this run and there is no local disk",
            otherwise="better give a folder on a local disk with --run-dir",
        )
    return kind


def _system_mounts() -> str:
    try:
        return _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
