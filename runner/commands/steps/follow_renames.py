"""Lets a command about takes on record know them by the names that the manifest has for them now.

A run makes renames by itself; what only decides would else know a renamed take by its old id alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from runner.commands.check import check
from runner.commands.steps.find_run import manifest_of, read_takes
from runner.commands.steps.open_for_decision import OpenRecord, named
from runner.commands.steps.open_run import OpenOptions, open_recorded
from runner.commands.steps.sync_record import SyncResult, sync, take_over
from runner.domain.errors import FileMissing, ManifestInvalid, RunInUse, UsageError
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shots import Plan
from runner.manifest.size_limits import CEILING
from runner.plan.compare import compare
from runner.plan.prices import priced, recorded_prices
from runner.plan.scope import Scope, scope_of
from runner.plan.selection import ALL, Choice
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir


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
) -> Iterator[tuple[OpenRecord, Scope, SyncResult]]:
    """Open the record to write decisions after adopting `plan` as a run does, with the prices on record.

    Raises:
        RunInUse: a runner works on this run.
        DiskFailed: the disk fails; what was done is recorded.
    """
    clock = opening.clock
    with opening.locked(place), open_recorded(place, opening) as state:
        recorded = take_over(state, place, clock=clock).takes
        plan = priced(plan, recorded_prices(recorded))
        scope = scope_of(plan, recorded, choice)
        synced = sync(state, plan, place, recorded, scope.comparison, clock=clock)
        with open_reader(place.state_file, checked=True) as reader:
            yield OpenRecord(state, reader, clock), scope, synced


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
    unknown = frozenset(names) - {take.take_id for take in takes}
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
                f" --schema-dir is read: {error.problems[0]}",
                advice=lost.advice,
            ) from error
    except (FileMissing, RunInUse):
        return
