"""The values of flags that several commands share. It loads little, since `check` uses it; see also `run_flags`."""

from __future__ import annotations

import getpass
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.manifest.reader import is_stdin
from runner.manifest.size_limits import LIMITS, Limits
from runner.plan.selection import Choice

if TYPE_CHECKING:
    from runner.commands.steps.open_run import OpenOptions


def manifest_limits(arguments: Namespace) -> Limits:
    """Return how large the manifest may be."""
    takes, whole, text = arguments.max_takes, arguments.max_manifest_bytes, arguments.max_text_bytes
    return LIMITS.raised(takes=takes, file_bytes=whole, text_bytes=text)


def from_stdin(path: Path, limits: Limits) -> bytes | None:
    """Return the bytes of standard input if `path` means it, up to one byte more than the limit; else None."""
    return sys.stdin.buffer.read(limits.file_bytes + 1) if is_stdin(path) else None


def choice_of(arguments: Namespace) -> Choice:
    """Return which takes the flags choose."""
    only, exclude = tuple(arguments.only), tuple(arguments.exclude)
    return Choice(only, exclude, tuple(arguments.tag), tuple(arguments.status), arguments.limit)


def opening_of(arguments: Namespace) -> OpenOptions:
    """Return how state files may be opened, from the flags and the environment."""
    from runner.commands.steps.open_run import OpenOptions

    new_run = getattr(arguments, "new_run", False)
    return OpenOptions(arguments.moved, arguments.allow_network_fs, os.environ, new_run=new_run)


def is_capped(arguments: Namespace) -> bool:
    """Return whether the command line limits the cost. A limit in a file agrees to nothing."""
    return arguments.max_cost is not None and all(each.name != "max-cost" for each in arguments.settings)


def user_name() -> str:
    """Return the user's name, for the record."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A container may run as a user without a name. Which of the two is raised depends on Python's version.
        return f"user {os.getuid()}"
