"""What the record lacks and how it is entered: receipts kept beside it, and submissions that witnesses know.

Everything here runs in the caller's transaction. No sent take becomes pending: a submission with an id is recorded with
it, and one without an id is held. Entering a receipt twice changes nothing, so a start may die after the commit and
before the side file is emptied.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import reduce
from pathlib import Path

from runner.domain import states
from runner.domain.errors import IllegalTransition, StateFileUnusable
from runner.domain.states import FREE
from runner.store.append_event import append, read_epoch
from runner.store.database import value
from runner.store.disk_failure import Receipt
from runner.store.witness import Sent, Testimony, of_run
from runner.system.escapes import command_line

BY = "restore"
_REASON = "a witness beside the state file knows a later submission"


def begin(
    connection: sqlite3.Connection, kept: Iterable[Receipt], *, at: float
) -> tuple[int, tuple[str, ...], list[Receipt]]:
    """Make the caller the only process that may submit: raise the epoch, enter `kept`, hold takes whose sender died.

    Returns the new epoch, the ids of the held takes, and those receipts that the file has taken.
    """
    epoch = value(connection, "UPDATE run SET epoch = epoch + 1 RETURNING epoch")
    # Receipts come first: otherwise a take would be held although its answer is known.
    entered = [receipt for receipt in kept if enter_receipt(connection, receipt)]
    return epoch, _hold_abandoned(connection, at=at), entered


def _hold_abandoned(connection: sqlite3.Connection, *, at: float) -> tuple[str, ...]:
    found = connection.execute(
        "SELECT t.take_id, a.attempt FROM takes t JOIN attempts a"
        " ON a.take_id = t.take_id AND a.number = t.attempts WHERE t.state = 'submitting'"
        " ORDER BY t.position IS NULL, t.position, t.rowid"
    ).fetchall()
    for take_id, attempt in found:
        lost = states.LostContact(attempt, milestone="unknown", reason="the runner died while sending")
        append(connection, take_id, lost, at=at)
    return tuple(take_id for take_id, _ in found)


def has_receipt(connection: sqlite3.Connection, receipt: Receipt) -> bool:
    """Return whether the take has this id already, in any attempt or only in an event."""
    return _has(connection, _addressed(connection, receipt))


def _has(connection: sqlite3.Connection, receipt: Receipt) -> bool:
    found = value(
        connection,
        "SELECT 1 FROM attempts WHERE take_id = ?1 AND request_id = ?2 UNION ALL SELECT 1 FROM events"
        " WHERE take_id = ?1 AND fact = 'LateAnswer' AND details ->> 'request_id' = ?2",
        receipt.take,
        receipt.request_id,
    )
    return found is not None


def enter_receipt(connection: sqlite3.Connection, receipt: Receipt, *, by_name_then: bool = True) -> bool:
    """Record a receipt that was kept beside the file: as the answer if the take waits for one, else as a late answer.

    With `by_name_then` the receipt has the take's name at that time, otherwise its present name. Return False, and
    change nothing, if the file knows no such take.
    """
    receipt = _addressed(connection, receipt, by_name_then=by_name_then)
    if _has(connection, receipt):
        return True
    attempt = receipt.attempt or value(
        connection,
        "SELECT attempt FROM attempts WHERE take_id = ? ORDER BY number DESC LIMIT 1",
        receipt.take,
    )
    fingerprint = _fingerprint_of(connection, receipt.take)
    if fingerprint is None or attempt is None:
        return False
    own: states.Fact = states.Adopted(receipt.request_id, receipt.by)
    if receipt.attempt:
        own = states.Accepted(attempt, receipt.request_id)
    connection.execute("SAVEPOINT receipt")
    try:
        # A failing disk may also have lost a flush that it reported. Then the take looks as if it had never been sent.
        known = _knows(connection, attempt)
        if not known and _standing(connection, receipt.take) is states.TakeState.PENDING:
            begun = states.SubmissionStarted(attempt, fingerprint, read_epoch(connection))
            append(connection, receipt.take, begun, at=receipt.at)
        append(connection, receipt.take, own, at=receipt.at)
    except (IllegalTransition, sqlite3.IntegrityError):
        connection.execute("ROLLBACK TO receipt")
        append(connection, receipt.take, states.LateAnswer(attempt, receipt.request_id), at=receipt.at)
    connection.execute("RELEASE receipt")
    return True


def _addressed(connection: sqlite3.Connection, receipt: Receipt, *, by_name_then: bool = True) -> Receipt:
    """Return the receipt with its take's present id: after a rename another take may have the old id."""
    take = value(connection, "SELECT take_id FROM attempts WHERE attempt = ?", receipt.attempt)
    if take is None and by_name_then:
        # An event follows its take, so the event's present take is the one that had the old id then.
        take = value(
            connection,
            "SELECT take_id FROM events WHERE fact = 'Renamed' AND at >= ? AND details ->> 'old' = ?"
            " ORDER BY seq LIMIT 1",
            receipt.at,
            receipt.take,
        )
    return receipt if take is None else replace(receipt, take=take)


