"""The transition table: every pair of state and fact either moves as the table says or is refused."""

from __future__ import annotations

from typing import get_args

import pytest

from runner.domain.errors import IllegalTransition
from runner.domain.states import (
    DELIVERIES,
    ENDED,
    TRANSITIONS,
    AccountTurnedAway,
    AdoptionUndone,
    DeclaredNotSent,
    DeliveryFact,
    DeliveryState,
    Dropped,
    Ended,
    FoundAfterAll,
    NotSent,
    PayAgain,
    RefusedForNow,
    RetryRequested,
    StateFact,
    TakeState,
    advance,
    advance_delivery,
)
from tests.integration.store_samples import A, every_fact

FACTS = every_fact(A, attempt="a", epoch=1)
STATE_FACTS = [fact for fact in FACTS if isinstance(fact, StateFact)]
DELIVERY_FACTS = [fact for fact in FACTS if isinstance(fact, DeliveryFact)]


def test_the_samples_cover_every_kind_of_fact() -> None:
    assert {type(fact) for fact in STATE_FACTS} == set(get_args(StateFact))
    assert {type(fact) for fact in DELIVERY_FACTS} == set(get_args(DeliveryFact))


@pytest.mark.parametrize("state", TakeState)
@pytest.mark.parametrize("fact", STATE_FACTS, ids=lambda fact: type(fact).__name__)
def test_advance_does_what_the_table_says_for_every_pair(state: TakeState, fact: StateFact) -> None:
    allowed = TRANSITIONS.get((state, type(fact)))
    if allowed is None:
        with pytest.raises(IllegalTransition, match=state):
            advance(state, fact)
    else:
        assert advance(state, fact) in allowed


@pytest.mark.parametrize("state", DeliveryState)
@pytest.mark.parametrize("fact", DELIVERY_FACTS, ids=lambda fact: type(fact).__name__)
def test_delivery_does_what_its_table_says_for_every_pair(state: DeliveryState, fact: DeliveryFact) -> None:
    if (state, type(fact)) in DELIVERIES:
        assert advance_delivery(state, fact) is DELIVERIES[state, type(fact)]
    else:
        with pytest.raises(IllegalTransition, match=state):
            advance_delivery(state, fact)


def test_a_result_cannot_claim_a_state_that_is_no_end() -> None:
    with pytest.raises(IllegalTransition):
        advance(TakeState.RUNNING, Ended(TakeState.PENDING, "{}"))


def test_what_may_have_been_paid_goes_back_to_pending_only_by_a_persons_word() -> None:
    back = {kind for (state, kind), to in TRANSITIONS.items() if TakeState.PENDING in to}
    proved_unpaid = {NotSent, RefusedForNow, AccountTurnedAway}
    a_persons_word = {DeclaredNotSent, PayAgain, RetryRequested}
    assert back == proved_unpaid | a_persons_word


@pytest.mark.parametrize("state", sorted(ENDED | {TakeState.DROPPED}))
def test_only_a_persons_wish_leaves_a_settled_state_and_a_clip_that_is_found(state: TakeState) -> None:
    found = {FoundAfterAll} if state is not TakeState.SUCCEEDED else set()
    # What was adopted by mistake is not settled by how that other job ended.
    kinds = {kind for (source, kind) in TRANSITIONS if source is state}
    assert kinds - {RetryRequested, AdoptionUndone, Dropped} == found


def test_a_person_can_end_every_take_that_was_sent_and_has_no_clip_here() -> None:
    for state in set(TakeState) - {TakeState.PENDING, TakeState.SUBMITTING, TakeState.DROPPED}:
        assert advance(state, Dropped("me")) is TakeState.DROPPED
    for delivery in set(DeliveryState) - {DeliveryState.DELIVERED}:
        assert advance_delivery(delivery, Dropped("me")) is DeliveryState.NONE
    with pytest.raises(IllegalTransition):
        advance_delivery(DeliveryState.DELIVERED, Dropped("me"))


def test_every_state_can_be_reached_from_pending() -> None:
    reached, frontier = {TakeState.PENDING}, [TakeState.PENDING]
    while frontier:
        here = frontier.pop()
        for (source, _), targets in TRANSITIONS.items():
            if source is here:
                frontier += targets - reached
                reached |= targets
    assert reached == set(TakeState)
