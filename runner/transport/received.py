"""What came of asking for a file: a `Download`, or a `DownloadError` that says whether another try could help.

In: status lines, headers and links of foreign hosts. Out: values, and text that may be printed. It knows no client
and opens nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_UNPRINTABLE = re.compile(r"[^ -~]")


class DownloadError(Exception):
    """A download that did not happen or did not end.

    `link_refused` asks for a fresh link; `permanent` means that the same link cannot work another time;
    `unreachable` that the host gave no file and no refusal: it is away. `status` is the HTTP status of an answer
    that is no file.
    """

    def __init__(
        self,
        message: str,
        *,
        link_refused: bool = False,
        permanent: bool = False,
        unreachable: bool = False,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.link_refused = link_refused
        self.permanent = permanent
        self.unreachable = unreachable
        self.status = status


class RangeRefused(DownloadError):
    """The server has no such range (416): begin again from zero."""


@dataclass(frozen=True, slots=True)
class Download:
    """An answer with a body: status 200 (the whole file) or 206 (from an offset on).

    `headers` have lower-case names; `chunks` are the bytes as sent, never unpacked, and raise `DownloadError`
    when the body breaks off; `url` is where the file was found, without its query.
    """

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]
    url: str

    @property
    def length(self) -> int | None:
        """Bytes that this body announces, or None; chunks count for more than a length (RFC 9112, 6.3)."""
        if "transfer-encoding" in self.headers:
            return None
        text = self.headers.get("content-length", "")
        return int(text[:19]) if text.isascii() and text.isdigit() else None

    @property
    def framed(self) -> bool:
        """True if HTTP itself tells a whole body from a cut one; else the end is just a closed connection."""
        return self.length is not None or "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def etag(self) -> str | None:
        """The strong validator of the bytes, or None: a weak one does not promise the same bytes."""
        tag = self.headers.get("etag", "")
        return tag if tag.startswith('"') and tag.endswith('"') and 2 < len(tag) < 200 else None


def clean(text: str, *, limit: int = 200) -> str:
    """Return foreign text as one printable ASCII line, cut to `limit` characters."""
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text[:limit])


def shown(url: str) -> str:
    """Return a link as it may be printed: no query (signatures), no fragment, no user name."""
    bare = re.split(r"[?#]", url, maxsplit=1)[0]
    if bare[:5].lower() == "data:":
        return "data:…"
    return clean(re.sub(r"^([^/]*//)[^/]*@", r"\1", bare))
