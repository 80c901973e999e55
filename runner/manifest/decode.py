"""Decodes bytes to text: UTF-8 with or without a byte-order mark, UTF-16 with one, and unmistakable Windows-1252.

Control characters are reported, and each is replaced by one other character. So positions stay right, and the rest of
the file can still be checked. It knows no file format.
"""

from __future__ import annotations

import codecs
import re
from itertools import islice

from runner.manifest.document_forms import document_form
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import MORE_BYTES, Limits

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, lone surrogates and non-characters, which no field may have."""

_MOST = 20
# UTF-32 comes before UTF-16, whose mark is the first half of one of these.
_MARKS = {
    codecs.BOM_UTF32_LE: "",
    codecs.BOM_UTF32_BE: "",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# What a spreadsheet of Western Europe writes: quotes, dashes, an ellipsis, the euro, and letters of common words.
_WESTERN = frozenset("‚„‘’“”–—…€«»°\xa0ÀÁÂÃÄÅÆÇÉÈÊÍÑÓÔÕÖØÚÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüœ")
# In other code pages these are letters, but not at such places.
_WESTERN_SIGNS = re.compile(r"(?<!\w)[¿¡](?=\w)|(?<=\d)[ºª½²]|(?<!\w)[½×£§©®·±](?!\w)|(?<!\w)[£½±§](?=\d)")
_NOT_WESTERN = re.compile(
    # Three such letters in a row are another alphabet, and a capital behind a small letter is another code page.
    "[À-ÖØ-öø-ÿœ]{3}|[a-zß-öø-ÿ][À-ÖØ-Þ]"
)
# Programs of DOS wrote this behind the text.
_END_OF_FILE = "\x1a"
_UTF8_CHARACTER = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_NAMED = 8
_SPOILT = (
    # The bytes of one letter in UTF-8, each read as a letter of Windows-1252.
    (
        re.compile("(?<=[A-Za-z0-9])[ÂÃ][\xa1-\xbf]|â€[™œ˜¦“”\x9d]"),
        "looks like UTF-8 that was read as Windows-1252 and saved again",
    ),
    (re.compile("\ufffd"), "stands for a letter that another program has lost"),
)


def decode(data: bytes, findings: Findings, limits: Limits) -> str:
    """Return the text of a manifest.

    Raises:
        Stop: the bytes are too many, or not a text in a known encoding; the problem has been reported.
    """
    if len(data) > limits.file_bytes:
        findings.stop(findings.at(), "", f"larger than {limits.file_bytes:,} bytes; {MORE_BYTES}")
    if form := document_form(data):
        findings.stop(
            findings.at(), "", f"this is {form}, and a manifest is plain text; save it as plain text or CSV"
        )
    mark = next(filter(data.startswith, _MARKS), b"")
    codec = _MARKS.get(mark, "utf-8")
    if not codec:
        findings.stop(findings.at(), "", "looks like UTF-32; save it as UTF-8")
    # Without its mark UTF-16 decodes as UTF-8 full of NULs, and each of them would be reported.
    if b"\0" in data[:4] and codec == "utf-8":
        findings.stop(findings.at(), "", "looks like UTF-16 without a byte-order mark; save it as UTF-8")
    try:
        text = data[len(mark) :].decode(codec)
    except UnicodeDecodeError as error:
        offset = error.start + len(mark)
        line = findings.at(data.count(b"\n", 0, offset) + 1)
        western = None if mark else western_text(data)
        if western is None:
            name = "UTF-8" if codec == "utf-8" else "UTF-16"
            other = "" if mark else " but perhaps the encoding of a Mac, or of Windows outside Western Europe"
            message = (
                f"byte {offset} is not {name}{other}; save the file as UTF-8 (in a spreadsheet: CSV UTF-8)"
            )
            findings.stop(line, "", message)
        text, message = western
        findings.warn(line, "", f"the file {message}")
    # A file that went through two programs may have two marks.
    text = text.lstrip("\ufeff").removesuffix(_END_OF_FILE)
    for pattern, why in _SPOILT if not text.isascii() else ():
        if found := pattern.search(text):
            message = f"{shown(found[0])} {why}; look for more of them, and write the letters again"
            findings.warn(findings.at(*place(text, found.start())), "", message)
    for found in islice(FORBIDDEN.finditer(text), _MOST):
        message = f"the control character U+{ord(found[0]):04X} is not allowed; remove it"
        findings.error(findings.at(*place(text, found.start())), "", message)
    # Each one is replaced by one character, so that every later line and column is still right.
    return FORBIDDEN.sub("�", text)


def western_text(data: bytes) -> tuple[str, str] | None:
    """Return the text of Windows-1252 with a warning that begins with a verb, or None if it may be anything else."""
    if _UTF8_CHARACTER.search(data):
        return None
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return None
    odd = sorted({char for char in text if not char.isascii()})
    sure = _WESTERN_SIGNS.sub("", text)
    if not _WESTERN.issuperset(char for char in sure if not char.isascii()) or _NOT_WESTERN.search(text):
        return None
    some = " ".join(odd[:_NAMED]) + (f" and {len(odd) - _NAMED} more" if len(odd) > _NAMED else "")
    return text, f"is not UTF-8 and was read as Windows-1252, with the characters {some}; save it as UTF-8"


def place(text: str, index: int) -> tuple[int, int]:
    """Return line and column, from 1, of a character's index."""
    before = text[:index]
    return line_breaks(before) + 1, index - max(before.rfind("\n"), before.rfind("\r"))


def line_breaks(text: str) -> int:
    """Return how many lines end in `text`."""
    return text.count("\n") + text.count("\r") - text.count("\r\n")
