"""Takes the token out of what a server sends back, before any of it is kept or shown.

A server may echo its request, and from there the token would reach the state file, the reports and the screen. Each
character may be plain, or an escape of JSON, of a URL, of HTML or of a programming language, even escaped twice. The
whole may be in hex or in base64. Only the whole token is masked, and one of fewer than 8 characters is not masked at
all, since it would occur in innocent words.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from html.entities import html5
from typing import Any, TypeVar
from urllib.parse import unquote

from runner.api.account import Secret
from runner.api.exchange import Answer, HttpOutcome

MASK = "***"
SHORTEST = 8
_ROUNDS = 4
_WITHHELD = "*** (a text that held the token)"
_ESCAPE = re.compile(r"\\{1,8}+[uU]00([0-9a-fA-F]{2})")
T = TypeVar("T")

_BACKSLASHES = r"(?:\\{1,8}+|%(?:25){0,4}5[cC]|&#92;|&bsol;)"
_AMPERSAND = r"&(?:amp;|#38;|#[xX]26;){0,4}"
_BREAK = r"(?:\s|\\[rn]){0,4}"


class Redactor:
    """Knows the spellings of one token."""

    def __init__(self, token: Secret) -> None:
        value = token.reveal()
        self._value = value.casefold()
        spellings = _spellings(value) if len(value) >= SHORTEST else []
        # A server may repeat a header in small letters, which gives away all of the token except its case.
        self._forms = [re.compile(form, re.IGNORECASE) for form in spellings]
        self._byte_forms = [re.compile(form.encode(), re.IGNORECASE) for form in spellings]

    def cleaned(self, exchange: HttpOutcome) -> HttpOutcome:
        """Return `exchange` without the token; this comes before any cut, which could leave a part of the token."""
        if not isinstance(exchange, Answer):
            return replace(exchange, reason=self.masked(exchange.reason), error=self.masked(exchange.error))
        body = exchange.body
        for form in self._byte_forms:
            body = form.sub(MASK.encode(), body)
        return exchange if body == exchange.body else replace(exchange, body=body)

    def cleaned_value(self, value: T) -> T:
        """Return a frozen value, or plain JSON, without the token in its texts, since parsing has decoded them."""
        cleaned: Any = value
        # A member of an enumeration is this program's own text.
        if type(value) is str:
            cleaned = self.masked(cleaned)
        elif isinstance(value, list | tuple):
            cleaned = type(value)(map(self.cleaned_value, value))
        elif isinstance(value, Mapping):
            cleaned = {self.masked(str(name)): self.cleaned_value(held) for name, held in value.items()}
        elif is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in fields(value)]
            cleaned = replace(value, **{name: self.cleaned_value(getattr(value, name)) for name in names})
        same_kind: T = cleaned
        return same_kind

    def masked(self, text: str) -> str:
        """Return `text` without the token; a text with a spelling that no mask fits is not kept at all."""
        for form in self._forms:
            text = form.sub(MASK, text)
        return _WITHHELD if self._forms and self._shows_when_decoded(text) else text

    def _shows_when_decoded(self, text: str) -> bool:
        for _ in range(_ROUNDS):
            decoded = _decoded(text)
            if decoded == text:
                return False
            text = decoded
            if self._value in text.casefold():
                return True
        return False


def _decoded(text: str) -> str:
    """Return `text` with the escapes of URLs, HTML and JSON undone once."""
    if "%" in text:
        text = unquote(text)
    if "&" in text:
        text = html.unescape(text)
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text) if "\\" in text else text


def _spellings(token: str) -> list[str]:
    """Return regular expressions for the token, its hex and its base64; each matches in linear time.

    Hex may have any case, and may be spaced or have a mark before each byte.
    """
    coded = [_letters(form, gap=_BREAK) for form in _base64_forms(token.encode())]
    return [_letters(token, gap=r"\x00?"), *coded, r"(?:[ :,-]{0,2}(?:0x)?)".join(map(_pair, token))]


def _pair(char: str) -> str:
    """Return what matches the two hex digits of a character in any case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in f"{ord(char):02x}")


def _letters(text: str, *, gap: str) -> str:
    """Return what matches `text` with every character in any of its spellings."""
    # Most places of an answer are passed over by one look at their first character.
    first = rf"(?=[\\%&={re.escape(text[0])}])"
    return first + gap.join(f"(?:{'|'.join(_character(char))})" for char in text)


def _character(char: str) -> list[str]:
    """Return the spellings of one character of ASCII; in base64 text `+` and `/` are also `-` and `_`."""
    code, pair = ord(char), _pair(char)
    named = "|".join(sorted(name for name, meant in _NAMES.items() if meant == char))
    numbers = rf"#0{{0,8}}{code}(?![0-9]);?|#[xX]0{{0,8}}{pair}(?![0-9a-fA-F]);?"
    # Letters and digits are never escaped by a backslash alone: with a letter it would mean something else.
    escaped = "" if char.isalnum() else r"\\{0,8}"
    return [
        rf"{_BACKSLASHES}(?:[uU]\{{?0{{0,6}}{pair}\}}?|x\{{?0{{0,6}}{pair}\}}?|0{{0,2}}{code:o}(?![0-7]))",
        rf"%(?:25){{0,8}}(?:u00)?{pair}",
        rf"={pair}",
        f"{escaped}{_AMPERSAND}(?:{numbers}{'|' + named if named else ''})",
        # The plain form is last, since some of the others begin with it.
        escaped + re.escape(char),
    ]


_NAMES: Mapping[str, str] = {
    name: meant for name, meant in html5.items() if len(meant) == 1 and meant.isascii()
}
"""HTML's names of characters, with and without the semicolon where both are names."""


def _base64_forms(data: bytes) -> list[str]:
    """Return the forms of `data` inside a longer base64 text, without the edge letters that depend on neighbours."""
    forms = set()
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        inner = coded[(0, 2, 3)[shift] : len(coded) - (1 if (shift + len(data)) % 3 else 0)]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return sorted(forms)
