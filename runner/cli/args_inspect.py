"""The grammar of what tells about a run and never pays: status, show, verify, report.

In: the list of commands. Out: the same list with these in it. What they do is in the module each is named after.
"""

from __future__ import annotations

from argparse import SUPPRESS

from runner.cli import args_shared
from runner.cli.arg_types import Commands, Parser, add_command, switch


def status(commands: Commands[Parser]) -> None:
    """Add `status`."""
    parser = add_command(commands, "status", "tell where a run stands, also while it is going on")
    args_shared.target_of_two(parser)
    args_shared.output(parser)


def show(commands: Commands[Parser]) -> None:
    """Add `show`."""
    parser = add_command(commands, "show", "tell everything about one take")
    args_shared.target_of_two(parser)
    parser.add_argument("take", metavar="TAKE", help="the take's id")
    switch(parser, "-v, --verbose", "also show all that the API sent with a refusal", default=SUPPRESS)
    args_shared.output(parser)


def verify(commands: Commands[Parser]) -> None:
    """Add `verify`."""
    parser = add_command(
        commands,
        "verify",
        "read every delivered clip again and tell what is not as it was delivered",
        "Exits with 0 if all are whole, else with 2.",
    )
    args_shared.target_of_two(parser)
    switch(parser, "--mark", "let the next run fetch again what is missing, cut or changed")
    args_shared.consent(parser)
    args_shared.output(parser)


def report(commands: Commands[Parser]) -> None:
    """Add `report`."""
    parser = add_command(commands, "report", "write report.csv and report.html from the state file alone")
    args_shared.target_of_two(parser)
