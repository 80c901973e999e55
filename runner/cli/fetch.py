"""`fetch`: downloads the clips of rendered takes that are missing or damaged; it never submits."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from runner.cli.from_flags import choice_of, opening_of
from runner.cli.next_command import repeated
from runner.cli.run import clip_line, flagged_lines
from runner.cli.run_flags import hook_words, progress_of
from runner.cli.terminal import show, warn
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
        progress=progress_of("auto"),
        inspect=not arguments.no_inspect,
        name_template=arguments.name,
        on_delivered=hook_words(arguments.on_delivered),
    )
    fetched = fetch(run.place, arguments.takes, choice=choice_of(arguments), request=request)
    show(_results(fetched))
    warn(_advice(fetched, arguments) or _onward(fetched, run.words))
    return fetched.exit_code


def _results(fetched: Fetched) -> list[str]:
    summary = fetched.summary
    wanted, here = sum(summary.deliveries.values()), summary.deliveries.get(DeliveryState.DELIVERED, 0)
    lines = [f"{here} of {counted(wanted, 'clip')} downloaded" if wanted else _all_here(fetched)]
    lines += [clip_line(summary, clip) for clip in summary.clips]
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
    if states.get(TakeState.FAILED) or states.get(TakeState.CANCELLED):
        lines.append(f"why some have no clip: {command_line('report', run_dir)}")
    if states.get(TakeState.HELD) or states.get(TakeState.SUBMITTING):
        lines.append(f"  → {command_line('reconcile', run_dir)}")
    if any(states.get(state) for state in UNFINISHED):
        lines.append(f"go on with: {command_line(*words)}")
    return lines


def _advice(fetched: Fetched, arguments: argparse.Namespace) -> list[str]:
    summary = fetched.summary
    lines = [visible(remark) for remark in summary.remarks]
    lines += flagged_lines(summary)
    lines += [f"not touched: {visible(find.file)}: {visible(find.says)}" for find in fetched.untouched]
    if summary.ending.reason:
        lines.append(f"stopped: {visible(summary.ending.reason)}")
    if summary.deliveries.get(DeliveryState.UNDELIVERABLE):
        lines.append(f"why, and the links: {command_line('report', summary.run_dir)}")
    if summary.ending.kind is not EndingKind.FINISHED or summary.signal is not None:
        lines.append(f"go on with: {repeated(arguments.words)}")
    return lines
