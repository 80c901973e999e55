"""The parser of the whole command line, made from the table of arguments.

In: nothing. Out: the parser. It does not load any command's code, so it is light to import.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NoReturn

from runner.cli.arguments import COMMANDS, Argument, Command, Group
from runner.domain.errors import UsageError
from runner.system.version import __version__

_ABOUT = """\
Render a storyboard of generative video shots: check it, submit it, continue
after any interruption, download the clips, and report. It never pays twice.
"""

_EXITS = """\
exit codes:
   0  all complete and on disk            2  some takes failed
   3  stopped on purpose                  4  a person is needed (held takes)
  64  usage                              65  invalid manifest
  66  no such file                       69  API unavailable
  70  a bug in Shotrunner                73  cannot create
  74  disk full or failing               75  run in use by another process
  77  token or balance refused           78  state file unusable
  128+N  stopped by signal N

Try it without a key:
  shotrunner init && shotrunner run storyboard.yaml --simulate
"""

_MAY_BE_LEFT_OUT = re.compile(r"\bTAKE\s+\[TAKE \.\.\.\]")


class Parser(argparse.ArgumentParser):
    """An argument parser that exits with 64 (EX_USAGE), since 2 means that takes failed; it refuses shortened flags."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own, passed on
        # A command line is taken apart and printed again with other limits. A shortened flag would not be found there.
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line and exit."""
        from runner.cli.token_check import without_secrets

        self.print_usage(sys.stderr)
        self.exit(UsageError.exit_code, f"{self.prog}: {without_secrets(message)}\n  → {self.prog} --help\n")

    def format_usage(self) -> str:
        """Return the usage, with optional takes in brackets."""
        return _MAY_BE_LEFT_OUT.sub("[TAKE ...]", super().format_usage())

    def format_help(self) -> str:
        """Return the help, with optional takes in brackets."""
        return _MAY_BE_LEFT_OUT.sub("[TAKE ...]", super().format_help())


Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for what add_subparsers returns


def build_parser() -> Parser:
    """Return the parser of the whole command line; parsed arguments carry `command`, a callable."""
    parser = Parser(
        prog="shotrunner",
        description=_ABOUT,
        epilog=_EXITS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"shotrunner {__version__}")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="show the traceback of a bug in Shotrunner"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        add_command(commands, command).set_defaults(command=_later(command.name))
    return parser


def add_command(commands: Commands[Parser], command: Command) -> Parser:
    """Add a command with its arguments, and return its parser."""
    line, says = command.says.partition(". ")[0], f"{command.says[0].upper()}{command.says[1:]}"
    parser = commands.add_parser(command.name, help=line, description=says.removesuffix(".") + ".")
    _add_arguments(parser, command.arguments)
    if command.parts:
        name = command.title.removesuffix("s")
        parts = parser.add_subparsers(
            title=command.title, metavar=name.upper(), dest=name, required=command.required
        )
        for part in command.parts:
            add_command(parts, part)
    return parser


def _add_arguments(to: argparse._ActionsContainer, arguments: Iterable[Argument | Group]) -> None:
    for each in arguments:
        if isinstance(each, Group):
            _add_arguments(to.add_argument_group(each.title), each.arguments)
            continue
        added = to.add_argument(*each.names, **each.settings)
        if added.nargs == "+":
            added.required = False


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """Return a command that loads its code when it is called."""
    # `import` is a word of Python, so no module can be called so.
    module = "import_board" if name == "import" else name
    return lambda arguments: int(import_module(f"runner.cli.{module}").command(arguments))
