"""The emergency side file: it keeps a request id when the state file's disk does not store it.

A receipt is an id that a paid POST returned; `unrecorded` enters it into the state file at the next start. The file is
allocated and opened in good times, so that an append needs neither a new block nor a new descriptor.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.domain import failpoints
from runner.domain.states import Accepted, Adopted, Fact, LateAnswer
from runner.system.private_files import flush_folder, open_private

LAID_OUT = 16 * 1024
"""Bytes; room for about eighty ids. With more ids the file grows, if it can."""

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
