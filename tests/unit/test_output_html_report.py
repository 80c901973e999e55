"""The page: what it shows, which addresses may become links, and that it is sealed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from runner.domain import display
from runner.domain.money import NOTHING_SPENT, Charge, Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.output.html_report import html
from runner.output.report_view import EAGER_PLAYERS, cards, file_link, sidecar, totals, web_link
from runner.output.status_text import status_lines
from tests.unit.output_records import BODY, NOW, delivered, header, pending, queued, succeeded


class _Page(HTMLParser):
    """The tags of a page with their attributes, and its visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._code = ""
        self.code: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._code = tag if tag in {"style", "script"} else ""

    def handle_endtag(self, tag: str) -> None:
        self._code = "" if tag == self._code else self._code

    def handle_data(self, data: str) -> None:
        if self._code:
            self.code[self._code] = self.code.get(self._code, "") + data
        else:
            self.text += data

    def all(self, tag: str, attribute: str) -> list[str | None]:
        return [attrs[attribute] for name, attrs in self.tags if name == tag and attribute in attrs]


def _page(*takes: TakeRecord, run: RunHeader | None = None, spending: Spending = NOTHING_SPENT) -> _Page:
    return _Page(html(run or header(), takes, spending, NOW))


@pytest.mark.parametrize(
    ("url", "paid", "simulated"),
    [
        ("https://cdn.example.com/a%20b.mp4?sig=x%3D&t=1#f", True, True),
        ("https://[2001:db8::1]/a", True, True),
        ("http://cdn.example.com/a.mp4", False, False),
        ("http://127.0.0.1:8123/files/a.mp4", False, True),
        ("http://[::1]:8123/a", False, True),
        ("http://localhost:1/a", False, True),
        ("http://127.0.0.1.evil.example/a", False, False),
        ("http://localhost.evil.example/a", False, False),
        ("https://user:pw@cdn.example.com/a", False, False),
        ("http://127.0.0.1@evil.example/", False, False),
        ("javascript:alert(1)", False, False),
        ("JaVaScRiPt:alert(1)//https://", False, False),
        ("data:text/html,x", False, False),
        ("file:///etc/passwd", False, False),
        ("//evil.example/a", False, False),
        ("https:/evil", False, False),
        ("https://", False, False),
        ("https://[broken/a", False, False),
        ("https://a.example/x y", False, False),
        ("https://a.example/\nx", False, False),
        ("https://a.example/\"onclick='x'", False, False),
        ("https://a.example/\u202e", False, False),
        (" https://a.example/", False, False),
        ("https://a.example/" + "x" * 9000, False, False),
        ("", False, False),
    ],
    ids=lambda part: ascii(part)[:40],
)
def test_only_https_becomes_a_link_and_this_machine_only_in_a_simulation(
    url: str, *, paid: bool, simulated: bool
) -> None:
    assert web_link(url, simulated=False) == (url if paid else None)
    assert web_link(url, simulated=True) == (url if simulated else None)


@pytest.mark.parametrize(
    ("file", "href"),
    [
        ("clips/s010.mp4", "clips/s010.mp4"),
        ("clips/s010@resolution=720p,seed=1.mp4", "clips/s010%40resolution%3D720p%2Cseed%3D1.mp4"),
        ("clips/100% #?&\"'<ü>.mp4", "clips/100%25%20%23%3F%26%22%27%3C%C3%BC%3E.mp4"),
        ("javascript:x", "javascript%3Ax"),
        ("clips/../../secret", None),
        ("/etc/passwd", None),
        ("//evil.example/a", None),
        ("..\\a", None),
        ("a\0b", None),
        ("", None),
        (None, None),
    ],
    ids=ascii,
)
def test_a_file_is_linked_relative_and_encoded_or_not_at_all(file: str | None, href: str | None) -> None:
    assert file_link(file) == href


def test_the_sidecar_keeps_the_dots_of_a_take() -> None:
    assert sidecar("clips/s1@scale=0.5.mp4") == "clips/s1@scale=0.5.json"


def test_a_delivered_take_has_a_player_and_its_files() -> None:
    page = _page(delivered(pending("s010@seed=1000")))
    assert page.all("video", "src") == ["clips/s010%40seed%3D1000.mp4#t=0.1"]
    assert page.all("a", "href") == [
        "clips/s010%40seed%3D1000.mp4",
        "clips/s010%40seed%3D1000.json",
        "https://cdn.example.com/out/s010.mp4",
    ]


