"""The run lock: one process at a time may write into a run directory.

It knows no state file, whose epoch is the real guarantee. The kernel frees the lock at any end of the process, so a
stale lock never needs to be deleted. A file beside the lock names its owner, only for people to read.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import filelock

from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate, RunInUse, UsageError
from runner.domain.notify_places import shown_words
from runner.store.file_system import refuse_network
from runner.system.private_files import make_folder, open_private, read_private, refuse_odd, write_whole

LOCK = ".lock"
OWNER = ".lock-owner.json"
_MOST_BYTES = 1 << 20
_LOOK_S = 0.05
"""Seconds after which a lock is held by more than a look of `is_held`, which has it for some microseconds."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that noted itself as the owner of a lock, and when it took it, in unix seconds."""

    pid: int
    host: str
    since: float
    command: str


class RunLock:
    """A lock that is held from `__enter__` to `__exit__`; it waits `patience` seconds, so that a look ends no run.

    Another process is shown `command`, by default this process's own command line.
    """

    def __init__(
        self,
        run_dir: Path,
        *,
        command: str | None = None,
        now: Callable[[], float] = time.time,
        patience: float = _LOOK_S,
    ) -> None:
        self._dir = run_dir
        self._command = shlex.join(shown_words(sys.argv)) if command is None else command
        self._now = now
        self._written = ""
        # The lock is not per thread: any thread may release it, and a second lock in this process must be refused.
        self._lock = filelock.FileLock(
            run_dir / LOCK, timeout=patience, poll_interval=_LOOK_S / 5, mode=0o600, thread_local=False
        )

    def __enter__(self) -> Self:
        """Take the lock, and make the run directory if it is missing.

        Raises `RunInUse` if another process, or this one, holds it; `CannotCreate`; `DiskFailed`.
        """
        try:
            # The lock comes before the state file, so it may be the first thing in a new run's folder.
            make_folder(self._dir)
            refuse_odd(self._dir / LOCK)
            self._lock.acquire()
        except filelock.Timeout as error:
            raise RunInUse(
                f"{self._dir}: in use by {owner_of(self._dir)}", advice="wait for it to end, or stop it first"
            ) from error
        except NotImplementedError as error:
            raise CannotCreate(f"{self._dir}: cannot be locked: {error}") from error
        except OSError as error:
            raise file_error(error, error.filename or self._dir, "cannot be locked") from error
        try:
            # The facts are not in the lock file itself: a refused process could then read them half written.
            facts = {"pid": os.getpid(), "host": socket.gethostname(), "since": self._now()}
            self._written = json.dumps({**facts, "command": self._command}) + "\n"
            write_whole(self._dir / OWNER, self._written)
        except OSError as error:
            self._lock.release()
            raise file_error(error, self._dir / OWNER, "cannot be written") from error
        return self

    def __exit__(self, *_error: object) -> None:
        # The file goes while the lock is still held, or the next owner's facts could be removed. A file that stays
        # does no harm, since only a refused process reads it. So a failure here must not hide another error.
        with suppress(OSError):
            # If the lock was deleted, another runner may have started, and the facts may be its own.
            if (self._dir / OWNER).read_text(encoding="utf-8") == self._written:
                (self._dir / OWNER).unlink()
        self._lock.release()


@contextmanager
def brief_lock(path: Path, *, patience: float = 10.0) -> Iterator[None]:
    """Hold a lock file, of another use than a run's, for a moment; wait `patience` seconds for others to end.

    Raises:
        UsageError: another process holds it all that time.
        CannotCreate, DiskFailed: it cannot be locked.
    """
    lock = filelock.FileLock(path, timeout=patience, mode=0o600)
    try:
        refuse_odd(path)
        lock.acquire()
    except filelock.Timeout as error:
        raise UsageError(
            f"{path}: another command holds this lock", advice="give the same command again"
        ) from error
    except NotImplementedError as error:
        raise CannotCreate(f"{path}: cannot be locked: {error}") from error
    except OSError as error:
        raise file_error(error, path, "cannot be locked") from error
    try:
        yield
    finally:
        lock.release()


def is_held(run_dir: Path) -> bool | None:
    """Return whether a process holds the run's lock, None where that cannot be found out.

    The lock is shared for a moment, since no system reports a held one for certain: a container hides other processes.
    """
    try:
        descriptor = open_private(run_dir / LOCK)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return True if error.errno in {errno.EAGAIN, errno.EACCES} else None
    finally:
        os.close(descriptor)
    # A share may keep another machine's lock from this one, but it invents none.
    return None if refuse_network(run_dir / LOCK, allowed=True) else False


def read_owner(run_dir: Path) -> Owner | None:
    """Return who noted itself as the owner, None without a usable note; only `is_held` says whether it still is."""
    try:
        facts = json.loads(read_private(run_dir / OWNER, limit=_MOST_BYTES))
        owner = Owner(int(facts["pid"]), str(facts["host"]), float(facts["since"]), str(facts["command"]))
        time.localtime(owner.since)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    return owner


def owner_of(run_dir: Path) -> str:
    """Return who holds the lock, in words; the note may be stale, foreign or not yet written."""
    owner = read_owner(run_dir)
    if owner is None:
        return "another process"
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(owner.since))
    text = f"process {owner.pid} on {owner.host} since {since}: {owner.command}"
    return "".join(sign if sign.isprintable() else "?" for sign in text)[:300]
