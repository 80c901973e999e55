"""The marker: a small file beside the state file that says that a run was here, should the state file get lost.

Starting afresh in a folder whose state file has vanished would pay for everything again; the marker is how
that is noticed. In: the path of a state file. Out: the run id in the marker. It knows no SQLite.
"""

from __future__ import annotations

import json
from pathlib import Path

from runner.private_files import read_private, write_whole

MARKER = ".shotrunner-run"
_MOST_BYTES = 4096


def read_marker(state_file: Path) -> str | None:
    """Return the run id that the folder of `state_file` is marked with.

    None where there is no marker, and an empty text where there is one that cannot be read.
    """
    try:
        text = read_private(state_file.parent / MARKER, limit=_MOST_BYTES)
        return str(json.loads(text)["run_id"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def was_here(state_file: Path) -> bool:
    """Return whether the folder is marked as a run's, whatever has become of its state file."""
    return read_marker(state_file) is not None


def write_marker(state_file: Path, run_id: str) -> None:
    """Mark the folder of `state_file`, durably; raises `OSError`."""
    write_whole(
        state_file.parent / MARKER, json.dumps({"run_id": run_id, "state_file": state_file.name}) + "\n"
    )
