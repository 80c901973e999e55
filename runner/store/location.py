"""The machine and folder of a run, so that a copy can be distinguished from the run itself.

In: a folder. Out: a short text for the state file, and whether two such texts mean one folder. It knows no SQLite. Two
places are one folder if they have the same path, links followed, or the same number in the file system. So a folder
stays the same if it is moved or seen through another mount, and a copy has another number.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Sequence
from pathlib import Path

from runner.store.marker import read_marker


def place_of(folder: Path) -> str:
    """Return the real path of `folder`, its device and its number there; raises `OSError`."""
    real = folder.resolve()
    found = real.stat()
    # JSON escapes the bytes of a file's name that are not text.
    return json.dumps([str(real), found.st_dev, found.st_ino])


def is_same(known: str, here: str) -> bool:
    """Return whether two places are one folder; an unreadable place counts as the same."""
    try:
        (path, *number), (path_here, *number_here) = json.loads(known), json.loads(here)
    except (ValueError, TypeError):
        return True
    return bool(path == path_here or number == number_here)


def still_there(known: str, run_id: str, name: str) -> Path | None:
    """Return the folder that the text `known` means, if the run's state file `name` is still in it."""
    try:
        folder = Path(json.loads(known)[0])
        state_file = folder / name
        return folder if state_file.is_file() and read_marker(state_file) == run_id else None
    except (OSError, ValueError, TypeError, LookupError):
        return None


ID_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


def machine_id(*, id_files: Sequence[Path] = ID_FILES) -> str:
    """Return a hash of the system's machine id, or of the host's name where there is none."""
    for path in id_files:
        try:
            known = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if known:
            return _hashed(known)
    # The domain is left out, since it changes with the network that a laptop is in.
    return _hashed(socket.gethostname().partition(".")[0].lower())


def _hashed(known: str) -> str:
    return hashlib.sha256(f"shotrunner {known}".encode()).hexdigest()[:32]
