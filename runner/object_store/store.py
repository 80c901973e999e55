"""A folder in a store by its address: the one door of this room for files.

It names, repeats and sorts; `s3.py` and `files.py` do the work.
"""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, TypeVar

from runner.domain.disk_errors import file_error
from runner.domain.errors import NotInStore, StoreAway, StoreRefused, UsageError
from runner.domain.store_address import StoreAddress
from runner.object_store.failures import AlreadyInStore, sorted_failure
from runner.object_store.patience import Patience
from runner.object_store.ports import Folder

LONGEST_LINK = 7 * 24 * 3600
_CAN_CREATE = "S3, Google Cloud Storage, Azure, SFTP and a folder on a disk can"
_ONE_THREAD = frozenset({"sftp", "ssh"})
"""Stores whose connection serves one thread."""

T = TypeVar("T")
_open: dict[tuple[StoreAddress, int, int], Folder] = {}
_opening = threading.Lock()

_LEADS_OUT = re.compile(r"(^|/)\.{0,2}(/|$)|\\")


def open_store(address: StoreAddress, *, patience: Patience | None = None) -> ObjectStore:
    """Return the store at an address; nothing is asked of it yet.

    Raises:
        ExtraMissing: the [cloud] extra is not installed.
        UsageError: another package is missing, or this kind of store is not known.
    """
    store = ObjectStore(address, patience or Patience())
    # A folder of SFTP connects as it is made, which only the first call may wait for.
    if address.scheme not in _ONE_THREAD:
        _folder(address)
    return store


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A folder in a store; names are relative to it and have `/` between their parts.

    It fits `ClipStore`. It may be pickled, and used from any thread that runs no event loop. All stores of one address
    in a process share their connections. Each method raises `StoreAway` once patience with what may pass ends,
    `StoreRefused` for what stays so, and `NotInStore` for a name that is not there.
    """

    address: StoreAddress
    patience: Patience = field(default_factory=Patience, compare=False)

    def __reduce__(self) -> tuple[Callable[[StoreAddress], ObjectStore], tuple[StoreAddress]]:
        return ObjectStore, (self.address,)

    def patient(self, seconds: float) -> ObjectStore:
        """Return the same store that is asked again for `seconds`."""
        return replace(self, patience=replace(self.patience, seconds=seconds))

    def size_of(self, name: str) -> int | None:
        """Return how many bytes the file has, None if it is not there."""
        try:
            return self._ask(name, lambda folder: folder.size_of(name))
        except NotInStore:
            return None

    def sizes(self, under: str = "") -> Mapping[str, int]:
        """Return the bytes of all files below the folder `under`, by their whole names, from one listing.

        Names that would lead out of a folder on a disk are left out: this program makes none.
        """
        try:
            found = self._ask(under, lambda folder: folder.sizes(f"{under}/" if under else ""))
            return {name: size for name, size in found.items() if not _LEADS_OUT.search(name)}
        except NotInStore:
            return {}

    def read(self, name: str) -> bytes:
        """Return all bytes of a small file."""
        return self._ask(name, lambda folder: folder.read(name))

    def get_file(self, name: str, target: Path) -> None:
        """Write a file to a local path that does not exist yet: whole, or not at all.

        Raises:
            DiskFailed, CannotCreate: this disk does not take it.
        """
        # Another thread or process may be getting the same file.
        coming = target.with_name(f".{target.name[:100]}.{threading.get_native_id()}.coming")
        try:
            with coming.open("wb") as file:
                self._ask(name, lambda folder: _get(folder, name, file))
            coming.replace(target)
        except OSError as error:
            raise file_error(error, target) from error
        finally:
            coming.unlink(missing_ok=True)

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        """Write a local file: nothing has its name until all bytes are there and verified; an older one is replaced.

        `sha256` is in hexadecimal digits. If the bytes of `source` have another one, nothing is written.

        Raises:
            OSError: `source` is not there.
        """
        source.stat()
        self._ask(name, lambda folder: folder.put_file(source, name, sha256=sha256))

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write a small file, whole or not at all, over an older one."""
        self._ask(name, lambda folder: folder.put_bytes(name, data))

    def create(self, name: str, data: bytes) -> None:
        """Write a small file if no file has the name, at once; of any number of callers one succeeds.

        `data` should hold something unique. An answer may be lost, and HTTP clients repeat a PUT by themselves, so a
        file with these very bytes counts as the one that this call wrote.

        Raises:
            AlreadyInStore: another file has the name.
        """

        def create(folder: Folder) -> None:
            try:
                folder.create(name, data)
            except Exception as error:
                found = sorted_failure(error, at=self._named(name))
                if not isinstance(found, AlreadyInStore) or folder.read(name) != data:
                    raise

        self._ask(name, create)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        self._ask(name, lambda folder: folder.remove(name))

    def sign(self, name: str, seconds: int) -> str:
        """Return a link that opens the file for anyone who has it, for `seconds`, at most 7 days.

        It is a secret like a password: it must not be in a log.
        """
        if not 1 <= seconds <= LONGEST_LINK:
            raise UsageError("a link can be signed for 1 s to 7 days", advice="give a shorter time")
        return self._ask(name, lambda folder: folder.sign(name, seconds=seconds))

    def sweep(self, *, older_than: float) -> int:
        """Remove what interrupted uploads left that began that many seconds ago, and return how many those were."""
        return self._ask("", lambda folder: folder.sweep(older_than=older_than))

    def check_create(self) -> None:
        """Create a file twice; raises `StoreRefused` unless the second time fails, since a run's log depends on it."""
        name, proof = f".shotrunner/check-{uuid.uuid4().hex[:12]}", uuid.uuid4().bytes
        self.create(name, proof)
        try:
            self.create(name, uuid.uuid4().bytes)
        except AlreadyInStore:
            return
        finally:
            self.remove(name)
        advice = f"choose a store that can create a file only if it is absent: {_CAN_CREATE}"
        raise StoreRefused(f"{self.address} lets two machines create the same file", advice=advice)

    def _named(self, name: str) -> str:
        return str(self.address.under(name) if name else self.address)

    def _ask(self, name: str, call: Callable[[Folder], T]) -> T:
        """Call, sort what is raised, and call again while that may pass."""
        at = self._named(name)

        def once() -> T:
            try:
                return call(_folder(self.address))
            except Exception as error:
                found = sorted_failure(error, at=at)
                if found is None:
                    raise
                if isinstance(found, StoreAway) and found is error:
                    found = StoreAway(f"{at}: {error.message}", advice=error.advice)
                raise found from error

        return self.patience.repeat(once)


def _folder(address: StoreAddress) -> Folder:
    """Return the folder at an address, over connections that the whole process shares."""
    if address.scheme in {"s3", "s3a"}:
        from runner.object_store.s3 import S3Folder

        return S3Folder(address)
    from runner.object_store.files import FilesFolder

    # A process that was forked has connections of its own.
    key = (address, os.getpid(), threading.get_ident() if address.scheme in _ONE_THREAD else 0)
    with _opening:
        if key not in _open:
            _open[key] = FilesFolder(address)
        return _open[key]


def _get(folder: Folder, name: str, file: BinaryIO) -> None:
    """Write a file of the store from the start of a local one; what this disk does is not a failure of the store."""

    def take(piece: bytes) -> None:
        try:
            file.write(piece)
            file.flush()
        except OSError as error:
            raise file_error(error, file.name) from error

    if file.tell():
        file.seek(0)
        file.truncate()
    folder.get(name, take)
