"""What people decide about takes: picks, rejections, comments. They belong to the user, in a file of the user's own.

A row is one person's word about one take. Of several people's words on a take, the newest counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Decision(StrEnum):
    """What a person decided about a take."""

    PICK = "pick"
    REJECT = "reject"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Pick:
    """One person's word about a take; `take` is its id, `when` is ISO 8601 in UTC.

    `decision` is None for a mere comment, and `at` is the second of the clip that a comment is about, None without one.
    """

    shot: str
    take: str
    decision: Decision | None
    note: str = ""
    who: str = ""
    when: str = ""
    at: float | None = None


@dataclass(frozen=True, slots=True)
class Picks:
    """All rows of a file of picks, in its order."""

    rows: tuple[Pick, ...] = ()

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The decision that counts, by the take's id."""
        return {take: row.decision for take, row in newest(self.rows).items() if row.decision is not None}

    def comments(self, take_id: str) -> tuple[Pick, ...]:
        """Return the rows about a take that have a note, in their order."""
        return tuple(row for row in self.rows if row.take == take_id and row.note)


NO_PICKS = Picks()


def newest(rows: Iterable[Pick]) -> Mapping[str, Pick]:
    """Return the newest row with a decision, by the take's id; of two of the same time the later one counts."""
    found: dict[str, Pick] = {}
    for row in rows:
        if row.decision is not None and (row.take not in found or row.when >= found[row.take].when):
            found[row.take] = row
    return found
