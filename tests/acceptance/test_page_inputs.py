"""Pictures that went into a take: their small copies in the row, on a card, and in the lightbox."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from runner.domain.preview_names import input_name
from runner.output.write_reports import write_report
from tests.browser import NOT_OUTSIDE, Tab
from tests.clips import make_clip
from tests.unit.output_records import BODY, NOW, FakeRecord, delivered, header, pending

pytestmark = [pytest.mark.browser, pytest.mark.inspects]

FIRST, LAST, GONE = (f"https://a.example/{name}.png?signature=x" for name in ("first", "last", "gone"))
LOADED = "[...document.querySelectorAll('{}')].map((image) => image.naturalWidth)"


@pytest.fixture
def board(tab: Tab, tmp_path: Path) -> Tab:
    """Return the tab with two shots open: takes that share both frames, and takes with frames of their own."""
    (tmp_path / "previews").mkdir()
    for link in (FIRST, LAST):
        Image.new("RGB", (320, 180), (200, 120, 60)).save(tmp_path / input_name(link))
    frames = {
        "s001@seed=1": (FIRST, LAST),
        "s001@seed=2": (FIRST, LAST),
        "s002@seed=1": (FIRST, GONE),
        "s002@seed=2": (LAST, GONE),
    }
    takes = []
    for number, (name, (first, last)) in enumerate(frames.items()):
        body = {**BODY, "keyFramesFirst": first, "keyFramesLast": last}
        take = delivered(pending(name, body=body, position=number))
        takes.append(
            replace(take, sha256=f"{number:064x}", number=number % 2 + 1, file=f"clips/{number}.mp4")
        )
        make_clip(tmp_path / f"clips/{number}.mp4")
    page = write_report(tmp_path, FakeRecord(header(), takes), now=NOW).html
    tab.page.set_viewport_size({"width": 1280, "height": 2000})
    tab.open(page)
    return tab


def test_a_row_shows_what_its_takes_share_and_a_card_what_is_its_own(board: Tab) -> None:
    """A picture without a copy keeps its link, and the page asks nobody for it."""
    board.until(f"{LOADED.format('.links img')}.every((width) => width > 0)")
    assert board.js(LOADED.format(".row[aria-label$=s001] .about .links img")) == [320, 320]
    assert board.js(LOADED.format(".row[aria-label$=s002] .take .links img")) == [320, 320]
    names = "[...document.querySelectorAll('.row[aria-label$=s002] .take .links a')].map((link) => link.textContent)"
    assert board.js(names) == ["keyFramesFirst", "keyFramesLast"] * 2
    board.screenshot("inputs-row")
    assert board.axe(within=".row") == []
    assert board.complaints() == []
    assert board.requested() <= NOT_OUTSIDE


def test_the_lightbox_shows_them_beside_the_clip(board: Tab) -> None:
    board.js("document.querySelector('.row[aria-label$=s001] .take').focus()")
    board.press("Enter")
    board.until(f"{LOADED.format('.ends img')}.join() === '320,320'")
    captions = "[...document.querySelectorAll('.ends figcaption')].map((each) => each.textContent)"
    assert board.js(captions) == ["input keyFramesFirst", "input keyFramesLast"]
    board.screenshot("inputs-lightbox")
    assert board.axe(within="dialog") == []
    assert board.complaints() == []
