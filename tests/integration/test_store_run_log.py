"""The sealed log of a run in its store, and copies of its record: who may append, and what is never lost."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.domain.errors import RecordDamaged, RunElsewhere, StoreAway
from runner.domain.store_address import store_address
from runner.object_store.patience import Patience
from runner.object_store.record_copy import copies, get_copy, put_copy
from runner.object_store.run_log import FOLDER, Holder, RunLog, lines_of, newest_part
from runner.object_store.store import ObjectStore, open_store
from tests.outside.s3_server import BUCKET, Kind, S3Server

HERE = Holder("run-1", "render-7", "/runs/a", "2/5")
THERE = Holder("run-1", "laptop", "/runs/b", "2/5")


@pytest.fixture(params=["file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Return an empty store of each kind, that is asked once."""
    if request.param == "s3":
        request.getfixturevalue("s3")
    place = {
        "file": str(tmp_path / "store"),
        "memory": uuid.uuid4().hex,
        "s3": f"{BUCKET}/{uuid.uuid4().hex}",
    }
    return open_store(store_address(f"{request.param}://{place[request.param]}"), patience=Patience(0.0))


@pytest.fixture
def on_s3(s3: S3Server) -> ObjectStore:
    assert s3.endpoint
    return open_store(store_address(f"s3://{BUCKET}/{uuid.uuid4().hex}"), patience=Patience(0.0))


@contextmanager
def opened(store: ObjectStore, holder: Holder = HERE) -> Iterator[RunLog]:
    """Open the log as a session of its own, which takes it over from any other."""
    log = RunLog.open(store, holder, session=uuid.uuid4().hex, patience=0.0, wall=lambda: 1.8e9)
    yield log
    log.close()


def say(log: RunLog, *numbers: int) -> None:
    """Append lines, and wait until they are there."""
    for promise in [log.append({"n": number}) for number in numbers]:
        promise.result(30)


def said(lines: Iterator[Mapping[str, Any]]) -> list[int]:
    return [line["n"] for line in lines]


def test_lines_are_there_once_they_are_promised_and_in_order(store: ObjectStore) -> None:
    assert newest_part(store) is None
    with opened(store) as log:
        say(log, *range(100))
        assert said(log.lines(since=0)) == list(range(100))
        assert log.number < 100, "lines that wait share a file"
    with opened(store) as log:
        say(log, 100)
        assert said(lines_of(store, since=0)) == list(range(101))
        assert said(log.lines(since=log.number - 1)) == [100]
    found = newest_part(store)
    assert found
    assert (found.holder, found.since, found.number) == (HERE, 1.8e9, log.number)


@pytest.mark.parametrize(
    "other",
    [THERE, replace(HERE, run_id="run-2"), replace(HERE, shard=""), replace(HERE, folder="/runs/\x1b[31m")],
)
def test_another_holder_is_refused_and_named(store: ObjectStore, other: Holder) -> None:
    with opened(store, other) as log:
        say(log, 1)
        with pytest.raises(RunElsewhere, match=f"held by {other.machine}:/runs/.* since 2027") as caught:
            RunLog.open(store, HERE, session="mine", after=["an older one"], patience=0.0)
        assert "\x1b" not in caught.value.message
        say(log, 2)


def test_a_run_is_taken_over_by_its_own_id_only(store: ObjectStore) -> None:
    with opened(store, replace(HERE, run_id="run-2")), pytest.raises(RunElsewhere, match="run-2"):
        RunLog.open(store, HERE, session="mine", patience=0.0)


def test_a_session_continues_only_after_one_of_its_own(store: ObjectStore) -> None:
    for session, after in (("a", []), ("b", ["a"]), ("c", ["a", "b"])):
        RunLog.open(store, HERE, session=session, after=after, patience=0.0).close()
    for after in ([], ["a", "b"]):
        with pytest.raises(RunElsewhere, match="render-7:/runs/a"):
            RunLog.open(store, HERE, session="d", after=after, patience=0.0)


def test_nothing_passes_after_the_seal(store: ObjectStore) -> None:
    with opened(store) as old:
        say(old, 1)
        with opened(store, THERE) as new:
            for _ in range(2):
                with pytest.raises(RunElsewhere, match="laptop:/runs/b"):
                    old.append({"n": 2}).result(30)
            say(new, 3)
    assert said(lines_of(store, since=0)) == [1, 3]


def test_a_second_session_of_the_same_folder_fences_the_first(store: ObjectStore) -> None:
    with opened(store) as old, opened(store) as new:
        with pytest.raises(RunElsewhere):
            old.append({"n": 1}).result(30)
        say(new, 2)


