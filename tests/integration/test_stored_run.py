"""A session at its store: what is announced, what a copy contains, and what an outage of the store does."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from runner.commands.steps.open_run import OpenOptions
from runner.commands.steps.run_in_store import run_in_store
from runner.commands.steps.stored_run import StoredRun, stored
from runner.domain.errors import FlagRequired, RecordDamaged, RunElsewhere, StoreAway
from runner.domain.run_events import FactRecorded
from runner.domain.shots import Ticket
from runner.domain.states import Accepted, SubmissionStarted
from runner.domain.store_address import store_address
from runner.object_store.record_copy import copies, get_copy, is_rehearsal
from runner.object_store.run_log import Holder, RunLog, lines_of, newest_part
from runner.object_store.store import ObjectStore, open_store
from runner.store.reader import open_reader
from runner.store.record_copy import refuse_odd_files
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import SystemClock
from tests.integration.store_samples import HEADER, make_take, new_state_file


@contextmanager
def at_store(folder: Path, address: str) -> Iterator[tuple[StateFile, StoredRun, ObjectStore]]:
    folder.mkdir()
    with (
        new_state_file(
            folder, [make_take(each) for each in "abc"], header=replace(HEADER, out=address, simulated=False)
        ) as state,
        stored(RunDir(folder), state, OpenOptions(), patience=0.0) as run,
    ):
        assert run is not None
        yield state, run, open_store(store_address(address))


def ticket(state: StateFile, take: str) -> Ticket:
    return next(each for each in state.tickets() if each.take_id == take)


def words(store: ObjectStore, *, since: int = 0) -> list[str]:
    return [next(iter(line)) for line in lines_of(store, since=since)]


def test_an_attempt_is_in_the_log_before_it_may_begin_and_its_answer_follows(tmp_path: Path) -> None:
    async def submit(run: StoredRun, sent: Ticket) -> list[str]:
        async with run.announce(sent, "try-1"):
            return words(store)

    with at_store(tmp_path / "run", f"file://{tmp_path}/store") as (state, run, store):
        assert asyncio.run(submit(run, ticket(state, "a"))) == ["begun"]
        run.on_event(FactRecorded("a", Accepted("try-1", "job-1"), 2.0))
    assert words(store)[-1:] == ["accepted"] or copies(store)[-1].number >= 2


def test_a_copy_stops_before_an_attempt_that_may_not_be_on_record_yet(tmp_path: Path) -> None:
    async def copy_meanwhile(run: StoredRun, state: StateFile) -> list[str]:
        async with run.announce(ticket(state, "a"), "try-1"):
            async with run.announce(ticket(state, "b"), "try-2"):
                fact = SubmissionStarted("try-2", ticket(state, "b").fingerprint, state.epoch)
                await asyncio.wrap_future(state.record("b", fact, at=2.0))
            run.copy()
            return words(store, since=copies(store)[-1].number)

    with at_store(tmp_path / "run", f"file://{tmp_path}/store") as (state, run, store):
        assert asyncio.run(copy_meanwhile(run, state)) == ["begun", "begun"]
        run.copy()
        newest = copies(store)[-1]
        assert words(store, since=newest.number) == []
        get_copy(store, newest, tmp_path / "state.db")
        with open_reader(tmp_path / "state.db") as reader:
            assert [take.state.value for take in reader.takes()] == ["pending", "submitting", "pending"]


def test_nothing_is_announced_once_another_session_has_the_log(tmp_path: Path) -> None:
    async def submit(run: StoredRun, sent: Ticket) -> None:
        async with run.announce(sent, "try-1"):
            pytest.fail("it was announced")

    with at_store(tmp_path / "run", f"file://{tmp_path}/store") as (state, run, store):
        there = Holder(state.header.run_id, "other", "/elsewhere")
        RunLog.open(store, there, session="theirs").close()
        with pytest.raises(RunElsewhere, match="other:/elsewhere"):
            asyncio.run(submit(run, ticket(state, "a")))
        run.on_event(FactRecorded("a", Accepted("try-1", "job-1"), 2.0))
    newest = newest_part(store)
    assert newest is not None
    assert newest.session == "theirs"


class AwayStore:
    """A store that answers nothing."""

    address = "s3://away"

    def patient(self, seconds: float) -> AwayStore:  # noqa: ARG002 - the shape of a store
        return self

    def sizes(self, under: str) -> Mapping[str, int]:  # noqa: ARG002
        raise StoreAway("no answer")

    def sweep(self, *, older_than: float) -> int:  # noqa: ARG002 - the shape of a store
        raise StoreAway("no answer")

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:  # noqa: ARG002
        raise StoreAway("no answer")


class AwayLog:
    """A log whose store answers nothing; `waits` is set once a line waits for it."""

    number, store = 1, AwayStore()

    def check(self) -> None:
        raise StoreAway("no answer")

    def __init__(self) -> None:
        self.waits = threading.Event()

    def append(self, _line: object) -> Future[None]:
        self.waits.set()
        return Future()

    def close(self) -> None:
        """Do nothing."""


def test_a_run_that_ends_does_not_wait_for_a_store_that_is_away(tmp_path: Path) -> None:
    async def submit(run: StoredRun, sent: Ticket) -> None:
        async with run.announce(sent, "try-1"):
            pytest.fail("it was announced")

    log = AwayLog()
    with new_state_file(tmp_path, [make_take("a")]) as state:
        run = StoredRun(cast("RunLog", log), state, SystemClock())
        run.follow(lambda _: None, submits_no_more=log.waits.is_set)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(submit(run, ticket(state, "a")))
        run.close()
    assert ["s3://away" in remark for remark in run.remarks] == [True]
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == []


def test_a_disk_that_is_gone_is_not_mistaken_for_an_empty_store(tmp_path: Path) -> None:
    async def submit(run: StoredRun, sent: Ticket) -> None:
        async with run.announce(sent, "try-1"):
            pytest.fail("it was announced")

    with at_store(tmp_path / "run", f"file://{tmp_path}/disk/store") as (state, run, _store):
        (tmp_path / "disk").rename(tmp_path / "unmounted")
        with pytest.raises(StoreAway):
            asyncio.run(submit(run, ticket(state, "a")))
        assert not (tmp_path / "disk").exists()


def test_a_store_that_lost_the_log_needs_a_word_only_once_something_was_sent(tmp_path: Path) -> None:
    address = f"file://{tmp_path}/store"

    def begin_again(state: StateFile, *, new_run: bool = False) -> None:
        with stored(RunDir(tmp_path / "run"), state, OpenOptions(new_run=new_run), patience=0.0):
            assert newest_part(open_store(store_address(address))) is not None

    with at_store(tmp_path / "run", address) as (state, _, _store):
        pass
    with StateFile.open(tmp_path / "run" / "state.db") as state:
        state.begin(at=2.0)
        (tmp_path / "store" / ".shotrunner").rename(tmp_path / "first")
        begin_again(state)
        started = SubmissionStarted("try-1", ticket(state, "a").fingerprint, state.epoch)
        state.record("a", started, at=3.0).result()
        (tmp_path / "store" / ".shotrunner").rename(tmp_path / "second")
        with pytest.raises(FlagRequired, match="does not know this run any more"):
            begin_again(state)
        begin_again(state, new_run=True)


@pytest.mark.parametrize(
    "file", ["clips/../../victim", "/etc/passwd", "clips/..", "clips/a\\b", "previews/a.jpg"]
)
def test_a_record_from_a_store_names_no_file_but_a_clip(tmp_path: Path, file: str) -> None:
    with new_state_file(tmp_path, [make_take("a")]) as state:
        path = state.path
    refuse_odd_files(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE takes SET file = ?", (file,))
        connection.commit()
    with pytest.raises(RecordDamaged, match="names a clip as"):
        refuse_odd_files(path)


def test_a_rehearsal_is_known_as_one_from_the_store_until_a_job_may_be_paid_for(tmp_path: Path) -> None:
    address = f"file://{tmp_path}/store"
    with at_store(tmp_path / "run", address) as (state, run, store):
        for is_simulated in (True, False):
            state.note_simulated(is_simulated)
            run.copy()
            assert is_rehearsal(store) is is_simulated
            run_in_store.cache_clear()
            with open_reader(run_in_store(store_address(address)).state_file) as reader:
                assert reader.nothing_paid is is_simulated
