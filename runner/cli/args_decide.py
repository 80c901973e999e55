"""The arguments of what a person decides about takes: reconcile, restore, accept, cancel, fetch.

In: the list of commands. Out: the same list with these commands in it. It does not know what a command does.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli import args_shared
from runner.cli.arg_types import Commands, Parser, add_command, switch, value


def reconcile(commands: Commands[Parser]) -> None:
    """Add `reconcile` and its decisions."""
    parser = add_command(
        commands,
        "reconcile",
        "show held takes with all that is known about them, and record your decision",
        "Without a decision it only shows them, and exits with 4 if there are any. It submits nothing.",
    )
    args_shared.target_of_two(parser)
    args_shared.consent(parser)
    args_shared.output(parser)
    decisions = parser.add_subparsers(title="decisions", metavar="DECISION", dest="decision")
    adopt = _decision(decisions, "adopt", "the API accepted the job, and this is its request id")
    adopt.add_argument("take", metavar="TAKE", help="the held take's id")
    adopt.add_argument("request_id", metavar="REQUEST_ID", help="the job's id on the provider's site")
    adopt.add_argument("--offline", action="store_true", help="do not ask the API whether it knows the id")
    args_shared.api_base(adopt)
    not_sent = _decision(
        decisions, "not-sent", "the API did not accept the job: submit it again, at the risk of paying twice"
    )
    args_shared.takes(not_sent)
    args_shared.choosing(not_sent, acts="decide on")
    not_sent.add_argument(
        "--all", action="store_true", help="all held takes; you must type how many there are"
    )
    not_sent.add_argument("--yes-i-may-pay-twice", action="store_true", help="do not ask for the number")
    not_sent.add_argument("--reason", default="", metavar="TEXT", help="why you are sure; kept on record")
    drop = _decision(decisions, "drop", "give up takes, held or not: no run submits or watches them again")
    args_shared.takes(drop)
    args_shared.choosing(drop, acts="decide on")
    switch(drop, "-y, --yes", "do not ask, even if a job may still be billed or a rendered clip is lost")


def _decision(decisions: Commands[Parser], name: str, line: str) -> Parser:
    made = decisions.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
    # The flag may stand before or after the decision. Without SUPPRESS this default would undo one given before.
    made.add_argument(
        "--simulate", action="store_true", default=argparse.SUPPRESS, help="use the manifest's simulated run"
    )
    args_shared.consent(made, said_before=True)
    return made


def cancel(commands: Commands[Parser]) -> None:
    """Add `cancel`."""
    parser = add_command(
        commands,
        "cancel",
        "ask the API to cancel jobs, and show what became of each",
        "Only a queued job can be cancelled; a running job continues and is billed.",
    )
    args_shared.target_of_two(parser)
    args_shared.takes(parser)
    args_shared.choosing(parser, acts="cancel")
    parser.add_argument("--all", action="store_true", help="every active job")
    args_shared.api_base(parser)
    args_shared.consent(parser)
    args_shared.output(parser)


def restore(commands: Commands[Parser]) -> None:
    """Add `restore`."""
    parser = add_command(
        commands,
        "restore",
        "rebuild a lost or outdated run record from its other files; pays nothing",
        "It reads the copies that a run keeps beside its record and in your home folder, and the clips' sidecars."
        " The next run watches or fetches every job with a request id; a take without one is held.",
    )
    parser.add_argument(
        "target", type=Path, metavar="RUN", help="the run's manifest, or its directory (which may be gone)"
    )
    switch(parser, "--simulate", "use the manifest's simulated run")
    switch(parser, "-n, --dry-run", "only show what would be recorded")
    value(parser, "--run-dir DIR", Path, "folder of the run (default: reports/NAME beside it)")
    args_shared.api_base(parser)
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.consent(parser)


def accept(commands: Commands[Parser]) -> None:
    """Add `accept`."""
    parser = add_command(
        commands,
        "accept",
        "keep the clips of takes whose rows changed after rendering",
        "Such takes are called stale. To render them again instead, use run --stale.",
    )
    args_shared.target_of_two(parser)
    args_shared.takes(parser)
    args_shared.choosing(parser, acts="accept")
    parser.add_argument("--all", action="store_true", help="every stale take")
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.manifest_limits(parser)
    args_shared.consent(parser)


def fetch(commands: Commands[Parser]) -> None:
    """Add `fetch`."""
    parser = add_command(
        commands,
        "fetch",
        "download rendered clips that are missing or damaged",
        "It never submits, and it needs no manifest.",
    )
    args_shared.target_of_two(parser)
    args_shared.takes(parser)
    args_shared.choosing(parser, acts="fetch")
    args_shared.api_base(parser)
    args_shared.consent(parser)
