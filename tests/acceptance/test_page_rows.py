"""The page as a person works on it: rows and keys, decisions and their file, filters in the address, paper, speed."""

from __future__ import annotations

import csv
import io
import json
import random
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import ViewportSize

from runner.domain.clip_checks import Flag, FlagKind, Probe
from runner.domain.picks import NO_PICKS, Decision, Pick, Picks
from runner.domain.preview_names import preview_names
from runner.domain.records import TakeRecord
from runner.domain.states import FailureClass, TakeState
from runner.output.write_reports import write_report
from runner.store.picks_table import read_table
from runner.system import csv_cells
from tests.browser import NOT_OUTSIDE, Tab
from tests.clips import make_clip
from tests.unit.output_records import BODY, NOW, FakeRecord, delivered, header, pending

pytestmark = pytest.mark.browser

SEEDS = (11, 12, 13)
FOCUS = "document.activeElement.closest('.take')?.dataset.name ?? ''"
TALL: ViewportSize = {"width": 1280, "height": 2600}
"""A screen on which all rows of the board are near, so that all are built."""
PHONE: ViewportSize = {"width": 390, "height": 844}
NIGHT = 3600.0


def _take(shot: int, seed: int, **changes: Any) -> TakeRecord:  # noqa: ANN401  fields of a record
    number = SEEDS.index(seed) + 1 if seed in SEEDS else seed
    body = {**BODY, "promptText": f"scene {shot}: the harbour at night", "seed": seed}
    take = delivered(pending(f"s{shot:03}@seed={seed}", body=body, position=shot * 100 + number))
    sent = NOW - NIGHT + shot * 20
    changes = {
        "point": {"seed": seed},
        "number": number,
        "submitted_at": sent,
        "finished_at": sent + 40,
        **changes,
    }
    return replace(take, sha256=f"{shot:016x}{seed:016x}" * 2, **changes)


def _board(shots: int = 4) -> list[TakeRecord]:
    """Return shots of three takes; one take of the second failed, and one of the third is flagged."""
    takes = [
        _take(shot, seed, tags=("hero",) if shot == 1 else ())
        for shot in range(1, shots + 1)
        for seed in SEEDS
    ]
    takes[3] = replace(
        pending("s002@seed=11", body=BODY, position=201),
        state=TakeState.FAILED,
        failure=FailureClass.MODERATION,
        reason="the input was flagged",
        point={"seed": 11},
    )
    takes[7] = replace(
        takes[7],
        flags=(Flag(FlagKind.BLACK, "black to the end"),),
        probe=Probe("mp4", "h264", 320, 180, 2.0, 24.0),
    )
    return takes


def _write(
    folder: Path, takes: Sequence[TakeRecord], *, picks: Picks = NO_PICKS, posters: bool = True
) -> Path:
    """Write the page, with a poster of its own colour for each clip."""
    (folder / "previews").mkdir(exist_ok=True)
    for number, take in enumerate(takes):
        if posters and take.sha256 and take.file:
            names = preview_names(take.sha256)
            picture = Image.new("RGB", (320, 180), ((number * 37) % 200 + 30, (number * 91) % 200 + 30, 120))
            picture.save(folder / names.small)
            picture.resize((960, 540)).save(folder / names.large)
    return write_report(folder, FakeRecord(header(), list(takes)), now=NOW, picks=picks).html


@pytest.fixture
def board(tab: Tab, tmp_path: Path) -> Tab:
    """Return the tab with a board of four shots open."""
    _open(tab, _write(tmp_path, _board()))
    return tab


def _open(tab: Tab, page: Path, fragment: str = "") -> None:
    tab.page.set_viewport_size(TALL)
    tab.open(page, fragment=fragment)


def _reload(tab: Tab) -> None:
    tab.page.reload()
    tab.until("document.querySelector('.tools')?.hidden === false")


def _labels(tab: Tab) -> list[str]:
    """Return shot and take of the cards on the page in their order."""
    found: list[str] = tab.js(
        "[...document.querySelectorAll('.take h4')].map((each) => each.textContent.slice(0, 8))"
    )
    return found


