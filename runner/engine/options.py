"""What a person asks of a run, and what earlier runs left to it, as frozen values that are checked.

It knows no command line, no file and no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from runner.domain.errors import UsageError
from runner.domain.limits import Limits
from runner.domain.money import NOTHING_SPENT, Spending
from runner.domain.option_checks import by_model, check_options, number, one, or_none, whole
from runner.domain.orders import MOST_JOBS
from runner.domain.rates import Rate
from runner.domain.records import PastJob
from runner.domain.run_ending import Stop
from runner.domain.shots import Ticket
from runner.domain.states import FailureClass
from runner.engine.poll_pace import FetchPace, LookPace
from runner.engine.submit_window import widest
from runner.system.backoff import Backoff

_ANY_FAILURE = "fail"

RETRIED_BY_ITSELF = frozenset({FailureClass.PROVIDER_FAILED, FailureClass.TRANSIENT})
"""Classes where the same body may well succeed: the fault was not the take's.

Moderation would judge the same words again, and a refused input stays refused. A missing or expired record may have
been a success, and an empty balance ends the run. A person decides about those. No class is retried with another seed.
That would be another body under the same id, and a take is what its row in the manifest says.
"""


class OnUnknown(StrEnum):
    """What becomes of a submit without an answer: it is held, it is held and the run stops, or it is paid again."""

    HOLD = "hold"
    STOP = "stop"
    PAY_AGAIN = "pay-again"


@dataclass(frozen=True, slots=True)
class FailureLimit:
    """Stops the submitting after N failures of a class, or of any (`fail`)."""

    limits: Mapping[str, int]

    def tripped(self, failures: Counter[FailureClass]) -> str | None:
        """Return the words for the limit that was reached, or None."""
        counts = {_ANY_FAILURE: failures.total(), **{str(name): count for name, count in failures.items()}}
        for name, limit in self.limits.items():
            if counts.get(name, 0) >= limit:
                return f"{counts[name]} takes failed" + ("" if name == _ANY_FAILURE else f" with {name}")
        return None


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine's numbers; times are seconds.

    `jobs` caps what the API may be working on at once, and `submit_window` how many POSTs are in flight. None chooses
    by the way to the API (`submit_window.SubmitWindow`). A crash leaves at most that number of takes in doubt.
    `looks_at_once` and `fetches_at_once` cap calls, not jobs; while reads fail, `looks_in_doubt` does. `max_unknown`
    lost answers stop the submitting. `outage_limit` is how long to wait for a service that is away. An id must stay
    unknown for `missing_grace` to count as gone. A job must name no output for `empty_grace` to count as without one.
    `fetch_pace` says how long and how often a clip is tried. A job older than `job_limit` is left to the next run.
    `same_refusals` of different bodies in a row count as the account's or the service's fault. `refusals_limit` bounds
    how long refusals may last while nothing else is left to do, and those of one job's reads. `max_extra_paid` bounds
    what `on_unknown` may pay again over the whole life of a run, and `retries` how often a failed take is paid for
    again. `scout` takes of every model and settings go first. `rates` bound how often takes of a model are submitted,
    those of all together under the key `ALL_MODELS`, and `model_jobs` how many jobs of it may be active.
    `limits` are the bounds on money, submissions and time.

    Raises:
        UsageError: a field has the wrong type, or a number with which nothing could ever happen.
    """

    jobs: int = 4
    submit_window: int | None = None
    looks_at_once: int = 128
    looks_in_doubt: int = 16
    fetches_at_once: int = 16
    download: bool = True
    max_unknown: int = 3
    outage_limit: float = 12 * 3600.0
    job_limit: float = 24 * 3600.0
    refusals_limit: float = 900.0
    missing_grace: float = 600.0
    empty_grace: float = 10.0
    same_refusals: int = 3
    on_unknown: OnUnknown = OnUnknown.HOLD
    max_extra_paid: int = 0
    retries: int = 0
    failure_limit: FailureLimit = field(default_factory=lambda: FailureLimit({}))
    scout: int = 0
    rates: Mapping[str, Rate] = field(default_factory=lambda: MappingProxyType({}))
    model_jobs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    limits: Limits = field(default_factory=Limits)
    pace: LookPace = field(default_factory=LookPace)
    fetch_pace: FetchPace = field(default_factory=FetchPace)
    backoff: Backoff = field(default_factory=lambda: Backoff(cap=300.0))
    throttled: Backoff = field(default_factory=lambda: Backoff(base=3.0, cap=300.0))

    def __post_init__(self) -> None:
        check_options(self, _RULES)
        if self.on_unknown is OnUnknown.PAY_AGAIN and self.max_extra_paid < 1:
            text = "paying again for unknown submits needs a bound"
            raise UsageError(text, advice="add --max-extra-paid N")

    @property
    def widest_window(self) -> int:
        """How many POSTs may be in flight at most."""
        return self.submit_window or widest(self.jobs)

    @property
    def refusal_limit(self) -> float:
        """Seconds for which refusals may last: no longer than an outage."""
        return min(self.refusals_limit, self.outage_limit)

    @property
    def at_limit(self) -> Stop:
        """What becomes of active jobs when a limit stops the run."""
        return Stop.CANCEL_QUEUED if self.limits.cancel_queued else Stop.DRAIN

    def may_retry(self, failure: FailureClass | None, *, attempts: int) -> bool:
        """Return whether a take that failed after `attempts` submissions is paid for again without asking a person."""
        return self.retries > 0 and failure in RETRIED_BY_ITSELF and attempts <= self.retries


_RULES = {
    "jobs": whole(1, MOST_JOBS),
    "submit_window": or_none(whole(1)),
    **dict.fromkeys(("looks_at_once", "looks_in_doubt", "fetches_at_once", "max_unknown"), whole(1)),
    **dict.fromkeys(("same_refusals", "max_extra_paid", "retries", "scout"), whole(0)),
    **dict.fromkeys(
        ("outage_limit", "job_limit", "refusals_limit", "missing_grace", "empty_grace"), number()
    ),
    "download": one(bool),
    "on_unknown": one(OnUnknown),
    "failure_limit": one(FailureLimit),
    "rates": by_model(one(Rate)),
    "model_jobs": by_model(whole(1, MOST_JOBS)),
    "limits": one(Limits),
    "pace": one(LookPace),
    "fetch_pace": one(FetchPace),
    **dict.fromkeys(("backoff", "throttled"), one(Backoff)),
}
"""What each field of `EngineOptions` may hold."""


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What earlier runs did and learnt; for a first run it is empty.

    `extra_paid` counts unknown submits that were paid again, and `spending` is all that may have been paid. `ended`
    are the takes whose costs may be asked for, the last to end first; it is read only as far as they are asked for.
    `durations` are the latest jobs of each model, oldest first. `largest_clip`, in bytes, is a guess at the
    size of the next one.
    """

    extra_paid: int = 0
    spending: Spending = NOTHING_SPENT
    ended: Iterable[Ticket] = ()
    durations: Sequence[PastJob] = ()
    largest_clip: int = 0


NO_PAST = RunHistory()
