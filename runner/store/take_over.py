"""Makes a process the only one that may submit: it raises the epoch, enters receipts and holds abandoned takes.

In: a connection in a transaction, receipts from beside the file, the time. Out: the epoch, and the ids of the takes
that are held now. It knows no file. All of it happens in one transaction, which belongs to the caller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from runner.domain.states import LostContact
from runner.store.append_event import append
from runner.store.receipt_file import Receipt
from runner.store.receipts import enter_receipt


def begin(
    connection: sqlite3.Connection, kept: Iterable[Receipt], *, at: float
) -> tuple[int, tuple[str, ...], list[Receipt]]:
    """Raise the epoch, enter `kept`, and hold every take whose sender died.

    Returns the new epoch, the ids of the held takes, and those receipts that the file has taken.
    """
    epoch = connection.execute("UPDATE run SET epoch = epoch + 1 RETURNING epoch").fetchone()[0]
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
        lost = LostContact(attempt, milestone="unknown", reason="the runner died while sending")
        append(connection, take_id, lost, at=at)
    return tuple(take_id for take_id, _ in found)