def _here(tab: Tab) -> str:
    """Return shot and take of the card that has the focus."""
    said: str = tab.js("document.activeElement.querySelector('h4')?.textContent.slice(0, 8) ?? ''")
    return said


def test_rows_are_shots_and_say_once_what_their_takes_share(board: Tab) -> None:
    assert _labels(board)[:6] == ["s002 t01", "s002 t02", "s002 t03", "s003 t01", "s003 t02", "s003 t03"]
    assert (
        board.js("[...document.querySelectorAll('.row')].map((row) => row.querySelectorAll('.take').length)")
        == [3] * 4
    )
    axes = "[...document.querySelectorAll('.row:last-child .axis')].map((each) => each.textContent)"
    assert board.js(axes) == ["seed=11", "seed=12", "seed=13"]
    assert board.js("document.querySelectorAll('.about .prompt').length") == 3
    assert board.js("document.querySelector('.about .tags').textContent") == "hero"


def test_posters_are_there_at_once_and_no_player_is(board: Tab) -> None:
    board.until("[...document.querySelectorAll('img.poster')].every((image) => image.naturalWidth > 0)")
    assert board.js("document.querySelectorAll('img.poster').length") == 11
    assert board.js("document.querySelectorAll('video').length") == 0
    assert board.complaints() == []
    assert board.requested() <= NOT_OUTSIDE


def test_a_take_moves_while_it_is_pointed_at(tab: Tab, tmp_path: Path) -> None:
    takes = _board()[:1]
    make_clip(tmp_path / str(takes[0].file))
    _open(tab, _write(tmp_path, takes))
    tab.page.hover(".still")
    tab.until("document.querySelector('video.motion')?.currentTime > 0")
    tab.page.hover("h1")
    tab.until("document.querySelectorAll('video').length === 0")


def test_each_take_is_one_stop_and_keys_go_from_take_to_take(board: Tab) -> None:
    stops = "document.querySelectorAll('.list [tabindex=\"0\"]').length"
    assert board.js(stops) == board.js("document.querySelectorAll('.take').length") > 4
    board.press("j")
    assert _here(board) == "s002 t01"
    for key, there in (("l", "s002 t02"), ("ArrowRight", "s002 t03"), ("l", "s002 t03"), ("j", "s003 t03")):
        board.press(key)
        assert _here(board) == there
    for key, there in (
        ("ArrowUp", "s002 t03"),
        ("h", "s002 t02"),
        ("1", "s002 t01"),
        ("3", "s002 t03"),
        ("9", "s002 t03"),
    ):
        board.press(key)
        assert _here(board) == there
    board.press("Tab")
    assert _here(board) == "s003 t01"
    assert board.js("location.hash") == "#take=s003_t01"


def test_decisions_are_made_by_keys_and_outlive_a_reload(tab: Tab, tmp_path: Path) -> None:
    _open(tab, _write(tmp_path, _board()))
    tab.press("j", "j", "p", "l", "x", "l", "m")
    decided = "[...document.querySelectorAll('.mark')].map((each) => each.textContent).filter(Boolean)"
    shown = ["picked · not saved yet", "rejected · not saved yet", "maybe · not saved yet"]
    assert tab.js(decided) == shown
    said = "document.querySelector('.decided').value"
    assert tab.js(said) == "1 picked, 1 rejected, 1 maybe, 3 shots undecided · 3 not saved"
    _reload(tab)
    assert tab.js(decided) == shown
    assert _here(tab) == "s003 t03"
    tab.press("1", "u")
    assert tab.js(decided) == shown[1:]
    assert tab.js(said).startswith("0 picked, 1 rejected")


def test_n_goes_to_the_next_shot_without_a_decision(board: Tab) -> None:
    board.press("n")
    assert _here(board) == "s002 t02"
    board.press("p", "n")
    assert _here(board) == "s003 t01"
    board.press("n", "x", "l", "x", "l", "x", "Shift+N")
    assert _here(board) == "s003 t01"
    board.press("n", "n", "n")
    assert _here(board) == "s004 t01"
    assert board.js("document.querySelector('.said').value") == "No later shot is undecided."


