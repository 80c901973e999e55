"""A cut with its media in one file: a zip of an OpenTimelineIO file and of all clips that it names.

In: a timeline and an open file. Out: the bundle, whose parts have fixed dates, so that the same cut gives the same
bytes. OpenTimelineIO's own writer takes the active clips only, and leaves the others' paths pointing at this machine.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import FileMissing
from runner.timeline.otio_json import otio_text
from runner.timeline.slots import Clip, Timeline

_VERSION = "1.0.0"
_MODE = 0o644 << 16


def write_otioz(timeline: Timeline, file: BinaryIO) -> None:
    """Write the bundle to `file`.

    Raises:
        FileMissing: a clip cannot be read.
        OSError: the bundle cannot be written.
    """
    with ZipFile(file, "w") as bundle:
        bundle.writestr(_part("version.txt"), _VERSION)
        text = otio_text(timeline, target=_name)
        bundle.writestr(_part("content.otio"), text.encode("utf-8", "replace"))
        for clip in clips_of(timeline):
            with _opened(clip.file) as source:
                part = _part(_name(clip), stored=True)
                # A zip must know beforehand whether a part is larger than 4 GiB.
                part.file_size = os.fstat(source.fileno()).st_size
                with bundle.open(part, "w") as place:
                    shutil.copyfileobj(source, place, 1 << 20)


def clips_of(timeline: Timeline) -> Iterator[Clip]:
    """Yield each clip of a cut once, those that play and the others."""
    for slot in timeline.slots:
        if slot.active is not None:
            yield slot.active
            yield from slot.others


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        shown = visible(str(path), PATH_LIMIT)
        message = f"{shown}: the clip cannot be read: {(error.strerror or str(error)).lower()}"
        raise FileMissing(message, advice="find out which clips are missing: shotrunner verify") from error


def _name(clip: Clip) -> str:
    """Return the name in the bundle; a label is the name of one take only, and safe in a path and a URL."""
    return f"media/{clip.label}{Path(clip.file).suffix}"


def _part(name: str, *, stored: bool = False) -> ZipInfo:
    part = ZipInfo(name)
    part.compress_type = ZIP_STORED if stored else ZIP_DEFLATED
    part.external_attr = _MODE
    return part
