"""The parser that every command gets, the kinds of flag, and the types that check a value.

In: words of a command line. Out: checked values, or a usage error that exits with 64. It does not know any command.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime, time
from importlib import import_module
from typing import Any, NoReturn

from runner.domain.errors import UsageError
from runner.domain.states import FailureClass

USAGE = UsageError.exit_code

_MAY_BE_LEFT_OUT = re.compile(r"\bTAKE\s+\[TAKE \.\.\.\]")
_AMOUNT = re.compile(r"\d{1,9}(?:\.\d{1,6})?", re.ASCII)
_STRETCH = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Parser(argparse.ArgumentParser):
    """An argument parser that exits with 64 (EX_USAGE), since 2 means that takes failed; it refuses shortened flags."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - argparse's own, passed on
        # A command line is taken apart and printed again with other limits. A shortened flag would not be found there.
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line and exit."""
        from runner.cli.token_check import without_secrets

        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {without_secrets(message)}\n  → {self.prog} --help\n")

    def format_usage(self) -> str:
        """Return the usage, with optional takes in brackets."""
        return _MAY_BE_LEFT_OUT.sub("[TAKE ...]", super().format_usage())

    def format_help(self) -> str:
        """Return the help, with optional takes in brackets."""
        return _MAY_BE_LEFT_OUT.sub("[TAKE ...]", super().format_help())


Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for what add_subparsers returns


def add_command(commands: Commands[Parser], name: str, line: str, more: str = "") -> Parser:
    """Add the command `name`, which runs `runner.cli.<name>`, and return its parser.

    `line` is its line in the list of commands; the command's own help adds `more`.
    """
    made = commands.add_parser(
        name,
        help=line,
        description=f"{line[0].upper()}{line[1:]}. {more}".strip(),
    )
    made.set_defaults(command=_later(name))
    return made


def _later(name: str) -> Callable[[argparse.Namespace], int]:
    """Return a command that loads its code when it is called."""

    def call(arguments: argparse.Namespace) -> int:
        return int(import_module(f"runner.cli.{name}").command(arguments))

    return call


def switch(to: argparse._ActionsContainer, spelled: str, says: str, *, default: bool | str = False) -> None:
    """Add a flag that is on or off; `spelled` holds its names as help lists them, `-n, --dry-run`."""
    to.add_argument(*spelled.split(", "), action="store_true", default=default, help=says)


def value(
    to: argparse._ActionsContainer,
    spelled: str,
    parse: Callable[[str], object],
    says: str,
    *,
    default: object = None,
    dest: str | None = None,
) -> None:
    """Add a flag with a value; `spelled` holds its names and the value's name, `-j, --jobs N`."""
    names, metavar = spelled.rsplit(" ", 1)
    to.add_argument(*names.split(", "), type=parse, default=default, dest=dest, metavar=metavar, help=says)


def values(to: argparse._ActionsContainer, spelled: str, parse: Callable[[str], object], says: str) -> None:
    """Add a flag with a value that may be given several times; `spelled` is as for `value`."""
    name, metavar = spelled.split(" ")
    to.add_argument(name, type=parse, action="append", default=[], metavar=metavar, help=says)


def one_of(to: argparse._ActionsContainer, name: str, words: Sequence[str], says: str) -> None:
    """Add a flag whose value is one of `words`; the first is the default."""
    to.add_argument(name, choices=tuple(words), default=words[0], help=says)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return a flag type for whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.lstrip("-").isdigit() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def number(least: float, most: float) -> Callable[[str], float]:
    """Return a flag type for numbers from `least` to `most`; no nan, no infinity."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g} to {most:g}")
        return value

    return parse


def limit(text: str) -> tuple[str, int]:
    """Parse `KIND=N`: a class of failure, or `fail` for any, and the number at which to stop."""
    kind, _, count = text.partition("=")
    kinds = ["fail", *FailureClass]
    if kind not in kinds or not (count.isascii() and count.isdigit() and int(count)):
        raise argparse.ArgumentTypeError(f"{text!r} is not KIND=N with KIND one of {', '.join(kinds)}")
    return kind, int(count)


def amount(text: str) -> float:
    """Parse an amount of US dollars above zero: plain digits with a dot, so that it can be read in one way only."""
    value = float(text) if _AMOUNT.fullmatch(text) else 0.0
    if not value:
        raise argparse.ArgumentTypeError(f"{text!r} is not an amount of US dollars such as 12.50")
    return value


def stretch(text: str) -> float:
    """Parse a time that may have several parts, such as 6h, 90m or 2h30m, into seconds."""
    found = _STRETCH.fullmatch(text)
    parts = [] if found is None else zip(found.groups(), (86400, 3600, 60, 1), strict=True)
    seconds = float(sum(int(number) * unit for number, unit in parts if number))
    if not 1.0 <= seconds <= 30 * 86400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 6h, 90m or 2h30m")
    return seconds


def moment(text: str) -> time | float:
    """Parse a time of day such as 07:00, or an ISO date and time; without a zone it is this machine's time."""
    try:
        if _TIME_OF_DAY.fullmatch(text):
            hour, minute = map(int, text.split(":"))
            return time(hour, minute)
        if _DATE_TIME.match(text):
            return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        # There is no such hour or day, or the system's clock cannot represent it.
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 07:00 or 2027-01-31T07:00")


def period(text: str) -> float:
    """Parse a time such as 90s, 30m, 12h or 2d into seconds."""
    try:
        seconds = float(text[:-1]) * _UNITS[text[-1:]]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 1.0 <= seconds <= 30 * 86400.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 30m, 12h or 2d")
    return seconds