def test_decisions_leave_as_a_file_that_the_program_reads(tab: Tab, tmp_path: Path) -> None:
    earlier = Picks(
        (Pick("s001", "s001@seed=11", Decision.REJECT, "too dark", "Ben", "2026-05-01T10:00:00Z"),)
    )
    _open(tab, _write(tmp_path, _board(), picks=earlier))
    assert tab.js("document.querySelector('.mark:not(:empty)').textContent") == "rejected"
    tab.press("j", "l", "p", "e")
    tab.page.keyboard.type('=HYPERLINK("x"), lovely')
    tab.press("Escape")
    assert _here(tab) == "s002 t02"
    tab.page.click(".bar .save")
    tab.page.fill("dialog.name input", "Ana")
    with tab.page.expect_download() as download:
        tab.page.click("dialog.name .save")
    assert download.value.suggested_filename == "picks.csv"
    data = Path(download.value.path()).read_bytes()
    assert data.startswith(b"\xef\xbb\xbfshot,take,decision,note,who,when\r\n")
    assert b"'=HYPERLINK" in data
    rows = read_table(data, file="picks.csv").rows
    assert [(row.take, row.decision, row.note, row.who) for row in rows] == [
        ("s001@seed=11", Decision.REJECT, "too dark", "Ben"),
        ("s002@seed=12", Decision.PICK, '=HYPERLINK("x"), lovely', "Ana"),
    ]
    assert tab.js("document.querySelectorAll('.unsaved').length") == 0
    assert "pick storyboard.yaml --import picks.csv" in tab.js("document.querySelector('.said').value")
    assert tab.complaints() == []


def test_what_a_newer_file_says_replaces_what_the_browser_kept(tab: Tab, tmp_path: Path) -> None:
    _open(tab, _write(tmp_path, _board()))
    tab.press("j", "l", "p")
    later = Picks((Pick("s002", "s002@seed=12", Decision.REJECT, "", "Ben", "2999-01-01T00:00:00Z"),))
    _open(tab, _write(tmp_path, _board(), picks=later))
    assert tab.js("document.querySelector('.mark:not(:empty)').textContent") == "rejected"


def test_the_page_in_two_windows_forgets_nothing(tab: Tab, tmp_path: Path) -> None:
    """Each window knows what is decided on the other, and neither writes over it."""
    page = _write(tmp_path, _board())
    _open(tab, page)
    other = Tab.in_context(tab.page.context, tmp_path)
    _open(other, page)
    tab.press("j", "l", "p")
    other.until("document.querySelector('.picked .mark')?.textContent === 'picked · not saved yet'")
    other.press("j", "j", "x")
    tab.until("document.querySelectorAll('.rejected').length === 1")
    _reload(tab)
    assert tab.js("document.querySelector('.decided').value").startswith("1 picked, 1 rejected")


def test_what_another_page_left_in_the_store_does_no_harm(tab: Tab, tmp_path: Path) -> None:
    """Pages from the disk share one store."""
    _open(tab, _write(tmp_path, _board()))
    tab.press("j", "l", "p")
    odd: dict[str, object] = {
        "s003@seed=11": None,
        "s003@seed=12": 5,
        "s004@seed=11": {"decision": "accept"},
        "constructor": [],
    }
    tab.js(
        "var kept = JSON.parse(localStorage.getItem(picks.key));"
        f"Object.assign(kept.said, {json.dumps(odd)});"
        "localStorage.setItem(picks.key, JSON.stringify(kept))"
    )
    _reload(tab)
    assert tab.js("document.querySelector('.decided').value").startswith("1 picked, 0 rejected, 3 shots")
    assert len(_labels(tab)) == 12


def test_a_decision_that_is_taken_back_after_it_was_saved_is_written_once_more(
    tab: Tab, tmp_path: Path
) -> None:
    _open(tab, _write(tmp_path, _board()))
    tab.press("j", "l", "p")
    tab.page.click(".bar .save")
    tab.page.fill("dialog.name input", "Ana")
    tab.page.click("dialog.name .save")
    tab.press("u")
    _reload(tab)
    assert tab.js("document.querySelector('.decided').value").endswith("1 not saved")
    with tab.page.expect_download() as download:
        tab.page.click(".bar .save")
    rows = read_table(Path(download.value.path()).read_bytes(), file="picks.csv").rows
    assert [(row.take, row.decision) for row in rows] == [("s002@seed=12", None)]


