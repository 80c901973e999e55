"""The sheet in a real browser: it plays, it runs nothing but its own script, and it asks nobody for anything."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import FailureClass, TakeState
from runner.output.write_reports import write_report
from runner.system.canonical_json import JsonValue
from tests.browser import NOT_OUTSIDE, Tab
from tests.clips import make_clip
from tests.unit.output_records import BODY, NOW, FakeRecord, delivered, header, pending, queued, succeeded

STEAL = "document.title='stolen'"
PAYLOADS = (
    f"<script>{STEAL}</script>",
    f"</script><script>{STEAL}</script>",
    f"</style><script>{STEAL}</script>",
    f"</title><script>{STEAL}</script>",
    f"<img src=x onerror={STEAL}>",
    f"<svg/onload={STEAL}>",
    f'" onmouseover="{STEAL}" autofocus onfocus="{STEAL}',
    f"' onload='{STEAL}",
    f'<iframe srcdoc="<script>top.{STEAL}</script>">',
    f"<meta http-equiv=refresh content='0;url=javascript:{STEAL}'>",
    f"javascript:{STEAL}",
    f"data:text/html,<script>{STEAL}</script>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/a.css>",
    "<video src=https://evil.example/a.mp4 autoplay>",
    "{{ 7 * 7 }}{% for x in y %}",
    "--><!--<script>",
    f"\u202e<details open ontoggle={STEAL}>\x1b]0;stolen\x07",
    f"<math><mtext></form><form><mglyph><style></math><img src onerror={STEAL}>",
    f'&lt;script&gt;{STEAL}&lt;/script&gt;<noscript><p title="</noscript><img src=x onerror={STEAL}>">',
)

pytestmark = pytest.mark.browser


def _page(folder: Path, takes: list[TakeRecord], run: RunHeader | None = None) -> Path:
    return write_report(folder, FakeRecord(run or header(), takes), now=NOW).html


def _board() -> list[TakeRecord]:
    first = delivered(pending("s010@resolution=720p,seed=1000"))
    return [
        replace(first, point={"resolution": "720p", "seed": 1000}),
        delivered(pending("s020 100%#?", position=1)),
        queued(pending("s030", position=2)),
        replace(queued(pending("s040", position=3)), state=TakeState.FAILED, failure=FailureClass.MODERATION),
        replace(pending("s050", position=4), state=TakeState.HELD, attempts=1, reason="connection reset"),
    ]


def test_clips_play_from_the_disk_under_the_policy(tab: Tab, tmp_path: Path) -> None:
    takes = _board()
    for take in takes[:2]:
        make_clip(tmp_path / str(take.file))
    tab.open(_page(tmp_path, takes))
    tab.until("[...document.querySelectorAll('video')].every((video) => video.readyState >= 2)")
    tab.js("document.querySelector('video').play()")
    tab.until("document.querySelector('video').currentTime > 0.3")
    assert tab.js("document.querySelectorAll('video').length") == 2
    assert tab.js("document.querySelector('video').videoWidth") == 160
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE


def test_style_and_script_are_let_in_by_their_hash(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _board()))
    assert tab.js("getComputedStyle(document.querySelector('.list')).display") == "grid"
    assert tab.js("document.querySelector('.search').hidden") is False
    assert tab.js("document.querySelector('.chip').disabled") is False


SHOWN = "[...document.querySelectorAll('.take')].map((take) => take.dataset.state)"


def test_what_needs_a_person_comes_first_with_what_to_do(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _board()))
    assert tab.js(SHOWN) == ["failed", "held", "delivered", "delivered", "queued"]
    assert tab.js("[...document.querySelectorAll('h2')].map((each) => each.textContent)")[:2] == [
        "Needs you",
        "The board",
    ]
    commands = "[...document.querySelectorAll('.part code')].map((each) => each.textContent)"
    assert tab.js(commands) == ["shotrunner reconcile storyboard.yaml", "shotrunner retry storyboard.yaml"]
    advice = tab.js("document.querySelector('.held .advice').textContent")
    assert "may have been charged" in advice
    assert advice.endswith("shotrunner reconcile storyboard.yaml")


def test_a_card_shows_all_that_is_known_of_its_take(tab: Tab, tmp_path: Path) -> None:
    """Also what is folded in, and what has changed in its row since."""
    body: dict[str, JsonValue] = {
        "promptText": "first line\nsecond",
        "image": "https://example.com/a.jpg",
        "seed": 2**63,
    }
    take = replace(
        delivered(pending("s010@zoom=2", body=body)), point={"zoom": 2}, tags=("hero",), notes="dusk"
    )
    stale = replace(
        take, wanted="f" * 64, wanted_model=take.model, wanted_body=json.dumps({**body, "seed": 7})
    )
    older = replace(
        succeeded(pending("s010~1", position=None)), shot_id="s010", outputs=("https://a/1", "ftp://b/2")
    )
    tab.open(_page(tmp_path, [stale, older]))
    tab.js("for (const each of document.querySelectorAll('.take details')) each.open = true")
    tab.until("document.querySelectorAll('h5').length === 2")
    text, other = tab.js("[...document.querySelectorAll('.take')].map((take) => take.innerText)")
    for said in (
        *("t01", "zoom=2", "delivered", "stale", f"seed {2**63}", "took 40 s", "$0.30", "31 kB", "hero"),
        *("first line\nsecond", "image", "clip", "data", "dusk", "2026-05-28 20:25:00 UTC"),
        *("req-s010@zoom=2", "cd" * 32, "ab" * 32, "clips/s010@zoom=2.mp4", "pika/pikaframes"),
        f"{2**63} → 7",
    ):
        assert said in text, said
    assert "no longer in the manifest" in other
    links = "[...document.querySelectorAll('.take a')].map((link) => [link.textContent, link.getAttribute('href')])"
    assert tab.js(links) == [
        ["image", "https://example.com/a.jpg"],
        ["clip", "clips/s010%40zoom%3D2.mp4"],
        ["data", "clips/s010%40zoom%3D2.json"],
        ["https://cdn.example.com/out/s010.mp4", "https://cdn.example.com/out/s010.mp4"],
        ["https://example.com/a.jpg", "https://example.com/a.jpg"],
        ["output 1", "https://a/1"],
        ["https://a/1", "https://a/1"],
    ]
    assert tab.js("document.querySelector('.dead').textContent") == "output 2"


def test_a_run_without_takes_says_so(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, []))
    assert tab.js("document.querySelector('.empty').innerText") == "No takes yet."


def _search(tab: Tab, words: str) -> None:
    tab.page.fill("input[type=search]", words)


def _hostile(number: int, payload: str) -> TakeRecord:
    body = {**BODY, "promptText": payload, "image": payload, payload: payload}
    take = replace(
        delivered(pending(f"x{number}", body=body, position=number)),
        shot_id=payload,
        model=payload,
        point={payload: payload},
        tags=(payload,),
        notes=payload,
        reason=payload,
        request_id=payload,
        sha256=payload,
        fingerprint=payload,
        outputs=(payload, f"https://evil.example/{payload}", f"http://127.0.0.1:1/{payload}"),
        file=payload,
    )
    failed = replace(take, take_id=payload, state=TakeState.FAILED, failure=FailureClass.REFUSED)
    return take if number % 2 else failed


@pytest.mark.parametrize("simulated", [False, True], ids=["paid", "simulated"])
def test_hostile_text_runs_nothing_and_asks_for_nothing(tab: Tab, tmp_path: Path, *, simulated: bool) -> None:
    takes = [_hostile(number, payload) for number, payload in enumerate(PAYLOADS * 2)]
    run = replace(
        header(simulated=simulated, name=PAYLOADS[3]), manifest=f"/x/{PAYLOADS[0]}", version=PAYLOADS[1]
    )
    tab.open(_page(tmp_path, takes, run))
    for act in ("a, summary, button, video, img", "article *"):
        tab.js(
            f"for (const each of document.querySelectorAll('{act}')) each.dispatchEvent(new Event('mouseover'))"
        )
    assert tab.js("document.title") == f"{PAYLOADS[3]} · contact sheet"
    tab.js("dispatchEvent(new Event('beforeprint'))")
    assert tab.js("document.querySelectorAll('article').length") == len(takes)
    tab.js("for (const each of document.querySelectorAll('details')) each.open = true")
    tab.until(f"document.querySelectorAll('h5').length === {len(takes)}")
    # The page's own are the style, the script, the drawing of the run and the question for a name.
    made = "[...document.querySelectorAll('script, style, iframe, img, svg, base, link, form, math')]"
    assert tab.js(f"{made}.map((each) => each.localName).sort()") == ["form", "script", "style", "svg"]
    hrefs = tab.js("[...document.querySelectorAll('a')].map((link) => link.protocol)")
    assert set(hrefs) <= {"https:", "file:"} | ({"http:"} if simulated else set())
    # The boxes of the list have a height of their own, in numbers.
    names = "[...document.querySelectorAll(':not(.group)')].flatMap((e) => e.getAttributeNames())"
    assert tab.js(f"{names}.filter((name) => /^on|^style$|srcdoc/.test(name))") == []
    assert tab.requested() <= NOT_OUTSIDE
    assert [text for text in tab.complaints() if "ERR_FILE_NOT_FOUND" not in text] == []


def _many(number: int) -> list[TakeRecord]:
    return [delivered(pending(f"s{each:05d}", position=each)) for each in range(number)]


TOP = "[...document.querySelectorAll('.row')].find((row) => row.getBoundingClientRect().bottom > 0)"
IN_SIGHT = f"{TOP}?.getBoundingClientRect().top < innerHeight"
BUILT = "document.querySelectorAll('.take').length"


def test_of_thousands_of_takes_only_those_near_the_screen_are_built(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _many(3000)))
    for place in (0.5, 1, 0.25, 0):
        tab.js(f"scrollTo(0, {place} * (document.documentElement.scrollHeight - innerHeight))")
        tab.until(IN_SIGHT)
        tab.until(f"{BUILT} < 150")
    assert tab.js("document.querySelector('h3').textContent") == "s00000"
    assert tab.js("document.querySelectorAll('video').length") < 150


def test_what_a_person_has_opened_stays_when_it_leaves_the_screen(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _many(600)))
    tab.js("document.querySelector('.take details').open = true")
    tab.js("scrollTo(0, document.documentElement.scrollHeight)")
    tab.until("[...document.querySelectorAll('h3')].some((title) => title.textContent === 's00599')")
    tab.until(f"{BUILT} < 150")
    assert tab.js("document.querySelectorAll('.take details[open] dl').length") == 2


def test_a_list_that_no_browser_could_lay_out_is_shown_in_parts(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _many(10_001)))
    tab.until("parts.isComplete")
    assert tab.js("document.querySelector('.parts output').value") == "shots 1–10000 of 10001"
    tab.js("document.querySelector('.after').click()")
    tab.until(f"{BUILT} === 1")
    assert tab.js("document.querySelector('h3').textContent") == "s10000"
    assert tab.js("document.querySelector('.after').disabled") is True
    _search(tab, "s00007")
    assert tab.js("document.querySelector('h3').textContent") == "s00007"
    assert tab.js("document.querySelector('.parts').hidden") is True


def test_on_another_width_the_same_takes_stay_in_sight(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _many(600)))
    tab.js("scrollTo(0, document.documentElement.scrollHeight / 2)")
    tab.until(IN_SIGHT)
    first = f"Number({TOP}.querySelector('h3').textContent.slice(1))"
    before = tab.js(first)
    tab.page.set_viewport_size({"width": 400, "height": 800})
    tab.until(f"innerWidth === 400 && {TOP} && Math.abs({first} - {before}) < 30")
    assert tab.js("document.documentElement.scrollWidth") <= 400


def test_all_takes_are_printed_up_to_a_limit_that_is_said(tab: Tab, tmp_path: Path) -> None:
    tab.open(_page(tmp_path, _many(1200)))
    tab.js("dispatchEvent(new Event('beforeprint'))")
    assert 900 <= tab.js(BUILT) < 950
    assert tab.js("document.querySelector('.unprinted').hidden") is False
    tab.js("dispatchEvent(new Event('afterprint'))")
    tab.until(f"{BUILT} < 150")


def test_a_page_that_cannot_be_read_leads_to_the_table(tab: Tab, tmp_path: Path) -> None:
    """As in a browser that cannot inflate, or where the file was cut."""
    page = _page(tmp_path, _board())
    page.write_text(re.sub(r'class="takes">.{9}', 'class="takes">', page.read_text("utf-8")), "utf-8")
    tab.call("Page.navigate", url=page.as_uri())
    tab.until("document.querySelector('.empty')?.checkVisibility()")
    assert "report.csv" in tab.js("document.querySelector('.empty').innerText")
    assert "5 takes" in tab.js("document.body.innerText")


def test_without_scripts_the_counts_and_the_way_to_the_table_are_shown(tab: Tab, tmp_path: Path) -> None:
    page = _page(tmp_path, _board())
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.call("Page.navigate", url=page.as_uri())
        tab.until("document.querySelector('noscript p')?.checkVisibility()")
        text = tab.js("document.body.innerText")
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "5 takes" in text
    assert "2 delivered · 1 queued · 1 held · 1 failed" in text
    assert "report.csv" in text
    assert "SIMULATED" not in text
