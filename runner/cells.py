"""Cells that a spreadsheet cannot mistake for formulas, and that can say any text; and the way back.

In: the text of one CSV cell. Out: the text to write (`guard`), or the text that was meant (`unguard`); reading back
what was written gives every character again. It knows no file, no column and no pandas.

The rule. A text is *risky* if, after any blanks, it begins with `=`, `+`, `-`, `@`, their full-width forms, a tab, a
carriage return or NUL (OWASP, "CSV Injection"), unless the whole of it is a plain number such as `-5`. A risky text,
and a text that is only apostrophes before something risky, is written with one more apostrophe in front. A reader takes
exactly one leading apostrophe off when what follows it is such a text.
"""

from __future__ import annotations

import re

# The blanks include what spreadsheets trim besides white space: the BOM and the zero-width space.
_RISKY = re.compile("'*[\\s\ufeff\u200b]*[=+\\-@\\t\\r\\0\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


def _wants_guard(text: str) -> bool:
    return _RISKY.match(text) is not None and _NUMBER.fullmatch(text) is None


def guard(text: str) -> str:
    """Return `text` as it is safe to write into a CSV cell."""
    return f"'{text}" if _wants_guard(text) else text


def unguard(cell: str) -> str:
    """Return the text that `guard` was given; a cell that was never guarded comes back as it is."""
    return cell[1:] if cell.startswith("'") and _wants_guard(cell[1:]) else cell


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
    return text in _NO_TEXT or text != text.strip() or _NUMBER.fullmatch(text) is not None
