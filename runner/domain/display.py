"""How values are shown to a person: states, durations, money, sizes, times, counts, and untrusted text.

The text is the same in the terminal, the progress lines and the sheet. Text from a manifest or a server goes through
`visible` first.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path

from runner.domain.money import Spending
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.system.canonical_json import JsonValue
from runner.system.escapes import TEXT_LIMIT as TEXT_LIMIT
from runner.system.escapes import visible as visible
from runner.system.escapes import visible_lines as visible_lines

REASON_LIMIT = 160
PATH_LIMIT = 16_384
"""More characters than any path has, escapes included: a path that was cut is useless."""

HELD_ADVICE = (
    "it may have been charged, so it is not sent again by itself; "
    "look on the provider's site for a job of this model and time, then decide with shotrunner reconcile"
)

_LAST_MOMENT = 253402300799.0

MILESTONES = {
    "sending": "the request was on its way: part of it may have arrived",
    "sent": "the whole request had left; no answer came",
    "answering": "an answer had begun, and did not say that the job was taken or refused",
    "unknown": "not known: the runner died while sending",
}
"""The words for how far a request with an unknown outcome had got."""


def duration(seconds: float | None) -> str:
    """Return how long something took: `0.4 s`, `41 s`, `3 min 05 s`, `2 h 14 min`."""
    if seconds is None or not math.isfinite(seconds):
        return "unknown"
    whole = round(seconds)
    if whole < 60:
        return f"{max(seconds, 0.0):.1f} s" if seconds < 9.95 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def money(usd: float | None) -> str:
    """Return an amount in US dollars, with up to four decimals where cents are too coarse."""
    if usd is None or not math.isfinite(usd):
        return "unknown"
    cents = f"{usd:,.2f}"
    # A clip can cost a fraction of a cent; rounding it to $0.00 would call it free.
    text = cents if math.isclose(round(usd, 2), usd, abs_tol=5e-5) else f"{usd:,.4f}".rstrip("0")
    return f"-${text[1:]}" if text.startswith("-") else f"${text}"


def spent_words(spending: Spending, *, simulated: bool) -> str:
    """Return what a run has cost and should have cost; empty if nothing was submitted."""
    if not spending.charges:
        return ""
    said = f"spent {money(spending.billed)}{', simulated,' if simulated else ''}"
    # An estimate of some jobs beside the cost of all would make the run look too expensive.
    if spending.estimated and all(charge.estimate is not None for charge in spending.charges):
        said += f" of an estimated {money(spending.estimated)}"
    if spending.without_cost:
        said += f"; {counted(spending.without_cost, 'job')} without a known cost"
    return said.rstrip(",")


def earlier_words(before: Spending) -> str:
    """Return what a take has cost before its latest attempt, with estimates where the cost is not known."""
    attempts = counted(len(before.charges), "earlier attempt")
    if not before.without_cost:
        return f"{money(before.billed)} for {attempts}"
    if before.unpriced:
        return f"{attempts} of unknown cost"
    return f"about {money(before.committed)} for {attempts}"


def size(count: int | None) -> str:
    """Return a number of bytes in decimal units: `312 B`, `31 kB`, `1.2 MB`."""
    if count is None:
        return "unknown"
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def when(unix: float | None) -> str:
    """Return unix seconds as `2026-07-03 21:04:11 UTC`."""
    return "unknown" if unix is None else f"{_utc(unix).isoformat(' ', 'seconds')[:19]} UTC"


def iso(unix: float | None) -> str:
    """Return unix seconds as ISO 8601 in UTC, to the second; empty for None."""
    return "" if unix is None else f"{_utc(unix).isoformat(timespec='seconds')[:19]}Z"


def iso_milliseconds(unix: float) -> str:
    """Return unix seconds as ISO 8601 in UTC, to the millisecond."""
    return f"{_utc(unix).isoformat(timespec='milliseconds')[:23]}Z"


def window(start: float | None, end: float | None, zone: tzinfo | None = None) -> str:
    """Return two moments as `2026-07-03 21:04:11 to 21:04:13 (UTC+02:00)`, in `zone` or the machine's own."""
    if start is None:
        return "unknown"
    began = local_time(start, zone)
    offset = f"{began:%z}"
    shown, place = f"{began:%Y-%m-%d %H:%M:%S}", f"(UTC{offset[:3]}:{offset[3:5]})"
    if end is None:
        return f"{shown} or later {place}"
    ended = local_time(end, zone)
    until = f"{ended:%H:%M:%S}" if ended.date() == began.date() else f"{ended:%Y-%m-%d %H:%M:%S}"
    return f"{shown} to {until} {place}"


