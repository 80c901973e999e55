"""What the commands share: the name of the user, questions to a person, and the command that continues a run."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from runner.commands.steps.api_session import manifest_of
from runner.commands.steps.open_run import OpenOptions
from runner.domain.errors import MOVED, NEW_RUN, UsageError
from runner.domain.records import RunHeader
from runner.plan.selection import Choice
from runner.store.run_dir import RunDir, default_run_dir
from runner.system.escapes import command_line, path_word
from runner.system.web_links import is_same_api


def user_name() -> str:
    """Return the user's name, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a user without a name. Which of the two is raised depends on Python's version.
        return f"user {os.getuid()}"


def repeated(words: Sequence[str]) -> str:
    """Return the command line in `words` that continues; what was agreed to once, such as a move, is left out."""
    flags, rest = apart_from_rest(words)
    return command_line(*(word for word in flags if word not in {MOVED, NEW_RUN}), *rest)


def apart_from_rest(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the words that may be flags, and the lone `--` with all words after it, which cannot be."""
    end = list(words).index("--") if "--" in words else len(words)
    return list(words[:end]), list(words[end:])


def with_flags(words: Sequence[str], *flags: str) -> list[str]:
    """Return a command line with more flags, placed before a lone `--`."""
    read, rest = apart_from_rest(words)
    return [*read, *flags, *rest]


def opening_of(arguments: Namespace) -> OpenOptions:
    """Return how state files may be opened, from the flags and the environment."""
    return OpenOptions(arguments.moved, arguments.allow_network_fs, os.environ)


def choice_of(arguments: Namespace) -> Choice:
    """Return which takes the flags choose."""
    return Choice(
        tuple(arguments.only),
        tuple(arguments.exclude),
        tuple(arguments.tag),
        tuple(arguments.status),
        arguments.limit,
    )


def typed(question: str, *, instead: str) -> str:
    """Return what a person types after `question`.

    Raises:
        UsageError: no person can be asked; `instead` is the flag that answers beforehand.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{question.rstrip()} no one is there to answer", advice=f"add {instead}")
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def agreed(question: str, *, instead: str) -> bool:
    """Return whether a person says yes."""
    return typed(f"{question} Go on? [y/N] ", instead=instead).lower() in {"y", "yes"}


def run_words(place: RunDir, header: RunHeader) -> list[str]:
    """Return the command line that continues a run, without the program's name."""
    manifest = manifest_of(place, header)
    words = ["run", _as_seen_from_here(manifest)]
    if header.simulated:
        words.append("--simulate")
    if default_run_dir(manifest, name=header.name, simulated=header.simulated) != place.path.resolve():
        words += ["--run-dir", _as_seen_from_here(place.path)]
    if not header.simulated and not _is_default_api(header.api_base):
        words += ["--api-base", header.api_base]
    return words


def _is_default_api(api_base: str) -> bool:
    """Return whether a run uses this API without a flag; the token is sent only to an API that the user named."""
    from runner.commands.steps.api_base import named_base

    return is_same_api(named_base(None, os.environ), api_base)


def _as_seen_from_here(path: Path) -> str:
    relative = os.path.relpath(path)
    if relative.startswith(".."):
        return str(path.resolve())
    return path_word(Path(relative))
