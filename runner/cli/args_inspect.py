"""The arguments of the commands that show a run and never pay: status, show, verify, report.

In: the list of commands. Out: the same list with these commands in it. It does not know what a command does.
"""

from __future__ import annotations

from argparse import SUPPRESS

from runner.cli import args_shared
from runner.cli.arg_types import Commands, Parser, add_command, switch


def status(commands: Commands[Parser]) -> None:
    """Add `status`."""
    parser = add_command(commands, "status", "show where a run stands, even while it is running")
    args_shared.target_of_two(parser)
    args_shared.output(parser)


def show(commands: Commands[Parser]) -> None:
    """Add `show`."""
    parser = add_command(commands, "show", "show everything about one take")
    args_shared.target_of_two(parser)
    parser.add_argument("take", metavar="TAKE", help="the take's id")
    switch(parser, "-v, --verbose", "also show everything the API sent with a refusal", default=SUPPRESS)
    args_shared.output(parser)


def verify(commands: Commands[Parser]) -> None:
    """Add `verify`."""
    parser = add_command(
        commands,
        "verify",
        "read every downloaded clip and report what is missing or changed",
        "It exits with 0 if all are whole, else with 2.",
    )
    args_shared.target_of_two(parser)
    switch(parser, "--mark", "let the next run download again what is missing, cut or changed")
    args_shared.consent(parser)
    args_shared.output(parser)


def report(commands: Commands[Parser]) -> None:
    """Add `report`."""
    parser = add_command(commands, "report", "write report.csv and report.html again from the run's record")
    args_shared.target_of_two(parser)
