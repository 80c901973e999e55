"""`run`: asks before it pays, shows what happens, and ends with where everything is and how to continue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from runner.cli.from_flags import is_capped
from runner.cli.money_text import agreed_to_pay, cost_lines, duplicate_words, limit_lines, price_words
from runner.cli.next_command import as_retry, is_past, raised, repeated
from runner.cli.problems import Warnings
from runner.cli.run_flags import limits_of, request_of, simulator_of
from runner.cli.terminal import show, warn
from runner.commands.run import run
from runner.commands.steps.summary import RunEstimate, RunSummary
from runner.domain.display import PATH_LIMIT, counted, spent_words, tally, visible, with_label
from runner.domain.limits import Limits
from runner.domain.run_ending import EndingKind
from runner.domain.states import UNFINISHED
from runner.output.status_text import flag_words, standings
from runner.system.clock import SystemClock
from runner.system.escapes import command_line

CLIPS_SHOWN = 12
CAUSES_SHOWN = 5
FLAGGED_NAMED = 3
_RESUMABLE = frozenset({3, 69, 74, 77})
_CUT = frozenset({EndingKind.LIMIT, EndingKind.INTERRUPTED})


def command(arguments: argparse.Namespace) -> int:
    """Run the manifest and print how it ended; `-n` only shows the plan."""
    if arguments.dry_run:
        from runner.cli import plan

        return plan.command(arguments)
    simulate = simulator_of(arguments, simulated=arguments.simulate)
    request = request_of(arguments, manifest=arguments.manifest, simulate=simulate)
    confirm = asker(arguments, assume_yes=arguments.yes, twice=arguments.allow_duplicates)
    request = replace(request, confirm=confirm, warn=Warnings(arguments.manifest))
    return show_end(run(request), arguments, arguments.words)


def show_end(summary: RunSummary, arguments: argparse.Namespace, words: Sequence[str]) -> int:
    """Print how a run ended and what to do next, and return its exit code; `words` are the command to continue from."""
    show(_results(summary))
    sys.stdout.flush()
    limits = limits_of(arguments)
    # With `none` no one has seen the engine's messages.
    warned = cost_lines(summary, limits) if arguments.progress == "none" else []
    warn([*warned, *_advice(summary, words, limits, now=SystemClock().wall())])
    return summary.exit_code


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
        jobs, again = counted(estimate.submits, "paid job"), duplicate_words(estimate.duplicates)
        more = f"{again}{extra_words(arguments)}: {price_words(estimate)}"
        return agreed_to_pay(
            # These words differ from the progress lines, so that a script that counts those counts right.
            f"{jobs} at {estimate.host}{more}",
            f"{jobs} will be submitted to {estimate.host}{more}.",
            duplicates=estimate.duplicates,
            assume_yes=assume_yes,
            capped=is_capped(arguments),
            twice=twice,
        )

    return agree


def _results(summary: RunSummary) -> list[str]:
    """Return what a script may want: what became of the takes, and where the files are."""
    total = sum(summary.counts.values())
    said = tally(standings(summary.counts, summary.deliveries))
    first = f"{counted(total, 'take')}: {said}" if total else "no takes"
    if summary.ending.kind is EndingKind.FINISHED and summary.submitted == 0 and summary.exit_code == 0:
        first += "; nothing was submitted"
        first += "" if summary.stale or summary.dropped else ", everything is complete"
    if summary.dropped:
        first += f"; {summary.dropped:,} dropped: given up, and not sent again"
    if summary.stale:
        first += f"; {summary.stale:,} stale: made from rows that changed since"
    lines = [first]
    if spent := spent_words(summary.spending, simulated=summary.simulated):
        lines.append(spent)
    if summary.reports is not None:
        lines += ["", f"report  {_path(summary.reports.html)}", f"        {_path(summary.reports.csv)}"]
    names = ["clips", *[""] * CLIPS_SHOWN]
    lines += [
        f"{name:<8}{clip_line(summary, clip)}"
        for name, clip in zip(names, summary.clips[:CLIPS_SHOWN], strict=False)
    ]
    if (more := len(summary.clips) - CLIPS_SHOWN) > 0:
        lines.append(f"        … and {more} more in {_path(summary.clips[0].parent)}")
    return lines


def clip_line(summary: RunSummary, clip: Path) -> str:
    """Return a clip's path, with its take's label where its name does not say it."""
    said = with_label(clip.stem, summary.labels.get(clip, "")).partition("  ")[2]
    return f"{_path(clip)}  {said}".rstrip()


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
    if held := summary.held:
        said = "held: submitted without an answer, perhaps paid for. They are never sent again automatically."
        lines.append(f"{counted(len(held), 'take')} {said}")
        lines += [f"  {with_label(take.take_id, take.label)}: {visible(take.reason)}" for take in held[:5]]
        lines.append(f"  → {command_line('show', summary.run_dir, held[0].take_id)}")
        lines.append(f"  → {command_line('reconcile', summary.run_dir)}")
    lines += flagged_lines(summary)
    return lines + _next_steps(summary, raised(words, summary, limits, now=now), is_over=is_past(limits, now))


def flagged_lines(summary: RunSummary) -> list[str]:
    """Return a line that names the flagged clips, and the command that shows them all."""
    if not (flagged := summary.flagged):
        return []
    named = "; ".join(map(flag_words, flagged[:FLAGGED_NAMED]))
    more = f"; and {len(flagged) - FLAGGED_NAMED:,} more" if len(flagged) > FLAGGED_NAMED else ""
    return [
        f"{counted(len(flagged), 'clip')} flagged: {named}{more}",
        f"  → {command_line('status', summary.run_dir)}",
    ]


def _next_steps(summary: RunSummary, words: Sequence[str], *, is_over: bool) -> list[str]:
    """Return the commands that finish the storyboard, the next one last; cancelled takes need `retry`."""
    retried = repeated(as_retry(words)) if summary.cancelled else ""
    said = f"{counted(len(summary.cancelled), 'take')} cancelled, which a run does not send again"
    if summary.signal is None and summary.exit_code not in _RESUMABLE:
        return [f"{said}; for new attempts:", f"  → {retried}"] if retried else []
    lines = ["the moment of --until has passed, so it is left out here; give a later one"] if is_over else []
    if retried and summary.ending.kind in _CUT and not any(summary.counts.get(state) for state in UNFINISHED):
        return [*lines, f"go on with: {retried}"]
    if retried:
        lines += [f"{said}; for new attempts, once the rest is done:", f"  → {retried}"]
    return [*lines, f"go on with: {repeated(words)}"]
