"""`--progress json`: the events of a command for programs, on standard error or in a file, up to `run.ended`.

On standard error nothing else is written meanwhile: what the command prints there becomes messages.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext, redirect_stderr
from dataclasses import replace
from typing import TextIO, cast

from runner.cli.arg_types import events_file
from runner.cli.json_output import PROGRAM, words_of
from runner.commands.steps.request import RunRequest
from runner.commands.steps.summary import RunSummary, ended_event
from runner.domain.disk_errors import file_error, machine_error
from runner.domain.errors import ShotrunnerError
from runner.domain.run_ending import EXIT_CODES, EndingKind
from runner.domain.run_events import Event, Message, RunEnded
from runner.output.event_json import JsonEvents
from runner.output.safe_stream import SafeStream
from runner.system.clock import Clock, SystemClock
from runner.system.private_files import open_private

_MARKS = ("→ ", "go on with: ")


class EventStream:
    """A listener that passes a command's events on to `lines`, and writes its end last; without lines it does nothing.

    `is_shown` says that the lines are the command's progress.
    """

    def __init__(self, lines: JsonEvents | None = None, *, is_shown: bool = False) -> None:
        self._lines, self._is_shown = lines, is_shown
        self._end: tuple[RunSummary, Sequence[str], int] | None = None

    def follow(self, request: RunRequest) -> RunRequest:
        """Return the request of a run that this stream follows."""
        if self._lines is None:
            return request
        if self._is_shown:
            return replace(request, progress=lambda _started: nullcontext(self))
        return replace(request, listeners=(*request.listeners, self))

    def on_event(self, event: Event) -> None:
        """Write the event; the end waits for that of the command."""
        if self._lines is not None and not isinstance(event, RunEnded):
            self._lines.on_event(event)

    def note_end(self, summary: RunSummary, advice: Sequence[str], *, code: int) -> None:
        """Note how the command ended, with its exit code; `advice` are lines for a person, some of them commands."""
        self._end = summary, advice, code

    def end(self, clock: Clock) -> None:
        """Write the end that was noted; without one, the person did not agree."""
        if self._lines is None:
            return
        if self._end is None:
            self._lines.end_early(EndingKind.DECLINED, code=EXIT_CODES[EndingKind.DECLINED])
            return
        summary, advice, code = self._end
        commands = [words for line in advice if (words := command_in(line))]
        self._lines.end(replace(ended_event(summary, at=clock.wall()), exit_code=code), commands=commands)


NO_EVENTS = EventStream()


def with_events(arguments: Namespace, work: Callable[[EventStream], int]) -> int:
    """Do the work of a command and return its exit code, with its events where `--progress` sends them.

    Raises:
        CannotCreate, DiskFailed: the file cannot be written; nothing was done.
    """
    file = events_file(arguments.progress)
    if file is None:
        return work(NO_EVENTS)
    clock, is_shown = SystemClock(), not file
    with ExitStack() as stack:
        outlet = SafeStream.over(sys.stderr if is_shown else _opened(file))
        if not is_shown:
            stack.callback(outlet.end)
        lines = JsonEvents(outlet, clock=clock)
        if is_shown:
            stack.enter_context(redirect_stderr(cast("TextIO", _Messages(lines))))
        stream = EventStream(lines, is_shown=is_shown)
        try:
            code = work(stream)
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
            lines.end_early(EndingKind.INTERRUPTED, code=code)
            if not is_shown:
                raise
        except Exception as error:
            ours = error if isinstance(error, ShotrunnerError) else machine_error(error)
            lines.end_by(ours or error)
            # The error is the result as well, where that is asked for as JSON.
            if not is_shown or ours is None or arguments.output == "json":
                raise
            code = ours.exit_code
        else:
            stream.end(clock)
        return code


def _opened(file: str) -> TextIO:
    try:
        return os.fdopen(open_private(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "a", encoding="utf-8")
    except OSError as error:
        raise file_error(error, file, "cannot be written") from error


def command_in(line: str) -> list[str]:
    """Return the words of a command that a line of advice gives; empty for any other line."""
    shown = line.strip()
    mark = next((mark for mark in _MARKS if shown.startswith(mark)), None)
    words = words_of(shown.removeprefix(mark)) if mark else []
    return [PROGRAM, *words] if words else []


class _Messages(io.TextIOBase):
    """A text stream whose lines become messages; commands are left out, since the end has them."""

    def __init__(self, lines: JsonEvents) -> None:
        self._lines, self._begun = lines, ""

    def write(self, text: str) -> int:
        """Pass the whole lines on, and keep what has only begun."""
        *whole, self._begun = f"{self._begun}{text}".split("\n")
        for line in filter(str.strip, whole):
            if not command_in(line):
                self._lines.on_event(Message(line.strip()))
        return len(text)

    def flush(self) -> None:
        """Pass on a question, which ends without a line break."""
        if self._begun:
            self.write("\n")
