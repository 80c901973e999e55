"""Brings record and disk up to date with the manifest, before anything is sent.

Takes are renamed with their clips, corrected ones renewed, changed ones noted, missing clips marked. The whole record
is read when a run begins, and again only where it was changed. A run follows renames by itself; what only decides
follows them here, or it would know a renamed take by its old id alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from runner.commands.check import check
from runner.commands.steps.clip_files import StoredClips, stored_clips
from runner.commands.steps.find_run import manifest_of, read_takes
from runner.commands.steps.known_picks import decisions_for
from runner.commands.steps.open_for_decision import OpenRecord, named
from runner.commands.steps.open_run import OpenOptions, open_recorded
from runner.commands.steps.restore_stored import missing_outputs, restore_sidecars_of
from runner.commands.steps.run_log import log_facts
from runner.domain import failpoints
from runner.domain.display import listed
from runner.domain.errors import DiskFailed, FileMissing, ManifestInvalid, RunInUse, UsageError
from runner.domain.records import RunHeader, RunRecord, Standing, TakeRecord
from runner.domain.run_events import FactRecorded
from runner.domain.shots import Plan
from runner.domain.states import ClipMoved, DeliveryState, FileGone
from runner.manifest.size_limits import CEILING
from runner.media.clips.folder import NameConflict
from runner.media.clips.rename import Clip, left_mid_rename, rename_clips
from runner.media.clips.restore_sidecars import give_own_names, without_further_outputs
from runner.plan.compare import Comparison, compare
from runner.plan.prices import priced, recorded_prices
from runner.plan.scope import Scope, scope_of
from runner.plan.selection import ALL, Choice
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock


def take_over(state: StateFile, *, clock: Clock) -> RunRecord:
    """Become the runner, finish what a kill interrupted, and return what is on record; raises as `sync`."""
    state.begin(at=clock.wall())
    place = RunDir(state.path.parent)
    record = read_record(place)
    give_own_names(place.path, record.takes)
    # Under the names that its runner gave: once takes are renamed again, no one would look where it left their clips.
    if not _strayed(record.takes, place):
        return record
    _rename_clips(state, record.takes, clock)
    return read_record(place)


def read_record(place: RunDir) -> RunRecord:
    """Return what is on record, for its own writer: the file was checked when it was opened."""
    with open_reader(place.state_file, checked=True) as reader:
        return reader.record()


def sync(
    state: StateFile,
    plan: Plan,
    recorded: Sequence[Standing],
    comparison: Comparison,
    *,
    clock: Clock,
    name_template: str | None = None,
) -> tuple[str, ...]:
    """Make record and disk fit the plan, as it compares with what is `recorded`; return remarks about files.

    Files are named by `name_template`, or by that of the run if it is None.

    Raises:
        DiskFailed: the disk fails; what was done is recorded.
    """
    changed = state.adopt_plan(
        plan,
        renew=comparison.renewed,
        renames=comparison.renames,
        at=clock.wall(),
        name_template=name_template,
    )
    failpoints.hit("recall.adopted")
    place = RunDir(state.path.parent)
    takes = _delivered(place) if changed else recorded
    remarks: tuple[str, ...] = ()
    if any(map(_is_misnamed, takes)):
        remarks = _rename_clips(state, takes, clock)
        takes = _delivered(place)
    if gone := missing(takes, place):
        # So they are fetched again.
        with open_reader(place.state_file, checked=True) as reader:
            ids = (take.take_id for take in takes if take.take_id in gone)
            lost = [take for take in map(reader.take, ids) if take]
        restore_sidecars_of(place, lost)
        fact, at = FileGone("the file is not there any more, or not whole"), clock.wall()
        for waiting in [state.record(take.take_id, fact, at=at) for take in lost]:
            waiting.result()
        log_facts(place, clock, [FactRecorded(take.take_id, fact, at, take.label) for take in lost])
    return remarks


def name_files(state: StateFile, template: str | None, *, clock: Clock) -> tuple[str, ...]:
    """Give all files of a run other names by a template, and return remarks about those that had to stay.

    Without a template, finish what a kill interrupted.

    Raises:
        UsageError: it is not a template, or it does not suit the takes of the board; nothing was changed.
        DiskFailed: the disk fails; what was done is recorded, and the next run does the rest.
    """
    place = RunDir(state.path.parent)
    # Where a kill has left clips between two names, they are found under the names that were being given.
    remarks = _rename_clips(state, _delivered(place), clock)
    if template is None:
        return remarks
    state.name_files(template)
    failpoints.hit("recall.named")
    return (*remarks, *_rename_clips(state, _delivered(place), clock))


def _delivered(place: RunDir) -> list[Standing]:
    with open_reader(place.state_file, checked=True) as reader:
        return reader.standings(delivered=True)


def missing(takes: Sequence[Standing], place: RunDir) -> frozenset[str]:
    """Return the ids of delivered takes of which a clip is nowhere where a run looks for it.

    Of clips in a store, one listing is compared with the record.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
        StoreAway, StoreRefused: the store cannot be listed.
    """
    if not any(take.delivery is DeliveryState.DELIVERED for take in takes):
        return frozenset()
    if stored := stored_clips(place):
        return _missing_in(stored, takes)
    gone = [take for take in takes if _is_gone(take, place)]
    gone += without_further_outputs(place.path, takes)
    return frozenset(take.take_id for take in gone) - _strayed(gone, place)


def _missing_in(stored: StoredClips, takes: Sequence[Standing]) -> frozenset[str]:
    delivered = [take for take in takes if take.delivery is DeliveryState.DELIVERED]
    return frozenset(
        take.take_id
        for take in delivered
        if stored.sizes.get(take.file or "") != take.bytes or missing_outputs(stored, take)
    )


def _strayed(takes: Sequence[Standing], place: RunDir) -> frozenset[str]:
    """Return the ids of takes whose clips are where a kill in mid-rename left them, and not where the record says."""
    lost = [take for take in takes if _is_misnamed(take) and _is_gone(take, place)]
    if not lost or stored_clips(place):
        # In a store no clip is renamed.
        return frozenset()
    try:
        return frozenset(clip.take for clip in left_mid_rename(place.path, _clips(lost)))
    except NameConflict:
        return frozenset()
    except OSError as error:
        message = f"a clip could not be looked for: {error.strerror}"
        raise DiskFailed(message, advice="see to the disk") from error


def _is_gone(take: Standing, place: RunDir) -> bool:
    """Return whether a delivered clip is not on disk any more, or not of its size."""
    if take.delivery is not DeliveryState.DELIVERED or take.file is None:
        return False
    try:
        # A path object a clip would cost as much as the look itself.
        return os.stat(f"{place.path}/{take.file}").st_size != take.bytes  # noqa: PTH116
    except OSError:
        return True


def _rename_clips(state: StateFile, takes: Sequence[Standing], clock: Clock) -> tuple[str, ...]:
    """Let clips follow their takes' new names; what must stay is said, and stays where the record says it is."""
    if state.header.out:
        # A store can only copy and remove, and links to the old name may be in use by now.
        named = [take.take_id for take in takes if _is_misnamed(take)]
        return (f"clips in the store keep their names: {listed(named)}",) if named else ()

    def told(take_id: str, file: str) -> None:
        failpoints.hit("recall.clip_renamed")
        state.record(take_id, ClipMoved(file), at=clock.wall()).result()
        failpoints.hit("recall.clip_moved")

    try:
        left = rename_clips(state.path.parent, _clips(filter(_is_misnamed, takes)), told=told)
    except NameConflict as error:
        return (f"clips keep their old names: {error}",)
    except OSError as error:
        message = f"a clip could not be renamed: {error.strerror}"
        raise DiskFailed(message, advice="see to the disk") from error
    return tuple(
        f"{clip.take}: its clip keeps the name {clip.file}, since another file has its own" for clip in left
    )


