"""Where a task works: in the folder of its run if this process sees it, else in a scratch folder of its own."""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runner.delivery.ports import ClipSource, NotDoneThere

_SCRATCH = "shotrunner-scratch-"
_LOCK = "lock"
_MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class RunPlace:
    """The folder of a run, as the machine that leads the run sees it.

    `home` is its device and inode there, `marker` the name of the file in it that names the run, and `run_id` its name.
    """

    folder: Path
    home: tuple[int, int]
    marker: str
    run_id: str

    def is_here(self) -> bool:
        """Return whether this process sees that very folder."""
        try:
            found = self.folder.stat()
        except OSError:
            return False
        if (found.st_dev, found.st_ino) == self.home:
            return True
        # A share has other numbers on each machine. A folder that the run has left says where it went.
        with suppress(OSError, ValueError):
            with (self.folder / self.marker).open("rb") as file:
                told = json.loads(file.read(_MOST_BYTES))
            return isinstance(told, dict) and told.get("run_id") == self.run_id and "went" not in told
        return False


def source_here(source: ClipSource, place: RunPlace | None, *, has_store: bool) -> tuple[ClipSource, bool]:
    """Return the download as it works in this process, and whether it works in a scratch folder.

    Raises:
        NotDoneThere: the clips would stay here, where the run is not.
    """
    if place is None:
        return source, False
    if place.is_here():
        found = place.folder.stat()
        return (source if (found.st_dev, found.st_ino) == place.home else source.at(place.folder)), False
    if has_store:
        return source.at(_scratch() / place.run_id), True
    raise NotDoneThere("a worker does not see the folder of the run, and the run has no --out")


@cache
def _scratch() -> Path:
    """Return a folder of this process, which goes with it; those of killed processes go now."""
    above = Path(tempfile.gettempdir())
    for left in above.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            # Anyone may make names here, so only this user's own folders are looked into.
            if left.lstat().st_uid == os.getuid() and not left.is_symlink():
                with (left / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_SCRATCH))
    # It stays open, and so locked, until the process ends in whatever way.
    fcntl.flock(os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600), fcntl.LOCK_EX)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
