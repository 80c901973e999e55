"""Cells that a spreadsheet cannot mistake for formulas, and that can say any text; and the way back.

In: the text of one CSV cell. Out: the text to write (`guard`), or the text that was meant (`unguard`); reading back
what was written gives every character again. It knows no file, no column and no pandas.

The rule. A spreadsheet may split a file at any separator, heed quotes or not, and trim blanks. So a field can begin
where the text does, and behind each comma, semicolon, tab, bar, line end or double quote in it. Such a place is *risky*
if after any apostrophes and blanks there stands `=`, `+`, `-`, `@`, one of their wide or small forms, a tab, a carriage
return or NUL (OWASP, "CSV Injection"), unless the field is a plain number such as `-5`. A risky place gets one
apostrophe more. A reader takes exactly one away where one stands before what would be risky without it.
"""

from __future__ import annotations

import re

# What may be trimmed: white space that begins no field of its own, the BOM, what has no width, and controls.
_BLANKS = (
    "[\\x01-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\u034f\u061c\u115f\u1160\u1680\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0]*"
)
_STARTERS = "=+\\-@\\t\\r\\0\u2212\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"
_JOINTS = ',;|\\t\\r\\n"'
_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"
# A place is judged by what stands before the next joint alone, and nothing is put there: so the way back is exact.
_RISKY = f"(?! *{_NUMBER} *(?:[{_JOINTS}]|\\Z))'*{_BLANKS}[{_STARTERS}]"
_PLACE = re.compile(rf"(?:\A|(?<=[{_JOINTS}]))(?={_RISKY})")
_GUARDED = re.compile(rf"(?:\A|(?<=[{_JOINTS}]))'(?={_RISKY})")
_PLAIN_NUMBER = re.compile(_NUMBER)


def guard(text: str) -> str:
    """Return `text` as it is safe to write into a CSV cell."""
    return _PLACE.sub("'", text)


def unguard(cell: str) -> str:
    """Return the text that `guard` was given; a cell in which nothing was guarded comes back as it is."""
    return _GUARDED.sub("", cell)


REMOVED = "removed"
"""The state in a report of a take that waited to be sent when its row left the manifest: nobody asks for it."""

SHADOWED = "inputs."
"""Stands before the name of an input that a column of ours has already: `inputs.seconds`."""

# What a reader of bare cells takes for nothing, for a truth, or for an empty list or mapping.
_NO_TEXT = frozenset({"", "~", "null", "Null", "NULL", "true", "false", "[]", "{}"})


def literal(text: str) -> str:
    """Return an input's text such that a row that is one take reads it as it is, with no template in it."""
    return text.replace("{{", "{{{{")


def mark(text: str) -> str:
    """Return an input's text as a cell that is read as this very text: in double quotes where it needs them.

    They are needed by what a bare cell cannot say: an empty text, blanks at its ends, a text such as 7 or true.
    """
    return f'"{text}"' if _wants_marks(text) else text


def unmark(cell: str) -> str | None:
    """Return the text that `mark` has put in quotes, or None for a cell that stands for itself."""
    inner = cell[1:-1]
    return inner if len(cell) > 1 and cell[0] == cell[-1] == '"' and _wants_marks(inner) else None


def _wants_marks(text: str) -> bool:
    # A text that is such a text in quotes itself gets another pair, or it would lose its own.
    while len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    return text in _NO_TEXT or text != text.strip() or _PLAIN_NUMBER.fullmatch(text) is not None
