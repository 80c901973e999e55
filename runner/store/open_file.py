"""Makes a state file, migrates an older one, and opens it with the two connections that a writer needs.

The order of the steps matters: each check must see what the next step could change. A file is made or migrated
completely or not at all, and a refused file is left as it was. It knows no take and no later write.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from runner.domain import failpoints
from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate
from runner.domain.records import RunHeader
from runner.store import database, open_checks
from runner.store.disk_failure import PROVISION, SafetyOptions
from runner.store.file_system import refuse_network, refuse_unfit
from runner.store.location import let_others_go, machine_id, refuse_elsewhere
from runner.store.marker import read_marker, successor_of, write_marker
from runner.store.row_mapping import columns_of, header_cells
from runner.store.schema import APPLICATION_ID, MIGRATIONS, RULES
from runner.store.unrecorded import left_aside, unrecorded
from runner.store.witness import Testimony
from runner.store.writer import PATIENCE
from runner.system.private_files import flush_folder, make_folder, open_private


@dataclass(frozen=True, slots=True)
class Opening:
    """How a state file is opened, and what its user has agreed to.

    A fact of `BATCHABLE` may wait `patience` seconds for others. `machine` names this machine. `place` says where the
    folder is; "" skips that check. A file that was last open on another machine or in another folder needs `moved`, and
    one on a network share needs `network`. `mounts` is the text of Linux's mountinfo; None reads it. A file that knows
    less than `told` is refused.
    """

    patience: float = PATIENCE
    provision: SafetyOptions = PROVISION
    machine: str = field(default_factory=machine_id)
    place: str = ""
    moved: bool = False
    network: bool = False
    mounts: str | None = None
    told: Sequence[Testimony] = ()


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open file: the writer's connection, and the `keeper`, a reader without which SQLite would fold the log.

    `share` is the type of the network share it lies on, None for a local disk. `left` holds the fingerprints of
    submissions that were left aside.
    """

    path: Path
    connection: sqlite3.Connection
    keeper: sqlite3.Connection
    share: str | None
    left: frozenset[str]


@contextmanager
def open_for_writing(path: Path, opening: Opening) -> Iterator[OpenFile]:
    """Check the whole file and yield it open; it stays open unless the block fails, which counts as the file's fault.

    It raises what `StateFile.open` does.
    """
    share = open_checks.refuse_odd_place(path, network=opening.network, mounts=opening.mounts)
    with open_checks.readable(path):
        run_id = _check(path, opening, share)
        failpoints.hit("store.open")
        with ExitStack() as opened:
            # The keeper opens first and closes last, so that the log of a dead runner survives any failure.
            keeper = opened.enter_context(closing(database.connect_reader(path)))
            if share is None:
                database.keep_log(keeper)
            connection = opened.enter_context(closing(database.connect_writer(path)))
            migrate(connection, keep_copy_at=path)
            database.awaken(connection, keeper, path, on_share=share is not None)
            known = connection.execute("SELECT machine, place FROM run").fetchone()
            if known != (here := (opening.machine, opening.place or known[1])):
                with database.atomic(connection):
                    connection.execute("UPDATE run SET machine = ?, place = ?", here)
            left = left_aside(connection, opening.told, run_id=run_id)
            yield OpenFile(path, connection, keeper, share, left)
            opened.pop_all()


def _check(path: Path, opening: Opening, share: str | None) -> str:
    """Refuse what cannot be trusted, then mark the folder; return the id of the run that the file belongs to."""
    if share is not None:
        # Without a log a kill leaves the main file half written, so the repair comes first.
        open_checks.undo_half_change(path)
    else:
        refuse_unfit(path)
    open_checks.refuse_bad_log(path)
    open_checks.undo_half_change(path)
    found = open_checks.refuse_damage(path)
    open_checks.refuse_older_log(path)
    open_checks.refuse_other_run(path, found.run_id)
    with closing(database.connect_reader(path)) as reader:
        open_checks.refuse_less_known(
            path, found.run_id, opening.told, unknown=lambda sent: unrecorded(reader, sent)
        )
    if opening.moved:
        let_others_go(path, found)
    else:
        refuse_elsewhere(path, found, machine=opening.machine, place=opening.place)
    # The marker may be missing or name another folder, as after a crash or in an older copy. It comes before the
    # opening for writing: an unmarkable folder must leave the file at rest.
    if read_marker(path) != found.run_id or successor_of(path) is not None:
        try:
            write_marker(path, found.run_id)
        except OSError as error:
            raise file_error(error, path.parent, "cannot be written to") from error
    return found.run_id


