"""How long each slot of a cut is, in frames of its rate, and where it begins.

In: a timeline. Out: frames and timecodes. A clip never gets more frames than it has, so that no editor shows a hole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from runner.domain.errors import UsageError
from runner.timeline.slots import Clip, Slot, Timeline

USUAL_RATE = 24.0
"""Frames per second of a cut of which no clip was measured."""

USUAL_START = "01:00:00:00"
"""The timecode of a cut's first frame that editors expect: the hour before is for bars and a slate."""

EDITING_RATES = tuple(
    Fraction(*rate)
    for rate in (
        (24000, 1001),
        (24, 1),
        (25, 1),
        (30000, 1001),
        (30, 1),
        (48, 1),
        (50, 1),
        (60000, 1001),
        (60, 1),
    )
)
"""The rates that editors have, in frames per second, the slowest first."""

# A rate that was measured or typed as 23.98 or 29.97 means the one with the divisor 1001.
_NEAR = Fraction(1, 150)
# A length comes from floating point: 5.0416666 s at 24 frames per second are 121 frames and not 120.
_ALMOST = 0.05


@dataclass(frozen=True, slots=True)
class Placed:
    """A slot with the frame of the cut at which it begins, and its length in frames, at least one."""

    slot: Slot
    start: int
    frames: int

    @property
    def end(self) -> int:
        """The first frame after it."""
        return self.start + self.frames


@lru_cache(maxsize=256)
def exact_rate(fps: float) -> Fraction:
    """Return the rate that `fps` (frames per second, above 0) means: 29.97 means 30000/1001."""
    given = Fraction(fps)
    near = [rate for rate in (*EDITING_RATES, Fraction(round(given))) if rate and abs(rate - given) < _NEAR]
    return min(near, key=lambda rate: abs(rate - given), default=given.limit_denominator(1001))


def editing_rate(fps: float) -> Fraction:
    """Return the rate that `fps` means if editors have it, else their next whole rate, or the fastest one."""
    rate = exact_rate(fps)
    whole = (each for each in EDITING_RATES if each.denominator == 1 and each >= rate)
    return rate if rate in EDITING_RATES else next(whole, EDITING_RATES[-1])


def seconds_of(slot: Slot) -> float:
    """Return how many seconds a slot lasts: its clip's measured length, or else what was asked for."""
    if slot.active is None or not slot.active.seconds:
        return slot.planned
    return slot.active.seconds


def placed(timeline: Timeline, rate: Fraction | None = None) -> Iterator[Placed]:
    """Yield the slots with their places, in frames of `rate`, which is the timeline's own by default."""
    each_second = float(rate or exact_rate(timeline.fps))
    start = 0
    for slot in timeline.slots:
        count = seconds_of(slot) * each_second
        # What was measured is rounded down; what is only planned has no frames that could be missing.
        whole = int(count + _ALMOST) if slot.active and slot.active.seconds else round(count)
        yield Placed(slot, start, max(1, whole))
        start += max(1, whole)


def media_frames(clip: Clip, *, otherwise: int, rate: Fraction) -> tuple[int, Fraction]:
    """Return how many frames a clip's file has, and its own rate; `otherwise` at `rate` if its length is unknown."""
    if not clip.seconds:
        return otherwise, rate
    own = exact_rate(clip.fps) if clip.fps else rate
    return max(
        1, round(clip.seconds * float(own)) if clip.fps else int(clip.seconds * float(own) + _ALMOST)
    ), own


def first_frame(timeline: Timeline, rate: Fraction) -> int:
    """Return the number of frames of `rate` that the timecode of a cut's first frame counts.

    Raises:
        UsageError: the rate has fewer frames in a second than the timecode names.
    """
    hours, minutes, seconds, frames = map(int, timeline.start.split(":"))
    base = max(1, round(rate))
    if frames >= base:
        raise UsageError(
            f"{timeline.start} is not a timecode at {float(rate):.5g} fps: its frames end at {base - 1:02}",
            advice="give another one: --start 01:00:00:00",
        )
    return ((hours * 60 + minutes) * 60 + seconds) * base + frames


def timecode(frames: int, rate: Fraction) -> str:
    """Return a number of frames as `HH:MM:SS:FF`, which counts each frame and drops none: 23.976 counts to 24."""
    base = max(1, round(rate))
    seconds, rest = divmod(frames, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{rest:02}"
