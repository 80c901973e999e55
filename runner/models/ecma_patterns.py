r"""Translates a regular expression of JSON Schema, which is JavaScript's (ECMA-262), into one for Python's `re`.

In: a pattern as a schema has it. Out: a pattern that Python finds in the same texts, or a `ValueError` that says what
has no translation. The two languages differ in `$`, `.`, `\d`, `\w`, `\s`, `\b`, `\p{…}`, `\u{…}`, `\/`, in names of
groups, empty classes, and braces that repeat nothing. It knows no schema and no cost.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, TypeAlias

_Ranges: TypeAlias = tuple[tuple[int, int], ...]

_ESCAPE: Final = (
    r"\\(?:x(?P<byte>[0-9A-Fa-f]{2})|u\{(?P<braced>[0-9A-Fa-f]{1,6})\}"
    r"|u(?P<high>[dD][89abAB][0-9A-Fa-f]{2})\\u(?P<low>[dD][c-fC-F][0-9A-Fa-f]{2})|u(?P<unit>[0-9A-Fa-f]{4})"
    r"|(?P<property>[pP])\{(?P<name>[^}]*)\}|c(?P<control>[A-Za-z])|(?P<char>.))"
)
_MEMBER = re.compile(rf"{_ESCAPE}|(?P<plain>[^\\])", re.DOTALL)
_TOKEN = re.compile(
    r"\[(?P<negated>\^?)(?P<members>(?:\\.|[^\]\\])*)\]|(?P<group>\((?:\?:|\?P?<[A-Za-z_$][\w$]*>)?)"
    rf"|(?P<repeat>[*+?]|\{{\d+(?:,\d*)?\}})|(?P<escape>{_ESCAPE})|(?P<other>.)",
    re.DOTALL,
)
_DIGIT: Final = ((0x30, 0x39),)
_WORD: Final = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Final = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A), (0x2028, 0x2029)),
    *((0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_END: Final = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_SETS: Final = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_CONTROLS: Final = {"0": 0, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13}
_LONG_NAMES: Final = {
    "Letter": "L", "Uppercase_Letter": "Lu", "Lowercase_Letter": "Ll", "Mark": "M", "Number": "N", "digit": "Nd",
    "Decimal_Number": "Nd", "Punctuation": "P", "punct": "P", "Symbol": "S", "Separator": "Z", "Other": "C",
}  # fmt: skip
_CATEGORY = re.compile(
    r"(?:(?:General_Category|gc)=)?(L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[cfson]?)"
)


@lru_cache(maxsize=4096)
def python_pattern(pattern: str) -> str:
    """Return `pattern` for Python's `re`; raises `ValueError` if a part of it has no translation."""
    return "".join(map(_translated, _TOKEN.finditer(pattern)))


def _translated(token: re.Match[str]) -> str:
    if token["members"] is not None:
        ranges = _united(_members(token["members"]))
        return _class(_complement(ranges) if token["negated"] else ranges)
    if token["group"]:
        # A name has no effect, since references back to a group are not supported.
        return "(?:" if token["group"] == "(?:" else "("
    if token["escape"]:
        return _escaped(token)
    if token["repeat"]:
        return token[0]
    return {"$": r"\Z", ".": _class(_complement(_LINE_END))}.get(token[0]) or (
        f"\\{token[0]}" if token[0] in "[]{}\\" else token[0]
    )


def _escaped(escape: re.Match[str]) -> str:
    if escape["char"] in {"b", "B"}:
        return f"(?a:\\{escape['char']})"
    if escape["char"] and escape["char"] in "123456789k":
        raise ValueError("has a back-reference")
    meant = _meaning(escape)
    return _code(meant) if isinstance(meant, int) else _class(meant)


def _members(text: str) -> Iterable[tuple[int, int]]:
    """Return the ranges of what stands between the brackets of a class."""
    members = list(_MEMBER.finditer(text))
    at = 0
    while at < len(members):
        first = _meaning(members[at])
        at += 1
        if not isinstance(first, int):
            yield from first
            continue
        last = first
        if (
            at + 1 < len(members)
            and members[at][0] == "-"
            and isinstance(end := _meaning(members[at + 1]), int)
        ):
            last, at = end, at + 2
        if last < first:
            raise ValueError(f"has a class with a range that is out of order ({text})")
        yield first, last


def _meaning(member: re.Match[str]) -> int | _Ranges:
    """Return the code point that a character or an escape stands for, or the set of them."""
    if digits := member["byte"] or member["braced"] or member["unit"]:
        if int(digits, 16) > sys.maxunicode:
            raise ValueError(f"has {member[0]}, which is not a character")
        return int(digits, 16)
    if member["high"]:
        return 0x10000 + (int(member["high"], 16) - 0xD800) * 0x400 + int(member["low"], 16) - 0xDC00
    if member["property"]:
        ranges = _category(member["name"])
        return ranges if member["property"] == "p" else _complement(ranges)
    if member["control"]:
        return ord(member["control"]) % 32
    char: str = member["char"] or ""
    if char.lower() in _SETS:
        return _SETS[char] if char in _SETS else _complement(_SETS[char.lower()])
    if char in _CONTROLS:
        return _CONTROLS[char]
    if char.isalnum():
        raise ValueError(f"has \\{char}, which means nothing in JavaScript")
    return ord(char or member[0])


@lru_cache(maxsize=64)
def _category(name: str) -> _Ranges:
    found = _CATEGORY.fullmatch(_LONG_NAMES.get(name, name))
    if not found:
        raise ValueError(f"has \\p{{{name}}}, and only general categories such as \\p{{L}} are supported")
    wanted = found[1]
    codes = (code for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)).startswith(wanted))
    return _united((code, code) for code in codes)


def _united(ranges: Iterable[tuple[int, int]]) -> _Ranges:
    united: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if united and first <= united[-1][1] + 1:
            united[-1] = united[-1][0], max(last, united[-1][1])
        else:
            united.append((first, last))
    return tuple(united)


def _complement(ranges: _Ranges) -> _Ranges:
    starts = (0, *(last + 1 for _, last in ranges))
    ends = (*(first - 1 for first, _ in ranges), sys.maxunicode)
    return tuple((first, last) for first, last in zip(starts, ends, strict=True) if first <= last)


def _class(ranges: _Ranges) -> str:
    """Return a class of Python, in its shorter form; Python has no empty one."""
    is_open = bool(ranges) and ranges[-1][1] == sys.maxunicode
    listed = _complement(ranges) if is_open else ranges
    if not listed:
        return f"[{'' if is_open else '^'}\\x00-{chr(sys.maxunicode)}]"
    spans = (_code(a) if a == b else f"{_code(a)}-{_code(b)}" for a, b in listed)
    return f"[{'^' if is_open else ''}{''.join(spans)}]"


def _code(code: int) -> str:
    char = chr(code)
    if code > 0xFFFF or (char.isascii() and char.isalnum()):
        return char
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