def create_file(
    path: Path, header: RunHeader, opening: Opening, *, fill: Callable[[sqlite3.Connection], None]
) -> None:
    """Make the file, private to its owner, and mark its folder; it raises what `StateFile.create` does.

    The file is built under another name, with what `fill` records in it, and then linked to its own. So a crash never
    leaves a half-made state file, and two creators at once never both succeed.
    """
    try:
        make_folder(path.parent)
        _refuse_place(path, header, opening)
        draft = draft_of(path)
        database.refuse_long(draft)
        # The file is private from the start, and SQLite gives the log the mode of its main file.
        os.close(open_private(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            with database.translated(path):
                _build(draft, header, opening, fill)
            failpoints.hit("store.create")
            _publish(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        # The marker comes last. A marker without a state file would block the run forever. A state file
        # without its marker gets one at the next opening.
        flush_folder(path.parent)
        failpoints.hit("store.created")
        write_marker(path, header.run_id)
    except OSError as error:
        advice = "make the folder writable, or give --run-dir"
        raise file_error(error, path, "cannot be made", advice=advice) from error


def _refuse_place(path: Path, header: RunHeader, opening: Opening) -> None:
    """Refuse a used path or an unfit file system."""
    open_checks.refuse_link(path)
    if path.exists():
        raise CannotCreate(f"{path}: a state file is already here", advice="run the same command to go on")
    open_checks.refuse_odd_companions(path)
    if read_marker(path) not in {None, header.run_id}:
        raise database.unusable(path, "is gone, but a run that wrote it was here")
    if refuse_network(path, allowed=opening.network, mountinfo=opening.mounts) is None:
        refuse_unfit(path)


def draft_of(path: Path) -> Path:
    """Return the name under which the file is built; it is the longest name beside it."""
    return path.with_name(f"{path.name}{open_checks.DRAFT}{secrets.token_hex(4)}")


def _build(
    draft: Path, header: RunHeader, opening: Opening, fill: Callable[[sqlite3.Connection], None]
) -> None:
    cells = (*header_cells(header), opening.machine, opening.place)
    marks = ", ".join("?" for _ in cells)
    with closing(database.connect_writer(draft)) as connection:
        migrate(connection)
        with database.atomic(connection):
            columns = f"{columns_of(RunHeader)}, machine, place"
            connection.execute(f"INSERT INTO run ({columns}) VALUES ({marks})", cells)  # noqa: S608 - our own names
            fill(connection)


def _publish(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise CannotCreate(f"{path}: another process has just made it") from error
    except OSError:
        # Some file systems (exFAT) have no links; there only the run's lock keeps a second creator out.
        draft.rename(path)


def migrate(
    connection: sqlite3.Connection,
    *,
    keep_copy_at: Path | None = None,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> None:
    """Update the file to the newest version in one transaction, and its triggers to the present `states`.

    `keep_copy_at` is the path of the file; the copy of an older file gets the version as a suffix (`state.db.v1`).
    """
    version = int(str(database.pragma(connection, "user_version")))
    if version < len(migrations):
        # SQLite's own backup makes the copy: a plain copy would miss the log, and closing it would drop our locks.
        if version and keep_copy_at is not None:
            copy = keep_copy_at.with_name(f"{keep_copy_at.name}.v{version}")
            os.close(open_private(copy, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
            with closing(sqlite3.connect(copy)) as target:
                connection.backup(target)
        with database.atomic(connection):
            for statement in (step for steps in migrations[version:] for step in steps):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
    # The comparison comes first, so that an ordinary opening changes no schema and no reader must parse it again.
    found = dict(connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"))
    if found != dict(RULES):
        with database.atomic(connection):
            for name in found:
                quoted = name.replace('"', '""')
                connection.execute(f'DROP TRIGGER "{quoted}"')
            for rule in RULES.values():
                connection.execute(rule)
