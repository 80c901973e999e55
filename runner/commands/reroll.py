"""Proposes further takes of a shot as a change of its manifest, which is proved before anybody sees it.

In: a run and a shot. Out: a diff that adds takes with new seeds, what they are called, and nothing written. A proposal
that would rename, change or drop a take, or change another shot, is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.commands.check import check, examined
from runner.commands.fix_manifest import FixProposal, codec_of, diff_of
from runner.commands.pick import Choices
from runner.commands.steps.find_run import RecordedRun, find_recorded, manifest_of, read_takes
from runner.domain.display import listed
from runner.domain.errors import Severity, UsageError
from runner.domain.picks import Decision, settled
from runner.domain.shots import Plan, Take
from runner.domain.states import OVER
from runner.manifest.more_takes import Wanted, more_takes
from runner.manifest.reader import manifest_bytes, read_manifest
from runner.manifest.safe_fixes import fixed
from runner.manifest.size_limits import LIMITS, Limits
from runner.manifest.source_text import SourceText
from runner.models.registry import Models, search_path
from runner.plan.compare import compare
from runner.plan.identity import further_seeds
from runner.store.picks_file import open_picks, take_names

MOST = 4
"""A shot gets as many further seeds as it has, and no more than this unless a number is asked for."""

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Reroll:
    """What is proposed for a shot: a change of its manifest with the takes that it adds, or the seeds to add by hand.

    `proposal` is None where the manifest's form cannot be changed safely; then `seeds` are those that come next.
    """

    run: RecordedRun
    manifest: Path
    proposal: FixProposal | None
    added: tuple[Take, ...]
    seeds: tuple[int, ...]


def propose_takes(
    target: Path,
    shot: str,
    *,
    takes: int | None = None,
    anyway: bool = False,
    simulated: bool | None = None,
    schema_dirs: Sequence[Path] = (),
    limits: Limits = LIMITS,
) -> Reroll:
    """Return the change of a run's manifest that gives a shot `takes` more takes, with the seeds that come next.

    Of a sweep that has other axes as well, each seed is as many takes as these have points.

    Raises:
        UsageError: there is no such shot, or a take of it is not rejected and `anyway` is false.
        FileMissing, ManifestInvalid, StateFileUnusable, PicksInvalid: something cannot be read.
    """
    run = find_recorded(target, simulated=simulated)
    manifest = target if target.is_file() else manifest_of(run.place, run.header)
    plan = check(manifest, schema_dirs=schema_dirs, allow_private_media=True, limits=limits)
    mine = [take for take in plan.takes if take.shot_id == shot]
    if not mine:
        shots = tuple(dict.fromkeys(take.shot_id for take in plan.takes))
        raise UsageError(f"there is no shot {shot!r} in {manifest}", advice=f"the shots are {listed(shots)}")
    if not anyway:
        _refuse_wanted(run, mine)
    used = {take.seed for take in mine}
    models = Models.bundled(search_path(manifest, schema_dirs))
    model = models.named(mine[0].model)
    if model.seed_input is None:
        raise UsageError(
            f"{model.id} has no seed, so further takes are repeats",
            advice=f"write repeat: {len(mine) + (takes or 1)} beside the id of shot {shot}",
        )
    count = takes or min(len(used), MOST)
    seeds = [seed for seed in further_seeds(shot, model.seed_input, count + len(mine)) if seed not in used]
    wanted = Wanted(shot, count, model.seed_input.name, seeds)
    before = manifest_bytes(manifest, limits)
    codec = codec_of(before)
    text = before.decode(codec)
    mark, body = text[: text.startswith(_BOM)], text.removeprefix(_BOM)
    changes = more_takes(SourceText(body, str(manifest)), wanted)
    after = mark + fixed(body, changes) if changes else ""
    added = _added(run, plan, after.encode(codec), models, limits) if changes else ()
    if not added or any(take.shot_id != shot for take in added):
        return Reroll(run, manifest, None, (), tuple(seeds[:count]))
    diff = diff_of(text, after, manifest)
    proposal = FixProposal(manifest, diff, len(changes or ()), before, after.encode(codec))
    return Reroll(run, manifest, proposal, added, tuple(seeds[:count]))


def _refuse_wanted(run: RecordedRun, mine: Sequence[Take]) -> None:
    """Refuse a shot that has a take that is not rejected; one that ended without a clip need not be.

    Raises:
        UsageError: there is one; the message says what each is.
    """
    names = take_names(run.place.path)
    choices = Choices(run.place, names, settled(open_picks(run.place.path).table.named(names).rows, names))
    decisions = choices.picks.decisions
    without_clip = {take.take_id for take in read_takes(run.place) if take.state in OVER}
    left = {
        choices.label(take.id): "not rendered yet" if take.id not in names.by_id else decisions.get(take.id)
        for take in mine
        if decisions.get(take.id) is not Decision.REJECT and take.id not in without_clip
    }
    if left:
        told = [f"{label} ({said or 'undecided'})" for label, said in left.items()]
        raise UsageError(
            f"not all takes of this shot are rejected: {listed(told)}",
            advice="reject them, or add --anyway",
        )


def _added(run: RecordedRun, plan: Plan, after: bytes, models: Models, limits: Limits) -> tuple[Take, ...]:
    """Return the takes that a changed manifest adds; none if it changes anything else, by itself or on record."""
    reading = read_manifest(Path(plan.manifest.file), limits=limits, given=after)
    changed, problems = examined(reading, models=models, allow_private_media=True, environ=os.environ)
    if any(problem.severity is Severity.ERROR for problem in problems):
        return ()
    known = {take.id: take.fingerprint for take in plan.takes}
    if not known.items() <= {take.id: take.fingerprint for take in changed.takes}.items():
        return ()
    added = tuple(take for take in changed.takes if take.id not in known)
    recorded = read_takes(run.place)
    then, now = compare(plan.takes, recorded), compare(changed.takes, recorded)
    is_new = {take.id for take in added} == set(now.new) - set(then.new)
    return added if is_new and (then.renames, then.changed) == (now.renames, now.changed) else ()
