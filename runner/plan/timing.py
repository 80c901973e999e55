"""Until when a run may submit, and how long it will probably take.

In: limits and sessions on record, or jobs to come and recorded durations. Out: a `Window` with its deadline, or a
`Forecast`. It knows no clock. Setting the clock back during a run lengthens nothing (`domain.limits`). Between a kill
and the next start only the wall clock runs. If it is set back there, no record shows it, and the window is longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapreplace
from math import ceil
from types import MappingProxyType

from runner.domain.limits import Limits
from runner.domain.orders import ALL_MODELS
from runner.domain.rates import Rate
from runner.domain.records import SessionRecord
from runner.domain.run_ending import EndingKind

_CLOSING = frozenset({EndingKind.FINISHED, EndingKind.LIMIT})
_QUICK, _SLOW = 0.25, 0.9
_UNLIMITED: Mapping[str, int] = MappingProxyType({})
_UNPACED: Mapping[str, Rate] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Window:
    """The time in which a run may submit: `seconds` from wall time `began_at`, or without end if that is None."""

    began_at: float
    seconds: float | None

    @property
    def deadline(self) -> float | None:
        """The wall time at which submitting stops."""
        return None if self.seconds is None else self.began_at + self.seconds


def window(limits: Limits, sessions: Sequence[SessionRecord], *, now: float) -> Window:
    """Return the window of a run begun `now`: that of an unfinished session with the same limit, or a new one.

    A killed or interrupted run continues its window; one that reached its limit or was complete does not. A window that
    began in the future was set by a wrong clock, and is not continued either.
    """
    for session in reversed(sessions):
        if session.ending in _CLOSING:
            break
        if session.limit_s is not None:
            began = session.window_began_at
            if began is not None and began <= now and limits.seconds_from(began) == session.limit_s:
                return Window(began, session.limit_s)
            break
    return Window(now, limits.seconds_from(now))


@dataclass(frozen=True, slots=True)
class Forecast:
    """A range from `low` to `high` seconds; it leaves out `unknown` models, of which no job has ended yet."""

    low: float
    high: float
    unknown: tuple[str, ...] = ()


def forecast(
    jobs: Mapping[str, int],
    durations: Mapping[str, Sequence[float]],
    *,
    at_once: int,
    model_jobs: Mapping[str, int] = _UNLIMITED,
    rates: Mapping[str, Rate] = _UNPACED,
) -> Forecast | None:
    """Return how long `jobs` (how many of each model) should take; None if nothing is known of any of them.

    At the low end all jobs are as quick as the quickest quarter, at the high end as slow as the slowest tenth. Each
    free place takes the next job in turn. The recorded durations include queues at the provider. A cap or a rate of a
    model may make it longer.
    """
    known = {model: sorted(durations[model]) for model in jobs if durations.get(model)}
    if not known:
        return None
    ends = []
    for share in (_QUICK, _SLOW):
        places, bounds = [0.0] * at_once, list[float]()
        for model, ordered in known.items():
            seconds = ordered[min(len(ordered) - 1, int(share * len(ordered)))]
            for _ in range(jobs[model]):
                heapreplace(places, places[0] + seconds)
            places_of_it = min(at_once, model_jobs.get(model, at_once))
            bounds.append(ceil(jobs[model] / places_of_it) * seconds)
            bounds += [
                (many - 1) * rates[key].spacing + seconds
                for key, many in ((model, jobs[model]), (ALL_MODELS, sum(jobs.values())))
                if key in rates
            ]
        ends.append(max(*places, *bounds))
    return Forecast(ends[0], ends[1], tuple(sorted(jobs.keys() - known.keys())))
