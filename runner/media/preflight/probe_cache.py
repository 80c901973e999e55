"""What earlier looks found, as text for a file: a link seen within the hour is not asked for again.

In: the text of such a file, or looks. Out: looks by link, or the text. A link is kept as a hash, since its query may be
a signature. It opens no file and reads no clock.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from runner.media.image_size import Pixels
from runner.media.preflight.probe import LinkProbe

FRESH_S = 3600.0
MOST_BYTES = 64 * 1024 * 1024
_VERSION = 1


class CacheDamaged(ValueError):
    """The text is not what `as_text` writes."""


def key_of(url: str) -> str:
    """Return what a link is known by in the file."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def fresh_looks(text: str, *, now: float) -> dict[str, LinkProbe]:
    """Return the looks in `text` that are younger than an hour, by the key of their link.

    Raises:
        CacheDamaged: it is not whole, or not of this version.
    """
    try:
        document = json.loads(text)
        if document["version"] != _VERSION:
            raise CacheDamaged("another version wrote it")
        looks = {_text(entry["key"]): _read(entry) for entry in document["looks"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CacheDamaged(str(error)) from error
    # A clock that was set back makes looks of the future; nobody knows how old they are.
    return {key: look for key, look in looks.items() if 0.0 <= now - look.at < FRESH_S}


def as_text(looks: Mapping[str, LinkProbe]) -> str:
    """Return the text of a file that holds `looks`, which are by key."""
    entries = [_written(key, look) for key, look in sorted(looks.items())]
    return json.dumps({"version": _VERSION, "looks": entries}, indent=1) + "\n"


def _written(key: str, look: LinkProbe) -> dict[str, object]:
    return {
        "key": key,
        "looked_at": look.at,
        "url": look.url,
        "size": look.size,
        "etag": look.etag,
        "content_type": look.content_type,
        "format": look.format,
        "pixels": [look.pixels.width, look.pixels.height] if look.pixels else None,
    }


def _read(entry: Mapping[str, Any]) -> LinkProbe:
    at, pixels = entry["looked_at"], entry["pixels"]
    if isinstance(at, bool) or not isinstance(at, int | float):
        raise CacheDamaged("a time is no number")
    return LinkProbe(
        at=float(at),
        url=_text(entry["url"]),
        size=None if entry["size"] is None else _whole(entry["size"]),
        etag=None if entry["etag"] is None else _text(entry["etag"]),
        content_type=_text(entry["content_type"]),
        format=_text(entry["format"]),
        pixels=None if pixels is None else Pixels(*(max(1, _whole(side)) for side in pixels)),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise CacheDamaged("a text is none")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CacheDamaged("a number is none")
    return value
