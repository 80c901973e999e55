"""Decodes bytes to text: UTF-8 with or without a byte-order mark, or UTF-16 with one; all else is refused.

In: the bytes of a file. Out: text without its mark. Control characters are reported, and each is replaced by one other
character. So positions stay right, and the rest of the file can still be checked. It knows no file format.
"""

from __future__ import annotations

import codecs
import re

from runner.manifest.problems import Findings, Stop

FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters, lone surrogates and non-characters, which no field may have."""

_TOLD = 20


def decode(data: bytes, findings: Findings) -> str:
    """Return the text of a manifest.

    Raises:
        Stop: the bytes are not a text that we read; the problem has been reported.
    """
    # UTF-32 is checked before UTF-16, whose mark is the first half of one of these.
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        findings.error(findings.at(), "", "looks like UTF-32; save it as UTF-8")
        raise Stop
    codec, skipped = _codec(data)
    # Without its mark UTF-16 decodes as UTF-8 full of NULs, and each of them would be reported.
    if b"\0" in data[:4] and codec == "utf-8":
        findings.error(findings.at(), "", "looks like UTF-16 without a byte-order mark; save it as UTF-8")
        raise Stop
    try:
        text = data[skipped:].decode(codec)
    except UnicodeDecodeError as error:
        offset = error.start + skipped
        line = data.count(b"\n", 0, offset) + 1
        name = codec.upper() if codec == "utf-8" else "UTF-16"
        message = f"byte {offset} is not {name}; save the file as UTF-8 (in a spreadsheet: CSV UTF-8)"
        findings.error(findings.at(line), "", message)
        raise Stop from None
    return _without_controls(text, findings)


def place(text: str, index: int) -> tuple[int, int]:
    """Return line and column, from 1, of a character's index."""
    before = text[:index]
    line = before.count("\n") + before.count("\r") - before.count("\r\n") + 1
    return line, index - max(before.rfind("\n"), before.rfind("\r"))


def _codec(data: bytes) -> tuple[str, int]:
    if data.startswith(codecs.BOM_UTF8):
        return "utf-8", 3
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    return "utf-8", 0


def _without_controls(text: str, findings: Findings) -> str:
    for count, found in enumerate(FORBIDDEN.finditer(text)):
        if count == _TOLD:
            break
        message = f"the control character U+{ord(found[0]):04X} is not allowed; remove it"
        findings.error(findings.at(*place(text, found.start())), "", message)
    # Each one is replaced by one character, so that every later line and column is still right.
    return FORBIDDEN.sub("�", text)