def _clips(takes: Iterable[Standing]) -> list[Clip]:
    return [
        Clip(take.take_id, take.file, take.sha256, take.stem, take.label)
        for take in takes
        if take.file and take.sha256
    ]


def _is_misnamed(take: Standing) -> bool:
    """Return whether a delivered clip has another name than it should have."""
    return take.delivery is DeliveryState.DELIVERED and take.present_stem != take.file_stem


def as_called_now(takes: Sequence[TakeRecord], plan: Plan) -> tuple[TakeRecord, ...]:
    """Return takes under the ids that `plan` has for them; what is rendered again keeps its own id. It only looks."""
    comparison = compare(plan.takes, takes)
    replaced = frozenset(comparison.replaced)
    names = {old: new for old, new in comparison.renames.items() if old not in replaced}
    return tuple(replace(take, take_id=names.get(take.take_id, take.take_id)) for take in takes)


def sent_unasked(takes: Sequence[TakeRecord], plan: Plan) -> frozenset[str]:
    """Return the ids of takes whose rows changed after they were over: a run lets them make room, and sends the row."""
    return frozenset(compare(plan.takes, takes).replaced)


@contextmanager
def adopted(
    place: RunDir, plan: Plan, opening: OpenOptions, choice: Choice = ALL
) -> Iterator[tuple[OpenRecord, Scope, tuple[str, ...]]]:
    """Open the record to write decisions after adopting `plan` as a run does, with the prices on record.

    Raises `RunInUse` while a runner works on this run, and otherwise as `sync`.
    """
    clock = opening.clock
    with opening.locked(place), open_recorded(place, opening) as state:
        recorded = take_over(state, clock=clock).takes
        plan = priced(plan, recorded_prices(recorded))
        scope = scope_of(plan, recorded, choice, decisions=decisions_for(place, choice))
        remarks = sync(state, plan, recorded, scope.comparison, clock=clock)
        with open_reader(place.state_file, checked=True) as reader:
            yield OpenRecord(state, reader, clock), scope, remarks


def follow(place: RunDir, plan: Plan, *, opening: OpenOptions) -> None:
    """Adopt `plan` as a run does, if it renames a take; raises what `adopted` raises."""
    if compare(plan.takes, read_takes(place)).came_from:
        with adopted(place, plan, opening):
            pass


def follow_names(place: RunDir, header: RunHeader, names: Sequence[str], *, opening: OpenOptions) -> None:
    """Record the renames of the manifest if one of `names` is on record under its old id alone.

    An id on record means that take, whatever the manifest calls so now: it is what the lists of decisions show. A
    manifest that is gone renames nothing, nor does a run that another process works on: the name is then
    unknown to the command that looks it up.

    Raises:
        UsageError: a name is not on record, and the manifest has problems, so it cannot say what the name means.
    """
    takes = read_takes(place)
    unknown = frozenset(names).difference(*((take.take_id, take.label) for take in takes))
    if not unknown:
        return
    try:
        plan = check(manifest_of(place, header), allow_private_media=True, limits=CEILING)
        if not unknown.isdisjoint(compare(plan.takes, takes).came_from):
            follow(place, plan, opening=opening)
    except ManifestInvalid as error:
        try:
            named(takes, names)
        except UsageError as lost:
            raise UsageError(
                f"{lost.message}, and no new name can be followed while the manifest has a problem here, where no"
                f" --schema-dir is read: {error.errors[0]}",
                advice=lost.advice,
            ) from error
    except (FileMissing, RunInUse):
        return
