"""The result of a request for a file: a `Download`, or a `DownloadError` that says whether another try could help."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass

_UNPRINTABLE = re.compile(r"[^ -~]")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII)
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
_MOST_LAYERS = 4
_CODE = re.compile(r"\[Errno -?\d+\] ")
_NO_HOST = re.compile(
    r"Name or service not known|nodename nor servname provided.*|No address associated with hostname"
)
_ETAG = re.compile(r'(?:W/)?"[!#-~]{1,200}"')


@dataclass(eq=False)
class DownloadError(Exception):
    """A download that did not start or did not finish.

    `link_refused` asks for a fresh link. `permanent` means that the same link cannot work later. `unreachable` means
    that the host sent neither a file nor a refusal. `status` is the HTTP status of an answer without a file.
    """

    message: str
    link_refused: bool = False
    permanent: bool = False
    unreachable: bool = False
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """The identity of a file, as its server gives it: validators as sent, and its size in bytes.

    A value that the server did not give is an empty text or None.
    """

    etag: str = ""
    modified: str = ""
    total: int | None = None

    @property
    def strong_etag(self) -> str:
        """The ETag if it promises the same bytes, else empty: a weak ETag does not."""
        return self.etag if self.etag.startswith('"') else ""

    def contradicts(self, other: Version) -> bool:
        """Return whether the two have different values for the same field."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return any(mine != theirs for mine, theirs in pairs if not {mine, theirs} & {"", None})


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes of a file in an answer: from `start` to before `end`; `total` is the file's size, if known."""

    start: int
    end: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Download:
    """An answer with a body: status 200 (the whole file) or 206 (from an offset on).

    `headers` have lower-case names. `chunks` are the bytes as sent, never unpacked, and raise `DownloadError`
    when the body breaks off. `url` is where the file was found, without its query.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    url: str

    @property
    def length(self) -> int | None:
        """The announced size of this body, or None; a chunked coding overrides a length (RFC 9112, 6.3)."""
        if "transfer-encoding" in self.headers:
            return None
        text = self.headers.get("content-length", "")
        return int(text[:19]) if text.isascii() and text.isdigit() else None

    @property
    def framed(self) -> bool:
        """True if HTTP itself shows whether a body is whole; otherwise the end is just a closed connection."""
        return self.length is not None or "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def layers(self) -> int:
        """How many times the server says that it packed the body, unasked; 0 for an unknown coding."""
        said = [word.strip().lower() for word in self.headers.get("content-encoding", "").split(",")]
        codings = [word for word in said if word not in {"", "identity"}]
        known = len(codings) <= _MOST_LAYERS and all(word in _CODINGS for word in codings)
        return len(codings) if known else 0

    @property
    def is_packed(self) -> bool:
        """True if the body must be unpacked."""
        return self.layers > 0

    @property
    def span(self) -> Span | None:
        """The range of the file that this body holds (RFC 9110, 14.4), or None if it names none."""
        found = _CONTENT_RANGE.fullmatch(self.headers.get("content-range", ""))
        if found is None:
            return None
        span = Span(int(found[1]), int(found[2]) + 1, None if found[3] == "*" else int(found[3]))
        return span if span.start < span.end and (span.total is None or span.end <= span.total) else None

    @property
    def version(self) -> Version:
        """The server's description of the whole file."""
        tag, modified = self.headers.get("etag", ""), self.headers.get("last-modified", "")
        span = self.span
        return Version(
            etag=tag if _ETAG.fullmatch(tag) else "",
            modified=clean(modified, limit=100),
            total=span.total if span else None if self.is_packed else self.length,
        )


def clean(text: str, *, limit: int = 200) -> str:
    """Return foreign text as one printable ASCII line, cut to `limit` characters."""
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text[:limit])


def plain(text: str) -> str:
    """Return the words of a library about a lost connection, in one printable line without its codes."""
    return _NO_HOST.sub("no host has this name", _CODE.sub("", clean(text)))


def shown(url: str) -> str:
    """Return a link in printable form: without query (signatures), fragment and user name."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    if bare[:5].lower() == "data:":
        return "data:…"
    return clean(re.sub(r"^([^/]*//)[^/]*@", r"\1", bare))
