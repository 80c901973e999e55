"""Which machine this is, so that a state file that was copied to another one is not run from twice.

In: nothing. Out: a short text that stays the same over restarts and says nothing about the machine.
Source: machine-id(5), which asks not to show the id itself but a hash of it.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path

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
    # Without the domain, which changes with the network that a laptop is in.
    return _hashed(socket.gethostname().partition(".")[0].lower())


def _hashed(known: str) -> str:
    return hashlib.sha256(f"shotrunner {known}".encode()).hexdigest()[:32]