def local_time(unix: float, zone: tzinfo | None = None) -> datetime:
    """Return unix seconds as a time in `zone` or the machine's own; no absurd time is an error."""
    # A zone may be up to a day ahead, and no year follows 9999.
    return _utc(min(unix, _LAST_MOMENT - 86400)).astimezone(zone)


def _utc(unix: float) -> datetime:
    # The time is clamped to the years 1970…9999, since a record with an absurd time must still be shown.
    return datetime.fromtimestamp(min(max(unix, 0.0), _LAST_MOMENT), UTC)


_STANDINGS = (
    "delivered succeeded fetching undeliverable running queued submitting pending"
    " held failed cancelled dropped"
)
STANDINGS = tuple(_STANDINGS.split())
"""Every word `standing` returns, in the order in which they are listed to a person."""


def standing(state: TakeState, delivery: DeliveryState = DeliveryState.NONE) -> str:
    """Return one word for the state of a take; for a succeeded take it is the state of its clip."""
    has_begun = state is TakeState.SUCCEEDED and delivery is not DeliveryState.NONE
    return delivery.value if has_begun else state.value


def trouble(failure: FailureClass | None, reason: str, limit: int = TEXT_LIMIT) -> str:
    """Return a failure's class and reason as one safe phrase; empty if there is neither."""
    return ": ".join(part for part in (failure.value if failure else "", visible(reason, limit)) if part)


def value(given: JsonValue, limit: int = TEXT_LIMIT) -> str:
    """Return an input's value as a person would write it: text without quotes, everything else as JSON."""
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return visible(text, limit)


def sweep(point: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return the swept values of a take, one `axis=value` each."""
    return tuple(f"{visible(axis, 80)}={value(given, 80)}" for axis, given in point.items())


def with_label(name: str, label: str) -> str:
    """Return a take's id, or the name of its clip, with its label behind it where that says anything more."""
    is_said = label in {"", name, f"{name}_t01"}
    return visible(name) if is_said else f"{visible(name)}  {visible(label)}"


def short_path(path: Path) -> str:
    """Return a path as it is shortest: as given, or as seen from the current folder."""
    try:
        return min((str(path), os.path.relpath(path)), key=len)
    except OSError:
        # The current folder may be gone by the end of a night.
        return str(path)


def counted(number: int, noun: str) -> str:
    """Return `1 take`, `2 takes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def tally(counts: Mapping[str, int], order: Iterable[str] = STANDINGS) -> str:
    """Return counts by word as `4 delivered · 1 held`, in `order`, without the zeros."""
    return " · ".join(f"{counts[word]:,} {word}" for word in order if counts.get(word))


def listed(names: Sequence[str], *, most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(visible(name) for name in names[:most]) + more


def apart(old: str, new: str, limit: int) -> tuple[str, str]:
    """Return at most about `limit` characters of each of two texts, from shortly before they differ."""
    if max(len(old), len(new)) <= limit:
        return old, new
    pairs = enumerate(zip(old, new, strict=False))
    same = next((at for at, (one, other) in pairs if one != other), min(len(old), len(new)))
    start = max(0, same - limit // 4)
    old, new = (
        ("…" if start else "") + text[start : start + limit] + ("…" if start + limit < len(text) else "")
        for text in (old, new)
    )
    return old, new
