"""`cancel`: asks the API to cancel jobs, and reports what became of each."""

from __future__ import annotations

import argparse

from runner.cli.from_flags import choice_of, opening_of, user_name
from runner.cli.json_output import envelope
from runner.cli.terminal import note, show_result, warn
from runner.commands.cancel import cancel
from runner.commands.steps.api_session import recorded_request
from runner.commands.steps.find_run import find_recorded
from runner.domain.display import visible

GOES_ON = 2


def command(arguments: argparse.Namespace) -> int:
    """Ask, and print one line per take; return 2 if a job continues or the API could not be asked."""
    run = find_recorded(arguments.target, simulated=arguments.simulate or None)
    opening, base = opening_of(arguments), arguments.api_base
    done = cancel(
        run.place,
        arguments.takes,
        choice=choice_of(arguments),
        everything=arguments.all,
        dry_run=arguments.dry_run,
        by=user_name(),
        request=recorded_request(run.place, run.header, api_base=base, opening=opening),
    )
    note(done.notes)
    takes = [
        {"take": one.take_id, "outcome": one.word, "stopped": one.stopped, "message": one.says}
        for one in done.outcomes
    ]
    value = {"takes": takes, "running": done.runner_at_work, "dry_run": arguments.dry_run}
    lines = [f"{visible(one.take_id)}: {one.says}" for one in done.outcomes]
    show_result(
        arguments, envelope("cancel", value), lines or ["no job is active, so there is nothing to cancel"]
    )
    if arguments.dry_run:
        return 0
    if done.runner_at_work:
        warn(["a runner is working on this run and will record what became of them"])
    return 0 if all(one.stopped for one in done.outcomes) else GOES_ON
