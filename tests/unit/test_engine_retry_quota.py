"""The purse that retries are paid from: bounded, refilled by successes alone, and closed when it is empty."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.poll_pace import RetryQuota

TOKENS, PRICE, REFUND = 500, 14, 1


def affordable(purse: RetryQuota, *, tries: int = 1000) -> int:
    """Return how many retries `purse` pays for in a row."""
    return sum(purse.spend() for _ in range(tries))


def spent(purse: RetryQuota) -> RetryQuota:
    affordable(purse)
    return purse


def test_a_full_purse_pays_for_what_the_source_says_and_then_for_nothing() -> None:
    purse = RetryQuota()
    assert [purse.spend() for _ in range(TOKENS // PRICE)] == [True] * 35
    assert [purse.spend() for _ in range(100)] == [False] * 100


def test_what_could_not_be_paid_is_not_owed() -> None:
    """A refusal costs nothing, so an empty purse opens after as many successes as one retry costs, never later."""
    purse = RetryQuota(tokens=2 * PRICE)
    assert affordable(purse, tries=10_000) == 2
    for _ in range(PRICE - 1):
        purse.earn()
        assert not purse.spend()
    purse.earn()
    assert purse.spend()
    assert not purse.spend()


def test_successes_never_fill_it_beyond_the_brim() -> None:
    purse = RetryQuota()
    for _ in range(10 * TOKENS):
        purse.earn()
    assert affordable(purse) == TOKENS // PRICE


@pytest.mark.parametrize(
    ("tokens", "price", "retries"), [(0.0, 14.0, 0), (13.9, 14.0, 0), (14.0, 14.0, 1), (10.0, 2.5, 4)]
)
def test_a_purse_pays_while_it_holds_the_price(tokens: float, price: float, retries: int) -> None:
    assert affordable(RetryQuota(tokens=tokens, price=price)) == retries


def retried(purse: RetryQuota, reads: Sequence[bool]) -> list[bool]:
    """Return for each read, answered or not, whether a retry was paid for."""
    paid = []
    for answered in reads:
        if answered:
            purse.earn()
        paid.append(not answered and purse.spend())
    return paid


READS = st.lists(st.booleans(), max_size=300)


@given(READS, st.integers(1, 120))
def test_no_window_of_reads_holds_more_retries_than_the_purse_and_its_successes_pay(
    reads: list[bool], window: int
) -> None:
    tokens = 5 * PRICE
    paid = [0, *accumulate(retried(RetryQuota(tokens=tokens), reads))]
    earned = [0, *accumulate(reads)]
    for start in range(max(1, len(reads) - window + 1)):
        end = min(start + window, len(reads))
        assert PRICE * (paid[end] - paid[start]) <= tokens + REFUND * (earned[end] - earned[start])


@given(READS)
def test_whatever_came_before_a_purse_is_neither_in_debt_nor_over_full(reads: list[bool]) -> None:
    purse = RetryQuota(tokens=5 * PRICE)
    retried(purse, reads)
    assert affordable(purse) <= 5
    for _ in range(PRICE):
        purse.earn()
    assert purse.spend()


@given(READS)
def test_a_purse_says_no_only_when_it_cannot_pay(reads: list[bool]) -> None:
    balance = tokens = 3 * PRICE
    for answered, paid in zip(reads, retried(RetryQuota(tokens=tokens), reads), strict=True):
        if answered:
            balance = min(tokens, balance + REFUND)
        else:
            assert paid == (balance >= PRICE)
            balance -= PRICE * paid
        assert balance >= 0


def test_a_service_that_errs_for_ever_is_sent_hardly_more_than_what_it_answers() -> None:
    """One failure to nine answers: in the long run at most one retry for fourteen answers."""
    reads = ([True] * 9 + [False]) * 2000
    assert sum(retried(RetryQuota(), reads)) <= (TOKENS + 9 * 2000) / PRICE
