"""A cut as a list for FFmpeg's concat demuxer: files in order, each with its length. It cannot hold a gap.

In: a timeline, and the path of each clip. Out: text. A line break in a path would end its line, so it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import UsageError
from runner.timeline.lengths import seconds_of
from runner.timeline.slots import Clip, Timeline


def ffconcat_text(timeline: Timeline, *, path: Callable[[Clip], str]) -> str:
    """Return the list; `path` gives the path of a clip's file.

    Raises:
        UsageError: a path has a line break in it.
    """
    return "\n".join(("ffconcat version 1.0", *_lines(timeline, path))) + "\n"


def _lines(timeline: Timeline, path: Callable[[Clip], str]) -> Iterator[str]:
    for slot in timeline.slots:
        if slot.active is not None:
            yield f"file {_quoted(path(slot.active))}"
            yield f"duration {seconds_of(slot):.6f}"


def _quoted(path: str) -> str:
    if any(character in path for character in "\n\r\0"):
        raise UsageError(
            f"ffconcat cannot hold the path {visible(path, PATH_LIMIT)}: it has a line break",
            advice="rename the folder, or choose another form",
        )
    # Nothing is special between single quotes but the quote itself. A name such as data:x must not become a protocol.
    plain = path if path.startswith(("/", ".")) else f"./{path}"
    return "'" + plain.replace("'", "'\\''") + "'"
