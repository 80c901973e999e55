"""The checks before a state file is trusted: of its place, its kind, its version and its soundness.

No check changes the file, so a refused file is also untouched. Each raises `StateFileUnusable`, or one of its kinds.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import NEW_RUN, FileMissing, FlagRequired, RecordDamaged, StateFileUnusable
from runner.store import database
from runner.store.file_system import refuse_network
from runner.store.location import Origin
from runner.store.marker import MARKER, read_marker, went_to
from runner.store.schema import APPLICATION_ID, MIGRATIONS
from runner.store.wal_check import is_damaged
from runner.store.witness import Sent, Testimony, of_run
from runner.system.escapes import command_line
from runner.system.private_files import refuse_odd

DRAFT = ".new-"
"""This follows a state file's name until the file is complete."""

_FOLDED = "UPDATE run SET at_rest = 1"
_AGE = "SELECT epoch, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) FROM run"
"""How many runners have begun, and how many events were written. Both only rise, so a log can only add to them."""


def beside(path: Path, suffix: str) -> Path:
    """Return SQLite's own companion file, such as `state.db-wal`."""
    return path.with_name(path.name + suffix)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn every failure to open, read or understand the file into one of our errors.

    A flipped bit may appear as SQLite's error, as text that is not UTF-8, or as a value that no record can hold.
    """
    try:
        yield
    except sqlite3.Error as error:
        ours = database.translate(error, path, opening=True)
        if beside(path, "-journal").exists():
            # A reader may not undo a half-made change. SQLite then calls the file read-only; the disk is not at fault.
            if database.primary_code(error) == sqlite3.SQLITE_READONLY:
                ours = database.unusable(path, f"was left half changed by a kill ({error})")
            ours.advice = "give the run's own command again: it repairs what a kill left half done"
        raise ours from error
    except OSError as error:
        where = os.fsdecode(error.filename or path)
        raise file_error(error, where, advice="make the state file and its folder writable") from error
    except (ValueError, TypeError) as error:
        raise database.unusable(path, f"holds something this program does not understand: {error}") from error


def refuse_odd_place(path: Path, *, network: bool, mounts: str | None = None) -> str | None:
    """Refuse what is visibly not a state file; return the type of the network share it lies on, if any.

    `network` says that it may lie on a share. `mounts` is the text of Linux's mountinfo; None reads it. Raises
    `FileMissing` if nothing is there, and nothing says that something was.
    """
    refuse_link(path)
    try:
        database.refuse_long(path)
        found = path.stat()
    except FileNotFoundError as error:
        if read_marker(path) is None:
            raise FileMissing(
                f"{path}: no state file here", advice="start the run, or name its folder with --run-dir"
            ) from error
        went = went_to(path)
        why = f"is now {went}" if went else "is gone, but a run that wrote it was here"
        raise database.unusable(path, why) from error
    except OSError as error:
        raise database.unusable(path, f"cannot be looked at: {error.strerror}") from error
    # This comes before any opening: opening a pipe would wait forever.
    if not stat.S_ISREG(found.st_mode):
        raise database.unusable(path, "is not a regular file")
    if found.st_size == 0:
        raise database.unusable(path, "is empty")
    # A kill while the file was being made may have left it the name of its draft.
    drafts = path.parent.glob(f"{path.name}{DRAFT}*") if found.st_nlink > 1 else ()
    if found.st_nlink > 1 + sum(os.path.samestat(draft.lstat(), found) for draft in drafts):
        raise database.unusable(
            path,
            "has a second name (a hard link), and a run under one name would not see the run under the other",
        )
    refuse_odd_companions(path)
    share = refuse_network(path, allowed=network, mountinfo=mounts)
    if share is not None and beside(path, "-wal").exists():
        raise StateFileUnusable(
            f"{path}: was in use on a local disk and has a log, which cannot be read on a network share ({share})",
            advice="copy the whole folder to a local disk, continue the run there once, and copy it back",
        )
    return share


def refuse_odd_companions(path: Path) -> None:
    """Refuse links, pipes and the like under the names that are opened beside the state file."""
    try:
        for suffix in ("-wal", "-shm", "-journal"):
            refuse_odd(beside(path, suffix))
        refuse_odd(path.parent / MARKER)
    except OSError as error:
        raise StateFileUnusable(
            f"{error.filename}: {error.strerror}",
            advice="move it away, and put back the file that was there before, if there was one",
        ) from error


def refuse_link(path: Path) -> None:
    """Refuse a state file that is a symbolic link: SQLite keeps the log beside the link's target."""
    if path.is_symlink():
        raise StateFileUnusable(
            f"{path}: is a symbolic link, and its log would lie elsewhere",
            advice="put the state file itself there, with its log if it has one",
        )


