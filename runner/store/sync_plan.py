"""Records a plan in the state file: it adds new takes, renames renamed ones and renews corrected ones.

It works inside the caller's transaction. A sent take keeps its body; what the manifest asks for now is noted beside it,
so that the record alone shows a changed row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping

from runner.domain.errors import IllegalTransition
from runner.domain.labels import Numbered, new_numbers
from runner.domain.money import estimate
from runner.domain.name_template import NamedTake, file_names, kept_template
from runner.domain.shots import Plan, Take
from runner.domain.states import NEVER_CHARGED, Renamed, RetryRequested, TakeState
from runner.store.append_event import append
from runner.store.database import change_one
from runner.store.row_mapping import BY_PLACE

_UPSERT = """
INSERT INTO takes
    (take_id, shot_id, model, body, fingerprint, seed, point, position, tags, notes, cells, estimate, price)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (take_id) DO UPDATE
SET position = excluded.position, tags = excluded.tags, notes = excluded.notes, cells = excluded.cells,
    shot_id = excluded.shot_id, point = excluded.point, estimate = excluded.estimate, price = excluded.price
WHERE (position, tags, notes, cells, shot_id, point, estimate, price)
    IS NOT (excluded.position, excluded.tags, excluded.notes, excluded.cells, excluded.shot_id, excluded.point,
            excluded.estimate, excluded.price)
