"""Sets the takes of a manifest against those on record: what is new, the same, changed, or gone.

In: takes and recorded facts. Out: take ids by what happened to them. A body that changed after it was
sent never replaces the paid one here; only what was surely not charged is renewed. It knows no SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.shots import Take
from runner.states import NEVER_CHARGED, FailureClass, TakeState


class Recorded(Protocol):
    """What is asked of a recorded take."""

    @property
    def take_id(self) -> str:
        """Its id."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the body it has on record."""
        ...

    @property
    def state(self) -> TakeState:
        """Where it stands."""
        ...

    @property
    def failure(self) -> FailureClass | None:
        """Why it failed, if it did."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Take ids, each in one place, in the order of the manifest (`removed`: of the record).

    `renewed` takes have a new body and were never charged, so the new body may replace the old; `changed`
    ones have a new body but were sent with the old one, which is kept; `removed` ones are in the manifest no more.
    """

    new: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def compare(takes: Sequence[Take], recorded: Iterable[Recorded]) -> Comparison:
    """Return what is to be said of each take and each record."""
    records = {record.take_id: record for record in recorded}
    found: dict[str, list[str]] = {"new": [], "same": [], "renewed": [], "changed": []}
    for take in takes:
        found[_standing(take, records.get(take.id))].append(take.id)
    wanted = {take.id for take in takes}
    removed = tuple(take_id for take_id in records if take_id not in wanted)
    return Comparison(**{name: tuple(ids) for name, ids in found.items()}, removed=removed)


def _standing(take: Take, record: Recorded | None) -> str:
    if record is None:
        return "new"
    if record.fingerprint == take.fingerprint:
        return "same"
    refused = record.state is TakeState.FAILED and record.failure in NEVER_CHARGED
    return "renewed" if refused or record.state is TakeState.PENDING else "changed"
