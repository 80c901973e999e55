"""Which names count as equal, and which known name was probably meant, at a bounded cost.

A file may hold a hundred thousand wrong words against ten thousand names. A person only reads the first problems, so
only those get help.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from itertools import islice

from runner.system.escapes import escaped

LONGEST = 60
"""Longer words are pasted prompts, not misspellings."""

LIKENESS = 0.6
"""The least similarity of a word and the name that it was meant to be."""

_ASIDE = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_NAMES = 500
_WORK = 200_000


class Speller:
    """Finds near names until its budget is used up; each comparison costs in proportion to its time."""

    def __init__(self) -> None:
        self._left = _WORK
        self._found: dict[tuple[str, float, tuple[str, ...]], str | None] = {}

    def nearest(self, word: str, names: Iterable[str], *, likeness: float = LIKENESS) -> str | None:
        """Return the name that `word` was probably meant to be, ignoring case, or None.

        `likeness` is the least similarity, from 0 to 1. Only names without hidden characters are proposed.
        """
        if self._left <= 0 or len(word) > LONGEST:
            return None
        first = islice((name for name in names if len(name) <= 2 * LONGEST), _NAMES)
        known = tuple(name for name in first if escaped(name) == name)
        key = (word, likeness, known)
        if key not in self._found:
            self._left -= sum(10 + len(word) * len(name) // 25 for name in known)
            # Case is the most common mistake, and similarity alone would miss PROMPTTEXT.
            by_fold = {name.casefold(): name for name in known}
            close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=likeness)
            self._found[key] = by_fold[close[0]] if close else None
        return self._found[key]


def edits(one: str, other: str, *, most: int) -> int:
    """Return how many letters must change, go or come to turn one word into the other; `most` + 1 if it is more.

    Source: the edit distance of Levenshtein (1966), two neighbours that changed places counting as one.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before, row = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, before = before, row
        row = [i] + [most + 1] * len(other)
        # What is farther from the diagonal needs more edits than that.
        for j in range(max(1, i - most), min(len(other), i + most) + 1):
            wanted = other[j - 1]
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[j] = min(row[j], above[j - 2] + 1)
        # Names that have nothing in common are given up at their first letters.
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


def plain(name: str) -> str:
    """Return the letters and digits of a name without case and accents.

    `First frame`, `first_frame` and `firstFrame` are one, and so are `Durée` and `duree`.
    """
    apart = name if name.isascii() else unicodedata.normalize("NFKD", name)
    return "".join(filter(str.isalnum, apart.casefold()))


def plain_forms(heading: str) -> tuple[str, ...]:
    """Return the plain form of a heading, and that without what stands in brackets: `Seconds [1-10]` is `seconds`."""
    forms = plain(heading), plain(_ASIDE.sub(" ", heading))
    return tuple(dict.fromkeys(filter(None, forms)))


def folded(name: str) -> str:
    """Return the form shared by all names that a file system may treat as one: without case, and composed.

    Source: The Unicode Standard, 3.13, D145 (canonical caseless matching).
    """
    if name.isascii():
        return name.casefold()
    apart = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", apart)
