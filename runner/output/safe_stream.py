"""A text stream that cannot change how a run ends: it takes any text, and falls silent once its reader has gone.

In: a stream of any kind, a terminal, a pipe, a file or a buffer. Out: the same text on it, as long as it holds, with
escapes for what its encoding lacks and for all that a terminal would obey. Only a `Canvas` steers a terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import Self, TextIO

from runner.system.escapes import escaped


class SafeStream(io.TextIOBase):
    """A text stream that stops writing, and says nothing, once its reader has gone or it is closed."""

    def __init__(self, stream: TextIO | SafeStream) -> None:
        self._stream: TextIO = stream.below if isinstance(stream, SafeStream) else stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._broken = False

    @classmethod
    def over(cls, stream: TextIO | SafeStream) -> Self:
        """Return an outlet to `stream`; one that is such an outlet already is its own."""
        return stream if isinstance(stream, cls) else cls(stream)

    @property
    def below(self) -> TextIO:
        """The stream that it writes on."""
        return self._stream

    def write(self, text: str) -> int:
        """Write `text`, or swallow it, and return its length; only its line breaks can steer a terminal."""
        return self._pass_on(escaped(text, kept="\n"), length=len(text))

    def _pass_on(self, text: str, *, length: int) -> int:
        if not self._broken:
            try:
                self._stream.write(self._fits(text))
            except (OSError, ValueError):
                # ValueError: the stream was closed under us, as a shell closes a pipe's reader.
                self._give_up()
        return length

    def flush(self) -> None:
        """Pass on what is waiting, or drop it."""
        if not self._broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._give_up()

    def end(self) -> None:
        """Close the stream below; some disks say only then that they have not taken what was written."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.close()

    def line(self, text: str) -> None:
        """Write one line and flush it, so that a reader of a pipe sees it now."""
        self.write(text + "\n")
        self.flush()

    def isatty(self) -> bool:
        """Say whether this is a terminal."""
        return not self._broken and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor below, by which the width of a terminal is found."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # the base class has a plain attribute
        """How text becomes bytes."""
        return self._encoding

    @property
    def speaks_unicode(self) -> bool:
        """True if the stream can write the characters of a bar."""
        return self._fits("·…█") == "·…█"

    @property
    def width(self) -> int | None:
        """Return the columns of the terminal, None without one; some terminals say 0, and tqdm would draw nothing."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return None

    def _fits(self, text: str) -> str:
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _give_up(self) -> None:
        # Python flushes the stream once more at its end, and would complain there: let it write to nowhere.
        self._broken = True
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class Canvas(SafeStream):
    """The outlet of a line that is drawn over: what is written on it is our own, and may steer the terminal."""

    def write(self, text: str) -> int:
        """Write `text` as it is, or swallow it, and return its length."""
        return self._pass_on(text, length=len(text))

    def draw(self, text: str) -> None:
        """Write `text` and flush it."""
        self.write(text)
        self.flush()
