"""Reads the beginning of a public file: its status, headers and first bytes; then it closes the connection."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from runner.media.http.download_client import Downloads
from runner.media.http.response import Download, DownloadError, clean, shown
from runner.system.proxies import DIRECT, ProxyRules

MOST_BYTES = 512 * 1024
"""No header of a picture is larger, except those with a whole colour book."""

_STEP = 4096
_FROM_START = re.compile(r"bytes 0-\d{1,19}/(?P<total>\d{1,19}|\*)")
_ANY_PORT = range(1, 65536)


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


class HeadReader(Downloads):
    """A client that reads the beginning of public files, with all checks of a download; threads may share one.

    `deadline_s` limits one whole peek with redirects, but not the look-up of the host's name.
    """

    def __init__(
        self, *, allow_loopback: bool = False, deadline_s: float = 20.0, proxies: ProxyRules = DIRECT
    ) -> None:
        # The API fetches from its own network, so the port of a public host does not matter here.
        super().__init__(
            allow_loopback=allow_loopback,
            deadline_s=deadline_s,
            connect_s=5.0,
            read_s=10.0,
            ports=_ANY_PORT,
            proxies=proxies,
        )

    def peek(self, url: str, enough: Callable[[bytes], bool]) -> FileHead:
        """Read `url` from its start until `enough` says so, it ends, or 512 KiB have come.

        Raises:
            DownloadError: the file cannot be read; `status` is the server's, if it answered.
        """
        try:
            with self.open(url, first=MOST_BYTES) as download:
                return head_of(download, enough)
        except DownloadError as error:
            # A file without a first byte has no such range (RFC 9110, 15.5.17).
            if error.status == 416:
                return FileHead(shown(url), b"", 0, None, "")
            raise


def head_of(download: Download, enough: Callable[[bytes], bool]) -> FileHead:
    """Return what an answer begins with, read as `HeadReader.peek` says."""
    found = _FROM_START.fullmatch(download.headers.get("content-range", "").strip())
    if download.status == 206 and not found:
        raise DownloadError(f"{download.url} sent a part other than the first")
    head, look_at, size = bytearray(), 0, download.length
    for chunk in download.chunks:
        head += chunk
        if len(head) < look_at:
            continue
        if len(head) >= MOST_BYTES or enough(bytes(head)):
            break
        # The check is not made after every chunk: each one starts at the first byte, and a chunk may be one byte.
        look_at = min(len(head) + max(_STEP, len(head) // 4), MOST_BYTES)
    else:
        size = len(head)
    if found:
        size = int(found["total"]) if found["total"] != "*" else None
    said = download.headers.get("content-type", "").partition(";")[0].strip().lower()
    etag = download.version.strong_etag or None
    return FileHead(download.url, bytes(head[:MOST_BYTES]), size, etag, clean(said, limit=80))
