"""Warns where the board of a paid run was also run as a whole, or in another number of shards: each pays for itself.

In: the request of a run and its plan. Out: a warning, if folders beside the run show such a run. It opens no record.
"""

from __future__ import annotations

from runner.commands.steps.request import RunRequest
from runner.domain.display import listed
from runner.domain.errors import Position, Problem, Severity
from runner.domain.shots import Plan
from runner.store.run_dir import default_run_dir, is_run, shards_of


def other_splits(request: RunRequest, plan: Plan) -> tuple[Problem, ...]:
    """Return a warning if another split of the board has a run here; none if nothing is paid."""
    if request.simulated or request.run_dir is not None:
        return ()
    name, manifest = plan.manifest.name, request.manifest
    whole = default_run_dir(manifest, name=name, simulated=False)
    others = [each for each in (whole,) if request.shard and is_run(each)]
    end = f"-of-{request.shard.of}" if request.shard else ""
    shards = shards_of(manifest, name=name, kinds=(False,))
    others += [each for each in shards if not (end and each.name.endswith(end))]
    if not others:
        return ()
    message = (
        f"this board was also run in {listed([each.name for each in others])}, beside this run. What was paid for"
        " there is not known here, and is paid for again"
    )
    return (Problem(Position(plan.manifest.file), "", message, severity=Severity.WARNING),)
