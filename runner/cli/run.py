"""`run`: asks before it pays, shows what happens, and ends with where everything is and how to continue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from runner.cli.money_text import (
    agreed_to_pay,
    as_retry,
    cost_lines,
    duplicate_words,
    is_past,
    limit_lines,
    limits_of,
    price_words,
    raised,
)
from runner.cli.prompts import choice_of, repeated
from runner.cli.simulator_flags import simulator_settings
from runner.cli.stdin_manifest import manifest_limits
from runner.commands.run import run_manifest
from runner.commands.steps.summary import RunEstimate, RunSummary
from runner.domain.display import PATH_LIMIT, counted, spent_words, standing, tally, visible
from runner.domain.errors import UsageError
from runner.domain.limits import Limits
from runner.domain.run_ending import EndingKind, Stop
from runner.domain.run_events import Listener
from runner.domain.states import OUT_THERE, TakeState
from runner.engine.options import EngineOptions
from runner.engine.poll_pace import LookPace
from runner.engine.retry_policy import FailureLimit, OnUnknown
from runner.output.progress import Kind, make_progress
from runner.simulator.settings import SimulatorSettings
from runner.store.lock import RunLock
from runner.system.clock import SystemClock
from runner.system.escapes import command_line

CLIPS_SHOWN = 12
CAUSES_SHOWN = 5
_RESUMABLE = frozenset({3, 69, 74, 77})
_CUT = frozenset({EndingKind.LIMIT, EndingKind.INTERRUPTED})


def command(arguments: argparse.Namespace, *, lock: RunLock | None = None) -> int:
    """Run the manifest and print how it ended; `-n` only shows the plan. `lock` is held by the caller."""
    if arguments.dry_run:
        from runner.cli import plan

        return plan.command(arguments)
    summary = run_manifest(
        arguments.manifest,
        run_dir=arguments.run_dir,
        options=options_of(arguments),
        simulate=simulator_of(arguments),
        choice=choice_of(arguments),
        stale=arguments.stale,
        schema_dirs=arguments.schema_dir,
        manifest_limits=manifest_limits(arguments),
        api_base=arguments.api_base,
        confirm=_asker(
            assume_yes=arguments.yes,
            capped=arguments.max_cost is not None,
            twice=arguments.allow_duplicates,
            extra=extra_words(arguments),
        ),
        progress=_progress(arguments.progress),
        on_interrupt=Stop(arguments.on_interrupt),
        moved=arguments.moved,
        allow_network_fs=arguments.allow_network_fs,
        new_run=arguments.new_run,
        lock=lock,
    )
    for line in _results(summary):
        print(line)
    sys.stdout.flush()
    limits = limits_of(arguments)
    # With `none` no one has seen the engine's messages.
    warned = cost_lines(summary, limits) if arguments.progress == "none" else []
    for line in (*warned, *_advice(summary, arguments.words, limits, now=SystemClock().wall())):
        print(line, file=sys.stderr)
    return summary.exit_code


def options_of(arguments: argparse.Namespace) -> EngineOptions:
    """Return the engine's options that the flags ask for."""
    return EngineOptions(
        jobs=arguments.jobs,
        submit_window=arguments.submit_window,
        download=not arguments.no_download,
        max_unknown=arguments.max_unknown,
        outage_limit=arguments.outage_limit,
        job_limit=arguments.job_limit,
        on_unknown=OnUnknown(arguments.on_unknown),
        max_extra_paid=arguments.max_extra_paid,
        retries=arguments.retries,
        failure_limit=FailureLimit(dict(arguments.halt)),
        scout=arguments.scout,
        limits=limits_of(arguments),
        pace=LookPace(floor=arguments.poll_interval),
    )


def simulator_of(arguments: argparse.Namespace) -> SimulatorSettings | None:
    """Return how to simulate, or None for a real run, where the simulator's flags are refused."""
    if arguments.simulate:
        return simulator_settings(arguments)
    for flag in ("speed", "fail_rate", "script"):
        if getattr(arguments, flag) is not None:
            raise UsageError(f"--{flag.replace('_', '-')} steers the simulator", advice="add --simulate")
    return None


def extra_words(arguments: argparse.Namespace) -> str:
    """Return what the flags may add to the bill, in words."""
    more = []
    if arguments.retries:
        more.append(f"each paid up to {arguments.retries} times more if the provider fails")
    if arguments.max_extra_paid:
        more.append(f"up to {arguments.max_extra_paid} paid twice if their answers are lost")
    return f" ({'; '.join(more)})" if more else ""


