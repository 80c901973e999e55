"""`reload`: shows what a running session would do by the manifest as it is now, and lets it plan again."""

from __future__ import annotations

import argparse

from runner.cli.from_flags import manifest_limits, opening_of
from runner.cli.json_output import declined_as_json
from runner.cli.money_text import duplicate_words
from runner.cli.problems import Warnings
from runner.cli.steered import give
from runner.cli.terminal import agreed, note, show_json, warn
from runner.commands.reload import ReloadPreview, preview_reload
from runner.commands.steps.find_run import find_recorded
from runner.domain.display import counted, listed, money
from runner.domain.errors import UsageError


def command(arguments: argparse.Namespace) -> int:
    """Show what would be added, ask where that is paid for, and give the order."""
    run = find_recorded(arguments.target, simulated=arguments.simulate or None)
    found = preview_reload(
        run,
        schema_dirs=arguments.schema_dir,
        manifest_limits=manifest_limits(arguments),
        allow_duplicates=arguments.allow_duplicates,
        opening=opening_of(arguments),
    )
    Warnings(found.plan.manifest)(found.plan.warnings)
    note([_words(found)])
    # Where no session goes on, no one need be asked.
    is_free = arguments.dry_run or not found.is_heard
    if not (is_free or _agreed(arguments, found, run.header.api_base)):
        said = "nothing was changed"
        if arguments.output == "json":
            show_json(declined_as_json(said))
        else:
            warn([said])
        return 3
    return give(arguments, found.order)


def _words(found: ReloadPreview) -> str:
    plan = found.plan
    new = f"{counted(len(found.added), 'new take')}{f': {listed(found.added)}' if found.added else ''}"
    cost = f"{plan.unpriced:,} without a price" if plan.unpriced else f"estimated {money(plan.estimate)}"
    return f"{new}; {counted(len(plan.submits), 'take')} to be submitted in all, {cost}"


def _agreed(arguments: argparse.Namespace, found: ReloadPreview, host: str) -> bool:
    plan = found.plan
    if plan.simulated or not plan.submits:
        return True
    jobs, again = counted(len(plan.submits), "paid job"), duplicate_words(plan.duplicates)
    if not arguments.yes:
        question = f"{jobs} will be submitted to {host}{again}, {len(found.added):,} of them new."
        return agreed(question, instead="-y to agree beforehand")
    if plan.duplicates:
        raise UsageError(
            f"{listed(plan.duplicates)} would pay again for a request that another take sends or has sent",
            advice="change or remove the rows, or add --allow-duplicates",
        )
    return True
