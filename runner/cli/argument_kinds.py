"""The kinds of entries in the table of commands: places, flags with and without a value, groups, commands.

In: names and help. Out: values that `parser` hands to argparse. It does not know which commands there are.
"""

from __future__ import annotations

from argparse import REMAINDER
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, as the words for argparse's `add_argument`."""

    names: Sequence[str]
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Arguments that help shows under a title of their own."""

    title: str
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command; the first sentence of what it `says` is its line in the list of commands.

    `parts` are the commands below it, one of which must be given if they are `required`. Help lists them under `title`,
    and the parsed arguments hold the chosen one under the title's singular.
    """

    name: str
    says: str
    arguments: tuple[Argument | Group, ...]
    title: str = ""
    parts: tuple[Command, ...] = ()
    required: bool = False


def place(name: str, says: str, **settings: object) -> Argument:
    """Return an argument without a flag, known by its place."""
    return Argument([name], {"help": says, **settings})


def several(name: str, metavar: str, says: str, **settings: object) -> Argument:
    """Return an argument without a flag for any number of words. The parser lets all of them be left out.

    `*` would fail: with a flag between RUN and TAKE, argparse treats the takes as given and empty.
    """
    return Argument([name], {"nargs": "+", "default": [], "metavar": metavar, "help": says, **settings})


def switch(spelled: str, says: str, **settings: object) -> Argument:
    """Return a flag that is on or off; `spelled` holds its names as help lists them, `-n, --dry-run`."""
    return Argument(spelled.split(", "), {"action": "store_true", "help": says, **settings})


def value(spelled: str, parse: Callable[[str], object], says: str, **settings: object) -> Argument:
    """Return a flag with a value; `spelled` holds its names, the value's name and any default: `-j, --jobs N=4`."""
    names, value = spelled.rsplit(" ", 1)
    metavar, _, default = value.partition("=")
    known = {"type": parse, "default": default or None, "metavar": metavar, "help": says}
    return Argument(names.split(", "), known | settings)


def values(spelled: str, parse: Callable[[str], object], says: str) -> Argument:
    """Return a flag with a value that may be given several times."""
    name, metavar = spelled.split(" ")
    return Argument(
        [name], {"action": "append", "type": parse, "default": [], "metavar": metavar, "help": says}
    )


def rest(name: str, metavar: str, says: str) -> Argument:
    """Return a flag that takes all words after it, whatever they look like."""
    return Argument([name], {"nargs": REMAINDER, "default": [], "metavar": metavar, "help": says})


def one_of(name: str, words: Sequence[str], says: str) -> Argument:
    """Return a flag whose value is one of `words`; the first is the default."""
    return Argument([name], {"choices": words, "default": words[0], "help": says})


def group(title: str, *arguments: Argument) -> Group:
    """Return arguments that help shows under `title`."""
    return Group(title, arguments)


def command(
    name: str,
    says: str,
    *arguments: Argument | Group,
    title: str = "",
    parts: tuple[Command, ...] = (),
    required: bool = False,
) -> Command:
    """Return a command; `Command` says what each word is for."""
    return Command(name, says, arguments, title, parts, required)
