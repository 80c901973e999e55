"""A peek at a public file: its status, its headers and its first bytes, and then the connection is closed.

In: a link that the user wrote, and a function that says when the bytes are enough. Out: a `FileHead`, or a
`DownloadError`. It goes the way of every download, with every hop and every connected address checked, no token,
no cookie and one deadline over all. It knows no picture and no take.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

from runner.media.http.download_client import Downloads
from runner.media.http.response import Download, DownloadError, RangeRefused, clean, shown

MOST_BYTES = 512 * 1024
"""No header of a picture is larger, but for those that carry a whole colour book."""

_STEP = 4096
_FROM_START = re.compile(r"bytes 0-\d{1,19}/(?P<total>\d{1,19}|\*)")
_ANY_PORT = range(1, 65536)

Enough: TypeAlias = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class FileHead:
    """What the beginning of a file shows.

    `size` is of the whole file in bytes, None where the server does not say; `content_type` is what the server calls
    it, without parameters; `url` is where it was found, without its query. Texts are printable ASCII.
    """

    url: str
    head: bytes
    size: int | None
    etag: str | None
    content_type: str


class HeadReader:
    """A client that looks at the beginning of public files; several threads may share one.

    `deadline_s` bounds one peek as a whole, redirects included, but for the look-up of the host's name. Use it as a
    context manager.
    """

    def __init__(self, *, allow_loopback: bool = False, deadline_s: float = 20.0) -> None:
        # The API asks from its own network: which port a public host serves on is no business of ours.
        self._downloads = Downloads(
            allow_loopback=allow_loopback, deadline_s=deadline_s, connect_s=5.0, read_s=10.0, ports=_ANY_PORT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._downloads.close()

    def peek(self, url: str, *, enough: Enough) -> FileHead:
        """Read `url` from its start until `enough` says so, it ends, or 512 KiB have come.

        Raises:
            DownloadError: there is no such file to be had; `status` is the server's, if it answered with one.
        """
        try:
            with self._downloads.open(url, first=MOST_BYTES) as download:
                return _taken(download, enough)
        except RangeRefused:
            # A file without a first byte has no such range (RFC 9110, 15.5.17).
            return FileHead(shown(url), b"", 0, None, "")


def _taken(download: Download, enough: Enough) -> FileHead:
    found = _FROM_START.fullmatch(download.headers.get("content-range", "").strip())
    if download.status == 206 and not found:
        raise DownloadError(f"{download.url} sent another part than the first one")
    head, ended = _beginning(download.chunks, enough)
    if found:
        size = int(found["total"]) if found["total"] != "*" else None
    else:
        size = len(head) if ended else download.length
    return FileHead(
        download.url, head, size, download.version.strong_etag or None, _content_type(download.headers)
    )


def _beginning(chunks: Iterator[bytes], enough: Enough) -> tuple[bytes, bool]:
    """Return the first bytes, and whether they are all that there are."""
    head, look_at = bytearray(), 0
    for chunk in chunks:
        head += chunk
        if len(head) < look_at:
            continue
        if len(head) >= MOST_BYTES or enough(bytes(head)):
            return bytes(head[:MOST_BYTES]), False
        # Not after every chunk: a server may send thousands of one byte each, and each look begins at the start.
        look_at = min(len(head) + max(_STEP, len(head) // 4), MOST_BYTES)
    return bytes(head), True


def _content_type(headers: Mapping[str, str]) -> str:
    return clean(headers.get("content-type", "").partition(";")[0].strip().lower(), limit=80)
