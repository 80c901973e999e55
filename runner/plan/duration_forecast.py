"""Forecasts how long a run will take, as a range, from how long earlier jobs took.

In: the jobs to come by model, recorded durations, the cap on jobs. Out: a range of seconds, or None.
It knows no clock and no record.

At the low end all jobs are as quick as the quickest quarter; at the high end all are as slow as the slowest tenth.
Each free place takes the next job in turn. The recorded durations include queues at the provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace

_QUICK, _SLOW = 0.25, 0.9


@dataclass(frozen=True, slots=True)
class Forecast:
    """A range from `low` to `high` seconds; it leaves out `unknown` models, of which no job has ended yet."""

    low: float
    high: float
    unknown: tuple[str, ...] = ()


def forecast(
    jobs: Mapping[str, int], durations: Mapping[str, Sequence[float]], *, at_once: int
) -> Forecast | None:
    """Return how long `jobs` (how many of each model) should take; None if nothing is known of any of them."""
    known = {model: sorted(durations[model]) for model in jobs if durations.get(model)}
    if not known:
        return None
    low, high = (
        _makespan([(_quantile(known[model], q), jobs[model]) for model in known], at_once)
        for q in (_QUICK, _SLOW)
    )
    return Forecast(low, high, tuple(sorted(jobs.keys() - known.keys())))


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _makespan(work: Sequence[tuple[float, int]], at_once: int) -> float:
    """Return when the last job ends if each free place takes the next one."""
    places = [0.0] * at_once
    heapify(places)
    for seconds, count in work:
        for _ in range(count):
            heapreplace(places, places[0] + seconds)
    return max(places)
