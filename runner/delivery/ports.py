"""What a delivery needs from outside, as narrow Protocols: `object_store` and `media` fit them without knowing them."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Protocol, Self

from runner.domain.api_answers import FetchAnswer
from runner.domain.job_files import JobFiles
from runner.domain.shots import Ticket
from runner.video.inspector import Inspector


class ClipStore(Protocol):
    """A folder in a store; names are relative to it and have `/` between their parts. It can be pickled.

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


class MakesInspector(Hashable, Protocol):
    """Makes what looks into clips; it can be pickled and hashed, such as a function of a module."""

    def __call__(self) -> Inspector:
        """Return a new inspector, which one thread at a time may use."""
        ...


class ClipSource(Protocol):
    """Downloads the clips of tickets into the `clips/` of a folder; it can be pickled."""

    @property
    def folder(self) -> Path:
        """The folder that the files go to: the run's own, or a scratch folder."""
        ...

    def at(self, folder: Path) -> Self:
        """Return the same download into another folder."""
        ...

    def __call__(self, ticket: Ticket) -> FetchAnswer:
        """Download all outputs of the take and return the first, or the trouble; safe to repeat.

        Raises:
            DiskFailed: the disk is full or failing.
        """
        ...

    def sidecar_of(self, ticket: Ticket) -> str:
        """Return the name of the sidecar of the take's clips, relative to the folder."""
        ...

    def read(self, ticket: Ticket, data: bytes) -> JobFiles | None:
        """Return the files that a sidecar of this take lists, None if these bytes are not one."""
        ...

    def aside(self, ticket: Ticket, data: bytes, *, number: int) -> JobFiles | None:
        """Return the files of an older job of this take under the names that keep them, None as `read`."""
        ...


class TaskKilled(Exception):
    """Each worker that ran this task died; its message is about the take."""


class NotDoneThere(Exception):
    """A task was not done where it was sent, which says nothing about the take: it can be done elsewhere."""


class ClusterLost(NotDoneThere):
    """No further task will be done there."""
