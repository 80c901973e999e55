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


# Sources: the error values of Excel, Google Sheets and LibreOffice in English, German, French and Spanish.
_ERROR: Final = re.compile(
    r"#(?:REF|NAME|VALUE|DIV/0|NUM|NULL|ERROR|SPILL|CALC|FIELD|BLOCKED|CONNECT|UNKNOWN|BUSY|EXTERNAL|PYTHON"
    r"|BEZUG|WERT|ZAHL|LEER|ÜBERLAUF|VALEUR|NOMBRE|NUL|¡REF|¡VALOR|¡DIV/0|¡NUM|¡NULO)!"
    r"|#¿?(?:NAME|NOM|NOMBRE)\?|#N/[AD]|#NV|#GETTING_DATA|#{2,}|Err:[0-9]{3}|Loading(?:\.{3}|…)"
)
_FORMULA: Final = re.compile(
    r"=\s*(?:[+-]?\s*[A-Z][A-Z0-9._]*\(|\$?[A-Z]{1,3}\$?[0-9]+\b|'?[\w .-]+'?!\$?[A-Z])"
)
_ADDRESS: Final = re.compile(r"https?://[^\s\"'<>()\[\]]+", re.ASCII)
# An address inside another one, as proxies have it, follows a slash or an equals sign.
_SECOND: Final = re.compile(r"[\s,;|]\s*https?://|(?<=[0-9A-Za-z])https?://", re.ASCII)
_WRAPPED: Final = re.compile(
    r"""<[^<>]*> | (?:[^()\[\]]*\(\s*https?://[^()]*\)\s*)+ | !?\[[^\]]*\]\([^()]*\) | "[^"]*" | '[^']*'""",
    re.VERBOSE,
)
_SHORTENED: Final = re.compile(r"-?[0-9](?:[.,][0-9]+)?E\+?[0-9]+", re.ASCII)
_FILLERS: Final = frozenset(
    (
        "none",
        "null",
        "nan",
        "n/a",
        "tbd",
        "tbc",
        "tba",
        "todo",
        "undefined",
        "xxx",
        "?",
        "???",
        "-",
        "–",
        "—",
        "...",
        "…",
    )
)
_LONGEST: Final = 100
_FIRST_LETTERS: Final = frozenset("#=EL")
SUSPECT_LETTERS: Final = _FIRST_LETTERS | frozenset(" \t\n\r\xa0")
"""Only a cell that begins with one of these, a short one, and one with an address in it, can have a fault."""
SHORTENED: Final = (
    "is a number that a spreadsheet shortened, and its last digits are lost; format the column as text"
)
"""What happened to a number such as 1.23E+09; no digits are proposed, because they are not in the file."""


def is_error_value(text: str) -> bool:
    """Return whether a cell holds the error of a spreadsheet instead of a value."""
    return _ERROR.fullmatch(text) is not None


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
        if not is_guarded and _FORMULA.match(text):
            return _formula_fault(text)
    if kind is CellKind.PROMPT:
        filler = f"the prompt is only {shown(text)}; leave the cell empty if it has none"
        return CellFault(filler, is_error=False) if text.casefold() in _FILLERS else None
    if kind is CellKind.SEED and is_shortened(text):
        return CellFault(f"{shown(text)} {SHORTENED}")
    found = text.find("://")
    return _address_fault(text) if found >= 0 and (found > 5 or text.find("://", found + 3) > 0) else None


def unstored(text: str) -> CellFault:
    """Return the fault of a workbook's formula; its cell has a type, so no pattern needs to recognise it."""
    return CellFault(
        f"{shown(text)} is a formula without a stored value; open the workbook in Excel and save it"
    )


def _formula_fault(text: str) -> CellFault:
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
