"""The options of a run, as one frozen value.

In: numbers and policies. Out: the same, checked. It knows no command line.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.domain.errors import UsageError
from runner.domain.limits import Limits
from runner.domain.run_ending import Stop
from runner.engine.poll_pace import FetchPace, LookPace
from runner.engine.retry_policy import FailureLimit, OnUnknown
from runner.system.backoff import Backoff


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The engine's numbers; times are seconds.

    `jobs` caps what the API may be working on at once, and `submit_window` how many POSTs are being sent. With one, a
    crash leaves at most one take in doubt. `looks_at_once` and `fetches_at_once` cap calls, not jobs. `max_unknown`
    lost answers stop the submitting. `outage_limit` is how long to wait for a service that is away. An id must stay
    unknown for `missing_grace` to count as gone, and a job name no output for `empty_grace` to count as without one.
    `fetch_pace` says how long and how often a clip is tried. A job older than `job_limit` is left to the next run.
    `same_refusals` of different bodies in a row are the account's or the service's. `refusals_limit` bounds how long
    refusals may last while nothing else is left to do, and those of one job's reads. `max_extra_paid` bounds what
    `on_unknown` may pay again over the whole life of a run, and `retries` how often a failed take is paid for again.
    `scout` takes of every model and settings go first. `limits` are the bounds on money, submissions and time.

    Raises:
        UsageError: with such a number nothing could ever happen.
    """

    jobs: int = 4
    submit_window: int = 1
    looks_at_once: int = 16
    fetches_at_once: int = 4
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
    limits: Limits = field(default_factory=Limits)
    pace: LookPace = field(default_factory=LookPace)
    fetch_pace: FetchPace = field(default_factory=FetchPace)
    backoff: Backoff = field(default_factory=lambda: Backoff(cap=300.0))
    throttled: Backoff = field(default_factory=lambda: Backoff(base=3.0, cap=300.0))

    @property
    def refusal_limit(self) -> float:
        """Seconds for which refusals may last: no longer than an outage."""
        return min(self.refusals_limit, self.outage_limit)

    @property
    def at_limit(self) -> Stop:
        """What becomes of active jobs when a limit stops the run."""
        return Stop.CANCEL_QUEUED if self.limits.cancel_queued else Stop.DRAIN

    def __post_init__(self) -> None:
        for name in (
            "jobs",
            "submit_window",
            "looks_at_once",
            "fetches_at_once",
            "max_unknown",
        ):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1")
        if self.on_unknown is OnUnknown.PAY_AGAIN and self.max_extra_paid < 1:
            raise UsageError(
                "paying again for unknown submits needs a bound", advice="add --max-extra-paid N"
            )
