"""The names of a take's files: one module makes them, so that no two takes or outputs ever have the same one.

    s010.mp4  s010+2.mp4              the first and the second output
    s010+of-1a2b3c4d+2.mp4            the second output of an older paid job, put aside
    s010.json  s010+of-1a2b3c4d.json  their sidecars
    s010.rejected  s010+2.rejected    the start of a rejected download
    .s010+2.part  .s010+2.part.json   an incomplete output, and the note on how to continue it
    .s010+2.rejected.json             the note on which `.rejected` belongs to this program

A stem is the take's id, or the name that the user's template gave the take. No two takes of a run have the same one.
The names that begin with a dot, and those of rejected downloads, are always made from the take's id. They are
short-lived, and so no change of the template concerns them.

A stem has no `+`, and an extension no dot. So a stem ends at the first `+`, or without one at the last dot, and a name
can be read in only one way. `+` needs no quotes in a shell and no escape in the path of a URL, and
Windows allows it.
"""

from __future__ import annotations

import re

SEPARATOR = "+"


def clip_name(stem: str, index: int, extension: str, *, aside: str = "") -> str:
    """Return the name of output `index` (from 0); `aside` is the word in the name of a clip that was put aside."""
    marks = [stem, *([aside] if aside else []), *([str(index + 1)] if index else [])]
    return f"{SEPARATOR.join(marks)}.{extension}"


def sidecar_name(stem: str, *, aside: str = "") -> str:
    """Return the name of the sidecar of all outputs of one job."""
    return clip_name(stem, 0, "json", aside=aside)


def rejected_name(stem: str, index: int, *, number: int = 1) -> str:
    """Return the name of a rejected download; `number` is above 1 if a stranger's file has the plain name."""
    return clip_name(stem, index, "rejected", aside=f"no{number}" if number > 1 else "")


def part_name(stem: str, index: int) -> str:
    """Return the hidden name under which an output grows."""
    return f".{clip_name(stem, index, 'part')}"


def part_note_name(stem: str, index: int) -> str:
    """Return the hidden name of the note on how to continue an output."""
    return f"{part_name(stem, index)}.json"


def rejected_note_name(stem: str, index: int) -> str:
    """Return the hidden name of the note on which `.rejected` belongs to this program."""
    return f".{rejected_name(stem, index)}.json"


def set_aside_word(request_id: str) -> str:
    """Return the word in the names of an older job's clips that are put aside; several ids may share one."""
    return "of-" + (re.sub(r"[^a-z0-9-]", "_", request_id[:8].lower()) or "older")


def stem_of(name: str) -> str:
    """Return the only stem that may have `name`."""
    stem, plus, _ = name.partition(SEPARATOR)
    return stem if plus else name.rpartition(".")[0]


def extension_of(name: str) -> str:
    """Return the text after the last dot."""
    return name.rpartition(".")[2]
