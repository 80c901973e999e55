"""Enters the receipts that were kept beside the state file, at the next start.

In: a connection inside the caller's transaction, and receipts. Out: the facts that they prove. It knows no side file.
Entering a receipt twice changes nothing, so a start may die after the commit and before the side file is emptied.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from runner.domain.errors import IllegalTransition
from runner.domain.states import Accepted, Adopted, LateAnswer, SubmissionStarted, TakeState
from runner.store.append_event import append, read_epoch
from runner.store.receipt_file import Receipt


def has_receipt(connection: sqlite3.Connection, receipt: Receipt) -> bool:
    """Return whether the take has this id already, in any attempt or only in an event."""
    return _has(connection, _addressed(connection, receipt))


def _has(connection: sqlite3.Connection, receipt: Receipt) -> bool:
    found = connection.execute(
        "SELECT 1 FROM attempts WHERE take_id = ?1 AND request_id = ?2 UNION ALL SELECT 1 FROM events"
        " WHERE take_id = ?1 AND fact = 'LateAnswer' AND details ->> 'request_id' = ?2",
        (receipt.take, receipt.request_id),
    )
    return found.fetchone() is not None


def enter_receipt(connection: sqlite3.Connection, receipt: Receipt, *, by_name_then: bool = True) -> bool:
    """Record a receipt that was kept beside the file: as the answer if the take waits for one, else as a late answer.

    With `by_name_then` the receipt has the take's name at that time, otherwise its present name. Return False, and
    change nothing, if the file knows no such take.
    """
    receipt = _addressed(connection, receipt, by_name_then=by_name_then)
    if _has(connection, receipt):
        return True
    found = connection.execute("SELECT fingerprint FROM takes WHERE take_id = ?", (receipt.take,)).fetchone()
    if found is None:
        return False
    attempt = receipt.attempt or _latest_attempt(connection, receipt.take)
    if attempt is None:
        return False
    own = (
        Accepted(attempt, receipt.request_id) if receipt.attempt else Adopted(receipt.request_id, receipt.by)
    )
    connection.execute("SAVEPOINT receipt")
    try:
        if _is_forgotten(connection, receipt.take, attempt):
            begun = SubmissionStarted(attempt, found[0], read_epoch(connection))
            append(connection, receipt.take, begun, at=receipt.at)
        append(connection, receipt.take, own, at=receipt.at)
    except (IllegalTransition, sqlite3.IntegrityError):
        connection.execute("ROLLBACK TO receipt")
        append(connection, receipt.take, LateAnswer(attempt, receipt.request_id), at=receipt.at)
    connection.execute("RELEASE receipt")
    return True


def _addressed(connection: sqlite3.Connection, receipt: Receipt, *, by_name_then: bool = True) -> Receipt:
    """Return the receipt with its take's present id: after a rename another take may have the old id."""
    row = connection.execute("SELECT take_id FROM attempts WHERE attempt = ?", (receipt.attempt,)).fetchone()
    if row is None and by_name_then:
        # An event follows its take, so the event's present take is the one that had the old id then.
        row = connection.execute(
            "SELECT take_id FROM events WHERE fact = 'Renamed' AND at >= ? AND details ->> 'old' = ?"
            " ORDER BY seq LIMIT 1",
            (receipt.at, receipt.take),
        ).fetchone()
    return receipt if row is None else replace(receipt, take=row[0])


def _latest_attempt(connection: sqlite3.Connection, take_id: str) -> str | None:
    row = connection.execute(
        "SELECT attempt FROM attempts WHERE take_id = ? ORDER BY number DESC LIMIT 1", (take_id,)
    ).fetchone()
    return None if row is None else str(row[0])


def _is_forgotten(connection: sqlite3.Connection, take_id: str, attempt: str) -> bool:
    # A failing disk may also have lied about the flush before. Then the take looks as if it had never been sent.
    row = connection.execute(
        "SELECT state, EXISTS (SELECT 1 FROM attempts WHERE attempt = ?) FROM takes WHERE take_id = ?",
        (attempt, take_id),
    ).fetchone()
    return row[0] == TakeState.PENDING and not row[1]
