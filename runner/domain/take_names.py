"""The names by which people call the takes of a run: the id, the label `s010_t02`, or a shot and a number.

In: the takes on record. Out: the take that a name means. It knows no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.domain.display import iso
from runner.domain.labels import take_label

_NUMBER = re.compile(r"t?(\d{1,6})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class NamedTake:
    """A take's names, and when its job ended: unix seconds, None if it did not.

    `is_gone` says that its row left the manifest.
    """

    take_id: str
    shot_id: str
    number: int
    finished_at: float | None
    is_gone: bool = False

    @property
    def label(self) -> str:
        """Its short name, such as `s010_t02`."""
        return take_label(self.shot_id, self.number, self.take_id)


class TakeNames:
    """The takes of a run by all their names; shots and takes are in the order of the manifest."""

    def __init__(self, takes: Iterable[NamedTake]) -> None:
        self.by_id = {take.take_id: take for take in takes}
        self.shots: dict[str, list[NamedTake]] = {}
        self._by_label: dict[str, NamedTake] = {}
        self._rerendered: set[str] = set()
        for take in self.by_id.values():
            newest, is_older, _ = take.take_id.rpartition("~")
            self._by_label.setdefault(take.label, take)
            if is_older:
                self._rerendered.add(newest)
            else:
                self.shots.setdefault(take.shot_id, []).append(take)

    def find(self, name: str, *, shot: str = "") -> NamedTake | None:
        """Return the take with an id or a label, or the one of `shot` with a number; None if there is none."""
        return self.by_id.get(name) or self._by_label.get(name) or self.numbered(shot, name)

    def numbered(self, shot: str, word: str) -> NamedTake | None:
        """Return the take of `shot` with the number in `word`, such as 2 or t02; None if there is none."""
        found = _NUMBER.fullmatch(word)
        takes = self.shots.get(shot, ()) if found else ()
        return next((take for take in takes if found and take.number == int(found[1])), None)

    def is_newer(self, take: NamedTake, when: str) -> bool:
        """Return whether the clip of a take was rendered again after `when`, which is ISO 8601 in UTC."""
        # Only a take that left an older render can have been rendered again. For any other, a clock that is slow on the
        # machine where a person decided would otherwise undo the decision.
        if take.take_id not in self._rerendered:
            return False
        return take.finished_at is None or iso(take.finished_at)[:-1] > when.removesuffix("Z")