def test_a_browser_that_keeps_nothing_says_so(tab: Tab, tmp_path: Path) -> None:
    tab.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no'); }})"
    )
    _open(tab, _write(tmp_path, _board()))
    leaving = "window.dispatchEvent(new Event('beforeunload', {cancelable: true}))"
    assert tab.js(leaving) is True
    tab.press("j", "l", "p")
    assert tab.js("document.querySelector('.mark:not(:empty)').textContent") == "picked · not saved yet"
    assert tab.js("document.querySelector('.unkept').checkVisibility()") is True
    assert tab.js(leaving) is False, "and asks before it is closed"


def test_cells_are_guarded_as_the_program_guards_them(board: Tab) -> None:
    some = random.Random(7)
    letters = "=+-@\t\r\n\0 ',;|\"a1.eE\u200b\ufeff\u2212\uff1d\U0001f3ac"
    texts = ["".join(some.choices(letters, k=some.randrange(9))) for _ in range(3000)]
    assert board.js(f"{json.dumps(texts)}.map(guarded)") == [csv_cells.guard(text) for text in texts]
    rows = [texts[at : at + 3] for at in range(0, 300, 3)]
    text = board.js(f"csvOf({json.dumps(rows)})").removeprefix("\ufeff")
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        [csv_cells.guard(cell) for cell in row] for row in rows
    ]


def test_filters_and_sort_are_in_the_address_and_outlive_a_reload(tab: Tab, tmp_path: Path) -> None:
    _open(tab, _write(tmp_path, _board()))
    tab.page.click(".choices summary")
    tab.page.select_option("[data-filter='axis.seed']", "12")
    tab.page.select_option(".sort", "board")
    tab.page.fill("input[type=search]", "harb")
    assert _labels(tab) == ["s001 t02", "s002 t02", "s003 t02", "s004 t02"]
    assert tab.js("document.querySelector('.shown').value") == "4 of 12"
    address = tab.js("location.hash")
    assert address == "#axis.seed=12&q=harb&sort=board"
    _reload(tab)
    assert _labels(tab) == ["s001 t02", "s002 t02", "s003 t02", "s004 t02"]
    assert tab.js("document.querySelector('input[type=search]').value") == "harb"
    tab.press("Escape")
    assert len(_labels(tab)) == 12
    assert tab.js("location.hash") == "#sort=board"


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        ("state=failed", ["s002 t01"]),
        ("flag=black", ["s003 t02"]),
        ("pick=reject", ["s001 t01"]),
        ("pick=undecided&q=s001", ["s001 t02", "s001 t03"]),
        ("tag=hero&axis.seed=13", ["s001 t03"]),
        ("q=hero t02", ["s001 t02"]),
        ("q=rbour", []),
        ("q=%23req-s004@seed%3D1", ["s004 t01", "s004 t02", "s004 t03"]),
        ("q=req-s004", []),
        ("state=nonsense", []),
    ],
)
def test_takes_are_found(tab: Tab, tmp_path: Path, choice: str, found: list[str]) -> None:
    picks = Picks((Pick("s001", "s001@seed=11", Decision.REJECT),))
    takes = _board()
    # A tag can be chosen only if there are two.
    takes[-1] = replace(takes[-1], tags=("wide",))
    _open(tab, _write(tmp_path, takes, picks=picks), f"#{choice}")
    assert _labels(tab) == found


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("board", "s001 t01"),
        ("flagged", "s003 t01"),
        ("newest", "s004 t01"),
        ("duration", "s004 t01"),
        ("cost", "s003 t01"),
    ],
)
def test_rows_are_sorted(tab: Tab, tmp_path: Path, sort: str, first: str) -> None:
    takes = _board()
    takes[-1], takes[8] = replace(takes[-1], seconds=99.0), replace(takes[8], cost=9.0)
    tab.open(_write(tmp_path, takes), fragment=f"#sort={sort}")
    assert _labels(tab)[0] == first


