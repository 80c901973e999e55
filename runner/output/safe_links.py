"""Which addresses from a record may become links on the page.

In: a URL or a file name as recorded. Out: text that is safe in an `href`, or None where it must stay text. It knows no
template and reads no disk.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote, urlsplit

from runner.system.hosts import is_loopback

LONGEST_URL = 8192
_PLAIN_URL = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+")


def web_link(url: str, *, simulated: bool) -> str | None:
    """Return `url` if a browser may be sent there: https, or http to this machine for a simulated run.

    It refuses other schemes, user names in the address, and every character that RFC 3986 does not allow.
    """
    if len(url) > LONGEST_URL or not _PLAIN_URL.fullmatch(url):
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if not host or "@" in parts.netloc:
        return None
    if parts.scheme == "https" or (parts.scheme == "http" and simulated and is_loopback(host)):
        return url
    return None


def file_link(file: str | None) -> str | None:
    """Return a path below the run directory as a relative, percent-encoded reference; None if it leads outside."""
    if not file or "\\" in file or "\0" in file:
        return None
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts:
        return None
    return quote(path.as_posix(), safe="/", errors="replace")


def sidecar(file: str) -> str:
    """Return the name of the JSON file that lies beside a clip."""
    return PurePosixPath(file).with_suffix(".json").as_posix()
