"""The results of earlier probes as text for a file: a link probed within the hour is not asked for again.

In: the text of such a file, or probes. Out: probes by link, or the text. It opens no file and reads no clock. A link is
kept as a hash, since its query may be a signature.
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
    """The text does not come from `as_text`."""


def key_of(url: str) -> str:
    """Return the key of a link in the file."""
    return hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def fresh_looks(text: str, *, now: float) -> dict[str, LinkProbe]:
    """Return the probes in `text` that are younger than an hour, by the key of their link.

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
    # If the clock was set back, a probe may have a future time; then its age is not known.
    return {key: look for key, look in looks.items() if 0.0 <= now - look.at < FRESH_S}


def as_text(looks: Mapping[str, LinkProbe]) -> str:
    """Return the text of a file with `looks`, given by key."""
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
        raise CacheDamaged("a time is not a number")
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
        raise CacheDamaged("a text is not a string")
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise CacheDamaged("a number is not an integer")
    return value
