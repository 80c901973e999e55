"""Reads a bare word of a manifest as the type that the schema says, and shows values in messages.

In: text exactly as written. Out: an integer, number or boolean, or why the text is not one and what to write instead.
Nothing is guessed: `007` is not 7, `no` is not false, `1e3` is not an integer. Only booleans have further spellings:
every spreadsheet writes TRUE and FALSE.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from runner.domain import display
from runner.system.canonical_json import JsonValue

LONGEST = 60
MOST_CHOICES = 40
MOST_DIGITS = 19
_MOST_COMPARED = 200
_NEARLY = 0.001
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_THOUSANDS = r"[+-]?[1-9][0-9]{0,2}(?:%s[0-9]{3})+"
_GROUPED = {
    # One comma alone may also be a decimal comma: 1,234 is 1.234 in many countries.
    ",": re.compile(_THOUSANDS % "," + r"(\.[0-9]+)?", re.ASCII),
    ".": re.compile(_THOUSANDS % r"\." + r"(,[0-9]+)?", re.ASCII),
    **{blank: re.compile(_THOUSANDS % blank + r"([.,][0-9]+)?", re.ASCII) for blank in " \xa0\u2009\u202f'’"},
}
_SECONDS = re.compile(
    r"[~≈]?\s*(?:PT)?([0-9]+(?:[.,][0-9]+)?)\s*(?:s|secs?|seconds?|sek|sekunden?|secondes?|segundos?|secondi|сек|秒"
    r"|\"|'')?\.?(?:\s*\([^()]*\))?",
    re.IGNORECASE,
)
_MILLISECONDS = re.compile(r"([0-9]{1,6})\s*ms", re.ASCII | re.IGNORECASE)
# A clip lasts less than an hour, so what follows its seconds are frames or hundredths.
_CLOCK = re.compile(r"(?:0{1,2}:){1,2}([0-9]{1,2})(?:[:;.]0{1,3})?", re.ASCII)
# A spreadsheet makes 16:9 the time 16:09:00, or that time as a part of a day.
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::00)?", re.ASCII)
_PART_OF_A_DAY = re.compile(r"0[.,][0-9]{4,17}", re.ASCII)
_SHORTENED = re.compile(r"-?[0-9](?:[.,][0-9]+)?E\+[0-9]{2,3}", re.ASCII)
_LOOSE_NUMBER = re.compile(r"[+-]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?", re.ASCII)
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# What people and their tables write for the two, in the languages of Excel's booleans that are read.
_TRUE = "true yes on y 1 x checked ☑ ✓ ✔ ✅ ja oui sí si wahr vrai verdadero vero"
_FALSE = "false no off n 0 unchecked ☐ ✗ ✘ ❌ nein non falsch faux falso"


def shown(value: JsonValue) -> str:
    """Return `value` for a message in at most 60 characters; text is bare, and all else is JSON."""
    clear = display.value(value, LONGEST)
    if not clear.strip():
        return f'"{clear}"'
    return clear if len(clear) <= LONGEST else clear[: LONGEST - 1] + "…"


def choices(values: Sequence[JsonValue]) -> tuple[str, ...]:
    """Return allowed values as words; three or more whole numbers in a row become `1…10`."""
    whole = sorted(v for v in values if isinstance(v, int) and not isinstance(v, bool))
    if len(whole) == len(values) > 2 and whole == list(range(whole[0], whole[0] + len(whole))):
        return (f"{whole[0]}…{whole[-1]}",)
    words = tuple(map(shown, values[:MOST_CHOICES]))
    return words if len(values) <= MOST_CHOICES else (*words, f"and {len(values) - MOST_CHOICES} more")


@dataclass(frozen=True, slots=True)
class ParseError:
    """Text that is not a value of the wanted type: why, and what the user probably meant."""

    message: str
    nearest: str | None = None


def read_integer(text: str) -> int | ParseError:
    """Return the whole number that `text` spells in plain digits, of a size that JSON readers keep exact."""
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("-")) > MOST_DIGITS or not -(2**63) <= int(text) < 2**63:
            return ParseError(
                f"{shown(text)} is too large: whole numbers go from -2^63 to 2^63-1 (19 digits)"
            )
        return int(text)
    if re.fullmatch(r"-?0[0-9]+", text, re.ASCII):
        return ParseError(f"{shown(text)} has leading zeros, which could mean octal", _whole(text))
    if _SHORTENED.fullmatch(text):
        return ParseError(f"{shown(text)} is a number that a spreadsheet shortened; write all its digits")
    return ParseError(f"{shown(text)} is not a whole number in plain digits", _whole(text))


def read_number(text: str) -> int | float | ParseError:
    """Return the finite number that `text` spells in JSON's way; `5.0` is 5, so that equals hash equal."""
    if _INTEGER.fullmatch(text) and len(text) <= MOST_DIGITS:
        return int(text)
    if _NUMBER.fullmatch(text):
        value = float(text)
        return plain_number(value) if math.isfinite(value) else ParseError(f"{shown(text)} is too large")
    if text.lower().lstrip("+-.") in {"nan", "inf", "infinity"}:
        return ParseError(f"{shown(text)} is not a number that a request can hold")
    return ParseError(f"{shown(text)} is not a number as JSON writes it", _decimal(text))


