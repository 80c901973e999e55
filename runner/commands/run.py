"""The whole flow of a run, as one list of steps: each is a function of its own room or of `steps`.

In: a manifest's path and what is asked of the run. Out: a summary. Slow libraries are imported at their use.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path
from typing import Any, ParamSpec, cast

from runner.commands.check import plan_of
from runner.commands.steps import open_run
from runner.commands.steps.clip_hooks import ClipHooks, hooking
from runner.commands.steps.complete_run import complete_run
from runner.commands.steps.controls import Controls
from runner.commands.steps.inspect_clips import ClipInspection, inspecting
from runner.commands.steps.known_jobs import heard_now
from runner.commands.steps.notices import notifying
from runner.commands.steps.open_run import OpenOptions
from runner.commands.steps.plan_again import give_up, plan_again
from runner.commands.steps.prepare import Prepared, prepare
from runner.commands.steps.python_progress import Follow, Follower, usual_progress
from runner.commands.steps.request import Progress, RunRequest, Warn, no_progress, no_warnings
from runner.commands.steps.run_log import run_log
from runner.commands.steps.session import failure_words, run_engine
from runner.commands.steps.session_settings import session_settings
from runner.commands.steps.signals import Interrupts
from runner.commands.steps.stored_run import StoredRun, stored
from runner.commands.steps.summary import RunEstimate, RunSummary, ended_event, sum_up
from runner.commands.steps.tuned_settings import flags_of
from runner.domain.run_ending import Ending, EndingKind, Stop
from runner.domain.run_events import Listeners
from runner.domain.shots import Plan
from runner.engine.options import EngineOptions
from runner.manifest.size_limits import LIMITS
from runner.manifest.size_limits import Limits as ManifestLimits
from runner.plan.selection import ALL, Choice
from runner.plan.timing import window
from runner.simulator.settings import SimulatorSettings
from runner.store.run_dir import RunDir, make
from runner.store.state_file import StateFile
from runner.system.clock import Clock, SystemClock
from runner.system.version import __version__

P = ParamSpec("P")


def run_manifest(
    manifest: str | Path,
    *,
    run_dir: str | Path | None = None,
    options: EngineOptions | None = None,
    simulate: SimulatorSettings | None = None,
    choice: Choice = ALL,
    first: Sequence[str] = (),
    stale: bool = False,
    look: bool = True,
    inspect: bool = True,
    schema_dirs: Sequence[Path] = (),
    manifest_limits: ManifestLimits = LIMITS,
    api_base: str | None = None,
    environ: Mapping[str, str] | None = None,
    confirm: Callable[[RunEstimate], bool] | None = None,
    progress: Follow | Progress | None = None,
    clock: Clock | None = None,
    on_interrupt: Stop = Stop.DRAIN,
    moved: bool = False,
    allow_network_fs: bool = False,
    new_run: bool = False,
    warn: Warn | None = None,
    name_template: str | None = None,
    interrupts: Interrupts | None = None,
) -> RunSummary:
    """Render what the manifest asks for and the run directory does not have yet; calling it again goes on.

    Only these arguments count: the settings in a `run:` block or a `shotrunner.toml` are the command line's. With
    `simulate` it uses its own local simulator and nothing is paid. `confirm` is asked before the first submission, and
    False ends the run with nothing sent; without it no one is asked. `choice` limits what is submitted, never what is
    watched. The takes that the patterns of `first` mean are submitted before all others. With `look`, the media links
    of what is about to be paid for are looked at first. With `inspect`, each clip is looked into in the background,
    which can only add remarks about it. `stale` renders chosen takes again whose rows changed after they were paid for,
    and keeps older clips. `moved` agrees to go on with a run that was moved or copied, `allow_network_fs` to one on a
    network share, `new_run` to forget a run whose folder is gone; `manifest_limits` are how large the manifest may be.
    `warn` gets the warnings about the manifest before `confirm` is asked, with True if an earlier session got those of
    the same file. `name_template`, such as `{shot}_t{take:02}`, names the clips; a run keeps it until another is given,
    and `{id}` goes back to the ids.

    `progress` gets each event of a session that has work: a `RunStarted`, each `FactRecorded`, `Message` and `Steered`,
    and a `RunEnded`. It is called from one thread at a time, but not always from the same one, and must return quickly.
    What it raises becomes one `RuntimeWarning`, and the run continues. It may also answer `RunStarted` with a context
    manager of a listener, which then gets this event and all others. In a notebook a bar is shown unless `progress` is
    given.

    `on_interrupt` says what the first Ctrl-C does, or the first interrupt of a notebook's cell: by default, the run
    submits no more, waits for its jobs, and returns. The second one leaves at once. Signals are handled in the main
    thread; from any other one, `interrupts.send()` does the same.

    Raises:
        ShotrunnerError: one of its classes says what to do; everything recorded so far stays.
    """
    settled = os.environ if environ is None else environ
    wall = clock or SystemClock()
    with Follower(progress) if progress is not None else nullcontext() as follower:
        return run(
            RunRequest(
                Path(manifest),
                options or EngineOptions(),
                simulate,
                choice,
                tuple(schema_dirs),
                api_base,
                settled,
                confirm or (lambda _: True),
                no_progress if follower else usual_progress(clock=wall),
                wall,
                on_interrupt,
                OpenOptions(moved, allow_network_fs, settled, new_run=new_run),
                stale,
                manifest_limits,
                None if run_dir is None else Path(run_dir),
                warn or no_warnings,
                look=look,
                inspect=inspect,
                name_template=name_template,
                first=tuple(first),
                listeners=(follower,) if follower else (),
                interrupts=interrupts or Interrupts(),
            )
        )


def _awaitable(start: Callable[P, RunSummary]) -> Callable[P, Coroutine[Any, Any, RunSummary]]:
    """Return the function for a running event loop: it works in a thread, and a cancelled task interrupts the run."""

    @wraps(start)
    async def started(*args: P.args, **kwargs: P.kwargs) -> RunSummary:
        given = kwargs.get("interrupts")
        interrupts = given if isinstance(given, Interrupts) else Interrupts()
        call = partial(
            cast("Callable[..., RunSummary]", start), *args, **{**kwargs, "interrupts": interrupts}
        )
        work = asyncio.ensure_future(asyncio.to_thread(call))
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
                interrupts.send()
        if cancelled is not None:
            raise cancelled from work.exception()
        return work.result()

    return started


run_manifest_async = _awaitable(run_manifest)
"""`run_manifest` for code inside an event loop, with the same arguments; the run works in a thread of its own.

