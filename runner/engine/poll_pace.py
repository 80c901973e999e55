"""When to look, when to try again, and how long jobs of a model take: policy as data and pure functions.

In: ages, counts, recorded durations, a random number. Out: seconds to wait. Nothing here waits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LookPace:
    """How closely a job is watched: often when its end is likely, and less often the longer it is overdue.

    `floor` and `ceiling` bound the interval in seconds. `widening` is its share of the time since watching began.
    `jitter` is the share by which it varies at random, so that takes submitted together are not looked at together.
    Whatever the history, the first look waits at most `longest_wait`.
    """

    floor: float = 1.0
    ceiling: float = 30.0
    widening: float = 0.15
    jitter: float = 0.1
    longest_wait: float = 900.0

    def first(self, soonest: float | None, *, chance: float) -> float:
        """Return the age in seconds at which a job gets its first look."""
        return self._blurred(min(max(self.floor, soonest or 0.0), self.longest_wait), chance)

    def next(self, watched: float, *, chance: float) -> float:
        """Return seconds until the next look at a job that has been watched for `watched` seconds."""
        return self._blurred(min(self.ceiling, max(self.floor, self.widening * watched)), chance)

    def _blurred(self, seconds: float, chance: float) -> float:
        return seconds * (1.0 + self.jitter * (2.0 * chance - 1.0))


@dataclass(frozen=True, slots=True)
class FetchPace:
    """How long and how often a clip that does not come is tried; all times are seconds.

    An interval is the share `widening` of the time without a byte. It grows from `first` to `widest`, and to `rarest`
    once the link is no longer fresh. If each failure doubled it and half of all downloads failed, one clip in about a
    hundred would wait for minutes. Some hosts show a file only minutes after its job has ended, so a link is `fresh`
    for that long and may still work. The link of an older job is tried for `least`.
    """

    first: float = 1.0
    widening: float = 0.5
    widest: float = 60.0
    rarest: float = 300.0
    fresh: float = 600.0
    least: float = 60.0

    def next(self, *, lasting: float, chance: float) -> float:
        """Return how long to wait after `lasting` seconds of failures; `chance` in [0, 1) takes up to half off."""
        ceiling = self.widest if lasting < self.fresh else self.rarest
        return min(ceiling, max(self.first, self.widening * lasting)) * (1.0 - chance / 2.0)

    def is_spent(self, *, lasting: float, age: float) -> bool:
        """Return whether to stop: failures have gone on for `lasting`, and the job ended `age` ago."""
        return lasting >= (self.least if age >= self.fresh else self.fresh)


class OutageTest:
    """Distinguishes a service that is away from one that answers badly, by the reads in the order they ended.

    It is Page's cumulative sum of the likelihood ratio. Each read is weighed as evidence for "everything fails" (a
    share of 0.97) against "a bad service, but it answers" (0.5). A failure adds ln(0.97 / 0.5) = 0.66, an answer takes
    away ln(0.5 / 0.03) = 2.81, and the sum never falls below 0. Beyond ln(1000) it is an outage: eleven failures in a
    row. A service of which half fails counts as away at most once in a thousand reads (Lorden's bound).

    Source: E. S. Page, "Continuous Inspection Schemes", Biometrika 41, 1954; G. Lorden, Annals of Mathematical
    Statistics 42, 1971.
    """

    BAD, AWAY = 0.5, 0.97
    FAILURE = math.log(AWAY / BAD)
    ANSWER = math.log((1.0 - BAD) / (1.0 - AWAY))
    ENOUGH = math.log(1000.0)
    IN_A_ROW = math.ceil(ENOUGH / FAILURE)
    """How many failures in a row are enough."""

    _TRIALS = 3
    """How many failures are enough right after an outage, since the evidence for it still counts."""

    def __init__(self) -> None:
        self._evidence = 0.0

    def answered(self) -> bool:
        """Weigh a read that was answered; return whether no evidence for an outage is left."""
        self._evidence = max(0.0, self._evidence - self.ANSWER)
        return self._evidence == 0.0

    def failed(self) -> bool:
        """Weigh a read that failed; return whether the reads so far show an outage."""
        # The sum does not grow beyond the limit.
        self._evidence = min(self.ENOUGH, self._evidence + self.FAILURE)
        return self._evidence >= self.ENOUGH

    def half_open(self) -> None:
        """Go on after an outage: a few more failures show it again, and two answers clear the evidence."""
        self._evidence = self.ENOUGH - self._TRIALS * self.FAILURE + 1e-9


class RetryQuota:
    """Retries spend tokens that successes refill, so that errors cannot multiply the requests.

    Source: the retry quota of the AWS SDKs (standard mode): 500 tokens, 14 for a transient retry, one back per success.
    """

    def __init__(self, *, tokens: float = 500.0, price: float = 14.0, refund: float = 1.0) -> None:
        self._most = self._tokens = tokens
        self._price, self._refund = price, refund

    def spend(self) -> bool:
        """Pay for one retry; False means that too few tokens are left."""
        if self._tokens < self._price:
            return False
        self._tokens -= self._price
        return True

    def earn(self) -> None:
        """Take a refund for one success."""
        self._tokens = min(self._most, self._tokens + self._refund)


class Durations:
    """How long jobs of each model took, in seconds; it grows during a run, and forgets the oldest first."""

    def __init__(self, recorded: Mapping[str, Iterable[float]] | None = None, *, keep: int = 400) -> None:
        self._keep = keep
        self._took = {model: deque(seconds, keep) for model, seconds in (recorded or {}).items()}

    def add(self, model: str, seconds: float) -> None:
        """Record one finished job."""
        self._took.setdefault(model, deque(maxlen=self._keep)).append(seconds)

    def quantile(self, model: str, share: float) -> float | None:
        """Return the duration that `share` of the model's jobs stay below, or None without history."""
        ranked = sorted(self._took.get(model, ()))
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None

    def soonest(self, model: str) -> float | None:
        """Return the age at which one job in twenty has ended, or None without history."""
        return self.quantile(model, 0.05)
