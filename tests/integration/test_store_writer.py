"""Group commit: what waits together is durable together, fails alone where it must, and never hangs."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.domain.errors import BrokenPromise, DiskFailed, IllegalTransition
from runner.domain.states import Accepted, CancelRequested, CostSeen, Ended, Started, TakeState
from runner.store.reader import open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import (
    drive,
    make_take,
    new_state_file,
    road,
    seen,
    tell,
)

S = TakeState


def hold_writer(state_file: StateFile) -> Callable[[], None]:
    """Make the writer wait, so that what is handed in meanwhile is one group; returns what lets it go."""
    gate = threading.Event()
    busy = threading.Event()

    def work(_connection: sqlite3.Connection) -> None:
        busy.set()
        gate.wait(20)

    state_file._writer.submit(work)
    busy.wait(20)
    return gate.set


def test_two_thousand_records_from_fifty_threads_are_durable_and_in_order(tmp_path: Path) -> None:
    takes = [make_take(f"t{number:03d}") for number in range(500)]
    with new_state_file(tmp_path, takes) as state_file:
        epoch = state_file.epoch

        def sender(mine: list[str]) -> None:
            futures = [
                state_file.record(name, fact, at=1.0)
                for name in mine
                for fact in road(make_take(name), S.SUCCEEDED, attempt=f"try-{name}", epoch=epoch)
            ]
            futures += [state_file.record(name, CostSeen(0.5), at=1.0) for name in mine]
            for future in futures:
                future.result(timeout=30)
            done.append(len(futures))

        done: list[int] = []
        threads = [
            threading.Thread(target=sender, args=([take.id for take in takes[n::50]],)) for n in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(done) == 2000
    with open_reader(tmp_path / "state.db") as reader:
        assert reader.counts()[S.SUCCEEDED] == 500
        events = reader.events()
    assert len(events) == 2000
    kinds = {take.id: [event.fact for event in events if event.take_id == take.id] for take in takes[:20]}
    assert set(map(tuple, kinds.values())) == {("SubmissionStarted", "Accepted", "Ended", "CostSeen")}


def test_all_that_waits_shares_one_commit(state_file: StateFile) -> None:
    commits: list[str] = []
    release = hold_writer(state_file)
    state_file._writer.connection.set_trace_callback(
        lambda sql: commits.append(sql) if sql == "COMMIT" else None
    )
    futures = [state_file.record("a", CostSeen(float(n)), at=1.0) for n in range(500)]
    release()
    for future in futures:
        future.result(timeout=20)
    state_file._writer.connection.set_trace_callback(None)
    assert len(commits) == 2  # the held one's, and that of all five hundred


def test_a_refused_record_spoils_only_itself(state_file: StateFile) -> None:
    release = hold_writer(state_file)
    good = state_file.record("a", CostSeen(1.0), at=1.0)
    bad = [
        state_file.record("a", Accepted("try", "r"), at=1.0),
        state_file.record("nobody", CostSeen(1.0), at=1.0),
        state_file.record("a", CostSeen(1.0), at=float("nan")),
        state_file.record("a", CancelRequested("ada", object()), at=1.0),  # type: ignore[arg-type]  # a bug
    ]
    last = state_file.record("a", CostSeen(2.0), at=1.0)
    release()
    assert good.exception(20) is None
    assert last.exception(20) is None
    assert [type(future.exception(20)) for future in bad] == [IllegalTransition] * 3 + [BrokenPromise]
    with open_reader(state_file.path) as reader:
        assert [event.details for event in reader.events()] == [{"cost": 1.0}, {"cost": 2.0}]


def test_a_full_disk_fails_the_whole_group_and_records_nothing(state_file: StateFile) -> None:
    drive(state_file, S.QUEUED)
    release = hold_writer(state_file)
    connection = state_file._writer.connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    small = state_file.record("a", Started(), at=1.0)
    large = state_file.record("a", Ended(S.SUCCEEDED, "x" * 100_000), at=1.0)
    release()
    assert isinstance(small.exception(20), DiskFailed)
    assert isinstance(large.exception(20), DiskFailed)
    assert small.exception() is not large.exception()
    assert seen(state_file).state is S.QUEUED
    connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    tell(state_file, Started(), Ended(S.SUCCEEDED, "x" * 100_000))
    assert seen(state_file).state is S.SUCCEEDED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_dies_leaves_nobody_waiting(state_file: StateFile) -> None:
    def die(_connection: sqlite3.Connection) -> None:
        raise SystemExit

    release = hold_writer(state_file)
    futures = [state_file.record("a", CostSeen(1.0), at=1.0), state_file._writer.submit(die)]
    release()
    assert [type(future.exception(20)) for future in futures] == [BrokenPromise, BrokenPromise]
    assert isinstance(state_file.record("a", CostSeen(1.0), at=1.0).exception(20), BrokenPromise)
    assert seen(state_file).cost is None


def test_closing_records_what_waits_and_refuses_what_comes_later(state_file: StateFile) -> None:
    futures = [state_file.record("a", CostSeen(float(n)), at=1.0) for n in range(50)]
    state_file.close()
    state_file.close()
    assert all(future.done() and future.exception() is None for future in futures)
    assert isinstance(state_file.record("a", CostSeen(1.0), at=1.0).exception(20), BrokenPromise)
    assert seen(state_file).cost == 49.0
