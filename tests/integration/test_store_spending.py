"""What the state file says was spent, attempt by attempt, and the sessions it keeps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.money import Charge, Spending
from runner.domain.records import CostsUntold, schema_of
from runner.domain.shots import Plan, Price, Take
from runner.domain.states import (
    Accepted,
    AccountTurnedAway,
    Adopted,
    CostSeen,
    DeclaredNotSent,
    Dropped,
    Ended,
    Fact,
    FailureClass,
    LateAnswer,
    LostContact,
    NotSent,
    PayAgain,
    Refused,
    RefusedForNow,
    RetryRequested,
    SubmissionStarted,
    TakeState,
    Vanished,
)
from runner.store.reader import open_reader
from runner.store.schema import MIGRATIONS
from runner.store.state_file import StateFile
from tests.integration.store_samples import make_plan, make_take, new_state_file, tell

TAKE = replace(make_take("a"), price=Price(0.3))
BEGUN = SubmissionStarted("t1", TAKE.fingerprint, 1)
AGAIN = SubmissionStarted("t2", TAKE.fingerprint, 1)
TAKEN = Accepted("t1", "r-1")
LOST = LostContact("t1", "sent", "cut")
DONE = Ended(TakeState.SUCCEEDED, "{}", cost=0.2)
FAILED = Ended(TakeState.FAILED, "{}", failure=FailureClass.PROVIDER_FAILED, cost=0.1)
UNKNOWN = Ended(TakeState.SUCCEEDED, "{}")
NOT_SENT = DeclaredNotSent("ada")

FATES: dict[str, tuple[list[Fact], list[Charge]]] = {
    "never begun": ([], []),
    "open": ([BEGUN], [Charge("a", 0.3)]),
    "accepted": ([BEGUN, TAKEN], [Charge("a", 0.3)]),
    "lost": ([BEGUN, LOST], [Charge("a", 0.3)]),
    "adopted": ([BEGUN, LOST, Adopted("r-1", "ada")], [Charge("a", 0.3)]),
    "dropped": ([BEGUN, LOST, Dropped("ada")], [Charge("a", 0.3)]),
    "paid again": ([BEGUN, LOST, PayAgain("ada")], [Charge("a", 0.3)]),
    "paid again and begun": (
        [BEGUN, LOST, PayAgain("ada"), AGAIN],
        [Charge("a", 0.3, None, False), Charge("a", 0.3)],
    ),
    "its cost is known": ([BEGUN, TAKEN, DONE], [Charge("a", 0.3, 0.2)]),
    "its cost came late": ([BEGUN, TAKEN, UNKNOWN, CostSeen(0.25)], [Charge("a", 0.3, 0.25)]),
    "its cost never came": ([BEGUN, TAKEN, UNKNOWN], [Charge("a", 0.3)]),
    "retried": (
        [BEGUN, TAKEN, FAILED, RetryRequested("ada"), AGAIN],
        [Charge("a", 0.3, 0.1, False), Charge("a", 0.3)],
    ),
    "not sent": ([BEGUN, NotSent("t1", "no route")], []),
    "refused for now": ([BEGUN, RefusedForNow("t1", "busy", 1.0)], []),
    "refused": ([BEGUN, Refused("t1", FailureClass.REFUSED, "no")], []),
    "account refused": ([BEGUN, AccountTurnedAway("t1", FailureClass.AUTH, "no")], []),
    "declared not sent": ([BEGUN, LOST, NOT_SENT], []),
    "declared not sent, and answered after all": (
        [BEGUN, LOST, NOT_SENT, LateAnswer("t1", "r-9")],
        [Charge("a", 0.3)],
    ),
}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateFile]:
    with new_state_file(tmp_path, [TAKE]) as state_file:
        yield state_file


def sums_of(found: Spending) -> tuple[float, ...]:
    return found.committed, found.billed, found.estimated, found.without_cost, found.unpriced


@pytest.mark.parametrize("fate", FATES)
def test_every_attempt_that_may_have_been_charged_is_counted(state: StateFile, fate: str) -> None:
    facts, charges = FATES[fate]
    for fact in facts:
        state.record("a", fact, at=1.0).result(20)
    with open_reader(state.path) as reader:
        assert list(reader.spending().charges) == charges
        assert sums_of(reader.sums()) == sums_of(reader.spending())


def test_the_sums_are_exact_and_say_what_is_not_known(state: StateFile) -> None:
    for fact in (BEGUN, TAKEN, FAILED, RetryRequested("ada"), AGAIN):
        state.record("a", fact, at=1.0).result(20)
    with open_reader(state.path) as reader:
        spending = reader.spending()
    assert (spending.committed, spending.billed, spending.estimated) == (0.4, 0.1, 0.6)
    assert (spending.without_cost, spending.unpriced) == (1, 0)


def test_an_attempt_keeps_the_price_it_began_with_and_takes_one_where_it_had_none(tmp_path: Path) -> None:
    free: Take = replace(make_take("b"), price=None)
    with new_state_file(tmp_path, [TAKE, free]) as state:
        state.record("a", BEGUN, at=1.0).result(20)
        state.record("b", SubmissionStarted("t9", free.fingerprint, 1), at=1.0).result(20)
        with open_reader(state.path) as reader:
            assert (reader.spending().unpriced, reader.spending().committed) == (1, 0.3)
        dearer = [replace(take, price=Price(0.5)) for take in (TAKE, free)]
        state.adopt_plan(make_plan(dearer, text="version: 2\n"), renew=(), at=2.0)
        with open_reader(state.path) as reader:
            assert [charge.estimate for charge in reader.spending().charges] == [0.3, 0.5]
        assert [ticket.estimate for ticket in state.tickets()] == [0.5, 0.5]


def priced_plan(takes: list[Take], price: float, *, schema: str = "a" * 8) -> Plan:
    """Return a plan of the takes at this price, checked with a schema of this hash."""
    text = f"price: {price} of {[take.body for take in takes]} by {schema}\n"
    plan = make_plan([replace(take, price=Price(price)) for take in takes], text=text)
    return replace(plan, schemas={take.model: schema for take in takes})


def begin(state: StateFile, take: Take, attempt: str) -> None:
    state.record(take.id, SubmissionStarted(attempt, take.fingerprint, state.epoch), at=1.0).result(20)


def told(state: StateFile) -> dict[str, tuple[float | None, float | None]]:
    with open_reader(state.path) as reader:
        return {take.take_id: (take.estimate, take.estimate_now) for take in reader.takes()}


def test_what_was_sent_keeps_its_estimate_and_only_what_was_not_has_that_of_today(tmp_path: Path) -> None:
    sent, unsent, ended = (make_take(name, prompt=name) for name in "abc")
    with new_state_file(tmp_path, []) as state:
        state.adopt_plan(priced_plan([sent, unsent, ended], 0.3), renew=(), at=1.0)
        begin(state, sent, "t1")
        begin(state, ended, "t2")
        for fact in (Accepted("t2", "r-2"), FAILED):
            state.record("c", fact, at=1.0).result(20)
        state.adopt_plan(priced_plan([sent, unsent, ended], 0.5), renew=(), at=2.0)
        assert told(state) == {"a": (0.3, 0.5), "b": (0.5, 0.5), "c": (0.3, 0.5)}
        with open_reader(state.path) as reader:
            assert ["0.5" in take.price for take in reader.takes()] == [False, True, False]
        state.record("c", RetryRequested("ada"), at=3.0).result(20)
        assert told(state)["c"] == (0.5, 0.5)
        begin(state, ended, "t3")
        with open_reader(state.path) as reader:
            assert [(attempt.estimate, attempt.cost) for attempt in reader.attempts("c")] == [
                (0.3, 0.1),
                (0.5, None),
            ]


def test_a_changed_row_is_sent_once_more_as_it_was_and_for_what_that_costs(tmp_path: Path) -> None:
    """Its new body has another price, which a retry of the old one must neither reserve nor record."""
    take, dear = make_take("a", prompt="short"), make_take("a", prompt="long")
    with new_state_file(tmp_path, []) as state:
        state.adopt_plan(priced_plan([take], 0.3), renew=(), at=1.0)
        begin(state, take, "t1")
        state.record("a", Accepted("t1", "r-1"), at=1.0).result(20)
        state.adopt_plan(priced_plan([dear], 9.0, schema="b" * 8), renew=(), at=2.0)
        assert told(state) == {"a": (0.3, 9.0)}
        assert [ticket.estimate for ticket in state.tickets()] == [0.3]
        for fact in (FAILED, RetryRequested("--retries")):
            state.record("a", fact, at=3.0).result(20)
        begin(state, take, "t2")
        with open_reader(state.path) as reader:
            assert [(each.estimate, each.schema) for each in reader.attempts("a")] == [(0.3, "a" * 8)] * 2


def test_a_changed_row_that_was_sent_without_a_price_is_sent_again_at_that_of_today(tmp_path: Path) -> None:
    """What is reserved, shown, recorded and counted after a restart is one amount."""
    free, dear = replace(make_take("a", prompt="short"), price=None), make_take("a", prompt="long")
    with new_state_file(tmp_path, [free]) as state:
        begin(state, free, "t1")
        state.record("a", Accepted("t1", "r-1"), at=1.0).result(20)
        state.adopt_plan(priced_plan([dear], 9.0), renew=(), at=2.0)
        for fact in (FAILED, RetryRequested("--retries")):
            state.record("a", fact, at=3.0).result(20)
        assert told(state)["a"] == (9.0, 9.0)
        assert [ticket.estimate for ticket in state.tickets()] == [9.0]
        begin(state, free, "t2")
        # A price that is taken away later changes nothing of what was sent.
        state.adopt_plan(make_plan([replace(dear, price=None)], text="no price\n"), renew=(), at=4.0)
        assert told(state)["a"] == (9.0, None)
        with open_reader(state.path) as reader:
            latest = reader.attempts("a")[-1]
            assert (latest.estimate, "9" in (latest.price or "")) == (9.0, True)
            assert reader.spending().charges[-1] == Charge("a", 9.0)


def test_a_changed_row_that_waits_is_shown_at_what_sending_it_again_costs(tmp_path: Path) -> None:
    take, dear = make_take("a", prompt="short"), make_take("a", prompt="long")
    with new_state_file(tmp_path, []) as state:
        state.adopt_plan(priced_plan([take], 0.3), renew=(), at=1.0)
        begin(state, take, "t1")
        state.record("a", Accepted("t1", "r-1"), at=1.0).result(20)
        state.adopt_plan(priced_plan([dear], 9.0), renew=(), at=2.0)
        for fact in (FAILED, RetryRequested("--retries")):
            state.record("a", fact, at=3.0).result(20)
        assert told(state)["a"] == (0.3, 9.0)
        assert [ticket.estimate for ticket in state.tickets()] == [0.3]


def test_a_schema_that_comes_back_is_known_as_the_one_a_take_was_sent_by(tmp_path: Path) -> None:
    takes = [make_take(name, prompt=name) for name in "abcd"]
    with new_state_file(tmp_path, []) as state:
        for take, schema in zip(takes, ("aa", "bb", "aa"), strict=False):
            state.adopt_plan(priced_plan(takes, 0.3, schema=schema), renew=(), at=1.0)
            begin(state, take, f"t-{take.id}")
        with open_reader(state.path) as reader:
            found = [schema_of(take, reader.schemas()) for take in reader.takes()]
            # The last was never sent: it is the schema that it was checked by.
            assert found == ["aa", "bb", "aa", "aa"]
            assert [each.sha256 for each in reader.schemas()] == ["aa", "bb"]


def test_a_file_of_version_three_is_read_like_a_new_one_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(Path(__file__).with_name("state_v1.sql").read_text("utf-8"))
        for statement in (*MIGRATIONS[1], *MIGRATIONS[2]):
            connection.execute(statement)
        connection.execute("UPDATE attempts SET estimate = 0.2")
        connection.execute("UPDATE takes SET estimate = 0.4")
        connection.execute("INSERT INTO schemas SELECT DISTINCT model, 'aa', 0.0 FROM takes")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with open_reader(path) as reader:
        before = (reader.takes(), reader.schemas(), reader.spending())
        attempts = [reader.attempts(take.take_id) for take in reader.takes()]
        assert {take.estimate for take in reader.takes() if take.state is not TakeState.PENDING} == {0.2}
        assert {each.schema for some in attempts for each in some} == {None}
    with StateFile.open(path):
        pass
    with open_reader(path) as reader:
        assert (reader.takes(), reader.schemas(), reader.spending()) == before
        assert [reader.attempts(take.take_id) for take in reader.takes()] == attempts


def test_a_session_is_on_record_from_its_begin_and_tells_its_end(state: StateFile) -> None:
    state.begin_session(at=10.0, version="0.1", limit_s=60.0, window_began_at=5.0)
    with open_reader(state.path) as reader:
        (begun,) = reader.sessions()
    assert (begun.epoch, begun.began_at, begun.limit_s, begun.window_began_at) == (
        state.epoch,
        10.0,
        60.0,
        5.0,
    )
    assert (begun.ended_at, begun.ending) == (None, None)
    state.end_session(at=20.0, ending="limit")
    state.begin(at=30.0)
    state.begin_session(at=30.0, version="0.1")
    with open_reader(state.path) as reader:
        first, second = reader.sessions()
    assert (first.ended_at, first.ending) == (20.0, "limit")
    assert (second.epoch, second.limit_s) == (first.epoch + 1, None)


def test_takes_without_a_known_cost_are_found_the_last_to_end_first(tmp_path: Path) -> None:
    """Pages of a hundred are read as they are asked for; what has a cost, was given up or ended before is left out."""
    takes = [make_take(f"s{n:03}", prompt=str(n)) for n in range(130)]
    endings: dict[int, Fact] = {5: DONE, 6: Vanished(FailureClass.MISSING, "gone"), 7: FAILED}
    with new_state_file(tmp_path, takes) as state:
        for n, take in enumerate(takes):
            begin(state, take, f"t{n}")
            tell(state, Accepted(f"t{n}", f"r{n}"), endings.get(n, UNKNOWN), take_id=take.id, at=100.0 + n)
        with open_reader(state.path) as reader:
            found = reader.lacking_cost(since=103.0)
            assert [ticket.take_id for ticket in found] == [
                f"s{n:03}" for n in range(129, 3, -1) if n not in endings
            ]
            assert not [*reader.lacking_cost(since=229.0)]


def test_costs_that_were_not_told_are_remembered(tmp_path: Path) -> None:
    with new_state_file(tmp_path, [TAKE]) as state, open_reader(state.path) as reader:
        assert reader.costs_untold() is None
        state.note_costs_untold(CostsUntold(20.0, 10.0))
        assert reader.costs_untold() == CostsUntold(20.0, 10.0)
