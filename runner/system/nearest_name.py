"""Which names are one name, and which known name was probably meant, at a cost that is bounded whatever is compared.

In: a word as written, and the names there are. Out: one of the names, or None. A file may hold a hundred thousand wrong
words against ten thousand names; only the first problems are ever read, and only those get this help.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from itertools import islice

from runner.system.escapes import escaped

LONGEST = 60
"""Longer words are pasted prompts, and no misspellings."""

_NAMES = 500
_WORK = 200_000


class Speller:
    """Finds near names until it has compared enough: each comparison weighs as it takes time."""

    def __init__(self) -> None:
        self._left = _WORK
        self._found: dict[tuple[str, float, tuple[str, ...]], str | None] = {}

    def nearest(self, word: str, names: Iterable[str], *, likeness: float = 0.6) -> str | None:
        """Return the name that `word` was probably meant to be, without regard to case, or None.

        `likeness` is how alike they must be, from 0 to 1. Only names that can be shown as they are are proposed.
        """
        if self._left <= 0 or len(word) > LONGEST:
            return None
        first = islice((name for name in names if len(name) <= 2 * LONGEST), _NAMES)
        known = tuple(name for name in first if escaped(name) == name)
        key = (word, likeness, known)
        if key not in self._found:
            self._left -= sum(10 + len(word) * len(name) // 25 for name in known)
            self._found[key] = _nearest(word, known, likeness)
        return self._found[key]


def folded(name: str) -> str:
    """Return the form that two names share which a file system may take for one: without case, and composed.

    Source: The Unicode Standard, 3.13, D145 (canonical caseless matching).
    """
    if name.isascii():
        return name.casefold()
    apart = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", apart)


def _nearest(word: str, names: tuple[str, ...], likeness: float) -> str | None:
    # Case is the commonest mistake of all, and similarity alone would miss PROMPTTEXT.
    by_fold = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=likeness)
    return by_fold[close[0]] if close else None
