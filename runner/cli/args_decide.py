"""The grammar of what a person decides about takes of a run: reconcile, restore, cancel, fetch.

In: the list of commands. Out: the same list with these in it. What they do is in the module each is named after.
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
        "show held takes with all that is known of them, and record what you decide",
        "Without a decision it shows them and exits with 4 while there are any. It submits nothing.",
    )
    args_shared.target_of_two(parser)
    args_shared.consent(parser)
    args_shared.output(parser)
    decisions = parser.add_subparsers(title="decisions", metavar="DECISION", dest="decision")
    adopt = _decision(decisions, "adopt", "the job was taken, and this is its request id")
    adopt.add_argument("take", metavar="TAKE", help="the held take's id")
    adopt.add_argument("request_id", metavar="REQUEST_ID", help="as the provider's site shows it")
    adopt.add_argument("--offline", action="store_true", help="do not ask the API whether it knows the id")
    args_shared.api_base(adopt)
    not_sent = _decision(
        decisions, "not-sent", "the job was not taken: submit it again, at the risk of paying twice"
    )
    args_shared.takes(not_sent)
    args_shared.choosing(not_sent, acts="decide on")
    not_sent.add_argument("--all", action="store_true", help="all held takes; asks for their number")
    not_sent.add_argument("--yes-i-may-pay-twice", action="store_true", help="do not ask")
    not_sent.add_argument("--reason", default="", metavar="TEXT", help="why you are sure; kept on record")
    drop = _decision(
        decisions,
        "drop",
        "give takes up, also such as run, failed or cannot be fetched: no run sends or watches them again",
    )
    args_shared.takes(drop)
    args_shared.choosing(drop, acts="decide on")
    switch(drop, "-y, --yes", "do not ask where a job may still be billed or a rendered clip is lost")


def _decision(decisions: Commands[Parser], name: str, line: str) -> Parser:
    made = decisions.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
    # Said before or after the decision: without SUPPRESS this default would undo what was said before it.
    made.add_argument(
        "--simulate", action="store_true", default=argparse.SUPPRESS, help="the manifest's simulated run"
    )
    args_shared.consent(made, said_before=True)
    return made


def cancel(commands: Commands[Parser]) -> None:
    """Add `cancel`."""
    parser = add_command(
        commands,
        "cancel",
        "ask the API to cancel jobs, and tell what became of each",
        "Only a job that still waits can be cancelled; one that runs goes on and is billed.",
    )
    args_shared.target_of_two(parser)
    args_shared.takes(parser)
    args_shared.choosing(parser, acts="cancel")
    parser.add_argument("--all", action="store_true", help="every job that is out there")
    args_shared.api_base(parser)
    args_shared.consent(parser)
    args_shared.output(parser)


def restore(commands: Commands[Parser]) -> None:
    """Add `restore`."""
    parser = add_command(
        commands,
        "restore",
        "enter into a lost or older record what is known of its jobs elsewhere; pays nothing",
        "It reads the files that a run keeps for this beside its record and in your own folder, and the sidecars."
        " What has a request id is watched or fetched by the next run; what has none is held.",
    )
    parser.add_argument(
        "target", type=Path, metavar="RUN", help="the run's manifest, or its directory even if that is gone"
    )
    switch(parser, "--simulate", "the manifest's simulated run")
    switch(parser, "-n, --dry-run", "only tell what would be entered")
    value(parser, "--run-dir DIR", Path, "where the run keeps its files (reports/<name> beside the manifest)")
    args_shared.api_base(parser)
    args_shared.schemas(parser, beside=args_shared.BESIDE)
    args_shared.consent(parser)


def accept(commands: Commands[Parser]) -> None:
    """Add `accept`."""
    parser = add_command(
        commands,
        "accept",
        "keep the clips of takes whose rows have changed since",
        "A stale take was made of another row than the manifest has now; run --stale renders it anew instead.",
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
        "bring home rendered clips that are missing or not whole",
        "It never submits, and needs no manifest.",
    )
    args_shared.target_of_two(parser)
    args_shared.takes(parser)
    args_shared.choosing(parser, acts="fetch")
    args_shared.api_base(parser)
    args_shared.consent(parser)
