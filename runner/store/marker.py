"""The marker: a small file beside the state file that shows that a run was here, even if the state file gets lost.

A new start in a folder without its state file would pay for everything again; the marker prevents that. At the old
place of a moved run it also says where the state file went. Beside an original whose copy continues instead, it says
where the copy is. It notes as well that the API of the run's jobs says that it is a simulator. It knows no SQLite.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runner.system.canonical_json import JsonValue
from runner.system.private_files import read_private, write_whole

MARKER = ".shotrunner-run"
_MOST_BYTES = 4096
_SIMULATED = "simulated"


def read_marker(state_file: Path) -> str | None:
    """Return the run id in the marker beside `state_file`: None without a marker, "" for an unreadable one."""
    try:
        return str(_read(state_file)["run_id"])
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_marker(
    state_file: Path,
    run_id: str,
    *,
    went: Path | None = None,
    successor: Path | None = None,
    simulated: bool = False,
) -> None:
    """Mark the folder of `state_file`, durably.

    `went` is the file's present path, `successor` a copy that continues instead of it. `simulated` says that all its
    jobs went to a simulator. Raises `OSError`.
    """
    marker: dict[str, JsonValue] = {"run_id": run_id, "state_file": state_file.name}
    if simulated:
        marker[_SIMULATED] = True
    if successor is not None:
        marker["successor"] = os.fsdecode(successor.absolute())
    if went is not None:
        marker["went"] = os.fsdecode(went)
    write_whole(state_file.parent / MARKER, json.dumps(marker) + "\n")


def went_to(state_file: Path) -> Path | None:
    """Return the path to which the state file went, None if the marker names none or no file is there."""
    went = _path_in(state_file, "went")
    return went if went is not None and went.is_file() else None


def successor_of(state_file: Path) -> Path | None:
    """Return the copy of the state file that continues instead of it, None if the marker names none."""
    return _path_in(state_file, "successor")


def is_noted_simulated(state_file: Path, run_id: str) -> bool:
    """Return whether the marker notes that all jobs of the run `run_id` went to a simulator."""
    try:
        marker = _read(state_file)
        return marker["run_id"] == run_id and marker[_SIMULATED] is True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _path_in(state_file: Path, name: str) -> Path | None:
    try:
        return Path(_read(state_file)[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(state_file: Path) -> dict[str, Any]:
    marker: dict[str, Any] = json.loads(read_private(state_file.parent / MARKER, limit=_MOST_BYTES))
    return marker