def _asker(*, assume_yes: bool, capped: bool, twice: bool, extra: str) -> Callable[[RunEstimate], bool]:
    """Return the function that agrees to pay: by -y, by a person, or without a terminal by the cap."""

    def agree(estimate: RunEstimate) -> bool:
        if estimate.simulated:
            return True
        jobs, again = counted(estimate.submits, "paid job"), duplicate_words(estimate.duplicates)
        more = f"{again}{extra}: {price_words(estimate)}"
        return agreed_to_pay(
            # These words differ from the progress lines, so that a script that counts those counts right.
            f"{jobs} at {estimate.host}{more}",
            f"{jobs} will be submitted to {estimate.host}{more}.",
            duplicates=estimate.duplicates,
            assume_yes=assume_yes,
            capped=capped,
            twice=twice,
        )

    return agree


def _progress(asked: str) -> Callable[[int, int], AbstractContextManager[Listener]]:
    terminal = sys.stderr.isatty()
    kinds: dict[str, Kind] = {"bar": "bar", "plain": "plain", "json": "json", "none": "none"}
    kind = kinds.get(asked, "bar" if terminal else "plain")

    def make(total: int, done: int) -> AbstractContextManager[Listener]:
        return make_progress(kind, stream=sys.stderr, total=total, done=done, clock=SystemClock())

    return make


def _results(summary: RunSummary) -> list[str]:
    """Return what a script may want: what became of the takes, and where the files are."""
    standings: dict[str, int] = {}
    for state, count in summary.counts.items():
        if state is TakeState.SUCCEEDED:
            continue
        standings[standing(state)] = standings.get(standing(state), 0) + count
    for delivery, count in summary.deliveries.items():
        name = standing(TakeState.SUCCEEDED, delivery)
        standings[name] = standings.get(name, 0) + count
    total = sum(summary.counts.values())
    lines = [f"{counted(total, 'take')}: {tally(standings)}" if total else "no takes"]
    if summary.ending.kind is EndingKind.FINISHED and summary.submitted == 0 and summary.exit_code == 0:
        lines[0] += "; nothing was submitted"
        lines[0] += "" if summary.stale or summary.dropped else ", everything is complete"
    if summary.dropped:
        lines[0] += f"; {summary.dropped:,} dropped: given up, and not sent again"
    if summary.stale:
        lines[0] += f"; {summary.stale:,} stale: made from rows that changed since"
    spent = spent_words(summary.spending, simulated=summary.simulated)
    if spent:
        lines.append(spent)
    if summary.reports is not None:
        lines += ["", f"report  {_path(summary.reports.html)}", f"        {_path(summary.reports.csv)}"]
    lines += [
        f"{'clips' if not at else '':<8}{_path(clip)}" for at, clip in enumerate(summary.clips[:CLIPS_SHOWN])
    ]
    if len(summary.clips) > CLIPS_SHOWN:
        lines.append(
            f"        … and {len(summary.clips) - CLIPS_SHOWN} more in {_path(summary.clips[0].parent)}"
        )
    return lines


def _path(path: Path) -> str:
    return visible(str(path), PATH_LIMIT)


def _advice(summary: RunSummary, words: Sequence[str], limits: Limits, *, now: float) -> list[str]:
    """Return what to do next; after an interruption the last line is the command that continues."""
    lines = [visible(remark) for remark in summary.remarks]
    if summary.ending.reason:
        lines.append(f"stopped: {visible(summary.ending.reason)}")
    lines += limit_lines(summary)
    lines += summary.causes[:CAUSES_SHOWN]
    if len(summary.causes) > CAUSES_SHOWN:
        lines.append(f"and {counted(len(summary.causes) - CAUSES_SHOWN, 'other cause')}; see the report")
    if summary.held:
        lines.append(
            f"{counted(len(summary.held), 'take')} held: submitted without an answer, perhaps paid for. "
            "They are never sent again automatically."
        )
        lines += [f"  {visible(take.take_id)}: {visible(take.reason)}" for take in summary.held[:5]]
        lines.append(f"  → {command_line('show', summary.run_dir, summary.held[0].take_id)}")
        lines.append(f"  → {command_line('reconcile', summary.run_dir)}")
    return lines + _next_steps(summary, raised(words, summary, limits, now=now), is_over=is_past(limits, now))


def _next_steps(summary: RunSummary, words: Sequence[str], *, is_over: bool) -> list[str]:
    """Return the commands that finish the storyboard, the next one last; cancelled takes need `retry`."""
    retried = repeated(as_retry(words)) if summary.cancelled else ""
    said = f"{counted(len(summary.cancelled), 'take')} cancelled, which a run does not send again"
    if summary.signal is None and summary.exit_code not in _RESUMABLE:
        return [f"{said}; for new attempts:", f"  → {retried}"] if retried else []
    lines = ["the moment of --until has passed, so it is left out here; give a later one"] if is_over else []
    waits = {TakeState.PENDING} | OUT_THERE
    if retried and summary.ending.kind in _CUT and not any(summary.counts.get(state) for state in waits):
        return [*lines, f"go on with: {retried}"]
    if retried:
        lines += [f"{said}; for new attempts, once the rest is done:", f"  → {retried}"]
    return [*lines, f"go on with: {repeated(words)}"]
