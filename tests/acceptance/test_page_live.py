"""The page while its run goes on, in a real browser: what changes does so in place, and decisions are saved at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from runner.domain.clip_checks import Flag, FlagKind
from runner.domain.money import NOTHING_SPENT
from runner.domain.picks import Decision, Pick, Picks
from runner.domain.records import TakeRecord
from runner.domain.states import FailureClass, TakeState
from runner.output.html_report import write_page
from runner.output.report_head import Summary
from runner.output.report_view import Beside, card
from tests.browser import Tab, new_tab
from tests.clips import make_clip
from tests.page_server import PageServer, served
from tests.unit.output_records import BODY, NOW, delivered, header, pending, queued

pytestmark = pytest.mark.browser

SEEDS = (11, 12, 13)
FIRST_CLIP = "clips/s001@seed=11.mp4"
SAVED = "!picks.isSending && unsavedTakes().length === 0"
BLACK = Flag(FlagKind.BLACK, "black to the end")


def _take(shot: int, seed: int) -> TakeRecord:
    body = {**BODY, "promptText": f"scene {shot}", "seed": seed}
    take = pending(f"s{shot:03}@seed={seed}", body=body, position=shot * 100 + seed)
    return replace(take, point={"seed": seed}, number=SEEDS.index(seed) + 1 if seed in SEEDS else seed)


def _failed(take: TakeRecord) -> TakeRecord:
    return replace(
        take, state=TakeState.FAILED, failure=FailureClass.MODERATION, reason="the input was flagged"
    )


class Run:
    """A run that a test moves on, with its page open in a tab."""

    def __init__(self, server: PageServer, takes: Sequence[TakeRecord]) -> None:
        self.server = server
        self.takes = {take.take_id: take for take in takes}
        self.picks: dict[str, Pick] = {}
        self._write()

    def _write(self) -> None:
        file = BytesIO()
        beside = Beside.of(picks=Picks(tuple(self.picks.values())))
        write_page(
            file,
            header(),
            self.takes.values(),
            NOTHING_SPENT,
            simulated=False,
            made=NOW,
            beside=beside,
            after=0,
        )
        self.server.page = file.getvalue()

    def show(self, *takes: TakeRecord) -> None:
        """Record what the takes are now, and send it."""
        self.takes.update({take.take_id: take for take in takes})
        summary = Summary()
        for take in self.takes.values():
            summary.note(take)
        beside = Beside.of(picks=Picks(tuple(self.picks.values())))
        cards = [card(header(), take, beside=beside) for take in takes]
        self.server.say(
            "change", head=summary.head(header(), NOTHING_SPENT, simulated=False, made=NOW + 60), takes=cards
        )

    def pick(self, row: Sequence[str]) -> None:
        """Record a decision that somebody has made, and send its take."""
        shot, take, decision, note, who, when = row
        self.picks[take] = Pick(shot, take, Decision(decision) if decision else None, note, who, when)
        self.show(self.takes[take])

    def __getitem__(self, take_id: str) -> TakeRecord:
        return self.takes[take_id]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Yield a run of four shots: the first shot is delivered, all others are queued."""
    takes = [_take(shot, seed) for shot in range(1, 5) for seed in SEEDS]
    takes = [(delivered if take.shot_id == "s001" else queued)(take) for take in takes]
    for take in takes[:3]:
        make_clip(tmp_path / str(delivered(take).file))
    with served(tmp_path, b"") as server:
        yield Run(server, takes)


@pytest.fixture
def page(run: Run, tab: Tab) -> Tab:
    """Return the tab with the page of the run open, and the reviewer's name known."""
    return _open(tab, run)


def _open(tab: Tab, run: Run, fragment: str = "", who: str = "Ana") -> Tab:
    tab.page.set_viewport_size({"width": 1280, "height": 2000})
    tab.page.add_init_script(f"localStorage.setItem('shotrunner who', {json.dumps(who)})")
    tab.page.goto(run.server.address + fragment)
    tab.until("document.querySelector('.live output')?.value === 'live'")
    return tab


