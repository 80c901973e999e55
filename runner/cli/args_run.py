"""The flags of the commands that submit and pay (run, plan, retry).

In: the list of commands. Out: the same list with these commands in it. It does not know what a command does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli import args_shared
from runner.cli.arg_types import (
    Commands,
    Parser,
    add_command,
    amount,
    limit,
    moment,
    number,
    one_of,
    period,
    stretch,
    switch,
    value,
    values,
    whole,
)


def run(commands: Commands[Parser]) -> None:
    """Add `run`."""
    parser = add_command(
        commands,
        "run",
        "render what is missing; the same command again continues where it stopped",
        "It submits nothing while the manifest has a problem.",
    )
    args_shared.manifest(parser)
    switch(parser, "-n, --dry-run", "only show what the run would do, as plan does")
    _dry(parser)
    _running(parser)


def plan(commands: Commands[Parser]) -> None:
    """Add `plan`."""
    parser = add_command(
        commands,
        "plan",
        "show what a run would do with each take, why, and at what cost; spends and changes nothing",
        "It accepts the flags of run. It needs no network and no token.",
    )
    args_shared.manifest(parser, says=args_shared.OR_STDIN)
    _dry(parser)
    _running(parser)


def retry(commands: Commands[Parser]) -> None:
    """Add `retry`."""
    parser = add_command(
        commands,
        "retry",
        "pay for new attempts of failed or cancelled takes, and run them",
        "It says how many and asks. Then it works as run does, for these takes alone.",
    )
    args_shared.target(parser)
    args_shared.takes(parser)
    switch(parser, "--even-moderated", "also retry takes rejected by moderation, even if unchanged")
    value(parser, "--reason TEXT", str, "why you retry; kept on record", default="")
    _running(parser)


def _dry(parser: Parser) -> None:
    switch(parser, "--exit-code", "for a plan: exit with 2 if it would submit anything")
    switch(parser, "--online", "for a plan: also ask the API for prices, your balance and schemas")
    args_shared.output(parser)


def _running(parser: Parser) -> None:
    args_shared.choosing(parser, acts="submit")
    _extent(parser)
    _limits(parser.add_argument_group("money and time, counted over all runs in the run directory"))
    _caution(parser.add_argument_group("when things go wrong"))
    one_of(parser, "--progress", ("auto", "bar", "plain", "json", "none"), "how to show progress")
    args_shared.api_base(parser)
    args_shared.consent(parser)
    switch(
        parser,
        "--new-run",
        "start over although the folder of an earlier run is gone; all its jobs may then be paid for again",
    )
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.manifest_limits(parser)
    simulation = parser.add_argument_group("simulation")
    switch(simulation, "--simulate", "use a simulator on this machine: no key, no network, no cost")
    args_shared.steering(simulation)


def _extent(parser: Parser) -> None:
    value(parser, "-j, --jobs N", whole(1, 1000), "jobs at the API at the same time (default: 4)", default=4)
    switch(
        parser,
        "--stale",
        "also render takes again whose rows changed after they were paid for; older clips are kept",
    )
    switch(parser, "--no-download", "do not download the clips; they stay at the API")
    value(parser, "--run-dir DIR", Path, "folder of the run (default: reports/NAME beside the manifest)")
    switch(parser, "-y, --yes", "submit paid jobs without asking")
    switch(
        parser,
        "--allow-duplicates",
        "where no question is asked, also pay for takes that send the same request as another take",
    )
    value(
        parser,
        "--poll-interval S",
        number(0.05, 30.0),
        "minimum seconds between two status checks of a job (default: 1)",
        default=1.0,
    )
    value(
        parser,
        "--submit-window N",
        whole(1, 64),
        "submissions being sent at the same time (default: 1); a crash leaves at most N in doubt",
        default=1,
    )


def _limits(group: argparse._ArgumentGroup) -> None:
    value(
        group,
        "--max-cost USD",
        amount,
        "stop submitting when the total cost would exceed this amount; takes without a price are refused",
    )
    value(group, "--warn-cost USD", amount, "warn once the total cost exceeds this amount")
    switch(group, "--allow-unpriced", "with --max-cost: also submit takes without a price, counted as 0")
    value(group, "--max-submits N", whole(1, 1_000_000), "submit at most N jobs")
    value(
        group,
        "--until TIME",
        moment,
        "stop submitting at this time on this machine's clock, such as 07:00 or 2027-01-31T07:00",
    )
    value(
        group,
        "--for TIME",
        stretch,
        "stop submitting after this length of time, such as 6h or 2h30m; a restarted run uses what is left of it",
        dest="lasts",
    )
    one_of(
        group,
        "--cutoff",
        ("drain", "cancel-queued"),
        "what to do at a limit: finish active jobs, and submit more if these cost less than estimated (drain), or "
        "cancel queued jobs at once (cancel-queued)",
    )


def _caution(group: argparse._ArgumentGroup) -> None:
    _lost_answers(group)
    _failures(group)
    value(
        group,
        "--outage-limit TIME",
        period,
        "how long to wait for a service that does not answer, such as 30m (default: 12h)",
        default=12 * 3600.0,
    )
    value(
        group,
        "--job-limit TIME",
        period,
        "stop waiting for a job that is older than this (default: 24h); the next run checks it again",
        default=24 * 3600.0,
    )
    one_of(
        group,
        "--on-interrupt",
        ("drain", "detach", "cancel-queued"),
        "what the first Ctrl-C does: finish active jobs (drain), leave them to the next run (detach), or cancel "
        "queued jobs (cancel-queued)",
    )


def _lost_answers(group: argparse._ArgumentGroup) -> None:
    one_of(
        group,
        "--on-unknown",
        ("hold", "stop", "pay-again"),
        "what to do if the answer to a submission is lost: hold the take for your decision (hold), hold it and stop "
        "submitting (stop), or submit and pay again (pay-again)",
    )
    value(
        group,
        "--max-extra-paid N",
        whole(1, 1000),
        "with --on-unknown pay-again: at most N extra payments, over all runs",
        default=0,
    )
    value(
        group,
        "--max-unknown N",
        whole(1, 1000),
        "stop submitting after N submissions without an answer (default: 3)",
        default=3,
    )


def _failures(group: argparse._ArgumentGroup) -> None:
    value(
        group,
        "--retries N",
        whole(0, 20),
        "pay for a take again, up to N times, if the provider failed (default: 0); never after moderation",
        default=0,
    )
    values(
        group,
        "--halt KIND=N",
        limit,
        "stop submitting after N failures of a kind, such as moderation=3, or of any kind: fail=5; may be repeated",
    )
    value(
        group,
        "--scout N",
        whole(0, 100),
        "first finish N takes of each model and settings; submit the rest only if these succeed (default: 0)",
        default=0,
    )
