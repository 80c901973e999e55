"""Appends one fact: the event, the take's row and its attempt.

It works inside the caller's transaction. Each rule is checked twice: `states` is asked first. Then each UPDATE names
the expected row and must change one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeAlias

from runner.domain import states
from runner.domain.errors import IllegalTransition, RunInUse
from runner.store.database import change_one, value
from runner.store.row_mapping import IN_USE, LATEST, NEXT_TERMS

Cell: TypeAlias = str | int | float | None
Columns: TypeAlias = Mapping[str, Cell]


@dataclass(frozen=True, slots=True)
class TakeRow:
    """A take before a fact: `attempts` is the number of its latest `attempt`, begun at `started_at`."""

    take_id: str
    state: states.TakeState
    delivery: states.DeliveryState
    model: str
    fingerprint: str
    attempts: int
    submitted_at: float | None
    attempt: str | None
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


COLUMN_UPDATES: Mapping[type[states.Fact], Effect] = MappingProxyType(
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
        # The adoption of a plan changes the ids themselves; this fact only notes it.
        states.Renamed: lambda *_: {},
        states.ClipMoved: lambda fact, _, __: {"file": fact.file},
        states.KeptAsIs: lambda fact, _, __: {"kept_for": fact.wanted},
        states.CostSeen: lambda fact, _, __: {"cost": fact.cost},
        states.Checked: lambda fact, _, __: {
            "checked": fact.sha256,
            "probe": fact.probe,
            "flags": json.dumps(fact.flags),
        },
    }
)
"""By kind of fact: the columns of `takes` that it sets, beside the state itself."""

Answer: TypeAlias = (
    states.Accepted
    | states.NotSent
    | states.RefusedForNow
    | states.Refused
    | states.AccountTurnedAway
    | states.LostContact
)
Decision: TypeAlias = states.Adopted | states.DeclaredNotSent | states.PayAgain | states.Dropped

# A take whose row has changed is sent again as it was, so it keeps the terms of its last submission.
# The epoch in the file decides, not the one in this process's memory.
_OPEN_ATTEMPT = (
    "INSERT INTO attempts (attempt, take_id, number, epoch, fingerprint, started_at, estimate, price, schema)"  # noqa: S608 - our own names
    f" SELECT ?1, take_id, attempts + 1, epoch, fingerprint, ?3, {NEXT_TERMS['estimate']}, {NEXT_TERMS['price']},"
    f" CASE WHEN wanted IS NULL OR attempts = 0 THEN {IN_USE} ELSE {LATEST.format('a.schema')} END"
    " FROM takes, run WHERE take_id = ?2 AND epoch = ?4"
)

_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in COLUMN_UPDATES}


def append(connection: sqlite3.Connection, take_id: str, fact: states.Fact, *, at: float) -> TakeRow:
    """Record `fact`, seen at wall time `at`, and move the take as the table says; on an error the caller rolls back.

    Each statement gives the interpreter's lock away and takes it back, so there are as few as the rules allow. Returns
    the take as it was before.

    Raises `IllegalTransition` if the table or the attempt forbids it, `RunInUse` if another runner has begun since, and
    `sqlite3.IntegrityError` if a rule of the file forbids it.
    """
    standing = _standing(connection, take_id, fact)
    take_id = standing.take_id
    try:
        state, delivery, before, after = _move(standing, fact)
    except IllegalTransition as error:
        # If another runner has moved the take, its takeover is the reason to report.
        if isinstance(fact, states.SubmissionStarted) and read_epoch(connection) != fact.epoch:
            raise overtaken(f"take {take_id}") from error
        raise IllegalTransition(f"take {take_id}: {error.message}") from error
    _change_attempt(connection, standing, fact, at=at)
    _update_take(connection, standing, fact, state=state, delivery=delivery, at=at)
    connection.execute(
        "INSERT INTO events (at, take_id, fact, details, before, after) VALUES (?, ?, ?, ?, ?, ?)",
        (at, take_id, type(fact).__name__, json.dumps(_details(fact)), before, after),
    )
    return standing


def read_epoch(connection: sqlite3.Connection) -> int:
    """Return how many runners have begun on this file."""
    return int(value(connection, "SELECT epoch FROM run"))


def overtaken(what: str) -> RunInUse:
    """Return the error for a runner after another one has taken over its run or its take."""
    return RunInUse(
        f"{what}: another runner has taken this run over; nothing may be sent",
        advice="see what the other one does; stop it before you give the command again",
    )


def _standing(connection: sqlite3.Connection, take_id: str, fact: states.Fact) -> TakeRow:
    """Return the take of a fact: a runner that was overtaken may not know that its take was renamed."""
    found = _take(connection, take_id)
    if isinstance(fact, Answer | states.LateAnswer) and (found is None or found.attempt != fact.attempt):
        owner = value(connection, "SELECT take_id FROM attempts WHERE attempt = ?", fact.attempt)
        found = found if owner is None else _take(connection, owner)
    if found is None:
        raise IllegalTransition(f"the state file knows no take {take_id}")
    return found


def _take(connection: sqlite3.Connection, take_id: str) -> TakeRow | None:
    row = connection.execute(
        "SELECT t.state, t.delivery, t.model, t.fingerprint, t.attempts, t.submitted_at, a.attempt, a.started_at"
        " FROM takes t LEFT JOIN attempts a ON a.take_id = t.take_id AND a.number = t.attempts"
        " WHERE t.take_id = ?",
        (take_id,),
    ).fetchone()
    if row is None:
        return None
    return TakeRow(take_id, states.TakeState(row[0]), states.DeliveryState(row[1]), *row[2:])


def _move(standing: TakeRow, fact: states.Fact) -> tuple[states.TakeState, states.DeliveryState, str, str]:
    """Return the new state and delivery, and the before and after of the axis that the fact is about."""
    state, delivery = standing.state, standing.delivery
    if isinstance(fact, states.NoteFact):
        return state, delivery, state, state
    if isinstance(fact, states.DeliveryFact):
        if state is not states.TakeState.SUCCEEDED:
            raise IllegalTransition(f"a take that is {state} has no clip to download")
        moved = states.advance_delivery(delivery, fact)
        return state, moved, delivery, moved
    if isinstance(fact, states.AdoptionUndone) and delivery is not states.DeliveryState.NONE:
        raise IllegalTransition(f"the clip of the adopted job is {delivery}")
    target = states.advance(state, fact)
    moved = states.advance_delivery(delivery, fact) if isinstance(fact, states.Dropped) else delivery
    return target, moved, state, target


def _change_attempt(
    connection: sqlite3.Connection, standing: TakeRow, fact: states.Fact, *, at: float
) -> None:
    """Record what a fact says about the take's latest attempt."""
    take, number = standing.take_id, standing.attempts
    # A take that is dropped later has closed its attempt already.
    dropped_later = isinstance(fact, states.Dropped) and standing.state is not states.TakeState.HELD
    if isinstance(fact, states.SubmissionStarted):
        _open_attempt(connection, standing, fact, at=at)
    elif isinstance(fact, Answer | Decision) and not dropped_later:
        _settle_attempt(connection, standing, fact, at=at)
    elif isinstance(fact, states.AdoptionUndone):
        _reopen_attempt(connection, standing, fact)
    elif isinstance(fact, states.LateAnswer):
        # If another attempt has the id already, only the event keeps it.
        connection.execute(
            "UPDATE OR IGNORE attempts SET request_id = ?"
            " WHERE attempt = ? AND take_id = ? AND request_id IS NULL",
            (fact.request_id, fact.attempt, take),
        )
    elif isinstance(fact, states.FoundAfterAll):
        # The take may have been paid for again since the job that was found.
        latest = value(connection, "SELECT request_id FROM takes WHERE take_id = ?", take)
        if latest != fact.request_id:
            raise IllegalTransition(f"take {take}: request {fact.request_id} is not its latest one")
    if isinstance(fact, states.Ended | states.FoundAfterAll | states.CostSeen) and fact.cost is not None:
        # A retried take has paid for each attempt.
        connection.execute(
            "UPDATE attempts SET cost = ? WHERE take_id = ? AND number = ?", (fact.cost, take, number)
        )


