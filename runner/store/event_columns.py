"""What each fact writes into its take's row, as one table; `states` decides which fact may come when."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from runner.domain import states
from runner.domain.states import DeliveryState, Fact, TakeState

Cell: TypeAlias = str | int | float | None
Columns: TypeAlias = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class TakeRow:
    """A take before a fact: `attempts` is the number of its latest attempt, begun at `started_at`."""

    take_id: str
    state: TakeState
    delivery: DeliveryState
    fingerprint: str
    attempts: int
    submitted_at: float | None
    started_at: float | None


Effect: TypeAlias = Callable[[Any, float, TakeRow], Columns]

_NO_FILE: Columns = MappingProxyType({"file": None, "sha256": None, "bytes": None})
_UNSENT: Columns = MappingProxyType(
    {"request_id": None, "submitted_at": None, "not_before": 0.0, "reason": "", "cancel_requested": None}
)
# A retry starts from a clean row; the old attempt's cost and outputs stay in its events.
_UNTRIED: Columns = MappingProxyType(
    {
        **_UNSENT,
        **_NO_FILE,
        **dict.fromkeys(("failure", "finished_at", "seconds", "cost", "result")),
        "outputs": "[]",
    }
)


def _ended(fact: states.Ended | states.FoundAfterAll, at: float, standing: TakeRow) -> Columns:
    seconds = fact.seconds
    if seconds is None and standing.submitted_at is not None:
        seconds = max(0.0, at - standing.submitted_at)
    columns: dict[str, Cell] = {
        "result": fact.result,
        "outputs": json.dumps(fact.outputs),
        "failure": fact.failure if isinstance(fact, states.Ended) else None,
        "reason": fact.reason if isinstance(fact, states.Ended) else "",
        "finished_at": at,
        "seconds": seconds,
    }
    # An answer without a cost must not delete a known cost.
    return columns if fact.cost is None else {**columns, "cost": fact.cost}


def _found(fact: states.FoundAfterAll, at: float, standing: TakeRow) -> Columns:
    # Only the answer itself knows the duration: the job may have ended long before the second look.
    return {**_ended(fact, at, standing), "seconds": fact.seconds}


def _reason(fact: Any, _at: float, _standing: TakeRow) -> Columns:  # noqa: ANN401 - any fact with a reason
    return {"reason": fact.reason}


def _failed(fact: states.Refused | states.Vanished, at: float, _standing: TakeRow) -> Columns:
    return {"failure": fact.failure, "reason": fact.reason, "finished_at": at}


COLUMN_UPDATES: Mapping[type[Fact], Effect] = MappingProxyType(
    {
        states.SubmissionStarted: lambda _, __, standing: {
            "attempts": standing.attempts + 1,
            "not_before": 0.0,
            "reason": "",
        },
        states.Accepted: lambda fact, at, _: {
            "request_id": fact.request_id,
            "submitted_at": at,
            "reason": "",
        },
        states.NotSent: _reason,
        states.RefusedForNow: lambda fact, _, __: {"reason": fact.reason, "not_before": fact.not_before},
        states.Refused: _failed,
        states.AccountTurnedAway: _reason,
        states.LostContact: _reason,
        # The job began with the attempt that made it, not with its adoption.
        states.Adopted: lambda fact, _, standing: {
            "request_id": fact.request_id,
            "submitted_at": standing.started_at,
            "reason": "",
        },
        states.AdoptionUndone: lambda fact, *_: {**_UNTRIED, "reason": fact.reason},
        states.DeclaredNotSent: lambda *_: _UNSENT,
        states.PayAgain: lambda *_: _UNSENT,
        states.Dropped: lambda fact, at, _: {
            "finished_at": at,
            **({"reason": fact.reason} if fact.reason else {}),
        },
        states.Started: lambda *_: {},
        states.Requeued: lambda *_: {},
        states.Ended: _ended,
        states.FoundAfterAll: _found,
        states.Vanished: _failed,
        states.RetryRequested: lambda *_: _UNTRIED,
        states.FetchStarted: lambda *_: {"reason": ""},
        states.Delivered: lambda fact, _, __: {
            "file": fact.file,
            "sha256": fact.sha256,
            "bytes": fact.bytes,
            "reason": fact.remark,
        },
        states.Undeliverable: _reason,
        states.FileGone: lambda fact, _, __: {**_NO_FILE, "reason": fact.reason},
        states.CancelRequested: lambda fact, _, __: {"cancel_requested": fact.outcome or "requested"},
        states.LateAnswer: lambda *_: {},
        # The adoption of a plan changes the ids themselves; this fact is the note of it.
        states.Renamed: lambda *_: {},
        states.ClipMoved: lambda fact, _, __: {"file": fact.file},
        states.KeptAsIs: lambda fact, _, __: {"kept_for": fact.wanted},
        states.CostSeen: lambda fact, _, __: {"cost": fact.cost},
    }
)
"""By kind of fact: the columns of `takes` that it sets, beside the state itself."""
