"""The players of the page in a real browser: a row's takes in step, and two takes compared in the lightbox.

Clips are real and drawn for each take. The functions of the page's script are called as the page itself calls them, in
boxes of the test's own, so that nothing here depends on how the page is laid out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from runner.output.write_reports import write_report
from tests.browser import NOT_OUTSIDE, Tab
from tests.report_page import takes_in
from tests.unit.output_records import BODY, NOW, FakeRecord, delivered, header, pending

pytestmark = pytest.mark.browser

RED, BLUE, GREEN, GREY = (200, 30, 30), (30, 40, 200), (40, 170, 60), (90, 90, 90)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A clip to be drawn: one colour, and a white bar that is as wide as the share of the clip that has passed."""

    colour: tuple[int, int, int]
    fps: int = 24
    seconds: float = 3.0


def _draw(path: Path, drawn: Drawn) -> None:
    av = pytest.importorskip("av")
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=drawn.fps)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        stream.options = {"preset": "ultrafast", "crf": "12", "g": str(drawn.fps)}
        count = round(drawn.seconds * drawn.fps)
        for number in range(count):
            picture = Image.new("RGB", (320, 180), drawn.colour)
            picture.paste((255, 255, 255), (0, 160, 320 * (number + 1) // count, 180))
            frame = av.VideoFrame.from_image(picture)
            frame.pts, frame.time_base = number, Fraction(1, drawn.fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _open(tab: Tab, folder: Path, clips: Sequence[Drawn | None]) -> None:
    """Open the page of one shot with these takes, None for a clip that is none, and make a row of boxes for them."""
    takes = [
        replace(
            delivered(pending(f"s010@{at}", body={**BODY, "seed": 1000 + at}, position=at)), number=at + 1
        )
        for at in range(len(clips))
    ]
    for take, drawn in zip(takes, clips, strict=True):
        path = folder / str(take.file)
        if drawn:
            _draw(path, drawn)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(b"not a clip")
    page = write_report(folder, FakeRecord(header(), takes), now=NOW).html
    cards = takes_in(page)
    for card, drawn in zip(cards, clips, strict=True):
        card["fps"] = drawn.fps if drawn else None
    tab.page.set_viewport_size({"width": 1280, "height": 900})
    tab.open(page)
    tab.js(f"var takes = {json.dumps(cards)}")
    tab.js(
        "var row = document.createElement('div'); document.querySelector('main').prepend(row);"
        "var stills = takes.map(() => row.appendChild(document.createElement('div')));"
        "for (const still of stills) Object.assign(still.style, {width: '320px', height: '180px'});"
        "var players = mountRow(row, takes, stills); 0"
    )


IN_MOTION = "players.playing && players.clips.isRunning"
TIMES = "[...row.querySelectorAll('video')].map((video) => video.currentTime)"


def _apart(tab: Tab) -> float:
    times = tab.js(TIMES)
    return float(max(times) - min(times))


def test_the_takes_of_a_row_play_in_step(tab: Tab, tmp_path: Path) -> None:
    """Within a frame of the slower rate, all through two seconds, but for moments in which the machine has no time."""
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE, 12), Drawn(GREEN), Drawn(GREY, 12)])
    assert tab.js("row.querySelectorAll('video').length") == 0, "no players until they are needed"
    tab.js(
        "var seen = []; var look = () => {"
        f" if ({IN_MOTION}) seen.push({TIMES});"
        " if (!seen.length || Math.min(...seen.at(-1)) < 2) requestAnimationFrame(look); };"
        "players.toggle(); look(); 0"
    )
    tab.until("seen.length && Math.min(...seen.at(-1)) >= 2")
    seen = tab.js("seen")
    assert len(seen) > 20
    apart = [times for times in seen if max(times) - min(times) > 1 / 12]
    assert len(apart) <= len(seen) // 20
    assert all(one[0] <= following[0] for one, following in pairwise(seen))
    tab.screenshot("row-in-step")
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


def test_a_frame_step_moves_every_take_by_one_frame(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.js("players.step(0)")
    for steps, frame in ((1, 1), (1, 2), (5, 7), (-3, 4), (-9, 0), (500, 71)):
        tab.js(f"players.step({steps})")
        tab.until(f"{TIMES}.every((time) => Math.abs(time - {(frame + 0.5) / 24}) < 0.002)")
    assert tab.js("row.querySelector('.clock').textContent") == "0:02.95 / 0:03.00"


def test_the_rate_of_a_clip_that_was_not_measured_is_learned_by_playing_it(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED, 12)])
    tab.js("takes[0].fps = null; players.toggle()")
    tab.until("players.clips.rate === 12 && players.clips.time > 0.5")
    tab.js("players.toggle()")
    before = tab.js("players.clips.time")
    tab.js("players.step(1)")
    assert tab.js("players.clips.time") - before == pytest.approx(1 / 12, abs=0.001)


