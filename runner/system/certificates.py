"""Who a certificate is for and by whom: the few fields of it that a person needs, read without trusting any of them.

In: the bytes of a certificate as TLS sends it. Out: `Certificate`. It checks no signature and no date.

Source: RFC 5280, 4.1 (the fields), and ITU-T X.690 (DER).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_COMMON_NAME, _ORGANIZATION = b"\x55\x04\x03", b"\x55\x04\x0a"
_VERSION, _BMP_STRING, _UTC_TIME = 0xA0, 0x1E, 0x17
_LONGEST = 100


@dataclass(frozen=True, slots=True)
class Certificate:
    """Texts of a server, which may hold anything: the owner, the authority, and the last day as `2026-12-01`."""

    subject: str
    issuer: str
    until: str


def read_certificate(der: bytes) -> Certificate | None:
    """Return what a certificate says; None if it is damaged."""
    try:
        ((_, whole),) = _items(der)
        _, signed = next(_items(whole))
        fields = [field for field in _items(signed) if field[0] != _VERSION]
        (_, issuer), (_, validity), (_, subject) = fields[2:5]
        _, (kind, until) = _items(validity)
        return Certificate(_name(subject), _name(issuer), _day(kind, until.decode("ascii")))
    except (ValueError, IndexError, StopIteration):
        return None


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the tag and the content of each element; one that is cut off is a `ValueError`."""
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        if at + length > len(data):
            raise ValueError
        yield tag, data[at : at + length]
        at += length


def _name(data: bytes) -> str:
    """Return the common name with the organization behind it, or the one that is there."""
    found: dict[bytes, str] = {}
    for _, group in _items(data):
        for _, pair in _items(group):
            (_, kind), (tag, text) = _items(pair)
            found[kind] = text.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", "replace")[:_LONGEST]
    name, house = found.get(_COMMON_NAME, ""), found.get(_ORGANIZATION, "")
    return f"{name} ({house})" if name and house else name or house or "an empty name"


def _day(kind: int, text: str) -> str:
    if kind == _UTC_TIME:
        # RFC 5280, 4.1.2.5.1: a year of two digits is one from 1950 to 2049.
        text = ("19" if text >= "50" else "20") + text
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
