"""Room on the state file's volume: a ballast to throw off when it is full, and the mark below which nothing is begun.

In: the path of a state file. Out: bytes of room, and the ballast file. Why: an id that comes back from a paid POST must
find a place even on a full disk, and no POST may begin whose answer could not be written down. It knows no SQLite.
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
    """What a state file keeps for bad times.

    `ballast` and `low_water` are bytes, 0 for none; `second_places` are folders of the user's own for ids that the
    run's folder does not take, the best first. No ballast is laid on a volume that is below the low-water mark, or
    would be with it.
    """

    ballast: int = 8 * MIB
    low_water: int = 64 * MIB
    second_places: tuple[Path, ...] = ()


NOTHING = SafetyOptions(ballast=0, low_water=0)
"""For a file that is only looked at and mended, on whatever volume."""


def room(path: Path) -> int:
    """Return how many bytes an ordinary user may still write on the volume that holds the folder of `path`.

    Raises: OSError.
    """
    return shutil.disk_usage(path.parent).free


class FreeSpaceCheck:
    """Tells whether a volume has room, and looks at most once a second."""

    def __init__(
        self, path: Path, low_water: int, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self._low_water = low_water
        self._monotonic = monotonic
        self._seen_at = float("-inf")
        self._enough = True

    def has_room(self) -> bool:
        """Return whether the low-water mark was kept when last looked; a volume that does not tell has room."""
        now = self._monotonic()
        if now - self._seen_at >= _LOOKED_AT:
            self._seen_at = now
            with suppress(OSError):
                self._enough = room(self._path) >= self._low_water
        return self._enough


class ReservedSpace:
    """A file that takes room away, so that there is some to give back."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size

    def lay(self, *, low_water: int) -> str:
        """Write the file if it is not there whole; return a note if there is no room for it, else nothing.

        Raises:
            NotOurs: something else has its name.
        """
        if not self._size or self._is_laid():
            return ""
        try:
            if room(self.path) < self._size + low_water:
                return f"{self.path}: no ballast was laid, there is too little room on this volume"
            self._write()
        except NotOurs:
            # It would be followed or taken away at the end, and is not ours.
            raise
        except OSError as error:
            self.drop()
            return f"{self.path}: no ballast could be laid: {error.strerror}"
        return ""

    def _is_laid(self) -> bool:
        try:
            found = self.path.lstat()
        except OSError:
            return False
        # Blocks and not the length alone: a file with holes gives nothing back.
        return found.st_size == self._size and getattr(found, "st_blocks", self._size) * 512 >= self._size

    def _write(self) -> None:
        # Noise and not zeros, which some file systems do not store at all.
        noise = os.urandom(min(self._size, MIB))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(open_private(self.path, flags), "wb", buffering=0) as file:
            for start in range(0, self._size, len(noise)):
                file.write(noise[: self._size - start])

    def drop(self) -> bool:
        """Remove the file; return whether that gave any room."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True