def _card(label: str) -> str:
    return f"[...built].find(([take]) => take.label === '{label}')[1]"


def _labels(tab: Tab) -> list[str]:
    said: list[str] = tab.js(
        "[...document.querySelectorAll('.take h4')].map((each) => each.textContent.slice(0, 8))"
    )
    return said


def test_states_counts_and_pictures_follow_without_a_reload(page: Tab, run: Run) -> None:
    page.js("var before = new Map(built); var first = document.querySelector('.list').firstElementChild")
    make_clip(run.server.folder / str(delivered(run["s002@seed=11"]).file))
    run.show(
        delivered(run["s002@seed=11"]),
        replace(
            delivered(run["s003@seed=12"]),
            flags=(BLACK,),
            file=FIRST_CLIP,
        ),
        _failed(run["s004@seed=13"]),
    )
    page.until("document.querySelectorAll('.take.failed').length === 1")
    page.until("document.querySelectorAll('.part').length === 2")
    assert (
        page.js("[...built].every(([take, card]) => before.get(take) === card || take.shot !== 's002')")
        is True
    )
    assert page.js(f"{_card('s002_t01')}.querySelectorAll('.decide').length") == 3
    page.until(f"{_card('s002_t01')}.querySelector('.still').firstElementChild.readyState >= 2")
    assert page.js("[...document.querySelectorAll('.part li')].map((each) => each.className)") == [
        "failed",
        "flagged",
    ]
    chips = "[...document.querySelectorAll('.chip')].filter((each) => each.checkVisibility())"
    assert page.js(f"{chips}.map((each) => each.textContent)") == [
        "5 delivered",
        "6 queued",
        "1 failed",
        "1 flagged",
    ]
    assert _labels(page)[::3] == ["s003 t01", "s004 t01", "s001 t01", "s002 t01"], (
        "what needs a person comes first"
    )
    assert page.js("document.querySelector('[data-filter=failure]').options.length") == 2
    assert page.js("document.querySelector('.figures').innerText.includes('moderation')") is True
    assert "last change" in page.js("document.querySelector('.live').textContent")
    assert page.complaints() == []


def test_a_change_touches_its_own_card_alone(tab: Tab, run: Run) -> None:
    """Also on a long board, and even if it is far from the screen."""
    takes = [queued(_take(shot, seed)) for shot in range(200) for seed in SEEDS]
    long = Run(run.server, takes)
    page = _open(tab, long)
    page.js(
        "var touched = new Set(); new MutationObserver((all) => { for (const { target } of all)"
        " touched.add(target.closest('.take')?.querySelector('h4').textContent.slice(0, 8) ?? target.className) })"
        ".observe(document.querySelector('.list'), { childList: true, subtree: true })"
    )
    long.show(replace(takes[4], attempts=2, cost=0.7), replace(takes[-1], cost=0.7))
    page.until("document.body.innerText.includes('$0.70')")
    assert page.js("[...touched]") == ["s001 t02"]


def test_a_list_may_become_empty_and_full_again(tab: Tab, run: Run) -> None:
    page = _open(tab, run, "#state=failed")
    empty = "document.querySelector('.empty').checkVisibility()"
    assert page.js(empty) is True
    for _ in range(2):
        run.show(*(_failed(run[f"s00{shot}@seed=12"]) for shot in (3, 2)))
        page.until("document.querySelectorAll('.take').length === 2")
        assert _labels(page) == ["s002 t02", "s003 t02"]
        assert page.js(empty) is False
        run.show(*(queued(run[f"s00{shot}@seed=12"]) for shot in (3, 2)))
        page.until(empty)
        assert page.js("document.querySelectorAll('.list *').length") == 0


