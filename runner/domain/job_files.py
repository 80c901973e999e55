"""The files of one paid job: what a delivery hands on, by whatever way it was downloaded, wherever it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from runner.domain.states import Delivered


@dataclass(frozen=True, slots=True)
class ClipFile:
    """One output; `name` is its path relative to the place of clips, `bytes` its size."""

    name: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class JobFiles:
    """The clips of a job and their sidecar, whose content is `data`; the first clip is the take's.

    `is_complete` says that each output of the ticket is among them. `remark` says what is unusual about a file, empty
    if nothing is.
    """

    request_id: str
    sidecar: str
    data: bytes
    clips: tuple[ClipFile, ...]
    is_complete: bool = True
    remark: str = ""

    @property
    def delivered(self) -> Delivered:
        """The fact that these files are there."""
        first = self.clips[0]
        return Delivered(first.name, first.sha256, first.bytes, self.remark)