@pytest.mark.parametrize("delivery", [kind for kind in DeliveryState if kind is not DeliveryState.DELIVERED])
def test_a_clip_that_is_not_here_has_no_player_but_its_link(delivery: DeliveryState) -> None:
    page = _page(replace(delivered(pending()), delivery=delivery))
    assert page.all("video", "src") == []
    assert page.all("a", "href") == ["https://cdn.example.com/out/s010.mp4"]


def test_only_the_first_players_load_by_themselves() -> None:
    takes = [delivered(pending(f"s{number}", position=number)) for number in range(EAGER_PLAYERS + 3)]
    preloads = _page(*takes).all("video", "preload")
    assert preloads == ["metadata"] * EAGER_PLAYERS + ["none"] * 3


def test_a_card_says_prompt_seed_state_time_and_cost() -> None:
    take = replace(delivered(pending()), tags=("hero",), notes="second half")
    text = _page(take).text
    for said in (
        "A hand lifts the glasses",
        "seed 1000",
        "delivered",
        "took 40 s",
        "$0.30",
        "31 kB",
        "hero",
        "second half",
    ):
        assert said in text
    assert "2026-05-28 20:25:00 UTC" in text


def test_a_swept_seed_is_said_once() -> None:
    card = cards(header(), [replace(pending(), point={"seed": 1000, "resolution": "720p"})])[0]
    assert (card.point, card.seed) == (("seed=1000", "resolution=720p"), None)


@pytest.mark.parametrize(
    ("body", "prompt"),
    [
        (BODY, "A hand lifts the glasses"),
        ({"negativePrompt": "blur", "prompt": "walk"}, "walk"),
        ({"negative_prompt": "blur"}, ""),
        ({"prompt": ["a", "b"]}, ""),
    ],
    ids=["promptText", "negative-first", "negative-only", "list"],
)
def test_the_prompt_is_found_by_its_name(body: dict[str, object], prompt: str) -> None:
    take = pending(body=body)  # type: ignore[arg-type]
    assert cards(header(), [take])[0].prompt == prompt


def test_a_failure_is_told_with_its_class_and_reason() -> None:
    take = replace(
        queued(pending()), state=TakeState.FAILED, failure=FailureClass.MODERATION, reason="a hat\x1b"
    )
    assert "moderation: a hat\\x1b" in _page(take).text


def test_a_held_take_says_what_to_do() -> None:
    text = _page(replace(pending(), state=TakeState.HELD, attempts=1, reason="reset")).text
    assert f"reset; {display.HELD_ADVICE}" in text
    assert "cost unknown" in text


def test_a_take_out_of_the_manifest_is_marked() -> None:
    assert "no longer in the manifest" in _page(succeeded(pending(position=None))).text
    assert "no longer in the manifest" not in _page(succeeded(pending())).text


def test_counts_are_chips_in_the_order_of_the_words() -> None:
    takes = [queued(pending("a")), delivered(pending("b")), delivered(pending("c")), pending("d")]
    assert totals(takes) == (("delivered", 2), ("queued", 1), ("pending", 1))
    assert _page(*takes).all("button", "data-state") == ["delivered", "queued", "pending"]


def test_money_is_told_in_the_very_words_of_status() -> None:
    """One sum: every submission that may have been paid for counts, also those that a retried take made before."""
    spent = Spending(
        (
            Charge("a", 0.3, 0.4, latest=False),
            Charge("a", 0.3, 0.2),
            Charge("h", 0.25),
        )
    )
    takes = [delivered(pending("a"), cost=0.2), replace(pending("h"), state=TakeState.HELD, attempts=1)]
    said = "spent $0.60 of an estimated $0.85; 1 job without a known cost"
    assert said in _page(*takes, spending=spent).text
    assert said in status_lines(header(), {}, {}, held=(), spending=spent)
    assert "nothing spent" in _page(pending()).text


EARLIER = {
    "$0.40 for 1 earlier attempt": [Charge("a", 0.3, 0.4, latest=False)],
    "about $0.70 for 2 earlier attempts": [
        Charge("a", 0.3, 0.4, latest=False),
        Charge("a", 0.3, latest=False),
    ],
    "1 earlier attempt of unknown cost": [Charge("a", latest=False)],
}


