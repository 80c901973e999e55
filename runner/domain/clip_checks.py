"""What a look into a delivered clip finds: its measured properties, and flags where they are not what was asked for.

A flag is a remark for a person. It is never a failure, and it never leads to a new payment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class FlagKind(StrEnum):
    """What is odd about a clip; the words are those of `report.csv` and of the page."""

    UNREADABLE = "unreadable"
    TRUNCATED = "truncated"
    DURATION = "duration"
    SIZE = "size"
    RATE = "rate"
    AUDIO = "audio"
    CODEC = "codec"
    BLACK = "black"
    FROZEN = "frozen"


@dataclass(frozen=True, slots=True)
class Flag:
    """One odd thing about a clip; `text` is a phrase such as `2 s long, 5 s were asked for`."""

    kind: FlagKind
    text: str


@dataclass(frozen=True, slots=True)
class Probe:
    """The measured properties of a clip; empty, 0 or None is what is not known.

    `width` and `height` are in pixels as shown, `seconds` is the length of the picture, `fps` frames per second.
    `audio` is None if it is not known whether there is sound, and empty if there is none. `is_decoded` is false if only
    the container's header was read.
    """

    container: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    seconds: float | None = None
    fps: float | None = None
    frames: int | None = None
    audio: str | None = None
    is_decoded: bool = False

    def to_json(self) -> str:
        """Return the text that a record keeps."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Probe:
        """Return the probe that `to_json` wrote."""
        return cls(**json.loads(text))


def flags_from_json(text: str) -> tuple[Flag, ...]:
    """Return the flags of a record's text, a list of pairs of kind and phrase."""
    return () if text == "[]" else tuple(Flag(FlagKind(kind), phrase) for kind, phrase in json.loads(text))


def flags_as_json(flags: Sequence[Flag]) -> list[tuple[str, str]]:
    """Return flags as plain values: pairs of kind and phrase."""
    return [(flag.kind.value, flag.text) for flag in flags]


def probe_words(probe: Probe) -> Mapping[str, float | None]:
    """Return what is known of a clip by the names of the report's columns."""
    return {
        "clip_seconds": None if probe.seconds is None else round(probe.seconds, 3),
        "clip_width": probe.width or None,
        "clip_height": probe.height or None,
        "clip_fps": None if probe.fps is None else round(probe.fps, 3),
    }
