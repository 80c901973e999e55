"""Compares the takes of a manifest with those on record: which are new, the same, renamed, changed, or gone.

In: takes and recorded facts. Out: take ids by what happened to them, and the renames that make the record fit. It knows
no SQL and changes nothing.

A body that was paid for is never paid for again under another name. A record becomes another take if that take asks
for its request, and its own row is gone or asks for something else. So renumbering a storyboard costs nothing, and
undoing an edit restores the first clip. If a changed row is rendered again, the old record makes room and is renamed
to `s010~1`. No take of a manifest has a `~` in its id, so the new name is always free.

    record has the same body                  same
    no record has the id, or the body         new
    another, free record has the body         renamed; also if it ended without a clip
    another, free record was sent for this    changed, and also renamed: a stale or kept take that is renumbered, or
      take's row before it changed              one whose seed is made from its id
    changed, and surely not charged           renewed: the new body may replace the old
    changed, and failed, cancelled, dropped   replaced: the record makes room, the take is new
    changed, and paid for or held             changed: what was sent is kept; replaced only on explicit request
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from runner.domain.shots import Take
from runner.domain.states import ACTIVE, NEVER_CHARGED, FailureClass, TakeState
from runner.plan.identity import canonical_json

_MARK = "~"
_OLDER = re.compile(rf"(.+){_MARK}(\d+)")
# The next runner holds what a dead one was sending as soon as it starts, but a plan is shown before that.
_WORTH_KEEPING = ACTIVE | {TakeState.SUCCEEDED, TakeState.HELD, TakeState.SUBMITTING}
_OVER = frozenset({TakeState.FAILED, TakeState.CANCELLED, TakeState.DROPPED})


class Recorded(Protocol):
    """What a comparison needs to know of a recorded take."""

    @property
    def take_id(self) -> str:
        """Its id."""
        ...

    @property
    def model(self) -> str:
        """The model it was made for."""
        ...

    @property
    def body(self) -> str:
        """The body it has on record, as JSON text."""
        ...

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the body it has on record."""
        ...

    @property
    def state(self) -> TakeState:
        """Its state."""
        ...

    @property
    def failure(self) -> FailureClass | None:
        """Why it failed, if it did."""
        ...

    @property
    def attempts(self) -> int:
        """How many submissions were started."""
        ...

    @property
    def wanted(self) -> str | None:
        """The fingerprint that its row last asked for, if that is not what was sent."""
        ...

    @property
    def kept_for(self) -> str | None:
        """The fingerprint of a changed row for which a person keeps the clip."""
        ...


@dataclass(frozen=True, slots=True)
class Comparison:
    """Take ids, each in one place, in the order of the manifest (`removed`: of the record).

    `renewed` takes have a new body and were never charged, so the new body may replace the old. `changed` ones have
    a new body but were sent with the old one, which is kept. `replaced` ones are rendered with the new body, and the
    old render is kept under another id. `removed` ones left the manifest; `withdrawn` ones left it too, but were not
    charged and will not be sent. `renames` leads from all ids on record that change to the new ones.
    """

    new: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    withdrawn: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict)

    @property
    def came_from(self) -> Mapping[str, str]:
        """The old id of each renamed take by its new id, whether its row has changed or not."""
        followed, replaced = frozenset((*self.renamed, *self.changed)), frozenset(self.replaced)
        found: dict[str, str] = {}
        for old, new in self.renames.items():
            room_for = older_id(new)
            if new in followed:
                found[new] = old
            # It is renamed and rendered again at once, so its record makes room under the new id.
            elif room_for in replaced and room_for != old:
                found[room_for] = old
        return found


def compare(
    takes: Sequence[Take], recorded: Iterable[Recorded], *, replace: Collection[str] = ()
) -> Comparison:
    """Return what happened to each take and each record.

    `replace` names takes that are to be rendered again if their row changed after they were paid for.
    """
    records = {record.take_id: record for record in recorded}
    adoptions = _adoptions(takes, records, replace)
    followed = _followed(takes, records, adoptions)
    taken = frozenset((*adoptions.values(), *followed.values()))
    found: dict[str, list[str]] = defaultdict(list)
    for take in takes:
        record = None if take.id in taken else records.get(take.id)
        if take.id in followed:
            record = records[followed[take.id]]
        found["renamed" if take.id in adoptions else _standing(take, record, replace)].append(take.id)
    kept = {take.id for take in takes}
    numbers = _numbers([*records, *kept])
    renames = {old: new for new, old in adoptions.items()}
    replaced = frozenset(found["replaced"])
    for new, old in followed.items():
        renames[old] = _next_older(new, numbers) if new in replaced else new
    renames.update(_room_made((*adoptions, *followed, *found["replaced"]), records, renames, numbers=numbers))
    for take_id, record in records.items():
        if take_id not in renames and take_id not in kept and not _is_older(take_id):
            is_free = record.state is TakeState.PENDING or _was_refused(record)
            found["withdrawn" if is_free else "removed"].append(take_id)
    return Comparison(**{name: tuple(ids) for name, ids in found.items()}, renames=renames)


