"""Explains the YAML parser's errors in plain words, with the line as it should have been written."""

from __future__ import annotations

import re

import yaml

from runner.domain.errors import Position
from runner.manifest.problems import shown
from runner.manifest.yaml_lines import flow_value, open_brackets, parts_of, quote_it
from runner.manifest.yaml_mistakes import Failure, recognise

# The left parts are found in messages of libyaml and of the pure scanner; the first one that matches decides.
_PLAIN_WORDS = (
    ("mapping values are not allowed", "there is a second ': ' where only text is allowed"),
    (
        "could not find expected ':'",
        "expected 'key: value'; indent the line deeper if it continues the text above",
    ),
    ("found unexpected (end of stream|document indicator)", "the quote that opens here is never closed"),
    ("expected ',' or ']'", "the list that opens with '[' is not closed"),
    ("expected ',' or '}'", "the mapping that opens with '{' is not closed"),
    ("expected (the )?node content", "a value is missing here"),
    ("expected (<block end>|key)", "this line is not indented like the lines around it"),
    ("expected '-' indicator", "this line is not indented like the list it is in"),
    ("(sequence entries|mapping keys) are not allowed", "a list or a key cannot begin inside a value"),
    (
        "unknown escape|expected hexdecimal|hexadecimal numbers",
        "a backslash in double quotes begins an escape; write it twice or use single quotes",
    ),
    ("expected <document start>", "the manifest ends before this line"),
    ("directive", "'%' begins a directive"),
    ("tag", "'!' begins a tag, and tags are not allowed"),
    ("alias", "'*' begins an alias"),
    ("anchor", "'&' begins an anchor"),
    ("block scalar", "text after '|' or '>' begins on the next line"),
)
_OPENERS = ("simple key", "quoted scalar", "flow sequence", "flow mapping")
# Text that begins like this, or holds a colon and a blank, is syntax to YAML but prose to its author.
_NEEDS_QUOTES = re.compile(r"[@`%*&!|>?]|[-,\]}](?:\s|$)|.*: |.*:$")
_BLOCK_SIGN = re.compile(r"\A[|>][-+0-9]*\s*")
_HALF = re.compile(r"(?<!\\)(?:\\\\)*\\u([dD][89abAB][0-9a-fA-F]{2})(?:\\u([dD][c-fC-F][0-9a-fA-F]{2}))?")


def explain(error: Exception, text: str, file: str) -> tuple[Position, str]:
    """Return where a syntax error is and what to do about it; lines and columns count from 1."""
    if not isinstance(error, yaml.MarkedYAMLError):
        return Position(file), f"not valid YAML: {shown(str(error))}"
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    # The place where a quote, bracket or key begins helps the user; the end of the file does not.
    if error.context_mark and any(word in context for word in _OPENERS):
        mark = error.context_mark
    if mark is None:
        return Position(file), f"not valid YAML: {shown(str(error))}"
    at = Position(file, mark.line + 1, mark.column + 1)
    if "invalid Unicode character escape" in problem:
        return at, _escape(text, mark.index)
    lines = re.split(r"\r\n|\r|\n", text)
    opened = (error.context_mark.line, error.context_mark.column) if error.context_mark else None
    words, noticed = f"{problem} {context}", error.problem_mark or mark
    failure = Failure(words, lines, noticed.line, noticed.column, opened)
    if mistake := recognise(failure):
        return Position(file, mistake.line + 1, mistake.column + 1), mistake.message
    line = lines[mark.line] if mark.line < len(lines) else ""
    message = _in_plain_words(words, line[mark.column : mark.column + 1])
    parts = parts_of(line)
    lead, value = (parts.lead, parts.value) if parts else ("", "")
    if inside := open_brackets(line[: mark.column]):
        lead, _, value = flow_value(line, mark.column, inside[-1])
    if "block scalar" in words and (rest := _BLOCK_SIGN.sub("", value)):
        return at, f"{message}; {quote_it(lead, rest, advice='or write it in quotes on this one')}"
    return at, f"{message}; {quote_it(lead, value)}" if _NEEDS_QUOTES.match(value) else message


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


def _in_plain_words(words: str, character: str) -> str:
    if "cannot start any token" in words:
        return f"{shown(character)} cannot begin a value"
    plain = next((plain for part, plain in _PLAIN_WORDS if re.search(part, words)), None)
    return plain or f"not valid YAML: {words.strip() or 'the line cannot be read'}"