def test_keys_do_nothing_to_a_take_that_is_filtered_out(board: Tab) -> None:
    board.press("j", "l")
    board.page.fill("input[type=search]", "s004")
    board.press("Escape", "2", "p")
    assert board.js("picks.said.size") == 0
    assert board.complaints() == []


def test_after_a_click_the_space_bar_plays(tab: Tab, tmp_path: Path) -> None:
    """It does not take back a decision, and it plays the row in which the hand was last."""
    for take in (takes := _board()[:3] + _board()[6:9]):
        make_clip(tmp_path / str(take.file))
    _open(tab, _write(tmp_path, takes))
    tab.page.locator(".row .decide.pick").last.click()
    tab.press("Space")
    tab.until("document.querySelector('.row:last-child.playing') && rowInHand.clips.isRunning")
    assert tab.js("document.querySelectorAll('.picked').length") == 1
    tab.page.locator(".row .plain.play").first.click()
    tab.until("document.querySelector('.part + .row').matches('.playing') && rowInHand.clips.isRunning")
    tab.page.locator(".scrub").click()
    tab.press("Space")
    tab.until("!rowInHand.playing")
    tab.press("x")
    assert tab.js("document.querySelector('.row.playing .rejected') !== null") is True


def test_a_double_click_on_a_picture_shows_it_large(tab: Tab, tmp_path: Path) -> None:
    _open(tab, _write(tmp_path, _board()))
    tab.page.locator(".still").nth(4).dblclick()
    assert tab.js("document.querySelector('.lightbox h2').textContent") == "s003 · t02 seed=12"


