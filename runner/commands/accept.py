"""What a person decides about stale takes: their clips are kept for the rows as these are now.

The plan is adopted first, as a run adopts it, so that a row counts as it is now. It submits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.commands.check import check
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import find_run, manifest_of, read_header, recorded_shard
from runner.commands.steps.open_for_decision import Decided, named, refuse_unclear
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.sync_record import adopted
from runner.domain.display import listed
from runner.domain.errors import UsageError
from runner.domain.shots import Plan
from runner.domain.states import PAID, KeptAsIs
from runner.manifest.size_limits import LIMITS, Limits
from runner.plan.selection import ALL, Choice
from runner.plan.shard_takes import of_shard
from runner.store.run_dir import RunDir


def accept(
    target: Path,
    *,
    names: Sequence[str] = (),
    choice: Choice = ALL,
    everything: bool = False,
    by: str,
    simulated: bool | None = None,
    schema_dirs: Sequence[Path] = (),
    manifest_limits: Limits = LIMITS,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decided:
    """Record that the clips of stale takes are kept for their rows as the manifest has them now.

    `target` is a manifest or a run directory; a manifest counts as it is, wherever the run found its own.

    Raises:
        UsageError: not exactly one of `names`, `choice` and `everything` says which takes, or as for `keep_stale`.
        FileMissing, ManifestInvalid: there is no such run, or the manifest has a problem.
    """
    place = find_run(target, simulated=simulated)
    refuse_unclear(names, choice, everything=everything)
    header = read_header(place)
    manifest = target if target.is_file() else manifest_of(place, header)
    private = recorded_request(place, header).on_this_machine
    plan = check(manifest, schema_dirs=schema_dirs, allow_private_media=private, limits=manifest_limits)
    plan = of_shard(plan, recorded_shard(header))
    return keep_stale(place, plan, names=names, choice=choice, by=by, opening=opening)


def keep_stale(
    place: RunDir,
    plan: Plan,
    *,
    names: Sequence[str],
    choice: Choice,
    by: str,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decided:
    """Record that the clips of stale takes are kept for their rows as `plan` has them now.

    It is about the takes of these very `names`, or, without any, about all stale ones of `choice`.

    Raises:
        UsageError: a named one is not stale, or none is; nothing was recorded.
        RunInUse: a runner works on this run.
    """
    with adopted(place, plan, opening, choice) as (record, scope, remarks):
        takes = record.reader.takes()
        stale = [
            take for take in takes if take.take_id in scope.chosen and take.is_stale and take.state in PAID
        ]
        asked = named(takes, names) if names else stale[: choice.limit]
        known = {take.take_id for take in stale}
        others = [take.take_id for take in asked if take.take_id not in known]
        if others or not asked:
            which = f"take {others[0]} is not stale" if others else "no take that was chosen is stale"
            names_of_stale = f"stale are {listed(sorted(known))}" if known else "nothing here is stale"
            raise UsageError(f"{which}; nothing was recorded", advice=names_of_stale)
        facts = {take.take_id: KeptAsIs(by, take.wanted or "") for take in asked}
        return record.write(facts, *remarks)
