"""The marker: a small file beside the state file that says that a run was here, should the state file get lost.

Starting afresh in a folder whose state file has vanished would pay for everything again; the marker is how
that is noticed. In: the path of a state file. Out: the run id in the marker. It knows no SQLite.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

MARKER = ".shotrunner-run"


def read_marker(state_file: Path) -> str | None:
    """Return the run id that the folder of `state_file` is marked with.

    None where there is no marker, and an empty text where there is one that cannot be read.
    """
    try:
        text = (state_file.parent / MARKER).read_text(encoding="utf-8")
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


def write_whole(path: Path, text: str) -> None:
    """Write a small private file that is either whole or absent, even after a power loss; raises `OSError`."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        # The first failure is the one to be told.
        with suppress(OSError):
            Path(name).unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make the folder's entries durable; without it a rename may be forgotten at power loss."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
