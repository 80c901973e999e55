"""The grammar of what submits and pays: run, retry, and the many flags of a run, which are the same for both.

In: the list of commands. Out: the same list with these in it. What they do is in the module each is named after.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli import flags
from runner.cli.grammar import (
    Commands,
    Parser,
    add_command,
    amount,
    limit,
    moment,
    number,
    period,
    stretch,
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
    flags.manifest(parser)
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="only show what would be done, as plan does"
    )
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
    flags.manifest(parser)
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
    flags.target(parser)
    flags.takes(parser)
    parser.add_argument(
        "--even-moderated",
        action="store_true",
        help="also what moderation turned down, though nothing about it has changed",
    )
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; kept on record")
    _running(parser)


def _dry(parser: Parser) -> None:
    parser.add_argument(
        "--exit-code", action="store_true", help="of a plan: exit with 2 if anything would be submitted"
    )
    parser.add_argument(
        "--online",
        action="store_true",
        help="of a plan: also ask the API for live prices, the balance and its schemas",
    )
    flags.output(parser)


def _running(parser: Parser) -> None:
    _extent(parser)
    _limits(parser.add_argument_group("money and time, over the whole life of the run directory"))
    caution = parser.add_argument_group("when things go wrong")
    _lost_answers(caution)
    _failures(caution)
    _waiting(caution)
    parser.add_argument(
        "--progress",
        choices=("auto", "bar", "plain", "json", "none"),
        default="auto",
        help="how to show progress",
    )
    flags.api_base(parser)
    flags.consent(parser)
    flags.schemas(parser, beside=flags.BESIDE)
    simulation = parser.add_argument_group("simulation")
    simulation.add_argument(
        "--simulate", action="store_true", help="use a local simulator: no key, no network, no cost"
    )
    flags.steering(simulation)


def _extent(parser: Parser) -> None:
    flags.choosing(parser, acts="submit")
    parser.add_argument(
        "-j", "--jobs", type=whole(1, 1000), default=4, metavar="N", help="jobs out at once (4)"
    )
    parser.add_argument(
        "--stale",
        action="store_true",
        help="also render anew takes whose rows changed after they were paid for; the older clips are kept",
    )
    parser.add_argument("--no-download", action="store_true", help="leave the clips at the API")
    parser.add_argument("--run-dir", type=Path, metavar="DIR", help="where the run lives (reports/NAME)")
    parser.add_argument("-y", "--yes", action="store_true", help="submit paid jobs without asking")
    parser.add_argument(
        "--allow-duplicates",
        action="store_true",
        help="also where nobody is asked, pay for takes that send the same request as another",
    )
    parser.add_argument(
        "--poll-interval",
        type=number(0.05, 30.0),
        default=1.0,
        metavar="S",
        help="least seconds between two looks at a job (1)",
    )
    parser.add_argument(
        "--submit-window",
        type=whole(1, 64),
        default=1,
        metavar="N",
        help="submits in the air at once (1); a crash leaves at most so many in doubt",
    )


def _limits(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--max-cost",
        type=amount,
        metavar="USD",
        help="submit no more once what is spent, reserved and next passes this; a take without a price is refused",
    )
    group.add_argument("--warn-cost", type=amount, metavar="USD", help="say so once this is passed")
    group.add_argument(
        "--allow-unpriced",
        action="store_true",
        help="with --max-cost: takes without a price may go, and count for nothing",
    )
    group.add_argument(
        "--max-submits", type=whole(1, 1_000_000), metavar="N", help="submit at most so many jobs"
    )
    group.add_argument(
        "--until",
        type=moment,
        metavar="TIME",
        help="submit until the next 07:00, or 2027-01-31T07:00, by this machine's clock",
    )
    group.add_argument(
        "--for",
        dest="lasts",
        type=stretch,
        metavar="TIME",
        help="submit for so long, such as 6h or 2h30m; a run that was killed goes on with what is left of it",
    )
    group.add_argument(
        "--cutoff",
        choices=("drain", "cancel-queued"),
        default="drain",
        help="at a limit: see jobs through that are out (drain), or cancel what still waits",
    )


def _lost_answers(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--on-unknown",
        choices=("hold", "stop", "pay-again"),
        default="hold",
        help="a submit without an answer: held for you (hold), or the run stops too, or it is paid again",
    )
    group.add_argument(
        "--max-extra-paid",
        type=whole(1, 1000),
        default=0,
        metavar="N",
        help="with --on-unknown pay-again: at most so many extra payments in the run's life",
    )
    group.add_argument(
        "--max-unknown",
        type=whole(1, 1000),
        default=3,
        metavar="N",
        help="stop submitting at so many submits without an answer (3)",
    )


def _failures(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--retries",
        type=whole(0, 20),
        default=0,
        metavar="N",
        help="pay for a take again by itself, up to N times, if the provider failed (0); never after moderation",
    )
    group.add_argument(
        "--halt",
        type=limit,
        action="append",
        default=[],
        metavar="KIND=N",
        help="stop submitting after N failures of a class, such as moderation=3, or of any: fail=5; may be repeated",
    )
    group.add_argument(
        "--scout",
        type=whole(0, 100),
        default=0,
        metavar="N",
        help="see N takes of every model and settings to their end before the rest is submitted (0)",
    )


def _waiting(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--outage-limit",
        type=period,
        default=12 * 3600.0,
        metavar="TIME",
        help="how long to wait for a service that is away, such as 30m or 12h (12h)",
    )
    group.add_argument(
        "--on-interrupt",
        choices=("drain", "detach", "cancel-queued"),
        default="drain",
        help="the first Ctrl-C: see jobs through (drain), leave them to the next run, or cancel what is queued",
    )
