"""Which reader a file needs, by the extension that its own bytes gave it when it was downloaded.

The reader is named to FFmpeg, which otherwise would guess. A playlist or a list of files is then never followed.
"""

from __future__ import annotations

from pathlib import Path

_DEMUXERS = {
    **dict.fromkeys(("mp4", "mov", "3gp", "m4a"), "mov"),
    **dict.fromkeys(("webm", "mkv"), "matroska"),
    **dict.fromkeys(("ogv", "ogg"), "ogg"),
    **{
        name: name for name in ("avi", "flv", "mxf", "ivf", "wav", "mp3", "aac", "flac", "caf", "amr", "aiff")
    },
    "mpg": "mpeg",
    "ts": "mpegts",
    "wmv": "asf",
    "y4m": "yuv4mpegpipe",
}
PICTURES = frozenset({"webp", "png", "jpg", "gif", "tif", "bmp", "avif"})
"""Extensions of pictures; a picture has no length, even if it moves."""

ISO = frozenset({"mp4", "mov", "3gp", "m4a"})
"""Extensions of files with the boxes of ISO/IEC 14496-12."""


class NotReadable(Exception):
    """The file cannot be read as what its name says; the message is a phrase for a person."""


def extension(path: Path) -> str:
    """Return the extension in lower case without its dot."""
    return path.suffix[1:].lower()


def demuxer(path: Path) -> str:
    """Return FFmpeg's name of the reader, empty if this file is not for it."""
    return _DEMUXERS.get(extension(path), "")
