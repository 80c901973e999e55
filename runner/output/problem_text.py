"""Shows the problems of a manifest: what is wrong, its place, its line with a mark under it, and the way out.

In: problems, a function that finds an excerpt of the file, a width in columns, colour or none. Out: lines, safe to show
but for the colours. From `GROUPED` problems on, or where they fill more than a page, those of one kind are counted and
only their first places are shown.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from runner.domain.display import counted
from runner.domain.errors import Excerpt, Position, Problem, Severity
from runner.system.escapes import escaped, visible

GROUPED: Final = 20
PLACES: Final = 3
MOST_LINES: Final = 60
"""The most lines for all problems of a board: what fits on a page."""

_LINE: Final = 1000
_WARNINGS_KEPT: Final = 15
_NARROWEST: Final = 40
_TEXT_SHOWN: Final = 300
# A message begins with the value it is about, quotes others, and names numbers and files.
_VALUE = re.compile(r"^.{1,62}? (?=(?:is|are|has|have|holds|fits|looks|stands|does)\b)")
_QUOTED = re.compile(r"'[^']*'|\S*[0-9./…]\S*")
_DIGITS = re.compile(r"\d+")
_BOLD, _RED, _YELLOW, _BLUE = "1", "1;31", "1;33", "1;34"
_COLOURS: Final = {Severity.ERROR: _RED, Severity.WARNING: _YELLOW}


_Show = Callable[[Problem], list[str]]


@dataclass(frozen=True, slots=True)
class Style:
    """How problems are shown: `width` is that of a terminal in columns, None for one line a problem, as in a pipe.

    With `is_brief` a terminal shows no lines of the file.
    """

    width: int | None = None
    colour: bool = False
    is_brief: bool = False


def problem_lines(
    problems: Sequence[Problem],
    *,
    excerpt: Callable[[Position], Excerpt | None],
    style: Style,
    all_with: str,
    every: bool = False,
) -> list[str]:
    """Return the lines that show `problems`, at most about `MOST_LINES` unless `every` one is asked for.

    `all_with` says how to see all of them, as the end of a sentence.
    """
    line, place = partial(_line, style=style), partial(_place, style=style)
    block = line if style.width is None or style.is_brief else partial(_block, excerpt=excerpt, style=style)
    gap = [] if block is line else [""]
    whole = [text for problem in problems for text in (*block(problem), *gap)]
    if every or (len(problems) < GROUPED and len(whole) <= MOST_LINES):
        return whole
    kinds = _kinds(problems)
    short = [_some(kind, line, place) for kind in kinds]
    spare = MOST_LINES - sum(map(len, short))
    if spare < 0:
        return _shortest(kinds, line, all_with)
    shown = []
    for kind, brief in zip(kinds, short, strict=True):
        full = [*_some(kind, block, place), *gap]
        spare -= len(full) - len(brief)
        shown += full if spare >= 0 else brief
    hidden = len(problems) - sum(min(len(kind), PLACES) for kind in kinds)
    return [*shown, *([_hidden(hidden, len(problems), all_with)] if hidden else [])]


def _kinds(problems: Iterable[Problem]) -> list[list[Problem]]:
    """Return the problems that differ only in their shot and in what is written there, together."""
    found: defaultdict[tuple[str, ...], list[Problem]] = defaultdict(list)
    for problem in problems:
        shot, _, field = problem.subject.rpartition(", ")
        about = field if shot else field.partition(" ")[0]
        name = (shot or field).removeprefix("shot ")
        message = _QUOTED.sub("…", _VALUE.sub("… ", problem.message[:_LINE].replace(f" {name} ", " … ")))
        found[problem.severity, _DIGITS.sub("0", about), message].append(problem)
    return list(found.values())


def _some(kind: Sequence[Problem], first: _Show, others: _Show, *, places: int = PLACES) -> list[str]:
    """Return the first places of a kind and how many more there are."""
    lines = [*first(kind[0]), *(line for problem in kind[1:places] for line in others(problem))]
    more = len(kind) - places
    return [*lines, f"  … and {more:,} more like it"] if more > 0 else lines


def _shortest(kinds: Sequence[Sequence[Problem]], line: _Show, all_with: str) -> list[str]:
    """Return one place of each kind, as many kinds as there is room for; errors do not push out all warnings."""
    texts = [_some(kind, line, line, places=1) for kind in kinds]
    wanted = sum(len(text) for text, kind in zip(texts, kinds, strict=True) if _is_warning(kind))
    room = {True: min(wanted, _WARNINGS_KEPT)}
    room[False] = MOST_LINES - room[True]
    lines, total = list[str](), sum(map(len, kinds))
    hidden = total
    for text, kind in zip(texts, kinds, strict=True):
        room[_is_warning(kind)] -= len(text)
        if room[_is_warning(kind)] >= 0:
            lines += text
            hidden -= 1
    return [*lines, _hidden(hidden, total, all_with)]


def _is_warning(kind: Sequence[Problem]) -> bool:
    return kind[0].severity is Severity.WARNING


def _hidden(number: int, total: int, all_with: str) -> str:
    return f"not shown: {number:,} of {counted(total, 'problem')}; {all_with}"


def _line(problem: Problem, *, style: Style) -> list[str]:
    text = visible(str(problem), _LINE)
    if style.colour:
        place = visible(str(problem.at), _LINE)
        text = text.replace(place, _painted(place, _COLOURS[problem.severity], style), 1)
    return [text] if style.width is None else broken_lines(text, style.width, indent="    ")


def _place(problem: Problem, *, style: Style) -> list[str]:
    """Return a further place of a kind: on a terminal one line, since the sentence stands above it."""
    if style.width is None:
        return _line(problem, style=style)
    text = ": ".join(filter(None, (str(problem.at), problem.subject, problem.message)))
    return [
        f" {_painted('-->', _BLUE, style)} {_cut(visible(text, _LINE), max(style.width, _NARROWEST) - 5)}"
    ]


def _block(problem: Problem, *, excerpt: Callable[[Position], Excerpt | None], style: Style) -> list[str]:
    """Return one problem over several lines: the sentence, its place, its line with a mark, and the way out."""
    width, colour = max(style.width or 0, _NARROWEST), _COLOURS[problem.severity]
    sentence = ": ".join(filter(None, (problem.severity.value, problem.subject, problem.message)))
    first, *more = broken_lines(visible(sentence, _LINE), width, indent="  ")
    said = _painted(problem.severity.value, colour, style) + first.removeprefix(problem.severity.value)
    found = None if problem.is_secret else excerpt(problem.at)
    gutter = max((len(str(number)) for number, _ in found.lines), default=1) if found else 1
    bar, edge = _painted("|", _BLUE, style), " " * (gutter + 1)
    lines = [said, *more, f"{' ' * gutter}{_painted('-->', _BLUE, style)} {visible(str(problem.at), _LINE)}"]
    if found:
        lines.append(f"{edge}{bar}")
        *above, (number, text) = found.lines
        lines += [
            _numbered(n, _cut(visible(t, _TEXT_SHOWN), width - gutter - 3), gutter, style) for n, t in above
        ]
        shown, before, length = _marked(text, found, width - gutter - 3)
        lines.append(_numbered(number, shown, gutter, style))
        lines.append(f"{edge}{bar} {' ' * before}{_painted('^' * length, colour, style)}")
    for words in _ways_out(problem):
        first, *more = broken_lines(words, width - gutter - 3, indent="  ")
        lines += [f"{edge}{_painted('=', _BLUE, style)} {first}", *(f"{edge}  {each}" for each in more)]
    return lines


def _ways_out(problem: Problem) -> list[str]:
    ways = [f"allowed: {visible(', '.join(problem.allowed), _LINE)}"] if problem.allowed else []
    return [*ways, f"did you mean {visible(problem.nearest, _LINE)}?"] if problem.nearest else ways


def _numbered(number: int, text: str, gutter: int, style: Style) -> str:
    return f"{_painted(f'{number:>{gutter}} |', _BLUE, style)} {text}"


def _marked(text: str, found: Excerpt, room: int) -> tuple[str, int, int]:
    """Return a line cut to `room` columns around its mark, and where the mark begins and how long it is, in columns."""
    end = found.start + found.length
    before = escaped(text[max(0, found.start - _TEXT_SHOWN) : found.start])
    if _columns(before) > room // 2:
        before = "…" + before[-(room // 3) :]
    words, after = escaped(text[found.start : end][:_TEXT_SHOWN]), escaped(text[end : end + _TEXT_SHOWN])
    start = _columns(before)
    return _cut(before + words + after, room), start, max(1, min(_columns(words), room - start))


def _cut(text: str, room: int) -> str:
    if _columns(text) <= room:
        return text
    while _columns(text) >= room:
        text = text[:-1]
    return f"{text}…"


def _columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def broken_lines(text: str, width: int, *, indent: str) -> list[str]:
    """Return `text` broken at blanks to lines of `width` columns, all but the first with `indent`."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]


def _painted(text: str, colour: str, style: Style) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if style.colour else text
