"""Orders on record: each once and whole, with the settings of the session that it has changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.errors import IllegalTransition, RunInUse
from runner.domain.orders import GivenOrder, OrderOutcome, Pause, Resume, Tune, order_as_json
from runner.domain.records import OrderRecord, pause_of
from runner.store.open_file import Opening
from runner.store.reader import open_reader
from runner.store.schema import MIGRATIONS
from runner.store.state_file import StateFile
from runner.system.canonical_json import JsonValue
from tests.integration.store_samples import make_take, new_state_file
from tests.integration.test_store_sync_plan import older_file

GIVEN = GivenOrder("a" * 32, "ada", 10.0, 1, Tune(jobs=8, rates={"": None}))
DONE = OrderOutcome(changed=True, says=("jobs: 4 → 8",))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    """Give the record of a session that goes on."""
    with new_state_file(tmp_path, [make_take("a")]) as found:
        settings: dict[str, JsonValue] = {
            "jobs": 4,
            "max_cost_usd": None,
            "rates": {"": "10/min", "x/y": "2/s"},
        }
        found.begin_session(at=5.0, version="0.1", settings=settings)
        yield found


def test_an_order_is_on_record_with_what_became_of_it_and_what_holds_now(state: StateFile) -> None:
    with open_reader(state.path) as reader:
        mark = reader.mark()
        assert (reader.orders(epoch=1), reader.order(GIVEN.id)) == ([], None)
        changed: dict[str, JsonValue] = {"jobs": 8, "rates": {"": None}}
        state.note_order(GIVEN, DONE, at=11.0, settings=changed).result(timeout=20)
        (found,) = reader.orders(epoch=1)
        assert found == reader.order(GIVEN.id)
        assert found == OrderRecord(
            *(GIVEN.id, 1, 10.0, 11.0, "ada"), order_as_json(GIVEN.order), changed=True, says=DONE.says
        )
        session = reader.newest_session()
        assert session is not None
        assert session.settings == {"jobs": 8, "rates": {"x/y": "2/s"}, "max_cost_usd": None}
        assert reader.mark() != mark
        assert reader.orders(epoch=2) == []


def test_an_order_is_recorded_once_and_then_never_changed(state: StateFile) -> None:
    state.note_order(GIVEN, DONE, at=11.0).result(timeout=20)
    with pytest.raises(IllegalTransition):
        state.note_order(GIVEN, OrderOutcome(changed=False, says=()), at=12.0).result(timeout=20)
    with closing(sqlite3.connect(state.path)) as connection:
        for statement in ("UPDATE orders SET changed = 0", "DELETE FROM orders"):
            with pytest.raises(sqlite3.IntegrityError, match="orders are never"):
                connection.execute(statement)


def test_a_runner_that_was_overtaken_records_no_order(state: StateFile) -> None:
    with closing(sqlite3.connect(state.path)) as connection:
        connection.execute("UPDATE run SET epoch = epoch + 1")
        connection.commit()
    with pytest.raises(RunInUse):
        state.note_order(GIVEN, DONE, at=11.0).result(timeout=20)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_a_file_of_an_older_version_has_no_orders_and_no_settings(version: int, tmp_path: Path) -> None:
    """A reader sees so before the file is brought up to date, and after."""
    path = tmp_path / "state.db"
    older_file(path, version)
    if version >= 3:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO sessions (epoch, began_at, version) VALUES (7, 1.0, '0.1')")
            connection.commit()
    for _ in range(2):
        with open_reader(path) as reader:
            assert reader.orders(epoch=7) == []
            assert [dict(session.settings) for session in reader.sessions()] == [{}] * (version >= 3)
            assert reader.models() == [make_take("a").model]
            assert reader.mark()
        StateFile.open(path, Opening()).close()


def test_a_pause_holds_until_a_resume() -> None:
    def order(kind: type[Pause | Resume], *, changed: bool = True) -> OrderRecord:
        return OrderRecord("", 1, 0.0, 0.0, "ada", order_as_json(kind()), changed, ())

    first, again = order(Pause), replace(order(Pause, changed=False), at=1.0)
    assert pause_of([first, again]) is first
    assert pause_of([first, order(Resume)]) is None
    assert pause_of([]) is None
