"""Submissions that witnesses know and the record does not, and how they are entered.

In: a connection, and submissions as witnesses know them. Out: those that the record lacks; and inside the caller's
transaction, the facts that they prove. It knows no file. No sent take becomes pending here: a submission with an id is
recorded with it, and one without an id is held.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from functools import reduce
from pathlib import Path

from runner.domain.errors import StateFileUnusable
from runner.domain.records import FREE
from runner.domain.states import LostContact, RetryRequested, SubmissionStarted, TakeState
from runner.store.append_event import append, read_epoch
from runner.store.receipt_file import Receipt
from runner.store.receipts import enter_receipt
from runner.store.witness import Sent, Testimony, of_run
from runner.system.escapes import command_line

BY = "restore"
_REASON = "a witness beside the state file knows a later submission"


def submissions(connection: sqlite3.Connection) -> list[Sent]:
    """Return every submission on record."""
    rows = connection.execute(
        "SELECT a.attempt, a.take_id, t.model, a.fingerprint, a.epoch, a.started_at, coalesce(a.request_id, ''),"
        " a.outcome FROM attempts a JOIN takes t ON t.take_id = a.take_id ORDER BY a.rowid"
    )
    return [Sent(*row[:-1], is_free=not row[-2] and row[-1] in FREE) for row in rows]  # type: ignore[misc]


def unrecorded(connection: sqlite3.Connection, told: Iterable[Sent]) -> list[Sent]:
    """Return the submissions in `told` that the record does not know, or whose request id it does not know."""
    attempts, ids = set[str](), set[str]()
    for attempt, request_id in connection.execute("SELECT attempt, request_id FROM attempts"):
        attempts.add(attempt)
        ids.add(request_id)
    return [
        each
        for each in told
        if (each.request_id not in ids if each.request_id else each.attempt not in attempts)
        and not (each.request_id and _in_an_event(connection, each.request_id))
    ]


def left_aside(connection: sqlite3.Connection, told: Iterable[Testimony], *, run_id: str) -> frozenset[str]:
    """Return the fingerprints of submissions that `restore` left aside and that were not recorded since."""
    every = reduce(Testimony.joined, of_run(told, run_id), Testimony())
    left = [each for each in every.paid if every.has_left(each)]
    lacking = unrecorded(connection, left) if left else []
    return frozenset(each.fingerprint for each in lacking if each.fingerprint)


def refuse_left(path: Path, take_id: str, fingerprint: str, left: Collection[str]) -> None:
    """Refuse to send a body that was sent before and left aside: a take may ask for it again after an edit.

    Raises:
        StateFileUnusable: as said.
    """
    if fingerprint in left:
        raise StateFileUnusable(
            f"take {take_id}: its request was sent before the record was lost, and `restore` left that job aside,"
            " since no take asked for it then",
            advice=f"enter it now: {command_line('restore', path.parent)}",
        )


def leaves_jobs(connection: sqlite3.Connection) -> bool:
    """Return whether a take has or may have an unfinished job, or a clip that is still to be downloaded."""
    found = connection.execute(
        "SELECT 1 FROM takes WHERE state IN ('submitting', 'held', 'queued', 'running')"
        " OR state = 'succeeded' AND delivery IN ('none', 'fetching') LIMIT 1"
    )
    return found.fetchone() is not None


def _in_an_event(connection: sqlite3.Connection, request_id: str) -> bool:
    """Return whether an event has this id: a late answer, or an adoption that was undone."""
    found = connection.execute(
        "SELECT 1 FROM events WHERE json_extract(details, '$.request_id') = ? LIMIT 1", (request_id,)
    )
    return found.fetchone() is not None


def enter(connection: sqlite3.Connection, sent: Sent, take_id: str, *, at: float) -> TakeState | None:
    """Record a submission for `take_id`, and return the take's state afterwards; None if it was not recorded.

    A submission without an id is not recorded if the take has moved on without it.
    """
    standing = _standing(connection, take_id)
    attempt = sent.attempt or f"{BY}-{sent.request_id}"
    is_new = not connection.execute("SELECT 1 FROM attempts WHERE attempt = ?", (attempt,)).fetchone()
    if is_new and standing in {TakeState.FAILED, TakeState.CANCELLED} and sent.attempt:
        append(connection, take_id, RetryRequested(BY, _REASON), at=at)
        standing = TakeState.PENDING
    if sent.request_id:
        # If the attempt of a held take is unknown, the id is adopted, as a person would do it.
        known = None if standing is TakeState.HELD and not sent.attempt else attempt
        receipt = Receipt(take_id, known, sent.request_id, sent.at or at, BY)
        # The take was found by its fingerprint, and another take may have had its name then.
        found = enter_receipt(connection, receipt, by_name_then=False)
        return _standing(connection, take_id) if found else None
    if not (is_new and standing is TakeState.PENDING):
        return None
    fingerprint = connection.execute(
        "SELECT fingerprint FROM takes WHERE take_id = ?", (take_id,)
    ).fetchone()[0]
    begun = SubmissionStarted(attempt, fingerprint, read_epoch(connection))
    append(connection, take_id, begun, at=sent.at or at)
    append(connection, take_id, LostContact(attempt, "unknown", _REASON), at=at)
    return TakeState.HELD


def _standing(connection: sqlite3.Connection, take_id: str) -> TakeState:
    row = connection.execute("SELECT state FROM takes WHERE take_id = ?", (take_id,)).fetchone()
    return TakeState(row[0])


def model_of(connection: sqlite3.Connection, take_id: str) -> str:
    """Return a take's model, empty for a take that is not on record."""
    row = connection.execute("SELECT model FROM takes WHERE take_id = ?", (take_id,)).fetchone()
    return "" if row is None else str(row[0])
