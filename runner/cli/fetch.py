"""`fetch`: downloads the clips of rendered takes that are missing or damaged; it never submits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from runner.cli.ending import clip_lines, remark_lines, trouble_lines
from runner.cli.from_flags import choice_of, opening_of
from runner.cli.next_command import repeated
from runner.cli.run import show_results
from runner.cli.run_flags import hook_words, progress_of
from runner.cli.terminal import warn
from runner.commands.fetch import Fetched, fetch
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import find_recorded
from runner.domain.display import counted, spent_words, standing, tally, visible
from runner.domain.run_ending import EndingKind
from runner.domain.states import UNFINISHED, DeliveryState, TakeState
from runner.engine.options import EngineOptions
from runner.system.escapes import command_line

PATIENCE = 600.0
"""Seconds to wait for hosts that do not answer: a person is waiting, and can repeat the command."""


def command(arguments: argparse.Namespace) -> int:
    """Fetch, and print what was downloaded."""
    run = find_recorded(arguments.target, simulated=arguments.simulate or None)
    opening, base = opening_of(arguments), arguments.api_base
    known = recorded_request(run.place, run.header, api_base=base, opening=opening)
    request = replace(
        known,
        options=EngineOptions(outage_limit=PATIENCE),
        progress=progress_of("none" if arguments.quiet else "auto"),
        inspect=not arguments.no_inspect,
        name_template=arguments.name,
        on_delivered=hook_words(arguments.on_delivered),
    )
    fetched = fetch(run.place, arguments.takes, choice=choice_of(arguments), request=request)
    needed = _needed(fetched, arguments, run.words) or _onward(fetched, run.words)
    if arguments.quiet:
        warn(needed)
        return fetched.exit_code
    summary, (count, *others) = fetched.summary, _results(fetched)
    show_results(
        summary,
        [count, *others],
        _remarks(fetched),
        needed,
        piped=[count, *clip_lines(summary), *others],
        verbose=arguments.verbose,
    )
    return fetched.exit_code


def _results(fetched: Fetched) -> list[str]:
    summary = fetched.summary
    wanted, here = sum(summary.deliveries.values()), summary.deliveries.get(DeliveryState.DELIVERED, 0)
    lines = [f"{here} of {counted(wanted, 'clip')} downloaded" if wanted else _all_here(fetched)]
    spent = spent_words(summary.spending, simulated=summary.simulated)
    lines += [spent] if spent and summary.spending.without_cost else []
    if fetched.restored:
        lines.append(f"written again: {counted(len(fetched.restored), 'sidecar')}")
    return lines


def _all_here(fetched: Fetched) -> str:
    if not fetched.without_clip:
        return "every clip is here, whole"
    others = tally({standing(state): count for state, count in fetched.without_clip.items()})
    return f"every clip that was rendered is here, whole; without one: {others}"


def _onward(fetched: Fetched, words: Sequence[str]) -> list[str]:
    """Return the commands that finish the takes without a clip; `words` continue the run."""
    states, run_dir = fetched.without_clip, fetched.summary.run_dir
    lines = []
    for state in (TakeState.FAILED, TakeState.CANCELLED):
        if states.get(state):
            lines.append(f"{counted(states[state], 'take')} {state}; to pay for new attempts:")
            lines.append(f"  → {command_line('retry', run_dir, '--status', state.value)}")
    if states.get(TakeState.HELD) or states.get(TakeState.SUBMITTING):
        lines.append(f"  → {command_line('reconcile', run_dir)}")
    if any(states.get(state) for state in UNFINISHED):
        lines.append(f"go on with: {command_line(*words)}")
    return lines


def _remarks(fetched: Fetched) -> list[str]:
    untouched = (f"not touched: {visible(find.file)}: {visible(find.says)}" for find in fetched.untouched)
    return [*remark_lines(fetched.summary), *untouched]


def _needed(fetched: Fetched, arguments: argparse.Namespace, words: Sequence[str]) -> list[str]:
    """Return why it stopped, and what is to be done for the clips that are not here; `words` continue the run."""
    summary = fetched.summary
    lines = [f"stopped: {visible(summary.ending.reason)}"] if summary.ending.reason else []
    lines += trouble_lines(replace(summary, held=()), words)
    if summary.ending.kind is not EndingKind.FINISHED or summary.signal is not None:
        lines.append(f"go on with: {repeated(arguments.words)}")
    return lines
