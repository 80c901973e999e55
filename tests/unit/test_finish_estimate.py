"""When a run will be over: from the rate of late, whatever pauses there were."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from runner.output.finish_estimate import FinishEstimate, finish_words

NOON = 1_780_056_000.0


def estimate_after(ends: int, *, every: float, jobs: int = 4, pause_s: float = 0.0) -> FinishEstimate:
    """Return what is known after so many ends, with a tick each second and one pause in the middle."""
    found = FinishEstimate(jobs=jobs, now=0.0)
    found.observe(0.0, ended=0)
    for second in range(1, int(ends * every) + 1):
        late = pause_s if second > ends * every / 2 else 0.0
        found.observe(second + late, ended=int(second / every))
    return found


def test_the_range_holds_the_time_that_the_rate_needs() -> None:
    low, high = estimate_after(40, every=30.0).seconds_left(100) or (0.0, 0.0)
    assert low < 100 * 30.0 < high < 1.3 * low * 1.3


def test_the_time_in_which_the_process_was_stopped_is_no_work() -> None:
    """SIGSTOP and a laptop that sleeps end the ticks; such an hour does not make the rest look longer."""
    steady = estimate_after(40, every=30.0).seconds_left(100)
    paused = estimate_after(40, every=30.0, pause_s=3600.0).seconds_left(100)
    assert steady is not None
    assert paused == pytest.approx(steady, rel=0.02)


def test_a_slow_beginning_is_forgotten() -> None:
    found = estimate_after(20, every=300.0)
    for number in range(60):
        found.observe(6000.0 + 10 * number, ended=20 + number)
    _, high = found.seconds_left(100) or (0.0, 0.0)
    assert high < 100 * 10 * 1.3


@pytest.mark.parametrize(("ends", "jobs"), [(2, 1), (7, 8)])
def test_nothing_is_said_before_a_round_of_jobs_has_ended(ends: int, jobs: int) -> None:
    assert estimate_after(ends, every=30.0, jobs=jobs).seconds_left(100) is None


def test_nothing_is_said_when_nothing_is_left() -> None:
    assert estimate_after(40, every=30.0).seconds_left(0) is None


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ((25.0, 40.0), "about 12:00–12:01"),
        ((1000.0, 1060.0), "about 12:17–12:18"),
        ((1001.0, 1019.0), "about 12:17"),
        ((24_000.0, 25_740.0), "about 18:40–19:10"),
        ((60_000.0, 90_000.0), "about 04:30–Sat 13:00"),
    ],
)
def test_the_finish_is_a_range_of_clock_times(left: tuple[float, float], said: str) -> None:
    assert finish_words(NOON, left, UTC) == said


def test_the_times_are_those_of_the_zone() -> None:
    assert finish_words(NOON, (1000.0, 1060.0), timezone(timedelta(hours=5.5))) == "about 17:47–17:48"
