"""Sets the takes of a manifest against those on record: what is new, the same, renamed, changed, or gone.

In: takes and recorded facts. Out: take ids by what happened to them, and the renames that make the record fit. It knows
no SQL and changes nothing.

A body that was paid for is never paid for again under another name: a record whose request a take asks for, and whose
own row is gone or asks for something else, *becomes* that take. So renumbering a storyboard costs nothing, and taking
an edit back brings the first clip back. Where a row has changed and is rendered anew, the record that has its id makes
room for it, and goes on as `s010~1`: no take id has a `~`, so none is taken.

    record has the same body                  same
    no record has the id, or the body         new
    another, free record has the body         renamed; one that ended without a clip only if its row is gone
    changed, and surely not charged           renewed: the new body may replace the old
    changed, and failed, cancelled, dropped   replaced: the record makes room, the take is new
    changed, and paid for or held             changed: what was sent is kept; replaced only on an explicit wish
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runner.shots import Take
from runner.states import NEVER_CHARGED, OUT_THERE, FailureClass, TakeState

_MARK = "~"
_OLDER = re.compile(rf"(.+){_MARK}(\d+)")
# What a dead runner was sending is held as soon as the next one begins, and a plan is shown before that.
_WORTH_KEEPING = OUT_THERE | {TakeState.SUCCEEDED, TakeState.HELD, TakeState.SUBMITTING}
_OVER = frozenset({TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED})


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
    ones have a new body but were sent with the old one, which is kept; `replaced` ones are rendered with the new
    body, and what they were is kept beside; `removed` ones are in the manifest no more. `renames` leads from the ids on
    record to the new ones, all at once: those that a take asks for under another id, and those that make room.
    """

    new: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)

    @property
    def came_from(self) -> Mapping[str, str]:
        """The old id of each renamed take, by its new one."""
        renamed = frozenset(self.renamed)
        return {new: old for old, new in self.renames.items() if new in renamed}


def compare(
    takes: Sequence[Take], recorded: Iterable[Recorded], *, replace: Collection[str] = ()
) -> Comparison:
    """Return what is to be said of each take and each record.

    `replace` names takes that shall be rendered anew if their row changed after they were paid for.
    """
    records = {record.take_id: record for record in recorded}
    adoptions = _adoptions(takes, records)
    taken = frozenset(adoptions.values())
    found: dict[str, list[str]] = defaultdict(list)
    for take in takes:
        adopted = adoptions.get(take.id)
        record = None if take.id in taken else records.get(take.id)
        found["renamed" if adopted else _standing(take, record, replace)].append(take.id)
    renames = {old: new for new, old in adoptions.items()}
    kept = {take.id for take in takes}
    renames.update(_room_made(found, records, renames, numbers=_numbers([*records, *kept])))
    removed = tuple(
        take_id
        for take_id, record in records.items()
        if take_id not in renames and (take_id not in kept) and not _is_older(take_id)
    )
    return Comparison(**{name: tuple(ids) for name, ids in found.items()}, removed=removed, renames=renames)


def older_id(take_id: str) -> str | None:
    """Return the id of the take that `take_id` made room for, or None if it is nobody's older render."""
    found = _OLDER.fullmatch(take_id)
    return found[1] if found else None


def _is_older(take_id: str) -> bool:
    return older_id(take_id) is not None


def _standing(take: Take, record: Recorded | None, replace: Collection[str]) -> str:
    if record is None:
        return "new"
    if record.fingerprint == take.fingerprint:
        return "same"
    if record.state is TakeState.PENDING or _was_refused(record):
        return "renewed"
    # Not while it is held: nobody knows yet whether it was paid for.
    wished = take.id in replace and record.state in OUT_THERE | {TakeState.SUCCEEDED}
    return "replaced" if wished or record.state in _OVER else "changed"


def _was_refused(record: Recorded) -> bool:
    return record.state is TakeState.FAILED and record.failure in NEVER_CHARGED


def _adoptions(takes: Sequence[Take], records: Mapping[str, Recorded]) -> dict[str, str]:
    """Return which record each renamed take takes over, by the take's id."""
    same = {take.id for take in takes if take.id in records and _is_served(take, records[take.id])}
    free, ended = _free(takes, records, same), _ended(takes, records)
    adoptions: dict[str, str] = {}
    for take in takes:
        offered = free.get(take.fingerprint)
        if not offered and take.id not in records:
            offered = ended.get(take.fingerprint)
        if take.id in same or not offered:
            continue
        # A take's own older render comes first: that is an edit taken back.
        own = next((old for old in offered if older_id(old) == take.id), offered[0])
        offered.remove(own)
        adoptions[take.id] = own
    return adoptions


def _free(
    takes: Sequence[Take], records: Mapping[str, Recorded], same: Collection[str]
) -> dict[str, list[str]]:
    """Return the records by fingerprint that no row of their own asks for; those whose row is gone come first."""
    planned = {take.id for take in takes}
    free: dict[str, list[str]] = defaultdict(list)
    for gone in (True, False):
        for take_id, record in records.items():
            if take_id not in same and (take_id not in planned) is gone and record.state in _WORTH_KEEPING:
                free[record.fingerprint].append(take_id)
    return free


def _ended(takes: Sequence[Take], records: Mapping[str, Recorded]) -> dict[str, list[str]]:
    """Return by fingerprint what ended without a clip and whose row is gone: under a new id it is not sent unasked."""
    planned = {take.id for take in takes}
    ended: dict[str, list[str]] = defaultdict(list)
    for take_id, record in records.items():
        over = record.state in _OVER and not _was_refused(record)
        if over and take_id not in planned and not _is_older(take_id):
            ended[record.fingerprint].append(take_id)
    return ended


def _is_served(take: Take, record: Recorded) -> bool:
    # One that waits to be sent can still take over what was paid for under another id.
    return record.fingerprint == take.fingerprint and record.state is not TakeState.PENDING


def _room_made(
    found: Mapping[str, Iterable[str]],
    records: Mapping[str, Recorded],
    renames: Mapping[str, str],
    *,
    numbers: dict[str, int],
) -> Iterator[tuple[str, str]]:
    """Yield the renames of records whose id another one needs, numbered on from `numbers`."""
    for take_id in (*found.get("renamed", ()), *found.get("replaced", ())):
        if take_id in records and take_id not in renames:
            numbers[take_id] += 1
            yield take_id, f"{take_id}{_MARK}{numbers[take_id]}"


def _numbers(take_ids: Iterable[str]) -> dict[str, int]:
    """Return the highest number that an older render of each take has."""
    numbers: dict[str, int] = defaultdict(int)
    for match in filter(None, map(_OLDER.fullmatch, take_ids)):
        numbers[match[1]] = max(numbers[match[1]], int(match[2]))
    return numbers
