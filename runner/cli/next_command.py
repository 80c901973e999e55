"""The command that continues after a retry: the same limits and flags, as flags of `run`.

In: the words of a `retry` command line, the run's own command, the chosen takes. Out: the words of a `run` command.
It does not know what a flag means.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from runner.cli.arg_types import Parser
from runner.cli.args_run import retry

MOST_NAMED = 100
"""A command to copy names at most this many takes."""

# These flags are left out: the run's own words choose takes and folder, and the others concern the retry alone.
_ANSWERED = frozenset(
    {"only", "exclude", "tag", "status", "limit", "stale", "run_dir", "simulate", "moved"}
    | {"reason", "even_moderated", "yes"}
)


def onward_words(words: Sequence[str], *, base: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """Return the `run` command in `base` with all flags of the retry in `words` that still matter.

    It is for the `chosen` takes alone, as the retry was, and has `--yes` if the retry had. If there are too many to
    name, it is for the whole manifest, and the person who continues is asked.
    """
    given = list(_flags(words[words.index("retry") + 1 :]))
    if any(dest == "api_base" for dest, _ in given) and "--api-base" in base:
        at = base.index("--api-base")
        base = [*base[:at], *base[at + 2 :]]
    onward = [*base, *(word for dest, said in given if dest not in _ANSWERED for word in said)]
    if len(chosen) > MOST_NAMED:
        return onward
    onward += (f"--only={take}" for take in chosen)
    return [*onward, "--yes"] if any(dest == "yes" for dest, _ in given) else onward


def _flags(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each flag of a valid command line: its name in the namespace, and its words in long form."""
    actions = _actions()
    left = list(words)
    while left and left[0] != "--":
        word = left.pop(0)
        if not word.startswith("-"):
            continue
        if word.startswith("--"):
            name, equals, value = word.partition("=")
        else:
            name, equals, value = word[:2], word[2:], word[2:].removeprefix("=")
        action = actions[name]
        long = action.option_strings[-1]
        if action.nargs != 0:
            yield action.dest, [long, value if equals else left.pop(0)]
            continue
        yield action.dest, [long]
        # Short flags may be joined, as in -yj4.
        if equals:
            left.insert(0, f"-{value}")


def _actions() -> dict[str, argparse.Action]:
    commands = Parser(add_help=False).add_subparsers()
    retry(commands)
    return commands.choices["retry"]._option_string_actions  # noqa: SLF001 - argparse has no public way to ask
