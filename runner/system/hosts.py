"""Whether a host is on the public internet or is this machine, in any notation.

It does not resolve names: a name that leads to a private address is noticed only when a connection shows its peer.
Source: OWASP, Server-Side Request Forgery Prevention; inet_aton(3) for the old notations of an address.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from functools import lru_cache
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_NAME_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE | re.ASCII)
_LONGEST_NAME = 253
LONGEST_HOST = 1000
"""The longest host that is checked, in characters: folding takes time, and no name is that long."""

_HOUSE_NAMES = ("localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa", "onion")
_UNICAST = ipaddress.IPv6Network("2000::/3")
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def is_loopback(host: str) -> bool:
    """Return whether `host` is the name localhost or a loopback address in its plain notation."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def host_fault(host: str) -> str:
    """Return why `host`, as in a URL but without brackets, cannot be a host; empty if it can.

    Sources: RFC 1035, 2.3.4 (lengths); RFC 952 and 1123 (letters), with the underscore that is in use; RFC 3986, 3.2.2.
    """
    if len(host) > LONGEST_HOST:
        return f"its host has {len(host):,} characters, and no name has more than {_LONGEST_NAME}"
    if ":" in host:
        return "" if _is_plain_address(host) else "its host is not an IPv6 address"
    try:
        name = host.removesuffix(".").encode("idna").decode()
    except UnicodeError:
        return "its host is not a name"
    if not name or len(name) > _LONGEST_NAME:
        return f"its host has {len(name)} characters instead of 1 to {_LONGEST_NAME}"
    labels = name.split(".")
    if not all(_NAME_LABEL.fullmatch(label) for label in labels):
        return "its host is not a name: letters, digits and hyphens, in parts of 1 to 63 between dots"
    # A last part of digits makes it an address (WHATWG URL, 3.5), and only one notation is allowed.
    return "its host is not an address" if labels[-1].isdigit() and not _is_plain_address(name) else ""


def _is_plain_address(text: str) -> bool:
    try:
        return getattr(ipaddress.ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


# A board of ten thousand shots has its pictures on only a few hosts.
@lru_cache(maxsize=1024)
def is_public_host(host: str) -> bool:
    """Return whether `host` is a public address in any notation, or a name that any resolver could know."""
    plain = plain_host(host)
    if address := address_of(plain):
        return is_public_address(address)
    labels = plain.split(".")
    return (
        len(labels) > 1
        and len(plain) <= _LONGEST_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        # No public top-level name begins with a digit; 127.1x is neither a name nor an address.
        and not labels[-1][0].isdigit()
        and not any(plain == name or plain.endswith(f".{name}") for name in _HOUSE_NAMES)
    )


def is_public_address(address: Address) -> bool:
    """Return whether `address` is one unicast host on the public internet; wrapped IPv4 is unwrapped first."""
    if isinstance(address, ipaddress.IPv4Address):
        odd = address.is_multicast or address.is_reserved or address in _PROTOCOLS
        return address.is_global and not odd
    # ::/96 is the oldest way to wrap an address; it is deprecated but still understood.
    is_wrapped = address in _NAT64 or 1 < int(address) < 2**32
    inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if is_wrapped else None
    if inner := inner or address.ipv4_mapped or address.sixtofour:
        return is_public_address(inner)
    return address in _UNICAST and address.is_global


@lru_cache(maxsize=1024)
def plain_host(host: str) -> str:
    """Return the host as a resolver would read it: full-width digits and dots become plain ones."""
    plain = unicodedata.normalize("NFKC", host[: LONGEST_HOST + 1]).replace("。", ".")
    return plain.strip("[]").lower().rstrip(".")


def address_of(host: str) -> Address | None:
    """Return the address that `host` is in any notation that a resolver accepts, or None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _old_ipv4(host)


def _old_ipv4(host: str) -> ipaddress.IPv4Address | None:
    """Read the notations of inet_aton: one to four parts, each decimal, octal or hex; the last fills the rest."""
    parts = host.split(".")
    if len(parts) > 4 or not all(re.fullmatch(r"0x[0-9a-f]*|[0-9]+", part) for part in parts):
        return None
    try:
        numbers = [
            int(part[2:] or "0", 16) if part.startswith("0x") else int(part, 8 if part[0] == "0" else 10)
            for part in parts
        ]
        above = (number << (24 - 8 * index) for index, number in enumerate(numbers[:-1]))
        return ipaddress.IPv4Address(numbers[-1] + sum(above))
    except ValueError:
        # It has only digits but is not an address, and no public host has such a name.
        return ipaddress.IPv4Address(0)
