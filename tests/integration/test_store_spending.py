"""What the state file says was spent, attempt by attempt, and the sessions it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.money import Charge
from runner.shots import Price, Take
from runner.states import (
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
)
from runner.store.read import open_reader
from runner.store.state_file import StateFile
from tests.integration.store_samples import make_plan, make_take, new_state_file

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


@pytest.mark.parametrize("fate", FATES)
def test_every_attempt_that_may_have_been_charged_is_counted(state: StateFile, fate: str) -> None:
    facts, charges = FATES[fate]
    for fact in facts:
        state.record("a", fact, at=1.0).result(20)
    with open_reader(state.path) as reader:
        assert list(reader.spending().charges) == charges


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