@pytest.mark.parametrize("said", EARLIER)
def test_a_card_tells_what_earlier_attempts_were_paid_beside_the_latest(said: str) -> None:
    spent = Spending((*EARLIER[said], Charge("a", 0.3, 0.2), Charge("b", 0.3, 0.2)))
    first, second = cards(header(), [delivered(pending("a"), cost=0.2), delivered(pending("b"))], spent)
    assert said in first.facts
    assert "$0.20" in first.facts
    assert not any("earlier" in fact for fact in second.facts)


def test_a_simulated_run_can_not_be_mistaken_for_a_paid_one() -> None:
    assert "SIMULATED – nothing was paid" in _page(delivered(pending()), run=header(simulated=True)).text
    spent = Spending((Charge("s010", 0.3, 0.3),))
    page = _page(delivered(pending()), run=header(simulated=True), spending=spent)
    assert "spent $0.30, invented, of an estimated $0.30" in page.text
    assert "SIMULATED" not in _page(delivered(pending())).text


def test_the_manifest_is_named_without_its_folder() -> None:
    page = html(header(), [], NOTHING_SPENT, NOW)
    assert "storyboard.yaml" in page
    assert "somebody" not in page


def test_the_page_is_sealed_by_a_policy_that_knows_its_code_by_hash() -> None:
    page = _page(delivered(pending()))
    policy = next(
        attrs["content"] for tag, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(page.code[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_nothing_is_loaded_from_elsewhere_and_no_code_is_in_attributes() -> None:
    page = _page(delivered(pending()), queued(pending("b")))
    names = {name for _, attrs in page.tags for name in attrs}
    assert not [
        name for name in names if name.startswith("on") or name in {"style", "srcdoc", "srcset", "poster"}
    ]
    assert {tag for tag, attrs in page.tags if "src" in attrs} == {"video"}
    assert not re.search(r"url\(|@import|https?://", page.code["style"] + page.code["script"])


@pytest.mark.parametrize(
    "place", ["take_id", "shot_id", "model", "reason", "notes", "request_id", "fingerprint"]
)
def test_every_text_is_escaped_and_made_visible(place: str) -> None:
    evil = "<b>&\"'\x1b\u202e"
    take = replace(queued(pending()), state=TakeState.FAILED, **{place: evil})  # type: ignore[arg-type]
    page = html(header(), [take], NOTHING_SPENT, NOW)
    assert "&lt;b&gt;&amp;&#34;&#39;\\x1b\\u202e" in page
    assert "<b>&" not in page
    assert not re.search("[\x1b\u202e]", page)


def test_a_prompt_keeps_its_lines_and_loses_its_controls() -> None:
    page = html(header(), [pending(body={"prompt": "one\ntwo\x07 {{ 7 * 7 }}"})], NOTHING_SPENT, NOW)
    assert "one\ntwo\\x07 {{ 7 * 7 }}</p>" in page


def test_a_run_without_takes_says_so() -> None:
    assert "No takes yet." in _page().text


def test_the_same_records_make_the_same_page() -> None:
    takes = [delivered(pending()), queued(pending("b"))]
    assert html(header(), takes, NOTHING_SPENT, NOW) == html(header(), list(takes), NOTHING_SPENT, NOW)


def test_a_stale_clip_says_so_and_can_be_filtered_for() -> None:
    """A badge, in what its row differs from where it differs, and a chip beside those of the states."""
    body = {"prompt": "a long way round the harbour, and then " + "on " * 30 + "to the boat"}
    wanted = {"prompt": body["prompt"].replace("boat", "ship")}
    take = replace(succeeded(pending("s010")), body=json.dumps(body))
    stale = replace(take, wanted="f" * 64, wanted_model=take.model, wanted_body=json.dumps(wanted))
    page = html(header(), (stale, succeeded(pending("s020"))), NOTHING_SPENT, NOW)
    assert 'data-state="stale" aria-pressed="false" disabled><b>1</b> stale' in page
    assert page.count('<span class="state stale">stale</span>') == 1
    changed = page[page.index('<dl class="changed">') :]
    assert "<del>…" in changed
    assert "to the boat</del>" in changed
    assert "to the ship</ins>" in changed
