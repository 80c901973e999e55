"""Finds the time at which a signed link expires, if the link itself shows it; it does not check the signature.

Sources: AWS Signature Version 4, query parameters (the same form at Google and others); Signature Version 2 and
CloudFront (`Expires`, `Policy`); Azure service SAS (`se`); the `expires` and `exp` of many; `ex` of Discord; the third
number of Airtable's paths; the claim `exp` of a JSON Web Token (RFC 7519, 4.1.4), as Supabase has it; `e` beside
`token` of Qiniu.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

_HINTS = re.compile(
    r"[?&](?:x-[a-z]{1,16}-)?(?:expir|exp=|se=|ex=|policy=|token=eyJ|e=[0-9]{10})", re.IGNORECASE
)
_AIRTABLE = re.compile(r"/v3/u/[0-9]+/[0-9]+/([0-9]{13})/")
_DATED = re.compile(r"(?P<vendor>x-[a-z]{1,16})-date")
_NUMBER = re.compile(r"[0-9]{1,15}")
_LONGEST_QUERY = 16_384
_MOST_PARAMETERS = 200
_PLAIN = ("expires", "expires_at", "expire", "expiry", "exp", "expirationtimestamp")
_IN_MILLISECONDS = 1e11
_EARLIEST = 1e9


def may_expire(text: str) -> bool:
    """Return whether a text may hold a link of which `ends_at` gives the end; for most texts one look is enough."""
    return ("=" in text and _HINTS.search(text) is not None) or "airtableusercontent" in text


def ends_at(url: str) -> float | None:
    """Return when the link expires, the earliest moment if it names several, or None."""
    try:
        parts = urlsplit(url)
        text = parts.query[:_LONGEST_QUERY]
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return None
    query = {name.lower(): value for name, value in pairs}
    ends = [
        _dated(query),
        _policy(query),
        _web_token(query),
        *(_absolute(query[name]) for name in _PLAIN if name in query),
    ]
    if "se" in query and "sig" in query:
        ends.append(_iso(query["se"]))
    if "token" in query and "e" in query:
        ends.append(_absolute(query["e"]))
    if {"is", "hm"} <= query.keys() and re.fullmatch(r"[0-9a-fA-F]{8}", query.get("ex", "")):
        ends.append(float(int(query["ex"], 16)))
    if parts.netloc.lower().endswith(".airtableusercontent.com") and (found := _AIRTABLE.match(parts.path)):
        ends.append(_absolute(found[1]))
    return min((end for end in ends if end is not None), default=None)


def _dated(query: Mapping[str, str]) -> float | None:
    """Return date plus seconds: X-Amz-Date and X-Amz-Expires, and the same parameters of other vendors."""
    for name, value in query.items():
        found = _DATED.fullmatch(name)
        seconds = query.get(f"{found['vendor']}-expires", "") if found else ""
        if _NUMBER.fullmatch(seconds):
            with suppress(ValueError):
                began = datetime.strptime(value[:40], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return began.timestamp() + int(seconds)
    return None


def _policy(query: Mapping[str, str]) -> float | None:
    """Return the end in a CloudFront policy, which is JSON in CloudFront's variant of base64."""
    text = query.get("policy", "") if "key-pair-id" in query else ""
    path = ("Statement", 0, "Condition", "DateLessThan", "AWS:EpochTime")
    return _encoded(text.translate(str.maketrans("-_~", "+=/")), *path)


def _web_token(query: Mapping[str, str]) -> float | None:
    """Return the end in a JSON Web Token, whose second part is JSON in base64 without padding."""
    _, _, rest = query.get("token", "").partition(".")
    text = rest.partition(".")[0].translate(str.maketrans("-_", "+/"))
    return _encoded(text + "=" * (-len(text) % 4), "exp")


def _encoded(text: str, *path: str | int) -> float | None:
    """Return the moment in unix seconds at a path of JSON in base64."""
    try:
        end = json.loads(base64.b64decode(text, validate=True))
        for step in path:
            end = end[step]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return None
    return float(end) if isinstance(end, int) and _EARLIEST <= end < _IN_MILLISECONDS else None


def _absolute(text: str) -> float | None:
    """Return a moment from unix seconds, milliseconds or ISO 8601; None for a small number, which is a duration."""
    if not _NUMBER.fullmatch(text):
        return _iso(text)
    value = float(text)
    value = value / 1000 if value >= _IN_MILLISECONDS else value
    return value if _EARLIEST <= value < _IN_MILLISECONDS else None


def _iso(text: str) -> float | None:
    """Return an ISO 8601 moment; a bare day means its beginning, and a missing zone means UTC (Azure, `se`)."""
    # An unescaped plus of a zone arrives as a blank.
    for spelled in (text[:40], text[:40].replace(" ", "+")):
        with suppress(ValueError, OverflowError):
            found = datetime.fromisoformat(spelled)
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return None
