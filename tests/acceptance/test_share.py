"""`report --share`: a rehearsed run is handed over and commented on in a browser, and the comments come back."""

from __future__ import annotations

import csv
import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from runner.domain.preview_names import preview_names
from runner.store.reader import open_reader
from tests.acceptance.boards import takes_of
from tests.acceptance.command import Desk, new_desk
from tests.browser import NOT_OUTSIDE, Tab
from tests.report_page import head_in, takes_in, text_of

BOARD = """
version: 1
name: for-ana
defaults:
  model: pika/pika-2-2/image-to-video
  inputs:
    image: https://example.com/private-board.jpg
    promptText: A paper boat that nobody may read of
    duration: 5
shots:
  - {id: s010, sweep: {seed: [11, 12, 13]}, notes: the client is tired}
  - {id: s020, inputs: {seed: 21}}
  - {id: s030, inputs: {seed: 31}}
"""
SCRIPT = "faults: [{route: submit, fault: moderation, after: 4, count: 1}]"
FAST = ("--speed", 20, "--poll-interval", 0.1)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the board once, with one take that fails, and return the folder it was run in."""
    desk = new_desk(tmp_path_factory.mktemp("rehearsal")).with_environment(
        SHOTRUNNER_NO_INSPECT="", SHOTRUNNER_SMALL_CLIPS=""
    )
    board, script = desk.folder / "board.yaml", desk.folder / "script.yaml"
    board.write_text(BOARD)
    script.write_text(SCRIPT)
    desk.run("run", board, "--simulate", *FAST, "--script", script, code=None)
    return desk.folder


@pytest.fixture
def place(rehearsed: Path, desk: Desk) -> Path:
    """Return the folder of a run of the test's own."""
    shutil.copytree(rehearsed, desk.folder, dirs_exist_ok=True)
    (run,) = (desk.folder / "reports").iterdir()
    return run


def everything(folder: Path) -> str:
    """Return all names and all text of a folder, the page's data unpacked."""
    names = "\n".join(str(path.relative_to(folder)) for path in folder.rglob("*"))
    return names + text_of(folder / "index.html") + (folder / "shotrunner-share.json").read_text()


def test_nothing_that_is_not_for_others_leaves_with_a_page(desk: Desk, place: Path) -> None:
    out = desk.folder / "for-ana"
    told = desk.run("report", place, "--share", out)
    assert "4 takes of 2 shots" in told.out
    takes = takes_of(place)
    with open_reader(place / "state.db") as reader:
        header = reader.header
    forbidden = {header.run_id, header.manifest, str(place), "board.yaml", "state.db"}
    forbidden |= {
        "nobody may read",
        "private-board",
        "client is tired",
        "moderation (simulated)",
        "image-to-video",
    }
    for take in takes:
        sure = [
            take.request_id,
            take.fingerprint,
            take.sha256,
            *take.outputs,
            take.cost and f"{take.cost:.2f}",
        ]
        forbidden |= {text for text in sure if text} | ({take.take_id} if "@" in take.take_id else set())
    text = everything(out)
    assert [word for word in forbidden if word in text] == []
    assert [take["label"] for take in takes_in(out / "index.html")] == [
        *("s010_t01", "s010_t02", "s010_t03", "s020_t01")
    ]
    assert head_in(out / "index.html")["mode"] == "share"
    assert (out / "clips" / "s010_t02.mp4").read_bytes() == (place / str(takes[1].file)).read_bytes()


def test_picks_alone_are_shared_as_soon_as_there_are_any(desk: Desk, place: Path) -> None:
    assert (
        "pick takes first" in desk.run("report", place, "--share", desk.folder / "x", "--picks", code=64).err
    )
    desk.run("pick", place, "s010", "2")
    desk.run("report", place, "--share", desk.folder / "picks.zip")
    with zipfile.ZipFile(desk.folder / "picks.zip") as archive:
        names = [name for name in archive.namelist() if "/clips/" in name]
        assert names == ["picks/clips/s010_t02.mp4"]
    desk.run("report", place, "--share", desk.folder / "all", "--all")
    assert [take["decision"] for take in takes_in(desk.folder / "all" / "index.html")] == ["", "pick", "", ""]


def test_posters_that_were_made_go_with_their_clips(desk: Desk, place: Path) -> None:
    first, second, *_ = takes_of(place)
    for take, name in ((first, "small"), (first, "large"), (second, "small")):
        poster = place / getattr(preview_names(str(take.sha256)), name)
        poster.parent.mkdir(exist_ok=True)
        poster.write_bytes(f"{take.label} {name}".encode())
    desk.run("report", place, "--share", desk.folder / "out")
    for label, name in (("s010_t01", "small"), ("s010_t01", "large"), ("s010_t02", "small")):
        copy = desk.folder / "out" / "posters" / f"{label}.{name}.jpg"
        assert copy.read_text().startswith(f"{label} {name}") or copy.read_bytes()[:2] == b"\xff\xd8"
    posters = [take["poster"] for take in takes_in(desk.folder / "out" / "index.html")]
    assert posters[0]["large"] == "posters/s010_t01.large.jpg"
    assert all(poster is None or poster["motion"] is None for poster in posters)


def test_a_missing_clip_and_the_run_itself_are_named(desk: Desk, place: Path) -> None:
    Path(place / str(takes_of(place)[0].file)).unlink()
    told = desk.run("report", place, "--share", desk.folder / "out")
    assert "not here: s010_t01" in told.out
    for own in (place, place / "clips", place.parent):
        assert "the run itself" in desk.run("report", place, "--share", own, "--force", code=64).err
    assert "add --share" in desk.run("report", place, "--all", code=64).err


