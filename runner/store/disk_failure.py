"""What a state file does when its disk fails: it frees ballast, keeps receipts beside it, and reconnects.

In: the path of an open state file and the safety options. Out: the `Rescue` that the writer calls, and notes for a
person. It decides nothing about facts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from runner.domain.errors import RecordDisplaced
from runner.store import database
from runner.store.disk_space import ReservedSpace, SafetyOptions
from runner.store.identity import Identity
from runner.store.receipt_file import Receipt, SideFiles
from runner.store.receipts import has_receipt


class DiskFailureHandler:
    """Holds the ballast and the side files of one open state file; `notes` are sentences for a person."""

    def __init__(
        self, path: Path, run_id: str, provision: SafetyOptions, *, identity: Identity, on_share: bool = False
    ) -> None:
        """Write the ballast and the side files; raises OSError if ids could not be kept beside the file."""
        self._path = path
        self._identity = identity
        self._on_share = on_share
        self.side = SideFiles.lay_out(path.with_suffix(".ids"), run_id, seconds=provision.second_places)
        self._ballast = ReservedSpace(path.with_suffix(".ballast"), provision.ballast)
        note = self._ballast.lay(low_water=provision.low_water)
        self.notes = [*self.side.notes, *filter(None, [note])]

    def make_room(self) -> bool:
        """Remove the ballast; return whether there was any."""
        return self._ballast.drop()

    def keep(self, receipts: Sequence[Receipt]) -> Path | None:
        """Write receipts into the first side file that can store them."""
        return self.side.keep(receipts)

    def displaced(self) -> RecordDisplaced | None:
        """Return an error if the file at the path is not the open one."""
        return self._identity.displaced()

    def reconnect(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Close `old` and return a new connection, unless another file has the name now."""
        self._identity.check()
        return database.reconnect(self._path, old, on_share=self._on_share)

    def has(self, connection: sqlite3.Connection, receipt: Receipt) -> bool:
        """Return whether the file has the receipt already."""
        return has_receipt(connection, receipt)

    def forget(self, entered: Sequence[Receipt], *, left: int) -> None:
        """Remove entered receipts from the side files, and note them."""
        for receipt in entered:
            self.notes.append(
                f"{receipt.take} is request {receipt.request_id}, which was kept beside the state file"
            )
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
            self._ballast.drop()
