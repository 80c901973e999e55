"""Explains the YAML parser's errors in plain words, with the line as it should have been written."""

from __future__ import annotations

import json
import re
from itertools import islice

import yaml

from runner.domain.errors import Position
from runner.manifest.problems import shown

# The left parts are found in messages of libyaml and of the pure scanner; the first one that matches decides.
_PLAIN_WORDS = (
    ("mapping values are not allowed", "there is a second ': ' where only text is allowed"),
    ("could not find expected ':'", "expected 'key: value'"),
    ("found unexpected (end of stream|document indicator)", "the quote that opens here is never closed"),
    ("expected ',' or ']'", "the list that opens with '[' is not closed"),
    ("expected ',' or '}'", "the mapping that opens with '{' is not closed"),
    ("expected node content", "a value is missing here"),
    ("expected (<block end>|key)", "this line is not indented like the lines around it"),
    ("expected '-' indicator", "this line is not indented like the list it is in"),
    ("unknown escape", "a backslash in double quotes begins an escape; write it twice or use single quotes"),
    ("expected <document start>", "text follows '...', which ends the manifest"),
    ("directive", "'%' begins a directive"),
    ("tag", "'!' begins a tag, and tags are not allowed"),
    ("alias", "'*' begins an alias"),
    ("anchor", "'&' begins an anchor"),
    ("block scalar", "text after '|' or '>' begins on the next line"),
)
_OPENERS = ("quoted scalar", "flow sequence", "flow mapping")
# This is for lines without blanks at their ends, since matching those takes time with the square of their number.
_VALUE = re.compile(r"(\s*(?:- +)?)([\w.-]+): +(\S.*)")
_ITEM = re.compile(r"(\s*- +)()(\S.*)")
# Text that begins like this, or holds a colon and a blank, is syntax to YAML but prose to its author.
_NEEDS_QUOTES = re.compile(r"[@`%*&!|>?]|.*: |.*:$")
_SHOWN = 60
_HALF = re.compile(r"(?<!\\)(?:\\\\)*\\u([dD][89abAB][0-9a-fA-F]{2})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?")


def explain(error: Exception, text: str, file: str) -> tuple[Position, str]:
    """Return where a syntax error is and what to do about it; lines and columns count from 1."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Position(file), f"not valid YAML: {shown(str(error))}"
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    # The place where a quote or bracket opens helps the user; the end of the file does not.
    if error.context_mark and any(word in context for word in _OPENERS):
        mark = error.context_mark
    if mark is None:
        return Position(file), f"not valid YAML: {shown(str(error))}"
    at = Position(file, mark.line + 1, mark.column + 1)
    if "invalid Unicode character escape" in problem:
        return at, _escape(text, mark.index)
    lines = re.finditer(r"([^\r\n]*)(?:\r\n|\r|\n|\Z)", text)
    line = next((found[1] for found in islice(lines, mark.line, None)), "")
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return at, "a tab indents this line; YAML is indented with spaces only"
    message = _in_plain_words(problem, context, line[mark.column : mark.column + 1])
    # The parser names the block it could not close; on the same line the cause is a quote that ended early.
    if "not indented" in message and line[: mark.column].strip():
        message = "the value ended before this; quote all of it, and write a quote inside it twice"
    quoted = _quoted(line.rstrip())
    return at, f"{message}; quote the text: {quoted}" if quoted else message


def _escape(text: str, start: int) -> str:
    """Return what to do about the first escape from `start` on that writes no character."""
    found = _HALF.search(text, start)
    if found is None or not found[2]:
        return "an escape here writes half a surrogate pair, or no character at all; remove it"
    number = int(found[1] + found[2], 16)
    # The Unicode Standard, 3.8, D91: ten bits in each half.
    code = 0x10000 + ((number >> 16 & 0x3FF) << 10) + (number & 0x3FF)
    written = shown(f"\\u{found[1]}\\u{found[2]}")
    halves = f"{written[1:-1]} is one character in two halves, as JSON writes it"
    return f"{halves}; write {shown(chr(code))} or \\U{code:08X}"


def _in_plain_words(problem: str, context: str, character: str) -> str:
    said = f"{problem} {context}"
    if "cannot start any token" in said:
        name = "a tab" if character == "\t" else shown(character)
        return f"{name} cannot begin a value"
    words = next((words for part, words in _PLAIN_WORDS if re.search(part, said)), None)
    return words or f"not valid YAML: {problem or 'the line cannot be read'}"


def _quoted(line: str) -> str | None:
    found = _VALUE.fullmatch(line) or _ITEM.fullmatch(line)
    if found is None or not found[3].isprintable() or not _NEEDS_QUOTES.match(found[3]):
        return None
    value = found[3] if len(found[3]) <= _SHOWN else found[3][: _SHOWN - 1] + "…"
    text = json.dumps(value, ensure_ascii=False)
    return f"{found[2]}: {text}" if found[2] else f"- {text}"
