"""Reads one line of YAML as its author means it: key, value, and how the value is written in quotes.

In: a line of text that YAML may not be able to read. Out: its parts, and the line as it should have been written.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from runner.manifest.problems import bare, shown
from runner.system.escapes import character_name

_SHOWN = 60
_KEY = r"[A-Za-z_][\w.-]*|\"[\w.-]+\"|'[\w.-]+'"
# This is for lines without blanks at their ends, since matching those takes time with the square of their number.
_FIELD = re.compile(rf"(?P<head>\s*(?:- +)*)(?:(?P<key>{_KEY}):(?: +|$))?(?P<value>.*)")
_HIDDEN = "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
_NO_BLANK = rf"[^\S \t]|[{_HIDDEN}]"
_DASHES = "\u2010-\u2015\u2212\ufe58\ufe63\uff0d\u00b7\u2022\u2023\u25aa\u25cf*"
_COLONS = "\u2236\ufe13\ufe55\uff1a"
_LOOK_ALIKES = (
    (re.compile(rf"[ ]*(?:- +)*(?P<sign>{_NO_BLANK})"), "indents this line; indent it with blanks only"),
    (re.compile(rf"[ ]*-(?P<sign>{_NO_BLANK})"), "follows the dash; write a blank"),
    (
        re.compile(rf"[ ]*(?P<sign>[{_DASHES}])\s*(?:{_KEY})\s?[:{_COLONS}]"),
        "does not begin an entry; write '- '",
    ),
    (re.compile(rf"[ ]*(?:- +)*(?:{_KEY})\s?(?P<sign>[{_COLONS}])"), "is not the colon of YAML; write ': '"),
    (re.compile(rf"[ ]*(?:- +)*(?:{_KEY}):(?P<sign>{_NO_BLANK})"), "follows the colon; write a blank"),
    (
        re.compile(rf"[ ]*(?:- +)*(?:(?:{_KEY}): +)?(?P<sign>[｛［])"),
        "is not a bracket of YAML; write { or [",
    ),
    (re.compile(r"[^{\[]*[{\[].*(?P<sign>[，；])"), "is not the comma of YAML; write ', '"),
)
_CURLY = re.compile(rf"[ ]*(?:- +)*(?:(?:{_KEY}): +)?(?P<sign>[“”„«‘’])(?P<text>.*)[“”»‘’]")
_NO_BLANK_AFTER_DASH = re.compile(rf"(?P<head> *)-(?P<rest>(?:{_KEY}):(?:\s.*)?)")
_NO_BLANK_AFTER_COLON = re.compile(r"(?P<head> *(?:- +)*)(?P<key>[A-Za-z_][\w.-]*):(?P<rest>(?!//)\S.*)")
_NO_COLON = re.compile(
    r"(?P<head> *(?:- +)*)(?P<key>[A-Za-z_][\w.-]*)(?:(?P<sign>\s*(?:=>|->|[=;])|\s+:)\s*|\s+|$)(?P<rest>.*)"
)
_TIGHT = re.compile(rf"(?P<key>[A-Za-z_][\w.-]*)\s?[:{_COLONS}](?!//)\s*(?P<value>.*)")
_UNSEEN = re.compile(_NO_BLANK)
_IN_BRACES = re.compile(r"[{,]\s*[\"']?([\w.-]+)[\"']?:\s+")
_IN_BRACKETS = re.compile(r"()[\[,]\s*")
_NEXT_FIELD = re.compile(r",\s*[\"']?[\w.-]+[\"']?:\s")
_MOST_WORDS = 3

_BRACKETS = frozenset("[]{}")
CLOSES = {"[": "]", "{": "}"}
"""The sign that closes each bracket."""


class Line(NamedTuple):
    """The parts of one line: where key and value begin, from 0; `key` is empty where there is none."""

    indent: int
    column: int
    key: str
    value: str
    is_entry: bool

    @property
    def lead(self) -> str:
        """What stands before the value."""
        return f"{bare(self.key)}: " if self.key else "- " if self.is_entry else ""


class Fault(NamedTuple):
    """What is wrong with a line, and at which column, from 0."""

    column: int
    message: str


def parts_of(text: str) -> Line | None:
    """Return the parts of a line, or None if it is empty."""
    found = _FIELD.fullmatch(text.rstrip())
    if not found or not found[0]:
        return None
    key = (found["key"] or "").strip("\"'")
    return Line(len(found["head"]), found.start("value"), key, found["value"], "-" in found["head"])


def in_quotes(text: str) -> str | None:
    """Return `text`, cut, as YAML writes it in quotes, or None if a terminal cannot show all of it."""
    if not text.isprintable():
        return None
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    plain = "'" not in cut and ('"' in cut or "\\" in cut)
    return f"'{cut}'" if plain else json.dumps(cut, ensure_ascii=False)


def quote_it(lead: str, text: str, *, advice: str = "quote the text") -> str:
    """Return the advice to put a text in quotes, with `lead` before it, as in `promptText: "a: b"`."""
    quoted = in_quotes(text)
    return f"{advice}: {lead}{quoted}" if quoted else advice


def unquoted(value: str) -> str:
    """Return the text that a wrongly quoted value means: without its outer quotes, and with its inner ones."""
    mark = value[:1]
    # Python writes text over lines so, and a program writes twice what stands in quotes.
    if mark in {"'", '"'} and value.startswith(mark * 2):
        return value.strip(mark)
    if mark in {"'", '"'} and len(value) > 1 and value.endswith(mark):
        return value[1:-1].replace(mark * 2 if mark == "'" else '\\"', mark).replace(f"\\{mark}", mark)
    return value


def look_alike(text: str) -> Fault | None:
    """Return what is wrong with a character of the line that only looks like one of YAML's own signs."""
    for pattern, advice in _LOOK_ALIKES:
        if found := pattern.match(text):
            return Fault(found.start("sign"), f"{character_name(found['sign'])} {advice}")
    return None


