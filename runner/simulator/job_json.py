"""Makes the API's records of a job as JSON-ready values: accepted, status, result, cancel.

In: a job, a moment, the switches, and a fault that changes words. Out: what the API would say. It is pure and knows no
HTTP and no ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from runner.simulator.faults import Fault, Rule
from runner.simulator.jobs import Job, JobOutcome, Phase
from runner.simulator.settings import SimulatorSettings
from runner.system.canonical_json import JsonValue

Record = dict[str, JsonValue]

_FAILURES: Mapping[JobOutcome, JsonValue] = {
    JobOutcome.FAILS: "the provider could not render this clip (simulated failure)",
    JobOutcome.FAILS_OBJECT: {
        "code": "provider_error",
        "message": "the provider could not render this clip (simulated)",
    },
    JobOutcome.MODERATION: {
        "code": "content_policy_violation",
        "message": "the input was flagged by content moderation (simulated)",
    },
}


def accepted(job: Job, origin: str) -> Record:
    """Return the answer to an accepted submit."""
    place = f"{origin}/v1/requests/{quote(job.request_id, safe='')}"
    return {
        "request_id": job.request_id,
        "status_url": f"{place}/status",
        "result_url": f"{place}/result",
        "cancel_url": f"{place}/cancel",
    }


def status(
    job: Job, *, now: float, ahead: int, origin: str, settings: SimulatorSettings, rule: Rule | None
) -> Record:
    """Return the queue's record; `ahead` is how many jobs wait before this one."""
    word = _status_word(job, now, settings)
    bend = _BENDS.get(rule.fault) if rule else None
    if bend is not None and rule is not None:
        word = bend(word, rule)
    links = accepted(job, origin)
    shown: Record = {"request_id": job.request_id, "status": word}
    if word == Phase.QUEUED:
        shown["queue_position"] = ahead
    return {**shown, "status_url": links["status_url"], "result_url": links["result_url"]}


def _status_word(job: Job, now: float, settings: SimulatorSettings) -> str:
    phase = job.phase(now)
    if phase is Phase.ENDED and job.fate is JobOutcome.CANCELED:
        return "canceled"
    if phase is Phase.ENDED and job.fate in _FAILURES:
        return settings.failed_word
    return str(phase)


_BENDS: Mapping[Fault, Callable[[str, Rule], str]] = {
    Fault.EARLY_COMPLETED: lambda word, _: str(
        Phase.ENDED if word in {Phase.QUEUED, Phase.RUNNING} else word
    ),
    Fault.BACK_TO_QUEUE: lambda word, _: str(Phase.QUEUED if word == Phase.RUNNING else word),
    Fault.UNKNOWN_WORD: lambda _, rule: rule.word,
}


def is_early(job: Job, *, now: float, rule: Rule | None) -> bool:
    """Return whether there is no result yet, or a rule makes it look so."""
    lagging = rule is not None and rule.fault is Fault.LAGGING
    return lagging or job.phase(now) in {Phase.QUEUED, Phase.RUNNING}


def early_result(job: Job, *, now: float) -> Record:
    """Return the result's record before there is a result: the current state."""
    phase = job.phase(now)
    word = phase if phase is Phase.QUEUED else Phase.RUNNING
    return {**_head(job, str(word)), "finished_at": None}


def result(job: Job, *, now: float, origin: str, with_cost: bool, settings: SimulatorSettings) -> Record:
    """Return the final record of a job that is over."""
    over = job.over_at or now
    if job.phase(now) is Phase.CANCELLED:
        return {**_head(job, "cancelled"), "finished_at": _moment(over)}
    if job.fate is JobOutcome.CANCELED:
        return {**_head(job, "canceled"), "finished_at": _moment(over)}
    if job.fate in _FAILURES:
        return {**_head(job, "failed"), "finished_at": _moment(over), "error": _FAILURES[job.fate]}
    shown: Record = {**_head(job, "succeeded"), "finished_at": _moment(over)}
    shown["output"] = {} if job.fate is JobOutcome.NO_OUTPUT else _output(job, origin)
    if with_cost and now >= over + settings.late_cost_s:
        shown["cost"] = job.price / 1_000_000
    return shown


def _output(job: Job, origin: str) -> Record:
    stem = job.file.removesuffix(".mp4")
    further = [f"{origin}/files/{stem}.{number}.mp4" for number in range(2, job.outputs + 1)]
    first = f"{origin}/files/{job.file}"
    return {"videos": [first, *further]} if further else {"video": first}


def cancel(job: Job, *, now: float, done: bool) -> Record:
    """Return the answer to a cancel; `done` says that it found the job still waiting."""
    outcome = "cancelled" if done else "not_cancellable"
    return {"request_id": job.request_id, "status": str(job.phase(now)), "outcome": outcome}


def charge(job: Job, *, now: float) -> Record:
    """Return a charge as the ledger's page shows it."""
    return {
        "request_id": job.request_id,
        "model": job.model,
        "body": json.loads(job.body),
        "body_sha256": job.body_sha256,
        "accepted_at": job.accepted_at,
        "ends_at": job.ends_at,
        "state": str(job.phase(now)),
        "fate": str(job.fate),
        "price_usd": job.price / 1_000_000,
    }


def _head(job: Job, word: str) -> Record:
    return {
        "request_id": job.request_id,
        "model_id": job.model,
        "status": word,
        "output": None,
        "input": json.loads(job.body),
        "created_at": _moment(job.accepted_at),
    }


def _moment(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
