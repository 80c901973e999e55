"""Looking into real clips: what is measured, and that a hostile clip costs no more than itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runner.domain.preview_names import preview_names
from runner.video.asked import Asked
from runner.video.header import header_probe
from runner.video.inspector import ClipInspector, HeaderInspector, Inspector, NoDecoder
from runner.video.judge import judge
from runner.video.kinds import NotReadable
from runner.video.testing import FakeInspector
from tests.clips import BLACK, cut_in_the_middle, make_clip

SHA = "ab" * 32


@pytest.fixture(scope="module")
def inspector() -> Iterator[ClipInspector]:
    """Yield one worker for many clips."""
    worker = ClipInspector()
    yield worker
    worker.close()


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def kinds(inspector: ClipInspector, path: Path, asked: Asked = Asked()) -> list[str]:  # noqa: B008 - it is frozen
    return [flag.kind for flag in judge(inspector.look(path), asked)]


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.webm", "libvpx-vp9")]
)
def test_the_header_says_what_the_decoder_finds(
    inspector: ClipInspector, tmp_path: Path, name: str, codec: str
) -> None:
    """Length, size and rate need no extra; only the decoder counts the pictures of a WebM."""
    clip = make_clip(tmp_path / name, codec=codec)
    decoded, read = inspector.look(clip).probe, header_probe(clip)
    assert (decoded.codec, decoded.frames) == ("vp9" if name.endswith("webm") else "h264", 24)
    assert (read.codec, read.width, read.height, read.audio) == (decoded.codec, 160, 96, "")
    assert read.seconds == pytest.approx(2.0, abs=0.1)
    assert decoded.seconds == pytest.approx(2.0, abs=0.1)
    assert read.fps == pytest.approx(12, rel=0.01)
    assert (decoded.is_decoded, read.is_decoded) == (True, False)


def test_sound_is_named(inspector: ClipInspector, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", sound=True)
    assert (inspector.look(clip).probe.audio, header_probe(clip).audio) == ("aac", "aac")


def test_planted_faults_are_found_and_a_good_clip_is_not_flagged(
    inspector: ClipInspector, tmp_path: Path
) -> None:
    assert kinds(inspector, make_clip(tmp_path / "good.mp4"), Asked(seconds=2)) == []
    assert kinds(inspector, make_clip(tmp_path / "short.mp4"), Asked(seconds=5)) == ["duration"]
    assert kinds(inspector, make_clip(tmp_path / "small.mp4"), Asked(lines=720)) == ["size"]
    assert kinds(inspector, make_clip(tmp_path / "black.mp4", colour=BLACK, moves=False)) == ["black"]
    assert kinds(inspector, make_clip(tmp_path / "still.mp4", moves=False)) == ["frozen"]
    assert kinds(inspector, cut_in_the_middle(make_clip(tmp_path / "cut.mp4", seconds=5))) == ["truncated"]


@pytest.mark.parametrize("name", ["a.ts", "a.flv", "a.mkv", "a.mp4"])
def test_a_sound_clip_with_one_key_picture_is_whole_in_every_container(
    inspector: ClipInspector, tmp_path: Path, name: str
) -> None:
    """Some containers cannot jump, or jump too far; the pictures that a jump left out are not missing."""
    clip = make_clip(tmp_path / name, seconds=20, options={"g": "9999"})
    assert kinds(inspector, clip, Asked(seconds=20)) == []
    assert len(inspector.look(clip).pictures) == 7


def test_a_clip_of_very_many_pictures_is_not_called_truncated(
    inspector: ClipInspector, tmp_path: Path
) -> None:
    """The look gives up before the end, and says nothing of what it did not decode."""
    clip = make_clip(tmp_path / "a.mp4", size=(32, 32), seconds=5, fps=1000)
    assert kinds(inspector, clip, Asked(seconds=5)) == []


def test_a_codec_is_named_and_not_its_decoder(inspector: ClipInspector, tmp_path: Path) -> None:
    """A browser plays AV1, whatever the decoder is called here."""
    clip = make_clip(tmp_path / "a.mp4", codec="libsvtav1", options={"preset": "12"})
    assert (inspector.look(clip).probe.codec, kinds(inspector, clip)) == ("av1", [])


def test_the_shape_of_pixels_in_the_container_counts(inspector: ClipInspector, tmp_path: Path) -> None:
    """A side that is stretched more than any film is a mistake in the file, and is not believed."""
    wide = make_clip(tmp_path / "wide.mp4", pixel=Fraction(4, 3))
    assert inspector.look(wide).probe.width == 213
    odd = make_clip(tmp_path / "odd.mp4", pixel=Fraction(60000, 1))
    assert inspector.look(odd).probe.width == 160


def test_a_picture_and_a_sound_are_no_odd_clips(inspector: ClipInspector, tmp_path: Path) -> None:
    """A picture has no length, and a sound has no picture that could be black."""
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    Image.new("RGB", (64, 48)).save(tmp_path / "a.webp")
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        tone = container.add_stream("pcm_s16le", rate=8000)
        silence = av.AudioFrame(format="s16", layout="mono", samples=8000)
        silence.sample_rate, silence.pts = 8000, 0
        container.mux(tone.encode(silence))
    for name in ("a.png", "a.webp", "a.wav"):
        assert kinds(inspector, tmp_path / name, Asked(seconds=9)) in ([], ["duration"])
    assert inspector.look(tmp_path / "a.png").probe.width == 64
    assert inspector.look(tmp_path / "a.wav").probe.seconds == 1.0


def test_previews_are_made_once(inspector: ClipInspector, tmp_path: Path) -> None:
    """Posters are not larger than the clip; the moving preview has even sides, its length, and no sound."""
    clip, names = make_clip(tmp_path / "a.mp4", size=(642, 362), sound=True), preview_names(SHA)
    inspector.make_previews(clip, tmp_path, SHA)
    sizes = [size_of(tmp_path / name) for name in (names.small, names.large, names.first, names.last)]
    assert sizes == [(320, 180), (642, 362), (642, 362), (642, 362)]
    with av.open(str(tmp_path / names.motion)) as motion:
        assert (motion.streams.video[0].width, motion.streams.video[0].frames) == (320, 24)
        assert not motion.streams.audio
    made = times(tmp_path / "previews")
    assert len(made) == 5
    lost = tmp_path / names.last
    lost.unlink()
    inspector.make_previews(clip, tmp_path, SHA)
    again = times(tmp_path / "previews")
    assert {name for name in again if again[name] != made[name]} == {lost.name}


def test_what_stands_in_the_way_of_previews_is_said(inspector: ClipInspector, tmp_path: Path) -> None:
    """A stranger's file in the place of the folder stays as it is."""
    clip = make_clip(tmp_path / "a.mp4")
    place = tmp_path / "previews"
    place.write_text("mine")
    with pytest.raises(NotReadable, match="File exists"):
        inspector.make_previews(clip, tmp_path, SHA)
    assert place.read_text() == "mine"


