"""The names by which people call the takes of a run: the id, the label `s010_t02`, or a shot and a number.

In: the takes on record. Out: the take that a name means. It knows no file.
"""

from __future__ import annotations

import re
from collections import Counter
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


@dataclass(frozen=True, slots=True)
class FormerName:
    """An id that a take had until `at`, unix seconds; `take_id` is its present one."""

    take_id: str
    name: str
    at: float


class TakeNames:
    """The takes of a run by all their names; shots and takes are in the order of the manifest.

    `former` are the names that takes had before they were renamed, the oldest first.
    """

    def __init__(self, takes: Iterable[NamedTake], former: Iterable[FormerName] = ()) -> None:
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
        self._former: dict[str, list[FormerName]] = {}
        for past in former:
            self._former.setdefault(past.name, []).append(past)
        bare = Counter(shot.lstrip("0") for shot in self.shots if shot.isdecimal())
        self._zeros = {
            shot.lstrip("0"): shot
            for shot in self.shots
            if shot.startswith("0") and shot.isdecimal() and bare[shot.lstrip("0")] == 1
        }

    def labelled(self, label: str) -> NamedTake | None:
        """Return the take with a label, None if there is none."""
        return self._by_label.get(label)

    def written(self, name: str, *, shot: str, when: str) -> NamedTake | None:
        """Return the take that a row of a file means which was written at `when`, ISO 8601 in UTC or nothing.

        A renamed take is known by the id that it had then. A spreadsheet drops zeros before a number, so shot `10`
        may be `010`. If a name is an id and a label, the shot decides.
        """
        if then := self._called(name, when):
            return then
        if shot not in self.shots:
            shot = self._zeros.get(shot, shot)
        by_label = self._by_label.get(name)
        if by_label and by_label.shot_id == shot:
            return by_label
        bare = self.by_id.get(self._zeros.get(name, ""))
        return (bare if bare and bare.shot_id == shot else None) or self.find(name, shot=shot)

    def is_former(self, name: str) -> bool:
        """Return whether a take had this id before it was renamed."""
        return name in self._former

    def _called(self, name: str, when: str) -> NamedTake | None:
        """Return the take that had an id at a time, if it has another one now."""
        past = self._former.get(name, ())
        moment = when.removesuffix("Z")
        then = next((each for each in past if when and moment <= iso(each.at)[:-1]), None)
        if then is None and past and name not in self.by_id and name not in self._by_label:
            then = past[-1]
        if then is None:
            return None
        # What is said about a take that was rendered again since belongs to its time, not to its name.
        newest = then.take_id if "~" in name else then.take_id.partition("~")[0]
        return self.by_id.get(newest) or self.by_id.get(then.take_id)

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