def test_a_drag_of_the_scrub_bar_moves_all_takes_and_playing_goes_on(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.js("players.toggle()")
    tab.until(IN_MOTION)
    scrub = tab.page.locator(".scrub").bounding_box()
    assert scrub
    x, y = scrub["x"], scrub["y"] + scrub["height"] / 2
    tab.page.mouse.move(x + 10, y)
    tab.page.mouse.down()
    for share in (0.2, 0.4, 0.5):
        tab.page.mouse.move(x + scrub["width"] * share, y)
    tab.until(f"{TIMES}.every((time) => Math.abs(time - 1.5) < 0.1)")
    assert tab.js("players.clips.isRunning") is False
    tab.page.mouse.up()
    tab.until(f"{IN_MOTION} && {TIMES}[0] > 1.7")
    assert _apart(tab) <= 1 / 24


def test_a_shorter_take_holds_its_last_frame_and_a_loop_begins_together(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED, seconds=1), Drawn(BLUE, seconds=2)])
    tab.js("players.loop(true); players.toggle()")
    tab.until(f"{TIMES}[1] > 1.2")
    assert tab.js(TIMES)[0] == pytest.approx(1, abs=1 / 24)
    tab.until(f"{IN_MOTION} && {TIMES}[1] < 0.6")
    assert _apart(tab) <= 1 / 24
    tab.js("players.loop(false)")
    tab.until("!players.playing")
    tab.until(f"{TIMES}[1] > 1.9")


def test_speed_holds_for_all_takes(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.js("players.speed(2); players.toggle()")
    tab.until(IN_MOTION)
    assert tab.page.locator(".speed").input_value() == "2"
    tab.page.locator(".speed").select_option("0.5")
    tab.until("[...row.querySelectorAll('video')].every((video) => Math.abs(video.playbackRate - 0.5) < 0.2)")
    before, at = tab.js(f"[{TIMES}[0], performance.now()]")
    tab.until(f"{TIMES}[0] > {before + 0.4}")
    after, then = tab.js(f"[{TIMES}[0], performance.now()]")
    assert (after - before) / (then - at) * 1000 == pytest.approx(0.5, abs=0.1)
    assert _apart(tab) <= 1 / 24


def test_a_clip_that_cannot_play_says_so_and_holds_nobody(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), None, Drawn(BLUE)])
    tab.js("players.toggle()")
    tab.until(f"{IN_MOTION} && {TIMES}[0] > 0.5")
    assert "s010_t02 cannot play here" in tab.js("row.querySelector('.transport-note').textContent")
    assert tab.js("stills.map((still) => still.classList.contains('unplayable'))") == [False, True, False]
    tab.screenshot("row-with-a-bad-clip")


def test_a_clip_that_fails_before_the_others_have_loaded_holds_nobody(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.js("players.toggle(); row.querySelector('video').dispatchEvent(new Event('error')); 0")
    tab.until(f"{IN_MOTION} && {TIMES}[1] > 0.2")


def test_clips_that_load_later_than_anyone_waits_play_then(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED)])
    tab.js("var slowly = setTimeout; window.setTimeout = (act, wait) => slowly(act, wait / 50); 0")
    tab.js(
        "var video = make('video', {muted: true}); var clips = new InStep([video], [24], () => {}); clips.play(); 0"
    )
    tab.until("clips.note === '1 of 1 takes still load'")
    tab.js("video.src = takes[0].clip; 0")
    tab.until("clips.isRunning && clips.time > 0.2")


def test_only_one_row_has_players_and_a_row_that_stops_gives_them_back(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.js("players.toggle()")
    tab.until(IN_MOTION)
    tab.js("var other = mountRow(row, takes.slice(0, 1), stills); other.toggle()")
    assert tab.js("row.querySelectorAll('video').length") == 1
    assert tab.js("players.playing") is False
    tab.js("other.stop()")
    assert tab.js("row.querySelectorAll('video, .transport').length") == 0


def test_of_a_long_row_the_takes_around_the_chosen_one_play(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(GREY, 12, 0.5)] * 20)
    tab.js("players.toggle(19)")
    tab.until("row.querySelectorAll('video').length === 12")
    assert tab.js("stills.map((still) => still.childElementCount)") == [0] * 8 + [1] * 12
    assert "12 of 20 takes play" in tab.js("row.querySelector('.transport-note').textContent")