def tight_field(text: str) -> tuple[str, str] | None:
    """Return key and value of a text such as `model:x`, in which YAML sees no colon, or None."""
    found = _TIGHT.fullmatch(text)
    return (found["key"], found["value"]) if found else None


def unseen_in(text: str) -> str | None:
    """Return the first character of a text that cannot be seen and is not an ordinary blank, or None."""
    found = _UNSEEN.search(text)
    return found[0] if found else None


def curly_quotes(text: str) -> Fault | None:
    """Return what is wrong with a value in typographic quotes, which are part of its text."""
    found = _CURLY.fullmatch(text.rstrip())
    if found is None:
        return None
    message = f"{character_name(found['sign'])} is not a quote of YAML"
    return Fault(
        found.start("sign"), f"{message}; {quote_it('', found['text'], advice='write straight quotes')}"
    )


def misspelt_field(text: str) -> Fault | None:
    """Return which sign of a field the line lacks: a blank after the dash or the colon, or the colon."""
    line = text.rstrip()
    if found := _NO_BLANK_AFTER_DASH.fullmatch(line):
        return Fault(
            len(found["head"]), f"a blank is missing after the dash; write {shown('- ' + found['rest'])}"
        )
    if found := _NO_BLANK_AFTER_COLON.fullmatch(line):
        written = shown(f"{found['key']}: {found['rest']}")
        return Fault(found.end("key") + 1, f"a blank is missing after the colon; write {written}")
    found = _NO_COLON.fullmatch(line)
    # A line of many words is prose and not a field.
    if found is None or (len(found["rest"].split()) > _MOST_WORDS and not found["sign"]):
        return None
    if re.search(r":(?:\s|$)", found["rest"]):
        return None
    written = shown(f"{found['key']}: {found['rest']}".rstrip())
    # Words without a sign may also be more of the text above.
    is_sure = found["sign"] or not found["rest"] or "-" in found["head"]
    deeper = "" if is_sure else "indent the line deeper if it continues the text above"
    if deeper and " " in found["rest"]:
        return Fault(len(found["head"]), f"{deeper}, or write {written}")
    return Fault(found.end("key"), f"a colon is missing here; write {written}{deeper and ', or '}{deeper}")


def open_brackets(text: str) -> list[str]:
    """Return the brackets that open in a part of a line and do not close in it, the outermost first."""
    opened: list[str] = []
    for bracket in filter(_BRACKETS.__contains__, text):
        if bracket in CLOSES:
            opened.append(bracket)
        elif opened:
            opened.pop()
    return opened


def flow_value(text: str, column: int, sign: str) -> tuple[str, int, str]:
    """Return lead, start and text of the value inside braces or brackets that holds the column."""
    pattern = _IN_BRACES if sign == "{" else _IN_BRACKETS
    found = max(pattern.finditer(text[: column + 1]), key=re.Match.start, default=None)
    start, lead = (found.end(), f"{found[1]}: " if found[1] else "") if found else (column, "")
    following = _NEXT_FIELD.search(text, max(start, column))
    end = following.start() if following else len(text)
    opened = 0
    for bracket in re.finditer(r"[{}]" if sign == "{" else r"[\[\]]", text[start:end]):
        opened += 1 if bracket[0] == sign else -1
        if opened < 0:
            end = start + bracket.start()
            break
    return lead, start, text[start:end].strip()