def refuse_stranger(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that this program did not write, or that a newer one wrote."""
    if database.pragma(connection, "application_id") != APPLICATION_ID:
        raise database.unusable(path, "is not a state file of this program")
    version = database.pragma(connection, "user_version")
    if not isinstance(version, int) or not 1 <= version <= len(MIGRATIONS):
        raise StateFileUnusable(
            f"{path}: has version {version}; this program knows versions 1 to {len(MIGRATIONS)}",
            advice="use the newer program that wrote it",
        )


def refuse_bad_log(path: Path, *, checked: bool = False) -> None:
    """Refuse a file that was in use when its log (`-wal`) went missing, or whose log has lost flushed data.

    It may lack paid jobs, and SQLite itself would continue silently. A log that is `checked` is not read.
    """
    log = beside(path, "-wal")
    if not log.exists():
        _refuse_lost_log(path, log)
    # A writer that has just ended may have removed its log.
    with suppress(FileNotFoundError):
        if not checked and is_damaged(log):
            raise database.unusable(
                path, f"has a damaged log, {log.name}: facts that were written are missing"
            )


def _refuse_lost_log(path: Path, log: Path) -> None:
    # An ordinary opening would make a new, empty log and so hide the loss.
    with closing(database.connect_glance(path)) as connection:
        try:
            refuse_stranger(connection, path)
            at_rest = database.value(connection, "SELECT at_rest FROM run")
        except (sqlite3.Error, StateFileUnusable):
            # A writer may have started during the check and changed the file. Then the log exists.
            if log.exists():
                return
            raise
    if at_rest is None:
        raise _without_run(path)
    if not at_rest and not log.exists():
        raise RecordDamaged(
            f"{path}: was in use and its log {log.name} is missing: the newest facts were in it",
            advice=f"put {log.name} back from where it was left, or enter what is known:"
            f" {command_line('restore', path.parent)}; only if another SQLite program has folded it in, note that"
            f" there: {_FOLDED}",
        )


def _without_run(path: Path) -> RecordDamaged:
    return database.unusable(path, "does not say which run it belongs to")


def refuse_older_log(path: Path) -> None:
    """Refuse a file with an older log: SQLite would fold it in and lose the facts recorded since."""
    if not beside(path, "-wal").exists():
        return
    with closing(database.connect_glance(path)) as main, closing(database.connect_reader(path)) as whole:
        try:
            folded = main.execute(_AGE).fetchone() or (0, 0)
        except sqlite3.Error:
            # A kill during folding leaves a main file that cannot be read without its log.
            return
        now = whole.execute(_AGE).fetchone() or (0, 0)
    if any(int(new) < int(old) for new, old in zip(now, folded, strict=True)):
        raise database.unusable(
            path, "has a log that is older than the file; all facts recorded since would be lost"
        )


def undo_half_change(path: Path) -> None:
    """Let SQLite roll back a half-done change after a kill; a read-only connection cannot."""
    # Only the change of journal mode at opening and closing leaves a journal; the facts themselves are in WAL.
    if beside(path, "-journal").exists():
        with closing(database.connect_writer(path)) as connection:
            database.value(connection, "SELECT count(*) FROM sqlite_schema")


def refuse_damage(path: Path) -> Origin:
    """Read the whole file once and return where it comes from.

    Refuses damaged pages, values that break their column's rule, and another program's file.
    """
    # The check uses a reader: a writing connection would fold the log into the damaged file when it closes.
    with closing(database.connect_reader(path)) as connection:
        refuse_stranger(connection, path)
        # The quick check would not compare the indexes with their tables. Then some queries would find a take and
        # others would not. The full check costs a fifth more.
        verdict = database.pragma(connection, "integrity_check(1)")
        if verdict != "ok":
            raise database.unusable(path, f"is damaged: {verdict}")
        # An older file is checked first and migrated afterwards, so a column may be missing.
        there = {row[1] for row in connection.execute("PRAGMA table_info(run)")}
        columns = ", ".join(name if name in there else "''" for name in ("machine", "place"))
        row = connection.execute(f"SELECT run_id, {columns} FROM run").fetchone()  # noqa: S608 - our own names
    if row is None:
        raise _without_run(path)
    return Origin(*row)


def refuse_other_run(path: Path, run_id: str) -> None:
    """Refuse a file for which this folder's marker was not written: a mixed-up copy or log."""
    expected = read_marker(path)
    # An unreadable marker proves nothing against the file; the writer renews it.
    if expected and expected != run_id:
        raise database.unusable(path, f"belongs to run {run_id}, but this folder to run {expected}")


def refuse_less_known(
    path: Path, run_id: str, told: Sequence[Testimony], *, unknown: Callable[[Iterable[Sent]], Sequence[Sent]]
) -> None:
    """Refuse a file that knows less than its witnesses: an older copy, one with a cut log, or another run's.

    `unknown` returns which submissions the file does not know. Raises `FlagRequired` if a witness belongs to another
    run, which did not end in order.
    """
    # A sidecar does not show that a person has left its job aside; the witness of the same run does.
    left = frozenset[str]().union(*(each.left for each in of_run(told, run_id)))
    for each in told:
        if each.header is not None and each.header.run_id != run_id:
            if each.has_ended or not any(each.charged):
                continue
            raise FlagRequired(
                f"{path}: belongs to run {run_id}, but run {each.header.run_id} was here and its record is gone",
                flag=NEW_RUN,
                condition="if the jobs of that run may be paid for a second time",
                otherwise="if not, put its folder back",
            )
        if lacking := unknown(replace(each, left=each.left | left).charged):
            job = f" (request {lacking[0].request_id})" if lacking[0].request_id else ""
            more = f" and {len(lacking) - 1} more submissions" if len(lacking) > 1 else ""
            raise StateFileUnusable(
                f"{path}: knows less than it once did, as an older copy does: take {lacking[0].take}{job}{more} may be"
                " paid for and would be sent again",
                advice="put nothing else in its place; enter what is known: "
                + command_line("restore", path.parent),
            )
