"""Pacing is numbers in, numbers out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.engine.poll_pace import Durations, LookPace
from runner.system.backoff import Backoff, retry_after

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("99999999999", 3600.0),
        ("Fri, 15 Jan 2027 08:01:40 GMT", 100.0),
        ("Fri, 15 Jan 2016 08:01:40 GMT", 0.0),
        ("-5", None),
        ("nan", None),
        ("1_000", None),
        ("１２", None),
        ("1.5", None),
        ("", None),
        (None, None),
        ("tomorrow", None),
    ],
)
def test_retry_after_takes_digits_and_dates_and_nothing_else(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after(header, now=NOW) == seconds


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_backoff_stays_within_its_ceiling(failures: int, chance: float) -> None:
    assert 0 <= Backoff(base=1.0, cap=60.0).delay(failures, chance=chance) <= 60.0


@given(st.floats(0, 1e6), st.floats(0, 1, exclude_max=True))
def test_looks_keep_between_floor_and_ceiling(watched: float, chance: float) -> None:
    wait = LookPace(floor=1.0, ceiling=30.0, jitter=0.1).next(watched, chance=chance)
    assert 0.9 <= wait <= 33.0


def test_without_history_nothing_is_known() -> None:
    assert Durations().soonest("m") is None


@given(st.lists(st.floats(0.1, 1e5), min_size=1, max_size=60))
def test_the_soonest_is_one_of_the_recorded_and_near_the_least(seconds: list[float]) -> None:
    known = Durations({"m": seconds})
    soonest = known.soonest("m")
    assert soonest in seconds
    assert sum(1 for value in seconds if value < (soonest or 0)) <= len(seconds) * 0.05


def test_old_durations_are_forgotten() -> None:
    known = Durations({"m": [1.0] * 50}, keep=10)
    for _ in range(10):
        known.add("m", 9.0)
    assert known.soonest("m") == 9.0
