"""Opens a file at rest with the two connections that a writer needs; a refused file is left as it was.

In: a path, and a person's consents. Out: a checked file of the newest version, open for writing, with a reader that
keeps its log. It knows no take and no later write. The order of the steps matters: each check must see what the next
step could change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.domain import failpoints
from runner.store import copies, database, open_checks
from runner.store.create import migrate, note_place, renew_marker
from runner.store.file_system import refuse_unfit
from runner.store.unrecorded import left_aside, unrecorded
from runner.store.witness import Testimony


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
def open_for_writing(
    path: Path,
    *,
    machine: str,
    place: str,
    moved: bool,
    network: bool,
    mounts: str | None,
    told: Sequence[Testimony] = (),
) -> Iterator[OpenFile]:
    """Check the whole file and yield it open; it stays open unless the block fails, which counts as the file's fault.

    The parameters are those of `StateFile.open`, and so is what it raises.
    """
    share = open_checks.refuse_odd_place(path, network=network, mounts=mounts)
    with open_checks.readable(path):
        run_id = _check(path, machine=machine, place=place, moved=moved, share=share, told=told)
        failpoints.hit("store.open")
        with ExitStack() as opened:
            # The keeper opens first and closes last, so that the log of a dead runner survives any failure.
            keeper = opened.enter_context(closing(database.connect_reader(path)))
            if share is None:
                database.keep_log(keeper)
            connection = opened.enter_context(closing(database.connect_writer(path)))
            migrate(connection, keep_copy_at=path)
            if share is None:
                database.awaken(connection, keeper, path)
            else:
                database.awaken_on_share(connection, path)
            note_place(connection, machine, place)
            yield OpenFile(path, connection, keeper, share, left_aside(connection, told, run_id=run_id))
            opened.pop_all()


def _check(
    path: Path, *, machine: str, place: str, moved: bool, share: str | None, told: Sequence[Testimony]
) -> str:
    """Refuse what cannot be trusted, then mark the folder; return the id of the run that the file belongs to."""
    open_checks.refuse_log_on_share(path, share)
    if share is not None:
        # Without a log a kill leaves the main file half written, so the repair comes first.
        open_checks.undo_half_change(path)
    else:
        refuse_unfit(path)
    open_checks.refuse_lost_log(path)
    open_checks.refuse_damaged_log(path)
    open_checks.undo_half_change(path)
    found = open_checks.refuse_damage(path)
    open_checks.refuse_older_log(path)
    open_checks.refuse_other_run(path, found.run_id)
    with closing(database.connect_reader(path)) as reader:
        open_checks.refuse_less_known(path, found.run_id, told, unknown=lambda sent: unrecorded(reader, sent))
    if not moved:
        open_checks.refuse_other_machine(path, found.machine, machine)
        copies.refuse_other_place(path, found.place, found.run_id, place)
    else:
        copies.let_others_go(path, found.place, found.run_id)
    # The marker comes before the opening for writing: an unmarkable folder must leave the file at rest.
    renew_marker(path, found.run_id)
    return found.run_id
