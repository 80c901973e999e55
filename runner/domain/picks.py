"""What people decide about takes: picks, rejections, comments. They belong to the user, in a file of the user's own.

A row is one person's word about one take. The newest row of a person counts for that person, and of several people's
words on a take the newest counts. A row with neither decision nor note takes back what that person said before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from runner.domain.take_names import TakeNames


class Decision(StrEnum):
    """What a person decided about a take."""

    PICK = "pick"
    REJECT = "reject"
    MAYBE = "maybe"


@dataclass(frozen=True, slots=True)
class Pick:
    """One person's word about a take; `take` is its id, `when` is ISO 8601 in UTC, empty if it is not known.

    `decision` is None for a mere comment, and `at` is the second of the clip that a comment is about, None without one.
    `former` is the id that the take had when the row was written, if it has another one now.
    """

    shot: str
    take: str
    decision: Decision | None
    note: str = ""
    who: str = ""
    when: str = ""
    at: float | None = None
    former: str = ""

    @property
    def is_comment(self) -> bool:
        """True for a row that decides nothing, and takes back nothing."""
        return self.decision is None and (bool(self.note) or self.at is not None)

    @property
    def moment(self) -> str:
        """What sorts rows by time; a row without a time comes first."""
        # Without the Z, a time with fractions of a second sorts behind the same one without.
        return self.when.removesuffix("Z")


@dataclass(frozen=True, slots=True)
class Picks:
    """All rows of a file of picks, in its order.

    `older` are decisions about a clip that was rendered again since; they count no more. `unknown` are the names of
    takes that are not on record; their rows are among `rows`.
    """

    rows: tuple[Pick, ...] = ()
    older: tuple[Pick, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def decisions(self) -> Mapping[str, Decision]:
        """The decision that counts, by the take's id."""
        return {take: row.decision for take, row in newest(self.rows).items() if row.decision is not None}

    @property
    def conflicts(self) -> Mapping[str, tuple[Pick, ...]]:
        """The newest decision of each person on a take, where these differ, by the take's id."""
        found = {
            take: tuple(row for row in said.values() if row.decision is not None)
            for take, said in _by_person(self.rows).items()
        }
        return {take: rows for take, rows in found.items() if len({row.decision for row in rows}) > 1}

    def comments(self, take_id: str) -> tuple[Pick, ...]:
        """Return the rows about a take that have a note, in their order."""
        return tuple(row for row in self.rows if row.take == take_id and row.note)


NO_PICKS = Picks()


def newest(rows: Iterable[Pick]) -> Mapping[str, Pick]:
    """Return the row with the decision that counts, by the take's id; of two of the same time the later one counts."""
    found: dict[str, Pick] = {}
    for take, said in _by_person(rows).items():
        for row in said.values():
            if row.decision is not None and (take not in found or row.moment >= found[take].moment):
                found[take] = row
    return found


def _by_person(rows: Iterable[Pick]) -> Mapping[str, Mapping[str, Pick]]:
    """Return the newest word of each person by take and name, also where it takes back an earlier one."""
    found: dict[str, dict[str, Pick]] = {}
    for row in rows:
        if row.is_comment:
            continue
        said = found.setdefault(row.take, {})
        before = said.get(row.who)
        if before is None or row.moment >= before.moment:
            # It goes to the end, so that the rows of several people keep the order of the file.
            said.pop(row.who, None)
            said[row.who] = row
    return found


def settled(rows: Iterable[Pick], names: TakeNames) -> Picks:
    """Return rows as they count for the clips on record, without those about an older clip; takes go by their ids."""
    kept, older = list[Pick](), list[Pick]()
    unknown = dict[str, None]()
    for row in rows:
        take = names.by_id.get(row.take)
        if take is None:
            unknown[row.take] = None
            kept.append(row)
            continue
        is_older = row.decision is not None and bool(row.when) and names.is_newer(take, row.when)
        (older if is_older else kept).append(row)
    return Picks(tuple(kept), tuple(older), tuple(unknown))
