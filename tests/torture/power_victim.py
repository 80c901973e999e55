"""A process that writes a state file while its system calls are recorded; run as `python -m` by the power-loss test.

It says on standard output what it has promised, in the moment in which it may act on it: `sent TAKE ATTEMPT` before a
POST would leave, `got TAKE ATTEMPT ID` once an id counts as safe. The mode is what the connection is made to do; only
`wal-full` is the product's, the others are controls that a test which can see must find wanting.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from pathlib import Path

from runner.domain import failpoints
from runner.domain.states import Accepted, Ended, LostContact, Started, SubmissionStarted, TakeState
from runner.store.disk_failure import NOTHING
from runner.store.open_file import Opening
from runner.store.state_file import StateFile
from tests.integration.store_samples import HEADER, make_plan, make_take

MODES = ("wal-full", "wal-normal", "delete-full")
SESSIONS = 3
MACHINE = "the victim's"


def say(line: str) -> None:
    """Promise something, in one system call."""
    os.write(1, f"{line}\n".encode())


def live(path: Path, mode: str, *, session: int, takes: int) -> None:
    """Open, begin, adopt, send some takes, close; in the second session the disk fails now and then."""
    if path.exists():
        state_file = StateFile.open(path, Opening(patience=0.0, provision=NOTHING, machine=MACHINE))
    else:
        state_file = StateFile.create(path, HEADER, Opening(patience=0.0, provision=NOTHING, machine=MACHINE))
    _weaken(state_file, mode)
    state_file.begin(at=1.0)
    planned = [make_take(f"s{n}-{number}") for n in range(session + 1) for number in range(takes)]
    state_file.adopt_plan(make_plan(planned), renew=(), at=1.0)
    for number, take in enumerate(planned[-takes:]):
        if session == 1 and number % 4 == 3:
            failpoints.arm("store.receipt=EIO@1" if number % 8 == 3 else "store.receipt=EIO@1+")
        _send(state_file, take.id, take.fingerprint, lost=number % 5 == 4)
        failpoints.arm("")
    if mode == "wal-full":
        state_file.close()


def _send(state_file: StateFile, take_id: str, fingerprint: str, *, lost: bool) -> None:
    attempt, request_id = f"try-{take_id}", f"r-{take_id}"
    started = SubmissionStarted(attempt, fingerprint, state_file.epoch)
    state_file.record(take_id, started, at=1.0).result()
    say(f"sent {take_id} {attempt}")
    if lost:
        state_file.record(take_id, LostContact(attempt, "sent", "silence"), at=1.0).result()
        return
    accepted = Accepted(attempt, request_id)
    failure = state_file.record(take_id, accepted, at=1.0).exception()
    # Safe in the state file, or in the side file until the disk is well again.
    if failure is None or "kept in" in str(failure):
        say(f"got {take_id} {attempt} {request_id}")
    if failure is not None:
        failpoints.arm("")
        state_file.record(take_id, accepted, at=1.0).result()
    state_file.record(take_id, Started(), at=1.0).result()
    ended = Ended(TakeState.SUCCEEDED, "{}", ("https://clips/1.mp4",), cost=0.5)
    state_file.record(take_id, ended, at=1.0).result()


def _weaken(state_file: StateFile, mode: str) -> None:
    def work(connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")
        if mode == "wal-normal":
            connection.execute("PRAGMA synchronous = NORMAL")
        else:
            # Else the product would refuse the file for want of a log, and hide what this mode forgets.
            connection.execute("UPDATE run SET at_rest = 1")
            state_file._keeper.close()
            # And would end the run, since its log is gone.
            state_file._identity._known.popitem()
            connection.execute("PRAGMA journal_mode = DELETE")
            connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")

    if mode != "wal-full":
        state_file._writer.submit(work).result()


if __name__ == "__main__":
    folder, chosen, count = sys.argv[1:4]
    for number in range(SESSIONS if chosen == "wal-full" else 1):
        live(Path(folder) / "state.db", chosen, session=number, takes=int(count))
    # Nothing is closed on the way out: for a control that would already be another promise.
    os._exit(0)
