"""Turns text into CSV cells that a spreadsheet cannot mistake for formulas, and back.

Writing (`guard`) and reading back (`unguard`) returns every character.

A spreadsheet may split a file at any separator, obey or ignore quotes, and trim blanks. So a field can begin at the
start of the text, and after each comma, semicolon, tab, bar, line end or double quote. A place may have apostrophes and
blanks first. It is *risky* if a tab, a carriage return, NUL, or any form of `=`, `+`, `-` or `@` follows (OWASP, "CSV
Injection"). A plain number such as `-5` is not risky. A risky place gets one more apostrophe. A reader removes exactly
one apostrophe if the rest would be risky without it.
"""

from __future__ import annotations

import re

# These may be trimmed: white space that does not begin a field, the BOM, characters without width, and controls.
_BLANKS = (
    "[\\x01-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\u034f\u061c\u115f\u1160\u1680\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
)
_STARTERS = "=+\\-@\\t\\r\\0\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
_JOINTS = ',;|\\t\\r\\n"'
_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
# Only the text before the next joint decides, and nothing is inserted there: so `unguard` is exact.
_RISKY = f"(?! *{_NUMBER} *(?:[{_JOINTS}]|\\Z))'*{_BLANKS}[{_STARTERS}]"
_PLACE = re.compile(rf"(?:\A|(?<=[{_JOINTS}]))(?={_RISKY})")
_GUARDED = re.compile(rf"(?:\A|(?<=[{_JOINTS}]))'(?={_RISKY})")
_PLAIN_NUMBER = re.compile(_NUMBER)
# Most cells begin with a letter or digit and hold no joint. They have no risky place, and need no slower search.
_HARMLESS = re.compile(rf"[0-9A-Za-z][^{_JOINTS}]*")


def guard(text: str) -> str:
    """Return `text` in a form that is safe to write into a CSV cell."""
    return text if _HARMLESS.fullmatch(text) else _PLACE.sub(GUARD, text)


def unguard(cell: str) -> str:
    """Return the text that `guard` was given; a cell without guards is returned unchanged."""
    return _GUARDED.sub("", cell)


GUARD = "'"
"""A text without this character has no guards."""

REMOVED = "removed"
"""The reported state of a take that waited to be sent when its row left the manifest."""

SHADOWED = "inputs."
"""The prefix for an input with the name of one of the program's own columns: `inputs.seconds`."""

# In a bare cell these mean no value, a boolean, or an empty list or mapping.
_NO_TEXT = frozenset({"", "~", "null", "Null", "NULL", "true", "false", "[]", "{}"})


def literal(text: str) -> str:
    """Return an input's text with templates escaped, so that the row of one take gives the same text."""
    return text.replace("{{", "{{{{")


def mark(text: str) -> str:
    """Return the cell that gives back an input's text, in double quotes if it needs them.

    An empty text, a text with blanks at its ends, and a text such as 7 or true need them.
    """
    return f'"{text}"' if _wants_marks(text) else text


def unmark(cell: str) -> str | None:
    """Return the text that `mark` has put in quotes, or None for a cell without them."""
    inner = cell[1:-1]
    return inner if len(cell) > 1 and cell[0] == cell[-1] == '"' and _wants_marks(inner) else None


def _wants_marks(text: str) -> bool:
    # A text that is itself in quotes gets another pair, or it would lose its own.
    while len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text in _NO_TEXT or text != text.strip() or _PLAIN_NUMBER.fullmatch(text) is not None