"""
_ASIDE = "\x00"


def adopt(
    connection: sqlite3.Connection,
    plan: Plan,
    *,
    renew: Collection[str],
    at: float,
    renames: Mapping[str, str],
    name_template: str | None = None,
) -> bool:
    """Record `plan`; takes named in `renew` get its body, and `renames` maps recorded ids to new ones.

    Files are named by `name_template`, or by that of the run if it is None. Returns whether a reader would see any take
    differently now. Raises `IllegalTransition` if a take to renew is not in the plan, or may have been paid for.
    """
    manifest = plan.manifest
    connection.execute(
        "INSERT INTO manifests (sha256, file, adopted_at, text) VALUES (?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING",
        (manifest.sha256, manifest.file, at, manifest.text),
    )
    connection.execute(
        "UPDATE run SET columns = ?, newest_manifest = (SELECT id FROM manifests WHERE sha256 = ?)",
        (json.dumps(manifest.columns), manifest.sha256),
    )
    before = connection.total_changes
    _store_schemas(connection, plan.schemas, at=at)
    _rename(connection, renames, at=at)
    _forget_places(connection, {take.id for take in plan.takes})
    connection.executemany(_UPSERT, _rows(plan.placed()))
    _give_numbers(connection, frozenset(renames.values()) | _wish_numbers(connection, plan))
    by_id = {take.id: take for take in plan.takes}
    for take_id in renew:
        if take_id not in by_id:
            raise IllegalTransition(f"take {take_id} is not in the plan and cannot be renewed")
        _renew(connection, by_id[take_id], at=at)
    _note_wanted(connection, by_id)
    # Last, since a renewed take may have another seed.
    name_files(connection, name_template)
    is_changed = connection.total_changes > before
    if is_changed:
        # This is how a reader recognizes that a report from before is out of date.
        connection.execute("UPDATE manifests SET adopted_at = ? WHERE sha256 = ?", (at, manifest.sha256))
    return is_changed


def _store_schemas(connection: sqlite3.Connection, schemas: Mapping[str, str], *, at: float) -> None:
    connection.executemany(
        "INSERT INTO schemas (model, sha256, first_seen) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(model, sha256, at) for model, sha256 in schemas.items()],
    )
    connection.executemany(
        "UPDATE schemas SET in_use = (sha256 = ?1) WHERE model = ?2 AND in_use <> (sha256 = ?1)",
        [(sha256, model) for model, sha256 in schemas.items()],
    )


def _rename(connection: sqlite3.Connection, renames: Mapping[str, str], *, at: float) -> None:
    if not renames:
        return
    # Attempts and events follow within this transaction; two takes may also have exchanged ids.
    connection.execute("PRAGMA defer_foreign_keys = ON")
    for old in renames:
        _give_id(connection, old, _ASIDE + old)
    for old, new in renames.items():
        _give_id(connection, _ASIDE + old, new)
    for old, new in renames.items():
        append(connection, new, Renamed(old, _why_renamed(old, new)), at=at)


def _why_renamed(old: str, new: str) -> str:
    if new.startswith(f"{old}~"):
        return "made room for a newer render"
    return "an edit was taken back" if old.startswith(f"{new}~") else "the manifest uses this name now"


def _give_id(connection: sqlite3.Connection, old: str, new: str) -> None:
    change_one(
        connection,
        "UPDATE takes SET take_id = ? WHERE take_id = ?",
        (new, old),
        refusal=f"the state file knows no take {old.removeprefix(_ASIDE)}",
    )
    connection.execute("UPDATE attempts SET take_id = ? WHERE take_id = ?", (new, old))
    connection.execute("UPDATE events SET take_id = ? WHERE take_id = ?", (new, old))


def _forget_places(connection: sqlite3.Connection, planned: Collection[str]) -> None:
    # Only takes that really left are updated: a resumed run of ten thousand takes writes nothing here.
    placed = connection.execute("SELECT take_id FROM takes WHERE position IS NOT NULL").fetchall()
    gone = [row for row in placed if row[0] not in planned]
    connection.executemany("UPDATE takes SET position = NULL WHERE take_id = ?", gone)


def _wish_numbers(connection: sqlite3.Connection, plan: Plan) -> frozenset[str]:
    """Give each new take of a shard its number on the whole board; return the ids, since another may have it."""
    wished = plan.board_numbers()
    new = connection.execute("SELECT take_id FROM takes WHERE number = 0").fetchall() if wished else ()
    fresh = [(wished[take_id], take_id) for (take_id,) in new if take_id in wished]
    connection.executemany("UPDATE takes SET number = ? WHERE take_id = ?", fresh)
    return frozenset(take_id for _, take_id in fresh)


def _give_numbers(connection: sqlite3.Connection, moved: Collection[str]) -> None:
    """Give each new take the next number of its shot, and so one that `moved` to a shot where its own is taken."""
    if not moved and not connection.execute("SELECT 1 FROM takes WHERE number = 0 LIMIT 1").fetchone():
        return
    rows = connection.execute(f"SELECT take_id, shot_id, number FROM takes {BY_PLACE}")  # noqa: S608 - our own names
    changed = new_numbers((Numbered(*row) for row in rows), moved=moved)
    given = [(number, take_id) for take_id, number in changed.items()]
    connection.executemany("UPDATE takes SET number = ? WHERE take_id = ?", given)


def name_files(connection: sqlite3.Connection, template: str | None, *, strict: bool = False) -> None:
    """Note the name of each take's files by a template, by that of the run if it is None; no file is touched.

    A take that the template cannot name gets another name.

    Raises:
        UsageError: the text is not a template, or with `strict` it does not suit the takes of the board.
    """
    known = connection.execute("SELECT name_template FROM run").fetchone()[0]
    wanted = known if template is None else kept_template(template)
    if wanted != known:
        connection.execute("UPDATE run SET name_template = ?", (wanted,))
    if not wanted:
        connection.execute("UPDATE takes SET stem = '' WHERE stem <> ''")
        return
    found = file_names(wanted, _named_takes(connection))
    if strict:
        found.refuse()
    before = dict(connection.execute("SELECT take_id, stem FROM takes"))
    stems = {take_id: "" if stem == take_id else stem for take_id, stem in found.stems.items()}
    changed = [(stem, take_id) for take_id, stem in stems.items() if stem != before[take_id]]
    connection.executemany("UPDATE takes SET stem = ? WHERE take_id = ?", changed)


def _named_takes(connection: sqlite3.Connection) -> Iterator[NamedTake]:
    rows = connection.execute(
        f"SELECT take_id, shot_id, number, model, seed, tags, point, position IS NOT NULL FROM takes {BY_PLACE}"  # noqa: S608 - our own names
    )
    for take_id, shot_id, number, model, seed, tags, point, is_planned in rows:
        known_seed = None if seed is None else int(seed)
        yield NamedTake(
            take_id, shot_id, number, model, known_seed, json.loads(tags), json.loads(point), bool(is_planned)
        )


def _rows(takes: Iterable[tuple[int, Take]]) -> Iterable[tuple[object, ...]]:
    for position, take in takes:
        tags, cells = json.dumps(take.tags), json.dumps(dict(take.cells))
        price = take.price.to_json() if take.price else ""
        terms = (estimate(take.price, take.body), price)
        yield (take.id, *_content(take), position, tags, take.notes, cells, *terms)


def _content(take: Take) -> tuple[object, ...]:
    seed = None if take.seed is None else str(take.seed)
    return (take.shot_id, take.model, take.body, take.fingerprint, seed, json.dumps(dict(take.point)))


def _renew(connection: sqlite3.Connection, take: Take, *, at: float) -> None:
    state, failure = connection.execute(
        "SELECT state, failure FROM takes WHERE take_id = ?", (take.id,)
    ).fetchone()
    # This is an ordinary fact, so that the event log shows why a failed take is pending again.
    if state == TakeState.FAILED and failure in NEVER_CHARGED:
        fact = RetryRequested(by="manifest", reason=f"the row was corrected; the old row had been {failure}")
        append(connection, take.id, fact, at=at)
    change_one(
        connection,
        "UPDATE takes SET shot_id = ?, model = ?, body = ?, fingerprint = ?, seed = ?, point = ?"
        " WHERE take_id = ? AND state = 'pending'",
        (*_content(take), take.id),
        refusal=f"take {take.id} is {state}: it may have been paid for and keeps its body",
    )


def _note_wanted(connection: sqlite3.Connection, takes: Mapping[str, Take]) -> None:
    """Note beside each take what the manifest asks for now if that differs from what was sent, else nothing."""
    changes: list[tuple[object, ...]] = []
    rows = connection.execute("SELECT take_id, fingerprint, wanted FROM takes WHERE position IS NOT NULL")
    for take_id, sent, noted in rows:
        take = takes[take_id]
        wanted = None if take.fingerprint == sent else take.fingerprint
        if wanted != noted:
            changes.append((wanted, *((take.model, take.body) if wanted else (None, None)), take_id))
    connection.executemany(
        "UPDATE takes SET wanted = ?, wanted_model = ?, wanted_body = ? WHERE take_id = ?", changes
    )
    # The manifest no longer asks for an older render, nor for a take that left it.
    connection.execute(
        "UPDATE takes SET wanted = NULL, wanted_model = NULL, wanted_body = NULL"
        " WHERE position IS NULL AND wanted IS NOT NULL"
    )