def test_a_note_is_written_on_while_its_take_changes(page: Tab, run: Run) -> None:
    page.press("j", "e")
    page.page.keyboard.type("too d")
    page.js(f"{_card('s001_t02')}.querySelector('details').open = true")
    page.until("document.querySelectorAll('h5').length === 1")
    page.js("var field = document.activeElement")
    first, second = (run[f"s001@seed={seed}"] for seed in SEEDS[:2])
    run.show(
        replace(first, flags=(Flag(FlagKind.FROZEN, "no two differ"),)), replace(second, request_id="req-new")
    )
    page.until("document.querySelectorAll('.flags').length === 1")
    page.page.keyboard.type("ark")
    assert page.js("document.activeElement === field && field.value") == "too dark"
    assert page.js(f"{_card('s001_t02')}.querySelector('details').innerText.includes('req-new')") is True
    page.press("Escape")
    page.until(SAVED)
    assert [row[1:5] for row in run.server.rows] == [["s001@seed=11", "", "too dark", "Ana"]]


def test_a_row_plays_on_while_its_takes_change(page: Tab, run: Run) -> None:
    page.press("j", "Space")
    page.until("rowInHand?.clips.isRunning")
    page.js("var playing = rowInHand, videos = [...document.querySelectorAll('.player')]")
    run.show(_failed(run["s001@seed=13"]), replace(run["s001@seed=11"], cost=0.9))
    page.until("document.querySelectorAll('.take.failed').length === 1")
    page.until("document.body.innerText.includes('$0.90')")
    page.js("var then = rowInHand.clips.lead.currentTime")
    page.until("rowInHand.clips.lead.currentTime !== then")
    assert page.js("rowInHand === playing && videos.every((video) => video.isConnected)") is True


def test_a_clip_that_arrives_plays_with_the_others_of_its_row(page: Tab, run: Run) -> None:
    page.press("j", "j")
    make_clip(run.server.folder / "clips" / "new.mp4")
    run.show(*(replace(delivered(run[f"s002@seed={seed}"]), file="clips/new.mp4") for seed in SEEDS[:2]))
    page.until("document.querySelectorAll('.row')[1].querySelectorAll('.deciding').length === 2")
    page.press("Space")
    page.until("rowInHand?.clips.isRunning && rowInHand.clips.videos.length === 2")


def test_the_lightbox_shows_what_has_changed_and_keeps_its_player(page: Tab, run: Run) -> None:
    page.press("j", "Enter")
    page.until("document.querySelector('.lightbox video')?.readyState >= 2")
    page.js("var video = document.querySelector('.stage video')")
    run.show(replace(run["s001@seed=11"], flags=(BLACK,)))
    page.until("document.querySelector('.known .flag')?.textContent === 'black to the end'")
    run.pick(["s001", "s001@seed=12", "reject", "", "Ben", "2999-01-01T00:00:00Z"])
    page.until("document.querySelectorAll('.thumb')[1].dataset.decision === 'reject'")
    assert page.js("video === document.querySelector('.stage video') && video.src !== ''") is True
    page.press("p")
    page.until("document.querySelector('.thumb').dataset.decision === 'pick'")
    page.press("Escape")
    assert page.js("document.activeElement.querySelector('h4').textContent") == "s001 t01 seed=11"


def test_a_filter_by_state_lets_takes_come_and_go(tab: Tab, run: Run) -> None:
    page = _open(tab, run, "#state=queued")
    assert page.js("document.querySelector('.shown').value") == "9 of 12"
    page.js("var kept = [...built.values()].at(-1)")
    third = [replace(delivered(run[f"s003@seed={seed}"]), file=FIRST_CLIP) for seed in SEEDS]
    run.show(*third, replace(delivered(run["s002@seed=12"]), file=FIRST_CLIP))
    page.until("document.querySelector('.shown').value === '5 of 12'")
    assert _labels(page) == ["s002 t01", "s002 t03", "s004 t01", "s004 t02", "s004 t03"]
    run.show(queued(run["s001@seed=12"]))
    page.until("document.querySelector('.shown').value === '6 of 12'")
    assert _labels(page)[0] == "s001 t02"
    assert page.js("kept.isConnected") is True
    page.press("k")
    run.show(delivered(run["s001@seed=12"]))
    page.until("document.querySelector('.shown').value === '5 of 12'")
    assert _labels(page)[0] == "s001 t02", "where a person stands nothing is taken away"
    page.press("j")
    page.until("document.querySelectorAll('.take').length === 5")


