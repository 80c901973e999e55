"""Who works on a run, and when it may end, in words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest

from runner.domain.activity import Activity
from runner.domain.records import OrderRecord
from runner.domain.run_pace import Pace
from runner.output.activity_text import activity_line, ago, order_line, pace_line, pause_line, settings_line
from runner.system.canonical_json import JsonValue

NOW = 1_780_000_000.0
"""2026-05-28 20:26:40 UTC."""
HOUR = 3600.0
RUNS = Activity(True, 12644, "cutter", NOW - 1800, is_session=True, last_event=NOW - 3)


def line(activity: Activity) -> str:
    return activity_line(activity, now=NOW, zone=UTC)


def test_who_runs_it_since_when_and_what_happened_last() -> None:
    assert line(RUNS) == "running since 19:56 (process 12644 on cutter), last event 3 s ago"
    yesterday = replace(RUNS, since=NOW - 24 * HOUR)
    assert line(yesterday).startswith("running since 2026-05-27 20:26 (process")


def test_another_command_uses_the_run_and_does_not_run_it() -> None:
    assert line(replace(RUNS, is_session=False)).startswith("in use since 19:56")


def test_a_lock_without_a_readable_note_is_still_held() -> None:
    assert line(Activity(True, is_session=True, last_event=NOW - 90)) == "running, last event 1 min 30 s ago"


def test_after_a_kill_it_is_not_running() -> None:
    gone = Activity(running=False, last_event=NOW - 2 * HOUR - 180)
    assert line(gone) == "not running; last event 18:23:40 (2 h 03 min ago)"
    assert line(Activity(running=False)) == "not running; nothing has happened yet"


def test_what_cannot_be_found_out_is_said() -> None:
    assert line(Activity(running=None, last_event=NOW)).startswith(
        "unknown whether it is running; last event"
    )


def test_a_host_name_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in line(replace(RUNS, host="\x1b[31m"))


PAUSE = OrderRecord(
    "", 1, NOW - 61, NOW - 60, "ann\x1b", {"order": "pause"}, changed=True, says=("it rests",)
)


def test_who_paused_it_and_what_was_ordered_last() -> None:
    assert pause_line(PAUSE, now=NOW, zone=UTC) == "paused since 20:25 by ann\\x1b"
    assert order_line(PAUSE, now=NOW) == "pause by ann\\x1b 1 min 00 s ago: it rests"
    again = replace(PAUSE, changed=False, says=("a", "b"))
    assert order_line(again, now=NOW).endswith(": not changed: a; b")


def test_what_holds_for_a_session_is_shown_as_flags() -> None:
    settings: dict[str, JsonValue] = {"jobs": 8, "max_cost_usd": 40.0, "rates": {"": "10/min", "x/y": "2/s"}}
    assert settings_line(settings, left=12.3) == (
        "settings: -j 8 · --max-cost $40.00, $12.30 left · --rate 10/min · --rate x/y=2/s"
    )
    assert (
        settings_line({"jobs": 4, "model_jobs": {"x/y": 1}}, left=None)
        == "settings: -j 4 · --model-jobs x/y=1"
    )
    assert settings_line({}, left=None) == ""


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-50, "0 s ago"), (59.4, "59 s ago"), (59.6, "1 min 00 s ago"), (200_000, "2 days ago")],
)
def test_ages(seconds: float, said: str) -> None:
    assert ago(NOW - seconds, NOW) == said


@pytest.mark.parametrize(
    ("pace", "said"),
    [
        (Pace(0, 12.0, NOW, NOW), "every job has ended; only clips are still on their way"),
        (Pace(12), "12 left; the rate is not known yet"),
        (Pace(12, 38.04), "12 left, 38 an hour; the finish is not known yet"),
        (Pace(1200, 2345.6, NOW + 100, NOW + 1000), "1,200 left, 2,346 an hour; finish about 20:26–20:45"),
        (
            Pace(12, 1.25, NOW + 7 * HOUR, NOW + 8 * HOUR),
            "12 left, 1.25 an hour; finish about 03:15–04:30",
        ),
        (
            Pace(12, 1.25, NOW + 3 * HOUR, NOW + 4 * HOUR),
            "12 left, 1.25 an hour; finish about 23:15–00:30",
        ),
        (Pace(12, 4, NOW, NOW + 9, NOW + HOUR), "12 left, 4 an hour; finish about 20:26–20:27"),
        (Pace(12, 4, NOW, NOW + 4 * HOUR, NOW + HOUR), "12 left, 4 an hour; submits until 21:26"),
    ],
)
def test_rate_and_finish(pace: Pace, said: str) -> None:
    assert pace_line(pace, now=NOW, zone=UTC) == said
    assert len(said) <= 80
