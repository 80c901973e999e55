"""Finds what stands at a place of a manifest: a word of YAML, or a cell of a CSV under its heading.

In: the text of a file, and positions in it. Out: where the words stand, and excerpts to show. It is made for text that
is broken, so it guesses where a reader would refuse, and it knows neither shots nor models.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import PurePath
from typing import Final

from runner.domain.errors import Excerpt, Position
from runner.manifest.size_limits import CEILING

Span = tuple[int, int]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_INK = re.compile(r"\S")
_DECLARED = re.compile(r'"?sep=([,;\t|])"?(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_LONGEST_WORD: Final = 400
"""A longer word is prose; only its beginning is marked."""

_TABLES: Final = frozenset({".csv", ".tsv"})
# A flow mapping ends a word at a comma or a bracket, which are ordinary characters of other text.
_WORD = re.compile(
    r"""'(?:[^'\r\n]|'')*'|"(?:[^"\\\r\n]|\\.)*"|[^\r\n]*?(?=[ \t]+#|:(?=\s)|[ \t]*(?:[\r\n]|\Z))"""
)
_FLOW_WORD = re.compile(
    r"""'(?:[^'\r\n]|'')*'|"(?:[^"\\\r\n]|\\.)*"|[^\r\n,\[\]{}]*?(?=:\s|\s*(?:[\r\n,\[\]{}]|\Z))"""
)
_QUOTED = re.compile(r'[ \t]*"(?P<text>(?:[^"]|"")*+)"[ \t]*(?=[,;\t|\r\n]|\Z)')


class SourceText:
    """The text of one file, whose name `file` says whether it is a table."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.is_table = PurePath(file).suffix.lower() in _TABLES
        self._starts = [line.start() for line in _LINE.finditer(text)]
        declared = _DECLARED.match(text)
        self._head = self._next_row(declared.end() if declared else 0)
        self._separator = declared[1] if declared else max(",;\t", key=self._line(self._head).count)
        self._bare = re.compile(rf"[^{re.escape(self._separator)}\r\n]*")

    def span(self, at: Position) -> Span | None:
        """Return where the words at a place begin and end, without the quotes and blanks around a cell."""
        if at.line is None or at.column is None or not 0 < at.line <= len(self._starts):
            return None
        start = self._starts[at.line - 1]
        if at.cell or self.is_table:
            return next((span for n, span in enumerate(self.cells(start), 1) if n == at.column), None)
        before = self.text[start : start + at.column - 1]
        start += at.column - 1
        if start > len(self.text):
            return None
        word = _FLOW_WORD if "{" in before or "[" in before else _WORD
        found = word.match(self.text, start, start + _LONGEST_WORD)
        return (start, found.end() if found else start)

    def excerpt(self, at: Position) -> Excerpt | None:
        """Return the line at a place with its words marked, or a cell under its heading; None without a place."""
        if at.line is None or not 0 < at.line <= len(self._starts):
            return None
        start, span = self._starts[at.line - 1], self.span(at)
        if at.cell or self.is_table:
            return self._cell_excerpt(at.line, at.column, span) if span else None
        if span is None:
            return None
        line = self._line(start)
        return Excerpt(((at.line, line),), span[0] - start, min(span[1], start + len(line)) - span[0])

    def _cell_excerpt(self, line: int, column: int | None, span: Span) -> Excerpt:
        words = self.text[slice(*span)]
        cell = (line, words.splitlines()[0] if words else "")
        above = [
            (bisect_right(self._starts, self._head), heading)
            for number, heading in enumerate(self.headings.values(), 1)
            if number == column and self._starts[line - 1] > self._head
        ]
        return Excerpt((*above, cell), 0, len(cell[1]))

    def cells(self, start: int) -> Iterator[Span]:
        """Yield where each cell of the record that begins at `start` stands, without its quotes and blanks."""
        end = start
        for _ in range(CEILING.columns):
            if quoted := _QUOTED.match(self.text, end):
                yield quoted.span("text")
                end = quoted.end()
            elif bare := self._bare.match(self.text, end):
                blanks = len(bare[0]) - len(bare[0].lstrip())
                yield end + blanks, end + blanks + len(bare[0].strip())
                end = bare.end()
            if self.text[end : end + 1] != self._separator:
                return
            end += 1

    def records(self) -> Iterator[int]:
        """Yield where each record of a table begins, the header first."""
        start = self._head
        while start < len(self.text):
            yield start
            *_, (_, end) = self.cells(start)
            start = self._next_row(end + len(self._line(end)))

    def _next_row(self, index: int) -> int:
        """Return where the next line with anything in it begins, the end of the text if there is none."""
        found = _INK.search(self.text, index)
        return self._starts[bisect_right(self._starts, found.start()) - 1] if found else len(self.text)

    @cached_property
    def headings(self) -> Mapping[Span, str]:
        """The header of a table: each name by its place."""
        return {span: self.text[slice(*span)] for span in self.cells(self._head)}

    def lines_from(self, index: int, step: int) -> Iterator[str]:
        """Yield the line of the character at `index` and those below it, or those above it for a `step` of -1."""
        number = bisect_right(self._starts, index) - 1
        while 0 <= number < len(self._starts):
            yield self._line(self._starts[number])
            number += step

    def _line(self, start: int) -> str:
        found = _LINE.match(self.text, start)
        return found[0].rstrip("\r\n") if found else ""
