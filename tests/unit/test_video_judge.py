"""What a request asks of its clip, and which differences are flags: the tolerances of docs/review.md."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.clip_checks import FlagKind, Probe
from runner.system.canonical_json import JsonValue
from runner.video.asked import Asked, asked_of
from runner.video.judge import Look, Picture, judge, measured

PROBE = Probe("mp4", "h264", 1280, 720, 5.0, 24.0, 120, "", is_decoded=True)
PICTURES = tuple(Picture(at, 90.0, 200.0) for at in (0.0, 2.5, 5.0))
GOOD = Look(PROBE, PICTURES, change=80.0, end=5.0)


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"duration": 5, "resolution": "720p"}, Asked(seconds=5.0, lines=720)),
        ({"duration": "8s", "size": "1280x720"}, Asked(seconds=8.0, pixels=(1280, 720))),
        ({"duration": "5", "resolution": "4K"}, Asked(seconds=5.0, lines=2160)),
        ({"aspectRatio": "16:9", "fps": "24"}, Asked(aspect=16 / 9, fps=24.0)),
        ({"ratio": "1280:720", "generate_audio": True}, Asked(pixels=(1280, 720), audio=True)),
        ({"width": 640, "height": 480, "audio": "off"}, Asked(pixels=(640, 480), audio=False)),
        ({"aspect_ratio": "9:16", "resolution": "1080p"}, Asked(lines=1080, aspect=9 / 16)),
    ],
    ids=str,
)
def test_the_usual_inputs_are_understood(body: dict[str, JsonValue], asked: Asked) -> None:
    assert asked_of(body) == asked


@pytest.mark.parametrize(
    "body",
    [
        {"duration": "auto", "resolution": "best", "aspectRatio": "match input"},
        {"duration": True, "fps": 0, "audio": "https://example.com/a.mp3"},
        {"duration": float("nan"), "size": "0x0", "width": 640},
        {"length": 81, "resolution": 720},
    ],
    ids=str,
)
def test_unknown_words_ask_for_nothing(body: dict[str, JsonValue]) -> None:
    assert asked_of(body) == Asked()


@given(
    st.dictionaries(
        st.sampled_from(["duration", "size", "fps", "audio", "ratio", "width"]),
        st.text("0123456789psx:.k ", max_size=9) | st.floats(),
    )
)
def test_no_body_breaks_the_reading(body: dict[str, JsonValue]) -> None:
    assert not judge(Look(Probe()), asked_of(body))


@pytest.mark.parametrize(
    ("seconds", "asked", "kinds"),
    [
        (5.4, 5.0, []),
        (5.6, 5.0, ["duration"]),
        (2.0, 5.0, ["duration"]),
        (10.9, 10.0, []),
        (11.1, 10.0, ["duration"]),
    ],
)
def test_a_length_may_differ_by_half_a_second_and_a_tenth(
    seconds: float, asked: float, kinds: list[str]
) -> None:
    look = replace(GOOD, probe=replace(PROBE, seconds=seconds), end=seconds)
    assert [flag.kind for flag in judge(look, Asked(seconds=asked))] == kinds


@pytest.mark.parametrize(
    ("sides", "asked", "said"),
    [
        ((1280, 720), Asked(lines=720, aspect=16 / 9), ""),
        ((720, 1280), Asked(lines=720), ""),
        ((1280, 704), Asked(lines=720), ""),
        ((832, 480), Asked(lines=480, aspect=16 / 9), ""),
        ((960, 960), Asked(lines=720, aspect=1.0), ""),
        ((320, 180), Asked(lines=720), "320×180 instead of 720p"),
        ((1920, 1080), Asked(lines=720), "1920×1080 instead of 720p"),
        ((1280, 720), Asked(pixels=(720, 1280)), "1280×720 instead of 720×1280"),
        ((1280, 720), Asked(lines=720, aspect=9 / 16), "1280×720 instead of the shape 9:16"),
        ((0, 0), Asked(lines=720), ""),
    ],
)
def test_a_size_may_be_rounded_to_blocks(sides: tuple[int, int], asked: Asked, said: str) -> None:
    look = replace(GOOD, probe=replace(PROBE, width=sides[0], height=sides[1]))
    assert [flag.text for flag in judge(look, asked)] == ([said] if said else [])


@pytest.mark.parametrize(
    ("look", "asked", "kind"),
    [
        (replace(GOOD, probe=replace(PROBE, fps=12.0)), Asked(fps=24.0), FlagKind.RATE),
        (GOOD, Asked(audio=True), FlagKind.AUDIO),
        (replace(GOOD, probe=replace(PROBE, audio="aac")), Asked(audio=False), FlagKind.AUDIO),
        (replace(GOOD, probe=replace(PROBE, codec="mpeg4")), Asked(), FlagKind.CODEC),
        (replace(GOOD, pictures=(Picture(0, 3, 9),) * 3), Asked(), FlagKind.BLACK),
        (replace(GOOD, pictures=(*PICTURES[:1], *(Picture(1, 3, 9),) * 2)), Asked(), FlagKind.BLACK),
        (replace(GOOD, change=2.0), Asked(), FlagKind.FROZEN),
        (replace(GOOD, end=2.0), Asked(seconds=5.0), FlagKind.TRUNCATED),
        (replace(GOOD, end=None, pictures=()), Asked(), FlagKind.TRUNCATED),
        (replace(GOOD, broken="invalid data"), Asked(), FlagKind.TRUNCATED),
    ],
)
def test_each_oddity_is_one_flag(look: Look, asked: Asked, kind: FlagKind) -> None:
    assert [flag.kind for flag in judge(look, asked)] == [kind]


@pytest.mark.parametrize(
    "look",
    [
        GOOD,
        replace(GOOD, probe=replace(PROBE, fps=23.976, seconds=5.04)),
        # A fade to black, and the header of a clip that no one decoded.
        replace(GOOD, pictures=(*PICTURES, Picture(5.0, 1, 2))),
        Look(replace(PROBE, is_decoded=False)),
        # A picture and a sound.
        Look(Probe("png", "png", 1280, 720, None, None, 1, "", is_decoded=True)),
        Look(Probe("mp3", seconds=5.0, audio="mp3", is_decoded=True)),
    ],
)
def test_what_is_right_or_unknown_is_not_flagged(look: Look) -> None:
    assert judge(look, Asked(seconds=5.0, lines=720, fps=24.0)) == ()


def test_a_clip_that_breaks_off_is_as_long_as_what_can_be_decoded() -> None:
    assert measured(replace(GOOD, end=2.0)).seconds == 2.0
    assert measured(GOOD) == PROBE


def test_a_look_survives_its_way_from_the_worker() -> None:
    assert Look.from_values(json.loads(json.dumps(GOOD.to_values()))) == GOOD
