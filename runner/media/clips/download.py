"""Downloads a body into a hidden file; the bytes are counted, hashed and checked on the way.

It knows no final names and no ownership. A paid file of any kind is kept, except a text that is clearly a message.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

from runner.domain.errors import DiskFailed
from runner.media.clips.part_file import PartFile
from runner.media.container_check import Ending, ending_of, shows_its_end
from runner.media.file_kinds import BIN, HEAD_BYTES, TXT, Kind, is_page, is_playlist, kind_of, looks_like_text
from runner.media.http.download_client import Downloads
from runner.media.http.response import Download, DownloadError, Version

REJECTED_BYTES = 64 << 10
"""This much of a body that is not a clip is kept, so that a person can look at it."""

OVERLAP_BYTES = 4 << 10
"""A continued download asks for this many of the last bytes a second time, and they must be the same."""

_TELLING_BYTES = 16
_SPACE_CHECK_BYTES = 32 << 20
_ORDINARY_CLIP = 64 << 20
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_GZIP_MAGIC = b"\x1f\x8b"
_PACKED_STARTS = (_GZIP_MAGIC, b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_PACKED_HEAD_BYTES = 2
_PIECE_BYTES = 1 << 20


class NotDelivered(DownloadError):
    """A body arrived but is not the whole clip; `permanent` means that another try cannot help."""


@dataclass(eq=False)
class Rejected(NotDelivered):
    """A body that is not a clip; `start` is its first 64 KiB."""

    start: bytes = b""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be downloaded: `max_bytes` for one file; `spare_bytes` stay free on the volume."""

    max_bytes: int
    spare_bytes: int
    free_bytes: Callable[[], int]


