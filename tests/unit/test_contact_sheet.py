"""Contact sheets and moving pictures of tiny clips, and the words on them."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from runner.domain.errors import ClipUnreadable
from runner.video.animation import Look, animation
from runner.video.contact_sheet import Form, Row, Tile, pages, poster_of
from runner.video.lettering import GROUND, WHITE, plain, write
from tests.cut_clips import BLUE, GREEN, RED, draw_clip, near

FORM = Form(columns=3, page_height=6000)
ROW_HEIGHT = 304
"""Of a row of one line in 16:9: heading, picture, caption and gap."""


def tile(file: Path, **more: str) -> Tile:
    return Tile(file.stem, file, decision=more.get("decision", ""), flags=more.get("flags", ""))


def sheet(*rows: Row, form: Form = FORM) -> list[Image.Image]:
    return list(pages(rows, form))


def pixel(picture: Image.Image, x: float, y: float) -> tuple[int, ...]:
    found = picture.convert("RGB").getpixel((round(x), round(y)))
    assert isinstance(found, tuple)
    return found


def test_a_row_is_a_shot_and_a_tile_is_a_take(tmp_path: Path) -> None:
    files = [draw_clip(tmp_path / f"{at}.mp4", colour) for at, colour in enumerate((RED, GREEN, BLUE))]
    tiles = tuple(map(tile, files))
    [page] = sheet(Row("s010", "a boat", tiles[:2]), Row("s020", "", tiles[2:]))
    assert page.width == 3 * 336 + 16
    assert near(pixel(page, 176, 170), RED)
    assert near(pixel(page, 512, 170), GREEN)
    assert near(pixel(page, 848, 170), GROUND)
    assert near(pixel(page, 176, 170 + ROW_HEIGHT), BLUE)


def test_decisions_are_seen_at_a_glance(tmp_path: Path) -> None:
    file = draw_clip(tmp_path / "a.mp4", RED)
    marks = ("pick", "reject", "")
    [page] = sheet(Row("s010", "", tuple(tile(file, decision=mark) for mark in marks)))
    left, under = 14, 170
    edges = [pixel(page, left + 336 * at, under) for at in range(3)]
    assert edges[0][1] > edges[0][0]
    assert edges[1][0] > edges[1][1]
    assert near(edges[2], GROUND)
    middles = [pixel(page, 176 + 336 * at, under) for at in range(3)]
    assert near(middles[0], RED)
    assert sum(middles[1]) < sum(middles[0]) / 2 + sum(GROUND)


def test_a_large_board_has_several_pages_and_no_row_is_lost(tmp_path: Path) -> None:
    file = draw_clip(tmp_path / "a.mp4", BLUE)
    form = Form(columns=3, page_height=700)
    found = sheet(*(Row(f"s{at}", "", (tile(file),)) for at in range(5)), form=form)
    assert [round(page.height / ROW_HEIGHT) for page in found] == [2, 2, 1]
    assert all(page.height <= 700 for page in found)
    assert sheet(Row("s", "", tuple([tile(file)] * 7)), form=form)[0].height > 500


def test_a_shot_without_a_clip_and_a_clip_that_is_none_are_shown_as_such(tmp_path: Path) -> None:
    (tmp_path / "odd.mp4").write_bytes(b"<html>")
    [page] = sheet(
        Row("s010", "", (), why="failed: moderation"), Row("s020", "", (tile(tmp_path / "odd.mp4"),))
    )
    for top in (0, ROW_HEIGHT):
        box = page.crop((16, 80 + top, 336, 260 + top)).convert("L")
        assert max(box.tobytes()) > 120


def test_a_poster_is_used_if_it_can_be_read(tmp_path: Path) -> None:
    poster, clip = tmp_path / "p.jpg", draw_clip(tmp_path / "a.mp4", RED)
    Image.new("RGB", (320, 180), GREEN).save(poster)
    assert near(pixel(poster_of(Tile("a", clip, poster)), 9, 9), GREEN)
    poster.write_bytes(b"<html>")
    assert near(pixel(poster_of(Tile("a", clip, poster)), 9, 9), RED)


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_a_moving_picture_has_the_frames_and_the_size_asked_for(tmp_path: Path, form: str) -> None:
    made = animation([("a", draw_clip(tmp_path / "a.mp4", RED, size=(320, 180)))], Look(form, 160, 10))
    with Image.open(io.BytesIO(made.data)) as picture:
        assert (picture.format, picture.size) == (form.upper(), (160, 90))
        assert near(pixel(picture, 80, 45), RED)
    assert made.remarks == ()


def test_takes_beside_each_other_play_together_and_the_shorter_one_waits(tmp_path: Path) -> None:
    sides = Image.new("RGB", (64, 36), GREEN)
    files = [draw_clip(tmp_path / "a.mp4", RED), draw_clip(tmp_path / "b.mp4", sides, seconds=2)]
    made = animation([(file.stem, file) for file in files], Look("webp", 64, 10))
    with Image.open(io.BytesIO(made.data)) as picture:
        assert picture.size == (128, 36)
        assert near(pixel(picture, 32, 8), RED)
        assert near(pixel(picture, 96, 8), GREEN)


def test_a_moving_picture_is_made_small_enough_for_a_chat(tmp_path: Path) -> None:
    noise = Image.effect_noise((320, 180), 90).convert("RGB")
    file = draw_clip(tmp_path / "a.mp4", noise, size=(320, 180))
    made = animation([("a", file)], Look("gif", 320, 10), most_bytes=30_000)
    assert len(made.data) <= 30_000
    assert "pixels wide, since 320 would be above 30 kB" in made.remarks[0]


def test_a_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.mp4").write_bytes(b"<html>")
    with pytest.raises(ClipUnreadable, match=r"^s010_t01: it cannot be read"):
        animation([("s010_t01", tmp_path / "odd.mp4")], Look("gif", 64, 10))


@given(st.text(max_size=200), st.integers(1, 200), st.integers(8, 30), st.integers(1, 3))
def test_words_stay_in_their_room(text: str, room: int, letter: int, lines: int) -> None:
    """A letter that is wider than the room is the only exception."""
    picture = Image.new("RGB", (400, 300))
    end = write(picture, text, at=(0, 0), room=room, size=letter, colour=WHITE, lines=lines)
    assert end <= lines * round(1.3 * letter)
    box = picture.getbbox()
    assert box is None or box[2] <= max(room, 3 * letter) + 2


@given(st.text())
def test_letters_that_the_font_lacks_are_left_out(text: str) -> None:
    assert plain(text).isascii()
    assert plain(text).isprintable()
