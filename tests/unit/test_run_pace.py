"""The rate of a session, and when it may end."""

from __future__ import annotations

import random
from datetime import UTC, timedelta, timezone

import pytest

from runner.domain.records import JobSpan
from runner.domain.run_events import FactRecorded
from runner.domain.run_pace import RECENT_S, Pace, SeenJobs, finish_words, pace_of
from runner.domain.states import Accepted, Ended, Fact, FailureClass, TakeState, Vanished

NOW = 1_780_000_000.0
NOON = 1_780_056_000.0


def worked(jobs: int, *, seconds: float, ended: int, model: str = "m") -> list[JobSpan]:
    """Return a session that kept `jobs` slots filled until now: what ended in its last hour, and what is out."""
    spans = []
    for slot in range(jobs):
        lag = seconds * slot / jobs
        spans.append(JobSpan(model, NOW - lag))
        spans += [
            JobSpan(model, NOW - lag - (k + 1) * seconds, NOW - lag - k * seconds)
            for k in range(ended // jobs)
        ]
    return spans


def test_a_steady_session_ends_when_its_slots_have_done_what_is_left() -> None:
    """Four slots of a minute each do 240 takes an hour; 240 more take an hour, and at most one job longer."""
    pace = pace_of(worked(4, seconds=60, ended=400), {"m": 236}, began_at=NOW - 9000, now=NOW)
    assert pace.left == 240
    assert pace.per_hour is not None
    assert abs(pace.per_hour - 240) < 5
    assert pace.earliest is not None
    assert pace.latest is not None
    assert NOW + 3400 < pace.earliest < NOW + 3600 < pace.latest < NOW + 3760


def test_nine_of_ten_uneven_nights_end_within_the_range() -> None:
    """The range is neither a point nor useless."""
    chance = random.Random(5)
    hits, widths = 0, []
    for _ in range(60):
        slots = [NOW - 3000.0] * 6
        spans: list[JobSpan] = []
        while min(slots) < NOW:
            start = min(slots)
            took = chance.uniform(60, 600)
            spans.append(JobSpan("m", start, start + took if start + took <= NOW else None))
            slots[slots.index(start)] = start + took
        pace = pace_of(spans, {"m": 100}, began_at=NOW - 3000, now=NOW)
        for _ in range(100):
            start = min(slots)
            slots[slots.index(start)] = start + chance.uniform(60, 600)
        assert pace.earliest is not None
        assert pace.latest is not None
        hits += pace.earliest <= max(slots) <= pace.latest
        widths.append(pace.latest - pace.earliest)
    assert hits >= 50
    assert max(widths) < 4000


def test_a_pause_is_no_part_of_the_pace() -> None:
    """A laptop was closed for half an hour, 20 minutes ago."""
    steady = worked(4, seconds=60, ended=80)
    shift = 1800.0
    before = [
        JobSpan("m", span.submitted_at - shift - 1200, (span.ended_at or NOW) - shift - 1200)
        for span in worked(4, seconds=60, ended=80)
    ]
    through = [JobSpan("m", NOW - shift - 1230, NOW - 1200)] * 4
    pace = pace_of(before + through + steady, {"m": 236}, began_at=NOW - 9000, now=NOW)
    assert pace.per_hour is not None
    assert abs(pace.per_hour - 240) < 15
    assert pace.latest is not None
    assert pace.latest < NOW + 4000


def test_what_is_not_known_is_none() -> None:
    """Two ended jobs are too few, and a model that has none has no duration."""
    few = [JobSpan("m", NOW - 90, NOW - 30)] * 2
    assert pace_of(few, {"m": 5}, began_at=NOW - 100, now=NOW) == Pace(5)
    other = pace_of(few * 2, {"m": 5, "n": 1}, began_at=NOW - 100, now=NOW)
    assert other.per_hour is not None
    assert other.latest is None


def test_jobs_of_an_earlier_session_say_nothing_and_those_of_an_earlier_hour_little() -> None:
    """They count only while the last hour has too few."""
    old = [JobSpan("m", NOW - 3 * RECENT_S, NOW - RECENT_S - 1)] * 9
    assert pace_of(old, {"m": 5}, began_at=NOW - 3 * RECENT_S, now=NOW).per_hour == 3
    new = [JobSpan("m", NOW - 60, NOW - 30)] * 4
    assert pace_of(old + new, {"m": 5}, began_at=NOW - 3 * RECENT_S, now=NOW).per_hour == 240
    assert pace_of(worked(4, seconds=60, ended=40), {"m": 5}, began_at=NOW, now=NOW).per_hour is None


def test_of_a_clock_that_was_set_back_nothing_is_claimed() -> None:
    ahead = [JobSpan("m", NOW + 500, NOW + 400)] * 4 + [JobSpan("m", NOW + 600)]
    assert pace_of(ahead, {"m": 5}, began_at=NOW - 60, now=NOW) == Pace(6)


def seen(*facts: tuple[float, str, Fact]) -> SeenJobs:
    jobs = SeenJobs(began_at=NOW - 600)
    for at, take, fact in facts:
        jobs.follow(FactRecorded(take, fact, at))
    return jobs


def test_the_facts_of_a_session_lead_to_the_pace_of_its_record() -> None:
    """The bar and `status` say the same of the same jobs."""
    spans = worked(4, seconds=60, ended=40)
    facts = [(span.submitted_at, f"t{at}", Accepted("a", "r")) for at, span in enumerate(spans)]
    ends = [
        (span.ended_at, f"t{at}", Ended(TakeState.SUCCEEDED, "{}"))
        for at, span in enumerate(spans)
        if span.ended_at is not None
    ]
    found = seen(*facts, *ends).pace(240, now=NOW)
    assert found == pace_of(spans, {"m": 236}, began_at=NOW - 600, now=NOW)
    assert found.latest is not None


def test_a_job_of_an_earlier_session_took_as_long_as_the_api_says() -> None:
    facts = [
        (NOW - 60 * number, f"t{number}", Ended(TakeState.FAILED, "{}", seconds=60.0)) for number in range(6)
    ]
    known = seen(*facts).pace(60, now=NOW)
    assert known.latest is not None
    assert known.latest == pytest.approx(NOW + 3660, abs=60)
    gone = [(at, take, Vanished(FailureClass.NO_OUTPUT, "gone")) for at, take, _ in facts]
    assert seen(*gone).pace(60, now=NOW) == Pace(60)


@pytest.mark.parametrize(
    ("left", "said"),
    [
        ((25.0, 40.0), "about 12:00–12:01"),
        ((1000.0, 1060.0), "about 12:16–12:18"),
        ((1020.0, 1020.0), "about 12:17"),
        ((30.0, 1000.0), "about 12:00–12:20"),
        ((24_000.0, 25_740.0), "about 18:40–19:10"),
        ((60_000.0, 90_000.0), "about 04:30–Sat 13:00"),
        ((0.0, 1e12), "about 12:00–Thu 23:59"),
    ],
)
def test_the_finish_is_a_range_of_clock_times(left: tuple[float, float], said: str) -> None:
    pace = Pace(1, 1.0, NOON + left[0], NOON + left[1])
    assert finish_words(pace, now=NOON, zone=UTC) == said


def test_the_times_are_those_of_the_zone() -> None:
    pace = Pace(1, 1.0, NOON + 1000, NOON + 1060)
    assert finish_words(pace, now=NOON, zone=timezone(timedelta(hours=5.5))) == "about 17:46–17:48"


def test_a_finish_that_is_not_known_has_no_words() -> None:
    assert finish_words(Pace(5), now=NOON) == ""
