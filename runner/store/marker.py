"""The marker: a small file beside the state file that says that a run was here, should the state file get lost.

Starting afresh in a folder whose state file has vanished would pay for everything again; the marker is how that is
noticed. One that is left at the old place of a run also says where its state file went, and one beside the original of
a copy that goes on instead says where that is. In: the path of a state file. Out: the run id in the marker. It knows no
SQLite.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from runner.system.private_files import read_private, write_whole

MARKER = ".shotrunner-run"
_MOST_BYTES = 4096


def read_marker(state_file: Path) -> str | None:
    """Return the run id that the folder of `state_file` is marked with.

    None where there is no marker, and an empty text where there is one that cannot be read.
    """
    try:
        text = read_private(state_file.parent / MARKER, limit=_MOST_BYTES)
        return str(json.loads(text)["run_id"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def was_here(state_file: Path) -> bool:
    """Return whether the folder is marked as a run's, whatever has become of its state file."""
    return read_marker(state_file) is not None


def write_marker(
    state_file: Path, run_id: str, *, went: Path | None = None, successor: Path | None = None
) -> None:
    """Mark the folder of `state_file`, durably.

    `went` is where the file is now, `successor` a copy that goes on instead of it. Raises `OSError`.
    """
    marker = {"run_id": run_id, "state_file": state_file.name}
    if successor is not None:
        marker["successor"] = os.fsdecode(successor.absolute())
    if went is not None:
        marker["went"] = os.fsdecode(went)
    write_whole(state_file.parent / MARKER, json.dumps(marker) + "\n")


def leave_tombstone(state_file: Path, run_id: str, *, went: Path | None) -> None:
    """Mark the place that a run's folder or state file was taken from, so that it does not look new.

    A place that has a state file says itself what it is, and the marker of another run stays. Raises `OSError`.
    """
    if os.path.lexists(state_file) or read_marker(state_file) not in {None, "", run_id}:
        return
    # Not the folders above it: where they are gone, the whole tree was moved, and is not to be made a second time.
    state_file.parent.mkdir(mode=0o700, exist_ok=True)
    write_marker(state_file, run_id, went=went)


def went_to(state_file: Path) -> Path | None:
    """Return where the marker says that the state file went, None if it does not say or nothing is there."""
    went = _path_in(state_file, "went")
    return went if went is not None and went.is_file() else None


def successor_of(state_file: Path) -> Path | None:
    """Return which copy of the state file goes on instead of it, None if the marker names none."""
    return _path_in(state_file, "successor")


def _path_in(state_file: Path, name: str) -> Path | None:
    try:
        return Path(json.loads(read_private(state_file.parent / MARKER, limit=_MOST_BYTES))[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None