def test_rows_that_come_and_go_end_where_a_reload_puts_them(tab: Tab, run: Run) -> None:
    """A list of hundreds of rows, sorted by what is newest, after many changes."""
    takes = [_take(shot, 11) for shot in range(300)]
    many = Run(run.server, takes)
    page = _open(tab, many, "#sort=newest")
    page.js("scrollTo(0, 4000)")
    for beat in range(1, 9):
        moved = [takes[shot * 7 * beat % 300] for shot in range(1, 40)]
        many.show(
            *(replace(queued(take), submitted_at=NOW + beat * 50 + at) for at, take in enumerate(moved))
        )
        page.page.wait_for_timeout(20)
    sent = sum(take.state is TakeState.QUEUED for take in many.takes.values())
    page.until(f"document.querySelector('.chip.queued b')?.textContent === '{sent}'")
    assert page.js(
        "Math.max(...[...document.querySelectorAll('.group')].map((each) => each.children.length)) <= 8"
    )
    page.js("dispatchEvent(new Event('beforeprint'))")
    order = page.js("chosenRows(rowsOf([...picks.takes.values()])).map((row) => row.shot)")
    assert page.js("[...document.querySelectorAll('h3')].map((each) => each.textContent)") == order
    assert page.complaints() == []


def test_the_page_says_that_its_server_is_away_and_hears_the_rest_later(page: Tab, run: Run) -> None:
    run.show(delivered(run["s002@seed=11"]))
    page.until("document.querySelector('.chip.delivered b').textContent === '4'")
    run.server.stop()
    page.until("document.querySelector('.live output').value === 'not connected; trying again'")
    assert page.js("document.querySelector('.away').checkVisibility()") is True
    run.show(delivered(run["s002@seed=12"]))
    run.server.start()
    page.until("document.querySelector('.chip.delivered b').textContent === '5'")
    assert page.js("document.querySelector('.live output').value") == "live"
    assert page.js("document.querySelector('.away').checkVisibility()") is False


def test_what_could_not_be_saved_is_said_kept_and_sent_with_the_next_decision(page: Tab, run: Run) -> None:
    run.server.answers = [(409, {"error": "picks.csv is open in <b>Excel</b>"})]
    page.press("j", "p")
    page.until("document.querySelector('.said').value.startsWith('Not saved')")
    assert "picks.csv is open in <b>Excel</b>" in page.js("document.querySelector('.said').value")
    assert page.js("document.querySelector('.mark:not(:empty)').textContent") == "picked · not saved yet"
    assert page.js("document.querySelector('.decided').value").endswith("1 not saved")
    page.press("l", "x")
    page.until(SAVED)
    assert sorted(row[1:4] for row in run.server.rows) == [
        ["s001@seed=11", "pick", ""],
        ["s001@seed=12", "reject", ""],
    ]
    assert page.js("document.querySelector('.decided').value").endswith("· saved")
    assert page.js("document.querySelector('.said').value") == "All that you decided is saved now."
    assert page.js("document.querySelector('.bar .save').checkVisibility()") is False


def test_one_refused_word_holds_up_no_other(page: Tab, run: Run) -> None:
    no = (400, {"error": "the note is too long"})
    run.server.answers = [(500, {"error": "later"}), no, no]
    page.press("j", "p")
    page.until("document.querySelector('.said').value.includes('later')")
    page.press("l", "x")
    page.until("document.querySelector('.said').value.includes('too long')")
    assert [row[1] for row in run.server.rows] == ["s001@seed=12"]
    assert page.js("document.querySelectorAll('.unsaved').length") == 1


