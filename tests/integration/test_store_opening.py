"""Creating and opening: what is refused and left untouched, what is noticed as lost, how a file rests."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.errors import CannotCreate, FileMissing, ShotrunnerError, StateFileUnusable
from runner.domain.states import Adopted, CostSeen, TakeState
from runner.store.location import machine_id
from runner.store.marker import MARKER, read_marker
from runner.store.open_file import Opening, migrate
from runner.store.reader import open_reader
from runner.store.schema import APPLICATION_ID, MIGRATIONS
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, make_take, new_state_file, tell


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def closed_file(folder: Path, *, takes: int = 3) -> Path:
    """Return a state file at rest with some recorded facts."""
    with new_state_file(folder, [make_take(f"t{number}") for number in range(takes)]) as state_file:
        for number in range(takes):
            state_file.record(f"t{number}", CostSeen(0.5), at=1.0).result(timeout=20)
    return state_file.path


def torn_file(folder: Path) -> Path:
    """Return a state file as a kill leaves it: with its newest facts in the log only."""
    live = folder / "live"
    with new_state_file(live, [make_take("a")]) as state_file:
        state_file.record("a", CostSeen(0.5), at=1.0).result(timeout=20)
        shutil.copytree(live, folder / "torn")
    return folder / "torn" / "state.db"


def test_a_new_file_is_private_and_says_whose_it_is(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "board" / "state.db"
    with StateFile.create(path, HEADER) as state_file:
        assert (state_file.header, state_file.epoch) == (HEADER, 0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_file_at_rest_is_one_file(tmp_path: Path) -> None:
    path = closed_file(tmp_path)
    assert {name.name for name in tmp_path.iterdir()} == {"state.db", MARKER}
    assert path.stat().st_nlink == 1


def test_creating_over_a_file_is_refused(tmp_path: Path) -> None:
    path = closed_file(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(CannotCreate, match="already here"):
        StateFile.create(path, HEADER)
    assert contents(tmp_path) == before


def test_creating_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(CannotCreate):
        StateFile.create(tmp_path / "file" / "state.db", HEADER)


def test_an_absent_file_is_missing(tmp_path: Path) -> None:
    for opener in (StateFile.open, open_reader):
        with pytest.raises(FileMissing):
            opener(tmp_path / "state.db")


def test_a_lost_file_is_never_replaced_by_a_fresh_one(tmp_path: Path) -> None:
    path = closed_file(tmp_path)
    path.unlink()
    another = replace(HEADER, run_id="run-2")
    for opener in (StateFile.open, open_reader, lambda path: StateFile.create(path, another)):
        with pytest.raises(StateFileUnusable, match="gone") as caught:
            opener(path)
        assert "do not start over" in caught.value.advice
    assert not path.exists()


def test_a_damaged_marker_still_marks(tmp_path: Path) -> None:
    path = closed_file(tmp_path)
    (tmp_path / MARKER).write_bytes(b"\xff{")
    StateFile.open(path).close()
    assert read_marker(path) == HEADER.run_id
    (tmp_path / MARKER).write_bytes(b"\xff{")
    path.unlink()
    with pytest.raises(StateFileUnusable, match="gone"):
        StateFile.open(path)


def test_a_missing_marker_is_written_again(tmp_path: Path) -> None:
    path = closed_file(tmp_path)
    (tmp_path / MARKER).unlink()
    StateFile.open(path).close()
    assert read_marker(path) == HEADER.run_id


def test_a_file_of_another_run_is_refused(tmp_path: Path) -> None:
    path = closed_file(tmp_path / "one")
    with StateFile.create(tmp_path / "two" / "state.db", replace(HEADER, run_id="run-2")) as other:
        pass
    shutil.copy(other.path, path)
    with pytest.raises(StateFileUnusable, match="run-2"):
        StateFile.open(path)


def a_text(path: Path) -> None:
    path.write_text("these are my notes\n" * 100)


def an_empty_file(path: Path) -> None:
    path.write_bytes(b"")


def a_folder(path: Path) -> None:
    path.mkdir()


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def another_tools_database(path: Path, *, wal: bool = False) -> None:
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE run (at_rest)")
        connection.commit()


def another_tools_wal(path: Path) -> None:
    another_tools_database(path, wal=True)


def a_newer_version(path: Path) -> None:
    closed_file(path.parent)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def half_a_file(path: Path) -> None:
    closed_file(path.parent)
    os.truncate(path, path.stat().st_size // 2)


def damaged_pages(path: Path) -> None:
    closed_file(path.parent, takes=300)
    with path.open("r+b") as file:
        file.seek(20 * 4096)
        file.write(b"\xa5" * 4096 * 4)


def no_run(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection)


@pytest.mark.parametrize(
    "make",
    [
        a_text,
        an_empty_file,
        a_folder,
        a_pipe,
        another_tools_database,
        another_tools_wal,
        a_newer_version,
        half_a_file,
        damaged_pages,
        no_run,
    ],
)
def test_what_is_not_a_sound_state_file_is_refused_untouched(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "state.db"
    make(path)
    before = contents_of_files(tmp_path)
    with pytest.raises(StateFileUnusable) as caught:
        StateFile.open(path)
    assert str(path) in caught.value.message
    assert caught.value.advice
    assert contents_of_files(tmp_path) == before


def contents_of_files(folder: Path) -> dict[str, bytes | None]:
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}


@pytest.mark.parametrize(
    "make",
    [
        a_text,
        an_empty_file,
        a_folder,
        a_pipe,
        another_tools_database,
        another_tools_wal,
        a_newer_version,
        no_run,
    ],
)
def test_readers_refuse_it_too(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "state.db"
    make(path)
    before = contents_of_files(tmp_path)
    with pytest.raises(StateFileUnusable):
        open_reader(path)
    assert contents_of_files(tmp_path) == before


def test_flipped_bits_and_cuts_never_surface_as_anything_else(tmp_path: Path) -> None:
    """Either the file is sound enough to open, or it is refused in our words."""
    chance = random.Random(7)
    sound = closed_file(tmp_path / "sound", takes=40).read_bytes()
    path = tmp_path / "state.db"
    refused = 0
    for number in range(80):
        damaged = bytearray(sound)
        for _ in range(chance.choice((1, 8, 64))):
            damaged[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged if number % 4 else damaged[: chance.randrange(len(sound))])
        for opener in (open_reader, StateFile.open):
            try:
                opener(path).close()
            except StateFileUnusable:
                refused += 1
            except ShotrunnerError as error:  # pragma: no cover - the message names the case
                pytest.fail(f"case {number}: {error!r}")
        for name in ("state.db-wal", "state.db-shm", "state.db-journal", MARKER):
            (tmp_path / name).unlink(missing_ok=True)
    assert refused > 40


def test_a_file_that_lost_its_log_is_refused_and_stays_refused(tmp_path: Path) -> None:
    """The log held the newest facts: paid jobs would look as if they had never been sent."""
    path = torn_file(tmp_path)
    path.with_name("state.db-wal").unlink()
    before = contents(path.parent)
    for _ in range(2):
        for opener in (StateFile.open, open_reader):
            with pytest.raises(StateFileUnusable, match=r"state\.db-wal is missing"):
                opener(path)
    assert contents(path.parent) == before


def test_a_person_may_say_that_another_program_folded_the_log(tmp_path: Path) -> None:
    path = torn_file(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other_program:
        other_program.execute("SELECT count(*) FROM takes").fetchone()
    assert not path.with_name("state.db-wal").exists()
    with pytest.raises(StateFileUnusable) as caught:
        StateFile.open(path)
    word = caught.value.advice.rpartition(": ")[2]
    with closing(sqlite3.connect(path, isolation_level=None)) as other_program:
        other_program.execute(word)
    StateFile.open(path).close()
    with open_reader(path) as reader:
        assert [event.fact for event in reader.events()] == ["CostSeen"]


def test_a_close_that_fails_leaves_the_log_where_it_is(tmp_path: Path) -> None:
    """Or the next opening would take the log for lost."""
    state_file = new_state_file(tmp_path, [make_take("a")])
    state_file.record("a", CostSeen(0.5), at=1.0).result(timeout=20)
    state_file._writer.connection.execute(
        "CREATE TRIGGER fault BEFORE UPDATE OF at_rest ON run BEGIN SELECT RAISE(ABORT, 'fault'); END"
    )
    with pytest.raises(ShotrunnerError, match="fault"):
        state_file.close()
    assert (tmp_path / "state.db-wal").exists()
    with StateFile.open(state_file.path), open_reader(state_file.path) as reader:
        assert [event.fact for event in reader.events()] == ["CostSeen"]


def test_an_overtaken_runner_that_closes_last_leaves_the_log_to_its_successor(tmp_path: Path) -> None:
    old = new_state_file(tmp_path, [make_take("a")])
    new = StateFile.open(old.path)
    new.begin(at=1.0)
    old.close()
    new.record("a", CostSeen(0.5), at=1.0).result(timeout=20)
    overtaken = StateFile.open(old.path)
    new.begin(at=1.0)
    new.close()
    overtaken.close()
    with StateFile.open(old.path) as again:
        assert again.epoch == 3


def test_a_killed_file_opens_with_all_its_facts(tmp_path: Path) -> None:
    path = torn_file(tmp_path)
    with StateFile.open(path) as state_file:
        assert state_file.epoch == 1
        with open_reader(path) as reader:
            assert [event.fact for event in reader.events()] == ["CostSeen"]
    assert not path.with_name("state.db-wal").exists()


def test_litter_of_sqlite_beside_a_file_at_rest_may_be_swept_away(tmp_path: Path) -> None:
    """A reader that outlives the writer leaves an empty log; deleting that is no loss."""
    with new_state_file(tmp_path, [make_take("a")]) as state_file:
        reader = open_reader(state_file.path)
        assert len(reader.takes()) == 1
    reader.close()
    for name in ("state.db-wal", "state.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    with StateFile.open(state_file.path) as again:
        assert [ticket.take_id for ticket in again.tickets()] == ["a"]


V1 = Path(__file__).with_name("state_v1.sql")
"""A file of version 1 with a take in every state, as its program left it."""


def old_file(folder: Path) -> Path:
    path = folder / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(V1.read_text("utf-8"))
    return path


def version_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def test_a_file_of_version_1_goes_on_under_this_program(tmp_path: Path) -> None:
    path = old_file(tmp_path)
    with open_reader(path) as reader:
        before = reader.takes(), reader.events()
    with StateFile.open(path) as state_file:
        assert state_file.begin(at=2000.0) == ("submitting",)
        tell(state_file, Adopted("found", "ada"), take_id="submitting", at=2001.0)
    assert (version_of(path), version_of(tmp_path / "state.db.v1")) == (len(MIGRATIONS), 1)
    with open_reader(path) as reader:
        assert reader.takes()[0] == before[0][0]
        assert reader.events()[: len(before[1])] == before[1]
        assert [event.fact for event in reader.events()[len(before[1]) :]] == ["LostContact", "Adopted"]
        assert {take.take_id: take.state for take in reader.takes()} == {
            state.value: TakeState.QUEUED if state is TakeState.SUBMITTING else state for state in TakeState
        }


def test_a_file_of_version_1_takes_the_machine_it_is_opened_on(tmp_path: Path) -> None:
    path = old_file(tmp_path)
    StateFile.open(path, Opening(machine="here")).close()
    with pytest.raises(StateFileUnusable, match="another machine"):
        StateFile.open(path, Opening(machine="there"))


def test_the_copy_that_a_migration_keeps_can_still_be_read(tmp_path: Path) -> None:
    StateFile.open(old_file(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "state.db.v1")) as connection:
        assert connection.execute("SELECT count(*) FROM takes").fetchone() == (len(TakeState),)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = closed_file(tmp_path)
    broken = (*MIGRATIONS, ("ALTER TABLE run ADD COLUMN colour TEXT", "UPDATE nothing SET x = 1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, migrations=broken)
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    with StateFile.open(path) as state_file:
        assert state_file.header.run_id == HEADER.run_id


def test_a_file_from_another_machine_is_refused_untouched_until_it_is_said_to_have_moved(
    tmp_path: Path,
) -> None:
    with StateFile.create(tmp_path / "state.db", HEADER, Opening(machine="here")) as state_file:
        path = state_file.path
    before = contents(tmp_path)
    with pytest.raises(StateFileUnusable, match="another machine") as caught:
        StateFile.open(path, Opening(machine="there"))
    assert "--moved" in caught.value.advice
    assert contents(tmp_path) == before
    StateFile.open(path, Opening(machine="there", moved=True)).close()
    StateFile.open(path, Opening(machine="there")).close()
    with pytest.raises(StateFileUnusable):
        StateFile.open(path, Opening(machine="here"))


def test_a_machine_is_known_by_its_id_and_else_by_its_name(tmp_path: Path) -> None:
    known, blank = tmp_path / "known", tmp_path / "blank"
    known.write_text("abc\n")
    blank.write_text("\n")
    by_id = machine_id(id_files=[tmp_path / "missing", blank, known])
    by_name = machine_id(id_files=[tmp_path / "missing", blank])
    assert by_id != by_name
    assert by_id == machine_id(id_files=[known])
    assert "abc" not in by_id
    assert machine_id() == machine_id()
