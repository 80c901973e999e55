"""Finds out which inputs are links to media, which of them are frames, and which links the API can fetch.

The API fetches pictures and clips itself, from public https addresses without login. Anything else fails after it was
sent. In: property schemas and URLs. Out: yes or no, or why a URL cannot work. It resolves no host name, so a name that
leads to a private address passes. A message shows only the host of a URL, since the rest may hold a signature or a
password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlsplit

from runner.models.scalars import shown
from runner.models.schema_file import Schema
from runner.system.hosts import LONGEST_HOST, host_fault, is_public_host, plain_host

_MEDIA_WORDS = frozenset({"image", "video", "audio", "frame", "picture", "photo", "clip", "url", "uri"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)")
_FIRST_WORDS = frozenset({"first", "start", "begin", "initial", "head"})
_LAST_WORDS = frozenset({"last", "end", "final", "tail"})
_PLAIN_WORDS = frozenset({"image", "picture", "photo", "frame", "input", "source", "url", "uri"})
_ORIGIN = re.compile(r"[^/?#]*(?://[^/?#]*)?")
_LIKE_A_HOST = re.compile(r"(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}(?::\d+)?/")
_ADVICE = "the API fetches media itself, from public https URLs only"
_UPLOAD = "put the file on a public https host that asks for no login, and write its address"


def is_media(name: str, schema: Schema) -> bool:
    """Return whether a property holds a media link, or a list of them.

    Text without an enum holds one in three cases. Its `format` mentions a uri, url, image, video, audio or file. Or its
    default is an https URL. Or its name, or its title of at most two words, ends in image, video, frame, url or the
    like. A file's own `media` list overrides this rule.
    """
    items = schema.get("items")
    leaf = items if schema.get("type") == "array" and isinstance(items, dict) else schema
    if leaf.get("type", "string") != "string" or "enum" in leaf or "const" in leaf:
        return False
    if has_media_format(leaf) or str(schema.get("default", "")).startswith("https://"):
        return True
    title = words_of(str(schema.get("title", "")))
    ends = [*words_of(name)[-1:], *(title[-1:] if len(title) <= 2 else ())]
    return not _MEDIA_WORDS.isdisjoint(ends)


def has_media_format(schema: Schema) -> bool:
    """Return whether the schema's `format` says that it is a link to media."""
    return not (_MEDIA_WORDS | {"file"}).isdisjoint(words_of(str(schema.get("format", ""))))


def frame_inputs(titles: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return which media inputs are the first and the last frame, from input names with their titles.

    A frame's name or title has a word such as first or start, or last, end or tail. Otherwise the first frame is the
    first input that is plainly called an image. None means that no input matches.
    """
    words = {name: {*words_of(name), *words_of(title)} for name, title in titles.items()}
    last = next((name for name in words if words[name] & _LAST_WORDS), None)
    first = next((name for name in words if words[name] & _FIRST_WORDS and name != last), None)
    plain = (name for name in words if name != last and {*words_of(name)} <= _PLAIN_WORDS)
    return first or next(plain, None), last


def local_file(text: str) -> str | None:
    """Return the name of the file that `text` means on this machine, without its folders, or None.

    Only this function distinguishes a file from a link. A feature that uploads files would put the address in here,
    before the request body is made and hashed.
    """
    scheme = _SCHEME.match(text)
    # One letter before a colon is a Windows drive, which the pattern does not match as a scheme.
    if scheme and scheme[0].lower() != "file":
        return None
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] or text


def url_fault(url: str, *, allow_private: bool = False) -> str | None:
    """Return why the API could not fetch `url`, or None; `allow_private` is for an API on this machine."""
    local = None if url.startswith("https://") else local_file(url)
    if name := (local or "").partition("?")[0]:
        # A forgotten scheme is not the same mistake as a file, but it looks the same here.
        web = "; if it is on the web, begin it with https://" if _LIKE_A_HOST.match(url) else ""
        return f"{shown(name)} is a file on this machine, and {_ADVICE}; {_UPLOAD}{web}"
    if url[:5].lower() == "data:":
        return f"embedded data is not taken: {_ADVICE}; {_UPLOAD}"
    if not url.isprintable() or " " in url:
        return "the URL has a blank or a control character in it"
    origin = _ORIGIN.match(url)
    return _origin_fault(origin[0] if origin else "", allow_private=allow_private)


# Thousands of links lead to few hosts, and what follows a host decides nothing.
@lru_cache(maxsize=1024)
def _origin_fault(origin: str, *, allow_private: bool) -> str | None:
    """Return why the API could not fetch anything from an origin, such as https://example.com:8443."""
    # The length is checked before parsing, which normalises all characters and is slow if there are many.
    if len(origin.partition("://")[2]) > LONGEST_HOST:
        return "the URL has no usable host"
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "the URL is malformed"
    if port == 0:
        return "there is no port 0"
    host = plain_host(host)
    private = not is_public_host(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and private and allow_private):
        return f"{shown(parts.scheme)} is not https; {_ADVICE}"
    if host_fault(host):
        return "the URL has no usable host"
    if parts.username is not None or parts.password is not None:
        return f"the URL for {shown(host)} carries a user name or password; {_ADVICE}, without login"
    if private and not allow_private:
        return f"{shown(host)} is not a public host; {_ADVICE}"
    return None


def words_of(name: str) -> list[str]:
    """Return the lower-case words of a camelCase, snake_case or spaced name, singular and without numbers."""
    return [word.lower().removesuffix("s") for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]
