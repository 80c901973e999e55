"""Brings a plan into the state file: new takes in, corrected ones renewed, the others' places refreshed.

Runs inside the caller's transaction, so a plan is adopted whole or not at all. What was ever sent keeps
its body: a row that changed afterwards is the caller's to report, not ours to overwrite.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable

from runner.errors import IllegalTransition
from runner.shots import Manifest, Plan, Take
from runner.states import NEVER_CHARGED, RetryRequested, TakeState
from runner.store.append import append

_UPSERT = """
INSERT INTO takes (take_id, shot_id, model, body, fingerprint, seed, point, position, tags, notes, cells)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (take_id) DO UPDATE
SET position = excluded.position, tags = excluded.tags, notes = excluded.notes, cells = excluded.cells
WHERE (position, tags, notes, cells) IS NOT (excluded.position, excluded.tags, excluded.notes, excluded.cells)
"""


def adopt(connection: sqlite3.Connection, plan: Plan, *, renew: Collection[str], at: float) -> None:
    """Record `plan`; takes named in `renew` get its body, fingerprint, seed and point.

    Raises:
        IllegalTransition: a take to renew is not in the plan, or may have been paid for.
    """
    _store_manifest(connection, plan.manifest, at=at)
    _forget_places(connection, {take.id for take in plan.takes})
    connection.executemany(_UPSERT, _rows(plan.takes))
    by_id = {take.id: take for take in plan.takes}
    for take_id in renew:
        if take_id not in by_id:
            raise IllegalTransition(f"take {take_id} is not in the plan and cannot be renewed")
        _renew(connection, by_id[take_id], at=at)


def _store_manifest(connection: sqlite3.Connection, manifest: Manifest, *, at: float) -> None:
    connection.execute(
        "INSERT INTO manifests (sha256, file, adopted_at, text) VALUES (?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING",
        (manifest.sha256, manifest.file, at, manifest.text),
    )
    connection.execute(
        "UPDATE run SET columns = ?, newest_manifest = (SELECT id FROM manifests WHERE sha256 = ?)",
        (json.dumps(manifest.columns), manifest.sha256),
    )


def _forget_places(connection: sqlite3.Connection, planned: Collection[str]) -> None:
    # Only takes that really left are touched: a resumed run of ten thousand takes writes nothing here.
    placed = connection.execute("SELECT take_id FROM takes WHERE position IS NOT NULL").fetchall()
    gone = [row for row in placed if row[0] not in planned]
    connection.executemany("UPDATE takes SET position = NULL WHERE take_id = ?", gone)


def _rows(takes: Iterable[Take]) -> Iterable[tuple[object, ...]]:
    for position, take in enumerate(takes):
        yield (
            take.id,
            *_content(take),
            position,
            json.dumps(take.tags),
            take.notes,
            json.dumps(dict(take.cells)),
        )


def _content(take: Take) -> tuple[object, ...]:
    seed = None if take.seed is None else str(take.seed)
    return (take.shot_id, take.model, take.body, take.fingerprint, seed, json.dumps(dict(take.point)))


def _renew(connection: sqlite3.Connection, take: Take, *, at: float) -> None:
    state, failure = connection.execute(
        "SELECT state, failure FROM takes WHERE take_id = ?", (take.id,)
    ).fetchone()
    # A fact like any other, so that the event log tells why a failed take is pending again.
    if state == TakeState.FAILED and failure in NEVER_CHARGED:
        fact = RetryRequested(by="manifest", reason=f"the row was corrected; as it was it had been {failure}")
        append(connection, take.id, fact, at=at)
    renewed = connection.execute(
        "UPDATE takes SET shot_id = ?, model = ?, body = ?, fingerprint = ?, seed = ?, point = ?"
        " WHERE take_id = ? AND state = 'pending'",
        (*_content(take), take.id),
    )
    if renewed.rowcount != 1:
        raise IllegalTransition(f"take {take.id} is {state}: it may have been paid for and keeps its body")
