"""Makes the API's records of a job as JSON-ready values. It is pure and knows no HTTP, no ledger and no fault."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from runner.simulator.jobs import Job, JobOutcome, Phase
from runner.system.canonical_json import JsonValue

Record = dict[str, JsonValue]
PICTURE = ".png"
"""The ending of a file that is a picture."""

_FAILURES: Mapping[JobOutcome, JsonValue] = {
    JobOutcome.FAILS: "the provider could not render this clip (simulated failure)",
    JobOutcome.MODERATION: {
        "code": "content_policy_violation",
        "message": "the input was flagged by content moderation (simulated)",
    },
}


def accepted(job: Job, origin: str) -> Record:
    """Return the answer to an accepted submit."""
    place = f"{origin}/v1/requests/{quote(job.request_id, safe='')}"
    urls = {f"{name}_url": f"{place}/{name}" for name in ("status", "result", "cancel")}
    return {"request_id": job.request_id, **urls}


def status(job: Job, now: float, ahead: int, origin: str, failed_word: str) -> Record:
    """Return the queue's record; `ahead` is how many jobs wait before this one."""
    phase = job.phase(now)
    failed = phase is Phase.ENDED and job.fate in _FAILURES
    links = accepted(job, origin)
    shown: Record = {"request_id": job.request_id, "status": failed_word if failed else str(phase)}
    if phase is Phase.QUEUED:
        shown["queue_position"] = ahead
    return {**shown, "status_url": links["status_url"], "result_url": links["result_url"]}


def result(job: Job, now: float, origin: str, cost_after_s: float | None) -> Record:
    """Return the record of a result, with its cost some seconds after the end, or its state before the end."""
    phase, over = job.phase(now), job.over_at or now
    shown: Record = {
        "request_id": job.request_id,
        "model_id": job.model,
        "status": str(phase),
        "output": None,
        "input": json.loads(job.body),
        "created_at": _moment(job.accepted_at),
        "finished_at": None if phase in {Phase.QUEUED, Phase.RUNNING} else _moment(over),
    }
    if phase is not Phase.ENDED:
        return shown
    if job.fate in _FAILURES:
        return {**shown, "status": "failed", "error": _FAILURES[job.fate]}
    kind = "image" if job.file.endswith(PICTURE) else "video"
    shown |= {"status": "succeeded", "output": {kind: f"{origin}/files/{job.file}"}}
    if cost_after_s is not None and now >= over + cost_after_s:
        shown["cost"] = job.price / 1_000_000
    return shown


def cancel(job: Job, now: float, *, done: bool) -> Record:
    """Return the answer to a cancel; `done` says that it found the job still waiting."""
    outcome = "cancelled" if done else "not_cancellable"
    return {"request_id": job.request_id, "status": str(job.phase(now)), "outcome": outcome}


def charge(job: Job, now: float) -> Record:
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


def _moment(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
