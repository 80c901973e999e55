"""The parts of the store that are pure: rules made from the table, effects, error words, mount types."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import get_args

import pytest

from runner.errors import (
    BrokenPromise,
    DiskFailed,
    IllegalTransition,
    RunInUse,
    ShotrunnerError,
    StateFileUnusable,
)
from runner.states import DELIVERIES, TRANSITIONS, DeliveryState, Fact, SubmissionStarted, TakeState
from runner.store.database import translate
from runner.store.effects import EFFECTS
from runner.store.mounts import NETWORK, file_system_of, refuse_network
from runner.store.schema import MIGRATIONS, RULES, legal_deliveries, legal_moves


def test_every_fact_has_its_effect() -> None:
    assert set(EFFECTS) == set(get_args(Fact))


def test_a_submission_is_the_only_way_into_submitting() -> None:
    """Otherwise a paid POST could leave without its intent on disk."""
    ways = {kind for (_, kind), targets in TRANSITIONS.items() if TakeState.SUBMITTING in targets}
    assert ways == {SubmissionStarted}
    assert {before for before, after in legal_moves() if after == "submitting"} == {"pending"}


def test_the_triggers_know_each_move_of_the_tables() -> None:
    assert legal_moves() == {(before, after) for (before, _), to in TRANSITIONS.items() for after in to}
    assert legal_deliveries() == {(before, after) for (before, _), after in DELIVERIES.items()}
    for before, after in legal_moves():
        assert f"'{before}>{after}'" in RULES["take_moves_by_the_table"]
    for before, after in legal_deliveries():
        assert f"'{before}>{after}'" in RULES["clip_moves_by_the_table"]
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
        (sqlite_error(sqlite3.DatabaseError, sqlite3.SQLITE_NOTADB), StateFileUnusable),
        (sqlite_error(sqlite3.DatabaseError, sqlite3.SQLITE_CORRUPT), StateFileUnusable),
        (sqlite_error(sqlite3.OperationalError, sqlite3.SQLITE_ERROR), StateFileUnusable),
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
    assert "ext4" not in NETWORK


def test_a_network_share_is_let_pass_where_that_was_agreed_to_and_told() -> None:
    share = Path("/home/ada/My Share/state.db")
    assert refuse_network(share, allowed=True, mountinfo=MOUNTS) == "nfs4"
    assert refuse_network(Path("/tmp/state.db"), allowed=True, mountinfo=MOUNTS) is None


def test_a_system_that_tells_nothing_is_let_pass() -> None:
    assert file_system_of(Path("/x"), "") is None
    assert refuse_network(Path("/x"), mountinfo="") is None