Cancel the task once, and the run submits no more and waits for its jobs; cancel it again, and the run leaves at once.
Either way the task then ends as cancelled, and the next run continues. Functions such as `progress` and `confirm` are
called in that thread.
"""


def run(request: RunRequest) -> RunSummary:
    """Go through the whole flow of a run once, from the manifest to the summary; raises as `run_manifest`."""
    with notifying(request) as notified:
        summary = _run(notified.request)
    return replace(summary, remarks=(*summary.remarks, *notified.remarks))


def _run(request: RunRequest) -> RunSummary:
    # An earlier session may have left clips to the command of this one.
    if not request.on_delivered and (complete := complete_run(request)) is not None:
        return complete
    plan = plan_of(request)
    place = make(request.home(plan.manifest.name))
    with (
        request.opening.locked(place),
        _opened(request, plan, place) as state,
        stored(place, state, request.clock, patience=request.options.outage_limit) as at_store,
    ):
        todo = prepare(request, plan, place, state)
        # The record has it all now, and a hundred thousand takes need not stay in memory for a night.
        del plan
        watched = request if todo.agreed else replace(request, inspect=False, on_delivered=())
        controls, is_engaged = Controls(request.options), todo.is_engaged
        with inspecting(watched, place, state) as inspection, hooking(watched, place) as hooks:
            ending, signal = _DECLINED
            if todo.agreed:
                ending, signal, todo = _run_session(
                    request, place, state, todo, inspection, hooks, controls, at_store
                )
        state.note_heard(heard_now(place, request.environ))
        # A run that is noted as complete is not gone through again, so nothing may be left of the looks.
        is_complete = inspection is None or inspection.is_complete
        if todo.agreed and is_complete and not (todo.said or state.notes):
            state.note_completion(todo.completion)
        # The engine says them, where there is anything left to do.
        notes = () if is_engaged else state.notes
    summary = sum_up(place, todo.about, ending=ending, signal=signal, now=request.clock.wall())
    found = tuple(
        remark for each in (inspection, hooks, at_store) if each is not None for remark in each.remarks
    )
    remarks = (*notes, *todo.said, *summary.remarks, *found)
    limits, tuned = controls.options.limits, tuple(flags_of(controls.tunes))
    summary = replace(summary, remarks=remarks, limits=limits, tuned=tuned)
    if is_engaged:
        failures = list[Exception]()
        with run_log(place, request.clock) as log:
            followers = Listeners((log, *request.listeners), on_failure=failures.append)
            followers.on_event(ended_event(summary, at=request.clock.wall()))
        summary = replace(summary, remarks=(*summary.remarks, *map(failure_words, failures)))
    return summary


def _run_session(
    request: RunRequest,
    place: RunDir,
    state: StateFile,
    todo: Prepared,
    inspection: ClipInspection | None,
    hooks: ClipHooks | None,
    controls: Controls,
    at_store: StoredRun | None,
) -> tuple[Ending, int | None, Prepared]:
    """Run the engine in the time that the run is given, with the session on record; return what it did in the end."""
    limits, clock = request.options.limits, request.clock
    now = clock.wall()
    mine = window(limits, todo.sessions, now=now)
    began = None if mine.seconds is None else mine.began_at
    state.begin_session(
        at=now,
        version=__version__,
        limit_s=mine.seconds,
        window_began_at=began,
        settings=session_settings(request),
    )
    while True:
        ending, signal = run_engine(
            request,
            place,
            state,
            todo.about,
            first=todo.first,
            controls=controls,
            finished=todo.finished,
            deadline=mine.deadline,
            inspection=inspection,
            hooks=hooks,
            at_store=at_store,
        )
        if ending.kind is not EndingKind.RELOAD:
            break
        # What a person sends meanwhile waits for the next engine.
        with request.interrupts.forwarding():
            todo = plan_again(request, place, state, todo, controls=controls)
    give_up(request, place, state, controls=controls)
    return ending, signal, todo


_DECLINED = Ending(EndingKind.DECLINED, "not agreed to, so nothing was submitted"), None


def _opened(request: RunRequest, plan: Plan, place: RunDir) -> StateFile:
    header = open_run.new_header(
        place,
        request.manifest,
        name=plan.manifest.name,
        simulated=request.simulated,
        api_base=request.origin,
        now=request.clock.wall(),
        out=request.clip_store,
    )
    return open_run.open_state(place, header=header, opening=request.opening)
