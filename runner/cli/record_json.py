"""Records as values for programs, in the words that `docs/machines.md` explains.

In: what readers of a state file get. Out: values for `json.dumps`. Money is in US dollars, times are ISO 8601 in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner.cli.json_output import PROGRAM, commands_as_json, envelope, words_of
from runner.domain.display import iso, standing
from runner.domain.money import Spending
from runner.domain.output_links import OutputLinks
from runner.domain.records import AttemptRecord, EventRecord, OrderRecord, Standing, TakeRecord
from runner.output.failure_kinds import FailureKind
from runner.system.canonical_json import parsed_json

if TYPE_CHECKING:
    from runner.commands.steps.open_for_decision import Decided


def money_as_json(spending: Spending) -> dict[str, object]:
    """Return what a run cost and should cost; `without_cost` counts jobs of unknown cost."""
    return {
        "spent_usd": spending.billed,
        "reserved_usd": spending.reserved,
        "estimated_usd": spending.estimated,
        "without_cost": spending.without_cost,
    }


def states_as_json(counts: Mapping[str, int]) -> dict[str, int]:
    """Return takes by the word that people read, without the zeros."""
    return {str(word): count for word, count in counts.items() if count}


def flagged_as_json(take: Standing) -> dict[str, object]:
    """Return a take with what is odd about its clip."""
    return {"take": take.take_id, "label": take.label, "flags": flags_of(take)}


def flags_of(take: Standing) -> list[dict[str, str]]:
    """Return what is odd about a take's clip, each with its kind."""
    return [{"kind": flag.kind.value, "message": flag.text} for flag in take.flags]


def time_as_json(unix: float | None) -> str | None:
    """Return unix seconds as ISO 8601 in UTC, to the second; None where there are none, as in an empty record."""
    return iso(unix) or None if unix else None


def command_as_json(command: str) -> list[list[str]]:
    """Return a command to copy as a list of its words in a list, which is empty without a command."""
    return [[PROGRAM, *words]] if (words := words_of(command)) else []


def failure_as_json(kind: FailureKind, next_words: Sequence[str] = ()) -> dict[str, object]:
    """Return takes with one kind of trouble, and what helps: `next_words`, or else the kind's own command."""
    return {
        "class": kind.name,
        "state": kind.standing,
        "takes": list(kind.takes),
        "advice": kind.advice,
        "next": commands_as_json(next_words) if next_words else command_as_json(kind.command),
    }


def take_as_json(take: TakeRecord) -> dict[str, object]:
    """Return everything that is recorded about a take; `body` and `result` are JSON, as sent and as received."""
    return {
        "take": take.take_id,
        "label": take.label,
        "shot": take.shot_id,
        "model": take.model,
        "state": standing(take.state, take.delivery),
        "class": take.failure and take.failure.value,
        "reason": take.reason,
        "stale": take.is_stale,
        "changes": [
            {"field": change.field, "old": change.old, "new": change.new} for change in take.stale_fields()
        ],
        "tags": list(take.tags),
        "notes": take.notes,
        "columns": dict(take.cells),
        "in_manifest": take.position is not None,
        "seed": take.seed,
        "sweep": dict(take.point),
        "body": json.loads(take.body),
        "fingerprint": take.fingerprint,
        "schema": take.schema,
        "attempts": take.attempts,
        "request_id": take.request_id,
        "submitted_at": time_as_json(take.submitted_at),
        "finished_at": time_as_json(take.finished_at),
        "not_before": time_as_json(take.not_before),
        "seconds": take.seconds,
        "cost_usd": take.cost,
        "estimate_usd": take.estimate,
        "outputs": list(take.outputs),
        "file": take.file,
        "sha256": take.sha256,
        "bytes": take.bytes,
        "flags": flags_of(take),
        "result": parsed_json(take.result),
    }


def attempt_as_json(each: AttemptRecord) -> dict[str, object]:
    """Return one submission; `outcome` is the fact that closed it, None while it is open."""
    return {
        "attempt": each.attempt,
        "number": each.number,
        "fingerprint": each.fingerprint,
        "started_at": time_as_json(each.started_at),
        "ended_at": time_as_json(each.ended_at),
        "outcome": each.outcome,
        "request_id": each.request_id,
        "evidence": dict(each.evidence),
        "estimate_usd": each.estimate,
        "cost_usd": each.cost,
        "schema": each.schema,
    }


def fact_as_json(each: EventRecord) -> dict[str, object]:
    """Return one fact; its `details` are as they were recorded."""
    return {
        "number": each.seq,
        "at": time_as_json(each.at),
        "fact": each.fact,
        "details": dict(each.details),
        "before": each.before,
        "after": each.after,
    }


def order_record_as_json(each: OrderRecord) -> dict[str, object]:
    """Return an order that a session has answered, and what became of it."""
    return {
        "at": time_as_json(each.obeyed_at),
        "by": each.by,
        "order": dict(each.wish),
        "changed": each.changed,
        "says": list(each.says),
    }


def links_as_json(links: OutputLinks) -> dict[str, object]:
    """Return which links of a result were taken for its outputs, and why others were not."""
    return {
        "taken": [{"url": link.text, "place": link.place} for link in links.taken],
        "left": [{"text": link.text, "place": link.place, "reason": link.why} for link in links.left],
        "beyond": links.beyond,
        "only": links.only,
    }


def decision_as_json(
    decision: str, decided: Decided, *, held: Sequence[str] = (), next_words: Sequence[str] = ()
) -> dict[str, object]:
    """Return what a person decided about which takes; `held` are those that still wait for a decision."""
    return envelope(
        "decision",
        {
            "decision": decision,
            "takes": list(decided.take_ids),
            "held": list(held),
            "remarks": list(decided.remarks),
            "next": commands_as_json(next_words) if next_words else [],
        },
    )
