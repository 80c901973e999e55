"""Recognises what a spreadsheet made of a cell: an error, a formula, lost digits, a wrapped or second address.

In: the text of a cell. Out: a `CellFault`, or None for a cell that is sound. Of a row it knows whether it is a sum. It
knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from runner.domain.ids import looks_mangled
from runner.manifest.problems import bare, shown


class CellKind(Enum):
    """What a column is for, as far as its heading shows."""

    PROMPT = "prompt"
    SEED = "seed"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class CellFault:
    """Why a cell is not what its author meant; `is_error` is false where the text may be meant after all."""

    message: str
    nearest: str | None = None
    is_error: bool = True


_LOADING: Final = (
    "Loading|Cargando|Chargement|Wird geladen|(?:A )?[Cc]arregando|Caricamento in corso|Laden|Wczytywanie"
    "|Загрузка|読み込んでいます"
)
# Sources: the error values of Excel, Google Sheets and LibreOffice; those that end in ! or ? in any language.
_ERROR: Final = re.compile(
    r"#[¡¿]?(?P<word>[\w/ ]{2,20})[!?]|#N/[AD](?: \w+)?|#NV|#REF|#DIV/0|#VALUE|#GETTING_DATA|#{3,}|Err:[0-9]{3}"
    rf"|(?:{_LOADING})(?:\.{{3}}|…)"
)
_CELL: Final = r"\$?[A-Z]{1,3}\$?[0-9]+"
_FORMULA: Final = re.compile(
    r"\{?=\s*(?:(?:[+-]\s*)?(?i:[A-Z][A-Z0-9._]*)\(|"
    + _CELL
    + r"\b|(?:\[\d+\])?'?\w[\w .-]*'?!\$?[A-Z]|\"[^\"]*\"\s*(?:&|\}?\Z))"
    r"|[+-]" + _CELL + r"(?:[-+*/&]" + _CELL + r")*\Z|[+@-][A-Z][A-Z.]*\("
)
_WORDS_BEHIND: Final = re.compile(r"\)\s+[^\W\d_]{2,}[^()&\"]*\Z")
"""A formula may end in a bracket, and only a sentence goes on with words."""
_AS_TEXT: Final = re.compile(r'=\s*"([^"]*)"')
_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>()\[\]]+", re.ASCII)
# An address inside another one, as proxies have it, follows a slash or an equals sign.
_SECOND: Final = re.compile(r"[\s,;|]\s*https?://|(?<=[0-9A-Za-z])https?://", re.ASCII)
_WRAPPED: Final = re.compile(
    r"""<[^<>]*> | (?:[^()\[\]]*\(\s*https?://[^()]*\)\s*)+ | !?\[[^\]]*\]\([^()]*\) | "[^"]*" | '[^']*'""",
    re.VERBOSE,
)
_SHORTENED: Final = re.compile(r"-?[0-9](?:[.,][0-9]+)?E\+?[0-9]+", re.ASCII)
_FILLER_WORDS: Final = (
    "none|null|nan|nat|nil|void|na|n/a|n.a.|k.a.|s.o.|<na>|tbd|tbc|tba|todo|#todo|fixme|wip|undefined|placeholder"
    "|xx|xxx|–|—|...|…|〃|ditto|same|same as above|see above|(empty)|(blank)|[object object]|true|false"
)
_FILLERS: Final = frozenset(_FILLER_WORDS.split("|"))
_NO_LETTERS: Final = re.compile(r"[^A-Za-z\x80-\U0010ffff]+")
MARKUP: Final = re.compile(
    r"&(?:[a-z]{2,6}|#\d{2,5}|#x[0-9a-f]{2,4});|</?(?:a|b|br|div|em|i|li|p|span|strong|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
"""What a text of a web page holds and a prompt does not: `&amp;`, `<br>`."""
_LONGEST: Final = 100
_FIRST_LETTERS: Final = frozenset("#=+-@{ELCWAЗ読")
SUSPECT_LETTERS: Final = _FIRST_LETTERS | frozenset(" \t\n\r\xa0")
"""Only a cell that begins with one of these, a short one, and one with an address in it, can have a fault."""
_SUSPECT: Final = re.compile(rf"\0(?:[\s#=+@{{-]|Err:|Lorem ipsum|{_LOADING})")
_LONGEST_FILLER: Final = 15
_SEVERAL_SEEDS: Final = re.compile(
    r"rand(?:om)?[ :]*\d*|(?!\d{1,3}(?:[,. ]\d{3})+\Z)-?\d+(?:[-\s:;,|]+\d+)+", re.IGNORECASE
)
SHORTENED: Final = (
    "is a number that a spreadsheet shortened, and its last digits are lost; format the column as text"
)
"""What happened to a number such as 1.23E+09; no digits are proposed, because they are not in the file."""


def may_have_fault(cells: Sequence[str]) -> bool:
    """Return whether a cell of a row may have a fault, apart from those of prompts and seeds; it is quick."""
    row = "\0".join(("", *cells))
    return row.count("://") != row.count("\0https://") or _SUSPECT.search(row) is not None


def may_be_filler(text: str) -> bool:
    """Return whether a prompt may be none: one short word, or a phrase that stands for none; it is quick."""
    is_short = len(text) <= _LONGEST_FILLER
    return is_short and (" " not in text or not text[0].isalpha() or text.casefold() in _FILLERS)


def is_error_value(text: str) -> bool:
    """Return whether a cell holds the error of a spreadsheet instead of a value."""
    found = _ERROR.fullmatch(text)
    word = (found and found["word"]) or ""
    return found is not None and word == word.upper() and not word.isdecimal()


def is_shortened(text: str) -> bool:
    """Return whether a cell holds a number in the short form of a spreadsheet, such as 1.23E+09."""
    return _SHORTENED.fullmatch(text) is not None


def fault_of(text: str, kind: CellKind, *, is_guarded: bool = False) -> CellFault | None:
    """Return what is wrong with the trimmed text of an input's cell; a guarded cell is not a formula."""
    if text[:1] in _FIRST_LETTERS:
        if is_error_value(text):
            return CellFault(
                f"{shown(text)} is the error of a spreadsheet and not a value; mend the cell in the sheet"
            )
        if not is_guarded and _FORMULA.match(text) and not _WORDS_BEHIND.search(text):
            return _formula_fault(text)
    if kind is CellKind.PROMPT:
        return _prompt_fault(text)
    if kind is CellKind.SEED:
        return _seed_fault(text)
    found = text.find("://")
    return _address_fault(text) if found >= 0 and (found > 5 or text.find("://", found + 3) > 0) else None


def unstored(text: str) -> CellFault:
    """Return the fault of a workbook's formula; its cell has a type, so no pattern needs to recognise it."""
    return CellFault(
        f"{shown(text)} is a formula without a stored value; open the workbook in Excel and save it"
    )


def _prompt_fault(text: str) -> CellFault | None:
    is_filler = text.casefold() in _FILLERS or text[:11].casefold() == "lorem ipsum"
    if is_filler or _NO_LETTERS.fullmatch(text) or looks_mangled(text):
        message = f"the prompt is only {shown(text)}, which is sent as it is; write one, or leave it out"
        return CellFault(message, is_error=False)
    if markup := MARKUP.search(text):
        message = f"holds {shown(markup[0])}, which a web page needs; write plain text"
        return CellFault(message, is_error=False)
    return None


def _seed_fault(text: str) -> CellFault | None:
    if is_shortened(text):
        return CellFault(f"{shown(text)} {SHORTENED}")
    if _SEVERAL_SEEDS.fullmatch(text):
        return CellFault(f"{shown(text)} is not one seed; a column seeds takes lists, ranges and random 4")
    return None


def _formula_fault(text: str) -> CellFault:
    if inner := _AS_TEXT.fullmatch(text):
        return CellFault(f"{shown(text)} is a formula; write the value that it shows", bare(inner[1]))
    address = _ADDRESS.search(text)
    wanted = "write only the address in it" if address else "write the value that it shows"
    return CellFault(f"{shown(text)} is a formula; {wanted}", _safe_address(address[0]) if address else None)


def _address_fault(text: str) -> CellFault | None:
    addresses = _ADDRESS.findall(text)
    is_bare = _ADDRESS.match(text) is not None
    if not addresses or not (is_bare or _WRAPPED.fullmatch(text)):
        return None
    count = 1 + len(_SECOND.findall(text)) if is_bare else len(addresses)
    if count > 1:
        message = (
            f"holds {count} addresses; write one a cell, for a list in columns such as images.0 and images.1"
        )
        return CellFault(message)
    if is_bare:
        return None
    return CellFault(
        f"{bare(text)} is more than an address; write only the address in it", _safe_address(addresses[0])
    )


def _safe_address(address: str) -> str | None:
    """Return an address to propose, or None if it may hold a signature or a password, or is too long to read."""
    return None if len(address) > _LONGEST or "?" in address or "@" in address else address


# A workbook may hold a formula whose value no program has stored.
_AMOUNT: Final = re.compile(r"[-+$€£]?\s*\d[\d.,:'\s]*(?:s|sec|[€$£%])?|=[A-Z.]+\(.*\)", re.IGNORECASE)
_TOTAL: Final = re.compile(r"(?:(?:sub|grand)[ -]?)?(?:totals?|sum)|summe|gesamt|somme|suma", re.IGNORECASE)


def is_sum(cells: Sequence[str], *, id_at: int) -> bool:
    """Return whether a row only adds up the others: numbers without an id, perhaps beside a word such as Total."""
    others = [text for text in (cell.strip(" :") for n, cell in enumerate(cells) if n != id_at) if text]
    labels = [cells[id_at].strip(" :"), *(text for text in others if not _AMOUNT.fullmatch(text))]
    return len(labels) <= len(others) and all(_TOTAL.fullmatch(text) for text in filter(None, labels))
