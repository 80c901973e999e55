"""Where a run lives, so that a copy of it is told from the run itself.

In: a folder. Out: a short text for the state file, and whether two such texts mean one folder. A folder is the same by
its path, symbolic links followed, or by its number in the file system: moved within it or seen through another mount it
is still one folder, and cannot be run twice. A copy has another number. It knows no SQLite.
"""

from __future__ import annotations

import json
from pathlib import Path

from runner.store.marker import read_marker


def place_of(folder: Path) -> str:
    """Return where `folder` is: its real path, its device and its number there; raises `OSError`."""
    real = folder.resolve()
    found = real.stat()
    # JSON escapes what in a file's name is no text.
    return json.dumps([str(real), found.st_dev, found.st_ino])


def is_same(known: str, here: str) -> bool:
    """Return whether two places are one folder; what cannot be read says nothing against it."""
    try:
        (path, *number), (path_here, *number_here) = json.loads(known), json.loads(here)
    except (ValueError, TypeError):
        return True
    return bool(path == path_here or number == number_here)


def still_there(known: str, run_id: str, name: str) -> Path | None:
    """Return the folder that the text `known` means, if a state file called `name` of the same run is still in it."""
    try:
        folder = Path(json.loads(known)[0])
        state_file = folder / name
        return folder if state_file.is_file() and read_marker(state_file) == run_id else None
    except (OSError, ValueError, TypeError, LookupError):
        return None
