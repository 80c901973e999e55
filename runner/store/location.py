"""The machine and folder of a run: a copy is distinguished from the run itself, and only one of them continues.

Two places are one folder if they have the same path, links followed, or the same number in the file system. So a folder
stays the same if it is moved or seen through another mount, and a copy has another number. It knows no SQLite.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.domain.errors import MOVED, FlagRequired
from runner.store.marker import read_marker, successor_of, write_marker

ID_FILES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_ON_PURPOSE = "if {} moved or copied here on purpose and goes on nowhere else"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which run a file belongs to, and on which machine and where it was last open; "" if it does not say."""

    run_id: str
    machine: str
    place: str


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


def machine_id(*, id_files: Sequence[Path] = ID_FILES) -> str:
    """Return a hash of the system's machine id, or of the host's name where there is none."""
    # The domain is left out, since it changes with the network that a laptop is in.
    known = socket.gethostname().partition(".")[0].lower()
    for path in id_files:
        with suppress(OSError, UnicodeDecodeError):
            if text := path.read_text(encoding="utf-8").strip():
                known = text
                break
    return hashlib.sha256(f"shotrunner {known}".encode()).hexdigest()[:32]


def _original(path: Path, known: Origin) -> Path | None:
    """Return the folder of the recorded place, if the run's state file is still in it."""
    try:
        folder = Path(json.loads(known.place)[0])
        state_file = folder / path.name
        return folder if state_file.is_file() and read_marker(state_file) == known.run_id else None
    except (OSError, ValueError, TypeError, LookupError):
        return None


def refuse_elsewhere(path: Path, known: Origin, *, machine: str, place: str) -> None:
    """Refuse a file that was last open on another machine or in another folder, or that continues elsewhere.

    Without the refusal both might pay for the same takes. Raises `FlagRequired`.
    """
    if known.machine not in {"", machine}:
        raise _moved(
            f"{path}: comes from another machine; if it goes on there too", _ON_PURPOSE.format("the run was")
        )
    if (successor := successor_of(path)) is not None:
        raise _moved(
            f"{path}: this run goes on in {successor.parent}, as its user has said; if both go on",
            "if this one goes on from now on, and the other never again",
            where=f"with the run in {successor.parent}",
        )
    if not known.place or not place:
        return
    original = _original(path, known)
    # A second mount shows one folder under two paths, without a copy. A copy may also have replaced the original.
    if is_same(known.place, place) and (original is None or original.samefile(path.parent)):
        return
    if original is not None:
        raise _moved(
            f"{path}: is a copy, and the run itself is still in {original}; if both go on",
            "if this copy goes on from now on, and the original never again",
            where=f"with the run in {original}",
        )
    raise _moved(
        f"{path}: was moved or copied here; if another copy goes on too", _ON_PURPOSE.format("it was")
    )


def _moved(what: str, condition: str, *, where: str = "where it came from") -> FlagRequired:
    return FlagRequired(
        f"{what}, both will pay for the same takes",
        flag=MOVED,
        condition=condition,
        otherwise=f"if not, go on {where}",
    )


def let_others_go(path: Path, known: Origin) -> None:
    """Mark the other known folders of this run: the run continues at `path`, and not in them."""
    with suppress(OSError):
        successor = successor_of(path)
        for folder in {_original(path, known), successor and successor.parent}:
            # A marker may name any folder; only a folder with this same run is written into.
            if folder is None or not folder.is_absolute() or read_marker(folder / path.name) != known.run_id:
                continue
            if (folder / path.name).is_file() and not folder.samefile(path.parent):
                write_marker(folder / path.name, known.run_id, successor=path)
