"""Decides which regular expressions a schema may use, and on how long a text, so that none can hang the check.

In: a pattern in JavaScript's words, as JSON Schema has it. Python's matcher retries every choice of a pattern, so
`^(a+)+$` can take hours on a short text. A pattern may have at most 500 characters, or 20,000 once translated, and
no look-around, back-reference or inline flag. For a text of 256 characters it may take at most 40 million steps, some
50 ms, counted as below. The greatest length up to 4,096 that stays below this is the longest text that is matched; a
longer text is refused. It knows no schema.

Counting: a sequence multiplies, an alternative adds, and `x{m,n}` gives (n - m + 1) * ways(x)**n. An open end counts as
the text's length, and a pattern that may start anywhere starts at each character. Each way has one step per piece of
the pattern; pieces of `x{m,n}` count n times, and a piece counts once per part of the largest class.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache

from runner.models.ecma_patterns import python_pattern

LONGEST_PATTERN = 500
LONGEST_TEXTS = (4096, 2048, 1024, 512, 256)
MOST_STEPS = 40_000_000

_LONGEST_TRANSLATED = 20_000
_MOST_REPEATS = 24

_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL)
# Other members of a class become a table of bits; the matcher tries each of these.
_PARTS = re.compile(r"[\U00010000-\U0010ffff]")
_CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
_TOKEN = re.compile(r"(?P<repeat>[*+?]|\{(?:\d+,?\d*|,\d*)\})[?+]?|(?P<other>.)", re.DOTALL)


def pattern_fault(pattern: str) -> str | None:
    """Return why `pattern` may not be used, or None if it is safe and compiles."""
    if len(pattern) > LONGEST_PATTERN:
        return f"the pattern is longer than {LONGEST_PATTERN} characters"
    try:
        translated = python_pattern(pattern)
    except ValueError as error:
        return f"the pattern {error}"
    if len(translated) > _LONGEST_TRANSLATED:
        return "the pattern has too many classes such as \\p{L}"
    if "(?" in _bare(translated):
        return "the pattern has look-around or a flag"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(translated)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return f"the pattern is not a usable regular expression ({error})"
    if not longest_text(pattern):
        return "the pattern repeats what is itself repeated, optional or a choice, and could take forever"
    return None


# The cache holds as many patterns as the schemas of one storyboard may have.
@lru_cache(maxsize=4096)
def longest_text(pattern: str) -> int:
    """Return how many characters a text may have to be matched with a pattern; 0 means that it is not usable."""
    translated = python_pattern(pattern)
    bare = _bare(translated)
    weight = max((len(_PARTS.findall(found)) for found in _CLASS.findall(translated)), default=1) or 1
    for longest in LONGEST_TEXTS:
        ways, size, has_alternatives = _measured(bare, longest)
        start = 1 if bare.startswith("^") and not has_alternatives else longest
        if start * ways * size * weight <= MOST_STEPS:
            return longest
    return 0


def _bare(pattern: str) -> str:
    """Return a pattern of Python with one character for each escape and class, and with plain groups only."""
    return _CLASS.sub("x", _ESCAPE.sub("x", pattern)).replace("(?:", "(").replace("(?a:", "(")


@dataclass(slots=True)
class _Group:
    """The counts of an open group: of its finished alternatives, of the current one, and of its last piece."""

    done: int = 0
    ways: int = 1
    size: int = 0
    last_ways: int = 1
    last_size: int = 0

    def close(self, ways: int, size: int) -> None:
        """End the last piece, and begin a new one of `ways` and `size`."""
        self.ways = min(self.ways * self.last_ways, MOST_STEPS + 1)
        self.size += self.last_size
        self.last_ways, self.last_size = ways, size

    def repeat(self, least: int, most: int, longest: int) -> None:
        """Repeat the last piece; with an open end, each way is as long as one piece."""
        self.last_size *= 1 if most >= longest else max(most, 1)
        if self.last_ways > 1 and most > _MOST_REPEATS:
            self.last_ways = MOST_STEPS + 1
        else:
            self.last_ways = min((most - least + 1) * int(self.last_ways**most), MOST_STEPS + 1)


def _measured(bare: str, longest: int) -> tuple[int, int, bool]:
    """Return bounds of ways and size for texts of `longest`, and whether alternatives are outside all groups."""
    groups = [_Group()]
    for token in _TOKEN.finditer(bare):
        top = groups[-1]
        if repeat := token["repeat"]:
            top.repeat(*_bounds(repeat, longest), longest)
        elif token["other"] == "(":
            groups.append(_Group())
        elif token["other"] == ")":
            inner = groups.pop()
            inner.close(1, 0)
            groups[-1].close(inner.done + inner.ways, inner.size)
        elif token["other"] == "|":
            top.close(1, 0)
            top.done, top.ways = top.done + top.ways, 1
        else:
            top.close(1, 1)
    groups[0].close(1, 0)
    return groups[0].done + groups[0].ways, max(groups[0].size, 1), groups[0].done > 0


def _bounds(repeat: str, longest: int) -> tuple[int, int]:
    plain = {"*": (0, longest), "+": (1, longest), "?": (0, 1)}.get(repeat)
    if plain:
        return plain
    low, comma, high = repeat.strip("{}").partition(",")
    least = min(int(low or 0), longest)
    return least, max(least, min(int(high), longest) if high else (longest if comma else least))
