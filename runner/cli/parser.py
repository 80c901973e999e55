"""The parser of the whole command line, made from the table of arguments.

In: nothing. Out: the parser. It does not load any command's code, so it is light to import.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, NoReturn

from runner.cli.argument_kinds import Argument, Command, Group
from runner.cli.arguments import COMMANDS
from runner.domain.errors import WordsRefused
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

_FURTHEST = 2
_MAY_BE_LEFT_OUT = re.compile(r"\b(TAKE|RUN)\s+\[\1 \.\.\.\]")


class Parser(argparse.ArgumentParser):
    """An argument parser that exits with 64 (EX_USAGE), since 2 means that takes failed; it refuses shortened flags."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own, passed on
        # A command line is taken apart and printed again with other limits. A shortened flag would not be found there.
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Say in one sentence what is wrong with the command line.

        Raises:
            WordsRefused: always.
        """
        from runner.cli.token_check import without_secrets

        said = message.removeprefix("argument ").replace(": expected one argument", " needs a value")
        _, is_missing, names = said.partition("the following arguments are required: ")
        said = f"{names} must be given" if is_missing else said
        raise WordsRefused(without_secrets(said), command=self.prog)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401 - argparse's own, passed on
        """Parse words, and refuse those that are not known here, where the command's own flags are known."""
        known, others = super().parse_known_args(args, namespace)
        if others:
            self._refuse(others)
        return known, others

    def _refuse(self, words: Sequence[str]) -> NoReturn:
        """Refuse the first flag among `words`; its value may be a secret and is not shown."""
        flag = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
        if flag is None:
            self.error(f"one word too many: {words[0]}")
        near = _nearest(flag, self._option_string_actions)
        # A value may stand right behind a short flag.
        shown = flag if near or flag.startswith("--") else flag[:2]
        owners = [command.name for command in COMMANDS if flag in _flags(command.arguments)]
        others = f"; it is a flag of {', '.join(owners)}" if owners else ""
        self.error(f"no such flag: {shown}{others or _meant(near)}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:  # noqa: ANN401 - argparse's own
        """Refuse a word that is not among the choices, with the one that was probably meant."""
        if action.choices is None or value in action.choices:
            return
        meant = _meant(_nearest(str(value), action.choices))
        if isinstance(action, Commands):
            kind = str(action.metavar).lower()
            raise argparse.ArgumentError(None, f"no such {kind}: {value}{meant}")
        raise argparse.ArgumentError(action, f"{value!r} is not one of {', '.join(action.choices)}{meant}")

    def format_usage(self) -> str:
        """Return the usage, with words that may be left out in brackets."""
        return _MAY_BE_LEFT_OUT.sub(r"[\1 ...]", super().format_usage())

    def format_help(self) -> str:
        """Return the help, with words that may be left out in brackets."""
        return _MAY_BE_LEFT_OUT.sub(r"[\1 ...]", super().format_help())


Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for what add_subparsers returns


def _nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one known word that begins so, or is at most two edits away; three letters may differ in one."""
    from runner.system.nearest_name import edits

    most = min(_FURTHEST, len(word.strip("-")) // 3)
    begun = [name for name in known if most and name.startswith(word)]
    near = {name: edits(word, name, most=most) for name in known}
    best = min(near, key=near.__getitem__, default="")
    if best and near[best] <= most:
        return best
    return begun[0] if len(begun) == 1 else None


def _flags(arguments: Iterable[Argument | Group]) -> Iterator[str]:
    for each in arguments:
        yield from _flags(each.arguments) if isinstance(each, Group) else each.names


def _meant(name: str | None) -> str:
    return f"; did you mean {name}?" if name else ""


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
    # Where defaults come from files, `settings` says which, and `misfits` what is wrong with them.
    # `limited_models` are those that the manifest's own settings limit.
    parser.set_defaults(settings=(), misfits=(), limited_models={})
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
    else:
        parser.set_defaults(called=command)
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
