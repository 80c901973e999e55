"""Tries that a clip can be delivered: everything that delivery does to the disk, without a download.

In: the folder of clips, and the ids of the takes to come. Out: the longest name that a clip will have, or what delivery
itself would have raised once the clip was paid for. The folder is made if it is missing; no file is left in it.
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
"""As long as the extension of a clip gets."""


def try_clip(clips: Path, take_ids: Iterable[str]) -> str:
    """Deliver a few bytes under names as long as the longest of `take_ids` gets, and remove them; return the longest.

    Raises:
        NameConflict: the folder is a link or a file.
        OSError: the disk or the folder does not take it.
    """
    longest = max((len(os.fsencode(take_id)) for take_id in take_ids), default=0)
    # A name of its own, or the trial would meet the clip of that very take.
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
