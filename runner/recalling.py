"""Brings record and disk up to date with the manifest, before anything is sent.

In: a plan, what is on record, what was chosen. Out: how the two compare, and, for a run, the record made to fit: takes
renamed with their clips, corrected ones renewed, changed ones noted, missing clips marked. `survey` only looks, so that
a plan shown and a run made are decided by the same lines. It submits nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner import failpoints
from runner.choosing import Choice, choose
from runner.errors import DiskFailed
from runner.pacing import Clock
from runner.rundir import RunDir
from runner.shots import Plan, Take
from runner.states import OUT_THERE, ClipMoved, DeliveryState, FileGone, TakeState
from runner.store.read import open_reader
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile

if TYPE_CHECKING:
    from runner.plan.against import Comparison

PAID = OUT_THERE | {TakeState.SUCCEEDED}
"""States in which a take's clip has been paid for, or is being."""


@dataclass(frozen=True, slots=True)
class View:
    """A take as it will be called and stands, whether it is on record yet or not: what a choice is made from."""

    take_id: str
    shot_id: str
    tags: tuple[str, ...]
    state: TakeState
    delivery: DeliveryState
    is_stale: bool


@dataclass(frozen=True, slots=True)
class Survey:
    """How a plan compares with the record, and the ids of the takes that were chosen, in the plan's order."""

    comparison: Comparison
    chosen: tuple[str, ...]


def survey(plan: Plan, recorded: Sequence[TakeRecord], choice: Choice, *, anew: bool = False) -> Survey:
    """Return what a run of `plan` would find; with `anew` the chosen stale takes are to be rendered again.

    Raises:
        UsageError: the choice means nothing here.
    """
    from runner.plan.against import compare

    comparison = compare(plan.takes, recorded)
    records = {record.take_id: record for record in recorded}
    views = _views(plan, records, comparison)
    chosen = choose(views, choice)
    if anew:
        wanted = set(chosen)
        stale = _stale([view for view in views if view.take_id in wanted], plan, comparison, choice.limit)
        comparison = compare(plan.takes, recorded, replace=frozenset(stale))
    return Survey(comparison, chosen)


def _stale(views: Sequence[View], plan: Plan, comparison: Comparison, limit: int | None) -> list[str]:
    """Return the stale takes, as many as the limit leaves after those that are sent without any wish."""
    stale = [view.take_id for view in views if view.is_stale]
    if limit is None:
        return stale
    planned = {take.id for take in plan.takes}
    anyway = {*comparison.new, *comparison.renewed, *comparison.replaced}
    sent = sum(
        view.take_id in anyway or (view.state is TakeState.PENDING and view.take_id in planned)
        for view in views
    )
    return stale[: max(0, limit - sent)]


def recall(
    state: StateFile, plan: Plan, place: RunDir, *, choice: Choice, clock: Clock
) -> tuple[Survey, tuple[str, ...]]:
    """Become the runner and make record and disk fit the plan; returns what was found, and remarks about files.

    Raises:
        UsageError: the choice means nothing here; nothing but the epoch was changed.
        DiskFailed: the disk fails; what was done is recorded.
    """
    state.begin(at=clock.wall())
    with open_reader(place.state_file) as reader:
        found = survey(plan, reader.takes(), choice)
    return found, _fit(state, plan, place, found.comparison, clock)


def replace_stale(
    state: StateFile, plan: Plan, place: RunDir, take_ids: Sequence[str], *, clock: Clock
) -> tuple[str, ...]:
    """Let the clips of stale takes make room, so that the takes are rendered anew; returns remarks about files.

    Raises:
        DiskFailed: the disk fails; what was done is recorded.
    """
    from runner.plan.against import compare

    with open_reader(place.state_file) as reader:
        comparison = compare(plan.takes, reader.takes(), replace=frozenset(take_ids))
    return _fit(state, plan, place, comparison, clock)


def _fit(
    state: StateFile, plan: Plan, place: RunDir, comparison: Comparison, clock: Clock
) -> tuple[str, ...]:
    state.adopt_plan(plan, renew=comparison.renewed, renames=comparison.renames, at=clock.wall())
    failpoints.hit("recall.adopted")
    remarks: tuple[str, ...] = ()
    with open_reader(place.state_file) as reader:
        takes = reader.takes()
        if misnamed := [take for take in takes if _is_misnamed(take)]:
            remarks = _rename_clips(state, place, misnamed, clock)
            takes = reader.takes()
        _mark_gone(state, [take for take in takes if clip_is_gone(take, place)], place, clock)
    return remarks


def clip_is_gone(take: TakeRecord, place: RunDir) -> bool:
    """Return whether a delivered clip is not on disk any more, or not of its size."""
    if take.delivery is not DeliveryState.DELIVERED or take.file is None:
        return False
    try:
        return (place.path / take.file).stat().st_size != take.bytes
    except OSError:
        return True


def _views(plan: Plan, records: Mapping[str, TakeRecord], comparison: Comparison) -> list[View]:
    came_from = comparison.came_from
    elsewhere = {*came_from.values(), *comparison.renames, *(take.id for take in plan.takes)}
    views = [
        _view(take, records.get(came_from.get(take.id, take.id)), is_new=take.id in comparison.new)
        for take in plan.takes
    ]
    gone = (record for record in records.values() if record.take_id not in elsewhere)
    views += (
        View(record.take_id, record.shot_id, record.tags, record.state, record.delivery, is_stale=False)
        for record in gone
    )
    return views


def _view(take: Take, record: TakeRecord | None, *, is_new: bool) -> View:
    if record is None or is_new:
        return View(take.id, take.shot_id, take.tags, TakeState.PENDING, DeliveryState.NONE, is_stale=False)
    changed = record.fingerprint != take.fingerprint and record.kept_for != take.fingerprint
    stale = changed and record.state in PAID
    return View(take.id, take.shot_id, take.tags, record.state, record.delivery, stale)


def _rename_clips(
    state: StateFile, place: RunDir, takes: Sequence[TakeRecord], clock: Clock
) -> tuple[str, ...]:
    """Let clips follow their takes' new names; what must stay is said, and stays where the record says it is."""
    from runner.delivery.folder import InTheWay
    from runner.delivery.renaming import Clip, rename_clips

    def told(take_id: str, file: str) -> None:
        state.record(take_id, ClipMoved(file), at=clock.wall()).result()
        failpoints.hit("recall.clip_moved")

    clips = [Clip(take.take_id, take.file, take.sha256) for take in takes if take.file and take.sha256]
    try:
        left = rename_clips(place.path, clips, told=told)
    except InTheWay as error:
        return (f"clips keep their old names: {error}",)
    except OSError as error:
        raise DiskFailed(
            f"a clip could not be renamed: {error.strerror}", advice="see to the disk"
        ) from error
    return tuple(
        f"{clip.take}: its clip keeps the name {clip.file}, since another file has its own" for clip in left
    )


def _is_misnamed(take: TakeRecord) -> bool:
    """Return whether a delivered clip has another name than its take."""
    if take.delivery is not DeliveryState.DELIVERED or take.file is None:
        return False
    return take.file.rpartition("/")[2].rpartition(".")[0] != take.take_id


def _mark_gone(state: StateFile, gone: Sequence[TakeRecord], place: RunDir, clock: Clock) -> None:
    """Record that clips are gone or not whole, so that they are fetched again."""
    if not gone:
        return
    from runner.restoring import restore_sidecars

    restore_sidecars(place, gone)
    fact = FileGone("the file is not there any more, or not whole")
    for recorded in [state.record(take.take_id, fact, at=clock.wall()) for take in gone]:
        recorded.result()
