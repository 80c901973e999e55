"""Finds the mistake behind a syntax error of YAML, which the parser often notices a line too late.

In: what the parser said and where, and the lines of the manifest. Out: the line that is wrong, and what mends it. Each
function knows one kind of mistake; the first that recognises it decides. It knows no field's meaning.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from runner.manifest.fields import FIELDS
from runner.manifest.problems import shown
from runner.manifest.yaml_lines import (
    CLOSES,
    curly_quotes,
    flow_value,
    look_alike,
    misspelt_field,
    open_brackets,
    parts_of,
    quote_it,
    unquoted,
)

_COMMENT = re.compile(r"\s#.*")
_KEY_ALONE = re.compile(r"\s*(?:- +)*[\w.-]+\s*")
_BLOCK_TEXT = re.compile(r".*(?:: |- )[|>][-+0-9]*\s*(?:#.*)?")
_GIT = re.compile(r"(?:<{7}|={7}|>{7}|\|{7})(?: .*)?")
_BEGINS = frozenset("{['\"")
_ENDS = frozenset("}]'\"")
_FENCE = re.compile(r"\s*(?:`{3}|~{3})\w*\s*")
_RULER = re.compile(r"\s*([-=_~*])\1{2,}\s*")
_WHOLE_THEN_COMMA = re.compile(r"(?:\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'),")
_LAST_WORD = re.compile(r"(?:.*[\s,{])?[\"']?([\w.-]+)[\"']?\s*")
_SLASHES = re.compile(r"\s*//.*")
_SLASHES_IN_FLOW = re.compile(r"(?:.*[\s,{\[])?//.*")
_UNEXPECTED = "expected (?:key|'-' indicator|<block end>)"
_INSIDE = "inside {} or [] YAML takes ':', ',', quotes and brackets for its own signs"


@dataclass(frozen=True, slots=True)
class Failure:
    """What the parser said, and where; `opened` is where what it was reading began. Lines and columns count from 0."""

    words: str
    lines: Sequence[str]
    line: int
    column: int
    opened: tuple[int, int] | None = None

    @property
    def text(self) -> str:
        """The line of the failure; the end of the file has none."""
        return self.lines[self.line] if self.line < len(self.lines) else ""

    @property
    def before(self) -> str:
        """The part of the line before the failure."""
        return self.text[: self.column]

    def above(self, line: int) -> int | None:
        """Return the nearest line above `line` that is neither empty nor a comment."""
        lines = range(line - 1, -1, -1)
        return next((n for n in lines if self.lines[n].strip() and self.lines[n].lstrip()[0] != "#"), None)


class Mistake(NamedTuple):
    """The place of a mistake, from 0, and what is wrong there."""

    line: int
    column: int
    message: str


_Recogniser: TypeAlias = Callable[[Failure], "Mistake | None"]


def recognise(failure: Failure) -> Mistake | None:
    """Return the mistake that a person made, or None if it is not of a known kind."""
    return next(filter(None, (known(failure) for known in _RECOGNISERS)), None)


def _suspects(failure: Failure) -> Iterator[int]:
    """Yield the lines that may hold the mistake: where the field began, the failing one, the one it continues."""
    if "simple key" in failure.words and failure.opened:
        yield failure.opened[0]
        return
    if failure.line < len(failure.lines):
        yield failure.line
    if _KEY_ALONE.fullmatch(failure.before) and (first := _first_of_text(failure)) is not None:
        yield first


def _first_of_text(failure: Failure) -> int | None:
    """Return the line above where the text begins that the failing line continues."""
    line = failure.above(failure.line)
    while line is not None:
        parts, above = parts_of(failure.lines[line]), failure.above(line)
        owner = parts_of(failure.lines[above]) if above is not None else None
        if owner is None or (owner.key and not owner.value) or (parts and (parts.key or parts.is_entry)):
            return line
        line = above
    return None


def _tab(failure: Failure) -> Mistake | None:
    if "\t" in failure.text[: len(failure.text) - len(failure.text.lstrip())]:
        message = "a tab indents this line; YAML is indented with spaces only"
    elif failure.text[failure.column : failure.column + 1] == "\t":
        message = "a tab stands here; write a blank"
    else:
        return None
    return Mistake(failure.line, failure.column, message)


def _foreign_line(failure: Failure) -> Mistake | None:
    for line in _suspects(failure):
        if _GIT.fullmatch(failure.lines[line]):
            return Mistake(
                line, 0, "git left a conflict here; keep one of the two versions, and remove its marks"
            )
        if _FENCE.fullmatch(failure.lines[line]):
            return Mistake(line, 0, "a fence of Markdown is not YAML; remove this line")
        if _RULER.fullmatch(failure.lines[line]):
            return Mistake(line, 0, "a line of signs is not YAML; remove it, or begin it with # as a comment")
    return None


def _slashes(failure: Failure) -> Mistake | None:
    """Recognise a comment of another language."""
    lines, sign = set(_suspects(failure)), _SLASHES
    if "flow" in failure.words and failure.opened:
        lines, sign = (
            set(range(failure.opened[0], min(failure.line + 1, len(failure.lines)))),
            _SLASHES_IN_FLOW,
        )
    for line in sorted(lines):
        if sign.fullmatch(failure.lines[line]):
            column = failure.lines[line].rindex("//")
            return Mistake(line, column, "'//' does not begin a comment; write '#', or remove the line")
    return None


def _blank_in_address(failure: Failure) -> Mistake | None:
    scheme = re.search(r"\bhttps?$", failure.before)
    if scheme is None or not failure.text[failure.column :].startswith(": //"):
        return None
    return Mistake(failure.line, failure.column + 1, f"a blank is in this address; write {scheme[0]}://")


def _foreign_sign(failure: Failure) -> Mistake | None:
    for line in _suspects(failure):
        if fault := look_alike(failure.lines[line]):
            return Mistake(line, *fault)
    fault = curly_quotes(failure.text)
    return Mistake(failure.line, *fault) if fault else None


def _second_document(failure: Failure) -> Mistake | None:
    if "<document start>" not in failure.words:
        return None
    number, first = next(((n, line) for n, line in enumerate(failure.lines) if line.strip()), (0, ""))
    if _indent(first) > _indent(failure.text):
        return Mistake(number, 0, "blanks indent this line, and not the fields below it; remove them")
    if first.startswith("{") and failure.text.startswith("{"):
        message = "a second JSON object begins here: JSON Lines are not read; write one list of shots: in one object"
        return Mistake(failure.line, failure.column, message)
    above = failure.above(failure.line)
    if above is not None and failure.lines[above].startswith("..."):
        return Mistake(above, 0, "'...' ends the manifest, and text follows it; remove this line")
    return None


def _closed_twice(failure: Failure) -> Mistake | None:
    sign = failure.text[failure.column : failure.column + 1]
    if sign not in CLOSES.values() or failure.before.count(sign) == 0:
        return None
    if "flow" in failure.words or "node content" in failure.words:
        return None
    return Mistake(
        failure.line, failure.column, f"this {sign} closes nothing; remove it, or put the text in quotes"
    )


def _in_flow(failure: Failure) -> Mistake | None:
    if failure.opened is None or not re.search(r"expected ',' or '[\]}]'", failure.words):
        return None
    line, column = failure.opened
    opening = failure.lines[line]
    sign = opening[column]
    if comment := _COMMENT.search(opening, column):
        message = f"the '{sign}' before it is not closed, for a comment begins at ' #'"
        lead, start, value = flow_value(opening, comment.start(), sign)
        return Mistake(line, start, f"{message}; {quote_it(lead, value)}")
    if failure.line > line:
        if _indent(failure.text) <= _indent(opening) or not failure.text.strip():
            return _unclosed(line, column, opening)
        above = failure.above(failure.line)
        if _KEY_ALONE.fullmatch(failure.before) and above is not None:
            end = failure.lines[above].rstrip()
            return Mistake(
                above, len(end), f"a comma is missing here: {shown(end.strip())} and the next line"
            )
    if comma := _missing_comma(failure) or _missing_comma_between(failure):
        return comma
    lead, start, value = flow_value(failure.text, failure.column, sign)
    return Mistake(failure.line, start, f"{_INSIDE}; {quote_it(lead, unquoted(value))}")


def _unclosed(line: int, column: int, opening: str) -> Mistake:
    kind, sign = ("list", "[") if opening[column] == "[" else ("mapping", "{")
    message = f"the {kind} that opens with '{sign}' is not closed; write the '{CLOSES[sign]}'"
    parts = parts_of(opening)
    if parts and parts.column == column and parts.key and parts.key not in FIELDS:
        message += f", or {quote_it(parts.lead, parts.value)}"
    return Mistake(line, column, message)


def _missing_comma(failure: Failure) -> Mistake | None:
    """Recognise a field of the manifest where text or a comma should be: `{id: s1 model: m}`."""
    after = re.match(r"[\"']?([\w.-]+)[\"']?:\s", failure.text[failure.column :])
    before = _LAST_WORD.fullmatch(failure.before) if failure.text[failure.column :][:1] == ":" else None
    word = after or before
    if word is None or (word[1] not in FIELDS and not (after and failure.before.rstrip()[-1:] in {'"', "'"})):
        return None
    start = failure.column if after else failure.before.rindex(word[1])
    return Mistake(failure.line, start, f"a comma is missing before {word[1]}")


def _missing_comma_between(failure: Failure) -> Mistake | None:
    """Recognise a mapping, a list or a quoted text right after another one."""
    line, before = failure.line, failure.before.rstrip()
    if not before and (above := failure.above(line)) is not None:
        line, before = above, failure.lines[above].rstrip()
    if failure.text[failure.column : failure.column + 1] not in _BEGINS or before[-1:] not in _ENDS:
        return None
    return Mistake(line, len(before), "a comma is missing here")


def _dash_in_flow(failure: Failure) -> Mistake | None:
    if "node content" not in failure.words or not failure.text[failure.column :].startswith("- "):
        return None
    if open_brackets(failure.before)[-1:] == ["{"]:
        return None
    message = "an entry inside [] begins without a dash; remove the dash, or the brackets around the list"
    return Mistake(failure.line, failure.column, message)


def _open_quote(failure: Failure) -> Mistake | None:
    """Recognise a text that begins with an apostrophe, or ends with a backslash."""
    if "end of stream" not in failure.words or failure.opened is None:
        return None
    line, column = failure.opened
    parts = parts_of(failure.lines[line])
    message = "the quote that opens here is never closed"
    if parts is None or parts.column != column:
        return None
    if parts.value.startswith('"') and parts.value.endswith('\\"'):
        return Mistake(
            line, column, f"{message}: the backslash before the last one keeps it open; write it twice"
        )
    if not parts.value.startswith("'"):
        return None
    advice = quote_it(parts.lead, parts.value, advice="close it, or quote the whole text")
    return Mistake(line, column, f"{message}; {advice}")


def _value_goes_on(failure: Failure) -> Mistake | None:
    if not re.search(_UNEXPECTED, failure.words):
        return None
    parts = parts_of(failure.text)
    if parts is None or not failure.before.strip(" -"):
        return None
    if _WHOLE_THEN_COMMA.fullmatch(parts.value):
        return Mistake(failure.line, len(failure.text.rstrip()) - 1, "remove the comma behind the quote")
    if parts.value[:1] in CLOSES and (not parts.key or parts.key in FIELDS):
        message = (
            f"text follows the {CLOSES[parts.value[0]]} that ends the value; remove the one or the other"
        )
        return Mistake(failure.line, failure.column, message)
    advice = quote_it(parts.lead, unquoted(parts.value), advice="quote all of it")
    return Mistake(failure.line, failure.column, f"the value ended before this; {advice}")


def _block_text(failure: Failure) -> Mistake | None:
    """Recognise a line of a block text (`|` or `>`) that is indented too little."""
    line = next(_suspects(failure), None)
    above = None if line is None else failure.above(line)
    if line is None or above is None:
        return None
    indent, key = _indent(failure.lines[line]), _indent(failure.lines[above])
    if _BLOCK_TEXT.fullmatch(failure.lines[above]):
        message = "a block text begins here; indent it deeper than its key"
        return Mistake(line, indent, f"{message}, by {key + 2} blanks")
    first = key
    while above is not None and (key := _indent(failure.lines[above])) >= indent:
        first, above = key, failure.above(above)
    if above is None or not _BLOCK_TEXT.fullmatch(failure.lines[above]):
        return None
    if first == indent:
        ends = next(n for n in range(line - 1, above, -1) if failure.lines[n].lstrip().startswith("#"))
        return Mistake(ends, 0, "a comment ends the block text here; indent it like the text, or remove it")
    message = "this line of a block text is indented less than its first line"
    return Mistake(line, indent, f"{message}; {_indent_it(first)}")


def _comment_in_text(failure: Failure) -> Mistake | None:
    """Recognise a line that should continue a text, from which a comment separates it."""
    for line in _suspects(failure):
        above = failure.above(line)
        parts = parts_of(failure.lines[above]) if above is not None else None
        if (
            above is None
            or parts is None
            or above == line - 1
            or not failure.lines[line - 1].lstrip().startswith("#")
        ):
            continue
        if parts.value and _indent(failure.lines[line]) > parts.indent:
            return Mistake(
                line - 1, _indent(failure.lines[line - 1]), "a comment ends the text above; remove it"
            )
    return None


def _field(failure: Failure) -> Mistake | None:
    """Recognise a field that lacks its colon or a blank, which the parser notices on the line below."""
    for line in _suspects(failure):
        if fault := misspelt_field(failure.lines[line]):
            return Mistake(line, *fault)
    return None


def _entry_above(failure: Failure) -> Mistake | None:
    """Recognise an entry whose first field is not where the others are, since its dash or its blanks are not."""
    if not re.search(f"mapping values are not allowed|{_UNEXPECTED}", failure.words):
        return None
    above, indent = failure.above(failure.line), _indent(failure.text)
    parts = parts_of(failure.lines[above]) if above is not None else None
    if (
        above is None
        or parts is None
        or not (parts.is_entry and parts.key)
        or parts.indent == indent
        or indent < 2
    ):
        return None
    dash, others = _indent(failure.lines[above]), f"{' ' * (indent - 2)}- "
    if dash == indent - 2:
        message = "the fields below are not indented like this one; write one blank behind its dash"
        return Mistake(above, dash, message)
    if dash == parts.indent - 2 and any(line.startswith(others) for line in failure.lines[failure.line :]):
        message = f"this entry is not indented like those below it; {_indent_it(indent - 2)}, not by {dash}"
        return Mistake(above, dash, message)
    return None


def _second_colon(failure: Failure) -> Mistake | None:
    """Recognise a second field on one line, or a field that is indented like more of the text above it."""
    if "mapping values are not allowed" not in failure.words:
        return None
    parts, word = parts_of(failure.before), _LAST_WORD.fullmatch(failure.before)
    if not _KEY_ALONE.fullmatch(failure.before):
        if parts and word and {parts.key, word[1]} <= FIELDS:
            return Mistake(failure.line, word.start(1), f"write {word[1]}: on a line of its own")
        return None
    message = "this line continues the text above, since it is indented deeper"
    wanted = _nearest_column(failure)
    advice = "" if wanted is None else f"{_indent_it(wanted)}, or "
    return Mistake(failure.line, _indent(failure.text), f"{message}; {advice}quote the whole text")


def _indentation(failure: Failure) -> Mistake | None:
    """Recognise a line that is indented unlike the fields or the entries above it."""
    if failure.before.strip() or not re.search(_UNEXPECTED, failure.words):
        return None
    wanted, indent = _nearest_column(failure), _indent(failure.text)
    is_entry = failure.text.lstrip().startswith("- ")
    above = failure.above(failure.line)
    parts = parts_of(failure.lines[above]) if above is not None else None
    if parts and parts.is_entry and parts.value.startswith("{") and parts.indent == indent:
        message = "the entry above is complete, since its braces are closed; write this field inside them"
        return Mistake(failure.line, indent, message)
    if wanted is None or wanted == indent:
        return None
    if is_entry and parts and parts.key and parts.indent == indent:
        message = f"this entry of a list stands among fields; remove its dash, or {_indent_it(wanted)}"
        return Mistake(failure.line, indent, message)
    lines = "entries" if is_entry else "fields"
    message = f"this line is not indented like the {lines} above it; {_indent_it(wanted)}, not by {indent}"
    return Mistake(failure.line, indent, message)


def _indent_it(column: int) -> str:
    return f"indent it by {column} blanks" if column else "do not indent it"


def _nearest_column(failure: Failure) -> int | None:
    """Return where the line should begin: the nearest column of open lists for an entry, of mappings for a field."""
    indent, is_entry = _indent(failure.text), failure.text.lstrip().startswith("- ")
    columns: list[int] = []
    lowest = sys.maxsize
    for text in reversed(failure.lines[: failure.line]):
        parts, begin = parts_of(text), _indent(text)
        if parts is None or not (parts.key or parts.is_entry) or begin >= lowest:
            continue
        lowest = begin
        if parts.is_entry if is_entry else parts.key:
            columns.append(begin if is_entry else parts.indent)
        if lowest == 0:
            break
    return min(columns, key=lambda column: abs(column - indent), default=None)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip(" "))


_RECOGNISERS: tuple[_Recogniser, ...] = (
    _tab,
    _foreign_line,
    _slashes,
    _blank_in_address,
    _foreign_sign,
    _second_document,
    _closed_twice,
    _in_flow,
    _dash_in_flow,
    _open_quote,
    _value_goes_on,
    _block_text,
    _comment_in_text,
    _field,
    _entry_above,
    _second_colon,
    _indentation,
)