def _open_attempt(
    connection: sqlite3.Connection, standing: TakeRow, fact: states.SubmissionStarted, *, at: float
) -> None:
    take = standing.take_id
    if fact.fingerprint != standing.fingerprint:
        raise IllegalTransition(f"take {take}: what would be sent is not what was recorded")
    if connection.execute(_OPEN_ATTEMPT, (fact.attempt, take, at, fact.epoch)).rowcount != 1:
        raise overtaken(f"take {take}")


def _settle_attempt(
    connection: sqlite3.Connection, standing: TakeRow, fact: Answer | Decision, *, at: float
) -> None:
    """Close the latest attempt: an answer must belong to it, and a held attempt waits as `LostContact`."""
    take, number = standing.take_id, standing.attempts
    # The evidence is patched, not replaced: evidence from the lost attempt stays beside the later answer.
    details = _details(fact)
    attempt, request_id = details.pop("attempt", None), details.pop("request_id", None)
    expected = None if standing.state is states.TakeState.SUBMITTING else states.LostContact.__name__
    try:
        change_one(
            connection,
            "UPDATE attempts SET outcome = ?, ended_at = ?, request_id = ?, evidence = json_patch(evidence, ?)"
            " WHERE take_id = ? AND number = ? AND attempt = coalesce(?, attempt) AND outcome IS ?",
            (type(fact).__name__, at, request_id, json.dumps(details), take, number, attempt, expected),
            refusal=f"take {take}: attempt {attempt} is not the one that waits",
        )
    except sqlite3.IntegrityError as error:
        # The file forbids an id that is taken, but its message is not meant for a person.
        other = value(connection, "SELECT take_id FROM attempts WHERE request_id = ?", request_id)
        raise IllegalTransition(f"request id {request_id} belongs to another job, of take {other}") from error


