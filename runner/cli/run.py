"""`run`: asks before it pays, shows what happens, and ends with where everything is and how to continue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from runner.cli import ending
from runner.cli.event_stream import NO_EVENTS, EventStream, with_events
from runner.cli.from_flags import is_capped
from runner.cli.money_text import agreed_to_pay, cost_lines, duplicate_words, price_words
from runner.cli.next_command import raised, with_flags
from runner.cli.problems import Warnings
from runner.cli.run_flags import limits_of, notified, request_of, simulator_of
from runner.cli.run_page import with_page
from runner.cli.summary_json import summary_as_json
from runner.cli.terminal import note, show, show_json, warn
from runner.commands.run import run
from runner.commands.steps.request import no_warnings
from runner.commands.steps.summary import RunEstimate, RunSummary
from runner.domain.display import counted
from runner.domain.errors import UsageError
from runner.system.clock import SystemClock


def command(arguments: argparse.Namespace) -> int:
    """Run the manifest and print how it ended; `-n` only shows the plan."""
    if arguments.dry_run:
        from runner.cli import plan

        return plan.command(arguments)
    if arguments.exit_code or arguments.online:
        raise UsageError("--exit-code and --online are for a plan", advice="add -n")
    return with_events(arguments, lambda events: _run(arguments, events))


def _run(arguments: argparse.Namespace, events: EventStream) -> int:
    simulate = simulator_of(arguments, simulated=arguments.simulate)
    request = request_of(arguments, manifest=arguments.manifest, simulate=simulate)
    confirm = asker(arguments, assume_yes=arguments.yes, twice=arguments.allow_duplicates)
    warnings = no_warnings if arguments.quiet else Warnings(arguments.manifest)
    if request.shard is not None and not arguments.quiet:
        note(
            [f"shard {request.shard} of the board: --max-cost and other limits count in its own folder alone"]
        )
    request = replace(notified(request, arguments), confirm=confirm, warn=warnings)
    summary = run(with_page(events.follow(request), arguments))
    return show_end(summary, arguments, arguments.words, events)


def show_end(
    summary: RunSummary, arguments: argparse.Namespace, words: Sequence[str], events: EventStream = NO_EVENTS
) -> int:
    """Print how a run ended and what to do next, and return its exit code; `words` are the command to continue from."""
    # A run that was complete at once knows only the flags.
    limits, now = summary.limits if summary.tuned else limits_of(arguments), SystemClock().wall()
    words = with_flags(words, *summary.tuned)
    # With `none` no one has seen the engine's messages.
    warned = cost_lines(summary, limits) if arguments.quiet or arguments.progress == "none" else []
    needed = ending.need_lines(summary, words, limits, now=now)
    further = ending.next_lines(summary, words, limits, now=now)
    events.note_end(summary, [*needed, *further], code=summary.exit_code)
    if arguments.output == "json":
        show_json(summary_as_json(summary, raised(words, summary, limits, now=now)))
        return summary.exit_code
    if arguments.quiet:
        warn([*warned, *needed, *further])
        return summary.exit_code
    results = ending.count_lines(summary)
    reports = ["", *found] if (found := ending.report_lines(summary)) else []
    show_results(
        summary,
        results,
        ending.remark_lines(summary),
        [*warned, *needed, *further],
        piped=[*results, *reports, *ending.headed(ending.clip_lines(summary))],
        verbose=arguments.verbose,
    )
    show(ending.page_lines(summary) if sys.stdout.isatty() else [])
    return summary.exit_code


def show_results(
    summary: RunSummary,
    results: Sequence[str],
    remarks: Sequence[str],
    advice: Sequence[str],
    *,
    piped: Sequence[str],
    verbose: bool,
) -> None:
    """Print what a command led to, and then what to do next.

    On a terminal all clips have one line, or each its own if `verbose`, and remarks come first, since they may scroll
    away. A pipe gets the lines `piped` instead.
    """
    if not sys.stdout.isatty():
        show(piped)
        sys.stdout.flush()
        warn([*remarks, *advice])
        return
    warn(remarks)
    clips = ending.headed(ending.clip_lines(summary)) if verbose else ending.folder_lines(summary)
    show([*clips, *results])
    sys.stdout.flush()
    warn(advice)


def extra_words(arguments: argparse.Namespace) -> str:
    """Return what the flags may add to the bill, in words."""
    more = []
    if arguments.retries:
        more.append(f"each paid up to {arguments.retries} times more if the provider fails")
    if arguments.max_extra_paid:
        more.append(f"up to {arguments.max_extra_paid} paid twice if their answers are lost")
    return f" ({'; '.join(more)})" if more else ""


def asker(arguments: argparse.Namespace, *, assume_yes: bool, twice: bool) -> Callable[[RunEstimate], bool]:
    """Return the function that agrees to pay: by -y, by a person, or without a terminal by the cap."""

    def agree(estimate: RunEstimate) -> bool:
        if estimate.simulated:
            return True
        kind = "simulated job" if estimate.says_simulated else "paid job"
        jobs, again = counted(estimate.submits, kind), duplicate_words(estimate.duplicates)
        more = f"{again}{extra_words(arguments)}: {price_words(estimate)}"
        return agreed_to_pay(
            # These words differ from the progress lines, so that a script that counts those counts right.
            "" if arguments.quiet else f"{jobs} at {estimate.host}{more}",
            f"{jobs} will be submitted to {estimate.host}{more}.",
            duplicates=estimate.duplicates,
            assume_yes=assume_yes,
            capped=is_capped(arguments),
            twice=twice,
        )

    return agree
