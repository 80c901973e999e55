"""The address of a folder in a store, such as `s3://bucket/prefix`: it says where, and never who.

In: the text that a user wrote. Out: one normal form of it. It opens nothing and knows no library.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from runner.domain.errors import UsageError

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A folder in a store; `url` has no slash at its end, no credentials, no query and no fragment."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def scheme(self) -> str:
        """The kind of store, such as `s3`."""
        return self.url.partition(":")[0]

    @property
    def path(self) -> str:
        """What stands after the scheme: for most stores the bucket and the prefix."""
        return self.url.partition("://")[2]

    def under(self, *names: str) -> StoreAddress:
        """Return the address of a folder or file below this one."""
        return StoreAddress("/".join((self.url, *names)))


def is_store_address(text: str) -> bool:
    """Return whether `text` is meant as an address and not as a path."""
    return _SCHEME.match(text) is not None


def store_address(text: str) -> StoreAddress:
    """Return the folder that `text` names.

    Raises:
        UsageError: it is not an address of a folder, or it holds credentials, which no command line should.
    """
    advice = "write it like s3://bucket/folder; credentials come from the store's own settings"
    found = _SCHEME.match(text)
    if found is None:
        raise UsageError(f"{text[:80]!a} is not the address of a store", advice=advice)
    scheme, rest = found.group(1).lower(), text[found.end() :].rstrip("/")
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        named = parts.hostname or (scheme == "file" and rest)
    except ValueError:
        named = ""
    if not named or any(mark in rest for mark in "?#\\") or not rest.isprintable():
        raise UsageError(f"the address of the {scheme} store names no folder", advice=advice)
    if parts.password is not None or (parts.username is not None and scheme in {"s3", "gs", "http", "https"}):
        raise UsageError("the address of the store holds credentials", advice=advice)
    if any(part in {".", ".."} for part in rest.split("/")):
        raise UsageError(f"{scheme}://{rest}: a folder in a store has no . and no ..", advice=advice)
    return StoreAddress(f"{scheme}://{rest}")