def test_a_machine_that_slept_finds_no_free_number_after_the_log_was_cut(
    store: ObjectStore, tmp_path: Path
) -> None:
    with opened(store) as old:
        say(old, 1)
        with opened(store, THERE) as new:
            for number in range(2, 6):
                say(new, number)
            for _ in range(2):
                put_copy(new, record(tmp_path), upto=new.number)
                say(new, 9)
            assert said(new.lines(since=copies(store)[-1].number)) == [9]
        assert 2 <= len(store.sizes(FOLDER)) < new.number
        with pytest.raises(RunElsewhere):
            old.append({"n": 10}).result(30)


def test_a_fenced_session_writes_no_copy_and_removes_no_file_of_the_others(
    store: ObjectStore, tmp_path: Path
) -> None:
    with opened(store) as old:
        say(old, *range(3))
        with opened(store, THERE) as new:
            for number in range(2):
                put_copy(new, record(tmp_path), upto=new.number)
                say(new, number)
            before = store.sizes(".shotrunner")
            with pytest.raises(RunElsewhere):
                put_copy(old, record(tmp_path), upto=old.number)
            # A look that came before the other session began does not stop it.
            old.forget(upto=new.number)
            assert store.sizes(".shotrunner").keys() >= {
                name for name in before if "/state/" in name or int(name[-14:-6]) > old.number
            }
        with pytest.raises(RunElsewhere):
            old.append({"n": 10}).result(30)


def test_a_lost_answer_is_recognised(on_s3: ObjectStore, s3: S3Server) -> None:
    with opened(on_s3) as log:
        s3.fail(Kind.LOST, "PutObject")
        say(log, 1, 2)
        say(log, 3)
    assert said(lines_of(on_s3, since=0)) == [1, 2, 3]


def test_a_line_that_failed_may_be_there_and_the_log_goes_on(on_s3: ObjectStore, s3: S3Server) -> None:
    with opened(on_s3) as log:
        # The client of S3 repeats a PUT once when a kept connection ends.
        s3.fail(Kind.LOST, "PutObject", times=2)
        with pytest.raises(StoreAway):
            log.append({"n": 1}).result(30)
        say(log, 2)
        s3.fail(Kind.BROKEN, "PutObject")
        with pytest.raises(StoreAway):
            log.append({"n": 3}).result(30)
        say(log, 4)
    assert said(lines_of(on_s3, since=0)) == [1, 2, 4]


def test_a_log_with_a_hole_or_a_foreign_file_is_damaged(store: ObjectStore) -> None:
    with opened(store) as log:
        say(log, 1)
        say(log, 2)
    store.remove(f"{FOLDER}/00000002.jsonl")
    with pytest.raises(RecordDamaged, match=r"00000002\.jsonl"):
        list(lines_of(store, since=0))
    for text in (b"", b"[]\n", b'{"log": {}}\n', b"\xff"):
        store.put_bytes(f"{FOLDER}/00000003.jsonl", text)
        with pytest.raises(RecordDamaged):
            newest_part(store)


def test_a_closed_log_keeps_what_waited(store: ObjectStore) -> None:
    with opened(store) as log:
        promises = [log.append({"n": number}) for number in range(10)]
    assert all(promise.done() for promise in promises)
    assert said(lines_of(store, since=0)) == list(range(10))


def record(folder: Path, rows: int = 100) -> Path:
    """Make a small SQLite file."""
    path = folder / f"{uuid.uuid4().hex}.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE take (id TEXT)")
        database.executemany("INSERT INTO take VALUES (?)", [(str(number),) for number in range(rows)])
    return path


def test_copies_of_the_record_take_the_place_of_older_ones_and_of_the_log(
    store: ObjectStore, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    made.mkdir()
    uptos = []
    with opened(store) as log:
        for number in range(4):
            say(log, number)
            uptos.append(log.number)
            put_copy(log, record(made, number), upto=log.number)
        kept = copies(store)
        assert [copy.number for copy in kept] == uptos[-2:]
        assert said(log.lines(since=kept[0].number)) == [3]
        get_copy(store, kept[-1], made / "back.db")
        with closing(sqlite3.connect(made / "back.db")) as database:
            assert database.execute("SELECT count(*) FROM take").fetchone() == (3,)
        assert not [each for each in made.iterdir() if each.name.startswith(".")]
        store.put_bytes(kept[-1].name, store.read(kept[-1].name)[:-9])
        with pytest.raises(RecordDamaged):
            get_copy(store, kept[-1], made / "damaged.db")
        assert not (made / "damaged.db").exists()


def test_sessions_of_the_past_leave_one_file_each(store: ObjectStore, tmp_path: Path) -> None:
    for _ in range(3):
        with opened(store) as log:
            for number in range(4):
                say(log, number)
    with opened(store) as log:
        for _ in range(2):
            put_copy(log, record(tmp_path), upto=log.number)
            say(log, 9)
        put_copy(log, record(tmp_path), upto=log.number)
        assert [int(name[-14:-6]) for name in store.sizes(FOLDER)] == [1, 6, 11, 16, 18]
