"""Checks whether the file at the run's path is still the open one, and finds the open one if not.

A folder may be moved, deleted or restored from a copy during a run. An open file does not depend on its name, so SQLite
would go on writing where no later run looks. It writes only markers: a missing one, and one at a place that the run has
left.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from runner.domain.errors import RecordDisplaced
from runner.store.marker import MARKER, read_marker, write_marker
from runner.system.escapes import command_line

Number: TypeAlias = tuple[int, int]
"""Device and inode: they identify a file under any name."""

_OPEN_FILES = Path("/dev/fd")
_PATH_BYTES = 1024


class Identity:
    """The numbers of the folder, the state file and its log at the time of opening.

    The folder is held open, so that no other folder can get its number.
    """

    def __init__(self, path: Path, run_id: str, *, log: bool) -> None:
        """Note the numbers; `log` says that SQLite's log belongs to the file. Raises OSError."""
        self._path = path
        self.run_id = run_id
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        files = [path, path.with_name(f"{path.name}-wal")] if log else [path]
        self._known = {path.parent: number_of(path.parent), **{each: number_of(each) for each in files}}
        self._marker = path.parent / MARKER
        self._seen: tuple[tuple[int, ...], str | None] | None = None

    def check(self) -> None:
        """Raise `RecordDisplaced`, which says where the record is, unless it would be found again by its path."""
        if (lost := self.displaced()) is not None:
            raise lost

    def displaced(self) -> RecordDisplaced | None:
        """Return an error if the folder, the state file or its log is not the open one, or the folder is another run's.

        A missing marker is written again.
        """
        for each, number in self._known.items():
            if (found := number_of(each)) != number:
                return self._error(
                    each, "was moved away or deleted" if found is None else "was replaced by another one"
                )
        marker = self._marked()
        if marker is None:
            with suppress(OSError):
                write_marker(self._path, self.run_id)
        elif marker not in {"", self.run_id}:
            return self._error(self._path.parent, "was replaced by another one")
        return None

    def _marked(self) -> str | None:
        """Return what the marker says; one that was not touched since is not read again."""
        try:
            found = self._marker.lstat()
        except OSError:
            return read_marker(self._path)
        stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        if self._seen is None or self._seen[0] != stamp:
            self._seen = stamp, read_marker(self._path)
        return self._seen[1]

    def leave_word(self) -> None:
        """Write at the old place where the record went, so that it does not look new.

        A place with a state file needs no mark, and the marker of another run stays.
        """
        if os.path.lexists(self._path) or read_marker(self._path) not in {None, "", self.run_id}:
            return
        with suppress(OSError):
            # The folders above it are not made: if they are gone, the whole tree was moved.
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
            write_marker(self._path, self.run_id, went=self._went())

    def close(self) -> None:
        """Close the folder; safe to call twice."""
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1

    def _went(self) -> Path | None:
        number = self._known[self._path]
        return path_of_open(number) if number else None

    def _error(self, what: Path, became: str) -> RecordDisplaced:
        went = self._went()
        lies = (
            f"the record is now {went}" if went else "the record was deleted, or it is not known where it is"
        )
        return RecordDisplaced(
            f"{what}: {became} while the run went on, so nothing more is submitted; {lies}",
            advice="put it back, or enter what is known where it was, which pays for nothing: "
            + command_line("restore", self._path.parent),
        )


def number_of(path: Path) -> Number | None:
    """Return the number of the file at `path`, following only links to a folder; None if there is none."""
    try:
        found = path.lstat()
        if stat.S_ISLNK(found.st_mode) and path.is_dir():
            found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def path_of_open(number: Number) -> Path | None:
    """Return the path of a file that this process has open; None if it was deleted or the system does not say."""
    descriptors = list[int]()
    with suppress(OSError):
        descriptors += [int(each.name) for each in _OPEN_FILES.iterdir() if each.name.isdigit()]
    for descriptor in descriptors:
        with suppress(OSError):
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == number and found.st_nlink:
                path = _name_of(descriptor)
                return path if number_of(path) == number else None
    return None


def _name_of(descriptor: int) -> Path:
    if sys.platform == "darwin":
        text = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(_PATH_BYTES))
        return Path(os.fsdecode(text.rstrip(b"\x00")))
    return Path(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH115 - the kernel's own link, not a path
