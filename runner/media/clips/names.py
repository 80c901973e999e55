"""The names of a take's files: one place, so that no two takes and no two outputs can ever have the same one.

In: a stem, which today is the take's id, the place of an output in the result, an extension. Out: plain file names, and
which stem a name belongs to. It touches no file.

    s010.mp4  s010+2.mp4              the first and the second output
    s010+of-1a2b3c4d+2.mp4            the second output of an older paid job, put aside
    s010.json  s010+of-1a2b3c4d.json  their sidecars
    s010.rejected  s010+2.rejected    the start of what came instead of an output
    .s010+2.part  .s010+2.part.json   an output that grows, and the note on how to continue it
    .s010+2.rejected.json             the note on which `.rejected` is ours

A stem holds no `+`, an extension no dot. So a stem ends at the first `+`, or at the last dot where there is none, and
nothing that stands before or behind can be read in two ways. `+` needs no quotes in a shell and no escape in the path
of a URL, and Windows allows it.
"""

from __future__ import annotations

import re

SEPARATOR = "+"


def why_no_stem(stem: str) -> str | None:
    """Return why names cannot begin with `stem`, or None if they can."""
    if not stem or stem.startswith("."):
        return "a stem is not empty and begins with no dot"
    if SEPARATOR in stem or "/" in stem:
        return f"a stem holds neither '{SEPARATOR}' nor '/'"
    return None


def clip_name(stem: str, index: int, extension: str, *, aside: str = "") -> str:
    """Return the name of output `index` (from 0); `aside` is the word under which it was put aside."""
    return f"{_marked(stem, index, aside)}.{extension}"


def sidecar_name(stem: str, *, aside: str = "") -> str:
    """Return the name of the sidecar of all outputs of one job."""
    return f"{_marked(stem, 0, aside)}.json"


def rejected_name(stem: str, index: int, *, number: int = 1) -> str:
    """Return the name of what came instead of an output; `number` above 1 where a file that is not ours has it."""
    return f"{_marked(stem, index, f'no{number}' if number > 1 else '')}.rejected"


def part_name(stem: str, index: int) -> str:
    """Return the hidden name under which an output grows."""
    return f".{_marked(stem, index)}.part"


def part_note_name(stem: str, index: int) -> str:
    """Return the hidden name of the note on how to continue an output."""
    return f"{part_name(stem, index)}.json"


def rejected_note_name(stem: str, index: int) -> str:
    """Return the hidden name of the note on which `.rejected` is ours."""
    return f".{_marked(stem, index)}.rejected.json"


def set_aside_word(request_id: str) -> str:
    """Return the word under which the clips of an older job are put aside; several ids may share one."""
    return "of-" + (re.sub(r"[^a-z0-9-]", "_", request_id[:8].lower()) or "older")


def stem_of(name: str) -> str:
    """Return the stem that alone may have `name`."""
    stem, plus, _ = name.partition(SEPARATOR)
    return stem if plus else name.rpartition(".")[0]


def extension_of(name: str) -> str:
    """Return what stands behind the last dot."""
    return name.rpartition(".")[2]


def _marked(stem: str, index: int, aside: str = "") -> str:
    return SEPARATOR.join([stem, *([aside] if aside else []), *([str(index + 1)] if index else [])])
