"""How a run shall behave, as one frozen value, and how it ended, as another."""

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

    `jobs` caps what the API may be working on at once, `submit_window` how many POSTs are in the air: with one, a
    crash leaves at most one take in doubt. `looks_at_once` and `fetches_at_once` cap calls, not jobs.
    `max_unknown` lost answers stop the submitting, `outage_limit` is how long to wait for a service that is away,
    `missing_grace` how long an id must stay unknown to the API to be believed gone, `empty_grace` how long
    a job must name no output to be believed without one, `fetch_pace` how long and how often
    a clip that does not come is tried for. A job older than `job_limit` is left to the next run. `same_refusals` of
    different bodies in a row are about the account or the service; `refusals_limit` is how long refusals are borne
    where nothing else is left to do, or of one job's reads.
    `max_extra_paid` bounds what `on_unknown` may pay again over the whole life of a run, `retries` how often one take
    that failed is paid for again by itself; with `scout`, so many takes of every model and settings go first. `limits`
    are the bounds on money, submissions and time.

    Raises:
        UsageError: a number with which nothing could ever happen.
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
        """Seconds for which refusals are borne: no longer than a service that is away."""
        return min(self.refusals_limit, self.outage_limit)

    @property
    def at_limit(self) -> Stop:
        """What becomes of the jobs that are out there when a limit stops the run."""
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
