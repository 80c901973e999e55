"""Readers: what they return, beside a live, a killed and a resting file, and that they leave no trace."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path

import pytest

from runner.domain.errors import StateFileUnusable
from runner.domain.job_settings import settings_of
from runner.domain.records import JobSpan, PastJob, TakeFigures
from runner.domain.states import Checked, CostSeen, DeliveryState, Ended, RetryRequested, TakeState
from runner.store.reader import DURATIONS_KEPT, open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, delivery_road, make_plan, make_take, new_state_file, road

S, D = TakeState, DeliveryState


@pytest.fixture
def live(tmp_path: Path) -> Iterator[StateFile]:
    """Give a state file with one take in every state, and two more succeeded ones on their way home."""
    takes = [make_take(state) for state in S] + [make_take("home"), make_take("lost")]
    with new_state_file(tmp_path, takes) as state_file:
        for take in takes:
            state = S(take.id) if take.id in set(S) else S.SUCCEEDED
            facts = road(take, state, attempt=f"try-{take.id}", epoch=state_file.epoch)
            facts += delivery_road({"home": D.DELIVERED, "lost": D.UNDELIVERABLE}.get(take.id, D.NONE))
            for fact in facts:
                state_file.record(take.id, fact, at=1010.0).result(timeout=20)
        yield state_file


def test_counts_name_every_state(live: StateFile) -> None:
    with open_reader(live.path) as reader:
        assert reader.counts() == {**dict.fromkeys(S, 1), S.SUCCEEDED: 3}
        assert reader.deliveries() == {D.NONE: 1, D.FETCHING: 0, D.DELIVERED: 1, D.UNDELIVERABLE: 1}
        assert (reader.header.run_id, reader.epoch) == (HEADER.run_id, live.epoch)


def test_what_goes_on_what_waits_and_what_is_in_trouble(live: StateFile) -> None:
    """Jobs that ended before the moment asked for are left out; the model is that of all takes."""
    with open_reader(live.path) as reader:
        spans = reader.job_spans(since=1000.0)
        (model,) = {span.model for span in spans}
        assert sorted(spans, key=lambda span: span.ended_at or 0.0) == (
            [JobSpan(model, 1010.0)] * 2 + [JobSpan(model, 1010.0, 1010.0)] * 5
        )
        assert reader.job_spans(since=1010.0) == [JobSpan(model, 1010.0)] * 2
        assert reader.waiting() == {model: 1}
        assert [take.take_id for take in reader.troubled()] == ["failed", "held", "lost"]
        assert reader.last_event_at() == 1010.0
        assert [take.take_id for take in reader.outcomes()] == [take.take_id for take in reader.takes()]


def test_the_newest_session_is_known_and_its_end_changes_a_report(live: StateFile) -> None:
    with open_reader(live.path) as reader:
        assert reader.newest_session() is None
        live.begin_session(at=5.0, version="0.1")
        session, mark = reader.newest_session(), reader.mark()
        assert session is not None
        assert session.began_at == 5.0
        live.end_session(at=6.0, ending="finished")
        assert reader.mark() != mark


def test_takes_come_in_manifest_order(live: StateFile) -> None:
    with open_reader(live.path) as reader:
        takes = reader.takes()
        assert [take.take_id for take in takes] == [*S, "home", "lost"]
        assert reader.take("home") == takes[-2]
        assert reader.take("nobody") is None


def test_takes_can_be_read_one_by_one_in_the_same_order(tmp_path: Path) -> None:
    """Manifest order is neither that of creation nor of the ids; what left the manifest is last."""
    first = [make_take(name) for name in ("b", "gone", "a", "left")]
    with new_state_file(tmp_path, first) as state_file:
        plan = make_plan([make_take(name) for name in ("c", "a", "b")])
        state_file.adopt_plan(plan, renew=(), at=1001.0)
        with open_reader(state_file.path) as reader:
            assert list(reader.each_take()) == reader.takes()
            assert [take.take_id for take in reader.each_take()] == ["c", "a", "b", "gone", "left"]


def test_figures_are_those_of_the_takes(live: StateFile) -> None:
    """Also of one with flags, whose row has changed since, and of those that left the manifest."""
    live.record("home", Checked("ab" * 32, "{}", (("black", "all black"),)), at=1011.0).result(timeout=20)
    plan = make_plan([make_take("home", prompt="another hand"), make_take("failed")], text="version: 1 #\n")
    live.adopt_plan(plan, renew=(), at=1012.0)
    names = [field.name for field in fields(TakeFigures)]
    with open_reader(live.path) as reader:
        found = [[getattr(each, name) for name in names] for each in reader.each_figures()]
        assert found == [[getattr(take, name) for name in names] for take in reader.takes()]
        assert [each.take_id for each in reader.each_figures() if each.is_stale and each.flags] == ["home"]


def test_all_calls_of_one_moment_see_the_same(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a")]) as state_file, open_reader(state_file.path) as reader:
        with reader.at_one_moment():
            (before,) = reader.each_take()
            state_file.record("a", CostSeen(0.5), at=1.0).result(timeout=20)
            assert list(reader.each_take()) == [before]
        (after,) = reader.takes()
    assert (before.cost, after.cost) == (None, 0.5)


def test_a_mark_changes_with_what_a_report_shows_and_only_then(tmp_path: Path) -> None:
    take = make_take("a")
    with new_state_file(tmp_path, [take]) as state_file:

        def mark() -> str:
            with open_reader(state_file.path) as reader:
                return reader.mark()

        first = mark()
        state_file.begin(at=1001.0)
        state_file.adopt_plan(make_plan([take]), renew=(), at=1001.0)
        assert mark() == first
        # Tags, notes, places and prices are no facts.
        state_file.adopt_plan(make_plan([replace(take, notes="new")]), renew=(), at=1002.0)
        second = mark()
        state_file.record("a", CostSeen(0.5), at=1003.0).result(timeout=20)
        third = mark()
        state_file.note_header(replace(HEADER, manifest="/elsewhere/other.csv"))
        assert len({first, second, third, mark()}) == 4


def test_events_are_whole_or_of_one_take(live: StateFile) -> None:
    with open_reader(live.path) as reader:
        everything = reader.events()
        assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
        assert reader.events("home") == [event for event in everything if event.take_id == "home"]
        assert [event.after for event in reader.events("home")][-2:] == ["fetching", "delivered"]
        assert reader.events("nobody") == []
        assert reader.attempts("pending") == []


def test_durations_are_the_latest_of_each_model_oldest_first(tmp_path: Path) -> None:
    count = DURATIONS_KEPT + 3
    takes = [make_take(f"t{n:03d}") for n in range(count)] + [make_take("other", model="x/y")]
    with new_state_file(tmp_path, takes) as state_file:
        for number, take in enumerate(takes):
            *facts, _ = road(take, S.SUCCEEDED, attempt=f"try-{take.id}", epoch=state_file.epoch)
            for fact in (*facts, Ended(S.SUCCEEDED, "{}", seconds=float(number))):
                last = state_file.record(take.id, fact, at=2000.0 + number)
        last.result(timeout=30)
        with open_reader(state_file.path) as reader:
            durations = reader.durations()
    settings = settings_of(takes[0].body)
    known = [PastJob(takes[0].model, settings, float(n)) for n in range(3, count)]
    assert sorted(durations, key=lambda job: job.seconds) == [*known, PastJob("x/y", settings, float(count))]
    assert [job for job in durations if job.model == takes[0].model] == known


def test_failed_takes_lend_no_duration(tmp_path: Path) -> None:
    take = make_take("a")
    with new_state_file(tmp_path, [take]) as state_file:
        for fact in (*road(take, S.FAILED, attempt="try", epoch=1), RetryRequested("ada")):
            state_file.record("a", fact, at=1.0).result(timeout=20)
        with open_reader(state_file.path) as reader:
            assert reader.durations() == []


def test_a_reader_of_a_file_at_rest_leaves_no_trace(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a")]) as state_file:
        pass
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()}
    with open_reader(state_file.path) as reader:
        assert [take.take_id for take in reader.takes()] == ["a"]
        assert {path.name for path in tmp_path.iterdir()} == set(before)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("index", [True, False], ids=["with-shm", "without-shm"])
def test_a_reader_of_a_killed_file_sees_the_newest_facts(tmp_path: Path, *, index: bool) -> None:
    with new_state_file(tmp_path / "live", [make_take("a")]) as state_file:
        state_file.record("a", CostSeen(0.5), at=1.0).result(timeout=20)
        shutil.copytree(tmp_path / "live", tmp_path / "killed")
    path = tmp_path / "killed" / "state.db"
    if not index:
        path.with_name("state.db-shm").unlink()
    state = {name: (tmp_path / "killed" / name).read_bytes() for name in ("state.db", "state.db-wal")}
    with open_reader(path) as reader:
        found = reader.take("a")
    assert found is not None
    assert found.cost == 0.5
    assert {name: (tmp_path / "killed" / name).read_bytes() for name in state} == state


def test_readers_come_and_go_while_a_run_writes(tmp_path: Path) -> None:
    """Each sees a whole moment: every accepted take has its id, and nothing ever goes back."""
    takes = [make_take(f"t{n:03d}") for n in range(60)]
    done = threading.Event()
    seen: list[int] = []
    faults: list[str] = []

    def watch() -> None:
        while not done.is_set():
            with open_reader(path) as reader:
                records = reader.takes()
                seen.append(sum(reader.counts().values()))
            faults.extend(t.take_id for t in records if t.state is S.QUEUED and t.request_id is None)

    with new_state_file(tmp_path, takes) as state_file:
        path = state_file.path
        watchers = [threading.Thread(target=watch) for _ in range(3)]
        for watcher in watchers:
            watcher.start()
        for take in takes:
            for fact in road(take, S.RUNNING, attempt=f"try-{take.id}", epoch=state_file.epoch):
                state_file.record(take.id, fact, at=1.0).result(timeout=20)
    done.set()
    for watcher in watchers:
        watcher.join()
    assert len(seen) >= 3
    assert set(seen) == {60}
    assert faults == []
    with StateFile.open(path) as again, open_reader(path) as reader:
        assert reader.counts()[S.RUNNING] == 60
        assert again.begin(at=2.0) == ()


def test_a_reader_stays_open_while_runs_come_and_go(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a")]) as state_file:
        pass
    with open_reader(state_file.path) as reader:
        for number in range(3):
            with StateFile.open(state_file.path) as again:
                again.record("a", CostSeen(float(number)), at=1.0).result(timeout=20)
                found = reader.take("a")
                assert found is not None
                assert found.cost == float(number)


def test_a_reader_cannot_write(live: StateFile) -> None:
    with open_reader(live.path) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._connection.execute("UPDATE run SET epoch = 99")


def test_a_value_nobody_knows_is_refused_in_our_words(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [make_take("a")]) as state_file:
        pass
    with closing(sqlite3.connect(state_file.path)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("UPDATE takes SET failure = 'invented', tags = '{'")
        connection.commit()
    with (
        open_reader(state_file.path) as reader,
        pytest.raises(StateFileUnusable, match="does not understand"),
    ):
        reader.takes()


def half_changed(folder: Path) -> Path:
    """Return a file at rest that a kill has left in the middle of a change of its main file."""
    live = folder / "live"
    with new_state_file(live, [make_take(f"t{n:03d}") for n in range(200)]) as state_file:
        pass
    with closing(sqlite3.connect(state_file.path, isolation_level=None)) as connection:
        connection.execute("PRAGMA cache_size = 2")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE takes SET notes = hex(randomblob(500))")
        shutil.copytree(live, folder / "killed")
        connection.execute("ROLLBACK")
    return folder / "killed" / "state.db"


def test_a_half_made_change_is_undone_by_the_run_and_only_reported_by_a_reader(tmp_path: Path) -> None:
    path = half_changed(tmp_path)
    with pytest.raises(StateFileUnusable) as caught:
        open_reader(path)
    assert "again" in caught.value.advice
    with StateFile.open(path) as state_file:
        assert len(state_file.tickets()) == 200
    with open_reader(path) as reader:
        assert {take.notes for take in reader.takes()} == {""}


def test_a_file_of_an_older_program_is_read_like_a_new_one_and_left_as_it_is(tmp_path: Path) -> None:
    """`status`, `show`, `plan` and `report` look before the next run brings the file up to date."""
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("state_v1.sql").read_text("utf-8"))
    before = path.read_bytes()
    with open_reader(path) as reader:
        takes = reader.takes()
        assert takes
        assert not any(take.is_stale or take.estimate is not None for take in takes)
        costs = {take.take_id: take.cost for take in takes if take.cost is not None}
        assert {charge.take_id: charge.cost for charge in reader.spending().charges if charge.cost} == costs
        assert (reader.sessions(), reader.schemas()) == ([], [])
        assert all(reader.attempts(take.take_id) for take in takes if take.attempts)
    assert path.read_bytes() == before
    assert not (tmp_path / "state.db-wal").exists()


def test_takes_of_an_older_file_have_numbers_that_older_renders_share_and_the_next_run_keeps(
    tmp_path: Path,
) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("state_v1.sql").read_text("utf-8"))
        names = [row[1] for row in connection.execute("PRAGMA table_info(takes)")]
        kept = ", ".join(name for name in names if name not in {"take_id", "request_id", "position", "state"})
        for take_id, place in (("failed@seed=2", 900), ("failed~1", None)):
            connection.execute(
                f"INSERT INTO takes (take_id, position, {kept}) SELECT ?, ?, {kept} FROM takes"
                " WHERE take_id = 'pending'",
                (take_id, place),
            )
        connection.execute("UPDATE takes SET shot_id = 'failed' WHERE take_id LIKE 'failed%'")
        connection.commit()
    with open_reader(path) as reader:
        labels = {take.take_id: take.label for take in reader.takes()}
    found = [labels[name] for name in ("failed", "failed@seed=2", "failed~1", "held")]
    assert found == ["failed_t01", "failed_t02", "failed_t01~1", "held_t01"]
    with StateFile.open(path):
        pass
    with open_reader(path) as reader:
        assert {take.take_id: take.label for take in reader.takes()} == labels
