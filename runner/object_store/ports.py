"""What each kind of store can do, once and without patience: `store.py` repeats, names and sorts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

FOLDERS = ("clips/", "previews/", ".shotrunner/")
"""What a run has in its folder beside files at the top; other people's files may lie beside them."""


class Folder(Protocol):
    """A folder in one kind of store; its methods raise whatever their library does.

    They may be called from any thread, and hold it. Names are relative, with `/` between parts.
    """

    def size_of(self, name: str) -> int:
        """Return bytes; raises if the file is not there."""
        ...

    def sizes(self, under: str) -> Mapping[str, int]:
        """Return the bytes of each file whose name begins with the folder `under`, in the order of names."""
        ...

    def read(self, name: str) -> bytes:
        """Return all bytes of a file."""
        ...

    def get(self, name: str, take: Callable[[bytes], object]) -> None:
        """Pass a file's bytes on, in pieces; raises `StoreAway` if they are fewer than the store said."""
        ...

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        """Write a local file, whole and verified or not at all."""
        ...

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write bytes, whole and verified or not at all."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Write bytes if no file has the name; otherwise raise what `failures` knows as `AlreadyInStore`."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def sign(self, name: str, *, seconds: int) -> str:
        """Return a link that opens the file for anybody for a time."""
        ...

    def sweep(self, *, older_than: float) -> int:
        """Remove what uploads to `FOLDERS` left that began that many seconds ago, and return how many those were."""
        ...