def older_id(take_id: str) -> str | None:
    """Return the id of the take that `take_id` made room for, or None if it is not an older render."""
    found = _OLDER.fullmatch(take_id)
    return found[1] if found else None


def ended_in_vain(record: Recorded) -> bool:
    """Return whether a request failed, was cancelled or was given up after it may have been charged."""
    return record.state in _OVER and not _was_refused(record)


def _is_older(take_id: str) -> bool:
    return older_id(take_id) is not None


def _standing(take: Take, record: Recorded | None, replace: Collection[str]) -> str:
    if record is None:
        return "new"
    if record.fingerprint == take.fingerprint:
        return "same"
    if record.state is TakeState.PENDING or _was_refused(record):
        return "renewed"
    # A held take is not replaced, because it is not known yet whether it was paid for.
    wished = take.id in replace and record.state in ACTIVE | {TakeState.SUCCEEDED}
    return "replaced" if wished or record.state in _OVER else "changed"


def _was_refused(record: Recorded) -> bool:
    return record.state is TakeState.FAILED and record.failure in NEVER_CHARGED


def _adoptions(
    takes: Sequence[Take], records: Mapping[str, Recorded], replace: Collection[str]
) -> dict[str, str]:
    """Return which record each renamed take takes over, by the take's id."""
    same = {take.id for take in takes if take.id in records and _is_served(take, records[take.id])}
    free, ended, own_ended = _free(takes, records, same), _ended(takes, records), _own_ended(takes, records)
    adoptions: dict[str, str] = {}
    for take in takes:
        offered = free.get(take.fingerprint)
        if not offered and take.id not in replace and _is_unasked(take, records.get(take.id)):
            offered = own_ended.get((take.id, take.fingerprint))
        if not offered and take.id not in replace and _has_room(take, records.get(take.id)):
            offered = ended.get(take.fingerprint)
        if take.id in same or not offered:
            continue
        # A take's own older render comes first, because then an edit was undone.
        own = next((old for old in offered if older_id(old) == take.id), offered[0])
        offered.remove(own)
        adoptions[take.id] = own
    return adoptions


def _free(
    takes: Sequence[Take], records: Mapping[str, Recorded], same: Collection[str]
) -> dict[str, list[str]]:
    """Return by fingerprint the records that their own row does not ask for; those whose row is gone come first."""
    planned = {take.id for take in takes}
    free: dict[str, list[str]] = defaultdict(list)
    for gone in (True, False):
        for take_id, record in records.items():
            if take_id not in same and (take_id not in planned) is gone and record.state in _WORTH_KEEPING:
                free[record.fingerprint].append(take_id)
    return free


def _ended(takes: Sequence[Take], records: Mapping[str, Recorded]) -> dict[str, list[str]]:
    """Return by fingerprint the records that ended without a clip and have no row now; they are never resent unasked.

    A record that made room for a newer render belongs to the row of that render.
    """
    planned = {take.id: take.fingerprint for take in takes}
    ended: dict[str, list[str]] = defaultdict(list)
    for take_id, record in records.items():
        if (
            ended_in_vain(record)
            and planned.get(take_id) != record.fingerprint
            and older_id(take_id) not in planned
        ):
            ended[record.fingerprint].append(take_id)
    return ended


def _own_ended(takes: Sequence[Take], records: Mapping[str, Recorded]) -> dict[tuple[str, str], list[str]]:
    """Return older renders that ended without a clip, by the take that they made room for and their fingerprint."""
    planned = {take.id for take in takes}
    ended: dict[tuple[str, str], list[str]] = defaultdict(list)
    for take_id, record in records.items():
        room_for = older_id(take_id)
        if room_for is not None and take_id not in planned and ended_in_vain(record):
            ended[room_for, record.fingerprint].append(take_id)
    return ended


