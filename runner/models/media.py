"""Which inputs are links to media, and which links the API can fetch.

The API fetches pictures and clips itself, from public https addresses without login; anything else fails
after it was sent. In: property schemas and URLs. Out: yes or no, or why a URL cannot work. Nothing is
looked up: a name that leads to a private address is not noticed here. No part of a URL but its host is
ever put in a message, since the rest may carry a signature or a password.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, urlsplit

from runner.models.keywords import Schema
from runner.models.wording import shown

_MEDIA_WORDS = frozenset({"image", "video", "audio", "frame", "picture", "photo", "clip", "url", "uri"})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?=:)")
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".onion")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_ADVICE = "the API fetches media itself, from public https URLs only"
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_media(name: str, schema: Schema) -> bool:
    """Tell whether a property holds a media link, or a list of them.

    The rule, for text without an enum: its `format` speaks of a uri, url, image, video, audio or file;
    or the default is an https URL; or its name or its title of at most two words ends in image, video,
    frame, url or the like. A file's own `media` list goes before the rule.
    """
    items = schema.get("items")
    leaf = items if schema.get("type") == "array" and isinstance(items, dict) else schema
    if leaf.get("type", "string") != "string" or "enum" in leaf or "const" in leaf:
        return False
    if has_media_format(leaf) or str(schema.get("default", "")).startswith("https://"):
        return True
    title = _words(str(schema.get("title", "")))
    return _ends_in_media(_words(name)) or (len(title) <= 2 and _ends_in_media(title))


def has_media_format(schema: Schema) -> bool:
    """Tell whether the schema's `format` says that it is a link to media."""
    words = _words(str(schema.get("format", "")))
    return any(word in _MEDIA_WORDS or word == "file" for word in words)


def url_fault(url: str, *, allow_private: bool = False) -> str | None:
    """Return why the API could not fetch `url`, or None; `allow_private` is for an API on this machine."""
    if not url.isprintable() or " " in url:
        return "the URL has a blank or a control character in it"
    scheme = _SCHEME.match(url)
    # One letter before a colon is a Windows drive, which the pattern does not take for a scheme.
    if not scheme or scheme[0].lower() == "file":
        return f"{shown(url.rpartition('/')[2] or url)} is a local path; {_ADVICE}: upload it and write its address"
    if scheme[0].lower() == "data":
        return f"embedded data is not taken; {_ADVICE}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "the URL is malformed"
    return _parts_fault(parts, _plain_host(host), allow_private=allow_private)


def _parts_fault(parts: SplitResult, host: str, *, allow_private: bool) -> str | None:
    private = _is_private(host)
    if parts.scheme != "https" and not (parts.scheme == "http" and private and allow_private):
        return f"{shown(parts.scheme)} is not https; {_ADVICE}"
    if not host or "%" in host or "\\" in host:
        return "the URL has no usable host"
    if parts.username is not None or parts.password is not None:
        return f"the URL for {shown(host)} carries a user name or password; {_ADVICE}, without login"
    if private and not allow_private:
        return f"{shown(host)} is not a public host; {_ADVICE}"
    return None


def _plain_host(host: str) -> str:
    """Return the host as a resolver would read it: full-width digits and dots are digits and dots."""
    return unicodedata.normalize("NFKC", host).replace("。", ".").lower().rstrip(".")


def _is_private(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return not address.is_global or address.is_multicast
    return "." not in host or host.endswith(_PRIVATE_NAMES)


def _address(host: str) -> _Address | None:
    """Return the IP address that `host` is in any notation a resolver takes, or None for a name."""
    try:
        return _inner(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return _old_ipv4(host)


def _inner(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 address wraps, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # ::/96 is the oldest way to wrap one, given up but still understood.
    if address in _NAT64 or 1 < int(address) < 2**32:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _old_ipv4(host: str) -> ipaddress.IPv4Address | None:
    """Read what inet_aton takes: one to four parts, each decimal, octal or hex, the last filling the rest."""
    parts = host.split(".")
    if len(parts) > 4 or not all(re.fullmatch(r"0x[0-9a-f]*|[0-9]+", part) for part in parts):
        return None
    try:
        numbers = [_old_number(part) for part in parts]
        value = numbers[-1]
        for index, number in enumerate(numbers[:-1]):
            value += number << (24 - 8 * index)
        return ipaddress.IPv4Address(value)
    except ValueError:
        # Digits only, but no address: nothing public has such a name.
        return ipaddress.IPv4Address(0)


def _old_number(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if part.startswith("0") else 10)


def _words(name: str) -> list[str]:
    """Return the lower-case words of a camelCase, snake_case or spaced name, singular and without numbers."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return [w.lower() if w.lower() in _MEDIA_WORDS else w.lower().removesuffix("s") for w in words]


def _ends_in_media(words: list[str]) -> bool:
    return bool(words) and words[-1] in _MEDIA_WORDS
