"""When to look, when to try again, and how long jobs take: policy as data and pure functions.

In: ages, counts, recorded durations, a random number. Out: seconds to wait. Nothing here waits.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from runner.domain.records import PastJob

ENOUGH = 8
"""How many durations shorten an interval: after a sleep of the machine a few jobs seem to have been short."""


@dataclass(frozen=True, slots=True)
class LookPace:
    """How closely a job is watched: often when its end is likely, and less often the longer it is overdue.

    Where durations are known, the next look is due when the expected idle time of the job's slot since the last look
    reaches the price of a look. The price is the share `price` of the usual duration. This is the schedule that costs
    least in idle time and looks together: spacings of about sqrt(2 * price / hazard).

    Where nothing is known, the interval is the share `widening` of the time since watching began. `floor` and `ceiling`
    bound it in seconds. Where jobs are known to be short, the floor falls to the share `closeness` of their usual
    duration, but not below `least`. `jitter` is the share by which an interval varies at random, so that takes
    submitted together are not looked at together. The first look waits at most `longest_wait`.

    Source: R. E. Barlow, L. C. Hunter, F. Proschan, "Optimum checking procedures", J. SIAM 11, 1963; J. B. Keller,
    "Optimum checking schedules for systems subject to random failure", Management Science 21, 1974.
    """

    floor: float = 1.0
    least: float = 0.25
    ceiling: float = 30.0
    widening: float = 0.15
    jitter: float = 0.1
    longest_wait: float = 900.0
    price: float = 0.0075
    closeness: float = 0.05

    def first(self, known: Sample, *, chance: float) -> float:
        """Return the age in seconds at which a job gets its first look."""
        wait = self._until_worth_a_look(known, 0.0, chance)
        return min(self._blurred(self.floor, chance) if wait is None else wait, self.longest_wait)

    def next(self, known: Sample, *, age: float, watched: float, chance: float) -> float:
        """Return seconds until the next look at a job of `age` that has been watched for `watched` seconds."""
        wait = self._until_worth_a_look(known, age, chance)
        if wait is None:
            return self._blurred(
                min(self.ceiling, max(self.floor_of(known), self.widening * watched)), chance
            )
        # Past the first ends, history must not leave a job alone for as long as the rarest ones took.
        return min(wait, self.longest_wait if age < known.soonest else max(self.ceiling, self.widening * age))

    def floor_of(self, known: Sample) -> float:
        """Return the shortest interval in seconds between two looks at such a job."""
        if len(known) < ENOUGH:
            return self.floor
        return min(self.floor, max(self.least, self.closeness * known.usual))

    def _until_worth_a_look(self, known: Sample, age: float, chance: float) -> float | None:
        price = self.price * known.usual
        due = known.idle_by(age, price=price)
        if due is None:
            return None
        return max(self.floor_of(known), due - age + price * (2.0 * chance - 1.0))

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

    @property
    def is_in_doubt(self) -> bool:
        """True while there is any evidence for an outage."""
        return self._evidence > 0.0

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


class Sample:
    """The latest durations of jobs that are alike, in seconds: at most `keep`, the oldest forgotten first."""

    def __init__(self, seconds: Iterable[float] = (), *, keep: int = 200) -> None:
        self._latest = deque(seconds, keep)
        self._ranked = sorted(self._latest)

    def __len__(self) -> int:
        return len(self._ranked)

    def add(self, seconds: float) -> None:
        """Take in one more, and forget the oldest if there are too many."""
        if len(self._latest) == self._latest.maxlen:
            del self._ranked[bisect_left(self._ranked, self._latest[0])]
        self._latest.append(seconds)
        insort(self._ranked, seconds)

    def quantile(self, share: float) -> float | None:
        """Return the duration that `share` of the jobs stay below, or None if none is known."""
        ranked = self._ranked
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else None

    @property
    def soonest(self) -> float:
        """The age at which one job in twenty has ended, 0 if none is known."""
        return self.quantile(0.05) or 0.0

    @property
    def usual(self) -> float:
        """The duration that half of the jobs stay below, 0 if none is known."""
        return self.quantile(0.5) or 0.0

    def idle_by(self, age: float, *, price: float) -> float | None:
        """Return the age by which a job that is at work at `age` will have idled for `price` seconds, as expected.

        Each known duration beyond `age` is as likely as any other, and so is one beyond them all. So the job idles for
        the sum of max(0, x - duration), divided by their number, if it is not looked at before age x. None says that
        no job is known to have worked for longer.
        """
        ranked = self._ranked
        first = bisect_right(ranked, age)
        left = price * (len(ranked) - first + 1)
        at, ended = age, 0
        for index in range(first, len(ranked)):
            idle = (ranked[index] - at) * ended
            if idle >= left:
                break
            at, ended, left = ranked[index], ended + 1, left - idle
        return at + left / ended if ended else None


NOTHING_KNOWN = Sample()


class Durations:
    """How long jobs took, by model and settings; it grows during a run.

    Jobs whose settings are known too little go by all jobs of their model.
    """

    _MOST_SETTINGS = 1000

    def __init__(self, recorded: Iterable[PastJob] = ()) -> None:
        self._by_model: dict[str, Sample] = {}
        self._by_settings: dict[tuple[str, str], Sample] = {}
        for job in recorded:
            self.add(job)

    def add(self, job: PastJob) -> None:
        """Record one finished job."""
        self._by_model.setdefault(job.model, Sample()).add(job.seconds)
        key = job.model, job.settings
        # A board may give each take a number of its own, from which nothing is learnt.
        if key in self._by_settings or len(self._by_settings) < self._MOST_SETTINGS:
            self._by_settings.setdefault(key, Sample()).add(job.seconds)

    def of(self, model: str, settings: str) -> Sample:
        """Return what is known of jobs with these settings, or of the model's if that is more to go by."""
        own = self._by_settings.get((model, settings), NOTHING_KNOWN)
        return own if len(own) >= ENOUGH else self._by_model.get(model, NOTHING_KNOWN)