class ClipDownload:
    """The download of one body into one part file; `version` identifies the file of its bytes, None if not known.

    `on_kind` gets the kind after the first bytes, and may raise. The bytes of an earlier try are continued only with
    proof. The range must be the whole rest of a file of the same size. No validator may contradict, and the server must
    repeat the last bytes unchanged.
    """

    def __init__(
        self,
        part: PartFile,
        limits: Limits,
        *,
        on_kind: Callable[[Kind], None],
        version: Version | None = None,
    ) -> None:
        self.version = version
        self._part = part
        self._limits = limits
        self._on_kind = on_kind
        self._checked_at = 0

    def receive(self, downloads: Downloads, url: str) -> tuple[Kind, str]:
        """Fill the part file to its end; return the kind of the file, and what is unusual about it.

        Raises:
            Rejected: it is not a clip.
            NotDelivered: it is too large, or not whole.
            DownloadError: the body did not arrive or broke off; the received bytes may be continued.
            DiskFailed: the volume is full.
        """
        if self.version and self._part.size > OVERLAP_BYTES:
            try:
                return self._continue(downloads, url, self.version)
            except _Unfitting:
                pass
            except DownloadError as error:
                # Some hosts refuse a range with a misleading status: only a request for the whole file shows why.
                if error.status is None:
                    raise
        with downloads.open(url) as download:
            span, length = download.span, download.length
            whole = span and span.start == 0 and span.end == span.total and length in {None, span.end}
            if not (whole if download.status == 206 else span is None or whole):
                raise DownloadError("the server sent a range that was not requested")
            return self._begin(download)

    def _continue(self, downloads: Downloads, url: str, known: Version) -> tuple[Kind, str]:
        offset = self._part.size - OVERLAP_BYTES
        with downloads.open(url, offset=offset, validator=known.strong_etag or None) as download:
            span, version = download.span, download.version
            if download.status == 200 and span is None:
                return self._begin(download)
            total = known.total if version.total is None else version.total
            # A server may send less than the rest; then the piece is whole for HTTP but the file is not.
            if span is None or span.start != offset or span.end != total or version.contradicts(known):
                raise _Unfitting
            if download.is_packed or download.length not in {None, span.end - span.start}:
                raise _Unfitting
            same = known.strong_etag == version.strong_etag != ""
            rest = self._joined(download.chunks, proved=same)
            self.version = replace(known, total=total)
            return self._take(rest, framed=True)

    def _begin(self, download: Download) -> tuple[Kind, str]:
        self._part.restart()
        self._checked_at = 0
        self.version = None if download.is_packed else download.version
        chunks = download.chunks
        for _ in range(download.layers):
            chunks = _unpacked(chunks)
        return self._take(chunks, framed=download.framed)

    def _joined(self, chunks: Iterator[bytes], *, proved: bool) -> Iterator[bytes]:
        """Return the bytes after those on disk, once the repeated bytes are the same.

        Bytes of only a few values occur in many files: they prove nothing, unless the validator does.
        """
        again = bytearray()
        while len(again) < OVERLAP_BYTES and (chunk := next(chunks, b"")):
            again += chunk
        if len(again) < OVERLAP_BYTES:
            raise DownloadError("the rest of the file ended before it began")
        overlap = bytes(again[:OVERLAP_BYTES])
        here = self._part.read_at(self._part.size - OVERLAP_BYTES, OVERLAP_BYTES)
        if overlap != here or not (proved or len(set(overlap)) >= _TELLING_BYTES):
            raise _Unfitting
        return chain([bytes(again[OVERLAP_BYTES:])], chunks)

    def _take(self, chunks: Iterator[bytes], *, framed: bool) -> tuple[Kind, str]:
        expected = self.version.total if self.version else None
        self._check_size(expected or 0)
        self._check_space((expected or 0) - self._part.size)
        kind: Kind | None = None
        for chunk in chunks:
            self._check_size(self._part.size + len(chunk))
            self._part.write(chunk)
            if kind is None and self._part.size >= HEAD_BYTES:
                kind = self._identify(chunks)
            if self._part.size - self._checked_at >= _SPACE_CHECK_BYTES:
                self._check_space(0)
        if not self._part.size:
            raise DownloadError("the body was empty")
        kind = kind or self._identify(chunks)
        if expected is not None and self._part.size != expected:
            raise DownloadError(f"{self._part.size} bytes came instead of {expected}")
        return kind, "; ".join(filter(None, (kind.remark, self._doubt(kind, framed=framed))))

    def _identify(self, chunks: Iterator[bytes]) -> Kind:
        """Return the kind of the file; a text is read further while it may be an error page."""
        head = self._part.read_at(0, HEAD_BYTES)
        kind = kind_of(head)
        if kind is None and looks_like_text(head):
            with suppress(DownloadError):
                while self._part.size < REJECTED_BYTES and (chunk := next(chunks, b"")):
                    self._part.write(chunk)
            self._reject_message()
            kind = TXT
        elif kind is None and self._part.size < HEAD_BYTES:
            raise Rejected(f"{self._part.size} bytes of an unknown kind came instead of a clip", start=head)
        self._on_kind(kind or BIN)
        return kind or BIN

    def _reject_message(self) -> None:
        """Reject a text, unless it is too long for a message."""
        start = self._part.read_at(0, REJECTED_BYTES)
        if is_playlist(start):
            what = "a playlist came instead of a clip; it names other files, which are not fetched"
            raise Rejected(what, start=start, permanent=True)
        # The next try may get the clip and no error page.
        if len(start) < REJECTED_BYTES or is_page(start):
            raise Rejected("a page or a message came instead of a clip", start=start)

    def _check_size(self, size: int) -> None:
        if size > self._limits.max_bytes:
            raise NotDelivered(f"larger than the limit of {self._limits.max_bytes} bytes", permanent=True)

    def _check_space(self, coming: int) -> None:
        self._checked_at = self._part.size
        free = self._limits.free_bytes() - self._limits.spare_bytes
        if coming <= free and free > 0:
            return
        what = f"does not fit on the disk: {max(coming, 1)} bytes more, {max(free, 0)} to spare"
        # If an ordinary clip still fits, only this one is too large; otherwise no later clip will fit either.
        if free >= _ORDINARY_CLIP:
            raise NotDelivered(what)
        raise DiskFailed(f"a clip {what}", advice="free the disk, then run the same command again")

    def _doubt(self, kind: Kind, *, framed: bool) -> str:
        """Return the remaining doubt about a file; raise if it is not whole, or nothing shows that it is."""
        ending = ending_of(kind, self._part.read_at, self._part.size)
        # A file that is not a clip is kept as it was sent: another try would return the same.
        if ending is Ending.CUT and not (framed and not kind.is_clip):
            what = f"the {kind.extension} file is cut: it ends before its own end, or its parts do not fit"
            raise NotDelivered(what)
        if ending is Ending.WHOLE or (framed and not shows_its_end(kind)):
            return ""
        if framed:
            return f"the {kind.extension} file does not show its own end"
        if shows_its_end(kind):
            raise NotDelivered(f"no length was announced and the {kind.extension} file does not show its end")
        return "no length was announced, so it is not known whether the file is whole"


class _Unfitting(Exception):
    """The server's piece does not continue the bytes on disk."""


def _unpacked(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a body unpacked, in pieces of bounded size; a body that was not packed is passed on unchanged."""
    first = next(chunks, b"")
    # The check needs at least this many bytes.
    while first and len(first) < _PACKED_HEAD_BYTES and (more := next(chunks, b"")):
        first += more
    if not first.startswith(_PACKED_STARTS):
        yield from chain([first], chunks)
        return
    unpacker = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    try:
        for chunk in chain([first], chunks):
            rest = chunk
            while rest:
                # RFC 1952, 2.2: another member may follow; anything else after the end is padding.
                if unpacker.eof:
                    if not rest.startswith(_GZIP_MAGIC[: len(rest)]):
                        break
                    unpacker = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
                if piece := unpacker.decompress(rest, _PIECE_BYTES):
                    yield piece
                rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
        if piece := unpacker.flush():
            yield piece
    except zlib.error as error:
        raise DownloadError("the packed body cannot be unpacked") from error
    if not unpacker.eof:
        raise DownloadError("the packed body ends before its own end")
