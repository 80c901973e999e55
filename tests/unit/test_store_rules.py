"""The parts of the store that are pure: rules made from the table, effects, error words, mount types."""

from __future__ import annotations

import hashlib
import mmap
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from runner.domain.errors import (
    BrokenPromise,
    DiskFailed,
    FlagRequired,
    IllegalTransition,
    RecordDamaged,
    RunInUse,
    ShotrunnerError,
    StateFileUnusable,
)
from runner.domain.states import DELIVERIES, TRANSITIONS, DeliveryState, Fact, SubmissionStarted, TakeState
from runner.store.append_event import COLUMN_UPDATES
from runner.store.database import translate
from runner.store.file_system import LOCAL, TESTS, file_system_of, refuse_network, refuse_unfit
from runner.store.schema import MIGRATIONS, RULES


def test_every_fact_has_its_effect() -> None:
    assert set(COLUMN_UPDATES) == set(get_args(Fact))


def test_a_submission_is_the_only_way_into_submitting() -> None:
    """Otherwise a paid POST could leave without its intent on disk."""
    ways = {kind for (_, kind), targets in TRANSITIONS.items() if TakeState.SUBMITTING in targets}
    assert ways == {SubmissionStarted}
    assert re.findall(r"'(\w+)>submitting'", RULES["take_moves_by_the_table"]) == ["pending"]


def test_the_triggers_know_each_move_of_the_tables() -> None:
    moves = {f"'{before}>{after}'" for (before, _), to in TRANSITIONS.items() for after in to}
    assert set(re.findall(r"'\w+>\w+'", RULES["take_moves_by_the_table"])) == moves
    deliveries = {f"'{before}>{after}'" for (before, _), after in DELIVERIES.items()}
    assert set(re.findall(r"'\w+>\w+'", RULES["clip_moves_by_the_table"])) == deliveries
    assert f"'{DeliveryState.DELIVERED}>{DeliveryState.FETCHING}'" not in RULES["clip_moves_by_the_table"]


def test_the_first_version_of_the_tables_is_frozen() -> None:
    """Files of this version are out there: a change is a new entry in MIGRATIONS, not an edit of this one."""
    text = "\n".join(" ".join(statement.split()) for statement in MIGRATIONS[0])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "3dfbc66f9e569d2d"


def sqlite_error(kind: type[sqlite3.Error], code: int) -> sqlite3.Error:
    error = kind("what SQLite said")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_FULL), DiskFailed),
        (sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_IOERR_FSYNC), DiskFailed),
        (sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_READONLY), DiskFailed),
        (sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_BUSY_SNAPSHOT), RunInUse),
        (sqlite_error(sqlite3.DatabaseError, sqlite3.SQLITE_NOTADB), RecordDamaged),
        (sqlite_error(sqlite3.DatabaseError, sqlite3.SQLITE_CORRUPT), RecordDamaged),
        (sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_ERROR), RecordDamaged),
        (sqlite_error(sqlite3.IntegrityError, sqlite3.SQLITE_CONSTRAINT_TRIGGER), IllegalTransition),
        (sqlite3.ProgrammingError("closed"), BrokenPromise),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else None,
)
def test_each_kind_of_sqlite_error_has_its_word(
    error: sqlite3.Error, expected: type[ShotrunnerError]
) -> None:
    ours = translate(error, Path("state.db"))
    assert type(ours) is expected
    assert str(error) in ours.message or expected is RunInUse


def test_a_file_that_cannot_be_written_is_unusable_at_opening() -> None:
    error = sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_READONLY)
    ours = translate(error, Path("state.db"), opening=True)
    assert isinstance(ours, StateFileUnusable)
    assert "writable" in ours.advice


@pytest.mark.parametrize("code", [sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN])
def test_a_file_that_may_be_written_and_cannot_is_the_disks_affair(tmp_path: Path, code: int) -> None:
    """SQLite falls back to reading where one try to open for writing fails, also for want of descriptors."""
    (tmp_path / "state.db").touch()
    ours = translate(sqlite_error(sqlite3.OperationalError, code), tmp_path / "state.db", opening=True)
    assert isinstance(ours, DiskFailed)
    assert "although its permissions allow it" in ours.message


MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /home/ada/My\040Share rw,relatime - nfs4 server:/x rw
31 22 0:41 / /mnt/c rw,noatime - 9p drvfs rw
32 31 8:2 / /mnt/c/local rw - xfs /dev/sdb rw
33 22 0:42 / /data rw - ext4 /dev/sdc rw
34 22 0:43 / /data rw master:2 - fuse.sshfs me@host: rw
a line that makes no sense
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/tmp/reports/state.db", "ext4"),
        ("/home/ada/My Share/reports/state.db", "nfs4"),
        ("/home/ada/My Shared/state.db", "ext4"),
        ("/mnt/c/reports/state.db", "9p"),
        ("/mnt/c/local/state.db", "xfs"),
        ("/data/state.db", "fuse.sshfs"),
    ],
)
def test_the_innermost_and_newest_mount_decides(path: str, kind: str) -> None:
    assert file_system_of(Path(path), MOUNTS) == kind


