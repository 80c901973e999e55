"""Pacing is numbers in, numbers out."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.records import PastJob
from runner.engine.poll_pace import Durations, LookPace, Sample
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


CHANCES = st.floats(0, 1, exclude_max=True)
SECONDS = st.lists(st.floats(0.1, 1e5), min_size=1, max_size=60)
MODEL = "m"


def jobs(*seconds: float, settings: str = "{}") -> list[PastJob]:
    return [PastJob(MODEL, settings, each) for each in seconds]


def evenly(low: float, high: float, number: int = 200) -> list[float]:
    return [low + (high - low) * (n + 0.5) / number for n in range(number)]


@given(st.floats(0, 1e6), CHANCES)
def test_where_nothing_is_known_looks_keep_between_floor_and_ceiling(watched: float, chance: float) -> None:
    pace = LookPace(floor=1.0, ceiling=30.0, jitter=0.1)
    assert 0.9 <= pace.next(Sample(), age=watched, watched=watched, chance=chance) <= 33.0


@given(SECONDS, st.floats(0, 1e5), st.floats(0.01, 1e3))
def test_a_look_is_due_when_the_idle_time_to_expect_is_its_price(
    seconds: list[float], age: float, price: float
) -> None:
    due = Sample(seconds).idle_by(age, price=price)
    beyond = [each for each in seconds if each > age]
    if due is None:
        assert not beyond
    else:
        idle = sum(max(0.0, due - each) for each in beyond) / (len(beyond) + 1)
        assert idle == pytest.approx(price, rel=1e-6)


def schedule(sample: Sample, *, price: float) -> list[float]:
    """Return the ages at which looks are due until no job is known to take longer."""
    ages, age = [], sample.idle_by(0.0, price=price)
    while age is not None:
        ages.append(age)
        age = sample.idle_by(age, price=price)
    return ages


@pytest.mark.parametrize("hazard", [0.01, 0.1])
def test_with_an_even_hazard_the_spacing_is_that_of_the_sources(hazard: float) -> None:
    """Ends that are as likely at any age: the optimum is a look each sqrt(2 * price / hazard)."""
    ends = [-math.log(1.0 - (n + 0.5) / 20_000) / hazard for n in range(20_000)]
    looks = schedule(Sample(ends, keep=20_000), price=0.02 / hazard)
    gaps = [later - earlier for earlier, later in pairwise(looks) if later * hazard < 3.0]
    assert gaps == pytest.approx([math.sqrt(2 * 0.02) / hazard] * len(gaps), rel=0.1)


def test_between_even_ends_each_spacing_is_shorter_by_the_price() -> None:
    """Barlow, Hunter and Proschan give this as the optimum for a uniform distribution."""
    looks = schedule(Sample(evenly(42.0, 78.0, 4000), keep=4000), price=0.3)
    gaps = [later - earlier for earlier, later in pairwise([42.0, *looks])]
    assert gaps[0] == pytest.approx(math.sqrt(2 * 36.0 * 0.3), rel=0.01)
    shorter = [earlier - later for earlier, later in pairwise(gaps[:10])]
    assert shorter == pytest.approx([0.3] * len(shorter), abs=0.05)


def cost(looks: list[float], ends: list[float], *, price: float) -> float:
    """Return the mean of idle time and price of looks, for jobs that end so and are looked at so."""
    total = 0.0
    for end in ends:
        number = next(number for number, look in enumerate(looks) if look >= end)
        total += looks[number] - end + price * (number + 1)
    return total / len(ends)


@pytest.mark.parametrize("price", [0.05, 0.3, 1.0])
@pytest.mark.parametrize(
    "ends", [evenly(42.0, 78.0), evenly(58.0, 62.0), [*evenly(8.0, 10.0, 160), *evenly(90.0, 120.0, 40)]]
)
def test_no_even_spacing_costs_less(ends: list[float], price: float) -> None:
    learnt = [*schedule(Sample(ends), price=price), max(ends) + price, max(ends) + 30.0]
    for number in range(1, 60):
        step = (max(ends) - min(ends)) / number
        even = [min(ends) + step * turn for turn in range(1, number)]
        assert cost(learnt, ends, price=price) <= 1.05 * cost([*even, max(ends)], ends, price=price)


@given(SECONDS, st.floats(0, 1e6), CHANCES)
def test_no_history_leaves_a_job_alone_for_long(seconds: list[float], age: float, chance: float) -> None:
    pace, known = LookPace(), Sample(seconds)
    assert pace.first(known, chance=chance) <= pace.longest_wait
    wait = pace.next(known, age=age, watched=age, chance=chance)
    assert 0.9 * pace.least <= wait <= max(pace.longest_wait, 1.1 * pace.ceiling, pace.widening * age)


@pytest.mark.parametrize(("usual", "floor"), [(600.0, 1.0), (10.0, 0.5), (1.0, 0.25)])
def test_jobs_that_are_known_to_be_short_are_looked_at_more_often(usual: float, floor: float) -> None:
    assert LookPace().floor_of(Sample([usual] * 9)) == floor
    assert LookPace().floor_of(Sample()) == 1.0
    assert LookPace(floor=2.0, least=2.0).floor_of(Sample([usual] * 9)) == 2.0


def test_without_history_nothing_is_known() -> None:
    nothing = Durations().of(MODEL, "{}")
    assert (len(nothing), nothing.quantile(0.5), nothing.idle_by(0.0, price=1.0)) == (0, None, None)


@given(SECONDS)
def test_the_soonest_is_one_of_the_recorded_and_near_the_least(seconds: list[float]) -> None:
    soonest = Sample(seconds).soonest
    assert soonest in seconds
    assert sum(1 for value in seconds if value < soonest) <= len(seconds) * 0.05


@given(SECONDS, SECONDS)
def test_old_durations_are_forgotten(old: list[float], new: list[float]) -> None:
    sample = Sample(old, keep=len(new))
    for seconds in new:
        sample.add(seconds)
    assert [sample.quantile((n + 0.5) / len(new)) for n in range(len(new))] == sorted(new)


def test_jobs_go_by_their_own_settings_once_enough_of_them_are_known() -> None:
    slow, quick = '{"duration":10}', '{"duration":5}'
    known = Durations([*jobs(*[80.0] * 20, settings=slow), *jobs(*[40.0] * 7, settings=quick)])
    assert known.of(MODEL, slow).usual == known.of(MODEL, quick).usual == 80.0
    known.add(*jobs(40.0, settings=quick))
    assert known.of(MODEL, quick).usual == 40.0
    assert known.of(MODEL, '{"duration":7}').usual == 80.0


def test_a_board_with_settings_without_number_takes_no_memory_without_end() -> None:
    known = Durations(jobs(*[60.0] * 9, settings="{}"))
    for number in range(3000):
        for each in jobs(*[40.0] * 8, settings=f'{{"strength":{number}}}'):
            known.add(each)
    own = [known.of(MODEL, f'{{"strength":{number}}}') is not known.of(MODEL, "?") for number in range(3000)]
    assert 0 < sum(own) < 1000
