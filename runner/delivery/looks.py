"""Looks into clips from the threads of deliveries, which share a few decoders.

A decoder is a process with a hundred megabytes and a core of its own, so there are not as many as downloads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.delivery.ports import MakesInspector
from runner.domain.job_files import ClipFile
from runner.video.inspector import Inspector, NoDecoder
from runner.video.judge import Look
from runner.video.kinds import NotReadable

_MOST = 4


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into the clip with this hash found: `reason` says why it is not readable, if `look` is None.

    `unmade` says why it has no previews, empty if it has what it should have.
    """

    sha256: str
    look: Look | None
    reason: str = ""
    unmade: str = ""


def look_into(clip: ClipFile, folder: Path, make: MakesInspector) -> Found | None:
    """Look into a clip below `folder` and make its previews there; None where no decoder can be started.

    A clip that crashes the decoder, or is not decoded in time, is not readable.
    """
    with _decoders.setdefault(make, _Decoders(make)).one() as inspector:
        try:
            look = inspector.look(folder / clip.name)
        except NotReadable as error:
            return Found(clip.sha256, None, str(error))
        except NoDecoder:
            return None
        try:
            inspector.make_previews(folder / clip.name, folder, clip.sha256)
        except (NotReadable, NoDecoder) as error:
            return Found(clip.sha256, look, unmade=str(error))
        return Found(clip.sha256, look)


def close_idle() -> None:
    """End the decoders of this process that no thread uses; the others end with the process."""
    for each in _decoders.values():
        each.close_idle()


class _Decoders:
    """A few inspectors, made when they are needed; the pipes to them end those that are left with the process."""

    def __init__(self, make: MakesInspector) -> None:
        self._make = make
        self._turns = threading.Semaphore(max(1, min(_MOST, (os.cpu_count() or 1) - 1)))
        self._idle: list[Inspector] = []

    @contextmanager
    def one(self) -> Iterator[Inspector]:
        """Yield an inspector that no other thread has; it waits for a free one."""
        with self._turns:
            inspector = None
            with suppress(IndexError):
                inspector = self._idle.pop()
            inspector = inspector or self._make()
            try:
                yield inspector
            finally:
                self._idle.append(inspector)

    def close_idle(self) -> None:
        """End those that no thread has."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()


_decoders: dict[MakesInspector, _Decoders] = {}
