"""Arguments of what submits and pays: run, retry, and their many flags.

In: the list of commands. Out: the same list with these in it. What they do is in the module each is named after.
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
        "render what is missing; the same command again goes on where it stopped",
        "Nothing is submitted while the manifest has a problem.",
    )
    args_shared.manifest(parser)
    switch(parser, "-n, --dry-run", "only show what would be done, as plan does")
    _dry(parser)
    _running(parser)


def plan(commands: Commands[Parser]) -> None:
    """Add `plan`."""
    parser = add_command(
        commands,
        "plan",
        "show what a run would do with each take, why, and for how much; spends and changes nothing",
        "Takes the flags of run. It needs no network and no token.",
    )
    args_shared.manifest(parser, says=args_shared.OR_STDIN)
    _dry(parser)
    _running(parser)


def retry(commands: Commands[Parser]) -> None:
    """Add `retry`."""
    parser = add_command(
        commands,
        "retry",
        "pay for a new attempt of takes that failed or were cancelled, and run them",
        "Says how many and asks; then it goes on as run does, for these takes alone.",
    )
    args_shared.target(parser)
    args_shared.takes(parser)
    switch(
        parser, "--even-moderated", "also what moderation turned down, though nothing about it has changed"
    )
    value(parser, "--reason TEXT", str, "why; kept on record", default="")
    _running(parser)


def _dry(parser: Parser) -> None:
    switch(parser, "--exit-code", "of a plan: exit with 2 if anything would be submitted")
    switch(parser, "--online", "of a plan: also ask the API for live prices, the balance and its schemas")
    args_shared.output(parser)


def _running(parser: Parser) -> None:
    args_shared.choosing(parser, acts="submit")
    _extent(parser)
    _limits(parser.add_argument_group("money and time, over the whole life of the run directory"))
    _caution(parser.add_argument_group("when things go wrong"))
    one_of(parser, "--progress", ("auto", "bar", "plain", "json", "none"), "how to show progress")
    args_shared.api_base(parser)
    args_shared.consent(parser)
    switch(
        parser,
        "--new-run",
        "a run was killed here or left jobs out, and its folder is gone: forget it, whatever it may have paid for",
    )
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.manifest_limits(parser)
    simulation = parser.add_argument_group("simulation")
    switch(simulation, "--simulate", "use a local simulator: no key, no network, no cost")
    args_shared.steering(simulation)


def _extent(parser: Parser) -> None:
    value(parser, "-j, --jobs N", whole(1, 1000), "jobs out at once (4)", default=4)
    switch(
        parser,
        "--stale",
        "also render anew takes whose rows changed after they were paid for; the older clips are kept",
    )
    switch(parser, "--no-download", "leave the clips at the API")
    value(parser, "--run-dir DIR", Path, "where the run lives (reports/NAME)")
    switch(parser, "-y, --yes", "submit paid jobs without asking")
    switch(
        parser,
        "--allow-duplicates",
        "also where nobody is asked, pay for takes that send the same request as another",
    )
    value(
        parser,
        "--poll-interval S",
        number(0.05, 30.0),
        "least seconds between two looks at a job (1)",
        default=1.0,
    )
    value(
        parser,
        "--submit-window N",
        whole(1, 64),
        "submits in the air at once (1); a crash leaves at most so many in doubt",
        default=1,
    )


def _limits(group: argparse._ArgumentGroup) -> None:
    value(
        group,
        "--max-cost USD",
        amount,
        "submit no more once what is spent, reserved and next passes this; a take without a price is refused",
    )
    value(group, "--warn-cost USD", amount, "say so once this is passed")
    switch(group, "--allow-unpriced", "with --max-cost: takes without a price may go, and count for nothing")
    value(group, "--max-submits N", whole(1, 1_000_000), "submit at most so many jobs")
    value(
        group,
        "--until TIME",
        moment,
        "submit until the next 07:00, or 2027-01-31T07:00, by this machine's clock",
    )
    value(
        group,
        "--for TIME",
        stretch,
        "submit for so long, such as 6h or 2h30m; a run that was killed goes on with what is left of it",
        dest="lasts",
    )
    one_of(
        group,
        "--cutoff",
        ("drain", "cancel-queued"),
        "at a limit: see jobs through that are out (drain), where a cost below its estimate makes room for further "
        "takes, or cancel at once what still waits (cancel-queued)",
    )


def _caution(group: argparse._ArgumentGroup) -> None:
    _lost_answers(group)
    _failures(group)
    value(
        group,
        "--outage-limit TIME",
        period,
        "how long to wait for a service that is away, such as 30m or 12h (12h)",
        default=12 * 3600.0,
    )
    value(
        group,
        "--job-limit TIME",
        period,
        "the age of a job past which this run waits for it no more; the next one looks again (24h)",
        default=24 * 3600.0,
    )
    one_of(
        group,
        "--on-interrupt",
        ("drain", "detach", "cancel-queued"),
        "the first Ctrl-C: see jobs through (drain), leave them to the next run, or cancel what is queued",
    )


def _lost_answers(group: argparse._ArgumentGroup) -> None:
    one_of(
        group,
        "--on-unknown",
        ("hold", "stop", "pay-again"),
        "a submit without an answer: held for you (hold), or the run stops too, or it is paid again",
    )
    value(
        group,
        "--max-extra-paid N",
        whole(1, 1000),
        "with --on-unknown pay-again: at most so many extra payments in the run's life",
        default=0,
    )
    value(
        group,
        "--max-unknown N",
        whole(1, 1000),
        "stop submitting at so many submits without an answer (3)",
        default=3,
    )


def _failures(group: argparse._ArgumentGroup) -> None:
    value(
        group,
        "--retries N",
        whole(0, 20),
        "pay for a take again by itself, up to N times, if the provider failed (0); never after moderation",
        default=0,
    )
    values(
        group,
        "--halt KIND=N",
        limit,
        "stop submitting after N failures of a class, such as moderation=3, or of any: fail=5; may be repeated",
    )
    value(
        group,
        "--scout N",
        whole(0, 100),
        "see N takes of every model and settings to their end before the rest is submitted (0)",
        default=0,
    )
