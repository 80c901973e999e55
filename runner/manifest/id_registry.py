"""Registers the ids that a manifest has used, and says whether another id can be used.

In: ids and takes as written. Out: yes or no, and findings. It knows no other field of a shot.
"""

from __future__ import annotations

from runner.domain.ids import why_no_id, why_no_take
from runner.domain.shots import Text
from runner.manifest.fields import joined
from runner.manifest.problems import Findings, shown
from runner.system.nearest_name import folded


class IdRegistry:
    """The ids found so far; rows that are takes of one shot may share its id, all others may not."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._shots: dict[str, tuple[Text, bool]] = {}
        self._takes: dict[str, Text] = {}

    def admit(self, identity: Text, take: Text | None, subject: str) -> bool:
        """Return whether an id, and the take of a report's row, can be used; if not, report it."""
        reason = why_no_id(identity.text)
        if reason:
            self._findings.error(identity.at, joined(subject, "id"), f"{shown(identity.text)} {reason}")
            return False
        # Case is ignored: on a file system that ignores it, two such shots would write the same clip.
        first = self._shots.setdefault(folded(identity.text), (identity, take is not None))
        if first[0] is not identity and not (take and first[1] and first[0].text == identity.text):
            self._duplicate(identity, first[0], joined(subject, "id"))
            return False
        return take is None or self._admit_take(take, identity.text, subject)

    def _admit_take(self, take: Text, shot: str, subject: str) -> bool:
        reason = why_no_take(take.text, shot=shot)
        if reason:
            self._findings.error(take.at, joined(subject, "take"), f"{shown(take.text)} {reason}")
            return False
        first = self._takes.setdefault(folded(take.text), take)
        if first is not take:
            self._duplicate(take, first, joined(subject, "take"))
        return first is take

    def _duplicate(self, text: Text, first: Text, subject: str) -> None:
        case = (
            ""
            if text.text == first.text
            else f", as {shown(first.text)[1:-1]}: some file systems cannot distinguish the two"
        )
        message = f"{shown(text.text)} is used twice (first at line {first.at.line}{case})"
        self._findings.error(text.at, subject, message)
