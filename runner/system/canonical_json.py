"""JSON values and their one canonical text, so that equal values have equal hashes on every machine."""

from __future__ import annotations

import hashlib
import json
from typing import TypeAlias

# One encoder for all texts: to make it takes as long as to write a short text.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

JsonValue: TypeAlias = "str | int | float | bool | list[JsonValue] | dict[str, JsonValue] | None"


def canonical_json(value: JsonValue) -> str:
    """Return `value` as JSON with sorted keys, without blanks and without escapes for characters beyond ASCII.

    Raises:
        ValueError: it holds NaN or Infinity, which JSON does not have.
    """
    return _ENCODER.encode(value)


def parsed_json(text: str | bytes | None) -> JsonValue:
    """Return the value of a JSON text; None for null, for no text, and for text that is not JSON."""
    try:
        value: JsonValue = json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
    return value


def canonical_hash(value: JsonValue) -> str:
    """Return the SHA-256 of the canonical text in UTF-8, as 64 hex digits."""
    # Lone surrogates are refused in a body; in a name or variable they must not break the hash before that refusal.
    return hashlib.sha256(canonical_json(value).encode(errors="surrogatepass")).hexdigest()
