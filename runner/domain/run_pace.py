"""How fast a run goes, and when it will have sent and seen all that waits: a range, computed from its jobs.

In: jobs with their times, from the record or from the facts of a session, and how many takes wait. Out: a rate and two
moments, as values and in words. It knows no clock.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from itertools import pairwise
from statistics import fmean, median, pvariance

from runner.domain.display import local_time
from runner.domain.records import JobSpan
from runner.domain.run_events import FactRecorded
from runner.domain.states import Accepted, Ended, Vanished

RECENT_S = 3600.0
"""The part of a session, in seconds up to now, by which its pace is judged; of a slow one it is the whole."""

_FEWEST = 3
_SILENCE_S = 300.0
_SIGMAS = 1.64
_KEPT = 2000
_WEEKDAY_AFTER = timedelta(hours=20)


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


class SeenJobs:
    """The jobs of a session as its facts show them: those that are out, and the last 2,000 that ended.

    A fact names no model, so all count as jobs of one.
    """

    def __init__(self, *, began_at: float) -> None:
        self._began_at = began_at
        self._out: dict[str, float] = {}
        self._ended: deque[JobSpan] = deque(maxlen=_KEPT)

    def follow(self, event: FactRecorded) -> None:
        """Note when a job was taken, or that it has ended."""
        match event.fact:
            case Accepted():
                self._out[event.take_id] = event.at
            case Ended() | Vanished() as fact:
                submitted_at = self._out.pop(event.take_id, None)
                if submitted_at is None and isinstance(fact, Ended) and fact.seconds is not None:
                    # An earlier session sent it.
                    submitted_at = event.at - fact.seconds
                if submitted_at is not None:
                    self._ended.append(JobSpan("", submitted_at, event.at))

    def pace(self, left: int, *, now: float) -> Pace:
        """Return the pace of the session if `left` takes have not ended."""
        spans = [*self._ended, *(JobSpan("", at) for at in self._out.values())]
        waiting = {"": max(0, left - len(self._out))}
        return pace_of(spans, waiting, began_at=self._began_at, now=now)


def finish_words(pace: Pace, *, now: float, zone: tzinfo | None = None) -> str:
    """Return when a session may end as `about 06:40–07:10`, in `zone` or the machine's own; empty if it is not known.

    The wider the range, the rounder the times, away from each other. A weekday is named where the time of day would
    not be enough.
    """
    if pace.earliest is None or pace.latest is None:
        return ""
    minutes = (pace.latest - pace.earliest) / 60
    step = next((size for size, below in ((1, 10), (5, 60), (15, 240)) if minutes < below), 30) * 60
    moments = max(now, math.floor(pace.earliest / step) * step), math.ceil(pace.latest / step) * step
    start, ends = local_time(now, zone), [local_time(at, zone) for at in moments]
    said = [f"{end:%a %H:%M}" if end - start > _WEEKDAY_AFTER else f"{end:%H:%M}" for end in ends]
    return f"about {'–'.join(dict.fromkeys(said))}"


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