@pytest.mark.browser
@pytest.mark.parametrize("mode", ["share", "decide"])
def test_comments_with_their_place_come_back_as_a_file(desk: Desk, place: Path, tab: Tab, mode: str) -> None:
    """A person plays a clip, writes at a moment of it, reloads, saves, and `pick --import` reads the file."""
    out = desk.folder / "out"
    desk.run("report", place, "--share", out, *(["--decide"] if mode == "decide" else []))
    tab.open(out / "index.html")
    box = tab.page.locator(".commenting").nth(1)
    box.locator(".watch").click()
    tab.until("document.querySelector('video.watch').currentTime > 0.3")
    box.locator("textarea").click()
    assert tab.js("document.querySelector('video.watch').paused"), "the moment is that of the thought"
    moment = tab.js("document.querySelector('video.watch').currentTime")
    box.locator("textarea").fill('=The sun, "lower"\n<b>please</b>')
    box.locator(".add").click()
    tab.page.locator(".commenting").nth(0).locator("textarea").fill("good")
    tab.page.locator(".commenting").nth(0).locator(".add").click()
    tab.page.locator(".commentbar input").fill("Ana")
    assert tab.page.locator(".decide.pick").count() == (4 if mode == "decide" else 0)
    tab.js("document.querySelector('.take').focus()")
    tab.press("x")
    tab.page.reload()
    tab.until("document.querySelectorAll('.written li').length === 2")
    assert tab.js("document.querySelector('.written b')") is None
    with tab.page.expect_download() as download:
        tab.page.locator(".commentbar .save").click()
    saved = desk.folder / "comments.csv"
    download.value.save_as(saved)
    first, *rows = csv.reader(io.StringIO(saved.read_text("utf-8-sig"), newline=""))
    assert first == ["shot", "take", "decision", "note", "who", "when", "at"]
    decisions = [row for row in rows if row[2]]
    assert [row[:3] for row in decisions] == ([["s010", "s010_t01", "reject"]] if mode == "decide" else [])
    plain, timed = (row for row in rows if not row[2])
    assert (plain[1], plain[3], plain[4], plain[6]) == ("s010_t01", "good", "Ana", "")
    assert (timed[1], timed[3]) == ("s010_t02", '\'=The sun, "lower"\n<b>please</b>')
    assert float(timed[6]) == pytest.approx(moment, abs=0.01)
    desk.run("pick", place, "--import", saved)
    listed = json.loads(desk.run("pick", place, "--list", "--output", "json").out)
    assert "lower" in json.dumps(listed)
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


@pytest.mark.browser
def test_a_shared_page_in_two_windows_forgets_no_comment(desk: Desk, place: Path, tab: Tab) -> None:
    out = desk.folder / "out"
    desk.run("report", place, "--share", out)
    tab.open(out / "index.html")
    other = Tab.in_context(tab.page.context, desk.folder)
    other.open(out / "index.html")
    for number, window in enumerate((tab, other)):
        box = window.page.locator(".commenting").nth(0)
        box.locator("textarea").fill(f"remark {number}")
        box.locator(".add").click()
    for window in (tab, other):
        window.until("document.querySelectorAll('.written li').length === 2")
    tab.page.locator(".commenting .remove").first.click()
    other.until("document.querySelector('.written').textContent.startsWith('remark 1')")
    assert other.js("document.querySelector('.commented').value") == "1 comment"


@pytest.mark.browser
def test_a_shared_page_is_accessible_and_fits_a_phone(desk: Desk, place: Path, tab: Tab) -> None:
    out = desk.folder / "out"
    desk.run("report", place, "--share", out)
    tab.open(out / "index.html")
    assert tab.axe() == []
    tab.screenshot("share-desktop")
    tab.page.set_viewport_size({"width": 390, "height": 844})
    tab.until("document.documentElement.scrollWidth <= 390")
    assert tab.axe() == []
    tab.screenshot("share-phone")
    small = "[...document.querySelectorAll('.commenting button, .commentbar button')]"
    assert tab.js(f"{small}.every((each) => each.getBoundingClientRect().height > 0)")


@pytest.mark.browser
def test_a_comment_is_written_beside_two_takes_that_play_in_step(desk: Desk, place: Path, tab: Tab) -> None:
    """Both stop at the thought; what is typed is text and no key; the card has the comment as well."""
    out = desk.folder / "out"
    desk.run("report", place, "--share", out)
    tab.open(out / "index.html")
    tab.page.locator(".compare").first.click()
    tab.page.locator(".lightbox .modes button").nth(1).click()
    tab.page.locator(".lightbox .transport button").first.click()
    playing = "[...document.querySelectorAll('.lightbox video.player')]"
    tab.until(f"{playing}.length === 2 && {playing}.every((each) => each.currentTime > 0.3)")
    text = tab.page.locator(".lightbox textarea").nth(1)
    text.click()
    assert tab.js(f"{playing}.every((each) => each.paused)")
    text.press_sequentially("px b")
    tab.page.locator(".lightbox .add").nth(1).click()
    written = "[...document.querySelectorAll('.written li span')].map((each) => each.textContent)"
    assert tab.js(written) == ["px b", "px b"]
    assert tab.axe(within=".lightbox") == []
    assert tab.complaints() == []
