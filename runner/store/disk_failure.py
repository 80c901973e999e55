"""What a state file does when its disk fails: it frees ballast, keeps receipts beside it, and reconnects.

It decides nothing about facts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from runner.store import database
from runner.store.disk_space import ReservedSpace, SafetyOptions
from runner.store.identity import Identity
from runner.store.receipt_file import Receipt, SideFiles


class DiskFailureHandler:
    """Holds the ballast and the side files of one open state file; `notes` are sentences for a person."""

    def __init__(
        self, path: Path, run_id: str, provision: SafetyOptions, *, identity: Identity, on_share: bool = False
    ) -> None:
        """Write the ballast and the side files; raises OSError if ids could not be kept beside the file."""
        self._path = path
        self._on_share = on_share
        self.identity = identity
        self.side = SideFiles.lay_out(path.with_suffix(".ids"), run_id, seconds=provision.second_places)
        self.ballast = ReservedSpace(path.with_suffix(".ballast"), provision.ballast)
        note = self.ballast.lay(low_water=provision.low_water)
        self.notes = [*self.side.notes, *filter(None, [note])]

    def reconnect(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Close `old` and return a new connection, unless another file has the name now; raises what SQLite does."""
        self.identity.check()
        return database.reconnect(self._path, old, on_share=self._on_share)

    def forget(self, entered: Sequence[Receipt], *, left: int) -> None:
        """Remove entered receipts from the side files, and note them."""
        self.notes += [
            f"{receipt.take} is request {receipt.request_id}, which was kept beside the state file"
            for receipt in entered
        ]
        if left:
            self.notes.append(f"{self._path.with_suffix('.ids')}: {left} ids belong to no take of this run")
        if entered:
            with database.translated(self._path):
                self.side.forget(entered)

    def close(self, *, leave: bool) -> None:
        """Close the side files and remove the ballast, which a closed run does not need.

        `leave` keeps the files at their paths: they may belong to another run, or to a runner that has taken over.
        """
        self.side.close(leave=leave)
        if not leave:
            self.ballast.drop()
