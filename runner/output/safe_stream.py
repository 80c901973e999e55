"""A text stream that cannot change how a run ends: it accepts any text, and writes nothing once its reader is gone.

In: a terminal, a pipe, a file or a buffer. Out: the same text on it while it works, with escapes for characters that
its encoding lacks or a terminal would obey. It does not know what the text says. Only a `Canvas` steers a terminal.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import Self, TextIO

from runner.system.escapes import escaped


class SafeStream(io.TextIOBase):
    """A text stream that stops writing, without an error, once its reader is gone or it is closed."""

    def __init__(self, stream: TextIO | SafeStream) -> None:
        self._stream: TextIO = stream.below if isinstance(stream, SafeStream) else stream
        self._encoding = getattr(stream, "encoding", None) or "utf-8"
        self._broken = False

    @classmethod
    def over(cls, stream: TextIO | SafeStream) -> Self:
        """Return a safe stream over `stream`, or `stream` itself if it is one already."""
        return stream if isinstance(stream, cls) else cls(stream)

    @property
    def below(self) -> TextIO:
        """The stream that it writes on."""
        return self._stream

    def write(self, text: str) -> int:
        """Write `text`, or drop it, and return its length; only its line breaks can steer a terminal."""
        return self._pass_on(escaped(text, kept="\n"), length=len(text))

    def _pass_on(self, text: str, *, length: int) -> int:
        if not self._broken:
            try:
                self._stream.write(self._fits(text))
            except (OSError, ValueError):
                # ValueError means that the stream was closed meanwhile, as a shell closes a pipe's reader.
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
        """Close the stream below; some disks report only then that they did not store what was written."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.close()

    def line(self, text: str) -> None:
        """Write one line and flush it, so that a reader of a pipe sees it now."""
        self.write(text + "\n")
        self.flush()

    def isatty(self) -> bool:
        """Return whether this is a terminal."""
        return not self._broken and self._stream.isatty()

    def fileno(self) -> int:
        """Return the descriptor below, which gives the width of a terminal."""
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
        """Return the columns of the terminal, None without one; some terminals report 0."""
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return None

    def _fits(self, text: str) -> str:
        return text.encode(self._encoding, "backslashreplace").decode(self._encoding)

    def _give_up(self) -> None:
        # Python flushes the stream again when it ends, and would print an error. So it writes to the null device.
        self._broken = True
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())


class Canvas(SafeStream):
    """The stream of a line that is drawn again and again; its text is the program's own and may steer the terminal."""

    def write(self, text: str) -> int:
        """Write `text` as it is, or drop it, and return its length."""
        return self._pass_on(text, length=len(text))

    def size(self) -> tuple[int, int]:
        """Return the columns and lines of the terminal; 80 and 24 where it does not say."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            columns = lines = 0
        return columns or 80, lines or 24

    def draw(self, text: str) -> None:
        """Write `text` and flush it."""
        self.write(text)
        self.flush()
