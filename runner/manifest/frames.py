"""Reads named frames: pictures that a manifest writes once and refers to by name.

In: the field `frames`, and texts that may refer to one. Out: the text of the frame with its own position, because a
wrong address must be corrected there. `@door`, or `{frame: door}`, is the frame `door`; `@@` at the beginning writes a
literal `@`. It does not know which inputs are pictures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from runner.domain.shots import Fields, Text
from runner.manifest.fields import fields_of, joined, text_of
from runner.manifest.problems import Findings, shown

NAME_RULE = "letters, digits, '.', '_' and '-', beginning with a letter, digit or '_', at most 80"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", re.ASCII)
_REFERENCE = re.compile(r"@([A-Za-z0-9_][A-Za-z0-9._-]{0,79})", re.ASCII)
_LITERAL = re.compile(r"@(@+[A-Za-z0-9_][A-Za-z0-9._-]{0,79})", re.ASCII)


def is_name(text: str) -> bool:
    """Return whether a frame or style may have this name."""
    return _NAME.fullmatch(text) is not None


def frames_of(top: Fields, findings: Findings) -> dict[str, Text]:
    """Return the frames by name, and report what cannot be one."""
    fields = fields_of(top, "frames", findings)
    frames: dict[str, Text] = {}
    for name in fields.items if fields else ():
        assert fields is not None
        if not is_name(name):
            message = f"{shown(name)} is not a name: {NAME_RULE}"
            findings.error(fields.key_at(name), joined("frames", name), message)
        url = text_of(fields, name, findings, "frames")
        if url is not None and _REFERENCE.fullmatch(url.text):
            message = "a frame cannot be made of another; write its address"
            findings.error(url.at, joined("frames", name), message)
        elif url is not None:
            frames[name] = url
    return frames


class Frames:
    """Finds the frame that a text refers to."""

    def __init__(self, frames: Mapping[str, Text], findings: Findings) -> None:
        self._frames = frames
        self._findings = findings

    def text(self, node: Text, subject: str) -> Text:
        """Return the frame that `node` refers to as `@name`, or `node` without the `@` that makes it literal."""
        found = _REFERENCE.fullmatch(node.text)
        if found:
            return self.named(found[1], node, subject)
        literal = _LITERAL.fullmatch(node.text)
        return Text(literal[1], node.at, node.quoted) if literal else node

    def plain(self, node: Text, subject: str) -> Text:
        """Return the frame that `node` refers to where only frames can stand, so a bare name is one too."""
        return self._frames.get(node.text) or self.text(node, subject)

    def named(self, name: str, node: Text, subject: str) -> Text:
        """Return the frame called `name`, or `node` after a finding."""
        frame = self._frames.get(name)
        if frame is not None:
            return frame
        nearest = self._findings.nearest(name, self._frames)
        message = f"{shown(name)} is not a frame of this manifest"
        if not self._frames:
            message += ", which gives none under frames: (a text that begins with @ is written @@)"
        allowed = () if nearest else tuple(self._frames)[:20]
        self._findings.error(node.at, subject, message, allowed=allowed, nearest=nearest)
        return node
