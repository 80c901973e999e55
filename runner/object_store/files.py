"""A folder in any other store that fsspec can reach, such as `file`, `gs`, `az`, `sftp` and `memory`.

A file is written under a hidden name beside its own, read back, and moved when its length and SHA-256 are right. So an
upload that was interrupted leaves a hidden file only, and `sweep` removes it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from runner.domain.errors import ExtraMissing, StoreAway, UsageError
from runner.domain.store_address import StoreAddress
from runner.object_store.failures import AlreadyInStore
from runner.object_store.ports import FOLDERS
from runner.system.private_files import flush_folder

COMING = ".coming-"
_PIECE = 1024 * 1024
_WITHOUT_FOLDERS = frozenset({"gs", "gcs", "az", "abfs", "abfss", "adl", "oss", "oci"})
_BY_REQUEST = frozenset({"gs", "gcs", "az", "abfs", "abfss"})
_SSH = frozenset({"sftp", "ssh"})
_one_at_a_time = threading.Lock()


class FilesFolder:
    """A folder of a file system of fsspec; `wall` is the time in unix seconds."""

    def __init__(self, address: StoreAddress, *, wall: Callable[[], float] = time.time) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise ExtraMissing("a store", extra="cloud") from error
        try:
            found = url_to_fs(address.url, skip_instance_cache=True, **_options(address.scheme))
        except ImportError as error:
            raise UsageError(
                f"{address.scheme}://: {error}", advice="install that package beside this one"
            ) from error
        except ValueError as error:
            known = "s3, gs, az, sftp and file are well known"
            raise UsageError(f"{address.scheme}:// is not a kind of store", advice=known) from error
        self._files: Any = found[0]
        self._root, self._scheme, self._wall = str(found[1]).rstrip("/"), address.scheme, wall
        self._home: tuple[int, int] | None = None

    def size_of(self, name: str) -> int:
        """Return bytes; raises if the file is not there."""
        return int(self._files.size(self._path(name)))

    def sizes(self, under: str) -> Mapping[str, int]:
        """Return the bytes of each file whose name begins with the folder `under`, in the order of names."""
        return {
            name: int(about["size"])
            for name, about in sorted(self._found(under).items())
            if COMING not in name
        }

    def read(self, name: str) -> bytes:
        """Return all bytes of a file."""
        return bytes(self._files.cat_file(self._path(name)))

    def get(self, name: str, take: Callable[[bytes], object]) -> None:
        """Pass a file's bytes on, in pieces; raises `StoreAway` if they are fewer than the store said."""
        left = self.size_of(name)
        with self._files.open(self._path(name), "rb") as file:
            while piece := file.read(_PIECE):
                take(piece)
                left -= len(piece)
        if left:
            raise StoreAway("it ended early")

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        """Write a local file, whole and verified or not at all."""
        with self._coming(name) as coming:
            self._files.put_file(str(source), coming)
            self._verify(coming, size=source.stat().st_size, sha256=sha256)
            self._files.mv(coming, self._path(name))

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write bytes, whole and verified or not at all."""
        with self._coming(name) as coming:
            self._write(coming, data)
            self._files.mv(coming, self._path(name))

    def create(self, name: str, data: bytes) -> None:
        """Write bytes if no file has the name; raises NotImplementedError where no step does both at once."""
        path = self._path(name)
        if self._scheme in _BY_REQUEST:
            self._files.pipe_file(path, data, mode="create")
        elif self._scheme == "file":
            with self._coming(name) as coming:
                self._write(coming, data)
                os.link(coming, path)
        elif self._scheme in _SSH:
            # The plain rename of this protocol, unlike its newer one, fails if the name is taken.
            with self._coming(name) as coming:
                self._write(coming, data)
                if self._files.exists(path):
                    raise AlreadyInStore(name)
                self._files.ftp.rename(coming, path)
        elif self._scheme == "memory":
            with _one_at_a_time:
                self._files.pipe_file(path, data, mode="create")
        else:
            raise NotImplementedError(self._scheme)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        with suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def sign(self, name: str, *, seconds: int) -> str:
        """Return a link that opens the file for anybody for a time; raises NotImplementedError if there are none."""
        return str(self._files.sign(self._path(name), expiration=seconds))

    def sweep(self, *, older_than: float) -> int:
        """Remove the hidden files that were last written at least `older_than` seconds ago."""
        hidden = [name for folder in FOLDERS for name in self._found(folder) if COMING in name]
        times = {name: self._files.modified(self._path(name)).timestamp() for name in hidden}
        old = [name for name, at in times.items() if self._wall() - at >= older_than]
        for name in old:
            self.remove(name)
        return len(old)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _found(self, under: str) -> dict[str, Any]:
        found = self._files.find(self._path(under.rstrip("/")), detail=True)
        start = len(self._root) + 1
        return {path[start:]: about for path, about in found.items()}

    @contextmanager
    def _coming(self, name: str) -> Iterator[str]:
        """Make the folder, and give a hidden name in it; what still has that name at the end is removed."""
        folder, _, last = self._path(name).rpartition("/")
        if self._scheme not in _WITHOUT_FOLDERS:
            self._refuse_other_disk()
            self._files.makedirs(folder, exist_ok=True)
        coming = f"{folder}/{COMING}{uuid.uuid4().hex[:12]}-{last[:100]}"
        try:
            yield coming
        finally:
            with suppress(FileNotFoundError):
                self._files.rm_file(coming)
        if self._scheme == "file":
            flush_folder(Path(folder))

    def _refuse_other_disk(self) -> None:
        """Raise OSError where the folder is not the one of the first write: a mount that is gone leaves another."""
        if self._scheme != "file":
            return
        if self._home is None:
            Path(self._root).mkdir(parents=True, exist_ok=True)
        root = Path(self._root)
        here = (root.stat().st_dev, root.stat().st_ino) if root.is_dir() else None
        self._home = self._home or here
        if self._home != here:
            raise OSError(errno.ESTALE, "is another folder than before, as if its disk was gone", self._root)

    def _write(self, coming: str, data: bytes) -> None:
        self._files.pipe_file(coming, data)
        self._verify(coming, size=len(data), sha256=hashlib.sha256(data).hexdigest())

    def _verify(self, coming: str, *, size: int, sha256: str) -> None:
        """Read back what was written; a file on a disk is flushed as well, since its name follows."""
        found, length = hashlib.sha256(), 0
        with self._files.open(coming, "rb") as file:
            while piece := file.read(_PIECE):
                found.update(piece)
                length += len(piece)
        if length != size or found.hexdigest() != sha256:
            raise StoreAway("the bytes in the store are not those that were received")
        if self._scheme == "file":
            with Path(coming).open("rb") as file:
                os.fsync(file.fileno())


def _options(scheme: str) -> dict[str, Any]:
    if scheme in _SSH:
        from runner.object_store.sftp_hosts import known_hosts_only

        return {"host_key_policy": known_hosts_only()}
    # What remembers its listings would not see another machine's files; the others do not know the word.
    return {"use_listings_cache": False} if scheme in _WITHOUT_FOLDERS else {}