def test_a_take_that_is_a_picture_or_a_sound_is_shown_as_what_it_is(tab: Tab, tmp_path: Path) -> None:
    picture, sound, film = (_take(1, seed) for seed in SEEDS)
    takes = [replace(picture, file="clips/a.png"), replace(sound, file="clips/b.wav"), film]
    make_clip(tmp_path / str(film.file))
    Image.new("RGB", (64, 36), "red").save(tmp_path / "clips" / "a.png")
    with wave.open(str(tmp_path / "clips" / "b.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"\x01\x02" * 8000)
    _open(tab, _write(tmp_path, takes, posters=False))
    kinds = "[...document.querySelectorAll('.still')].map((each) => each.firstElementChild)"
    assert tab.js(f"{kinds}.map((each) => each.localName)") == ["img", "div", "video"]
    tab.until(f"{kinds}[0].naturalWidth === 64")
    assert tab.js(f"{kinds}[1].textContent") == "sound"
    tab.press("j", "Space")
    tab.until("rowInHand?.clips.isRunning && rowInHand.clips.videos.length === 2")
    assert tab.js("document.querySelector('.transport-note').textContent") == ""
    tab.press("Enter")
    tab.until("document.querySelector('.stage img')?.naturalWidth === 64")
    assert tab.js("document.querySelector('.measured').textContent") == "a picture"
    tab.press("2")
    tab.until("document.querySelector('.measured').textContent === 'sound, 0:01.00'")
    assert tab.complaints() == []


def test_slash_searches_and_a_question_mark_shows_the_keys(board: Tab) -> None:
    board.press("/")
    assert board.js("document.activeElement.type") == "search"
    board.page.keyboard.type("p?")
    assert board.js("document.querySelectorAll('.picked').length") == 0
    board.press("Escape", "?")
    assert board.js("document.querySelector('dialog.help').open") is True
    board.press("p", "Escape")
    assert board.js("document.querySelectorAll('.picked').length") == 0


def test_the_head_shows_money_times_and_the_night(board: Tab) -> None:
    text = board.js("document.querySelector('header').innerText")
    for said in (
        "Made 2026-05-28 20:26:40 UTC by shotrunner 1.2.3 from storyboard.yaml",
        "12 takes",
        "from the first submission",
    ):
        assert said in text, said
    tables = "[...document.querySelectorAll('table')].map((each) => each.innerText)"
    assert [table.split() for table in board.js(tables)] == [
        *(
            [
                "model",
                "takes",
                "typical",
                "job",
                "longest",
                "job",
                "billed",
                "pika/pikaframes",
                "11",
                "40",
                "s",
                "40",
                "s",
                "$3.30",
            ],
        ),
        *(
            [
                "failure",
                "takes",
                "typical",
                "job",
                "longest",
                "job",
                "billed",
                "moderation",
                "1",
                "–",
                "–",
                "–",
            ],
        ),
    ]
    assert "11 rendered, 0 failed, at most" in board.js("document.querySelector('.night svg').ariaLabel")
    assert board.js("document.querySelectorAll('.night rect.good').length") > 2


def test_a_row_of_many_takes_is_built_in_parts(tab: Tab, tmp_path: Path) -> None:
    tab.open(_write(tmp_path, [_take(1, seed) for seed in range(100, 300)], posters=False))
    built = "document.querySelectorAll('.take').length"
    assert tab.js(built) == 60
    tab.press("j", "Space")
    tab.page.click(".further")
    assert tab.js(built) == 120
    assert tab.js("document.querySelectorAll('.player').length") == 0
    tab.js("built.get([...built.keys()].at(-1)).focus()")
    tab.press("Space")
    assert tab.js("document.querySelector('.take:last-of-type .player') !== null"), (
        "those further on play too"
    )
    assert tab.js("document.documentElement.scrollWidth <= innerWidth") is True
    tab.press("Enter")
    assert tab.js("document.querySelectorAll('.thumb').length") == 60
    assert tab.js("document.querySelector('.lightbox h2').textContent").startswith("s001 · t219 ")


def test_all_posters_are_on_paper(tab: Tab, tmp_path: Path) -> None:
    """Also those that nobody has scrolled to."""
    tab.open(_write(tmp_path, _board(40)))
    assert tab.js("document.querySelectorAll('img.poster').length") < 60
    paper = tab.page.pdf(format="A4", prefer_css_page_size=True)
    assert paper.count(b"/Subtype /Image") >= 119


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "size"),
    [("wide", {"width": 1440, "height": 1000}), ("tablet", {"width": 820, "height": 1180}), ("phone", PHONE)],
)
def test_axe_finds_nothing(tab: Tab, tmp_path: Path, name: str, size: ViewportSize, scheme: Any) -> None:  # noqa: ANN401  Playwright's own literal
    tab.page.set_viewport_size(size)
    tab.page.emulate_media(color_scheme=scheme)
    picks = Picks(
        (Pick("s001", "s001@seed=11", Decision.REJECT), Pick("s001", "s001@seed=12", Decision.PICK, "lovely"))
    )
    tab.open(_write(tmp_path, _board(), picks=picks), fragment="#sort=board")
    tab.page.click(".choices summary")
    tab.js("for (const each of document.querySelectorAll('details')) each.open = true")
    tab.press("j", "m")
    tab.screenshot(f"page-{name}-{scheme}")
    assert tab.axe() == []
    assert tab.js("document.documentElement.scrollWidth <= innerWidth") is True
    tab.press("?")
    assert tab.axe(within="dialog.help") == []


def test_fingers_find_large_targets_on_a_phone(tab: Tab, tmp_path: Path) -> None:
    tab.page.set_viewport_size(PHONE)
    tab.open(_write(tmp_path, _board()))
    targets = "[...document.querySelectorAll('button, summary, select, input')]"
    is_small = "each.checkVisibility() && each.offsetHeight < 44"
    small = f"{targets}.filter((each) => {is_small}).map((each) => each.className || each.localName)"
    assert tab.js(small) == []


@pytest.mark.parametrize(("takes", "seconds"), [(1_000, 1.0), (10_000, 2.0)])
def test_thousands_of_takes_are_there_soon(tab: Tab, tmp_path: Path, takes: int, seconds: float) -> None:
    """What counts is the processor time of the page's thread, until the first rows are there and keys work."""
    page = _write(
        tmp_path,
        [_take(shot, seed) for shot in range(takes // 4) for seed in (*SEEDS, 14)],
        posters=False,
    )
    tab.call("Performance.enable", timeDomain="threadTicks")
    tab.open(page)
    tab.press("j")
    tab.until("document.activeElement.matches('.take')")
    spent = {each["name"]: each["value"] for each in tab.call("Performance.getMetrics")["metrics"]}
    assert spent["TaskDuration"] < seconds
