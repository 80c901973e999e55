"""How fast a run goes, and when it will have sent and seen all that waits: a range, computed from its record.

In: jobs with their times, and how many takes of each model wait. Out: a rate and two moments. It knows no clock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, pvariance

from runner.domain.records import JobSpan

RECENT_S = 3600.0
"""The part of a session, in seconds up to now, by which its pace is judged; of a slow one it is the whole."""

_FEWEST = 3
_SILENCE_S = 300.0
_SIGMAS = 1.64


@dataclass(frozen=True, slots=True)
class Pace:
    """How a session goes: ended takes an hour, and when it may end (unix seconds); None is not known yet.

    `left` counts the takes that have not ended. `submits_until` is when its time to submit is over, None without such
    a limit.
    """

    left: int
    per_hour: float | None = None
    earliest: float | None = None
    latest: float | None = None
    submits_until: float | None = None


@dataclass(frozen=True, slots=True)
class _Duration:
    """How long the jobs of a model take, in seconds: the mean, the variance, and the number of jobs it is from."""

    mean: float
    variance: float
    count: int


def pace_of(
    spans: Sequence[JobSpan],
    waiting: Mapping[str, int],
    *,
    began_at: float,
    now: float,
    submits_until: float | None = None,
) -> Pace:
    """Return the pace of a session that began at `began_at`, if all of `waiting` is sent at the recent pace.

    The range holds nine tenths of the cases if jobs of a model vary as they did. Without enough ended jobs, or if one
    of the models has none, the end is not known.
    """
    start, ended = _recent(spans, began_at=began_at, now=now)
    out = [span for span in spans if span.ended_at is None]
    left = Counter(waiting) + Counter(span.model for span in out)
    pace = Pace(left.total(), submits_until=submits_until)
    if len(ended) < _FEWEST or now <= start:
        return pace
    per_hour = len(ended) * 3600 / (now - start)
    durations = _durations(ended)
    finish = _finish(durations, out, left, jobs=_jobs_at_once(spans, start, now), now=now)
    return Pace(pace.left, per_hour, *finish, submits_until)


def _recent(spans: Sequence[JobSpan], *, began_at: float, now: float) -> tuple[float, list[JobSpan]]:
    """Return the beginning of the part of a session that counts, and the jobs that ended in it."""
    for start in (max(began_at, now - RECENT_S), began_at):
        ended = [span for span in spans if span.ended_at is not None and span.ended_at > start]
        if len(ended) >= _FEWEST:
            break
    # After a pause, such as a closed laptop or an outage, older jobs seem to have taken as long as it lasted.
    if (pause_ended_at := _last_pause(ended)) is not None:
        start, ended = pause_ended_at, [span for span in ended if span.submitted_at >= pause_ended_at]
    # Of a very fast session the older jobs are not known, and its preparation is not a part of its pace.
    return max(start, min((span.submitted_at for span in ended), default=start)), ended


def _last_pause(ended: Sequence[JobSpan]) -> float | None:
    """Return when the last long time without a result was over, None if there was none."""
    ends = sorted(span.ended_at for span in ended if span.ended_at is not None)
    usual = median(_seconds(span) for span in ended) if ended else 0.0
    long = max(_SILENCE_S, 3 * usual)
    return next((later for at, later in reversed([*pairwise(ends)]) if later - at > long), None)


def _seconds(span: JobSpan) -> float:
    return max(0.0, (span.ended_at or span.submitted_at) - span.submitted_at)


def _durations(ended: Sequence[JobSpan]) -> Mapping[str, _Duration]:
    seconds = defaultdict[str, list[float]](list)
    for span in ended:
        seconds[span.model].append(_seconds(span))
    return {model: _Duration(fmean(each), pvariance(each), len(each)) for model, each in seconds.items()}


def _jobs_at_once(spans: Sequence[JobSpan], start: float, now: float) -> float:
    """Return how many jobs were at the API on average; a short outage counts as part of the pace."""
    busy = sum(max(0.0, (span.ended_at or now) - max(start, span.submitted_at)) for span in spans)
    return max(busy / (now - start), 0.1)


def _finish(
    durations: Mapping[str, _Duration],
    out: Sequence[JobSpan],
    left: Mapping[str, int],
    *,
    jobs: float,
    now: float,
) -> tuple[float | None, float | None]:
    """Return the earliest and the latest end of a list of jobs.

    However the jobs are spread, they end at most one job later than their sum divided by the jobs at once (Graham,
    1969).
    """
    if not left:
        return now, now
    if not durations.keys() >= left.keys():
        return None, None
    done = sum(min(now - span.submitted_at, durations[span.model].mean) for span in out)
    work = sum(count * durations[model].mean for model, count in left.items()) - done
    # The mean of the past is uncertain, and so is each job to come.
    spread = math.sqrt(
        sum(
            count * durations[model].variance * (1 + count / durations[model].count)
            for model, count in left.items()
        )
    )
    longest = max(durations[model].mean for model in left)
    reach = _SIGMAS * spread
    return now + max(0.0, work - reach) / jobs, now + (work + reach) / jobs + longest
