"""Reads a state file as the dead left it, without the product's own reader: plain SQL on a copy.

In: a run directory whose runners have all ended. Out: takes and attempts as values. The file is copied with its logs
and opened for writing there, so that SQLite may do every repair that it would do for the next runner, and the original
stays as it was. It knows the names of a few columns and nothing of the product's code.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

IN_DOUBT = frozenset({"submitting", "held"})
_FILES = ("state.db", "state.db-wal", "state.db-journal")


@dataclass(frozen=True, slots=True)
class RecordedTake:
    """One take as recorded; `file` is relative to the run directory, `body` is what was or will be sent."""

    take_id: str
    state: str
    request_id: str | None
    body: str
    delivery: str
    file: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One attempt as recorded, in the order in which attempts were begun."""

    take_id: str
    epoch: int
    request_id: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class RecordedId:
    """One request id that an event names, and the take it is about: also one that could not become the take's own."""

    take_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything a check needs of a state file; `damage` is what SQLite's own check says, empty if it is well."""

    takes: Mapping[str, RecordedTake] = field(default_factory=dict)
    attempts: tuple[RecordedAttempt, ...] = ()
    ids: frozenset[RecordedId] = frozenset()
    epoch: int = 0
    damage: str = ""

    @property
    def in_doubt(self) -> frozenset[str]:
        """The takes that may have been charged or not."""
        return frozenset(take.take_id for take in self.takes.values() if take.state in IN_DOUBT)

    def ids_of(self, take_id: str) -> frozenset[str]:
        """Return every request id that was ever recorded for a take."""
        return frozenset(found.request_id for found in self.ids if found.take_id == take_id)

    @property
    def known(self) -> frozenset[str]:
        """Every request id that stands anywhere in the file."""
        return frozenset(found.request_id for found in self.ids)


def read(run_dir: Path) -> Recorded:
    """Return what is recorded in a run directory; nothing where no state file was made yet."""
    if not (run_dir / _FILES[0]).exists():
        return Recorded()
    with TemporaryDirectory() as scratch:
        for name in _FILES:
            if (run_dir / name).exists():
                shutil.copy(run_dir / name, scratch)
        try:
            with closing(sqlite3.connect(Path(scratch) / _FILES[0])) as connection:
                return _read(connection)
        except sqlite3.Error as error:
            return Recorded(damage=f"{type(error).__name__}: {error}")


def _read(connection: sqlite3.Connection) -> Recorded:
    verdict = [row[0] for row in connection.execute("PRAGMA integrity_check")]
    takes = connection.execute("SELECT take_id, state, request_id, body, delivery, file, bytes FROM takes")
    attempts = connection.execute("SELECT take_id, epoch, request_id, outcome FROM attempts ORDER BY rowid")
    ids = connection.execute(
        "SELECT take_id, request_id FROM takes UNION SELECT take_id, request_id FROM attempts"
        " UNION SELECT take_id, details ->> 'request_id' FROM events"
    )
    return Recorded(
        takes={row[0]: RecordedTake(*row) for row in takes},
        attempts=tuple(RecordedAttempt(*row) for row in attempts),
        ids=frozenset(RecordedId(*row) for row in ids if row[1]),
        epoch=connection.execute("SELECT epoch FROM run").fetchone()[0],
        damage="" if verdict == ["ok"] else "; ".join(verdict),
    )
