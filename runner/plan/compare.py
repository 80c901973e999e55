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
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.domain.records import Standing
from runner.domain.shots import Take
from runner.domain.states import IN_DOUBT, OVER, PAID, TakeState, was_refused
from runner.system.canonical_json import canonical_json

_MARK = "~"
_OLDER = re.compile(rf"(.+){_MARK}(\d+)")
# The next runner holds what a dead one was sending as soon as it starts, but a plan is shown before that.
_WORTH_KEEPING = PAID | IN_DOUBT


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
    takes: Sequence[Take], recorded: Iterable[Standing], *, replace: Collection[str] = ()
) -> Comparison:
    """Return what happened to each take and each record.

    `replace` names takes that are to be rendered again if their row changed after they were paid for.
    """
    records, replace = {record.take_id: record for record in recorded}, frozenset(replace)
    adoptions = _adoptions(takes, records, replace)
    followed = _followed(takes, records, adoptions)
    taken = frozenset((*adoptions.values(), *followed.values()))
    found: dict[str, list[str]] = defaultdict(list)
    for take in takes:
        own = None if take.id in taken else records.get(take.id)
        record = records[followed[take.id]] if take.id in followed else own
        found["renamed" if take.id in adoptions else _standing(take, record, replace)].append(take.id)
    kept, replaced = {take.id for take in takes}, frozenset(found["replaced"])
    make_room = _numbering([*records, *kept])
    renames = {old: new for new, old in adoptions.items()}
    for new, old in followed.items():
        renames[old] = make_room(new) if new in replaced else new
    for take_id in (*adoptions, *followed, *found["replaced"]):
        if take_id in records and take_id not in renames:
            renames[take_id] = make_room(take_id)
    for take_id, record in records.items():
        if take_id not in renames and take_id not in kept and older_id(take_id) is None:
            found["withdrawn" if _is_free(record) else "removed"].append(take_id)
    return Comparison(**{name: tuple(ids) for name, ids in found.items()}, renames=renames)


def older_id(take_id: str) -> str | None:
    """Return the id of the take that `take_id` made room for, or None if it is not an older render."""
    found = _OLDER.fullmatch(take_id)
    return found[1] if found else None


def ended_in_vain(record: Standing) -> bool:
    """Return whether a request failed, was cancelled or was given up after it may have been charged."""
    return record.state in OVER and not _is_free(record)


def _is_free(record: Standing) -> bool:
    """Return whether a take waits or was refused, and so was certainly not charged."""
    return record.state is TakeState.PENDING or was_refused(record.state, record.failure)


def _standing(take: Take, record: Standing | None, replace: Collection[str]) -> str:
    if record is None:
        return "new"
    if record.fingerprint == take.fingerprint:
        return "same"
    if _is_free(record):
        return "renewed"
    # A held take is not replaced, because it is not known yet whether it was paid for.
    wished = take.id in replace and record.state in PAID
    return "replaced" if wished or record.state in OVER else "changed"


def _numbering(take_ids: Iterable[str]) -> Callable[[str], str]:
    """Return a function that returns the next free id for an older render of a take."""
    numbers: dict[str, int] = defaultdict(int)
    for match in filter(None, map(_OLDER.fullmatch, take_ids)):
        numbers[match[1]] = max(numbers[match[1]], int(match[2]))

    def make_room(take_id: str) -> str:
        numbers[take_id] += 1
        return f"{take_id}{_MARK}{numbers[take_id]}"

    return make_room


def _adoptions(
    takes: Sequence[Take], records: Mapping[str, Standing], replace: Collection[str]
) -> dict[str, str]:
    """Return which record each renamed take takes over, by the take's id."""
    # A take that waits to be sent can still adopt what was paid for under another id.
    served = {
        take.id
        for take in takes
        if _has_own(take, records) and records[take.id].state is not TakeState.PENDING
    }
    free, ended = _offers(takes, records, served)
    adoptions: dict[str, str] = {}
    for take in takes:
        own, asked = records.get(take.id), take.fingerprint
        offered = free.get(asked)
        is_changed = own is not None and own.fingerprint != asked
        # A retry is an explicit request. Only without one may a row take over what ended without a clip.
        is_retried = own is not None and own.state is TakeState.PENDING and own.attempts > 0
        if not offered and take.id not in replace and not is_retried and (is_changed or own is None):
            if own and own.state in OVER | {TakeState.PENDING}:
                offered = ended.get((take.id, asked))
            offered = offered or ended.get(("", asked))
        if offered and take.id not in served:
            # A take's own older render comes first, because then an edit was undone.
            adoptions[take.id] = next((old for old in offered if older_id(old) == take.id), offered[0])
            offered.remove(adoptions[take.id])
    return adoptions


