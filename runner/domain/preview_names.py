"""The names of the pictures that are made of a clip and of what went into it. No rename of a clip concerns them.

previews/1a2b….small.jpg   a poster of 320 pixels' width      previews/1a2b….first.jpg   the first frame
previews/1a2b….large.jpg   a poster of 960 pixels' width      previews/1a2b….last.jpg    the last frame
previews/1a2b….mp4         a small moving preview without sound
previews/in-1a2b….jpg      a small copy of an input picture, named by the hash of its link
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

PREVIEWS = "previews"
"""The folder of previews in a run directory."""

SMALL_WIDTH, LARGE_WIDTH = 320, 960
"""Widths of the two posters in pixels; a smaller clip's own width if that is less."""

_LETTERS = 32
_NAME = re.compile(
    rf"{PREVIEWS}/(?:in-)?[0-9a-f]{{{_LETTERS}}}(?:\.small|\.large|\.first|\.last)?\.(?:jpg|mp4)"
)


@dataclass(frozen=True, slots=True)
class PreviewNames:
    """Paths relative to the run directory."""

    small: str
    large: str
    first: str
    last: str
    motion: str


def preview_names(sha256: str) -> PreviewNames:
    """Return where the previews of a clip with this hash are, or will be."""
    stem = f"{PREVIEWS}/{sha256[:_LETTERS]}"
    return PreviewNames(
        small=f"{stem}.small.jpg",
        large=f"{stem}.large.jpg",
        first=f"{stem}.first.jpg",
        last=f"{stem}.last.jpg",
        motion=f"{stem}.mp4",
    )


def input_name(link: str) -> str:
    """Return where the small copy of the input picture with this link is, or will be."""
    digest = hashlib.sha256(link.encode("utf-8", "backslashreplace")).hexdigest()
    return f"{PREVIEWS}/in-{digest[:_LETTERS]}.jpg"


def is_preview(name: str) -> bool:
    """Return whether a path relative to the run directory is the name of a preview."""
    return _NAME.fullmatch(name) is not None
