"""Compares what was measured of a clip with what was asked for: pure, and with the tolerances in one place.

`docs/review.md` has the tolerances as a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from runner.domain.clip_checks import Flag, FlagKind, Probe
from runner.video.asked import Asked

DURATION_SHARE, DURATION_S = 0.10, 0.5
"""A length is off if it differs by more than this share and by more than these seconds."""
SIDE_SHARE, SIDE_PIXELS = 0.02, 15
"""A side is off by more than this share and these pixels: encoders round sides to whole blocks of 16."""
AREA_SHARE = 0.06
"""Some services keep the number of pixels of 16:9 in other shapes: 960×960 for `720p`."""
ASPECT_SHARE = 0.03
"""832×480, which is 16:9 in whole blocks, is 2.5 % off."""
RATE_SHARE = 0.02
MISSING_SHARE, MISSING_S = 0.05, 0.25
"""Pictures are missing if decoding ends this much before the promised length."""
BLACK_MEAN, BLACK_PEAK = 20.0, 40.0
"""A picture is black if its mean and its brightest part are below these, of 255."""
STILL_CHANGE = 4.0
"""A clip is frozen if no part of any two samples differs by more than this, of 255."""
_LEAST_SAMPLES = 3

PLAYABLE = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "theora"})
"""Codecs of moving pictures that some browser plays."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One decoded picture: its time in seconds, and the mean and the peak of its brightness, from 0 to 255."""

    at: float
    mean: float
    peak: float


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into a clip found.

    `pictures` are samples, and `change` is the largest difference of any part between two of them, of 255. `end` is
    where the last decoded picture ends, in seconds; None without a picture. `broken` is what the decoder could not
    read, empty if it read all.
    """

    probe: Probe
    pictures: tuple[Picture, ...] = ()
    change: float = 0.0
    end: float | None = None
    broken: str = ""

    def to_values(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_values(cls, values: dict[str, Any]) -> Self:
        """Return the look that `to_values` wrote; raises `TypeError` or `KeyError` for anything else."""
        probe, pictures = Probe(**values["probe"]), tuple(Picture(**each) for each in values["pictures"])
        return cls(**{**values, "probe": probe, "pictures": pictures})


def judge(look: Look, asked: Asked) -> tuple[Flag, ...]:
    """Return what is odd about a clip; what was not asked for, or is not known, is not judged."""
    return tuple(flag for flag in (*_pictures(look), *_properties(look, asked)) if flag is not None)


def measured(look: Look) -> Probe:
    """Return the properties to keep: the length of a clip that breaks off is what can be decoded of it."""
    is_short = look.end is not None and _missing(look) is not None
    return replace(look.probe, seconds=look.end) if is_short else look.probe


def unreadable(reason: str) -> tuple[Flag, ...]:
    """Return the one flag of a clip that could not be looked into."""
    return (Flag(FlagKind.UNREADABLE, reason),)


def _properties(look: Look, asked: Asked) -> Iterator[Flag | None]:
    probe = look.probe
    # A clip that breaks off is too short because of that.
    yield None if _missing(look) else _duration(probe, asked)
    yield _size(probe, asked)
    yield _rate(probe, asked)
    yield _audio(probe, asked)
    if probe.seconds is not None and probe.codec and probe.codec not in PLAYABLE and probe.width:
        yield Flag(FlagKind.CODEC, f"{probe.codec} video, which browsers do not play")


def _pictures(look: Look) -> Iterator[Flag | None]:
    yield _missing(look)
    black = [each for each in look.pictures if each.mean < BLACK_MEAN and each.peak < BLACK_PEAK]
    if black and 2 * len(black) >= len(look.pictures):
        is_all = len(black) == len(look.pictures)
        said = "black throughout" if is_all else f"black in {len(black)} of {len(look.pictures)} samples"
        yield Flag(FlagKind.BLACK, said)
    elif len(look.pictures) >= _LEAST_SAMPLES and look.change < STILL_CHANGE:
        yield Flag(FlagKind.FROZEN, "the picture does not move")


def _missing(look: Look) -> Flag | None:
    promised, end = look.probe.seconds, look.end
    # Without a width there is no picture that could be decoded.
    if promised is None or not (look.probe.is_decoded and look.probe.width):
        return None
    if end is None or promised - end > max(MISSING_S, MISSING_SHARE * promised):
        reached = "no picture" if end is None else f"only {_seconds(end)}"
        return Flag(FlagKind.TRUNCATED, f"{reached} of {_seconds(promised)} can be decoded")
    return Flag(FlagKind.TRUNCATED, f"damaged: {look.broken}") if look.broken else None


def _duration(probe: Probe, asked: Asked) -> Flag | None:
    if probe.seconds is None or asked.seconds is None:
        return None
    if abs(probe.seconds - asked.seconds) <= max(DURATION_S, DURATION_SHARE * asked.seconds):
        return None
    return Flag(FlagKind.DURATION, f"{_seconds(probe.seconds)} long instead of {_seconds(asked.seconds)}")


def _size(probe: Probe, asked: Asked) -> Flag | None:
    width, height = probe.width, probe.height
    if not (width and height):
        return None
    said = f"{width}×{height} instead of "
    if asked.pixels is not None:
        fits = all(_is_near(*sides) for sides in zip((width, height), asked.pixels, strict=True))
        return None if fits else Flag(FlagKind.SIZE, f"{said}{asked.pixels[0]}×{asked.pixels[1]}")
    if asked.lines is not None:
        area = asked.lines * asked.lines * 16 / 9
        has_area = abs(width * height - area) <= AREA_SHARE * area
        if not has_area and not _is_near(min(width, height), asked.lines):
            return Flag(FlagKind.SIZE, f"{said}{asked.lines}p")
    if asked.aspect is not None and abs(width / height / asked.aspect - 1) > ASPECT_SHARE:
        return Flag(FlagKind.SIZE, f"{said}the shape {_shape(asked.aspect)}")
    return None


def _is_near(side: int, asked: int) -> bool:
    return abs(side - asked) <= max(SIDE_PIXELS, SIDE_SHARE * asked)


def _rate(probe: Probe, asked: Asked) -> Flag | None:
    if probe.fps is None or asked.fps is None or probe.seconds is None:
        return None
    if abs(probe.fps / asked.fps - 1) <= RATE_SHARE:
        return None
    return Flag(FlagKind.RATE, f"{probe.fps:.4g} frames per second instead of {asked.fps:.4g}")


def _audio(probe: Probe, asked: Asked) -> Flag | None:
    if probe.audio is None or asked.audio is None or probe.seconds is None:
        return None
    if asked.audio is bool(probe.audio):
        return None
    said = f"{probe.audio} sound, none was asked for" if probe.audio else "no sound, though it was asked for"
    return Flag(FlagKind.AUDIO, said)


def _seconds(seconds: float) -> str:
    return f"{round(seconds, 1):g} s"


def _shape(aspect: float) -> str:
    for down in range(1, 33):
        across = aspect * down
        if abs(across - round(across)) < 1e-6:
            return f"{round(across)}:{down}"
    return f"{aspect:.2f}:1"