def _has_own(take: Take, records: Mapping[str, Standing]) -> bool:
    return take.id in records and records[take.id].fingerprint == take.fingerprint


def _offers(
    takes: Sequence[Take], records: Mapping[str, Standing], served: Collection[str]
) -> tuple[dict[str, list[str]], dict[tuple[str, str], list[str]]]:
    """Return the records that a row may take over, by what they were sent for.

    The first are worth keeping, and their own row does not ask for them; those whose row is gone come first. The others
    ended without a clip, and are never sent again unasked. An older render is for the row that it made room for, and
    for another row only if that one is gone.
    """
    planned = {take.id: take.fingerprint for take in takes}
    free: dict[str, list[str]] = defaultdict(list)
    ended: dict[tuple[str, str], list[str]] = defaultdict(list)
    for take_id, record in records.items():
        sent, room_for = record.fingerprint, older_id(take_id)
        if take_id not in served and record.state in _WORTH_KEEPING:
            free[sent].append(take_id)
        elif ended_in_vain(record):
            if room_for is not None and take_id not in planned:
                ended[room_for, sent].append(take_id)
            if room_for not in planned and planned.get(take_id) != sent:
                ended["", sent].append(take_id)
    for offered in free.values():
        offered.sort(key=planned.__contains__)
    return free, ended


def _followed(
    takes: Sequence[Take], records: Mapping[str, Standing], adoptions: Mapping[str, str]
) -> dict[str, str]:
    """Return by take id the records of changed rows that have another id now; they stay changed or kept."""
    if all(take.id in adoptions or _has_own(take, records) for take in takes):
        return {}
    asked = {take.id: (take.fingerprint, *_but_for_seed(take, take.seed_from_id)) for take in takes}
    # A renamed row whose seed is made from its id asks for another seed without saying so, and is still the same row.
    seeds = {take.model: take.seed_from_id for take in takes if take.seed_from_id}
    rows = {take_id: _other_rows(record, seeds) for take_id, record in records.items()}
    is_mine = {
        take_id: not {record.fingerprint, *rows[take_id]}.isdisjoint(asked.get(take_id, ()))
        for take_id, record in records.items()
    }
    taken = frozenset(adoptions.values())
    offers: dict[object, list[str]] = defaultdict(list)
    # Records whose row is gone come first.
    for take_id in sorted(records, key=asked.__contains__):
        if take_id not in taken and not is_mine[take_id] and records[take_id].state in _WORTH_KEEPING:
            for row in rows[take_id]:
                offers[row].append(take_id)
    followed: dict[str, str] = {}
    used: set[str] = set()
    for take in takes:
        has_own = take.id not in taken and is_mine.get(take.id, False)
        offered = (name for row in asked[take.id] for name in offers.get(row, ()) if name not in used)
        if not has_own and take.id not in adoptions and (name := next(offered, None)):
            followed[take.id] = name
            used.add(name)
    return followed


def _other_rows(record: Standing, seeds: Mapping[str, str]) -> tuple[object, ...]:
    """Return what identifies the rows that a take was compared with or kept for, but not sent with.

    `seeds` names, by model, the input whose value the manifest leaves to be made from the id.
    """
    known = dict.fromkeys(filter(None, (record.kept_for, record.wanted)))
    return (*known, *_but_for_seed(record, seeds.get(record.model, "")))


def _but_for_seed(sent: Take | Standing, seed: str) -> tuple[tuple[str, str], ...]:
    """Return the model and the body without its seed, or nothing if the manifest gave the seed."""
    if not seed:
        return ()
    body = json.loads(sent.body)
    body.pop(seed, None)
    return ((sent.model, canonical_json(body)),)
