"""A cut as CSV: one row a shot, with its file, its in and out, and what is known of it.

In: a timeline, and how a clip's file is addressed. Out: text with a BOM and CRLF, as spreadsheets read it. Cells are
guarded against formulas.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias

from runner.system.csv_cells import guard
from runner.timeline.lengths import Placed, exact_rate, first_frame, placed, timecode
from runner.timeline.markers import flags_of
from runner.timeline.slots import Clip, Timeline

Cell: TypeAlias = "str | int | float | None"

_COLUMNS = (
    "number shot label file state why decision in out record_in record_out seconds fps clip_seconds clip_width"
    " clip_height clip_fps audio prompt seed model take request_id fingerprint flags comments others"
)
COLUMNS = tuple(_COLUMNS.split())
"""The columns in their order; times are `HH:MM:SS:FF` at the rate in `fps`."""


def csv_text(timeline: Timeline, *, path: Callable[[Clip], str]) -> str:
    """Return the table; `path` gives the path of a clip's file."""
    rate = exact_rate(timeline.fps)
    begin = first_frame(timeline, rate)
    out = io.StringIO(newline="")
    out.write("\ufeff")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for number, place in enumerate(placed(timeline, rate), 1):
        cells = {"number": number, **_times(place, rate, begin), **_of_slot(place, path)}
        row = (cells.get(column) for column in COLUMNS)
        writer.writerow([guard(cell) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()


def _times(place: Placed, rate: Fraction, begin: int) -> Mapping[str, Cell]:
    return {
        "in": timecode(0, rate),
        "out": timecode(place.frames, rate),
        "record_in": timecode(begin + place.start, rate),
        "record_out": timecode(begin + place.end, rate),
        "seconds": round(float(place.frames / rate), 3),
        "fps": round(float(rate), 3),
    }


def _of_slot(place: Placed, path: Callable[[Clip], str]) -> Mapping[str, Cell]:
    slot, clip = place.slot, place.slot.active
    known: dict[str, Cell] = {
        "shot": slot.shot_id,
        "state": "gap" if clip is None else "clip",
        "why": slot.why,
        "prompt": slot.prompt,
        "others": " ".join(each.label for each in slot.others),
    }
    return known if clip is None else known | _of_clip(clip, path(clip))


def _of_clip(clip: Clip, path: str) -> dict[str, Cell]:
    about = {name: _cell(clip.about.get(name)) for name in ("seed", "model", "request_id", "fingerprint")}
    return {
        "label": clip.label,
        "file": path,
        "decision": clip.decision.value if clip.decision else None,
        "clip_seconds": None if clip.seconds is None else round(clip.seconds, 3),
        "clip_width": clip.width or None,
        "clip_height": clip.height or None,
        "clip_fps": None if clip.fps is None else round(clip.fps, 3),
        "audio": None if clip.has_audio is None else "yes" if clip.has_audio else "no",
        "take": clip.take_id,
        "flags": "; ".join(flags_of(clip)),
        "comments": " / ".join(
            f"{'' if each.at is None else f'{each.at:g} s: '}{each.note}" for each in clip.comments
        ),
        **about,
    }


def _cell(value: object) -> Cell:
    return value if isinstance(value, str | int | float) else None