def times(folder: Path) -> dict[str, int]:
    return {each.name: each.stat().st_mtime_ns for each in folder.iterdir()}


@pytest.mark.parametrize(
    "content",
    [
        b"<html>" * 300,
        b"#EXTM3U\nhttp://127.0.0.1:9/a.ts\n" * 40,
        b"ffconcat version 1.0\nfile /etc/passwd\n" * 40,
        b"",
    ],
)
def test_what_is_no_clip_is_never_followed(inspector: ClipInspector, tmp_path: Path, content: bytes) -> None:
    """The name of the reader is given, so no list of other files is read."""
    clip = tmp_path / "a.mp4"
    clip.write_bytes(content)
    with pytest.raises(NotReadable):
        inspector.look(clip)


@pytest.fixture(params=["worker", "fake"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Inspector]:
    """Yield the real inspector or its fake; `bad.mp4` is not readable to both."""
    (tmp_path / "bad.mp4").write_bytes(b"no clip" * 300)
    one: Inspector = ClipInspector() if request.param == "worker" else FakeInspector({"bad.mp4": "broken"})
    yield one
    one.close()


def test_both_go_on_after_a_bad_clip_and_end_when_stopped(either: Inspector, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "good.mp4")
    with pytest.raises(NotReadable):
        either.look(tmp_path / "bad.mp4")
    assert either.look(clip).probe.codec == "h264"
    either.make_previews(clip, tmp_path, SHA)
    assert (tmp_path / preview_names(SHA).small).is_file()
    either.stop()
    with pytest.raises(NoDecoder):
        either.look(clip)


READY = "import json, os, sys, time; print(json.dumps({'ready': 1}), flush=True)\n"


def scripted(tmp_path: Path, rest: str) -> Callable[..., ClipInspector]:
    """Return an inspector whose worker is a script, so that it can misbehave."""
    script = tmp_path / "worker.py"
    script.write_text(READY + rest)
    return lambda deadline_s=20.0: ClipInspector(deadline_s=deadline_s, command=(sys.executable, str(script)))


@pytest.mark.parametrize(
    ("rest", "deadline", "said"),
    [
        ("for line in sys.stdin: time.sleep(60)", 0.3, "not decoded within"),
        ("for line in sys.stdin: os.kill(os.getpid(), 11)", 20.0, "crashed"),
        ("for line in sys.stdin: print('nonsense', flush=True)", 20.0, "crashed"),
        ("for line in sys.stdin: print('{\"look\": {}}', flush=True)", 20.0, "makes no sense"),
        ("sys.stdout.write('x' * 5_000_000)", 20.0, "crashed"),
    ],
    ids=["hangs", "crashes", "babbles", "lies", "floods"],
)
def test_a_worker_that_fails_costs_its_clip_alone(
    tmp_path: Path, rest: str, deadline: float, said: str
) -> None:
    worker = scripted(tmp_path, rest)(deadline)
    for _ in range(2):
        with pytest.raises(NotReadable, match=said):
            worker.look(tmp_path / "any.mp4")
    worker.close()


def test_a_worker_that_cannot_start_is_no_clips_fault(tmp_path: Path) -> None:
    worker = ClipInspector(command=(str(tmp_path / "nothing"),))
    with pytest.raises(NoDecoder):
        worker.look(tmp_path / "any.mp4")


def test_a_worker_does_not_know_the_token(tmp_path: Path) -> None:
    rest = (
        "for line in sys.stdin: print(json.dumps({'unreadable': ' '.join(sorted(os.environ))}), flush=True)"
    )
    worker = scripted(tmp_path, rest)()
    with pytest.raises(NotReadable) as told:
        worker.look(tmp_path / "any.mp4")
    worker.close()
    assert set(str(told.value).split()) <= {"PYTHONPATH", "LC_ALL", "LC_CTYPE", "LD_LIBRARY_PATH"}


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Return the bytes of a good MP4 and a good WebM."""
    folder = tmp_path_factory.mktemp("samples")
    webm = make_clip(folder / "a.webm", codec="libvpx-vp9", seconds=0.5)
    return [make_clip(folder / "a.mp4", seconds=0.5).read_bytes(), webm.read_bytes()]


@given(data=st.data())
def test_hostile_headers_never_raise(
    samples: list[bytes], tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    which = data.draw(st.sampled_from([0, 1]))
    content = bytearray(samples[which])
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=8)
    ):
        content[at] = byte
    path = tmp_path_factory.getbasetemp() / ("hostile.mp4", "hostile.webm")[which]
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    probe = header_probe(path)
    assert probe.from_json(probe.to_json()) == probe


def test_the_header_alone_makes_no_previews(tmp_path: Path) -> None:
    reader = HeaderInspector()
    reader.make_previews(make_clip(tmp_path / "a.mp4"), tmp_path, SHA)
    assert reader.look(tmp_path / "a.mp4").probe.width == 160
    assert [each.name for each in tmp_path.iterdir()] == ["a.mp4"]
