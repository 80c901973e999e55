"""Which column of a manifest a person means by a heading: `Shot #` is id, `Director notes` is notes.

In: a heading. Out: the name of a column that is not an input of a model, or None; and how new its version is. It knows
no model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from runner.system.nearest_name import plain_forms

_WORDS: Final[Mapping[str, str]] = {
    "id": "id shotid shot shotno shotnr shotnumber shotname shotcode number no nr name"
    " einstellung einstellungsnr nummer plan numero nom toma nombre",
    "model": "model modelid modelname aimodel engine modell modele modelo",
    "tags": "tag tags scene sequence seq act episode location group label labels"
    " szene sequenz akt folge acte lieu escena secuencia acto episodio etiquetas",
    # A shot list numbers its takes in a column Take, and its costs are those of a budget.
    "notes": "note notes comment comments remark remarks directornotes directorsnotes cameranotes camera"
    " productionnotes soundnotes dialogue take takeno takenr takenumber variation variant version"
    " cost costs costusd budget bemerkung bemerkungen anmerkung anmerkungen notiz notizen kommentar dialog kosten"
    " remarque remarques commentaire commentaires prise cout nota notas comentario comentarios observaciones dialogo",
    "takes": "takes oftakes nooftakes numberoftakes numtakes takecount variations variants versions repeats qty"
    " quantity anzahl",
    "seeds": "seeds",
    "price": "price pricepertake costpertake priceusd",
}
"""Headings in English, German, French and Spanish, in their plain form."""
_FINAL: Final = re.compile(r"\b(?:final|latest|new)\b")
_SUPERSEDED: Final = re.compile(
    r"\b(?:est|estimated?|planned|draft|old|original|(?:image|still) prompts?|prompts? image)\b"
)
_VERSION: Final = re.compile(r"v([0-9]{1,3})\b")
_NEWEST: Final = 1000
_SYNONYMS: Final = {word: column for column, words in _WORDS.items() for word in words.split()}


def meant_column(heading: str) -> str | None:
    """Return the manifest's own column that `heading` means; case, blanks, punctuation and brackets do not matter."""
    if heading.strip() == "#":
        return "id"
    return next(filter(None, map(_SYNONYMS.get, plain_forms(heading))), None)


def version_of(heading: str) -> int:
    """Return which of several columns with one meaning counts: `Prompt v3` before `Prompt`, and that before `Est.`.

    A prompt for an image is only used for a video if there is no other.
    """
    words = " ".join(re.findall(r"[^\W_]+", heading.casefold()))
    if _FINAL.search(words):
        return _NEWEST
    if _SUPERSEDED.search(words):
        return -1
    return max((int(number) - 1 for number in _VERSION.findall(words)), default=0)
