"""Which regular expressions a schema may use: those that cannot hang the check.

Python's matcher goes back over every choice a pattern offers, so `^(a+)+$` can take hours on a short text.
The rule: at most 500 characters; no look-around, back-reference or inline flag; and the number of ways
through the pattern, counted as below, stays under 20 million for a text of 4,096 characters. Longer texts
are not matched but refused. In: a pattern. Out: None, or why it may not be used. It knows no schema.

Counting: a sequence multiplies, an alternative adds, `x{m,n}` gives (n - m + 1) * ways(x)**n, an open end
counts as n = 4,096, and a pattern that may start anywhere has 4,096 places to start.
"""

from __future__ import annotations

import re
import warnings

LONGEST_PATTERN = 500
LONGEST_TEXT = 4096
MOST_WAYS = 20_000_000

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
_BACK_REFERENCE = re.compile(r"\\[1-9]")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_TOKEN = re.compile(r"(?P<repeat>[*+?]|\{(?:\d+,?\d*|,\d*)\})[?+]?|(?P<other>.)", re.DOTALL)


def pattern_fault(pattern: str) -> str | None:
    """Return why `pattern` may not be used, or None if it is safe and compiles."""
    if len(pattern) > LONGEST_PATTERN:
        return f"the pattern is longer than {LONGEST_PATTERN} characters"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return f"the pattern is not a usable regular expression ({error})"
    if _BACK_REFERENCE.search(pattern.replace("\\\\", "")):
        return "the pattern has a back-reference"
    bare = _CLASS.sub("x", _ESCAPE.sub("x", pattern)).replace("(?:", "(")
    if "(?" in bare:
        return "the pattern has look-around, a named group or a flag"
    ways, has_alternatives = _ways(bare)
    start = 1 if bare.startswith("^") and not has_alternatives else LONGEST_TEXT
    if start * ways > MOST_WAYS:
        return "the pattern repeats what is itself repeated, optional or a choice, and could take for ever"
    return None


def _ways(bare: str) -> tuple[int, bool]:
    """Return an upper bound of the ways to match, and whether alternatives stand outside all groups.

    `bare` has no escapes, classes or special groups.
    """
    # Each open group is [ways of finished alternatives, ways of this one, ways of its last piece].
    groups = [[0, 1, 1]]
    for token in _TOKEN.finditer(bare):
        top = groups[-1]
        if repeat := token["repeat"]:
            top[2] = _repeated(repeat, top[2])
        elif token["other"] == "(":
            groups.append([0, 1, 1])
        elif token["other"] == ")":
            done, current, last = groups.pop()
            _close_piece(groups[-1], done + current * last)
        elif token["other"] == "|":
            top[:] = [top[0] + top[1] * top[2], 1, 1]
        else:
            _close_piece(top, 1)
    done, current, last = groups[0]
    return done + current * last, done > 0


def _close_piece(group: list[int], ways: int) -> None:
    group[1], group[2] = min(group[1] * group[2], MOST_WAYS + 1), ways


def _repeated(repeat: str, ways: int) -> int:
    least, most = {"*": (0, LONGEST_TEXT), "+": (1, LONGEST_TEXT), "?": (0, 1)}.get(repeat) or _bounds(repeat)
    if ways > 1 and most > 24:
        return MOST_WAYS + 1
    return min((most - least + 1) * int(ways**most), MOST_WAYS + 1)


def _bounds(repeat: str) -> tuple[int, int]:
    low, comma, high = repeat.strip("{}").partition(",")
    least = min(int(low or 0), LONGEST_TEXT)
    return least, max(least, min(int(high), LONGEST_TEXT) if high else (LONGEST_TEXT if comma else least))
