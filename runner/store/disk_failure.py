"""What a state file does when its disk fails: it frees ballast, keeps receipts beside it, and reconnects.

It decides nothing about facts.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from runner.store import database
from runner.store.disk_space import ReservedSpace, SafetyOptions
from runner.store.identity import Identity
from runner.store.receipt_file import Receipt, ReceiptFile
from runner.system.private_files import make_folder


class DiskFailureHandler:
    """Holds the ballast and the side files of one open state file; `notes` are sentences for a person."""

    def __init__(
        self, path: Path, run_id: str, provision: SafetyOptions, *, identity: Identity, on_share: bool = False
    ) -> None:
        """Write the ballast and the side files; raises OSError if ids could not be kept beside the file.

        There is one side file beside the state file, and one in each usable second place. All of them are opened, since
        an earlier start may have used any of them.
        """
        self._path = path
        self._on_share = on_share
        self._side = [ReceiptFile(path.with_suffix(".ids"), run_id)]
        self.identity = identity
        self.notes: list[str] = []
        for folder in provision.second_places:
            try:
                make_folder(folder)
                # The id is quoted: a state file from elsewhere may hold any text as its run id.
                self._side.append(ReceiptFile(folder / f"{quote(run_id, safe='')}.ids", run_id))
            except OSError as error:
                self.notes.append(f"{folder}: cannot be a second place for ids: {error.strerror}")
        if len(self._side) > 1:
            self.notes = []
        self.ballast = ReservedSpace(path.with_suffix(".ballast"), provision.ballast)
        self.notes += filter(None, [self.ballast.lay(low_water=provision.low_water)])

    def keep(self, receipts: Sequence[Receipt]) -> Path | None:
        """Append to the first side file that can store them and return its path; None if none can."""
        for file in self._side:
            with suppress(OSError):
                file.append(receipts)
                return file.path
        return None

    def kept(self) -> list[Receipt]:
        """Return all receipts in the side files, each once; raises OSError."""
        return list(dict.fromkeys(receipt for file in self._side for receipt in file.read()))

    def forget(self, entered: Sequence[Receipt], *, left: int) -> None:
        """Remove entered receipts from the side files, and note them."""
        self.notes += [
            f"{receipt.take} is request {receipt.request_id}, which was kept beside the state file"
            for receipt in entered
        ]
        if left:
            self.notes.append(f"{self._path.with_suffix('.ids')}: {left} ids belong to no take of this run")
        with database.translated(self._path):
            for file in self._side if entered else ():
                if file.read():
                    file.forget(entered)

    def reconnect(self, old: sqlite3.Connection) -> sqlite3.Connection:
        """Close `old` and return a new connection, unless another file has the name now; raises what SQLite does."""
        self.identity.check()
        return database.reconnect(self._path, old, on_share=self._on_share)

    def close(self, *, leave: bool) -> None:
        """Close the side files and remove the ballast, which a closed run does not need; safe to call twice.

        `leave` keeps the files at their paths: they may belong to another run, or to a runner that has taken over.
        """
        while self._side:
            self._side.pop().close(leave=leave)
        if not leave:
            self.ballast.drop()
