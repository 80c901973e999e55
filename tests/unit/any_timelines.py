"""Cuts of every kind for the tests of the forms: odd names and texts, any length and rate, gaps anywhere."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from runner.domain.picks import Decision, Pick
from runner.timeline.slots import Clip, Slot, Timeline

FOLDER = Path("/night/clips")
RATES = (12.5, 16.0, 23.976, 24.0, 25.0, 29.97, 30.0, 59.94, 60.0)
ODD = 'it\'s 100% "é" <b>&amp; [x] 東京\n=1+1\x1b[2J\u202e'
_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20)
_TEXTS = st.one_of(st.just(ODD), st.text(max_size=30))
_SECONDS = st.floats(0.05, 40.0)


@st.composite
def clips(draw: st.DrawFn, label: str) -> Clip:
    """Return a clip with this label, of any name, length and rate, which may not be measured."""
    return Clip(
        draw(_NAMES),
        label,
        FOLDER / f"{label}{draw(_NAMES)}.mp4",
        seconds=draw(st.none() | _SECONDS),
        fps=draw(st.none() | st.sampled_from(RATES)),
        width=draw(st.sampled_from((0, 1280))),
        height=draw(st.sampled_from((0, 720))),
        has_audio=draw(st.sampled_from((None, False, True))),
        decision=draw(st.none() | st.sampled_from(Decision)),
        comments=tuple(
            Pick("s", "t", None, note, who="Ann", at=at)
            for note, at in draw(st.lists(st.tuples(_TEXTS, st.none() | _SECONDS), max_size=2))
            if note
        ),
        about={
            "seed": draw(st.integers(0, 2**70)),
            "prompt": draw(_TEXTS),
            "flags": list(draw(st.lists(_TEXTS, max_size=2))),
        },
    )


@st.composite
def slots(draw: st.DrawFn, number: int) -> Slot:
    """Return the slot of the shot with this number, a gap or a clip with others."""
    shot = f"s{number:03}"
    found = [draw(clips(f"{shot}_t{at:02}")) for at in range(1, 1 + draw(st.integers(0, 3)))]
    why = "" if found else draw(_TEXTS)
    return Slot(shot, draw(_SECONDS), found[0] if found else None, tuple(found[1:]), why, prompt=draw(_TEXTS))


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Return a cut of at least one shot."""
    number = draw(st.integers(1, 6))
    return Timeline(
        draw(_NAMES), draw(st.sampled_from(RATES)), tuple(draw(slots(at)) for at in range(1, 1 + number))
    )


def plain_clip(label: str, *, seconds: float | None = 5.0, fps: float | None = 24.0) -> Clip:
    """Return a clip with nothing odd about it."""
    return Clip(label, label, FOLDER / f"{label}.mp4", seconds=seconds, fps=fps, has_audio=True)
