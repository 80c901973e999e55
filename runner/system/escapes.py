"""Makes text from manifests, servers, schemas and paths safe to print on a terminal.

Escapes replace controls, marks of direction, line and paragraph separators, surrogates, and combining marks after the
sixth on one letter. They also replace all invisible characters (Unicode, DerivedCoreProperties,
Default_Ignorable_Code_Point). Joiners and variation selectors stay where scripts and emoji need them.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from pathlib import PurePath

TEXT_LIMIT = 500
_MOST_MARKS = 6

# Nearly all text has only Latin letters and the usual punctuation, and needs no further check.
_ODD = re.compile("[^ -~\u00a0-\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e]")
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_MARKS = frozenset({"Mn", "Mc", "Me"})
# These are invisible, though their category is a letter's or a mark's; U+2800 is an empty cell of Braille.
_NO_PICTURE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0\ufff0-\uffff"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_ZWNJ, _ZWJ, _AS_TEXT, _AS_EMOJI = "\u200c", "\u200d", "\ufe0e", "\ufe0f"
# Arabic, Indic and South-East Asian scripts join letters; arrows, signs and emoji join pictures.
_JOINED = re.compile(
    "[\u0600-\u109f\u1780-\u18aa\ua840-\uabff\u2190-\u27bf\u2900-\u2bff\ufe0f\U0001f000-\U0001faff]"
)
_PICTURE = re.compile("[\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, limit: int = TEXT_LIMIT) -> str:
    r"""Return `text` as one line that can neither control a terminal, nor hide or reorder anything.

    A hidden character becomes an escape such as `\x1b` or `\u202e`. A byte of a path that is not UTF-8 becomes `\xff`.
    An ellipsis replaces all text after `limit` characters.
    """
    shown = escaped(text[:limit])
    return shown + "…" if len(text) > limit else shown


def visible_lines(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text` like `visible`, but keep its line breaks; `limit` holds for the whole."""
    if "\n" not in text and "\r" not in text:
        return visible(text, limit)
    shown = "\n".join(visible(line, limit) for line in re.split(r"\r\n|\r|\n", text[:limit]))
    return shown + "…" if len(text) > limit else shown


def escaped(text: str, *, kept: str = "") -> str:
    """Return the whole `text` with escapes for hidden characters, except those in `kept`."""
    if not set(_ODD.findall(text)).difference(kept):
        return text
    shown: list[str] = []
    marks = 0
    for at, char in enumerate(text):
        marks = marks + 1 if unicodedata.category(char) in _MARKS else 0
        hidden = marks > _MOST_MARKS or _is_hidden(text, at)
        shown.append(_escape(char) if hidden and char not in kept else char)
    return "".join(shown)


def character_name(character: str) -> str:
    """Return how a message names one character: itself if it can be seen, its code point, and its Unicode name."""
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "no character").lower()
    is_seen = not character.isspace() and escaped(character) == character
    return f"{character} ({code}, {name})" if is_seen else f"{code} ({name})"


def _is_hidden(text: str, at: int) -> bool:
    char = text[at]
    if unicodedata.category(char) not in _HIDDEN_CATEGORIES and not _NO_PICTURE.match(char):
        return False
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if char in (_ZWNJ, _ZWJ):
        return not (_JOINED.match(before) and _JOINED.match(after))
    if char in (_AS_TEXT, _AS_EMOJI):
        # A key cap is a digit, the selector and the frame.
        return not (_PICTURE.match(before) or after == "\u20e3")
    return True


def _escape(char: str) -> str:
    code = ord(char)
    # Python holds a byte of a path that is not UTF-8 in this way (PEP 383).
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    wide = f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"
    return _SHORT.get(char) or (wide if code > 0xFF else f"\\x{code:02x}")


def command_line(*words: str | PurePath) -> str:
    """Return `shotrunner` and `words` as a command to copy, which a shell splits into the same words.

    A path that begins with a dash gets `./`. A word with hidden characters is put in `$'…'` (POSIX.1-2024, 2.2.4).
    """
    return " ".join(("shotrunner", *(shell_word(path_word(word)) for word in words)))


def path_word(word: str | PurePath) -> str:
    """Return a word of a command line, in which a path cannot be mistaken for a flag."""
    return f"./{word}" if isinstance(word, PurePath) and str(word).startswith("-") else str(word)


def shell_word(word: str) -> str:
    """Return one word quoted for a shell where it needs quotes, on one line, with nothing hidden in it."""
    if escaped(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_octal, word))}'"


def _octal(char: str) -> str:
    # A quote is always escaped: an older shell without `$'…'` would read it as the end of the word.
    if char.isascii() and char.isprintable() and char not in "'\\":
        return char
    # Octal bytes mean the same in every shell and locale, and end after three digits.
    data = char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass")
    return _SHORT.get(char) or "".join(f"\\{byte:03o}" for byte in data)
