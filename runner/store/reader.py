"""Reads a state file, also during a run or after a kill; any number of readers may do so at once.

It takes no run lock and changes no byte of the state. It makes no file beside a closed state file; after a kill SQLite
may rebuild its index of the log (`-shm`). A reader belongs to the thread that uses it. Each call sees one moment.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Any, Self, TypeVar

from runner.domain.clip_checks import Probe
from runner.domain.job_settings import settings_of
from runner.domain.labels import take_label
from runner.domain.money import Charge, Spending
from runner.domain.records import (
    AttemptRecord,
    Completion,
    CostsUntold,
    EventRecord,
    JobSpan,
    OrderRecord,
    PastJob,
    RunRecord,
    SchemaRecord,
    SessionRecord,
    Standing,
    TakeFigures,
    TakeOutcome,
    TakeRecord,
)
from runner.domain.shots import Ticket
from runner.domain.states import ENDED, FREE, GIVEN_UP, DeliveryState, Fact, Renamed, TakeState
from runner.domain.take_names import FormerName, NamedTake
from runner.store import database, open_checks
from runner.store.append_event import read_epoch
from runner.store.location import Origin
from runner.store.marker import is_noted_simulated
from runner.store.row_mapping import BY_PLACE, columns_of, decode, read_header
from runner.store.schema import MIGRATIONS, NEWEST, OLDER
from runner.store.unrecorded import unrecorded
from runner.store.witness import NOTHING_HEARD, Heard, Sent

R = TypeVar(
    "R",
    TakeRecord,
    Standing,
    TakeOutcome,
    AttemptRecord,
    EventRecord,
    SchemaRecord,
    SessionRecord,
    OrderRecord,
    Ticket,
)
E = TypeVar("E", bound=StrEnum)
DURATIONS_KEPT = 400
_AT_ONCE = 100
_COUNTED = "(state <> 'pending' OR position IS NOT NULL)"
_RECENT_EVENTS = 20_000
_CHARGED = (
    "FROM attempts a JOIN takes t ON t.take_id = a.take_id WHERE a.request_id IS NOT NULL"
    f" OR coalesce(a.outcome, '') NOT IN ({', '.join(repr(str(word)) for word in sorted(FREE))})"
)


def open_reader(path: Path, *, checked: bool = False) -> Reader:
    """Open the state file for reading; `checked` means that this process writes it, so its log is sound.

    A file of an older program is seen like a new one; the next run migrates it.

    Raises:
        FileMissing: there is none, and nothing says that there was one.
        StateFileUnusable: it is damaged, foreign, newer, lost, incomplete, or has a log on a network share.
    """
    # Reading needs no permission from a person: without a log a share is read like a disk.
    open_checks.refuse_odd_place(path, network=True)
    with open_checks.readable(path):
        open_checks.refuse_bad_log(path, checked=checked)
        connection = database.connect_reader(path)
        try:
            open_checks.refuse_stranger(connection, path)
            version = int(str(database.pragma(connection, "user_version")))
            if version < len(MIGRATIONS):
                connection.execute("PRAGMA temp_store = MEMORY")
                for statement in OLDER[version]:
                    connection.execute(statement)
            return Reader(path, connection)
        except BaseException:
            connection.close()
            raise


def read_heard(path: Path) -> Heard:
    """Return what the state file at `path` was last noted to contain; nothing if it cannot be read, or has no note."""
    # A pipe of this name would be waited for.
    if not path.is_file():
        return NOTHING_HEARD
    with (
        suppress(sqlite3.Error, OSError, ValueError, TypeError),
        closing(database.connect_glance(path)) as connection,
    ):
        run_id, extents = connection.execute("SELECT run_id, heard FROM run").fetchone()
        return Heard(run_id, json.loads(extents))
    return NOTHING_HEARD


class Reader:
    """An open state file for reading only; close it, or use it as a context manager.

    `header` is the run's header at the time of opening.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over a read-only connection; use `open_reader` instead."""
        self.path = path
        self.header = read_header(connection)
        self._connection = connection

    @property
    def nothing_paid(self) -> bool:
        """True for a run with a simulator of its own, or with an API that says that it is one: for display alone."""
        return self.header.simulated or is_noted_simulated(self.path, self.header.run_id)

    @property
    def epoch(self) -> int:
        """How many runners have begun on this file."""
        with open_checks.readable(self.path):
            return read_epoch(self._connection)

    def takes(self) -> list[TakeRecord]:
        """Return every take in manifest order, then those that left the manifest."""
        return self._select(TakeRecord, f"FROM takes {BY_PLACE}")

    def standings(self, *, delivered: bool = False) -> list[Standing]:
        """Return where every take, or every `delivered` one, stands, in the order of `takes`."""
        which = "WHERE delivery = 'delivered' " if delivered else ""
        return self._select(Standing, f"FROM takes {which}{BY_PLACE}")

    def name_template(self) -> str:
        """Return what the names of files are made from, empty if they are the takes' ids."""
        return str(self._rows("SELECT name_template FROM run")[0][0])

    def names(self) -> Mapping[str, str]:
        """Return the take's id for each fingerprint."""
        return dict(self._rows("SELECT fingerprint, take_id FROM takes ORDER BY rowid"))

    def estimates(self) -> Mapping[str, float]:
        """Return what one submission should cost in US dollars, for each fingerprint with a price."""
        return dict(self._rows("SELECT fingerprint, estimate FROM takes WHERE estimate IS NOT NULL"))

    def named_takes(self) -> list[NamedTake]:
        """Return the names of every take, in the order of `takes`."""
        rows = self._rows(
            f"SELECT take_id, shot_id, number, finished_at, position IS NULL FROM takes {BY_PLACE}"  # noqa: S608 - our own names
        )
        return [NamedTake(take, shot, number, ended, bool(gone)) for take, shot, number, ended, gone in rows]

    def former_names(self) -> list[FormerName]:
        """Return the ids that takes had before they were renamed, the oldest first."""
        rows = self._rows(
            "SELECT take_id, details ->> 'old', at FROM events WHERE fact = ? ORDER BY seq", Renamed.__name__
        )
        # An older render made room, or went back: the time of a word decides there.
        return [
            FormerName(take, old, at)
            for take, old, at in rows
            if "~" in old or old.partition("~")[0] != take.partition("~")[0]
        ]

    def each_take(self) -> Iterator[TakeRecord]:
        """Yield what `takes` returns, one after the other, so that memory does not grow with their number."""
        # Only the places are sorted, and each row is read when its turn comes. LIMIT keeps SQLite from dropping the
        # order of the inner query.
        places = f"SELECT rowid AS place FROM takes {BY_PLACE} LIMIT -1"  # noqa: S608 - our own names
        rest = f"FROM ({places}) CROSS JOIN takes ON takes.rowid = place"
        with open_checks.readable(self.path):
            for row in self._connection.execute(f"SELECT {columns_of(TakeRecord)} {rest}"):
                yield decode(TakeRecord, row)

    def each_figures(self) -> Iterator[TakeFigures]:
        """Yield the figures of every take, in the order of `takes`, in a quarter of the time of `each_take`."""
        with open_checks.readable(self.path):
            for row in self._connection.execute(f"SELECT {columns_of(TakeFigures)} FROM takes {BY_PLACE}"):  # noqa: S608 - our own names
                yield decode(TakeFigures, row)

    def take(self, take_id: str) -> TakeRecord | None:
        """Return one take, or None if there is no such take."""
        return next(iter(self._select(TakeRecord, "FROM takes WHERE take_id = ?", take_id)), None)

    def outcomes(self) -> list[TakeOutcome]:
        """Return what became of each take that `counts` counts, in the order of `takes`."""
        return self._select(TakeOutcome, f"FROM takes WHERE {_COUNTED} {BY_PLACE}")

    def counts(self) -> Mapping[TakeState, int]:
        """Return how many takes are in each state, including states without takes.

        Pending takes that left the manifest are not counted: nothing will happen to them.
        """
        return self._count(TakeState, "state", _COUNTED)

    def deliveries(self) -> Mapping[DeliveryState, int]:
        """Return how many of the succeeded takes are in each delivery state, including unused states."""
        return self._count(DeliveryState, "delivery", "state = 'succeeded'")

    def events(self, take_id: str | None = None) -> list[EventRecord]:
        """Return the facts about one take, or about all, in the order in which they were recorded."""
        if take_id is None:
            return self._select(EventRecord, "FROM events ORDER BY seq")
        return self._select(EventRecord, "FROM events WHERE take_id = ? ORDER BY seq", take_id)

    def count(self, kind: type[Fact]) -> int:
        """Return how many facts of a kind were recorded."""
        return int(self._rows("SELECT count(*) FROM events WHERE fact = ?", kind.__name__)[0][0])

    def attempts(self, take_id: str) -> list[AttemptRecord]:
        """Return the submissions of one take, oldest first."""
        return self._select(AttemptRecord, "FROM attempts WHERE take_id = ? ORDER BY number", take_id)

    def has_sent(self) -> bool:
        """Return whether any submission was ever begun, with any outcome."""
        return bool(self._rows("SELECT 1 FROM takes WHERE attempts > 0 LIMIT 1"))

    def largest_clip(self) -> int:
        """Return the size in bytes of the largest downloaded clip, 0 without any."""
        return int(self._rows("SELECT coalesce(max(bytes), 0) FROM takes")[0][0])

    def sent(self) -> frozenset[str]:
        """Return the ids of all takes that are not waiting to be sent."""
        return frozenset(row[0] for row in self._rows("SELECT take_id FROM takes WHERE state <> 'pending'"))

    def spending(self) -> Spending:
        """Return every attempt that was or may have been charged, oldest first.

        An attempt that is proved or declared free is left out, unless a late answer gave it an id. An attempt without a
        recorded estimate gets its take's present one.
        """
        rows = self._rows(
            f"SELECT a.take_id, coalesce(a.estimate, t.estimate), a.cost, a.number = t.attempts {_CHARGED}"
            " ORDER BY a.rowid"
        )
        return Spending(
            tuple(Charge(take_id, estimate, cost, bool(latest)) for take_id, estimate, cost, latest in rows)
        )

    def sums(self) -> Spending:
        """Return what `spending` does, with equal amounts in one charge, whatever takes they are of."""
        rows = self._rows(
            f"SELECT '', coalesce(a.estimate, t.estimate) AS quoted, a.cost, 1, count(*) {_CHARGED}"
            " GROUP BY quoted, a.cost"
        )
        return Spending(tuple(Charge(*row) for row in rows))

    def unrecorded(self, told: Iterable[Sent]) -> list[Sent]:
        """Return the submissions in `told`, from witnesses, that the record does not know."""
        with open_checks.readable(self.path):
            return unrecorded(self._connection, told)

    def sessions(self) -> list[SessionRecord]:
        """Return the sessions of the run, oldest first."""
        return self._select(SessionRecord, "FROM sessions ORDER BY epoch")

    def newest_session(self) -> SessionRecord | None:
        """Return the session that began last, None before the first."""
        return next(iter(self._select(SessionRecord, "FROM sessions ORDER BY epoch DESC LIMIT 1")), None)

    def orders(self, *, epoch: int) -> list[OrderRecord]:
        """Return the orders that the session of `epoch` has answered, in that order."""
        return self._select(OrderRecord, "FROM orders WHERE epoch = ? ORDER BY rowid", epoch)

    def order(self, order_id: str) -> OrderRecord | None:
        """Return an order that was answered, or None."""
        return next(iter(self._select(OrderRecord, "FROM orders WHERE id = ?", order_id)), None)

    def models(self) -> list[str]:
        """Return the models of all takes, by name."""
        return [row[0] for row in self._rows("SELECT DISTINCT model FROM takes ORDER BY model")]

    def last_event_at(self) -> float | None:
        """Return when the newest fact was recorded, in unix seconds; None before the first."""
        rows = self._rows("SELECT at FROM events ORDER BY seq DESC LIMIT 1")
        return rows[0][0] if rows else None

    def job_spans(self, *, since: float) -> list[JobSpan]:
        """Return the jobs that are at the API, and the latest of those that ended after `since` (unix seconds).

        They are found by the newest 20,000 facts, so that the whole record is not read.
        """
        recent = f"SELECT take_id FROM events WHERE seq > ({NEWEST}) - ? AND fact IN ('Ended', 'Vanished') AND at > ?"  # noqa: S608 - our own names
        rows = self._rows(
            "SELECT model, submitted_at, NULL FROM takes"  # noqa: S608 - our own names
            " WHERE state IN ('queued', 'running') AND submitted_at IS NOT NULL"
            f" UNION ALL SELECT model, submitted_at, finished_at FROM takes WHERE take_id IN ({recent})"
            " AND finished_at > ? AND submitted_at IS NOT NULL",
            *(_RECENT_EVENTS, since, since),
        )
        return [JobSpan(*row) for row in rows]

    def waiting(self) -> Mapping[str, int]:
        """Return how many takes of each model wait to be sent."""
        return dict(
            self._rows(
                "SELECT model, count(*) FROM takes WHERE state = 'pending' AND position IS NOT NULL GROUP BY model"
            )
        )

    def troubled(self) -> list[TakeRecord]:
        """Return the takes that are held, that failed or that could not be downloaded, in the order of `takes`."""
        which = "state IN ('held', 'failed') OR (state = 'succeeded' AND delivery = 'undeliverable')"
        return self._select(TakeRecord, f"FROM takes WHERE {which} {BY_PLACE}")

    def record(self) -> RunRecord:
        """Return the parts of the record that a command needs before it begins."""
        return RunRecord(
            self.standings(),
            self.spending(),
            self.sessions(),
            self.sent(),
            self.name_template(),
            self.nothing_paid,
        )

    def durations(self) -> list[PastJob]:
        """Return how long the latest succeeded takes of each model took: oldest first, at most 400 of a model.

        A body beyond 64 KiB holds a picture, and is not read for its settings.
        """
        rows = self._rows(
            "SELECT model, CASE WHEN length(body) <= 65536 THEN body ELSE '{}' END, seconds"
            " FROM (SELECT take_id, row_number() OVER (PARTITION BY model ORDER BY finished_at DESC) AS age"
            " FROM takes WHERE state = 'succeeded' AND seconds IS NOT NULL) JOIN takes USING (take_id)"
            " WHERE age <= ? ORDER BY model, age DESC",
            DURATIONS_KEPT,
        )
        return [PastJob(model, settings_of(body), seconds) for model, body, seconds in rows]

    def costs_untold(self) -> CostsUntold | None:
        """Return when late costs were last asked for in vain, None if they never were."""
        asked_at, ended_at = self._rows("SELECT costs_asked_at, costs_untold_to FROM run")[0]
        return None if asked_at is None else CostsUntold(asked_at, ended_at)

    def lacking_cost(self, *, since: float) -> Iterator[Ticket]:
        """Yield the takes whose jobs ended after `since` (unix seconds) without a known cost, the last first.

        Jobs that were given up are left out. The rows are read as they are asked for, some at a time.
        """
        states, given_up = (", ".join(f"'{word}'" for word in sorted(words)) for words in (ENDED, GIVEN_UP))
        found = self._rows(
            f"SELECT rowid FROM takes WHERE state IN ({states}) AND cost IS NULL AND request_id IS NOT NULL"  # noqa: S608 - our own names
            f" AND finished_at > ? AND NOT (state = 'failed' AND coalesce(failure, '') IN ({given_up}))"
            " ORDER BY finished_at DESC",
            since,
        )
        numbers = array("q", (row[0] for row in found))
        del found
        for start in range(0, len(numbers), _AT_ONCE):
            some = numbers[start : start + _AT_ONCE].tolist()
            marks = ", ".join("?" * len(some))
            yield from self._select(
                Ticket, f"FROM takes WHERE rowid IN ({marks}) ORDER BY finished_at DESC", *some
            )

    def schemas(self) -> list[SchemaRecord]:
        """Return the model schemas that takes were checked against, each model's in the order of their first use."""
        return self._select(SchemaRecord, "FROM schemas ORDER BY model, first_seen")

    def manifest_sha256(self) -> str:
        """Return the hash of the newest manifest's file, empty before the first."""
        rows = self._rows("SELECT sha256 FROM manifests WHERE id = (SELECT newest_manifest FROM run)")
        return str(rows[0][0]) if rows else ""

    def completion(self) -> Completion | None:
        """Return what the run was made from when it left nothing to do, None if something was recorded since."""
        with open_checks.readable(self.path):
            text, events = self._connection.execute(f"SELECT completion, ({NEWEST}) FROM run").fetchone()  # noqa: S608 - our own names
            known = Completion(**json.loads(text)) if text else None
        return known if known is not None and known.events == events else None

    def origin(self) -> Origin:
        """Return which run this is, and on which machine and in which folder it was last open to be written."""
        return Origin(*self._rows("SELECT run_id, machine, place FROM run")[0])

    def clips(self) -> list[tuple[str, int, str, str]]:
        """Return the file, its size in bytes, the take and its label of each delivered clip, in manifest order."""
        rows = self._rows(
            f"SELECT file, bytes, shot_id, number, take_id FROM takes WHERE delivery = 'delivered' {BY_PLACE}"  # noqa: S608 - our own names
        )
        return [(file, size, take, take_label(shot, number, take)) for file, size, shot, number, take in rows]

    def newest_event(self) -> int:
        """Return the number of the newest fact, 0 before the first."""
        return int(self._rows(NEWEST)[0][0])

    def delivered_since(self, event: int) -> list[tuple[str, str, str]]:
        """Return take, request id and hash of each clip that is here and was delivered after fact number `event`."""
        return self._rows(
            "SELECT take_id, request_id, sha256 FROM takes WHERE delivery = 'delivered' AND request_id IS NOT NULL"
            " AND sha256 IS NOT NULL AND take_id IN (SELECT take_id FROM events WHERE seq > ? AND fact = 'Delivered')",
            event,
        )

    def unchecked(self, *, decodes: bool) -> list[str]:
        """Return the takes whose clips are here and were not looked into, in manifest order.

        With `decodes` these are also those of which only the header was read.
        """
        again = (
            " OR (json_extract(probe, '$.is_decoded') = 0 AND flags NOT LIKE '%\"unreadable\"%')"
            if decodes
            else ""
        )
        rows = self._rows(
            "SELECT take_id FROM takes WHERE delivery = 'delivered' AND file IS NOT NULL"  # noqa: S608 - our own names
            f" AND (checked IS NOT sha256{again}) {BY_PLACE}"
        )
        return [row[0] for row in rows]

    def checked_clips(self) -> Iterator[tuple[str, str, Probe]]:
        """Yield hash, file and properties of each clip that is here and was looked into, in manifest order."""
        rows = self._rows(
            "SELECT sha256, file, probe FROM takes WHERE delivery = 'delivered' AND file IS NOT NULL"  # noqa: S608 - our own names
            f" AND checked = sha256 {BY_PLACE}"
        )
        return ((sha256, file, Probe.from_json(probe)) for sha256, file, probe in rows)

    def with_links(self) -> list[str]:
        """Return the takes whose jobs were accepted and whose inputs may hold a link, in manifest order."""
        rows = self._rows(
            "SELECT take_id FROM takes WHERE request_id IS NOT NULL"  # noqa: S608 - our own names
            f" AND (instr(body, '://') OR instr(lower(body), 'data:image/')) {BY_PLACE}"
        )
        return [row[0] for row in rows]

    def flagged(self) -> list[Standing]:
        """Return the takes with something odd about the clip that is here, in manifest order."""
        odd = "WHERE delivery = 'delivered' AND checked = sha256 AND flags <> '[]'"
        return self._select(Standing, f"FROM takes {odd} {BY_PLACE}")

    def changed_since(self, event: int, *, most: int) -> tuple[int, list[str]]:
        """Return the takes of the first `most` facts after fact number `event`, and the number of the last of these."""
        rows = self._rows("SELECT seq, take_id FROM events WHERE seq > ? ORDER BY seq LIMIT ?", event, most)
        return (rows[-1][0] if rows else event), list(dict.fromkeys(take_id for _, take_id in rows))

    def mark(self) -> str:
        """Return a text that changes with anything that a report shows.

        That is a fact, an order, an adopted plan, the run's header, and whether a session has ended.
        """
        newest = self._rows(
            f"SELECT ({NEWEST}), (SELECT count(*) FROM sessions WHERE ended_at IS NULL),"  # noqa: S608 - our own names
            " (SELECT count(*) FROM orders)"
        )
        return "-".join(map(str, (*newest[0], self.plan_mark())))

    def plan_mark(self) -> str:
        """Return a text that changes with an adopted plan and with the run's header."""
        newest = self._rows(
            "SELECT newest_manifest, (SELECT adopted_at FROM manifests WHERE id = newest_manifest) FROM run"
        )
        header = repr((self.header, self.nothing_paid)).encode("utf-8", "replace")
        return "-".join(map(str, (*newest[0], zlib.crc32(header))))

    @contextmanager
    def at_one_moment(self) -> Iterator[None]:
        """Let all calls of the block see the same moment, while others go on recording."""
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with open_checks.readable(self.path):
            return self._connection.execute(query, values).fetchall()

    def _select(self, record: type[R], rest: str, *values: object) -> list[R]:
        with open_checks.readable(self.path):
            rows = self._connection.execute(f"SELECT {columns_of(record)} {rest}", values)
            return [decode(record, row) for row in rows]

    def _count(self, words: type[E], column: str, condition: str) -> Mapping[E, int]:
        with open_checks.readable(self.path):
            rows = self._connection.execute(
                f"SELECT {column}, count(*) FROM takes WHERE {condition} GROUP BY {column}"  # noqa: S608 - our own names
            )
            found = {words(word): count for word, count in rows}
        return {word: found.get(word, 0) for word in words}
