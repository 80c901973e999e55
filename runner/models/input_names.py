"""Which input of a model a person means by a word of a spreadsheet: `First frame`, `Seconds`, `Start Image`.

In: a word and a model. Out: the name of an input, or None. Case, blanks and punctuation do not matter.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import islice
from typing import Final, Protocol

from runner.models.inputs import Input
from runner.system.nearest_name import LONGEST, edits, plain, plain_forms

_PICTURE: Final = "(?:key)?(?:frame|image|picture|pic|still|photo|kf|bild|imagen)(?:url|link|file)?"
_BEGIN: Final = (
    "start(?:ing)?|first|1st|begin(?:ning)?|opening|initial|in|a|1|anfangs|erstes|premiere|primera|inicial"
)
_END: Final = "end(?:ing)?|last|2nd|tail|final|closing|out|b|2|schluss|letztes|derniere|ultima"
_FIRST: Final = re.compile(
    f"(?:{_BEGIN}|reference|input|source)?{_PICTURE}|{_PICTURE}(?:{_BEGIN})|start|begin|in"
)
_LAST: Final = re.compile(f"(?:{_END}){_PICTURE}|{_PICTURE}(?:{_END})|end|out")
_VERSION: Final = "(?:v?[0-9]+|final|new|old|en|english)?"
_ENDINGS: Final = {
    "prompt": re.compile(f"(?!.*neg).*prompts?{_VERSION}"),
    "duration": re.compile(f"(?!total|cum|max|min).*duration(?:in)?(?:s|secs?|seconds?)?{_VERSION}"),
}
"""What follows other words in a heading and says what they all mean: `Video prompt`, `Final duration`."""
_SYNONYMS: Final[Mapping[str, str]] = {
    "prompt prompttext textprompt text description shotdescription action whathappens visual visuals"
    " beschreibung bildbeschreibung handlung descripcion accion": "prompt prompttext textprompt text",
    "negative negativeprompt avoid without neg negprompt promptnegative": "negativeprompt negativetext",
    "seconds second sec secs length lengthseconds lengthinseconds dur duration time runtime"
    " dauer lange sekunden sek duree secondes longueur duracion segundos": "duration seconds length videolength"
    " durationseconds",
    "aspect ratio aspectratio ar format seitenverhaltnis": "aspectratio ratio",
    "res resolution quality size auflosung": "resolution quality size",
    "seed randomseed": "seed",
    "cfg cfgscale guidance guidancescale": "cfgscale guidancescale cfg guidance",
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
    by_plain = {plain(each.name): each.name for each in model.inputs}
    titles = {plain(each.title): each.name for each in model.inputs if each.title}
    forms = plain_forms(word)
    for names in (by_plain, titles):
        if form := next(filter(names.get, forms), None):
            return names[form]
    for wanted in forms:
        # The words decide which frame is meant: `Keyframe start` is only two letters from `keyFramesLast`.
        for pattern, frame in zip((_FIRST, _LAST), model.frames, strict=True):
            if any(model.frames) and pattern.fullmatch(wanted):
                return frame
        general = next((each for each, ending in _ENDINGS.items() if ending.fullmatch(wanted)), wanted)
        for words, names_of in _SYNONYMS.items():
            if general in words.split() and (name := next(filter(by_plain.get, names_of.split()), None)):
                return by_plain[name]
    return _misspelt(forms[0], {**titles, **by_plain}) if forms else None


def _misspelt(wanted: str, names: Mapping[str, str]) -> str | None:
    furthest = 0 if len(wanted) < _SHORTEST else 1 if len(wanted) < _LONG else _FURTHEST
    # A hostile schema may have ten thousand names, and a board as many wrong words.
    first = islice(names, _NAMES) if len(wanted) <= LONGEST else ()
    near = {name: edits(wanted, name, most=furthest) for name in first}
    best = min(near, key=near.__getitem__, default="")
    return names[best] if best and near[best] <= furthest else None