def test_a_decision_while_the_server_is_away_is_sent_when_it_is_back(page: Tab, run: Run) -> None:
    run.server.stop()
    page.until("document.querySelector('.live').matches('.lost')")
    page.press("j", "p")
    page.until("document.querySelector('.said').value.includes('does not answer')")
    with page.page.expect_download() as download:
        page.page.click(".bar .save")
    assert b"s001@seed=11,pick" in Path(download.value.path()).read_bytes()
    run.server.start()
    page.until(SAVED)
    assert [row[1:3] for row in run.server.rows] == [["s001@seed=11", "pick"]]


def test_the_name_is_asked_for_once(tab: Tab, run: Run) -> None:
    page = _open(tab, run, who="")
    page.press("j", "p")
    page.page.fill("dialog.name input", "Ana")
    page.press("Enter")
    page.until(SAVED)
    page.press("l", "x")
    page.until(f"document.querySelectorAll('.rejected').length === 1 && {SAVED}")
    assert [row[4] for row in run.server.rows] == ["Ana", "Ana"]


def test_without_a_name_decisions_are_saved_as_well(tab: Tab, run: Run) -> None:
    page = _open(tab, run, who="")
    page.press("j", "p", "Escape")
    page.until(SAVED)
    page.press("u")
    page.until(f"document.querySelectorAll('.picked').length === 0 && {SAVED}")
    assert [row[2:5] for row in run.server.rows] == [["pick", "", ""], ["", "", ""]]


def test_two_pages_see_what_the_other_decides(page: Tab, run: Run, browser: Browser, tmp_path: Path) -> None:
    with new_tab(browser, tmp_path) as other:
        _open(other, run, who="Ben")
        page.press("j", "p")
        page.until(SAVED)
        run.pick(run.server.rows[-1])
        other.until("document.querySelectorAll('.picked').length === 1")
        assert other.js("document.querySelector('.mark:not(:empty)').textContent") == "picked"
        run.pick(["s001", "s001@seed=11", "reject", "no", "Ben", "2999-01-01T00:00:00Z"])
        page.until("document.querySelectorAll('.rejected').length === 1")
        assert page.js(f"{_card('s001_t01')}.querySelector('.remark').value") == "no"


def test_an_older_word_does_not_replace_an_own_one_that_is_not_saved(page: Tab, run: Run) -> None:
    run.server.answers = [(500, {"error": "no"})]
    page.press("j", "p")
    page.until("document.querySelector('.said').value.startsWith('Not saved')")
    run.pick(["s001", "s001@seed=11", "reject", "", "Ben", "2020-01-01T00:00:00Z"])
    run.show(_failed(run["s004@seed=11"]))
    page.until("document.querySelectorAll('.take.failed').length === 1")
    assert page.js("document.querySelectorAll('.picked').length") == 1


def test_the_page_loads_again_once_nothing_is_being_written(page: Tab, run: Run) -> None:
    page.press("j", "e")
    page.page.keyboard.type("dark")
    page.js("var old = true")
    run.server.say("reload")
    page.until("document.querySelector('.said').value.startsWith('The board has changed')")
    run.server._said.pop()
    page.press("Escape")
    page.until("typeof old === 'undefined' && document.querySelector('.live output')?.value === 'live'")
    assert [row[3] for row in run.server.rows] == ["dark"]
    assert page.js("document.activeElement.querySelector('h4').textContent.slice(0, 8)") == "s001 t01"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_a_phone_while_the_server_is_away(page: Tab, run: Run, scheme: Any) -> None:  # noqa: ANN401  Playwright's own literal
    page.page.set_viewport_size({"width": 390, "height": 844})
    page.page.emulate_media(color_scheme=scheme)
    page.press("j", "p")
    run.show(_failed(run["s002@seed=11"]))
    page.until("document.querySelectorAll('.take.failed').length === 1")
    page.screenshot(f"live-phone-{scheme}")
    run.server.stop()
    page.until("document.querySelector('.live').matches('.lost')")
    page.screenshot(f"away-phone-{scheme}")
    assert page.axe() == []
    assert page.js("document.documentElement.scrollWidth <= innerWidth") is True
