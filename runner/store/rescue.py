"""What a state file does when its disk fails: throws ballast off, keeps receipts beside it, connects anew.

In: the path of an open state file and what is provided. Out: the `Rescue` that the writer calls on, and notes for a
person. It decides nothing about facts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from runner.store import database
from runner.store.emergency import Receipt, SideFiles
from runner.store.receipts import has_receipt
from runner.store.reserve import Ballast, Provision


class DiskRescue:
    """Holds the ballast and the side files of one open state file; `notes` are sentences for a person."""

    def __init__(self, path: Path, run_id: str, provision: Provision, *, on_share: bool = False) -> None:
        """Lay the ballast and the side files out; raises OSError if ids could not be kept beside the file."""
        self._path = path
        self._on_share = on_share
        self.side = SideFiles.lay_out(path.with_suffix(".ids"), run_id, seconds=provision.second_places)
        self._ballast = Ballast(path.with_suffix(".ballast"), provision.ballast)
        note = self._ballast.lay(low_water=provision.low_water)
        self.notes = [*self.side.notes, *filter(None, [note])]

    def make_room(self) -> bool:
        """Throw the ballast off; return whether there was any."""
        return self._ballast.drop()

    def keep(self, receipts: Sequence[Receipt]) -> Path | None:
        """Write receipts into the first side file that takes them."""
        return self.side.keep(receipts)

    def reconnect(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Close `old` and return a new connection."""
        return database.reconnect(self._path, old, on_share=self._on_share)

    def has(self, connection: sqlite3.Connection, receipt: Receipt) -> bool:
        """Return whether the file has the receipt already."""
        return has_receipt(connection, receipt)

    def forget(self, entered: Sequence[Receipt], *, left: int) -> None:
        """Take entered receipts out of the side files, and note them."""
        for receipt in entered:
            self.notes.append(
                f"{receipt.take} is request {receipt.request_id}, which was kept beside the state file"
            )
        if left:
            self.notes.append(f"{self._path.with_suffix('.ids')}: {left} ids belong to no take of this run")
        if entered:
            with database.translated(self._path):
                self.side.forget(entered)

    def close(self) -> None:
        """Close the side files and take the ballast away; a run that rests needs none."""
        self.side.close()
        self._ballast.drop()