def read_boolean(text: str) -> bool | ParseError:
    """Return the boolean for `true` or `false`, also as True or TRUE, which are YAML 1.2's spellings (10.3.2)."""
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    lower = text.lower()
    nearest = "true" if lower in _TRUE.split() else "false" if lower in _FALSE.split() else None
    return ParseError(f"{shown(text)} is neither true nor false", nearest)


def same_number(text: str, values: Sequence[str]) -> str | None:
    """Return the first of `values` that means the same number as `text`, as 8s means 8 and 5 means 0:05."""
    number = _decimal(text)
    if number is None:
        return None
    return next((each for each in values[:_MOST_COMPARED] if _decimal(each) == number), None)


def ratio_of_time(text: str) -> str | None:
    """Return the ratio of which a spreadsheet made a time: 16:9 of 16:09:00, or of 0.672916667 as a part of a day."""
    if _PART_OF_A_DAY.fullmatch(text):
        minutes = float(text.replace(",", ".")) * 24 * 60
        whole = round(minutes)
        return f"{whole // 60}:{whole % 60}" if abs(minutes - whole) < _NEARLY else None
    found = _TIME.fullmatch(text)
    return f"{int(found[1])}:{int(found[2])}" if found else None


READERS: Mapping[str, Callable[[str], int | float | ParseError]] = {
    "integer": read_integer,
    "number": read_number,
    "boolean": read_boolean,
}
"""The reader of each JSON type that a bare word can have besides text."""


def plain_number(value: float) -> int | float:
    """Return a float without a fraction as an integer, if that is exact."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _whole(text: str) -> str | None:
    """Return the plain digits for a whole number in another spelling, such as 1e3, 1_000, 5.0, 1,000, 5 sec or 0x1F."""
    if len(text) > MOST_DIGITS:
        return None
    if re.fullmatch(r"0[xob][0-9A-Fa-f]+", text, re.ASCII):
        try:
            return str(int(text, 0))
        except ValueError:
            return None
    # Three digits behind one mark are thousands to some and decimals to others; only a comma leaves no doubt here.
    if re.fullmatch(r"-?[0-9]+\.[0-9]{3}", text, re.ASCII):
        return None
    plain = text.replace(",", "") if _GROUPED[","].fullmatch(text.strip()) else text
    decimal = _decimal(plain)
    value = float(decimal) if decimal is not None else math.nan
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else None


def _decimal(text: str) -> str | None:
    """Return JSON's spelling of a number written loosely: +5, .5, 5., 1_000, 007.5, 1,5, 1,234.5, 5s, 0:05 or ５."""
    if len(text) > MOST_DIGITS:
        return None
    loose = unicodedata.normalize("NFKC", text).replace("\u2212", "-").strip()
    if thousandths := _MILLISECONDS.fullmatch(loose):
        return str(plain_number(int(thousandths[1]) / 1000))
    if timed := _SECONDS.fullmatch(loose) or _CLOCK.fullmatch(loose):
        loose = timed[1]
    loose = _ungrouped(loose)
    if not _LOOSE_NUMBER.fullmatch(loose):
        return None
    value = float(loose.replace("_", ""))
    return str(plain_number(value)) if math.isfinite(value) else None


def _ungrouped(text: str) -> str:
    """Return a number without the marks of its thousands, and with a decimal point; an ambiguous one stays as it is."""
    for mark, grouped in _GROUPED.items():
        found = grouped.fullmatch(text)
        if found and (found[1] or mark not in ",." or text.count(mark) > 1):
            return text.replace(mark, "").replace(",", ".")
        if found:
            return text
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
