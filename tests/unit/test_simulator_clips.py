"""Previews: what is shown is read from the body, drawing repeats to the byte, and the file is a real video."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import av
import numpy as np
import pytest

from runner.simulator.clip_cache import FALLBACK, FALLBACK_SCENE, ClipCache
from runner.simulator.render_clip import FPS, render
from runner.simulator.scene import Scene, scene_of
from runner.simulator.scene_art import picture
from runner.simulator.text_overlay import drawable, fitted
from runner.system.canonical_json import JsonValue

FRAMES: dict[str, JsonValue] = {
    "keyFramesFirst": "https://example.com/board/010a.jpg",
    "keyFramesLast": "https://example.com/board/010b.jpg?sig=1",
    "promptText": "A hand enters the frame",
    "seed": 1001,
    "resolution": "720p",
    "duration": 2,
}
STILL: dict[str, JsonValue] = {
    "image": "https://example.com/020.jpg",
    "promptText": "He smiles",
    "duration": 2,
}
FADE, PUSH = scene_of("pika/pikaframes", FRAMES), scene_of("pika/pika-2-2/image-to-video", STILL)


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def rendered(scene: Scene, path: Path) -> bytes:
    render(scene, path)
    return path.read_bytes()


def test_two_keyframes_make_two_named_cards() -> None:
    assert [card.label for card in FADE.cards] == ["FIRST  010a.jpg", "LAST  010b.jpg"]
    assert FADE.details == "seed 1001  ·  720p  ·  2 s  ·  pikaframes"


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (STILL, "https://example.com/020.jpg"),
        ({"images": ["https://example.com/1.jpg", "https://example.com/2.jpg"]}, "https://example.com/1.jpg"),
        ({"deep": {"image_url": "https://example.com/x.png"}}, "https://example.com/x.png"),
        ({"prompt": "only words"}, "only words"),
        ({"image": "https://[broken"}, "https://[broken"),
    ],
)
def test_any_other_body_makes_one_card(body: dict[str, JsonValue], source: str) -> None:
    assert [card.source for card in scene_of("someone/model", body).cards] == [source]


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(10, 10), ("8", 8), ("5s", 5), (None, 5), ("long", 5), (0, 1), (1e9, 30), ("nan", 5)],
)
def test_the_length_is_the_asked_one_within_reason(asked: JsonValue, seconds: float) -> None:
    assert scene_of("m/x", {"duration": asked}).seconds == seconds


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("", (320, 180)), ("1:1", (240, 240)), ("9:16", (180, 320)), ("0:0", (320, 180)), ("99:1", (320, 180))],
)
def test_the_shape_is_the_asked_aspect(aspect: str, size: tuple[int, int]) -> None:
    scene = scene_of("m/x", {"aspect_ratio": aspect})
    assert (scene.width, scene.height) == size


@pytest.mark.parametrize("scene", [FADE, PUSH], ids=["fade", "push-in"])
def test_a_clip_has_the_asked_frames_size_and_length(scene: Scene, tmp_path: Path) -> None:
    data = rendered(scene, tmp_path / "clip.mp4")
    frames = decoded(tmp_path / "clip.mp4")
    assert len(frames) == 2 * FPS
    assert {frame.shape for frame in frames} == {(180, 320, 3)}
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.duration == 2_000_000
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert data.index(b"moov") < data.index(b"mdat"), "a browser can start before it has everything"


@pytest.mark.parametrize("scene", [FADE, PUSH], ids=["fade", "push-in"])
def test_the_same_scene_gives_the_same_bytes(scene: Scene, tmp_path: Path) -> None:
    assert rendered(scene, tmp_path / "one.mp4") == rendered(scene, tmp_path / "two.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "two.mp4"]


def test_another_seed_gives_another_clip(tmp_path: Path) -> None:
    other = scene_of("pika/pikaframes", {**FRAMES, "seed": 1002})
    assert other.key != FADE.key
    assert rendered(other, tmp_path / "a.mp4") != rendered(FADE, tmp_path / "b.mp4")


def test_a_fade_goes_from_the_first_card_to_the_last(tmp_path: Path) -> None:
    render(FADE, tmp_path / "clip.mp4")
    frames = decoded(tmp_path / "clip.mp4")
    middle = (slice(50, 110), slice(40, 280))
    for frame, card in ((frames[0], FADE.cards[0]), (frames[-1], FADE.cards[1])):
        drawn = np.asarray(picture(card.source, 640, 360).resize((320, 180)))[middle]
        assert np.abs(frame[middle].astype(int) - drawn).mean() < 8
    assert np.abs(frames[0][middle].astype(int) - frames[-1][middle]).mean() > 12


def test_a_push_in_moves_and_its_clock_and_line_run(tmp_path: Path) -> None:
    render(PUSH, tmp_path / "clip.mp4")
    first, last = (decoded(tmp_path / "clip.mp4")[number].astype(int) for number in (0, -1))
    assert np.abs(first[60:110] - last[60:110]).mean() > 2
    assert np.abs(first[6:20, 260:] - last[6:20, 260:]).max() > 80
    amber = [(frame[179, :, 0] - frame[179, :, 2] > 80).mean() for frame in (first, last)]
    assert amber[0] < 0.15
    assert amber[1] > 0.9


def test_one_url_has_one_picture_and_two_have_two() -> None:
    one, same, other = (np.asarray(picture(name, 64, 36)) for name in ("a.jpg", "a.jpg", "b.jpg"))
    assert (one == same).all()
    assert (one != other).any()


@pytest.mark.parametrize(
    ("written", "drawn"),
    [
        ("Zoë — “here”…", 'Zoe - "here"...'),
        ("你好 he", "he"),
        ("\x1b[31mred\u202e", "[31mred"),
        ("a · b", "a · b"),
    ],
)
def test_words_are_drawn_in_letters_the_font_has(written: str, drawn: str) -> None:
    assert drawable(written) == drawn


def test_long_words_are_cut_with_dots() -> None:
    rows = fitted("one two three four five six seven eight", 11, 80, lines=2)
    assert len(rows) == 2
    assert rows[1].endswith("...")
    assert fitted("x" * 200, 11, 60) == [
        row for row in fitted("x" * 200, 11, 60) if row.endswith("...") and len(row) < 20
    ]
    assert fitted("", 11, 60) == []


def test_the_ready_made_clip_is_small_and_plays() -> None:
    frames = decoded(FALLBACK)
    assert FALLBACK.stat().st_size < 30_000
    assert len(frames) == round(FALLBACK_SCENE.seconds * FPS)
    assert frames[0].shape == (180, 320, 3)


P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(Executor):
    """Runs at once, in the caller's thread, and counts."""

    def __init__(self) -> None:
        self.ran = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        self.ran += 1
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_a_scene_is_rendered_once_and_taken_from_the_folder_ever_after(tmp_path: Path) -> None:
    executor = InlineExecutor()
    previews = ClipCache(tmp_path, executor=executor)
    path = previews.order(FADE).result()
    assert previews.order(FADE).result() == path == tmp_path / f"{FADE.key}.mp4"
    assert ClipCache(tmp_path, executor=executor).order(FADE).result() == path
    assert executor.ran == 1


def test_without_rendering_every_clip_is_the_ready_made_one(tmp_path: Path) -> None:
    executor = InlineExecutor()
    previews = ClipCache(tmp_path, executor=executor, render=False)
    assert not previews.real
    assert previews.order(FADE).result() == previews.order(PUSH).result() == FALLBACK
    assert executor.ran == 0