def _reopen_attempt(connection: sqlite3.Connection, standing: TakeRow, fact: states.AdoptionUndone) -> None:
    """Make the latest attempt wait again as before its adoption, without the other job's cost."""
    lost, take, request_id = states.LostContact.__name__, standing.take_id, fact.request_id
    reason = json.dumps({"reason": fact.reason} if fact.reason else {})
    change_one(
        connection,
        "UPDATE attempts SET outcome = ?1, request_id = NULL, cost = NULL,"
        " ended_at = (SELECT max(at) FROM events WHERE take_id = ?2 AND fact = ?1),"
        " evidence = json_patch(evidence, ?3)"
        " WHERE take_id = ?2 AND number = ?4 AND outcome = ?5 AND request_id = ?6",
        (lost, take, reason, standing.attempts, states.Adopted.__name__, request_id),
        refusal=f"take {take}: request {request_id} was not adopted for it",
    )


def _update_take(
    connection: sqlite3.Connection,
    standing: TakeRow,
    fact: states.Fact,
    *,
    state: states.TakeState,
    delivery: states.DeliveryState,
    at: float,
) -> None:
    columns: dict[str, Cell] = {}
    # Naming a column has a cost even without a change: its triggers run and its indexes are written.
    if state is not standing.state:
        columns["state"] = state
    if delivery is not standing.delivery:
        columns["delivery"] = delivery
    columns |= COLUMN_UPDATES[type(fact)](fact, at, standing)
    if columns:
        # WHERE repeats the values that were read, so the update fails if anything changed them since. There is one
        # text per kind of fact, so that the connection reuses its prepared statement.
        sets = ", ".join(f"{name} = ?" for name in columns)
        change_one(
            connection,
            f"UPDATE takes SET {sets} WHERE take_id = ? AND state = ? AND delivery = ?",  # noqa: S608 - our own names
            (*map(_storable, columns.values()), standing.take_id, standing.state, standing.delivery),
            refusal=f"take {standing.take_id}: it is no longer {standing.state}",
        )


def _details(fact: states.Fact) -> dict[str, Any]:
    """Return a fact's fields; facts are flat, so the deep copy of `asdict` is not needed."""
    return {name: getattr(fact, name) for name in _NAMES[type(fact)]}


def _storable(cell: Cell) -> Cell:
    # A lone surrogate in a server's text has no UTF-8 form, and must not prevent a fact about money.
    return cell.encode("utf-8", "replace").decode("utf-8") if isinstance(cell, str) else cell
