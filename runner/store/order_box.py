"""The folder `.orders`: small files by which another process of the same user asks something of a session.

In: orders. Out: the same, each file read as if a stranger had written it. A session takes an order by renaming its
file. So the one who gave it either withdraws it for certain, or knows that the session has it. It knows no engine and
no record.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import UsageError
from runner.domain.orders import GivenOrder, order_as_json, order_from_json
from runner.system.canonical_json import JsonValue, parsed_json
from runner.system.private_files import make_folder, open_private, write_whole

FOLDER = ".orders"
MOST_AGE = 60.0
"""Seconds after which an order is not obeyed: the person who gave it has long been shown that nothing happened."""

MOST_BYTES = 4 * 2**20
"""The largest file that is read: an order about a hundred thousand takes fits."""

_MOST_BY = 200
_TAKEN = ".taken"
_NAME = re.compile(r"[0-9a-f]{32}")
_FORMAT = "shotrunner-order/1"


@dataclass(frozen=True, slots=True)
class OrderBox:
    """The orders of one run that are on their way."""

    run_dir: Path

    @property
    def path(self) -> Path:
        """The folder; it is made with the first order."""
        return self.run_dir / FOLDER

    def put(self, given: GivenOrder) -> None:
        """Leave an order for the session.

        Raises:
            UsageError: it is about too many takes.
            CannotCreate, DiskFailed: the folder cannot be used, or is not this user's alone.
        """
        value = {"format": _FORMAT, "id": given.id, "by": given.by[:_MOST_BY], "at": given.at}
        text = json.dumps({**value, "epoch": given.epoch, "order": order_as_json(given.order)})
        if len(text) > MOST_BYTES:
            raise UsageError("this is about too many takes at once", advice="choose fewer of them")
        try:
            make_folder(self.path)
            with self._opened():
                write_whole(self.path / f"{given.id}.json", text)
        except OSError as error:
            raise file_error(error, error.filename or self.path, "takes no order") from error

    def withdraw(self, order_id: str) -> bool:
        """Take an order back; return False if it is no longer there to be taken back."""
        try:
            (self.path / f"{order_id}.json").unlink()
        except OSError:
            return False
        return True

    def holds(self, order_id: str) -> bool:
        """Return whether an order still waits, or is being obeyed."""
        return any((self.path / f"{order_id}{ending}").exists() for ending in (".json", _TAKEN))

    def waiting(self, *, epoch: int, now: float) -> list[GivenOrder]:
        """Return the orders to the session of `epoch`, oldest first; all other files with such names are removed."""
        found = []
        with suppress(OSError), self._opened() as folder:
            for name in [entry.name for entry in os.scandir(folder) if entry.name.endswith(".json")]:
                given = _read(name, folder)
                if given is not None and given.epoch == epoch and abs(now - given.at) <= MOST_AGE:
                    found.append(given)
                elif _NAME.fullmatch(name.removesuffix(".json")):
                    with suppress(OSError):
                        os.unlink(name, dir_fd=folder)
        return sorted(found, key=lambda given: (given.at, given.id))

    def take(self, order_id: str) -> bool:
        """Take an order, which can then not be withdrawn; return False if it was."""
        try:
            (self.path / f"{order_id}.json").rename(self.path / f"{order_id}{_TAKEN}")
        except OSError:
            return False
        return True

    def forget(self, order_id: str) -> None:
        """Remove an order that was taken and whose outcome is on record."""
        with suppress(OSError):
            (self.path / f"{order_id}{_TAKEN}").unlink()

    def forget_taken(self) -> None:
        """Remove the orders that an earlier session took and was killed with."""
        with suppress(OSError), self._opened() as folder:
            for entry in [*os.scandir(folder)]:
                if entry.name.endswith(_TAKEN):
                    os.unlink(entry.name, dir_fd=folder)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """Yield a descriptor of the folder; raises `OSError` unless this user alone can put files there."""
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            found = os.fstat(folder)
            if found.st_uid != os.geteuid() or found.st_mode & 0o022:
                raise PermissionError(0, "another user owns it, or can write to it", str(self.path))
            yield folder
        finally:
            os.close(folder)


def _read(name: str, folder: int) -> GivenOrder | None:
    """Return the order in a file; None if it holds none, or is not this user's own plain file."""
    try:
        with os.fdopen(open_private(name, folder=folder), "rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            text = file.read(MOST_BYTES + 1)
    except OSError:
        return None
    return _parsed(parsed_json(text), name) if len(text) <= MOST_BYTES else None


def _parsed(value: JsonValue, name: str) -> GivenOrder | None:
    match value:
        case {
            "format": str() as form,
            "id": str() as order_id,
            "by": str() as by,
            "at": float() as at,
            "epoch": int() as epoch,
            "order": wish,
            **others,
        } if not others and form == _FORMAT and _NAME.fullmatch(order_id) and name == f"{order_id}.json":
            with suppress(UsageError):
                # A name that no file can hold must not keep the answer from the record.
                named = by[:_MOST_BY].encode("utf-8", "replace").decode()
                return GivenOrder(order_id, named, at, epoch, order_from_json(wish))
    return None
