"""Clips joined into one: what is copied and what is encoded, lengths, order, sound, slates, and what may be broken."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
from PIL import Image

from runner.domain.errors import CannotCreate, ClipUnreadable, UsageError
from runner.video.clip_reader import Look, usual_rate
from runner.video.lettering import GROUND
from runner.video.rough_cut import Cut, Part, Segment, Wishes, raster_of, why_encoded, write_cut
from runner.video.slate import Slate
from runner.video.sound import Sound
from tests.cut_clips import BLUE, GREEN, RED, WHITE, draw_clip, lengths, loud_times, near, pictures, turn

FORM = ("h264", 24)
LOOK = Look(
    width=64,
    height=36,
    fps=Fraction(24),
    seconds=Fraction(1),
    claimed=Fraction(1),
    start=Fraction(0),
    is_still=False,
    has_audio=False,
    form=FORM,
)


def clip(file: Path, *, planned: float = 1.0, burn: str = "") -> Segment:
    return Segment(file.stem, planned, Slate(file.stem, ""), file=file, burn=burn)


def gap(shot: str, *, planned: float = 1.0) -> Segment:
    return Segment(shot, planned, Slate(shot, "not rendered yet", "a boat in a puddle"))


def cut(tmp_path: Path, *segments: Segment, wishes: Wishes | None = None) -> tuple[Cut, Path]:
    out = tmp_path / "cut.mp4"
    return write_cut(segments, out, wishes=wishes or Wishes()), out


def middle(picture: Image.Image) -> tuple[int, ...]:
    found = picture.getpixel((picture.width // 2, picture.height // 2))
    assert isinstance(found, tuple)
    return found


def parts(*looks: Look | None) -> list[Part]:
    return [Part(gap("s"), look) for look in looks]


def test_clips_that_agree_are_copied_in_order(tmp_path: Path) -> None:
    files = [draw_clip(tmp_path / f"{at}.mp4", colour) for at, colour in enumerate((RED, GREEN, BLUE))]
    done, out = cut(tmp_path, *map(clip, files))
    assert (done.why_encoded, done.clips, done.remarks) == ("", 3, ())
    film, sound = lengths(out)
    assert film == pytest.approx(3.0)
    assert sound is None
    shown = pictures(out)
    assert len(shown) == 36
    for at, colour in enumerate((RED, GREEN, BLUE)):
        assert all(near(middle(picture), colour) for picture in shown[12 * at : 12 * at + 12])


@pytest.mark.parametrize(
    ("looks", "wishes", "why"),
    [
        ((LOOK, LOOK), Wishes(), ""),
        ((LOOK, replace(LOOK, has_audio=True)), Wishes(), ""),
        ((LOOK,), Wishes(size=(64, 36), fps=Fraction(24)), ""),
        ((LOOK,), Wishes(has_burn_in=True), "a burn-in was asked for"),
        ((LOOK, None), Wishes(), "there are slates among the clips"),
        ((LOOK, replace(LOOK, is_still=True)), Wishes(), "not every take is a whole clip"),
        ((LOOK, replace(LOOK, seconds=Fraction(1, 2))), Wishes(), "not every take is a whole clip"),
        ((LOOK, replace(LOOK, form=None)), Wishes(), "a clip has a form that cannot be joined as it is"),
        ((LOOK, replace(LOOK, width=66)), Wishes(), "the clips differ in size"),
        ((LOOK, replace(LOOK, fps=Fraction(25))), Wishes(), "the clips differ in frame rate"),
        ((LOOK, replace(LOOK, form=("hevc", 24))), Wishes(), "the clips are not encoded alike"),
        ((LOOK,), Wishes(size=(128, 72)), "another size was asked for"),
        ((LOOK,), Wishes(fps=Fraction(25)), "another frame rate was asked for"),
    ],
)
def test_pictures_are_encoded_only_for_a_reason(
    looks: tuple[Look | None, ...], wishes: Wishes, why: str
) -> None:
    assert why_encoded(parts(*looks), wishes) == why


def test_the_most_common_size_and_rate_are_taken_and_of_two_the_larger() -> None:
    wide, high = replace(LOOK, width=128, height=72), replace(LOOK, fps=Fraction(30))
    assert raster_of(parts(LOOK, wide, high), Wishes()).size == (64, 36)
    assert raster_of(parts(LOOK, wide), Wishes()).size == (128, 72)
    assert raster_of(parts(LOOK, high), Wishes()).fps == 30
    assert raster_of(parts(None), Wishes(planned_fps=25.0)).fps == 25
    assert raster_of(parts(LOOK), Wishes(size=(101, 55))).size == (100, 56)


@pytest.mark.parametrize(
    ("measured", "meant"),
    [
        (23.976, Fraction(24000, 1001)),
        (29.97, Fraction(30000, 1001)),
        (25, Fraction(25)),
        (12, Fraction(12)),
        (1000, Fraction(120)),
    ],
)
def test_a_measured_rate_is_that_of_film_or_television(measured: float, meant: Fraction) -> None:
    assert usual_rate(measured) == meant


def test_clips_of_every_kind_keep_their_length_their_order_and_their_shape(tmp_path: Path) -> None:
    Image.new("RGB", (65, 37), WHITE).save(tmp_path / "still.png")
    made = [
        (draw_clip(tmp_path / "plain.mp4", RED), 1.0, RED),
        (draw_clip(tmp_path / "again.mp4", GREEN), 1.0, GREEN),
        (draw_clip(tmp_path / "fast.mp4", BLUE, fps=30, size=(66, 38)), 1.0, BLUE),
        (draw_clip(tmp_path / "film.mp4", RED, fps=Fraction(24000, 1001), seconds=2), 2.0, RED),
        (draw_clip(tmp_path / "web.webm", GREEN, codec="libvpx-vp9", fps=25), 1.0, GREEN),
        (draw_clip(tmp_path / "deep.mp4", BLUE, pixels="yuv420p10le"), 1.0, BLUE),
        (draw_clip(tmp_path / "late.mp4", RED, first=24), 1.0, RED),
        (draw_clip(tmp_path / "uneven.mp4", GREEN, times=(0, 10, 15, 80, 90)), 1.0, GREEN),
        (turn(draw_clip(tmp_path / "upright.mp4", BLUE)), 1.0, BLUE),
        (tmp_path / "still.png", 1.0, WHITE),
    ]
    done, out = cut(tmp_path, *(clip(file) for file, _, _ in made))
    assert done.remarks == ()
    assert done.raster.size == (64, 36)
    assert done.raster.fps == 12
    shown = pictures(out)
    assert {picture.size for picture in shown} == {(64, 36)}
    at = 0.0
    for file, seconds, colour in made:
        assert near(middle(shown[round((at + seconds / 2) * 12)]), colour), file.name
        at += seconds
    assert len(shown) == pytest.approx(at * 12, abs=len(made))
    upright = shown[round(8.5 * 12) + 12]
    assert near(upright.getpixel((2, 18)), (0, 0, 0))  # type: ignore[arg-type]
    assert near(middle(upright), BLUE)


def test_pictures_before_the_beginning_of_an_edit_are_not_shown(tmp_path: Path) -> None:
    hidden = {"avoid_negative_ts": "disabled", "use_editlist": "1"}
    file = draw_clip(tmp_path / "edited.mp4", first=-6, settings=hidden)
    done, out = cut(tmp_path, clip(file), clip(draw_clip(tmp_path / "plain.mp4", GREEN)))
    assert done.why_encoded
    assert lengths(out)[0] == pytest.approx(1.5, abs=1 / 12)
    assert near(middle(pictures(out)[7]), GREEN)


@pytest.mark.parametrize("wishes", [Wishes(), Wishes(fps=Fraction(24))], ids=["copied", "encoded"])
def test_sound_stays_in_step_and_is_silence_where_a_clip_has_none(tmp_path: Path, wishes: Wishes) -> None:
    """The first clip's sound ends early and the third's late: neither may move what follows."""
    segments = [
        clip(draw_clip(tmp_path / "a.mp4", beep=0.25, sound_seconds=0.8)),
        clip(draw_clip(tmp_path / "b.mp4")),
        clip(draw_clip(tmp_path / "c.mp4", beep=0.5, sound_seconds=1.4)),
        clip(draw_clip(tmp_path / "d.mp4", beep=0.75)),
    ]
    done, out = cut(tmp_path, *segments, wishes=wishes)
    assert bool(done.why_encoded) is (wishes.fps is not None)
    film, sound = lengths(out)
    assert film == pytest.approx(4.0)
    assert sound == pytest.approx(4.0, abs=0.03)
    assert loud_times(out) == pytest.approx([0.25, 2.5, 3.75], abs=1 / 24)


def test_sound_of_another_container_is_in_step_too(tmp_path: Path) -> None:
    web = draw_clip(tmp_path / "web.webm", codec="libvpx-vp9", beep=0.5, fps=25)
    _, out = cut(tmp_path, clip(draw_clip(tmp_path / "a.mp4", first=12)), clip(web))
    assert loud_times(out) == pytest.approx([1.5], abs=1 / 24)


def test_a_shot_without_a_clip_is_a_slate_of_the_planned_length(tmp_path: Path) -> None:
    here = clip(draw_clip(tmp_path / "a.mp4", size=(320, 180)))
    done, out = cut(tmp_path, here, gap("s020", planned=1.5))
    assert (done.clips, done.slates) == (1, 1)
    assert done.seconds == pytest.approx(2.5)
    slate = pictures(out)[20]
    assert near(slate.getpixel((4, 4)), GROUND)  # type: ignore[arg-type]
    assert max(slate.convert("L").tobytes()) > 200
    without, out = cut(tmp_path, here, gap("s020"), wishes=Wishes(has_slates=False))
    assert (without.slates, without.why_encoded) == (0, "")


def test_a_cut_of_slates_alone_has_a_usual_form(tmp_path: Path) -> None:
    done, out = cut(tmp_path, gap("s010", planned=0.5), wishes=Wishes(planned_fps=12.0))
    assert done.raster.size == (1280, 720)
    assert lengths(out)[0] == pytest.approx(0.5)
    with pytest.raises(UsageError, match="no clip to join"):
        cut(tmp_path, gap("s010"), wishes=Wishes(has_slates=False))


def test_a_burn_in_is_in_the_corner_and_nowhere_else(tmp_path: Path) -> None:
    file = draw_clip(tmp_path / "a.mp4", WHITE, size=(320, 180))
    _, out = cut(tmp_path, clip(file, burn="s010_t02  seed 7"), wishes=Wishes(has_burn_in=True))
    picture = pictures(out)[6].convert("L")
    corner = picture.crop((0, 164, 60, 180)).tobytes()
    assert min(corner) < 110
    assert max(corner) > 180
    assert min(picture.crop((0, 0, 320, 150)).tobytes()) > 200


def test_a_damaged_clip_gives_what_can_be_decoded_and_is_named(tmp_path: Path) -> None:
    file = draw_clip(tmp_path / "s010_t01.mp4", seconds=4, keys=1, settings={"movflags": "faststart"})
    data = file.read_bytes()
    file.write_bytes(data[: len(data) - (len(data) - data.index(b"mdat")) // 2])
    done, out = cut(tmp_path, clip(file), clip(draw_clip(tmp_path / "whole.mp4", GREEN)))
    assert len(done.remarks) == 1
    assert done.remarks[0].startswith("s010_t01: only ")
    assert done.remarks[0].endswith(" s of 4.0 s can be decoded")
    assert 1.0 < lengths(out)[0] < 4.5
    assert near(middle(pictures(out)[-3]), GREEN)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nplain.mp4\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile plain.mp4\n",
    ],
    ids=["empty", "page", "playlist", "list"],
)
def test_what_is_no_clip_is_a_slate_that_says_so(tmp_path: Path, data: bytes) -> None:
    """A list that names other files is not followed."""
    draw_clip(tmp_path / "plain.mp4")
    odd = tmp_path / "odd.mp4"
    odd.write_bytes(data)
    done, _ = cut(tmp_path, clip(odd), clip(tmp_path / "gone.mp4"), clip(tmp_path / "plain.mp4"))
    assert (done.clips, done.slates) == (1, 2)
    assert [remark.partition(" (")[0] for remark in done.remarks] == [
        "odd: it cannot be read",
        "gone: it cannot be read",
    ]


def test_a_clip_with_sound_alone_has_no_picture(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        sound = Sound(container)
        sound.add(None, start=Fraction(0), until=Fraction(1))
        sound.finish()
    done, _ = cut(tmp_path, clip(tmp_path / "a.mp4"))
    assert done.remarks == ("a: it has no picture",)


def test_a_clip_that_was_held_upright_is_turned_the_right_way(tmp_path: Path) -> None:
    """Its left side is shown above: players turn it clockwise."""
    sides = Image.new("RGB", (64, 36), BLUE)
    sides.paste(Image.new("RGB", (32, 36), RED), (0, 0))
    _, out = cut(tmp_path, clip(turn(draw_clip(tmp_path / "a.mp4", sides))))
    picture = pictures(out)[3]
    assert picture.size == (36, 64)
    assert near(picture.getpixel((18, 16)), RED)  # type: ignore[arg-type]
    assert near(picture.getpixel((18, 48)), BLUE)  # type: ignore[arg-type]


def test_a_person_who_stops_it_is_left_without_a_file(tmp_path: Path) -> None:
    def stop(done: float, _of: float) -> None:
        if done > 0.5:
            raise KeyboardInterrupt

    file = draw_clip(tmp_path / "a.mp4")
    with pytest.raises(KeyboardInterrupt):
        write_cut([clip(file), gap("s020")], tmp_path / "cut.mp4", wishes=Wishes(), on_progress=stop)
    assert list(tmp_path.iterdir()) == [file]


def test_a_clip_that_vanishes_meanwhile_is_named(tmp_path: Path) -> None:
    files = [draw_clip(tmp_path / f"s0{at}_t01.mp4") for at in range(2)]
    with pytest.raises(ClipUnreadable, match=r"^s01_t01: it cannot be read"):
        write_cut(
            [*map(clip, files)],
            tmp_path / "cut.mp4",
            wishes=Wishes(),
            on_progress=lambda _done, _of: files[1].unlink(missing_ok=True),
        )
    assert not (tmp_path / "cut.mp4").exists()


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match="cannot be written"):
        write_cut([gap("s010")], tmp_path / "none" / "cut.mp4", wishes=Wishes())


def test_progress_ends_at_the_whole_length(tmp_path: Path) -> None:
    said = list[tuple[float, float]]()
    files = [draw_clip(tmp_path / f"{at}.mp4") for at in range(2)]
    write_cut(
        [*map(clip, files), gap("s030")],
        tmp_path / "cut.mp4",
        wishes=Wishes(),
        on_progress=lambda done, of: said.append((done, of)),
    )
    assert said[-1] == pytest.approx((3.0, 3.0))
    assert [done for done, _ in said] == sorted(done for done, _ in said)
