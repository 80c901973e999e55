"""Room on the state file's volume: a ballast file to remove when it is full, and a mark below which nothing begins.

It knows no SQLite. The id from a paid POST must be stored even on a full disk, and no POST may begin whose answer could
not be recorded.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.system.private_files import NotOurs, open_private

MIB = 1024 * 1024
_LOOKED_AT = 1.0


@dataclass(frozen=True, slots=True)
class SafetyOptions:
    """What a state file reserves for a disk failure.

    `ballast` and `low_water` are bytes, 0 for none. `second_places` are the user's own folders for ids that the run's
    folder cannot store, the best first. No ballast is written where less than the low-water mark would be left.
    """

    ballast: int = 8 * MIB
    low_water: int = 64 * MIB
    second_places: tuple[Path, ...] = ()


PROVISION = SafetyOptions()
NOTHING = SafetyOptions(ballast=0, low_water=0)
"""For a file that is only read and repaired, on any volume."""


def room(path: Path) -> int:
    """Return how many bytes an ordinary user may still write on the volume of `path`'s folder; raises OSError."""
    return shutil.disk_usage(path.parent).free


class FreeSpaceCheck:
    """Reports whether a volume has room, and checks at most once a second."""

    def __init__(
        self, path: Path, low_water: int, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self.low_water = low_water
        self._monotonic = monotonic
        self._seen_at = float("-inf")
        self._enough = True

    def has_room(self) -> bool:
        """Return whether there was room at the last check; a volume that cannot be checked has room."""
        now = self._monotonic()
        if now - self._seen_at >= _LOOKED_AT:
            self._seen_at = now
            with suppress(OSError):
                self._enough = room(self._path) >= self.low_water
        return self._enough


class ReservedSpace:
    """A file that occupies room, so that removing it frees some."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size

    def lay(self, *, low_water: int) -> str:
        """Write the file unless it is complete; return a note if there is no room for it, else an empty text.

        Raises `NotOurs` if something else has its name.
        """
        if not self._size or self._is_laid():
            return ""
        try:
            if room(self.path) < self._size + low_water:
                return f"{self.path}: no ballast was written, there is too little room on this volume"
            # The file holds noise, since some file systems do not store zeros at all.
            noise = os.urandom(min(self._size, MIB))
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(open_private(self.path, flags), "wb", buffering=0) as file:
                for start in range(0, self._size, len(noise)):
                    file.write(noise[: self._size - start])
        except NotOurs:
            # Something else has the name. It would be followed, or removed at the end.
            raise
        except OSError as error:
            self.drop()
            return f"{self.path}: no ballast could be written: {error.strerror}"
        return ""

    def _is_laid(self) -> bool:
        try:
            found = self.path.lstat()
        except OSError:
            return False
        # The blocks are checked too, since removing a file with holes frees nothing.
        return found.st_size == self._size and getattr(found, "st_blocks", self._size) * 512 >= self._size

    def drop(self) -> bool:
        """Remove the file; return whether that freed any room."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
