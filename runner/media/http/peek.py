"""Reads the beginning of a public file: its status, headers and first bytes; then it closes the connection.

In: a link that the user wrote, and a function that says when the bytes are enough. Out: a `FileHead`, or a
`DownloadError`. It knows no picture and no take. Like every download it checks every hop and every connected address,
sends no token and no cookie, and has one deadline.
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
"""No header of a picture is larger, except those with a whole colour book."""

_STEP = 4096
_FROM_START = re.compile(r"bytes 0-\d{1,19}/(?P<total>\d{1,19}|\*)")
_ANY_PORT = range(1, 65536)

Enough: TypeAlias = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class FileHead:
    """What the beginning of a file shows.

    `size` is the whole file's size in bytes, None if the server does not say. `content_type` is the server's type,
    without parameters. `url` is where the file was found, without its query. Texts are printable ASCII.
    """

    url: str
    head: bytes
    size: int | None
    etag: str | None
    content_type: str


class HeadReader:
    """A client that reads the beginning of public files; several threads may share one.

    `deadline_s` limits one whole peek with redirects, but not the look-up of the host's name. Use it as a context
    manager.
    """

    def __init__(self, *, allow_loopback: bool = False, deadline_s: float = 20.0) -> None:
        # The API fetches from its own network, so the port of a public host does not matter here.
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
            DownloadError: the file cannot be read; `status` is the server's, if it answered.
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
        raise DownloadError(f"{download.url} sent a part other than the first")
    head, ended = _beginning(download.chunks, enough)
    if found:
        size = int(found["total"]) if found["total"] != "*" else None
    else:
        size = len(head) if ended else download.length
    return FileHead(
        download.url, head, size, download.version.strong_etag or None, _content_type(download.headers)
    )


def _beginning(chunks: Iterator[bytes], enough: Enough) -> tuple[bytes, bool]:
    """Return the first bytes, and whether they are the whole file."""
    head, look_at = bytearray(), 0
    for chunk in chunks:
        head += chunk
        if len(head) < look_at:
            continue
        if len(head) >= MOST_BYTES or enough(bytes(head)):
            return bytes(head[:MOST_BYTES]), False
        # The check is not made after every chunk: each one starts at the first byte, and a chunk may be one byte.
        look_at = min(len(head) + max(_STEP, len(head) // 4), MOST_BYTES)
    return bytes(head), True


def _content_type(headers: Mapping[str, str]) -> str:
    return clean(headers.get("content-type", "").partition(";")[0].strip().lower(), limit=80)
