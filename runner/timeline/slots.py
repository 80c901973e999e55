"""The cut as values: one slot a shot in board order, with the clip that plays and the clips that could.

It knows no file format. A slot without a clip is a gap of the planned length, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.domain.picks import Decision, Pick
from runner.system.canonical_json import JsonValue


@dataclass(frozen=True, slots=True)
class Clip:
    """One take's clip on disk; `seconds`, `fps` and the size in pixels are None or 0 if they were not measured.

    `label` is the take's short name (`s010_t02`). `about` holds prompt, seed, model, request id and the like.
    """

    take_id: str
    label: str
    file: Path
    seconds: float | None = None
    fps: float | None = None
    width: int = 0
    height: int = 0
    has_audio: bool | None = None
    decision: Decision | None = None
    comments: tuple[Pick, ...] = ()
    about: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slot:
    """One shot: the clip that plays, None for a gap, and the others of the shot, which could play instead.

    `planned` is the length that was asked for, in seconds; `is_assumed` says that the request names none. `why` says
    why there is no clip; empty if there is one. `is_waiting` says that a rendered clip has only to be fetched.
    """

    shot_id: str
    planned: float
    active: Clip | None = None
    others: tuple[Clip, ...] = ()
    why: str = ""
    prompt: str = ""
    is_assumed: bool = False
    is_waiting: bool = False


@dataclass(frozen=True, slots=True)
class Timeline:
    """A whole board in order; `fps` is the rate of the cut, and `start` the timecode of its first frame."""

    name: str
    fps: float
    slots: tuple[Slot, ...]
    start: str = "00:00:00:00"
