"""Reads from a request body what it asks of the clip: length, size, shape, frame rate and sound.

Models name these inputs in many ways. A name or a value that is not known here asks for nothing, so nothing is judged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from runner.system.canonical_json import JsonValue

T = TypeVar("T")

_SECONDS = frozenset({"duration", "durationseconds", "videoduration", "videoseconds", "seconds"})
_SIZES = frozenset(
    {"resolution", "videoresolution", "outputresolution", "size", "videosize", "imagesize", "quality"}
)
_SHAPES = frozenset({"aspectratio", "aspect", "ratio"})
_RATES = frozenset({"fps", "framerate", "framespersecond", "videofps"})
_SOUND = frozenset(
    {"generateaudio", "enableaudio", "withaudio", "addaudio", "includeaudio", "audio", "sound", "enablesound"}
)

_LENGTH = re.compile(r"(\d{1,4}(?:\.\d{1,3})?)\s*(?:s|sec|secs|seconds?)?", re.IGNORECASE)
_LINES = re.compile(r"(\d{3,4})p", re.IGNORECASE)
_PAIR = re.compile(r"(\d{1,5})\s*[x×*:/]\s*(\d{1,5})", re.IGNORECASE)
_WORDS = {"4k": 2160, "uhd": 2160}
_SWITCH = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
_MOST = 100_000
_LEAST_PIXELS = 64
"""A pair of numbers from here on is a size; smaller numbers, as in `16:9`, are a shape."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of its clip; None is what it does not say.

    `lines` is the number of `720p`, the shorter side of a picture; `pixels` is width and height, `aspect` width over
    height, `fps` frames per second.
    """

    seconds: float | None = None
    lines: int | None = None
    pixels: tuple[int, int] | None = None
    aspect: float | None = None
    fps: float | None = None
    audio: bool | None = None


def asked_of(body: Mapping[str, JsonValue]) -> Asked:
    """Return what a request body asks of the clip."""
    given = {re.sub(r"[^a-z0-9]", "", name.casefold()): value for name, value in body.items()}
    sizes = [value for name, value in given.items() if name in _SIZES | _SHAPES]
    pairs = [pair for value in sizes if (pair := _pair(value))]
    width, height = (_whole(given.get(name)) for name in ("width", "height"))
    pixels = next((pair for pair in pairs if min(pair) >= _LEAST_PIXELS), None)
    shape = next((pair for pair in pairs if max(pair) < _LEAST_PIXELS), None)
    return Asked(
        seconds=_first(given, _SECONDS, _length),
        lines=_first(given, _SIZES, _lines),
        pixels=(width, height) if width and height else pixels,
        aspect=shape[0] / shape[1] if shape else None,
        fps=_first(given, _RATES, _length),
        audio=_first(given, _SOUND, _switch),
    )


def _first(
    given: Mapping[str, JsonValue], names: frozenset[str], read: Callable[[JsonValue], T | None]
) -> T | None:
    found = (read(value) for name, value in given.items() if name in names)
    return next((value for value in found if value is not None), None)


def _length(value: JsonValue) -> float | None:
    """Return a number above 0, given as such or as `8s`."""
    if isinstance(value, str):
        match = _LENGTH.fullmatch(value.strip())
        value = float(match[1]) if match else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 < value <= _MOST else None


def _whole(value: JsonValue) -> int | None:
    number = _length(value)
    return int(number) if number is not None and number >= _LEAST_PIXELS else None


def _lines(value: JsonValue) -> int | None:
    if not isinstance(value, str):
        return None
    text = value.strip().casefold()
    match = _LINES.fullmatch(text)
    return int(match[1]) if match else _WORDS.get(text)


def _pair(value: JsonValue) -> tuple[int, int] | None:
    match = _PAIR.fullmatch(value.strip()) if isinstance(value, str) else None
    pair = (int(match[1]), int(match[2])) if match else (0, 0)
    return pair if all(pair) else None


def _switch(value: JsonValue) -> bool | None:
    if isinstance(value, bool):
        return value
    return _SWITCH.get(value.strip().casefold()) if isinstance(value, str) else None
