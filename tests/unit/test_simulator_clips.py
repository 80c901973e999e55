"""Previews: what is shown is read from the body, drawing repeats to the byte, and the file is a real video."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import av
import numpy as np
import pytest

from runner.media.container_check import Ending, ending_of
from runner.media.file_kinds import kind_of
from runner.simulator.clip_cache import FALLBACK, ClipCache
from runner.simulator.jobs import ClipFlaw
from runner.simulator.render_clip import FPS, render
from runner.simulator.scene import Scene, flawed, scene_of
from runner.system.canonical_json import JsonValue

BODY: dict[str, JsonValue] = {
    "keyFramesFirst": "https://example.com/board/010a.jpg",
    "keyFramesLast": "https://example.com/board/010b.jpg?sig=1",
    "promptText": "A hand\n enters the frame",
    "seed": 1001,
    "resolution": "720p",
    "duration": 2,
}
SCENE = scene_of("pika/pikaframes", BODY, slate="s010@seed=1001")


def decoded(path: Path) -> list[Any]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def rendered(scene: Scene, path: Path) -> bytes:
    render(scene, path)
    return path.read_bytes()


def test_the_words_on_a_clip_are_those_of_the_request() -> None:
    assert (SCENE.slate, SCENE.seed, SCENE.prompt) == ("s010@seed=1001", "1001", "A hand enters the frame")
    assert SCENE.details == "2 s, 720p, pikaframes, 010a.jpg > 010b.jpg"


def test_a_small_clip_has_the_aspect_and_not_the_resolution() -> None:
    tall = scene_of("pika/pikaframes", {**BODY, "aspectRatio": "9:16"}, is_small=True)
    assert (SCENE.width, SCENE.height) == (1280, 720)
    assert (tall.width, tall.height) == (180, 320)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"image": "https://example.com/020.jpg", "prompt": "He smiles"}, "He smiles: 020.jpg"),
        ({"images": ["https://example.com/1.jpg", "https://example.com/2.jpg"]}, ": 1.jpg > 2.jpg"),
        ({"deep": {"image_url": "https://example.com/x.png"}}, ": x.png"),
        ({"image": "data:image/png;base64,AAAA"}, ": inline picture"),
        ({"text": "only words"}, "only words: someone/model"),
        ({"image": "https://[broken"}, ": [broken"),
    ],
)
def test_the_pictures_of_any_body_are_named(body: dict[str, JsonValue], words: str) -> None:
    scene = scene_of("someone/model", body)
    assert f"{scene.prompt}: {scene.details.rpartition(', ')[2]}" == words


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [(10, 10), ("8", 8), ("5s", 5), (None, 5), ("long", 5), (0, 1), (1e9, 30), ("nan", 5)],
)
def test_the_length_is_the_asked_one_within_reason(asked: JsonValue, seconds: float) -> None:
    assert scene_of("m/x", {"duration": asked}).seconds == seconds


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({"resolution": "720p"}, (1280, 720)),
        ({"resolution": "1080p", "aspectRatio": "9:16"}, (1080, 1920)),
        ({"resolution": "480p"}, (854, 480)),
        ({"resolution": "4k", "aspectRatio": "1:1"}, (2160, 2160)),
        ({"size": "1024x576"}, (1024, 576)),
        ({"resolution": "9999p", "aspectRatio": "1:1"}, (2160, 2160)),
        ({"resolution": "the best"}, (320, 180)),
    ],
)
def test_the_size_is_the_asked_one_within_reason(asked: dict[str, JsonValue], size: tuple[int, int]) -> None:
    scene = scene_of("m/x", asked)
    assert (scene.width, scene.height) == size


@pytest.mark.parametrize(
    ("aspect", "size"),
    [("", (320, 180)), ("1:1", (240, 240)), ("9:16", (180, 320)), ("0:0", (320, 180)), ("99:1", (320, 180))],
)
def test_the_shape_is_the_asked_aspect(aspect: str, size: tuple[int, int], tmp_path: Path) -> None:
    scene = scene_of("m/x", {"aspect_ratio": aspect, "duration": 1})
    assert (scene.width, scene.height) == size
    render(scene, tmp_path / "clip.mp4")
    assert decoded(tmp_path / "clip.mp4")[0].shape == (size[1], size[0], 3)


def test_a_clip_has_the_asked_frames_size_and_length(tmp_path: Path) -> None:
    data = rendered(SCENE, tmp_path / "clip.mp4")
    frames = decoded(tmp_path / "clip.mp4")
    assert len(frames) == 2 * FPS
    assert {frame.shape for frame in frames} == {(720, 1280, 3)}
    with av.open(str(tmp_path / "clip.mp4")) as container:
        assert container.duration == 2_000_000
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert data.index(b"moov") < data.index(b"mdat"), "a browser can start before it has everything"


def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    again = scene_of("pika/pikaframes", dict(BODY), slate="s010@seed=1001")
    assert rendered(SCENE, tmp_path / "one.mp4") == rendered(again, tmp_path / "two.mp4")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.mp4", "two.mp4"]


@pytest.mark.parametrize(
    "change", [{"seed": 1002}, {"seed": "1001"}, {"promptText": "A foot"}, {"seed": None}]
)
def test_another_seed_or_prompt_is_seen_at_once(change: dict[str, JsonValue], tmp_path: Path) -> None:
    other = scene_of("pika/pikaframes", {**BODY, **change}, slate="s010@seed=1001")
    assert other.key != SCENE.key
    render(other, tmp_path / "a.mp4")
    render(SCENE, tmp_path / "b.mp4")
    one, two = (decoded(tmp_path / name)[0][20, 1270] for name in ("a.mp4", "b.mp4"))
    assert np.abs(one - two).max() > 20
    assert (other.sun, other.roofs) != (SCENE.sun, SCENE.roofs)


def test_the_sun_moves_and_the_rest_of_the_picture_stays(tmp_path: Path) -> None:
    render(SCENE, tmp_path / "clip.mp4")
    first, *_, last = decoded(tmp_path / "clip.mp4")
    changed = np.abs(first[:690] - last[:690]).max(axis=2) > 60
    rows, columns = np.nonzero(changed)
    assert 0.005 < changed.mean() < 0.03
    assert rows.max() - rows.min() < 0.2 * 720
    assert columns.max() - columns.min() > 0.25 * 1280


def spoilt(flaw: ClipFlaw, folder: Path) -> tuple[Scene, Path]:
    scene = flawed(SCENE, flaw)
    assert scene.key != SCENE.key, "a whole clip in the cache is never served for it"
    render(scene, folder / "clip.mp4")
    return scene, folder / "clip.mp4"


def test_a_small_and_a_short_clip_are_what_their_names_say(tmp_path: Path) -> None:
    _, small = spoilt(ClipFlaw.SMALL, tmp_path)
    assert decoded(small)[0].shape == (360, 640, 3)
    _, short = spoilt(ClipFlaw.SHORT, tmp_path)
    assert len(decoded(short)) == round(0.4 * 2 * FPS)


def test_a_black_and_a_frozen_clip_are_what_their_names_say(tmp_path: Path) -> None:
    _, black = spoilt(ClipFlaw.BLACK, tmp_path)
    assert max(frame.max() for frame in decoded(black)) < 8
    _, frozen = spoilt(ClipFlaw.FROZEN, tmp_path)
    first, *others = decoded(frozen)
    assert first.max() > 200
    assert max(np.abs(first - frame).mean() for frame in others) < 1


def test_a_cut_clip_has_a_whole_container_and_promises_pictures_that_do_not_decode(tmp_path: Path) -> None:
    _, path = spoilt(ClipFlaw.CUT, tmp_path)
    data = path.read_bytes()
    kind = kind_of(data[:1024])
    assert kind is not None
    assert ending_of(kind, lambda start, count: data[start : start + count], len(data)) is Ending.WHOLE
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 2 * FPS
        with pytest.raises(av.error.InvalidDataError):
            list(container.decode(video=0))


def test_words_are_readable_and_a_bar_moves(tmp_path: Path) -> None:
    render(SCENE, tmp_path / "clip.mp4")
    frames = decoded(tmp_path / "clip.mp4")
    first, last = frames[0], frames[-1]
    background = first[20, 1270]
    for top, foot in ((22, 44), (66, 88), (92, 108), (154, 168)):
        assert np.abs(first[4 * top : 4 * foot, :500] - background).max() > 120, "words stand out"
    assert np.abs(first[:690, :500] - last[:690, :500]).mean() < 3, "they stay where they are"
    reached = [(frame[712, :, 0] - frame[712, :, 2] > 80).mean() for frame in (first, last)]
    assert reached[0] < 0.1
    assert reached[1] > 0.95


@pytest.mark.parametrize("prompt", ["Zoë — “here”…", "你好", "\x1b[31mred\u202e", "W" * 500, "i" * 500, ""])
@pytest.mark.parametrize("aspect", ["16:9", "1:3"])
def test_any_prompt_stays_inside_the_picture(prompt: str, aspect: str, tmp_path: Path) -> None:
    body: dict[str, JsonValue] = {"prompt": prompt, "aspect_ratio": aspect, "duration": 1, "seed": 10**30}
    render(scene_of("m/x", body, slate=f"{'s' * 90}@{'seed=1,' * 12}"), tmp_path / "clip.mp4")
    frame = decoded(tmp_path / "clip.mp4")[0]
    assert frame[:170, -3:].max() < 160, "nothing bright runs over the edge"


def test_the_ready_made_clip_is_small_and_plays() -> None:
    frames = decoded(FALLBACK)
    assert FALLBACK.stat().st_size < 30_000
    assert len(frames) == 2 * FPS
    assert frames[0].shape == (180, 320, 3)


P = ParamSpec("P")
T = TypeVar("T")


class InlineExecutor(Executor):
    """Runs at once, in the caller's thread."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


def test_a_scene_is_rendered_once_and_taken_from_the_folder_ever_after(tmp_path: Path) -> None:
    previews = ClipCache(tmp_path, executor=InlineExecutor())
    path = previews.order(SCENE).result()
    assert previews.order(SCENE) is previews.order(SCENE)
    assert path == tmp_path / f"{SCENE.key}.mp4"
    path.write_bytes(b"kept")
    assert ClipCache(tmp_path, executor=InlineExecutor()).order(SCENE).result().read_bytes() == b"kept"


def test_without_rendering_every_clip_is_the_ready_made_one(tmp_path: Path) -> None:
    previews = ClipCache(tmp_path, executor=InlineExecutor(), render=False)
    other = scene_of("pika/pikaframes", {})
    assert not previews.real
    assert previews.order(SCENE).result() == previews.order(other).result() == FALLBACK
    assert not list(tmp_path.iterdir())
