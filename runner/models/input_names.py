"""Which input of a model a person means by a word of a spreadsheet: `First frame`, `Seconds`, `Start Image`.

In: a word and a model. Out: the name of an input, or None. Case, blanks and punctuation do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runner.models.model import Model
from runner.system.nearest_name import plain

_FIRST: Final = (
    "firstframe firstimage firstpicture firststill startframe startimage startpicture startstill openingframe"
    " image picture still frame keyframe referenceimage inputimage imageurl sourceimage in"
)
_LAST: Final = (
    "lastframe lastimage lastpicture laststill endframe endimage endpicture endstill finalframe finalimage"
    " closingframe tailframe tailimage out"
)
_SYNONYMS: Final[Mapping[str, str]] = {
    "prompt prompttext textprompt text description shotdescription action whathappens": "prompt prompttext"
    " textprompt text",
    "negative negativeprompt avoid without": "negativeprompt negativetext",
    "seconds second sec secs length dur duration time runtime": "duration seconds length videolength"
    " durationseconds",
    "aspect ratio aspectratio format": "aspectratio ratio",
    "res resolution quality size": "resolution quality size",
    "seed randomseed": "seed",
}
"""Words that people use, and the plain names of inputs that may be meant by them, the likeliest first."""

_FURTHEST: Final = 2


def meant_input(word: str, model: Model) -> str | None:
    """Return the input of `model` that `word` means by its name, its title, or the words that people use.

    A misspelling has at most two wrong letters, and one if it is short.
    """
    wanted = plain(word)
    by_plain = {plain(name): name for name in model.by_name}
    titles = {plain(each.title): each.name for each in model.inputs if each.title}
    for names in (by_plain, titles):
        if wanted in names:
            return names[wanted]
    first, last = model.frames
    if first and wanted in _FIRST.split():
        return first
    if last and wanted in _LAST.split():
        return last
    for words, names_of in _SYNONYMS.items():
        if wanted in words.split() and (name := next(filter(by_plain.get, names_of.split()), None)):
            return by_plain[name]
    return _misspelt(wanted, {**titles, **by_plain})


def _misspelt(wanted: str, names: Mapping[str, str]) -> str | None:
    furthest = min(_FURTHEST, len(wanted) // 4)
    near = {name: edits(wanted, name, most=furthest) for name in names}
    best = min(near, key=near.__getitem__, default="")
    return names[best] if best and near[best] <= furthest else None


def edits(one: str, other: str, *, most: int) -> int:
    """Return how many letters must change, go or come to turn one word into the other; `most` + 1 if it is more.

    Source: the edit distance of Levenshtein (1966), two neighbours that changed places counting as one.
    """
    if abs(len(one) - len(other)) > most:
        return most + 1
    before, row = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, before = before, row
        row = [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[j] = min(row[j], above[j - 2] + 1)
    return min(row[-1], most + 1)