def _is_unasked(take: Take, record: Recorded | None) -> bool:
    """Return whether a changed row would be sent only because it changed; a retry is an explicit request."""
    if record is None or record.fingerprint == take.fingerprint:
        return False
    return record.state in _OVER or (record.state is TakeState.PENDING and not record.attempts)


def _has_room(take: Take, record: Recorded | None) -> bool:
    """Return whether a take may adopt what ended under another id, as when the rows of a storyboard move up."""
    if record is None:
        return True
    is_wished = record.state is TakeState.PENDING and record.attempts > 0
    return record.fingerprint != take.fingerprint and not is_wished


def _followed(
    takes: Sequence[Take], records: Mapping[str, Recorded], adoptions: Mapping[str, str]
) -> dict[str, str]:
    """Return by take id the records of changed rows that have another id now; they stay changed or kept."""
    if all(take.id in adoptions or _has_own(take, records) for take in takes):
        return {}
    asked = {take.id: (take.fingerprint, *_but_for_seed(take, take.seed_from_id)) for take in takes}
    answered = _answered(records, {take.model: take.seed_from_id for take in takes if take.seed_from_id})
    taken = frozenset(adoptions.values())
    offers: dict[object, list[str]] = defaultdict(list)
    for gone in (True, False):
        for take_id, record in records.items():
            if (take_id not in asked) is not gone or take_id in taken or record.state not in _WORTH_KEEPING:
                continue
            if {record.fingerprint, *answered[take_id]}.isdisjoint(asked.get(take_id, ())):
                for row in answered[take_id]:
                    offers[row].append(take_id)
    followed: dict[str, str] = {}
    left = {name for offered in offers.values() for name in offered}
    for take in takes:
        own = None if take.id in taken else records.get(take.id)
        mine = own is not None and not {own.fingerprint, *answered[own.take_id]}.isdisjoint(asked[take.id])
        offered = [name for row in asked[take.id] for name in offers.get(row, ()) if name in left]
        if offered and not mine and take.id not in adoptions:
            followed[take.id] = offered[0]
            left.discard(offered[0])
    return followed


def _has_own(take: Take, records: Mapping[str, Recorded]) -> bool:
    return take.id in records and records[take.id].fingerprint == take.fingerprint


def _answered(records: Mapping[str, Recorded], seeds: Mapping[str, str]) -> dict[str, tuple[object, ...]]:
    """Return by take id what identifies the rows that a take was compared with or kept for, but not sent with.

    `seeds` names, by model, the input whose value the manifest leaves to be made from the id. A renamed row then asks
    for another seed without saying so, and is still the same row.
    """
    return {
        take_id: (
            *dict.fromkeys(name for name in (record.kept_for, record.wanted) if name is not None),
            *_but_for_seed(record, seeds.get(record.model, "")),
        )
        for take_id, record in records.items()
    }


def _but_for_seed(sent: Take | Recorded, seed: str) -> tuple[tuple[str, str], ...]:
    """Return the model and the body without its seed, or nothing if the manifest gave the seed."""
    if not seed:
        return ()
    body = json.loads(sent.body)
    body.pop(seed, None)
    return ((sent.model, canonical_json(body)),)


def _is_served(take: Take, record: Recorded) -> bool:
    # A take that waits to be sent can still adopt what was paid for under another id.
    return record.fingerprint == take.fingerprint and record.state is not TakeState.PENDING


def _room_made(
    needed: Iterable[str],
    records: Mapping[str, Recorded],
    renames: Mapping[str, str],
    *,
    numbers: dict[str, int],
) -> Iterator[tuple[str, str]]:
    """Yield the renames of records whose id is `needed` by another record; numbering continues from `numbers`."""
    for take_id in dict.fromkeys(needed):
        if take_id in records and take_id not in renames:
            yield take_id, _next_older(take_id, numbers)


def _next_older(take_id: str, numbers: dict[str, int]) -> str:
    numbers[take_id] += 1
    return f"{take_id}{_MARK}{numbers[take_id]}"


def _numbers(take_ids: Iterable[str]) -> dict[str, int]:
    """Return the highest number that an older render of each take has."""
    numbers: dict[str, int] = defaultdict(int)
    for match in filter(None, map(_OLDER.fullmatch, take_ids)):
        numbers[match[1]] = max(numbers[match[1]], int(match[2]))
    return numbers
