"""Starts a program of the user: never by a shell, with text on its standard input, within a time limit.

Its environment has no token of the API. It runs in a process group of its own, so that Ctrl-C reaches the run alone,
and so that it can be stopped with all that it started.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from runner.domain.display import duration
from runner.domain.errors import UsageError
from runner.domain.token_leaks import TOKEN_VARIABLES, tokens_in

_TICK_S = 0.1
_GRACE_S = 1.0
_BLOCK = 4096
_BLOCKS_KEPT = 4


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended; `trouble` is empty if it did what it should, and `output` is the end of what it wrote.

    `exit_code` is None for one that did not start or was stopped. `is_cut` says that the caller stopped it.
    """

    exit_code: int | None
    trouble: str = ""
    output: bytes = b""
    is_cut: bool = False


def words_of(text: str, *, flag: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words of a command as a POSIX shell splits them; nothing is expanded.

    Raises:
        UsageError: a quote is open, there is no word, or no such program is found.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{flag}: the command cannot be split into words: {str(error).lower()}") from error
    if not words:
        raise UsageError(f"{flag}: the command is empty", advice=f"give {flag} 'PROGRAM ARGUMENT …'")
    if shutil.which(words[0], path=environ.get("PATH")) is None:
        raise UsageError(
            f"{flag}: there is no program {words[0]}",
            advice="give its path, or a name that is found in PATH; it is not run by a shell",
        )
    return words


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program: without the API's token, under whatever name it stands there."""
    tokens = tokens_in(environ)
    return {
        name: value
        for name, value in environ.items()
        if name not in TOKEN_VARIABLES and not any(token in value for token in tokens)
    }


def run_program(
    words: Sequence[str],
    *,
    given: str,
    environ: Mapping[str, str],
    limit_s: float,
    stop: threading.Event | None = None,
) -> Finished:
    """Run a program to its end, but not longer than `limit_s` seconds or until `stop` is set; it never raises."""
    # A file cannot block, as a pipe would whose reader does not read.
    with tempfile.TemporaryFile() as text:
        text.write(given.encode())
        text.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the user's own command, and no shell
                words,
                stdin=text,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment(environ),
                start_new_session=True,
            )
        except OSError as error:
            return Finished(None, f"cannot be started: {error.strerror}")
    kept: deque[bytes] = deque(maxlen=_BLOCKS_KEPT)
    assert process.stdout is not None
    reader = threading.Thread(target=_keep, args=(process.stdout, kept), daemon=True)
    reader.start()
    end = time.monotonic() + limit_s
    while True:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TICK_S)
            break
        is_cut = stop is not None and stop.is_set()
        if is_cut or time.monotonic() > end:
            _end(process)
            trouble = "was stopped" if is_cut else f"took longer than {duration(limit_s)}"
            return Finished(None, trouble, _read(reader, kept), is_cut)
    code = process.returncode
    said = f"exited with {code}" if code > 0 else f"was ended by signal {-code}"
    return Finished(code, said if code else "", _read(reader, kept))


def _keep(output: IO[bytes], kept: deque[bytes]) -> None:
    """Read all that a program writes, so that it never waits, and keep the end."""
    with output:
        while block := output.read1(_BLOCK):  # type: ignore[attr-defined]  # a pipe is buffered
            kept.append(block)


def _read(reader: threading.Thread, kept: deque[bytes]) -> bytes:
    # Something that the program left behind may hold the pipe open.
    reader.join(_GRACE_S)
    return b"".join(list(kept))


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(_GRACE_S)
            return
