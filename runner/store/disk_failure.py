"""What a state file keeps for a full or failing disk: a ballast file to remove, and side files for request ids.

The id from a paid POST must be stored even then, and no POST may begin whose answer could not be recorded. So nothing
begins below a mark. Side files are allocated and opened while there is space: an append needs neither a new block nor a
new descriptor. `unrecorded` enters the ids at the next start.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from runner.domain import failpoints
from runner.domain.states import Accepted, Adopted, Fact, LateAnswer
from runner.store import database
from runner.store.identity import Identity
from runner.system.private_files import NotOurs, flush_folder, make_folder, open_private

MIB = 1024 * 1024
_LOOKED_AT = 1.0


@dataclass(frozen=True, slots=True)
class SafetyOptions:
    """What a state file reserves for a disk failure.

    `ballast` and `low_water` are bytes, 0 for none. `second_places` are the user's own folders for ids that the run's
    folder cannot store, the best first. No ballast is written where less than the low-water mark would be left.
    """

    ballast: int = 8 * MIB
    low_water: int = 64 * MIB
    second_places: tuple[Path, ...] = ()


PROVISION = SafetyOptions()
NOTHING = SafetyOptions(ballast=0, low_water=0)
"""For a file that is only read and repaired, on any volume."""


def room(path: Path) -> int:
    """Return how many bytes an ordinary user may still write on the volume of `path`'s folder; raises OSError."""
    return shutil.disk_usage(path.parent).free


class FreeSpaceCheck:
    """Reports whether a volume has enough free space, and checks at most once a second."""

    def __init__(
        self, path: Path, low_water: int, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._path = path
        self.low_water = low_water
        self._monotonic = monotonic
        self._seen_at = float("-inf")
        self._enough = True

    def has_room(self) -> bool:
        """Return whether there was enough at the last check; a volume that cannot be checked counts as enough."""
        now = self._monotonic()
        if now - self._seen_at >= _LOOKED_AT:
            self._seen_at = now
            with suppress(OSError):
                self._enough = room(self._path) >= self.low_water
        return self._enough


class ReservedSpace:
    """A file that takes up space, so that removing it frees some."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size

    def lay(self, *, low_water: int) -> str:
        """Write the file unless it is complete; return a note if there is no room for it, else an empty text.

        Raises `NotOurs` if something else has its name.
        """
        if not self._size or self._is_laid():
            return ""
        try:
            if room(self.path) < self._size + low_water:
                return f"{self.path}: no ballast was written, since there is too little space on this volume"
            # The file holds noise, since some file systems do not store zeros at all.
            noise = os.urandom(min(self._size, MIB))
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with os.fdopen(open_private(self.path, flags), "wb", buffering=0) as file:
                for start in range(0, self._size, len(noise)):
                    file.write(noise[: self._size - start])
        except NotOurs:
            # Something else has the name. It would be followed, or removed at the end.
            raise
        except OSError as error:
            self.drop()
            return f"{self.path}: no ballast could be written: {error.strerror}"
        return ""

    def _is_laid(self) -> bool:
        try:
            found = self.path.lstat()
        except OSError:
            return False
        # The blocks are checked too, since removing a file with holes frees nothing.
        return found.st_size == self._size and getattr(found, "st_blocks", self._size) * 512 >= self._size

    def drop(self) -> bool:
        """Remove the file; return whether that freed any space."""
        try:
            self.path.unlink()
        except OSError:
            return False
        return True


LAID_OUT = 16 * 1024
"""Bytes: enough for about eighty ids. With more ids the file grows, if it can."""

_BLANK = b"\n"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An id that came for a take at wall time `at`; if a person found it, `attempt` is None and `by` is the person."""

    take: str
    attempt: str | None
    request_id: str
    at: float
    by: str = ""


def receipt_of(take_id: str, fact: Fact, *, at: float) -> Receipt | None:
    """Return the receipt in `fact` that must survive even an unwritable state file, None if it has none."""
    if isinstance(fact, Accepted | LateAnswer):
        return Receipt(take_id, fact.attempt, fact.request_id, at)
    if isinstance(fact, Adopted):
        return Receipt(take_id, None, fact.request_id, at, fact.by)
    return None


class ReceiptFile:
    """One file of receipts, one per line, filled up with blank lines; another run's lines are left alone."""

    def __init__(self, path: Path, run_id: str) -> None:
        """Open the file, and allocate its space if it is short; raises OSError."""
        self.path = path
        self._run_id = run_id
        made = not path.exists()
        self._fd = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            text = self._text()
            if len(text) < LAID_OUT:
                self._write(text.ljust(LAID_OUT, _BLANK), 0)
            if made:
                flush_folder(path.parent)
        except OSError:
            os.close(self._fd)
            raise

    def append(self, receipts: Iterable[Receipt]) -> None:
        """Add receipts, durably; raises OSError, also if the file was deleted and has no name."""
        failpoints.hit("store.side-file")
        if not os.fstat(self._fd).st_nlink:
            raise OSError(errno.ENOENT, "the file was deleted", str(self.path))
        end = len(self._text().rstrip(_BLANK))
        lines = "".join(json.dumps({"run": self._run_id, **asdict(receipt)}) + "\n" for receipt in receipts)
        # The first line break ends a last line that was cut off.
        self._write((b"\n" if end else b"") + lines.encode(), end)

    def read(self) -> list[Receipt]:
        """Return the receipts of this run; raises OSError."""
        found = (self._receipt(line) for line in self._text().split(_BLANK) if line)
        return [receipt for receipt in found if receipt is not None]

    def forget(self, entered: Collection[Receipt]) -> None:
        """Remove the lines of these receipts, durably; unreadable and unrecorded lines stay. Raises OSError."""
        text = self._text()
        lines = [line for line in text.split(_BLANK) if line and self._receipt(line) not in entered]
        self._write(b"".join(line + b"\n" for line in lines).ljust(len(text), _BLANK), 0)

    def close(self, *, leave: bool = False) -> None:
        """Close the file, and remove it if it is empty; `leave` keeps it, since another process may use it."""
        with suppress(OSError):
            if not leave and not self._text().strip(_BLANK):
                self.path.unlink(missing_ok=True)
        os.close(self._fd)

    def _text(self) -> bytes:
        return os.pread(self._fd, os.fstat(self._fd).st_size, 0)

    def _write(self, text: bytes, offset: int) -> None:
        while text:
            written = os.pwrite(self._fd, text, offset)
            text, offset = text[written:], offset + written
        os.fsync(self._fd)

    def _receipt(self, line: bytes) -> Receipt | None:
        try:
            values = json.loads(line)
            run_id = values.pop("run")
            receipt = Receipt(**values)
            sound = all(map(str.strip, (receipt.take, receipt.request_id))) and receipt.at >= 0
        except (ValueError, TypeError, AttributeError, KeyError):
            return None
        return receipt if run_id == self._run_id and sound else None


class DiskFailureHandler:
    """Holds the ballast and the side files of one open state file; `notes` are sentences for a person."""

    def __init__(self, path: Path, provision: SafetyOptions, *, identity: Identity, on_share: bool) -> None:
        """Write the ballast and the side files; raises OSError if ids could not be kept beside the file.

        There is one side file beside the state file, and one in each usable second place. All of them are opened, since
        an earlier start may have used any of them.
        """
        self._path = path
        self._on_share = on_share
        run_id = identity.run_id
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
