"""Which input of a model a person means by a word of a spreadsheet: `First frame`, `Seconds`, `Start Image`.

In: a word and a model. Out: the name of an input, or None. Case, blanks and punctuation do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Final, Protocol

from runner.models.inputs import Input
from runner.system.nearest_name import LONGEST, edits, plain

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
_SHORTEST: Final = 3
_LONG: Final = 8
_NAMES: Final = 500


class HasInputs(Protocol):
    """What of a model is needed here; a `Model` itself asks with this module for the names in a board."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The inputs in the order of the schema."""

    @property
    def frames(self) -> tuple[str | None, str | None]:
        """The inputs that are the first and the last frame."""


def meant_input(word: str, model: HasInputs) -> str | None:
    """Return the input of `model` that `word` means by its name, its title, or the words that people use.

    A misspelling has at most two wrong letters, and one if it is short.
    """
    wanted = plain(word)
    by_plain = {plain(each.name): each.name for each in model.inputs}
    titles = {plain(each.title): each.name for each in model.inputs if each.title}
    for names in (by_plain, titles):
        if wanted in names:
            return names[wanted]
    first, last = model.frames
    if first and wanted in _FIRST.split():
        is_list = any(each.name == first and "array" in each.shape.kinds for each in model.inputs)
        # One picture belongs in an input for one, if there is one beside the list.
        return next((by_plain[word] for word in _FIRST.split() if is_list and word in by_plain), first)
    if last and wanted in _LAST.split():
        return last
    for words, names_of in _SYNONYMS.items():
        if wanted in words.split() and (name := next(filter(by_plain.get, names_of.split()), None)):
            return by_plain[name]
    return _misspelt(wanted, {**titles, **by_plain})


def _misspelt(wanted: str, names: Mapping[str, str]) -> str | None:
    furthest = 0 if len(wanted) < _SHORTEST else 1 if len(wanted) < _LONG else _FURTHEST
    # A hostile schema may have ten thousand names, and a board as many wrong words.
    first = islice(names, _NAMES) if len(wanted) <= LONGEST else ()
    near = {name: edits(wanted, name, most=furthest) for name in first}
    best = min(near, key=near.__getitem__, default="")
    return names[best] if best and near[best] <= furthest else None
