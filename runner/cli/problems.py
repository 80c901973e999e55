"""Shows the problems of a manifest beside a command's result, with the lines of the file that they are about.

In: problems. Out: lines on standard error. It reads the file again, since a person looks at what is in it now.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from runner.cli.terminal import paint, warn, width_of, wrapped
from runner.domain.display import PATH_LIMIT
from runner.domain.errors import Excerpt, FileMissing, ManifestInvalid, Position, Problem, UsageError
from runner.manifest.decode import decode
from runner.manifest.problems import Findings, Stop
from runner.manifest.reader import manifest_bytes
from runner.manifest.size_limits import CEILING
from runner.manifest.source_text import SourceText
from runner.output.problem_text import Style, problem_lines
from runner.output.safe_stream import SafeStream
from runner.system.escapes import command_line, visible

ADD_ALL = "to see all, add --all or --output json"


class Warnings:
    """Shows the warnings about a manifest once, however many steps of a command come upon them."""

    def __init__(self, manifest: Path) -> None:
        self._all_with = f"to see all: {command_line('check', manifest, '--all')}"
        self._shown: set[Problem] = set()

    def __call__(self, problems: Sequence[Problem], known: bool = False) -> None:  # noqa: FBT001, FBT002 - the shape of `Warn`
        """Show those of `problems` that were not shown yet, in short if an earlier session has shown them."""
        fresh = [problem for problem in problems if problem not in self._shown]
        self._shown.update(fresh)
        show_problems(fresh, all_with=self._all_with, brief=known)


def show_invalid(error: ManifestInvalid, *, all_with: str, every: bool = False) -> None:
    """Show all that is wrong with a manifest, then how much it is, and the next step if there is one."""
    show_problems(error.problems, all_with=all_with, every=every)
    advice = [f"  → {visible(error.advice, PATH_LIMIT)}"] if error.advice else []
    warn([*wrapped(f"shotrunner: {visible(error.message)}"), *advice])


def show_problems(
    problems: Sequence[Problem], *, all_with: str, every: bool = False, brief: bool = False
) -> None:
    """Show problems as `problem_lines` does, with the style that standard error asks for; `brief` leaves out lines."""
    style, sources = style_of(SafeStream.over(sys.stderr), os.environ), cache(_source)

    def excerpt(at: Position) -> Excerpt | None:
        source = sources(at.file)
        return source.excerpt(at) if source else None

    if brief:
        style = replace(style, is_brief=True)
    paint(problem_lines(problems, excerpt=excerpt, style=style, all_with=all_with, every=every))


def style_of(stream: SafeStream, environ: Mapping[str, str]) -> Style:
    """Return how to write on a stream.

    Source: no-color.org, force-color.org.
    """
    width = width_of(stream, environ)
    wanted = width is not None or bool(environ.get("FORCE_COLOR"))
    return Style(width, wanted and not environ.get("NO_COLOR"))


def _source(file: str) -> SourceText | None:
    try:
        text = decode(manifest_bytes(Path(file), CEILING), Findings(file), CEILING)
    except (FileMissing, UsageError, Stop):
        return None
    return SourceText(text, file)
