"""What holds for a session, as its record and the run's log have it, and what of it another command needs.

In: a request. Out: JSON. `tuned_settings` has what orders change of it later.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time

from runner.commands.steps.request import RunRequest
from runner.domain.display import iso
from runner.plan.selection import Choice
from runner.system.canonical_json import JsonValue


def session_settings(request: RunRequest) -> Mapping[str, JsonValue]:
    """Return what a reader of the record, or of the run's log, may want to know about how a session was run."""
    options, choice = request.options, request.choice
    limits = options.limits
    until = limits.until.isoformat() if isinstance(limits.until, time) else iso(limits.until) or None
    return {
        "jobs": options.jobs,
        "model_jobs": dict(options.model_jobs),
        "rates": {model: str(rate) for model, rate in options.rates.items()},
        "first": list(request.first),
        "download": options.download,
        "max_cost_usd": limits.max_cost,
        "warn_cost_usd": limits.warn_cost,
        "allow_unpriced": limits.allow_unpriced,
        "max_submits": limits.max_submits,
        "until": until,
        "for_seconds": limits.lasts,
        "cutoff": options.at_limit,
        "on_unknown": options.on_unknown,
        "max_extra_paid": options.max_extra_paid,
        "max_unknown": options.max_unknown,
        "retries": options.retries,
        "halt": dict(options.failure_limit.limits),
        "scout": options.scout,
        "outage_limit_seconds": options.outage_limit,
        "job_limit_seconds": options.job_limit,
        "stale": request.stale,
        "only": list(choice.only),
        "exclude": list(choice.exclude),
        "tags": list(choice.tags),
        "statuses": list(choice.statuses),
        "limit": choice.limit,
    }


def choice_in(settings: Mapping[str, JsonValue]) -> Choice:
    """Return which takes a session is about; what an older program did not note is empty."""
    only, exclude, tags, statuses = (
        tuple(map(str, found)) if isinstance(found := settings.get(name), list) else ()
        for name in ("only", "exclude", "tags", "statuses")
    )
    limit = settings.get("limit")
    return Choice(only, exclude, tags, statuses, limit if isinstance(limit, int) else None)
