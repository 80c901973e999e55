"""On a network share a state file is refused, or with its user's word kept without a log; a failing close is told."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.domain import failpoints
from runner.domain.errors import NETWORK, DiskFailed, FlagRequired, StateFileUnusable
from runner.domain.states import Accepted, SubmissionStarted, TakeState
from runner.store import database, open_checks
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, A, drive, make_plan, new_state_file, seen, tell

S = TakeState


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm("")


def mounts(folder: Path) -> str:
    """Return what Linux would tell if `folder` were a share."""
    return f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / {folder} rw - nfs4 server:/x rw\n"


@pytest.fixture
def share(tmp_path: Path) -> Iterator[StateFile]:
    """Yield a begun state file on a share, with one pending take."""
    path = tmp_path / "state.db"
    with StateFile.create(
        path, HEADER, Opening(patience=0.0, network=True, mounts=mounts(tmp_path))
    ) as state_file:
        state_file.begin(at=1000.0)
        state_file.adopt_plan(make_plan([A]), renew=(), at=1000.0)
        yield state_file


def test_on_a_share_nothing_is_made_or_opened_without_its_users_word(tmp_path: Path) -> None:
    with pytest.raises(FlagRequired, match="nfs4") as caught:
        StateFile.create(tmp_path / "state.db", HEADER, Opening(mounts=mounts(tmp_path)))
    assert caught.value.flag == NETWORK
    assert list(tmp_path.iterdir()) == []
    new_state_file(tmp_path, [A]).close()
    before = (tmp_path / "state.db").read_bytes()
    with pytest.raises(FlagRequired, match="nfs4"):
        StateFile.open(tmp_path / "state.db", Opening(mounts=mounts(tmp_path)))
    assert (tmp_path / "state.db").read_bytes() == before


def test_on_a_share_there_is_no_log_and_every_commit_is_flushed(share: StateFile) -> None:
    connection = share._writer.connection
    for name, value in {"journal_mode": "truncate", "synchronous": 2, "foreign_keys": 1}.items():
        assert connection.execute(f"PRAGMA {name}").fetchone() == (value,)
    assert not share.path.with_name("state.db-wal").exists()
    assert "nfs4" in share.notes[0]


def test_on_a_share_facts_are_kept_and_read_while_the_run_goes_on(share: StateFile, tmp_path: Path) -> None:
    drive(share, S.QUEUED)
    assert seen(share).state is S.QUEUED
    share.close()
    assert not share.path.with_name("state.db-journal").exists()
    with StateFile.open(share.path, Opening(network=True, mounts=mounts(tmp_path))) as again:
        again.begin(at=2000.0)
        assert seen(again).request_id == "request-a"
    # The same file goes on as any other once it lies on a local disk again.
    with StateFile.open(share.path) as local:
        assert local._writer.connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_on_a_share_a_dead_runners_take_is_held(share: StateFile, tmp_path: Path) -> None:
    drive(share, S.SUBMITTING)
    copy = shutil.copytree(tmp_path, tmp_path.with_name("killed")) / "state.db"
    with StateFile.open(copy, Opening(network=True, mounts=mounts(copy.parent))) as again:
        assert again.begin(at=2000.0) == ("a",)


def test_on_a_share_an_id_whose_commit_fails_once_is_recorded_all_the_same(share: StateFile) -> None:
    tell(share, SubmissionStarted("try-a", A.fingerprint, share.epoch))
    failpoints.arm("store.receipt=EIO@1")
    tell(share, Accepted("try-a", "r-1"))
    assert seen(share).request_id == "r-1"
    assert share._writer.connection.execute("PRAGMA journal_mode").fetchone() == ("truncate",)


def test_a_file_with_a_log_does_not_go_on_on_a_share(tmp_path: Path) -> None:
    with new_state_file(tmp_path / "run", [A]):
        copy = shutil.copytree(tmp_path / "run", tmp_path / "share") / "state.db"
        with pytest.raises(StateFileUnusable, match="has a log"):
            StateFile.open(copy, Opening(network=True, mounts=mounts(tmp_path / "share")))
        with pytest.raises(StateFileUnusable, match="has a log"):
            open_checks.refuse_odd_place(copy, network=True, mounts=mounts(tmp_path / "share"))
        assert open_checks.refuse_odd_place(copy, network=True, mounts="") is None


class Unhurried:
    """A connection whose statements fail, as commits may, only when they are stepped to their end."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, statement: str) -> sqlite3.Cursor | FailingAtItsEnd:
        """Execute; the change of journal mode answers with a row and then fails to commit."""
        found = self._connection.execute(statement)
        return FailingAtItsEnd() if "journal_mode = DELETE" in statement else found

    @property
    def in_transaction(self) -> bool:
        """As SQLite says."""
        return self._connection.in_transaction


class FailingAtItsEnd:
    """The rows of a statement whose commit fails."""

    def fetchall(self) -> list[object]:
        """Fail as a flush does that the disk refuses."""
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
        raise error


def test_a_close_whose_last_flush_fails_says_so(tmp_path: Path) -> None:
    """A pragma that is dropped with a row still to come is committed behind our back, and a failure is lost with it."""
    new_state_file(tmp_path, [A]).close()
    path = tmp_path / "state.db"
    with (
        closing(database.connect_reader(path)) as keeper,
        closing(database.connect_writer(path)) as connection,
    ):
        database.awaken(connection, keeper, path)
        with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
            database.checkpoint_and_close(Unhurried(connection), keeper)  # type: ignore[arg-type]  # what is used of one


def test_a_close_that_fails_is_a_failed_disk_and_the_next_opening_has_everything(tmp_path: Path) -> None:
    state_file = new_state_file(tmp_path, [A])
    drive(state_file, S.QUEUED)
    failpoints.arm("store.folded=EIO@1+")
    with pytest.raises(DiskFailed):
        state_file.close()
    failpoints.arm("")
    with StateFile.open(tmp_path / "state.db") as again:
        assert seen(again).state is S.QUEUED
    with open_reader(tmp_path / "state.db") as reader:
        assert len(reader.takes()) == 1
