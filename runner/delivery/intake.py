"""Taking a body in: bytes of a download into a hidden file, counted, hashed and looked at on the way.

In: an open client, a link, a part file, limits. Out: the kind of file that is now there, complete; or an exception
that says why it is not. It knows no final names and no ownership.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from runner.delivery.containers import HEAD_BYTES, Ending, Kind, ending_of, kind_of, looks_like_text
from runner.delivery.files import PartFile
from runner.errors import DiskFailed
from runner.transport.downloads import Downloads
from runner.transport.received import Download, DownloadError, RangeRefused

REJECTED_BYTES = 64 << 10
"""As much of a body that is no clip is kept for whoever wants to know what it was."""

_SPACE_CHECK_BYTES = 32 << 20
_ROOM_FOR_ANY = 64 << 20
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")


class NotDelivered(Exception):
    """A body that arrived but is not the clip; `permanent` means that another try cannot help."""

    def __init__(self, reason: str, *, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent


class Rejected(NotDelivered):
    """A body that is no media file; `start` is its first 64 KiB."""

    def __init__(self, reason: str, *, start: bytes, permanent: bool) -> None:
        super().__init__(reason, permanent=permanent)
        self.start = start


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may come: `max_bytes` for one file; `spare_bytes` stay free on the volume."""

    max_bytes: int
    spare_bytes: int
    free_bytes: Callable[[], int]


class Intake:
    """One body on its way into one part file; `etag` is the strong validator of the bytes there so far."""

    def __init__(self, part: PartFile, limits: Limits, *, etag: str | None = None) -> None:
        self.etag = etag
        self._part = part
        self._limits = limits
        self._checked_at = 0

    def receive(self, downloads: Downloads, url: str, *, on_kind: Callable[[Kind], None]) -> Kind:
        """Fill the part file to its end; `on_kind` is told the kind at the first bytes and may raise.

        Raises:
            DownloadError: the body did not come or broke off; what came may be continued.
            Rejected: it is no media file.
            NotDelivered: it is too large, or not whole.
            DiskFailed: the volume is full.
        """
        if self._part.size and self.etag:
            with suppress(RangeRefused, _Unfitting):
                return self._receive(downloads, url, on_kind)
        self._restart()
        try:
            return self._receive(downloads, url, on_kind)
        except _Unfitting as error:
            raise DownloadError("the server sent a range that nobody asked for") from error

    def _receive(self, downloads: Downloads, url: str, on_kind: Callable[[Kind], None]) -> Kind:
        with downloads.open(url, offset=self._part.size, validator=self.etag) as download:
            self._begin(download)
            expected = None if download.length is None else self._part.size + download.length
            self._check_size(expected or 0)
            self._check_space((expected or 0) - self._part.size)
            kind = self._copy(download.chunks, on_kind)
            if expected is not None and self._part.size != expected:
                raise DownloadError(f"{self._part.size} bytes came instead of {expected}")
            self._check_ending(kind, framed=download.framed)
            return kind

    def _begin(self, download: Download) -> None:
        if download.status == 206:
            self._check_range(download)
            return
        # 200 to a question for a range: the file has changed, or the server knows no ranges.
        self._restart()
        self.etag = download.etag

    def _check_range(self, download: Download) -> None:
        match = _CONTENT_RANGE.fullmatch(download.headers.get("content-range", ""))
        same = download.etag in {None, self.etag}
        if match is None or not self._part.size or int(match[1]) != self._part.size or not same:
            raise _Unfitting
        # A server may send less than the rest; the piece then looks whole to HTTP but the file is not.
        if match[3] != "*" and int(match[2]) + 1 != int(match[3]):
            raise _Unfitting

    def _restart(self) -> None:
        if self._part.size:
            self._part.restart()
        self.etag = None
        self._checked_at = 0

    def _copy(self, chunks: Iterator[bytes], on_kind: Callable[[Kind], None]) -> Kind:
        kind: Kind | None = None
        for chunk in chunks:
            self._check_size(self._part.size + len(chunk))
            self._part.write(chunk)
            if kind is None and self._part.size >= HEAD_BYTES:
                kind = self._identify(chunks, on_kind)
            if self._part.size - self._checked_at >= _SPACE_CHECK_BYTES:
                self._check_space(0)
        if not self._part.size:
            raise DownloadError("the body was empty")
        return kind or self._identify(chunks, on_kind)

    def _identify(self, chunks: Iterator[bytes], on_kind: Callable[[Kind], None]) -> Kind:
        head = self._part.read_at(0, HEAD_BYTES)
        kind = kind_of(head)
        if kind is None:
            self._fill(chunks, REJECTED_BYTES)
            text = looks_like_text(head)
            what = (
                "a page or a message came instead of a clip" if text else "what came is no known kind of clip"
            )
            # An error page sent as a clip may be gone the next time; another kind of file will not.
            raise Rejected(what, start=self._part.read_at(0, REJECTED_BYTES), permanent=not text)
        on_kind(kind)
        return kind

    def _fill(self, chunks: Iterator[bytes], size: int) -> None:
        with suppress(DownloadError):
            while self._part.size < size and (chunk := next(chunks, b"")):
                self._part.write(chunk)

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise NotDelivered(f"larger than the limit of {self._limits.max_bytes} bytes", permanent=True)

    def _check_space(self, coming: int) -> None:
        self._checked_at = self._part.size
        free = self._limits.free_bytes() - self._limits.spare_bytes
        if coming <= free and free > 0:
            return
        what = f"does not fit on the disk: {max(coming, 1)} bytes more, {max(free, 0)} to spare"
        # Where an ordinary clip has room, only this one is too large; else none that comes after it will fit either.
        if free >= _ROOM_FOR_ANY:
            raise NotDelivered(what)
        raise DiskFailed(f"a clip {what}", advice="free the disk, then run the same command again")

    def _check_ending(self, kind: Kind, *, framed: bool) -> None:
        ending = ending_of(kind, self._part.read_at, self._part.size)
        if ending is Ending.CUT:
            raise NotDelivered(f"the {kind.extension} file is cut: it ends before its own end")
        if not framed and ending is not Ending.WHOLE:
            raise NotDelivered(f"no length was announced and the {kind.extension} file does not show its end")


class _Unfitting(Exception):
    """The server's piece does not continue ours."""