def test_a_network_share_is_refused_by_name() -> None:
    with pytest.raises(StateFileUnusable, match="nfs4") as caught:
        refuse_network(Path("/home/ada/My Share/state.db"), mountinfo=MOUNTS)
    assert "--run-dir" in caught.value.advice
    assert "--allow-network-fs" in caught.value.advice


# fmt: off
SHARES = [
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "prl_vfs", "drvfs",
    "afs", "coda", "ncpfs", "ceph", "lustre", "beegfs", "gpfs", "glusterfs", "orangefs", "pvfs2", "ocfs2",
    "gfs2", "davfs", "fakeowner", "osxfs", "grpcfuse", "kernfs-of-tomorrow", "fuse", "fuse3", "fuse.",
    "autofs", "fuse.sshfs", "fuse.s3fs", "fuse.s3", "fuse.gcsfuse", "fuse.rclone", "fuse.juicefs", "fuse.ceph",
    "fuse.ceph-fuse", "fuse.glusterfs", "fuse.vmhgfs-fuse", "fuse.davfs", "fuse.grpcfuse", "fuse.osxfs",
    "fuse.prl_fs", "fuse.goofys", "fuse.blobfuse2", "fuse.mount-s3", "fuse.mfs", "fuse.lizardfs",
    "fuse.seaweedfs", "fuse.onedriver", "fuse.google-drive-ocamlfuse", "fuse.cifs", "fuse.gpfs", "fuse.ext4",
    "EXT4", "ext4x",
]
# fmt: on


@pytest.mark.parametrize("kind", SHARES)
def test_what_is_not_known_to_be_a_local_disk_is_taken_for_a_share(kind: str) -> None:
    told = f"1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:40 / /share rw - {kind} host:/x rw\n"
    with pytest.raises(FlagRequired, match=rf"\({re.escape(kind)}\)") as caught:
        refuse_network(Path("/share/state.db"), mountinfo=told)
    assert caught.value.flag == "--allow-network-fs"
    assert refuse_network(Path("/share/state.db"), allowed=True, mountinfo=told) == kind


@pytest.mark.parametrize("kind", sorted(LOCAL))
def test_a_local_disk_passes_by_its_name(kind: str) -> None:
    told = f"1 0 8:1 / / rw - nfs host:/x rw\n2 1 0:40 / /disk rw - {kind} /dev/sdb rw\n"
    assert refuse_network(Path("/disk/state.db"), mountinfo=told) is None


def test_a_disk_that_works_passes_the_test_and_keeps_nothing_of_it(tmp_path: Path) -> None:
    refuse_unfit(tmp_path / "state.db")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", TESTS)
def test_a_disk_that_fails_one_test_is_refused_for_it_whatever_it_is_called(
    tmp_path: Path, failing: str
) -> None:
    broken = {**TESTS, failing: lambda _first, _second: False}
    with pytest.raises(FlagRequired, match=failing):
        refuse_unfit(tmp_path / "state.db", tests=broken)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("test", [test for name, test in TESTS.items() if "locks" in name])
def test_locks_that_exclude_nobody_are_found_out(tmp_path: Path, test: Callable[[int, int], bool]) -> None:
    """Two files stand for a share on which each machine locks for itself."""
    with (tmp_path / "a").open("w+b") as one, (tmp_path / "b").open("w+b") as other:
        assert not test(one.fileno(), other.fileno())


def test_memory_that_is_not_shared_is_found_out(tmp_path: Path) -> None:
    test = TESTS["it shares no memory between processes"]
    with (tmp_path / "a").open("w+b") as one, (tmp_path / "b").open("w+b") as other:
        for file in (one, other):
            file.truncate(mmap.PAGESIZE)
        assert not test(one.fileno(), other.fileno())


def test_a_network_share_is_let_pass_where_that_was_agreed_to_and_told() -> None:
    share = Path("/home/ada/My Share/state.db")
    assert refuse_network(share, allowed=True, mountinfo=MOUNTS) == "nfs4"
    assert refuse_network(Path("/tmp/state.db"), allowed=True, mountinfo=MOUNTS) is None


def test_a_system_that_tells_nothing_is_let_pass() -> None:
    assert file_system_of(Path("/x"), "") is None
    assert refuse_network(Path("/x"), mountinfo="") is None
