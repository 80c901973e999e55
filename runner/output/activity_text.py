"""Who works on a run, how fast it goes, and when it may end, in words with the local time of this machine.

It knows no terminal, no clock and no state file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from runner.domain import display
from runner.domain.activity import Activity
from runner.domain.records import OrderRecord
from runner.domain.run_pace import Pace, finish_words
from runner.system.canonical_json import JsonValue

_MINUTE, _DAY = 60, 86400


def activity_line(activity: Activity, *, now: float, zone: tzinfo | None = None) -> str:
    """Return who works on a run and when something last happened; `zone` is this machine's own unless given."""
    if not activity.running:
        said = "not running" if activity.running is False else "unknown whether it is running"
        if activity.last_event is None:
            return f"{said}; nothing has happened yet"
        last = moment(activity.last_event, now=now, zone=zone, seconds=True)
        return f"{said}; last event {last} ({ago(activity.last_event, now)})"
    said = "running" if activity.is_session else "in use"
    if activity.since is not None:
        said += f" since {moment(activity.since, now=now, zone=zone)}"
    if activity.pid is not None:
        said += f" (process {activity.pid} on {display.visible(activity.host, 40)})"
    return said if activity.last_event is None else f"{said}, last event {ago(activity.last_event, now)}"


def pause_line(pause: OrderRecord, *, now: float, zone: tzinfo | None = None) -> str:
    """Return since when, and by whom, a run is paused."""
    return f"paused since {moment(pause.obeyed_at, now=now, zone=zone)} by {display.visible(pause.by, 40)}"


def order_line(order: OrderRecord, *, now: float) -> str:
    """Return the latest order to a session, and what became of it."""
    verb = display.visible(str(order.wish.get("order")), 20)
    said = "; ".join(display.visible(text, display.REASON_LIMIT) for text in order.says)
    done = "" if order.changed else "not changed: "
    return f"{verb} by {display.visible(order.by, 40)} {ago(order.obeyed_at, now)}: {done}{said}"


def settings_line(settings: Mapping[str, JsonValue], *, left: float | None) -> str:
    """Return the numbers that hold for a session, as flags, and what is `left` of its limit on cost in US dollars."""
    parts = [f"-j {settings['jobs']}"] if "jobs" in settings else []
    if left is not None:
        limit = settings["max_cost_usd"]
        assert isinstance(limit, int | float)
        parts.append(f"--max-cost {display.money(limit)}, {display.money(left)} left")
    for name, flag in (("rates", "--rate"), ("model_jobs", "--model-jobs")):
        by_model = settings.get(name)
        for model, value in by_model.items() if isinstance(by_model, dict) else ():
            parts.append(f"{flag} {display.visible(f'{model}={value}' if model else str(value), 80)}")
    return f"settings: {' · '.join(parts)}" if parts else ""


def pace_line(pace: Pace, *, now: float, zone: tzinfo | None = None) -> str:
    """Return how fast a session goes and when it may end."""
    if not pace.left:
        return "every job has ended; only clips are still on their way"
    left = f"{pace.left:,} left"
    if pace.per_hour is None:
        return f"{left}; the rate is not known yet"
    rate = (
        f"{left}, {pace.per_hour:,.3g} an hour"
        if pace.per_hour < 100
        else f"{left}, {pace.per_hour:,.0f} an hour"
    )
    until = pace.submits_until
    if until is not None and (pace.latest is None or until < pace.latest):
        return f"{rate}; submits until {moment(until, now=now, zone=zone)}"
    finish = finish_words(pace, now=now, zone=zone)
    return f"{rate}; finish {finish}" if finish else f"{rate}; the finish is not known yet"


def moment(unix: float, *, now: float, zone: tzinfo | None = None, seconds: bool = False) -> str:
    """Return a local time such as `20:56`, with the date if that is not today's."""
    then, today = (display.local_time(at, zone) for at in (unix, now))
    shown = f"{then:%H:%M:%S}" if seconds else f"{then:%H:%M}"
    return shown if then.date() == today.date() else f"{then:%Y-%m-%d} {shown}"


def ago(unix: float, now: float) -> str:
    """Return how long ago something was: `3 s ago`, `2 h 03 min ago`, `5 days ago`."""
    # A clock that was set back must not give a negative time.
    passed = max(0.0, now - unix)
    if passed >= 2 * _DAY:
        return f"{passed // _DAY:,.0f} days ago"
    return f"{round(passed)} s ago" if passed < _MINUTE - 0.5 else f"{display.duration(passed)} ago"
