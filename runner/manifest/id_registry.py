"""Registers the ids that a manifest has used, and says whether another id can be used.

In: ids and takes as written. Out: yes or no, and findings. It knows no other field of a shot.
"""

from __future__ import annotations

from runner.domain.ids import why_no_id, why_no_take
from runner.domain.shots import Text
from runner.manifest.fields import Section
from runner.manifest.problems import bare, shown
from runner.system.nearest_name import folded


class IdRegistry:
    """The ids found so far; rows that are takes of one shot may share its id, all others may not."""

    def __init__(self) -> None:
        self._shots: dict[str, tuple[Text, bool]] = {}
        self._takes: dict[str, Text] = {}

    def admit(self, row: Section, identity: Text, take: Text | None) -> bool:
        """Return whether an id, and the take of a report's row, can be used; if not, report it."""
        if reason := why_no_id(identity.text):
            row.error(identity.at, "id", f"{shown(identity.text)} {reason}")
            return False
        # Case is ignored: on a file system that ignores it, two such shots would write the same clip.
        first, among_takes = self._shots.setdefault(folded(identity.text), (identity, take is not None))
        if first is not identity and not (take and among_takes and first.text == identity.text):
            _duplicate(row, "id", identity, first)
            return False
        if take is None:
            return True
        if reason := why_no_take(take.text, shot=identity.text):
            row.error(take.at, "take", f"{shown(take.text)} {reason}")
            return False
        first = self._takes.setdefault(folded(take.text), take)
        if first is not take:
            _duplicate(row, "take", take, first)
        return first is take


def _duplicate(row: Section, key: str, text: Text, first: Text) -> None:
    case = f", as {bare(first.text)}: some file systems cannot distinguish the two"
    again = "" if text.text == first.text else case
    row.error(text.at, key, f"{shown(text.text)} is used twice (first at line {first.at.line}{again})")
