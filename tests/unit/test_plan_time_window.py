"""The time a run is given goes on after a kill, and begins anew after an end."""

from __future__ import annotations

from datetime import datetime, time

import pytest

from runner.domain.limits import Limits
from runner.domain.records import SessionRecord
from runner.domain.run_ending import EndingKind
from runner.plan.timing import Window, window

NOW = 1_800_000_000.0
SIX_HOURS = Limits(lasts=21600.0)


def session(
    epoch: int,
    *,
    ago: float,
    ending: str | None = None,
    limit: float | None = 21600.0,
    began: float | None = None,
) -> SessionRecord:
    """Return a session that began `ago` seconds before now, in a window that began `began` seconds before now."""
    opened = None if limit is None else NOW - (ago if began is None else began)
    return SessionRecord(epoch, NOW - ago, "0.1", limit, opened, None if ending is None else NOW, ending)


def test_the_first_session_opens_a_window() -> None:
    assert window(SIX_HOURS, [], now=NOW) == Window(NOW, 21600.0)
    assert window(Limits(), [], now=NOW).deadline is None


UNFINISHED = [None, *sorted(set(EndingKind) - {EndingKind.FINISHED, EndingKind.LIMIT})]


@pytest.mark.parametrize("ending", UNFINISHED, ids=str)
def test_a_window_goes_on_where_its_runner_did_not_come_to_its_end(ending: str | None) -> None:
    """Killed, interrupted, out of reach or halted: the time that went by counts, asleep or dead."""
    again = window(SIX_HOURS, [session(1, ago=7200, ending=ending)], now=NOW)
    assert again == Window(NOW - 7200, 21600.0)
    assert again.deadline == NOW + 14400


@pytest.mark.parametrize("ending", [EndingKind.FINISHED, EndingKind.LIMIT])
def test_an_end_opens_a_new_window_next_time(ending: EndingKind) -> None:
    assert window(SIX_HOURS, [session(1, ago=7200, ending=ending)], now=NOW).began_at == NOW


def test_it_counts_from_the_first_session_over_any_number_of_kills() -> None:
    killed = [session(n, ago=7200 - n * 60, began=7200) for n in range(1, 9)]
    assert window(SIX_HOURS, killed, now=NOW).began_at == NOW - 7200


def test_a_session_without_a_limit_between_does_not_close_it_unless_it_finished() -> None:
    first, killed = session(1, ago=7200), session(2, ago=60, limit=None)
    done = session(2, ago=60, limit=None, ending=EndingKind.FINISHED)
    assert window(SIX_HOURS, [first, killed], now=NOW).began_at == NOW - 7200
    assert window(SIX_HOURS, [first, done], now=NOW).began_at == NOW


def test_another_time_is_another_window() -> None:
    assert window(Limits(lasts=60.0), [session(1, ago=7200)], now=NOW) == Window(NOW, 60.0)
    assert window(Limits(), [session(1, ago=7200)], now=NOW).seconds is None


def test_a_window_from_the_future_is_not_believed() -> None:
    """The clock was put right since."""
    assert window(SIX_HOURS, [session(1, ago=-3600)], now=NOW).began_at == NOW


def test_a_time_of_day_is_that_of_the_night_it_was_said_in() -> None:
    """Begun at 23:00 until 07:00, killed and started again at 07:05: the time is up, and no day begins by itself."""
    late = datetime(2026, 11, 20, 23).timestamp()  # noqa: DTZ001 - local on purpose
    until = Limits(until=time(7))
    first = window(until, [], now=late)
    assert first.deadline == late + 8 * 3600
    killed = SessionRecord(1, late, "0.1", first.seconds, late)
    again = window(until, [killed], now=late + 8 * 3600 + 300)
    assert again == first
