"""Looks into clips from the threads of deliveries, which share a few decoders.

A decoder is a process with a hundred megabytes and a core of its own, so there are not as many as downloads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from runner.delivery.ports import MakesInspector
from runner.domain.job_files import ClipFile
from runner.video.inspector import Inspector, NoDecoder
from runner.video.judge import Look
from runner.video.kinds import NotReadable


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
    with _decoders(make).one() as inspector:
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


class _Decoders:
    """A few inspectors, made when they are needed and kept until the process ends: their pipes end them then."""

    def __init__(self, make: MakesInspector, *, most: int) -> None:
        self._make = make
        self._turns = threading.Semaphore(most)
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


@cache
def _decoders(make: MakesInspector) -> _Decoders:
    return _Decoders(make, most=max(1, (os.cpu_count() or 1) - 1))