def submissions(connection: sqlite3.Connection) -> list[Sent]:
    """Return every submission on record."""
    rows = connection.execute(
        "SELECT a.attempt, a.take_id, t.model, a.fingerprint, a.epoch, a.started_at, coalesce(a.request_id, ''),"
        " a.outcome FROM attempts a JOIN takes t ON t.take_id = a.take_id ORDER BY a.rowid"
    )
    return [Sent(*row[:-1], is_free=not row[-2] and row[-1] in FREE) for row in rows]  # type: ignore[misc]


def unrecorded(connection: sqlite3.Connection, told: Iterable[Sent]) -> list[Sent]:
    """Return the submissions in `told` that the record does not know, or whose request id it does not know."""
    told = tuple(told)
    if not told:
        return []
    attempts, ids = set[str](), set[str]()
    for attempt, request_id in connection.execute("SELECT attempt, request_id FROM attempts"):
        attempts.add(attempt)
        ids.add(request_id)
    # Only an event has the id of some late answers, and of an adoption that was undone.
    in_an_event = "SELECT 1 FROM events WHERE json_extract(details, '$.request_id') = ? LIMIT 1"
    return [
        each
        for each in told
        if (each.request_id not in ids if each.request_id else each.attempt not in attempts)
        and not (each.request_id and value(connection, in_an_event, each.request_id))
    ]


def left_aside(connection: sqlite3.Connection, told: Iterable[Testimony], *, run_id: str) -> frozenset[str]:
    """Return the fingerprints of submissions that `restore` left aside and that were not recorded since."""
    every = reduce(Testimony.joined, of_run(told, run_id), Testimony())
    left = [each for each in every.paid if every.has_left(each)]
    lacking = unrecorded(connection, left) if left else []
    return frozenset(each.fingerprint for each in lacking if each.fingerprint)


def refuse_left(path: Path, take_id: str, fingerprint: str, left: Collection[str]) -> None:
    """Refuse to send a body that was sent before and left aside: a take may ask for it again after an edit.

    Raises `StateFileUnusable`.
    """
    if fingerprint in left:
        raise StateFileUnusable(
            f"take {take_id}: its request was sent before the record was lost, and `restore` left that job aside,"
            " since no take asked for it then",
            advice=f"enter it now: {command_line('restore', path.parent)}",
        )


def leaves_jobs(connection: sqlite3.Connection) -> bool:
    """Return whether a take has or may have an unfinished job, or a clip that is still to be downloaded."""
    unfinished = "state IN ('submitting', 'held', 'queued', 'running')"
    to_download = "state = 'succeeded' AND delivery IN ('none', 'fetching')"
    query = f"SELECT 1 FROM takes WHERE {unfinished} OR {to_download} LIMIT 1"  # noqa: S608 - our own names
    return value(connection, query) is not None


def enter(connection: sqlite3.Connection, sent: Sent, take_id: str, *, at: float) -> states.TakeState | None:
    """Record a submission for `take_id`, and return the take's state afterwards; None if it was not recorded.

    A submission without an id is not recorded if the take has moved on without it.
    """
    standing = _standing(connection, take_id)
    attempt = sent.attempt or f"{BY}-{sent.request_id}"
    is_new = not _knows(connection, attempt)
    if is_new and standing in {states.TakeState.FAILED, states.TakeState.CANCELLED} and sent.attempt:
        append(connection, take_id, states.RetryRequested(BY, _REASON), at=at)
        standing = states.TakeState.PENDING
    if sent.request_id:
        # If the attempt of a held take is unknown, the id is adopted, as a person would do it.
        known = None if standing is states.TakeState.HELD and not sent.attempt else attempt
        receipt = Receipt(take_id, known, sent.request_id, sent.at or at, BY)
        # The take was found by its fingerprint, and another take may have had its name then.
        found = enter_receipt(connection, receipt, by_name_then=False)
        return _standing(connection, take_id) if found else None
    if not (is_new and standing is states.TakeState.PENDING):
        return None
    begun = states.SubmissionStarted(
        attempt, _fingerprint_of(connection, take_id) or "", read_epoch(connection)
    )
    append(connection, take_id, begun, at=sent.at or at)
    append(connection, take_id, states.LostContact(attempt, "unknown", _REASON), at=at)
    return states.TakeState.HELD


def _knows(connection: sqlite3.Connection, attempt: str) -> bool:
    return value(connection, "SELECT 1 FROM attempts WHERE attempt = ?", attempt) is not None


def _standing(connection: sqlite3.Connection, take_id: str) -> states.TakeState:
    return states.TakeState(value(connection, "SELECT state FROM takes WHERE take_id = ?", take_id))


def _fingerprint_of(connection: sqlite3.Connection, take_id: str) -> str | None:
    found: str | None = value(connection, "SELECT fingerprint FROM takes WHERE take_id = ?", take_id)
    return found
