"""A page of more takes than it holds by itself: it shows some at once, loads the others, and works over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from runner.domain.money import NOTHING_SPENT
from runner.domain.records import TakeRecord
from runner.domain.states import FailureClass, TakeState
from runner.output.html_report import write_page
from runner.output.page_data import DATA, Sizes
from runner.output.report_head import Summary
from runner.output.report_view import card
from runner.output.write_reports import write_report
from tests.browser import NOT_OUTSIDE, Tab, new_tab
from tests.page_server import served
from tests.unit.output_records import BODY, NOW, FakeRecord, delivered, header, pending

pytestmark = pytest.mark.browser

SMALL = Sizes(alone=20, page=10, index=40)
SEEDS = (11, 12, 13)
SHOTS = 40
ALL = "parts.isComplete"
ROWS = "[...document.querySelectorAll('.row h3')].map((title) => title.textContent)"


def _take(shot: int, seed: int) -> TakeRecord:
    body = {**BODY, "promptText": f"scene {shot}: the </script> harbour\u2028 at night", "seed": seed}
    take = delivered(pending(f"s{shot:03}@seed={seed}", body=body, position=shot * 100 + seed))
    return replace(
        take,
        point={"seed": seed},
        number=SEEDS.index(seed) + 1,
        sha256=f"{shot:016x}{seed:016x}" * 2,
        model="pika/other" if shot == SHOTS else take.model,
    )


def _board() -> list[TakeRecord]:
    """Return 120 takes of 40 shots; one take of the 30th failed, and the last shot has another model."""
    takes = [_take(shot, seed) for shot in range(1, SHOTS + 1) for seed in SEEDS]
    takes[88] = replace(
        takes[88],
        state=TakeState.FAILED,
        failure=FailureClass.MODERATION,
        reason="the input was flagged",
        delivery=pending().delivery,
        file=None,
    )
    return takes


def _write(folder: Path, takes: Sequence[TakeRecord]) -> Path:
    return write_report(folder, FakeRecord(header(), list(takes)), now=NOW, sizes=SMALL).html


@pytest.fixture
def board(tab: Tab, tmp_path: Path) -> Tab:
    """Return the tab with the board open, and all its takes known."""
    tab.page.set_viewport_size({"width": 1280, "height": 1400})
    tab.open(_write(tmp_path, _board()))
    tab.until(ALL)
    return tab


def _refusals(tab: Tab) -> list[str]:
    """Return what the browser complains of; no clip of these boards exists."""
    return [each for each in tab.complaints() if not each.startswith("Failed to load resource")]


def _search(tab: Tab, words: str) -> None:
    tab.page.fill(".search input", words)


def test_the_page_shows_its_first_takes_without_any_file_beside_it(tab: Tab, tmp_path: Path) -> None:
    page = _write(tmp_path, _board())
    (tmp_path / DATA).rename(tmp_path / "aside")
    tab.open(page)
    assert tab.js(ROWS)[:2] == ["s030", "s001"]
    assert tab.js("document.querySelector('.chip.delivered b').textContent") == "119"
    tab.until("document.querySelector('.said').value.startsWith('Not all is shown: report-data/index-')")


def test_all_takes_are_there_soon_and_what_waits_comes_first(board: Tab) -> None:
    assert board.js("parts.takes.length") == SHOTS * 3
    assert board.js(ROWS)[:3] == ["s030", "s001", "s002"]
    assert board.js("document.querySelector('.shown').value") == ""
    assert board.js("document.querySelector('.row').querySelectorAll('.take').length") == 3
    board.until("document.querySelector('.row .note')?.textContent === 'moderation: the input was flagged'")
    assert _refusals(board) == []
    assert board.requested() <= NOT_OUTSIDE


def test_a_take_gets_all_that_is_said_of_it_once_it_is_near(board: Tab) -> None:
    board.js("scrollTo(0, document.documentElement.scrollHeight)")
    board.until(f"{ROWS}.at(-1) === 's040'")
    text = "[...document.querySelectorAll('.row')].at(-1).querySelector('.prompt')?.textContent"
    board.until(f"({text} ?? '').startsWith('scene 40: the </script> harbour')")
    board.until("[...document.querySelectorAll('.row')].at(-1).querySelectorAll('details').length === 3")


def test_files_that_were_used_long_ago_are_forgotten_and_read_again(board: Tab) -> None:
    board.js("scrollTo(0, 0)")
    board.js("(async () => { for (let page = 0; page < 12; page++) await pageOf(page); })()")
    held = "parts.takes.filter((take) => take.isWhole).length"
    assert board.js(held) == SHOTS * 3
    board.js("parts.pages.size = 0; for (let page = 100; page < 124; page++) parts.pages.set(page, null); 0")
    board.js("forgetPages()")
    assert board.js(held) < SHOTS * 3
    assert board.js("parts.takes.find((take) => !take.isWhole).details.length") == 0


def test_a_search_finds_prompts_and_hashes_of_takes_that_were_never_shown(board: Tab) -> None:
    _search(board, "scene 37")
    board.until(f"{ROWS}.join() === 's037'")
    _search(board, f"#{38:016x}{12:016x}")
    board.until("document.querySelectorAll('.take').length === 1")
    assert board.js("document.querySelector('.shown').value") == "1 of 120"


def test_filters_and_the_address_know_the_values_of_all_takes(tab: Tab, tmp_path: Path) -> None:
    page = _write(tmp_path, _board())
    tab.open(page, fragment="#model=pika%2Fother&axis.seed=12")
    tab.until(ALL)
    assert tab.js(ROWS) == ["s040"]
    assert tab.js("document.querySelector('.shown').value") == "1 of 120"


def test_a_decision_about_the_last_take_is_in_the_file(board: Tab, tmp_path: Path) -> None:
    _search(board, "s040")
    board.until(f"{ROWS}.join() === 's040'")
    board.page.click(".take .decide.pick")
    board.page.click(".save")
    board.page.fill("dialog.name input", "Ana")
    with board.page.expect_download() as waited:
        board.page.click("dialog.name button")
    waited.value.save_as(tmp_path / "picks.csv")
    assert "s040,s040@seed=11,pick,,Ana," in (tmp_path / "picks.csv").read_text("utf-8-sig")


def test_keys_go_on_into_takes_that_came_later(board: Tab) -> None:
    board.press("j", *["ArrowDown"] * 20)
    board.until("document.activeElement.closest('.row')?.querySelector('h3').textContent === 's020'")


def test_a_live_page_keeps_what_it_heard_of_takes_that_are_still_to_come(
    browser: Browser, tmp_path: Path
) -> None:
    takes = _board()
    _write(tmp_path, takes)
    page = BytesIO()
    write_page(
        page,
        header(),
        takes,
        NOTHING_SPENT,
        simulated=False,
        made=NOW,
        after=0,
        put=lambda _name, _content: None,
        sizes=SMALL,
    )
    with served(tmp_path, page.getvalue()) as server, new_tab(browser, tmp_path) as tab:
        summary = Summary()
        for take in takes:
            summary.note(take)
        heard = replace(takes[-1], notes="heard while the page was loading")
        head = summary.head(header(), NOTHING_SPENT, simulated=False, made=NOW)
        server.say("change", head=head, takes=[card(header(), heard)])
        tab.page.goto(f"{server.address}#q=s040")
        tab.until(ALL)
        tab.until("parts.takes.at(-1)?.notes === 'heard while the page was loading'")
        tab.until("document.querySelector('.row .notes')?.textContent === 'heard while the page was loading'")
        assert _refusals(tab) == []
