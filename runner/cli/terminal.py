"""The process's standard streams: made safe, so that none can change how a run ends; printed on; a person's answers."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterable, Mapping
from typing import TextIO, cast

from runner.domain.errors import UsageError
from runner.output.safe_stream import Canvas, SafeStream
from runner.system.escapes import visible

_USUAL_WIDTH = 80
_NO_BREAK = "\u00a0"


def settle_streams() -> None:
    """Give the process open streams that accept any text and never raise."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    sys.stdout = _made_safe(sys.stdout)
    sys.stderr = _made_safe(sys.stderr)


def _made_safe(stream: TextIO | None) -> TextIO:
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    return cast("TextIO", SafeStream.over(stream))


def show(lines: Iterable[str]) -> None:
    """Print lines of a result, which are safe to show."""
    for line in lines:
        print(line)


def show_json(value: object) -> None:
    """Print a result for programs; a mapping that is not a dict becomes one."""
    print(json.dumps(value, indent=1, default=dict))


def show_result(arguments: Namespace, value: object, lines: Iterable[str]) -> None:
    """Print a result as the flag `--output` says: as JSON for programs, or as lines for people."""
    if arguments.output == "json":
        show_json(value)
    else:
        show(lines)


def warn(lines: Iterable[str]) -> None:
    """Print lines to a person beside the result; they are safe to show."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def width_of(stream: SafeStream, environ: Mapping[str, str]) -> int | None:
    """Return the columns of a terminal, None for anything else; a terminal called `dumb` counts as a pipe."""
    if not stream.isatty() or environ.get("TERM") == "dumb":
        return None
    said = environ.get("COLUMNS", "")
    return (int(said) if said.isascii() and said.isdigit() else 0) or stream.width or _USUAL_WIDTH


def wrapped(sentence: str) -> list[str]:
    """Return the lines of a sentence to a person: broken at blanks to the width of a terminal, whole in a pipe."""
    width = width_of(SafeStream.over(sys.stderr), os.environ)
    if width is None:
        return [sentence]
    from runner.output.problem_text import broken_lines

    return broken_lines(sentence, width, indent="  ")


def lines_for(stream: TextIO, lines: Iterable[str]) -> list[str]:
    """Return lines as they fit `stream`: broken to the width of a terminal, whole in a pipe."""
    width = width_of(SafeStream.over(stream), os.environ)
    return list(lines) if width is None else fitted(lines, width)


def fitted(lines: Iterable[str], width: int) -> list[str]:
    """Return lines broken at blanks to `width` columns; counts stay whole, and a command to copy is never broken."""
    from runner.output.problem_text import broken_lines

    found = []
    for line in lines:
        is_command = line.lstrip().startswith("→")
        parts = [line] if is_command else broken_lines(_bound(line), width, indent="    ")
        found += [part.replace(_NO_BREAK, " ") for part in parts]
    return found


def _bound(line: str) -> str:
    """Return a line of parts such as `4 delivered · 1 held` that can be broken only between them."""
    parts = line.split(" · ")
    return line if len(parts) == 1 else f"{_NO_BREAK}· ".join(part.replace(" ", _NO_BREAK) for part in parts)


def paint(lines: Iterable[str]) -> None:
    """Print lines to a person beside the result as they are: they are safe, and may have the program's own colours."""
    canvas = Canvas.over(sys.stderr)
    for line in lines:
        canvas.line(line)


def note(remarks: Iterable[str], *, limit: int = 1000) -> None:
    """Print remarks to a person beside the result, each made safe and cut at `limit` characters."""
    warn(visible(remark, limit) for remark in remarks)


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
