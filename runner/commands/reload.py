"""What a running session would do by the manifest as it is now, for the person who wants it to plan again.

In: a run that goes on. Out: a preview, and then the order. It writes nothing but the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.commands.plan import PlanPreview, preview
from runner.commands.steer import may_hear
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import RecordedRun
from runner.commands.steps.open_run import OpenOptions
from runner.commands.steps.session_settings import choice_in
from runner.domain.orders import Reload
from runner.manifest.size_limits import Limits
from runner.store.reader import open_reader


@dataclass(frozen=True, slots=True)
class ReloadPreview:
    """What the session would do: the plan, the ids that are `added`, and the order for it.

    `is_heard` is false if no session goes on that could obey.
    """

    plan: PlanPreview
    added: tuple[str, ...]
    order: Reload
    is_heard: bool


def preview_reload(
    run: RecordedRun,
    *,
    schema_dirs: Sequence[Path],
    manifest_limits: Limits,
    allow_duplicates: bool,
    opening: OpenOptions,
) -> ReloadPreview:
    """Return what planning again would lead to, by what the manifest says at this moment.

    Raises:
        ManifestInvalid, FileMissing: the manifest has problems, or is gone; all of them are in the exception.
    """
    request = recorded_request(run.place, run.header, opening=opening)
    with open_reader(run.place.state_file) as reader:
        known = {take.take_id for take in reader.standings()}
        session, is_heard = reader.newest_session(), may_hear(run.place, reader)
    settings = session.settings if session is not None else {}
    request = replace(
        request,
        run_dir=run.place.path,
        choice=choice_in(settings),
        stale=settings.get("stale") is True,
        schema_dirs=tuple(schema_dirs),
        manifest_limits=manifest_limits,
    )
    plan = preview(request, allow_duplicates=allow_duplicates)
    added = tuple(step.take_id for step in plan.submits if step.take_id not in known and step.was is None)
    # A session that begins a moment later has been agreed to by no one.
    agreed = (plan.estimate, plan.unpriced) if is_heard else (0.0, 0)
    order = Reload(plan.manifest_sha256, *agreed)
    return ReloadPreview(plan, added, order, is_heard)
