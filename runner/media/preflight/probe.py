"""Probes one link: it returns what the link showed, or why it showed nothing.

In: a link and a way to read its beginning. Out: a frozen `LinkProbe`. It judges nothing and knows no take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from runner.media.formats import FORMATS, Format, format_of
from runner.media.http.response import DownloadError
from runner.media.image_size import Pixels, enough, pixels_of

if TYPE_CHECKING:
    from runner.media.http.peek import FileHead


class Peeker(Protocol):
    """A function that reads the beginning of a link, such as `HeadReader.peek`."""

    def __call__(self, url: str, /, *, enough: Callable[[bytes], bool]) -> FileHead:
        """Return what `url` begins with, read until `enough` says so; raises `DownloadError`."""
        ...


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

    @property
    def kind(self) -> Format | None:
        """The format as such."""
        return FORMATS.get(self.format)


LookAt: TypeAlias = Callable[[str], LinkProbe]


def look_at(url: str, *, peek: Peeker, at: float) -> LinkProbe:
    """Return what `url` shows; never raises for what a server does."""
    try:
        found = peek(url, enough=enough)
    except DownloadError as error:
        return _trouble(error, at)
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


def _trouble(error: DownloadError, at: float) -> LinkProbe:
    # The link itself passed the same rules when the manifest was read, so the refused one is a redirect's target.
    message = f"it leads to where the API does not go: {error.message}" if error.permanent else error.message
    return LinkProbe(
        at, trouble=message, status=error.status, away=error.status is None and not error.permanent
    )
