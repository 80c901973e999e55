"""Finds mistakes of a manifest that can be mended without a doubt about what was meant.

In: the text of a manifest and its problems. Out: changes of single words. A word is mended if the proposal differs from
it only in case, or if it is a whole number written with a fraction, such as 5.0. Blanks at ends that no one reads go.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, takewhile

import yaml

from runner.domain.errors import Problem
from runner.manifest.size_limits import LIMITS
from runner.manifest.source_text import SourceText, Span
from runner.manifest.yaml_reader import FAST_LOADER

_TRAILING = re.compile(r"(?<![ \t])[ \t]++(?=[\r\n]|\Z)")
_OTHER_BREAKS = frozenset("\x85\u2028\u2029")
_KEY_END = re.compile(r"[ \t]*:(?=\s|\Z)")
_DEEPEST = 1_000_000
_NEAR = 1000
"""A mapping of more lines is not searched to its end."""
_AFTER_CELL = re.compile(r" +(?=[,;\t|\r\n]|\Z)")


@dataclass(frozen=True, slots=True, order=True)
class Fix:
    """The characters from `start` to `end` of a text, and the words to write in their place."""

    start: int
    end: int
    words: str


def safe_fixes(
    source: SourceText, problems: Iterable[Problem], *, columns: Iterable[str] = (), is_mapped: bool = False
) -> tuple[Fix, ...]:
    """Return the changes of a manifest that are safe, in the order of the text; none of them overlap.

    `columns` are the names that the headings of a table may have, as they are written elsewhere.
    A table that `is_mapped` keeps its headings and blanks, for its author exports it again and again.
    """
    if is_mapped:
        return tuple(sorted(_corrections(source, (each for each in problems if each.subject != "header"))))
    found = {
        *_corrections(source, problems),
        *(_cell_ends(source) if source.is_table else _line_ends(source.text)),
        *(_headings(source, columns) if source.is_table else ()),
    }
    return tuple(sorted(found))


def fixed(text: str, fixes: Iterable[Fix]) -> str:
    """Return `text` with `fixes` made; they are in order."""
    parts, end = list[str](), 0
    for fix in fixes:
        parts += (text[end : fix.start], fix.words)
        end = fix.end
    return "".join((*parts, text[end:]))


def _corrections(source: SourceText, problems: Iterable[Problem]) -> Iterator[Fix]:
    found: dict[Span, set[str]] = defaultdict(set)
    for problem in problems:
        span = source.span(problem.at) if problem.nearest else None
        if span and problem.nearest and _is_same(source.text[slice(*span)], problem.nearest):
            found[span].add(problem.nearest)
    for span, (meant, *others) in found.items():
        if not (others or _is_taken(source, span, meant)):
            yield Fix(*span, meant)


def _headings(source: SourceText, columns: Iterable[str]) -> Iterator[Fix]:
    """Yield the headings that differ from a column's name only in case."""
    spelt = {name.casefold(): name for name in columns}
    for span, heading in source.headings.items():
        meant = spelt.get(heading.casefold())
        if meant and meant != heading and not _is_taken(source, span, meant):
            yield Fix(*span, meant)


def _is_same(word: str, meant: str) -> bool:
    if word == meant:
        return False
    return word.casefold() == meant.casefold() or re.fullmatch(rf"{re.escape(meant)}\.0+", word) is not None


def _is_taken(source: SourceText, span: Span, meant: str) -> bool:
    """Return whether another column, or a key close by, already has the name `meant`."""
    if source.is_table:
        return span in source.headings and meant in source.headings.values()
    if not _KEY_END.match(source.text, span[1]):
        return False
    column = span[0] - source.text.rfind("\n", 0, span[0]) - 1
    above, below = (islice(source.lines_from(span[0], step), _NEAR) for step in (-1, 1))
    near = [next(above)]
    if not near[0][:column].strip():
        # The line above all that is indented as far may hold the first key of an entry.
        for line in above:
            near.append(line)
            if _indent(line) < column:
                break
    near += takewhile(lambda line: _indent(line) >= column, islice(below, 1, None))
    return any(re.search(rf"(?:^|[\s{{,\"'-]){re.escape(meant)}[\"']?\s*:", line) for line in near)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else _DEEPEST


def _cell_ends(source: SourceText) -> Iterator[Fix]:
    """Yield the blanks after cells, but for those of prose, which are sent as they are."""
    prose: set[int] = set()
    for row, start in enumerate(source.records()):
        for number, span in enumerate(source.cells(start)):
            heading = source.text[slice(*span)].casefold()
            if row == 0 and (heading == "notes" or "prompt" in heading):
                prose.add(number)
            if (row == 0 or number not in prose) and (blanks := _AFTER_CELL.match(source.text, span[1])):
                yield Fix(*blanks.span(), "")


def _line_ends(text: str) -> Iterator[Fix]:
    """Yield the blanks at the ends of lines of YAML, but for lines inside of a text; none if it cannot be parsed."""
    # YAML 1.1 breaks lines at these characters, and its numbers of lines would be others.
    if not _OTHER_BREAKS.isdisjoint(text):
        return
    inside, depth = set[int](), 0
    try:
        for event in yaml.parse(text, Loader=FAST_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            # Each level makes the parser slower, and no manifest is valid that is so deep.
            if depth > LIMITS.depth:
                return
            if isinstance(event, yaml.ScalarEvent) and event.start_mark and event.end_mark:
                # The blanks of a block are its own to its very end.
                last = event.end_mark.line + (event.style in {"|", ">"})
                inside.update(range(event.start_mark.line, last))
    except (yaml.YAMLError, ValueError, OverflowError):
        return
    starts = [line.start() for line in re.finditer(r"[^\r\n]*(?:\r\n|\r|\n)?", text)]
    line = 0
    for blanks in _TRAILING.finditer(text):
        while line + 1 < len(starts) and starts[line + 1] <= blanks.start():
            line += 1
        if line not in inside:
            yield Fix(*blanks.span(), "")
