"""Shows values and choices in a message, cut and printable.

In: values and names from a manifest or a schema. Out: short text that is safe on a terminal.
It knows no schema and no shot.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from runner.system.canonical_json import JsonValue

LONGEST = 60
MOST_CHOICES = 40


def printable(text: str) -> str:
    """Return `text` with everything that could control a terminal (controls, bidi marks) as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: JsonValue) -> str:
    """Return `value` for a message in at most 60 characters; text is bare, and all else is JSON."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    clear = printable(text[: LONGEST + 1])
    if not clear.strip():
        return '""' if not clear else f'"{clear}"'
    return clear if len(clear) <= LONGEST else clear[: LONGEST - 1] + "…"


def choices(values: Sequence[JsonValue]) -> tuple[str, ...]:
    """Return allowed values as words; three or more whole numbers in a row become `1…10`."""
    whole = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
    if len(whole) == len(values) > 2 and sorted(whole) == list(range(min(whole), min(whole) + len(whole))):
        return (f"{min(whole)}…{max(whole)}",)
    words = tuple(shown(v) for v in values[:MOST_CHOICES])
    return words if len(values) <= MOST_CHOICES else (*words, f"and {len(values) - MOST_CHOICES} more")
