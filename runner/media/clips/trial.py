"""Tests that a clip can be delivered: it does everything that delivery does to the disk, without a download.

In: the folder of clips, and the ids of the coming takes. Out: the longest name that a clip will have, or the error that
delivery would raise after payment. It knows no network. The folder is made if it is missing; no file is left in it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from runner.media.clips.fetch import MOST_OUTPUTS
from runner.media.clips.folder import Folder
from runner.media.clips.names import clip_name, sidecar_name
from runner.media.clips.ownership import ClipOwnership
from runner.media.clips.part_file import PartFile
from runner.media.clips.sidecar import DeliveredFile
from runner.media.http.response import Version

_LAST = MOST_OUTPUTS - 1
_EXTENSION = "webm"
"""No extension of a clip is longer."""


def try_clip(clips: Path, take_ids: Iterable[str]) -> str:
    """Deliver a few bytes under names as long as those of the longest of `take_ids`, remove them, and return the name.

    Raises:
        NameConflict: the folder is a link or a file.
        OSError: the disk or the folder cannot store it.
    """
    longest = max((len(os.fsencode(take_id)) for take_id in take_ids), default=0)
    # The trial has its own take id, or it would meet the clip of a real take.
    take = f"trial-{secrets.token_hex(8)}".ljust(longest, "0")
    with Folder(clips) as folder:
        holdings = ClipOwnership(folder, take, "trial")
        final = clip_name(take, _LAST, _EXTENSION)
        try:
            _deliver(folder, holdings, final)
        finally:
            for name in (final, sidecar_name(take)):
                folder.remove(name)
    return final


def _deliver(folder: Folder, holdings: ClipOwnership, final: str) -> None:
    holdings.keep_rejected(_LAST, b"trial")
    holdings.drop_rejected(_LAST)
    holdings.remember(_LAST, "", 0, Version(), 0)
    holdings.remainder(_LAST, "")
    holdings.forget(_LAST)
    with PartFile(folder, holdings.part_name(_LAST)) as part:
        part.write(b"trial")
        landed = DeliveredFile(_LAST, final, part.sha256, part.size)
        part.flush()
        holdings.promise(landed, dict)
        part.place(final)
        holdings.land(landed)
    holdings.settle(dict)
    folder.sync()
