"""Where the clips of a run are if they are in a store, and how a command gets at them.

In: a run directory. Out: None if its clips are in its own folder, or else sizes from one listing, addresses, and copies
on this disk. Paths such as `clips/s1.mp4` are those of the record. It does not know how a clip came into the store.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Protocol

from runner.domain.disk_errors import file_error
from runner.domain.errors import NotInStore
from runner.domain.preview_names import PREVIEWS
from runner.domain.store_address import StoreAddress
from runner.media.clips.clip_names import stem_of
from runner.media.clips.sidecar import CLIPS
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir, is_run
from runner.system.file_digest import digest_of
from runner.system.private_files import make_folder

PATIENCE_S = 20.0
"""How long a store may be away: a person waits for these commands."""

AT_ONCE = 8
"""How many files are downloaded or uploaded at once."""


class Store(Protocol):
    """What is asked of a folder in a store; names are relative to it. `object_store` fits it.

    Each method raises `StoreAway` for what may pass, `StoreRefused` for what stays so, and `NotInStore` for a name that
    is not there.
    """

    def sizes(self, folder: str) -> Mapping[str, int]:
        """Return the bytes of each file of a folder, by its name relative to the store."""
        ...

    def size_of(self, name: str) -> int | None:
        """Return the bytes of a file, None if it is not there."""
        ...

    def read(self, name: str) -> bytes:
        """Return a small file."""
        ...

    def get_file(self, name: str, target: Path) -> None:
        """Write a file of the store to a local path that does not exist yet."""
        ...

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        """Write a local file to the store, whole or not at all."""
        ...

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write a small file, whole or not at all, over an older one."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def sign(self, name: str, seconds: int) -> str:
        """Return a link that opens the file for anyone, for this number of seconds."""
        ...


def stored_clips(
    place: RunDir, *, out: str | None = None, patience_s: float = PATIENCE_S
) -> StoredClips | None:
    """Return the store that the clips of a run are in, None if they are in its own folder.

    `out` is the address that the run's header holds; without it the header is read. Nothing is asked of the store yet,
    and later it is asked again for `patience_s` seconds.

    Raises:
        UsageError, ExtraMissing, StoreRefused: the address on record cannot be used here.
        StateFileUnusable: the record cannot be read.
    """
    if out is None:
        if not is_run(place.path):
            return None
        with open_reader(place.state_file, checked=True) as reader:
            out = reader.header.out
    if not out:
        return None
    from runner.object_store.patience import Patience
    from runner.object_store.store import open_store

    address = StoreAddress(out)
    return StoredClips(address, open_store(address, patience=Patience(patience_s)), place.path)


class StoredClips:
    """The files of one run in a store, as a first look lists them; it may be used by several threads.

    Its methods raise what those of `Store` raise.
    """

    def __init__(self, address: StoreAddress, store: Store, run_dir: Path) -> None:
        self.address, self.store, self.run_dir = address, store, run_dir

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """The bytes of each clip and sidecar, by paths such as `clips/s1.mp4`; it is listed once."""
        return self.store.sizes(CLIPS)

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        return Counter(stem_of(file.rpartition("/")[2]) for file in self.sizes)

    def files_of(self, stem: str) -> int:
        """Return how many files of a take there are, its sidecar among them."""
        return self._numbers.get(stem, 0)

    @cached_property
    def previews(self) -> frozenset[str]:
        """The previews that are in the store, as `previews/NAME`; they are listed once."""
        return frozenset(self.store.sizes(PREVIEWS))

    def has_preview(self, name: str) -> bool:
        """Return whether a preview is in the run's own folder or in the store, also one that came after the listing."""
        return self.is_kept(name) or name in self.previews or self.store.size_of(name) is not None

    def address_of(self, file: str) -> str:
        """Return the address of a file, as a person would give it to another program."""
        return str(self.address.under(file))

    def has(self, file: str) -> bool:
        """Return whether the listing has a clip."""
        return file in self.sizes

    def is_kept(self, file: str) -> bool:
        """Return whether the run's own folder has a copy, as `--keep-local` asks for."""
        return (self.run_dir / file).is_file()

    def read(self, file: str) -> bytes | None:
        """Return a small file, None if it is not there."""
        with suppress(NotInStore):
            return self.store.read(file)
        return None

    def digest(self, file: str) -> tuple[str, int] | None:
        """Read a file whole, and return its SHA-256 and its bytes; None if it is not there."""
        with suppress(NotInStore), private_folder() as folder:
            copy = folder / "clip"
            self.store.get_file(file, copy)
            return digest_of(copy), copy.stat().st_size
        return None

    @contextmanager
    def on_disk(self, file: str, *, sha256: str | None) -> Iterator[Path]:
        """Yield a clip on this disk: the copy that is kept, or a download that leaves with the block.

        Raises as `copy_to`.
        """
        if self.is_kept(file):
            yield self.run_dir / file
            return
        with private_folder() as folder:
            # The kind of a file may be read from its ending.
            copy = folder / Path(file).name
            self.copy_to(copy, file, sha256=sha256)
            yield copy

    def copy_to(self, target: Path, file: str, *, sha256: str | None) -> None:
        """Write a file to a local path, whole or not at all; bytes of another SHA-256 are refused.

        A copy that is kept in the run's own folder saves the download.

        Raises:
            NotInStore: it is not there, or is not what was delivered.
            CannotCreate, DiskFailed: it cannot be written here.
        """
        kept, part = self.run_dir / file, target.with_name(f".{target.name}.part")
        try:
            make_folder(target.parent)
            part.unlink(missing_ok=True)
            if kept.is_file() and not kept.is_symlink() and sha256 in {None, digest_of(kept)}:
                shutil.copyfile(kept, part)
            else:
                self.store.get_file(file, part)
            if sha256 in {None, digest_of(part)}:
                part.replace(target)
                return
            part.unlink()
        except OSError as error:
            raise file_error(error, target, "cannot be written") from error
        raise NotInStore(
            f"{self.address_of(file)}: its bytes are not those that were delivered",
            advice="find out which others differ with verify --deep, and fetch them again",
        )


class LocalCopies:
    """Copies of stored files below `folder`, under the paths of the record; each is made when it is first asked for.

    Of more than `most` the oldest are removed; None keeps all.
    """

    def __init__(self, stored: StoredClips, folder: Path, *, most: int | None = None) -> None:
        self._folder, self._stored, self._most = folder, stored, most
        self._made: deque[Path] = deque()
        self._locks: dict[str, threading.Lock] = {}

    def of(self, file: str, *, sha256: str | None = None) -> Path:
        """Return the copy of a file; raises as `StoredClips.copy_to`."""
        path = self._folder / file
        # Two threads that ask for one file at once download it once.
        with self._locks.setdefault(file, threading.Lock()):
            if not path.exists():
                self._stored.copy_to(path, file, sha256=sha256)
                self._made.append(path)
        while self._most is not None and len(self._made) > self._most:
            self._made.popleft().unlink(missing_ok=True)
        return path


@contextmanager
def private_folder() -> Iterator[Path]:
    """Yield an empty folder of this user's own, which leaves with the block."""
    with tempfile.TemporaryDirectory(prefix="shotrunner-") as name:
        yield Path(name)
