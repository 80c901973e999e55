"""Which column of a manifest a person means by a heading: `Shot #` is id, `Director notes` is notes.

In: a heading. Out: the name of a column that is not an input of a model, or None. It knows no model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runner.system.nearest_name import plain

_WORDS: Final[Mapping[str, str]] = {
    "id": "id shotid shot shotno shotnr shotnumber shotname shotcode number no nr name",
    "model": "model modelid modelname engine",
    "tags": "tag tags scene sequence seq act episode location group label labels",
    "notes": "note notes comment comments remark remarks directornotes directorsnotes cameranotes camera"
    " productionnotes soundnotes dialogue",
    "takes": "take takes variation variations variant variants versions repeats",
    "seeds": "seeds",
    "price": "price cost costusd priceusd",
}
_SYNONYMS: Final = {word: column for column, words in _WORDS.items() for word in words.split()}


def meant_column(heading: str) -> str | None:
    """Return the manifest's own column that `heading` means; case, blanks and punctuation do not matter."""
    return "id" if heading.strip() == "#" else _SYNONYMS.get(plain(heading))
