"""Names that become names of files and folders: shot ids, take ids, the manifest's name.

The rule is the same everywhere: a run's folder may be copied to a system that ignores case and reserves names
(Microsoft, "Naming Files, Paths, and Namespaces").
"""

from __future__ import annotations

import re
import unicodedata

from runner.system.escapes import character_name

ID_RULE = "letters a to z, digits, '.', '_' and '-', beginning with a letter or digit, at most 80"

_LONGEST = 80
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SEPARATORS = re.compile(r"[\s/:\u2010-\u2015\u2212]+")
# What stands around a number and adds nothing to it: #1, 1., n° 1.
_SIGNS = re.compile(r"\A#\s*(?=\d)|°|(?<=\d)\.\Z")
# A name is reserved with any suffix too: nul.mp4 is the null device.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)
# The ending of a take that a newer render has put aside: s010~1.
_OLDER = re.compile(r"~[1-9][0-9]{0,8}\Z")
# A '+' separates the id from what the names of further outputs and of files put aside add to it.
_UNSAFE_IN_TAKE = frozenset('/\\:*?"<>|+ ')
# File systems allow 255 bytes; suffixes such as .mp4.part and .json need their share.
_TAKE_BYTES = 200
# The short names of Excel in English, German, French, Spanish and Italian.
_MONTHS = (
    "jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|mrz|mär|mai|okt|dez|janv|févr|avr|juin|juil|août|déc"
    "|ene|abr|ago|dic|gen|mag|giu|lug|ott|mrt|mei|maj"
)
# Only months that are not like other words: people write may-01.
_MONTHS_FIRST = "janv|févr|avr|juin|juil|août|déc|ene|dic|mrz|märz|okt|dez|giu|lug|ott|mrt"
_MANGLED = re.compile(
    # A shortened number; a day and a month by name, or the reverse; a date, or its number since 1900; an error value.
    rf"\d+(?:[.,]\d+)?E[+-]?\d+|\d{{1,2}}[-./ ](?i:{_MONTHS})\.?(?:[-./ ]\d{{2,4}})?|[A-Z][a-z]{{2}}-\d{{2}}"
    rf"|(?i:{_MONTHS_FIRST})\.?-\d{{2}}|\d{{1,2}}\.\d{{1,2}}\.|(?:19|20)\d\d-[01]\d-[0-3]\d"
    r"|TRUE|FALSE|WAHR|FALSCH|VRAI|FAUX"
    r"|\d{1,2}[./]\d{1,2}[./](?:19|20)\d\d|\d{4}-\d\d-\d\d 00:00:00|4\d{4}|#+|#N/A|#[A-Z0-9/]+[!?]"
)
MANGLED = "looks as if a spreadsheet had changed it; format the column as text"
"""What to do about an id of which `looks_mangled` is true."""


def why_no_id(text: str) -> str | None:
    """Return why `text` cannot be a shot's id or a manifest's name, or None if it can."""
    if not text:
        return "is empty"
    if not _ID.fullmatch(text):
        foreign = next((character for character in text if not character.isascii()), None)
        found = f" because of {character_name(foreign)}" if foreign else ""
        likeness = id_like(text)
        return f"is not an id{found}: {ID_RULE}" + (f"; write {likeness}" if likeness else "")
    if text.endswith("."):
        return "ends with a dot, which some systems drop from file names"
    if is_reserved(text):
        return "is a reserved file name on Windows"
    return None


def is_reserved(name: str) -> bool:
    """Return whether Windows reserves a file name, with any ending."""
    return _RESERVED.fullmatch(name) is not None


def id_like(text: str) -> str | None:
    """Return the id that looks like `text`, or None if letters would be lost: scene-1 for "scène 1"."""
    if len(text) > _LONGEST:
        return None
    # The dots of a date are its own.
    text = text if looks_mangled(text) else _SIGNS.sub("", text.strip())
    apart = unicodedata.normalize("NFKD", text)
    kept = (c for c in apart if not unicodedata.combining(c) and unicodedata.category(c) != "Cf")
    written = _SEPARATORS.sub("-", "".join(kept).strip())
    return written if _ID.fullmatch(written) and why_no_id(written) is None else None


def why_no_take(take: str, *, shot: str) -> str | None:
    """Return why `take` cannot be the id of a take of `shot`, or None if it can."""
    if take != shot and not take.startswith((f"{shot}@", f"{shot}~")):
        return f"is not a take of {shot}: it is its id, or begins with '{shot}@'"
    if "~" in _OLDER.sub("", take):
        return "has a '~' that is not followed by just the number of an older render"
    if not take.isprintable() or _UNSAFE_IN_TAKE.intersection(take) or take.endswith((".", "@")):
        return "holds characters that a file name cannot have"
    if len(take.encode()) > _TAKE_BYTES:
        return f"is longer than {_TAKE_BYTES} bytes"
    return None


def looks_mangled(text: str) -> bool:
    """Return whether a spreadsheet seems to have changed an id: 1.23E+12, 12-Mar, 3.Jan, the date 44928, or #REF!."""
    return _MANGLED.fullmatch(text) is not None


def folder_name(stem: str, *, composed: bool = True) -> str:
    """Return a name that follows the id rule, as close to a file's stem as possible.

    Older versions made the names of their runs without `composed`.
    """
    # An accented letter can be one character or two, and how a name was typed or copied must not move its run.
    text = unicodedata.normalize("NFC", stem) if composed else stem
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("._-")[:80].rstrip(".-")
    if not name:
        return "manifest"
    return f"board-{name}"[:80].rstrip(".-") if _RESERVED.fullmatch(name) else name
