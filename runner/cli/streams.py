"""Standard streams that cannot change how a run ends: closed ones, broken pipes, lost terminals, narrow encodings.

In: the process's streams as it got them. Out: streams that take any text and fall silent when nobody listens.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO, cast


class Outlet(io.TextIOBase):
    """A text stream that stops writing, and says nothing, once its reader has gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._broken = False

    def write(self, text: str) -> int:
        """Write `text`, or swallow it."""
        if not self._broken:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):
                self._give_up()
        return len(text)

    def flush(self) -> None:
        """Pass on what is waiting, or drop it."""
        if not self._broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._give_up()

    def _give_up(self) -> None:
        # Python flushes the stream once more at its end, and would complain there: let it write to nowhere.
        self._broken = True
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def isatty(self) -> bool:
        """Say whether this is a terminal."""
        return not self._broken and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor below."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        """How text becomes bytes."""
        return self._stream.encoding


def settle_streams() -> None:
    """Give the process streams that are there, take any text, and never raise."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    sys.stdout = _settled(sys.stdout)
    sys.stderr = _settled(sys.stderr)


def _settled(stream: TextIO | None) -> TextIO:
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open as long as the process
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream if isinstance(stream, Outlet) else cast("TextIO", Outlet(stream))
