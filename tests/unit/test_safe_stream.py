"""An outlet takes any text, passes on what its stream can hold, and falls silent for good when that breaks."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import termios
from pathlib import Path

import pytest

from runner.output.safe_stream import Canvas, SafeStream


class Leaving(io.StringIO):
    """A pipe whose reader goes after so many writes; `tried` counts all of them, also those that failed."""

    def __init__(self, *, after: int) -> None:
        super().__init__()
        self.tried = 0
        self._after = after

    def write(self, text: str) -> int:
        self.tried += 1
        if self.tried > self._after:
            raise BrokenPipeError(32, "broken pipe")
        return super().write(text)

    def isatty(self) -> bool:
        return True


def test_what_is_said_before_the_reader_went_has_arrived_and_nothing_is_tried_after() -> None:
    stream = Leaving(after=2)
    outlet = SafeStream(stream)
    assert [outlet.write(word) for word in ("one ", "two ", "three", "four")] == [4, 4, 5, 4]
    assert stream.getvalue() == "one two "
    assert stream.tried == 3


def test_a_stream_whose_reader_has_gone_is_no_terminal_any_more() -> None:
    outlet = SafeStream(Leaving(after=0))
    assert outlet.isatty()
    outlet.line("nobody hears")
    assert not outlet.isatty()


def test_a_stream_closed_under_it_swallows_text() -> None:
    stream = io.StringIO()
    outlet = SafeStream(stream)
    stream.close()
    outlet.flush()
    assert outlet.write("too late") == 8


def test_a_disk_that_complains_at_the_end_changes_nothing() -> None:
    class Late(io.StringIO):
        def close(self) -> None:
            super().close()
            raise OSError(122, "disk quota exceeded")

    stream = Late()
    outlet = SafeStream(stream)
    outlet.line("said")
    outlet.end()
    outlet.end()
    assert stream.closed


def test_a_pipe_without_a_reader_can_still_be_closed() -> None:
    """What waits in the stream's own buffer goes nowhere, so that the end of the process has nothing to complain of."""
    ours, theirs = os.pipe()
    os.close(ours)
    stream = os.fdopen(theirs, "w", encoding="utf-8")
    outlet = SafeStream(stream)
    outlet.line("nobody hears")
    assert outlet.write("nor this") == 8
    stream.write("left in the buffer")
    stream.close()
    assert stream.closed


def test_a_file_on_a_full_disk_can_still_be_closed() -> None:
    """A log that cannot be written any more must not fail the run when it is closed."""
    with Path("/dev/full").open("w", encoding="utf-8") as stream:
        outlet = SafeStream(stream)
        outlet.line("does not fit")
        outlet.line("nor this")
    assert stream.closed


def test_a_line_is_there_for_a_reader_at_once() -> None:
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb", buffering=0) as reader, os.fdopen(theirs, "w", encoding="utf-8") as stream:
        SafeStream(stream).line("now")
        assert reader.read(64) == b"now\n"


@pytest.mark.parametrize(
    ("encoding", "text", "shown", "speaks"),
    [
        ("utf-8", "naïve → █ \udc80", "naïve → █ \\x80", True),
        ("latin-1", "naïve → █", "naïve \\u2192 \\u2588", False),
        ("ascii", "naïve", "na\\xefve", False),
    ],
    ids=lambda part: part if isinstance(part, str) and "-" in part else "",
)
def test_an_encoding_shows_what_it_has_and_escapes_the_rest(
    encoding: str, text: str, shown: str, speaks: bool
) -> None:
    raw = io.BytesIO()
    outlet = SafeStream(io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    outlet.line(text)
    assert raw.getvalue().decode(encoding) == shown + "\n"
    assert outlet.speaks_unicode is speaks
    assert outlet.encoding == encoding


@pytest.mark.parametrize("columns", [0, 60, 200])
def test_the_width_is_what_the_terminal_says(columns: int) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w", encoding="utf-8") as stream:
        assert SafeStream(stream).width == columns
        assert SafeStream(stream).isatty()


def test_what_is_no_terminal_has_no_width_and_says_all_characters() -> None:
    outlet = SafeStream(io.StringIO())
    assert outlet.width is None
    assert outlet.speaks_unicode
    assert not outlet.isatty()


def test_an_outlet_is_not_put_into_another() -> None:
    stream = io.StringIO()
    outlet = SafeStream.over(stream)
    assert SafeStream.over(outlet) is outlet
    outlet.write("once")
    assert stream.getvalue() == "once"


def test_only_a_canvas_lets_text_steer_the_terminal() -> None:
    stream = io.StringIO()
    outlet = SafeStream(stream)
    outlet.line("one\x1b[2J\r\x07\u202e\u200b\x9b\ntwo")
    assert stream.getvalue() == "one\\x1b[2J\\r\\x07\\u202e\\u200b\\x9b\ntwo\n"
    Canvas.over(outlet).draw("\r\x1b[K")
    assert stream.getvalue().endswith("\n\r\x1b[K")