def test_in_a_long_row_the_small_previews_play_as_long_as_each_shows_its_whole_clip(
    tab: Tab, tmp_path: Path
) -> None:
    _open(tab, tmp_path, [Drawn(GREY, 24, 0.5)] * 7)
    tab.js(
        "for (const take of takes) Object.assign(take, {clipSeconds: 0.5, poster: {motion: `${take.clip}?small`}})"
    )
    sources = "[...row.querySelectorAll('video')].map((video) => video.src.endsWith('?small'))"
    note = "row.querySelector('.transport-note').textContent"
    tab.js("players.toggle()")
    tab.until(IN_MOTION)
    assert tab.js(sources) == [True] * 7
    assert tab.js("players.clips.rate") == 12
    assert tab.js(note).startswith("small previews play")
    tab.js("players.stop(); takes[3].clipSeconds = 11; players.toggle()")
    assert tab.js(sources) == [False] * 7
    assert tab.js(note) == ""


def test_the_space_bar_plays_the_row_of_the_chosen_take_and_enter_shows_it_large(
    tab: Tab, tmp_path: Path
) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE), Drawn(GREEN)])
    tab.press("j", "l", "Space")
    playing = "document.querySelector('.row.playing')"
    tab.until(f"{playing}?.querySelectorAll('.player').length === 3 && rowInHand.clips.isRunning")
    tab.until("rowInHand.clips.time > 0.5")
    tab.screenshot("page-row-plays")
    tab.press("Space", ".")
    tab.until("!rowInHand.playing")
    tab.press("Enter")
    assert tab.js("document.querySelector('.lightbox h2').textContent") == "s010 · t02 seed=1001"
    tab.press("p", "Escape")
    tab.until("!document.querySelector('.lightbox')")
    assert tab.js("document.activeElement.querySelector('.mark').textContent") == "picked · not saved yet"
    assert tab.js("document.querySelectorAll('.player').length") == 0
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


# --- the lightbox ---


def _compare(tab: Tab, first: int, second: int, mode: str) -> None:
    tab.js(f"var box = openLightbox(takes, {first}); box.choose({second}, 1); box.turn('{mode}')")
    tab.until("box.clips.usable.length === box.clips.videos.length")
    tab.js("box.clips.step(12)")
    tab.until(SETTLED)


SETTLED = (
    "box.clips.videos.every((video) => video.readyState >= 2 && !video.seeking && video.currentTime > 0.4)"
)


def _colour(tab: Tab, name: str, share: float) -> tuple[int, ...]:
    """Return the colour on the stage at a share of its width, above its middle, as it is on the screen."""
    box = tab.page.locator(".stage .screen").first.bounding_box()
    assert box
    with Image.open(tab.screenshot(name)) as picture:
        place = (int(box["x"] + box["width"] * share), int(box["y"] + box["height"] * 0.4))
        pixel = picture.convert("RGB").getpixel(place)
    assert isinstance(pixel, tuple)
    return pixel


def _is_near(colour: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(one - other) <= 12 for one, other in zip(colour, wanted, strict=True))


def _until_colour(tab: Tab, name: str, share: float, wanted: tuple[int, ...]) -> None:
    """Wait until the compositor shows a colour: a decoded frame is on the screen a moment after it was sought."""
    for _ in range(50):
        if _is_near(colour := _colour(tab, name, share), wanted):
            return
        tab.page.wait_for_timeout(40)
    raise AssertionError(f"{name} at {share} is {colour}, not {wanted}")


def test_a_wipe_shows_the_first_take_left_of_the_divider_and_the_second_right(
    tab: Tab, tmp_path: Path
) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    _compare(tab, 0, 1, "wipe")
    _until_colour(tab, "wipe", 0.25, RED)
    _until_colour(tab, "wipe", 0.75, BLUE)
    divider = tab.page.locator(".divider")
    stage = divider.bounding_box()
    assert stage
    tab.page.mouse.move(stage["x"] + stage["width"] / 2, stage["y"] + 40)
    tab.page.mouse.down()
    tab.page.mouse.move(stage["x"] + stage["width"] * 0.9, stage["y"] + 40)
    tab.page.mouse.up()
    _until_colour(tab, "wipe-dragged", 0.75, RED)
    divider.focus()
    tab.press("Home")
    _until_colour(tab, "wipe-by-key", 0.25, BLUE)
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


