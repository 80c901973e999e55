"""What a delivery needs from a store, as a narrow Protocol: `object_store` fits it without knowing this module."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class ClipStore(Protocol):
    """A folder in a store; names are relative to it and have `/` between their parts.

    Each method raises `StoreAway` for what may pass, `StoreRefused` for what stays so, and `NotInStore` for a name that
    is not there.
    """

    def size_of(self, name: str) -> int | None:
        """Return how many bytes the file has, None if it is not there."""
        ...

    def read(self, name: str) -> bytes:
        """Return a small file."""
        ...

    def put_file(self, source: Path, name: str, *, sha256: str) -> None:
        """Write a file of a local disk to the store: nothing has its name until all bytes are there and verified."""
        ...

    def put_bytes(self, name: str, data: bytes) -> None:
        """Write a small file, whole or not at all, over an older one."""
        ...

    def get_file(self, name: str, target: Path) -> None:
        """Write a file of the store to a local path that does not exist yet."""
        ...
