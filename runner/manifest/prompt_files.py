"""Reads long texts from files of their own: `promptText: {file: prompts/010.txt}`.

A manifest may come from any source, so it can name files in its own folder only. Every line end becomes one newline,
and newlines at the end are dropped: the habits of an editor do not change what is sent. It opens nothing itself.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import TypeAlias

from runner.domain.errors import FileMissing
from runner.domain.shots import Text
from runner.manifest.decode import FORBIDDEN, place, western_text
from runner.manifest.document_forms import document_form
from runner.manifest.problems import Findings, shown
from runner.manifest.size_limits import LONGER_TEXT, MORE_BYTES, Limits

_DRIVE = re.compile(r"[A-Za-z]:")
_FRONT_MATTER = re.compile(r"---\n(?:[\w-]+:.*\n)+---\n")
_JSON = re.compile(r'[\[{]\s*[\[{]?\s*"[^"\n]{1,60}"\s*:')
_YAML = re.compile(r"(?:version|prompt|text|promptText|prompt_text|shots|inputs): ?\S*")
_LONGEST = 1_000
# Instead of a text that cannot be read, this keeps the model from reporting that the text is missing as well.
_STAND_IN = "no text"


OpenBeside: TypeAlias = Callable[[str, int], bytes]
"""Returns the first bytes of a file beside the manifest, whose name was checked and is harmless.

Raises:
    FileMissing: it does not exist, is not a regular file, or a link leads out of the manifest's folder.
"""


class PromptFiles:
    """Reads each file once; a fault in it is reported at every reference to it."""

    def __init__(self, open_beside: OpenBeside | None, findings: Findings, limits: Limits) -> None:
        self._open = open_beside
        self._findings = findings
        self._limits = limits
        self._read: dict[str, tuple[str, str]] = {}
        self._bytes = 0

    def text(self, name: Text, subject: str) -> Text:
        """Return the text of the file, or after a finding some text in its place.

        Raises:
            Stop: the files together hold more than a manifest may.
        """
        if name.text not in self._read:
            try:
                self._read[name.text] = self._content(name, subject), ""
            except FileMissing as error:
                self._read[name.text] = "", error.message
        text, fault = self._read[name.text]
        if fault:
            self._findings.error(name.at, subject, f"the file {shown(name.text)} {fault}")
        # A problem names the file by its path from where the manifest is.
        path = str(PurePath(self._findings.file).parent / name.text) if text else ""
        return Text(text or _STAND_IN, name.at, quoted=True, file=path)

    def _content(self, name: Text, subject: str) -> str:
        if fault := _name_fault(name.text):
            raise FileMissing(fault)
        if self._open is None:
            raise FileMissing("cannot be read: this manifest has no folder")
        most, whole = self._limits.text_bytes, self._limits.file_bytes
        data = self._open(name.text, most + 1)
        self._bytes += len(data)
        # The size of a manifest is limited, and its prompt files must not be a way around that.
        if self._bytes > whole:
            message = f"the files of this manifest hold more than {whole:,} bytes; {MORE_BYTES}"
            self._findings.stop(name.at, subject, message)
        if form := document_form(data):
            raise FileMissing(f"is {form}, and a prompt is plain text; save it as plain text (.txt, UTF-8)")
        if len(data) > most:
            raise FileMissing(f"is larger than {most:,} bytes; {LONGER_TEXT}")
        codec = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        try:
            text = data.decode(codec)
        except UnicodeDecodeError as error:
            western = western_text(data) if codec == "utf-8-sig" else None
            if western is None:
                raise FileMissing(f"is not UTF-8 at byte {error.start}; save it as UTF-8") from error
            text, told = western
            self._findings.warn(name.at, subject, f"the file {shown(name.text)} {told}")
        text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
        if found := FORBIDDEN.search(text):
            line, column = place(text, found.start())
            where = f"at line {line}, column {column}"
            raise FileMissing(f"has the control character U+{ord(found[0]):04X} {where}")
        if not text.strip():
            raise FileMissing("is empty")
        if form := _data_form(text):
            told = f"the file {shown(name.text)} looks like {form}, and all of it is sent; keep only the text in it"
            self._findings.warn(name.at, subject, told)
        return text


def _data_form(text: str) -> str:
    """Return the form of a file that holds a prompt among other data, or nothing."""
    if _FRONT_MATTER.match(text):
        return "Markdown with front matter"
    return "JSON" if _JSON.match(text) else "YAML" if _YAML.match(text) else ""


def _name_fault(name: str) -> str:
    if not name.strip() or len(name) > _LONGEST or not name.isprintable():
        return "has no usable name"
    if "\\" in name:
        return "has a backslash in its name; write '/' between folders"
    if name.startswith(("/", "~")) or _DRIVE.match(name):
        return "is not named from the manifest's folder; write a name such as prompts/010.txt"
    if ".." in name.split("/"):
        return "lies outside the manifest's folder; '..' is not allowed"
    # The manifest may be in a home folder, whose keys and tokens must not be sent as prompts.
    if any(part.startswith(".") and part != "." for part in name.split("/")):
        return "is hidden: no part of its name may begin with a dot"
    return ""