def test_the_difference_of_a_clip_with_itself_is_black_and_with_another_is_not(
    tab: Tab, tmp_path: Path
) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn((190, 40, 30))])
    _compare(tab, 0, 0, "difference")
    _until_colour(tab, "difference-with-itself", 0.5, (0, 0, 0))
    tab.js("box.choose(1, 1)")
    tab.until(SETTLED)
    _until_colour(tab, "difference", 0.5, (10, 10, 0))
    tab.page.get_by_role("button", name="amplify the difference").click()
    _until_colour(tab, "difference-amplified", 0.5, (40, 40, 0))


def test_two_takes_stand_side_by_side_and_play_in_step(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    _compare(tab, 0, 1, "side")
    boxes = tab.js(
        "[...document.querySelectorAll('.stage .screen')].map((box) => box.getBoundingClientRect().x)"
    )
    assert boxes[1] > boxes[0] + 300
    tab.press("Space")
    tab.until("box.clips.isRunning && box.clips.time > 1.2")
    times = tab.js("box.clips.videos.map((video) => video.currentTime)")
    assert abs(times[0] - times[1]) <= 1 / 24
    tab.page.set_viewport_size({"width": 390, "height": 844})
    boxes = tab.js(
        "[...document.querySelectorAll('.stage .screen')].map((box) => box.getBoundingClientRect().y)"
    )
    assert boxes[1] > boxes[0] + 100, "a phone has them one above the other"
    assert tab.js("document.querySelector('.lightbox').scrollWidth") <= 390
    tab.screenshot("lightbox-phone")


def test_the_lightbox_is_worked_by_keys_alone(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE), Drawn(GREEN)])
    tab.js(
        "var chip = document.querySelector('input[type=search]'); chip.focus(); var box = openLightbox(takes, 1)"
    )
    tab.until("box.clips.lead !== null")
    state = "[box.mode, ...box.chosen]"
    for key, expected in (
        ("ArrowRight", ["one", 2, 2]),
        ("1", ["one", 0, 2]),
        ("Shift+Digit2", ["side", 0, 1]),
        ("w", ["wipe", 0, 1]),
        ("d", ["difference", 0, 1]),
        ("b", ["one", 0, 1]),
        ("b", ["side", 0, 1]),
        ("o", ["one", 0, 1]),
    ):
        tab.press(key)
        assert tab.js(state) == expected, key
    tab.until("box.clips.lead !== null")
    tab.press("r", "]", "v")
    assert tab.js("[box.clips.isLooping, box.clips.speed, box.clips.videos[0].muted]") == [True, 1.5, False]
    tab.press(".", ".")
    tab.until("Math.abs(box.clips.videos[0].currentTime - 2.5 / 24) < 0.002")
    tab.press("Space")
    tab.until("box.clips.isRunning")
    tab.press("Escape")
    tab.until("!document.querySelector('dialog.lightbox')")
    assert tab.js("document.activeElement === chip") is True
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


def test_a_take_keeps_the_moment_when_another_one_is_put_beside_it(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.js("var box = openLightbox(takes, 0)")
    tab.until("box.clips.lead !== null")
    tab.js("box.clips.step(30)")
    tab.press("2", "b")
    tab.until(
        "box.clips.videos.length === 2 && box.clips.videos.every((v) => Math.abs(v.currentTime - 30.5 / 24) < 0.002)"
    )


def test_the_lightbox_shows_what_is_known_of_a_take(tab: Tab, tmp_path: Path) -> None:
    _open(tab, tmp_path, [Drawn(RED), None])
    tab.js(
        "takes[0].flags = [['size', '320 × 180, 1280 × 720 were asked for']]; var box = openLightbox(takes, 0)"
    )
    tab.until("document.querySelector('.measured').textContent.startsWith('320 × 180')")
    text = tab.js("document.querySelector('.known').innerText")
    for said in ("t01 seed=1000", "0:03.00, 24 frames a second", "1280 × 720 were asked for", "A hand lifts"):
        assert said in text, said
    tab.press("2")
    tab.until("document.querySelector('.lightbox .transport-note').textContent.includes('cannot play here')")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_nothing_in_the_players(tab: Tab, tmp_path: Path, width: int, scheme: str) -> None:
    _open(tab, tmp_path, [Drawn(RED), Drawn(BLUE)])
    tab.page.set_viewport_size({"width": width, "height": 844})
    tab.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    tab.js("players.step(1)")
    tab.until("players.clips.usable.length === 2")
    assert tab.axe(within=".transport") == []
    for mode in ("one", "side", "wipe", "difference"):
        _compare(tab, 0, 1, mode)
        assert tab.axe(within=".lightbox") == [], mode
        tab.screenshot(f"lightbox-{mode}-{width}-{scheme}")
        tab.js("box.dialog.close()")
        tab.until("!document.querySelector('dialog.lightbox')")
