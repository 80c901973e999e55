"""Probes one link, and keeps good probes as text: a link probed within the hour is not asked for again.

It opens no file. A link is kept as a hash, since its query may be a signature.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeAlias

from runner.media.file_kinds import format_of
from runner.media.http.response import DownloadError
from runner.media.image_size import Pixels, enough, pixels_of

if TYPE_CHECKING:
    from runner.media.http.peek import FileHead

FRESH_S = 3600.0
MOST_BYTES = 64 * 1024 * 1024
_VERSION = 1
# What the file holds as the probe has it, and the types of each.
_SAME: Mapping[str, tuple[type, ...]] = {
    "url": (str,),
    "size": (int, NoneType),
    "etag": (str, NoneType),
    "content_type": (str,),
    "format": (str,),
}

Peek: TypeAlias = "Callable[[str, Callable[[bytes], bool]], FileHead]"
"""Reads the beginning of a link until the function says that it is enough, such as `HeadReader.peek`."""


@dataclass(frozen=True, slots=True)
class LinkProbe:
    """What a link showed at wall time `at`.

    Without `trouble` the file is there. `size` is in bytes if the server gives it. `format` is a name of `FORMATS`, or
    empty if no signature fits. `pixels` is set if the first bytes show it. `url` is where the file was found,
    without a query. With `trouble` nothing was seen: `status` is the HTTP status, and `away` means no answer at all.
    """

    at: float
    trouble: str = ""
    status: int | None = None
    away: bool = False
    url: str = ""
    size: int | None = None
    etag: str | None = None
    content_type: str = ""
    format: str = ""
    pixels: Pixels | None = None


def look_at(url: str, *, peek: Peek, at: float) -> LinkProbe:
    """Return what `url` shows; never raises for what a server does."""
    try:
        found = peek(url, enough)
    except DownloadError as error:
        # The link itself passed the same rules when the manifest was read, so the refused one is a redirect's target.
        where = "it leads to where the API does not go: " if error.permanent else ""
        away = error.status is None and not error.permanent
        return LinkProbe(at, trouble=f"{where}{error.message}", status=error.status, away=away)
    kind = format_of(found.head)
    return LinkProbe(
        at=at,
        url=found.url,
        size=found.size,
        etag=found.etag,
        content_type=found.content_type,
        format=kind.name if kind else "",
        pixels=pixels_of(found.head),
    )


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
        looks = dict(map(_read, document["looks"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CacheDamaged(str(error)) from error
    # If the clock was set back, a probe may have a future time; then its age is not known.
    return {key: look for key, look in looks.items() if 0.0 <= now - look.at < FRESH_S}


def as_text(looks: Mapping[str, LinkProbe]) -> str:
    """Return the text of a file with `looks`, given by key."""
    entries = [
        {
            "key": key,
            "looked_at": float(look.at),
            **{name: getattr(look, name) for name in _SAME},
            "pixels": [look.pixels.width, look.pixels.height] if look.pixels else None,
        }
        for key, look in sorted(looks.items())
    ]
    return json.dumps({"version": _VERSION, "looks": entries}, indent=1) + "\n"


def _read(entry: Mapping[str, Any]) -> tuple[str, LinkProbe]:
    sides = entry["pixels"]
    types = {"key": (str,), "looked_at": (float,), **_SAME}
    # The comparison is exact, since a JSON true is not a number.
    if any(type(entry[name]) not in allowed for name, allowed in types.items()):
        raise CacheDamaged("a value is of another type")
    if sides is not None and [type(side) for side in sides] != [int, int]:
        raise CacheDamaged("a size is not two numbers")
    pixels = None if sides is None else Pixels(*(max(1, side) for side in sides))
    return entry["key"], LinkProbe(entry["looked_at"], **{name: entry[name] for name in _SAME}, pixels=pixels)
