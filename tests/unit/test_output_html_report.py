"""The page: what it shows, which addresses may become links, and that it is sealed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from runner.cli.parser import build_parser
from runner.domain.clip_checks import Flag, FlagKind, Probe
from runner.domain.money import NOTHING_SPENT, Charge, Spending
from runner.domain.picks import Decision, Pick, Picks
from runner.domain.preview_names import preview_names
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.states import DeliveryState, FailureClass, TakeState
from runner.output.clip_links import file_link, sidecar
from runner.output.html_report import BLOCK, LIVE_SCRIPTS, SHARED_SCRIPTS, write_page
from runner.output.report_head import Summary
from runner.output.report_view import Beside, card, web_link
from runner.output.status_text import status_lines
from tests.report_page import takes_in
from tests.unit.output_records import BODY, NOW, delivered, header, pending, queued, succeeded


class _Page(HTMLParser):
    """The tags of a page with their attributes, and its style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._code = ""
        self.code: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        is_code = tag == "style" or (tag == "script" and not attrs)
        self._code = tag if is_code else ""

    def handle_endtag(self, tag: str) -> None:
        self._code = "" if tag == self._code else self._code

    def handle_data(self, data: str) -> None:
        if self._code:
            self.code[self._code] = self.code.get(self._code, "") + data


def _source(*takes: TakeRecord, run: RunHeader | None = None, spending: Spending = NOTHING_SPENT) -> str:
    file = BytesIO()
    run = run or header()
    write_page(file, run, takes, spending, simulated=run.simulated, made=NOW, mark='<a "mark">')
    return file.getvalue().decode()


def _head(*takes: TakeRecord, run: RunHeader | None = None, spending: Spending = NOTHING_SPENT) -> str:
    summary = Summary()
    for take in takes:
        summary.note(take)
    run = run or header()
    head = summary.head(run, spending, simulated=run.simulated, made=NOW)
    return json.dumps(head, ensure_ascii=False)


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


def test_a_delivered_take_has_a_clip_and_its_files() -> None:
    shown = card(header(), delivered(pending("s010@seed=1000")))
    assert shown["clip"] == "clips/s010%40seed%3D1000.mp4"
    assert shown["sidecar"] == "clips/s010%40seed%3D1000.json"
    assert shown["outputs"] == [("https://cdn.example.com/out/s010.mp4", True)]


@pytest.mark.parametrize("delivery", [kind for kind in DeliveryState if kind is not DeliveryState.DELIVERED])
def test_a_clip_that_is_not_here_is_not_shown_but_its_link_is(delivery: DeliveryState) -> None:
    shown = card(header(), replace(delivered(pending()), delivery=delivery))
    assert (shown["clip"], shown["sidecar"]) == (None, None)
    assert shown["outputs"] == [("https://cdn.example.com/out/s010.mp4", True)]


def test_a_card_says_prompt_seed_state_time_and_cost() -> None:
    shown = card(header(), replace(delivered(pending()), tags=("hero",), notes="second half"))
    assert (shown["standing"], shown["seed"], shown["tags"]) == ("delivered", "1000", ["hero"])
    assert shown["facts"] == ["took 40 s", "$0.30", "31 kB"]
    assert shown["inputs"][shown["prompt"]] == ("promptText", "A hand lifts the glasses", False)
    assert shown["notes"] == "second half"
    assert ("submitted", "2026-05-28 20:25:00 UTC") in shown["details"]


def test_a_swept_seed_is_said_once() -> None:
    shown = card(header(), replace(pending(), point={"seed": 1000, "resolution": "720p"}))
    assert (shown["point"], shown["seed"]) == (["seed=1000", "resolution=720p"], "")


def test_a_seed_keeps_all_its_digits() -> None:
    """A script's numbers have 53 bits."""
    assert card(header(), pending(body={"seed": 2**64 - 1}))["seed"] == "18446744073709551615"


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
    shown = card(header(), pending(body=body))  # type: ignore[arg-type]
    found = shown["inputs"][shown["prompt"]][1] if shown["prompt"] >= 0 else ""
    assert found == prompt


def test_a_failure_is_told_with_its_class_and_reason() -> None:
    take = replace(
        queued(pending()), state=TakeState.FAILED, failure=FailureClass.MODERATION, reason="a hat\x1b"
    )
    assert card(header(), take)["note"] == "moderation: a hat\\x1b"


def test_a_held_take_says_what_to_do() -> None:
    shown = card(header(), replace(pending(), state=TakeState.HELD, attempts=1, reason="reset"))
    sentence, command = shown["advice"]
    assert shown["note"] == "reset"
    assert sentence.startswith("It may have been charged. Look on the provider's site")
    assert command == "shotrunner reconcile storyboard.yaml"
    assert "cost unknown" in shown["facts"]


def test_only_previews_that_are_there_are_shown() -> None:
    take = delivered(pending())
    names = preview_names(str(take.sha256))
    assert card(header(), take)["poster"] is None
    shown = card(header(), take, beside=Beside.of(frozenset({names.small, names.motion})))["poster"]
    assert shown == {"small": names.small, "large": None, "first": None, "last": None, "motion": names.motion}
    lost = replace(take, delivery=DeliveryState.FETCHING)
    assert card(header(), lost, beside=Beside.of(frozenset({names.small})))["poster"] is None


def test_a_card_shows_the_word_that_counts_and_all_comments() -> None:
    picks = Picks(
        (
            Pick("s010", "s010", Decision.PICK, "lovely", "Ana", "2026-05-01T10:00:00Z"),
            Pick("s010", "s010", Decision.REJECT, "too dark\x1b", "Ben", "2026-05-02T10:00:00Z"),
            Pick("s010", "s010", None, "hold longer", "Cleo", "2026-05-03T10:00:00Z", at=61.5),
        )
    )
    shown = card(header(), delivered(pending()), beside=Beside.of(picks=picks))
    said = [shown[key] for key in ("decision", "remark", "who", "when")]
    assert said == ["reject", "too dark\\x1b", "Ben", "2026-05-02T10:00:00Z"]
    assert shown["comments"] == [("Cleo", "1:01.50", "hold longer")]
    assert card(header(), delivered(pending("s020")), beside=Beside.of(picks=picks))["decision"] == ""


def test_flags_and_what_was_measured_are_on_the_card() -> None:
    flag = Flag(FlagKind.SIZE, "320×180\x1b")
    shown = card(header(), replace(delivered(pending()), flags=(flag,), probe=Probe(seconds=2.0, fps=24.0)))
    assert (shown["flags"], shown["clipSeconds"], shown["fps"]) == ([("size", "320×180\\x1b")], 2.0, 24.0)
    assert shown["advice"][1] == "shotrunner reroll storyboard.yaml s010"


@pytest.mark.parametrize(
    ("body", "frames"),
    [
        ({"image": "https://a.example/b"}, [("image", True)]),
        ({"ref": "https://a.example/b.PNG?x=1"}, [("ref", True)]),
        (
            {"images": ["https://a.example/1.jpg", "https://a.example/2.jpg"]},
            [("images 1", True), ("images 2", True)],
        ),
        ({"image": "javascript://x.jpg", "video": "https://a.example/b.mp4"}, [("image", False)]),
        ({"prompt": "an image", "frame_count": 7}, []),
        ({"image": "https://[broken/a.jpg"}, []),
    ],
    ids=["by name", "by ending", "list", "no safe link", "no link", "broken"],
)
def test_input_pictures_are_found(body: dict[str, object], frames: list[tuple[str, bool]]) -> None:
    shown = card(header(), pending(body=body))  # type: ignore[arg-type]
    assert [(name, is_link) for name, _, is_link, _ in shown["frames"]] == frames


GONE = {"position": None}
SENT = {"attempts": 1, "request_id": "req-1"}
ADVICE: dict[str, tuple[dict[str, Any], str]] = {
    "held": ({"state": TakeState.HELD, "attempts": 1}, "reconcile storyboard.yaml"),
    "refused": ({"state": TakeState.FAILED, "failure": FailureClass.REFUSED}, "run storyboard.yaml"),
    "moderated": ({"state": TakeState.FAILED, "failure": FailureClass.MODERATION}, "run storyboard.yaml"),
    "given up": ({"state": TakeState.FAILED, "failure": FailureClass.MISSING, **SENT}, "run storyboard.yaml"),
    "broken": (
        {"state": TakeState.FAILED, "failure": FailureClass.PROVIDER_FAILED},
        "retry storyboard.yaml s010",
    ),
    "cancelled": ({"state": TakeState.CANCELLED, **SENT}, "retry storyboard.yaml s010"),
    "rendered": ({"state": TakeState.SUCCEEDED, **SENT}, "fetch storyboard.yaml s010"),
    "waiting": ({}, "run storyboard.yaml"),
    "gone": ({"state": TakeState.FAILED, "failure": FailureClass.PROVIDER_FAILED, **GONE}, ""),
    "dropped": ({"state": TakeState.DROPPED}, ""),
}


@pytest.mark.parametrize("case", ADVICE)
def test_each_take_without_a_clip_says_what_to_do(case: str) -> None:
    changes, command = ADVICE[case]
    sentence, advised = card(header(), replace(pending(), **changes))["advice"]
    assert advised == (f"shotrunner {command}" if command else "")
    assert bool(sentence) is bool(command)


@pytest.mark.parametrize("simulated", [False, True])
def test_the_program_accepts_every_command_of_the_page(simulated: bool) -> None:
    run, summary = header(simulated=simulated), Summary()
    odd = replace(delivered(pending()), flags=(Flag(FlagKind.BLACK, "black"),))
    lost = replace(succeeded(pending()), delivery=DeliveryState.UNDELIVERABLE)
    commands = set()
    for take in (odd, lost, *(replace(pending(), **changes) for changes, _ in ADVICE.values())):
        summary.note(take)
        commands.add(card(run, take)["advice"][1])
    head = summary.head(run, NOTHING_SPENT, simulated=False, made=NOW)
    commands |= {head["importCommand"], *(command for _, _, command in head["needs"])}
    assert len(head["needs"]) == 4
    for command in filter(None, commands):
        program, *words = shlex.split(command)
        assert program == "shotrunner"
        build_parser().parse_args(words)


def test_the_head_sums_times_and_money_by_model_and_by_failure() -> None:
    failed = replace(
        queued(pending("c")),
        state=TakeState.FAILED,
        failure=FailureClass.MODERATION,
        seconds=4.0,
        model="m/2",
    )
    takes = [delivered(pending("a")), replace(delivered(pending("b"), cost=None), seconds=100.0), failed]
    said = json.loads(_head(*takes))
    heads = ["takes", "typical job", "longest job", "billed"]
    assert said["models"] == [
        ["model", *heads],
        ["pika/pikaframes", "2", "1 min 10 s", "1 min 40 s", "$0.30"],
        ["m/2", "1", "4.0 s", "4.0 s", "–"],
    ]
    assert said["classes"] == [["failure", *heads], ["moderation", "1", "4.0 s", "4.0 s", "–"]]
    assert "40 s from the first submission to the last result" in said["facts"]


def test_what_waits_for_a_person_is_counted_with_its_command() -> None:
    odd = replace(delivered(pending("b")), flags=(Flag(FlagKind.BLACK, "black"),))
    held = replace(pending("a"), state=TakeState.HELD, attempts=1)
    lost = replace(succeeded(pending("c")), delivery=DeliveryState.UNDELIVERABLE)
    gone = replace(queued(pending("d", position=None)), state=TakeState.FAILED)
    said = json.loads(_head(held, odd, lost, gone, run=header(simulated=True)))["needs"]
    assert [(kind, command) for kind, _, command in said] == [
        ("held", "shotrunner reconcile storyboard.yaml --simulate"),
        ("undeliverable", "shotrunner fetch storyboard.yaml --simulate"),
        ("flagged", "shotrunner status storyboard.yaml --simulate"),
    ]


def test_no_two_scripts_of_a_page_declare_the_same_name() -> None:
    """They are joined into one, in which a second declaration would break the page or replace the first."""
    folder = resources.files("runner.output").joinpath("page")
    declared = re.compile(
        r"^(?:async )?(?:function|class|const|let|var) +(\w+|[\[{][^\]}]*[\]}])", re.MULTILINE
    )
    scripts = dict.fromkeys((*SHARED_SCRIPTS, *LIVE_SCRIPTS))
    names = Counter(
        name
        for script in scripts
        for pattern in declared.findall(folder.joinpath(script).read_text("utf-8"))
        for name in re.findall(r"\w+", pattern)
    )
    assert len(names) > 100
    assert [name for name, count in names.items() if count > 1] == []
    every = {each.name for each in folder.iterdir() if each.name.endswith(".js")}
    assert every == scripts.keys()


def test_a_served_page_may_ask_its_own_server_and_a_page_on_the_disk_asks_none() -> None:
    served, disk = BytesIO(), BytesIO()
    for file, after in ((served, 7), (disk, None)):
        write_page(
            file, header(), [delivered(pending())], NOTHING_SPENT, simulated=False, made=NOW, after=after
        )
    tags = _Page(served.getvalue().decode()).tags
    named = {attrs["name"]: attrs["content"] for tag, attrs in tags if tag == "meta" and "name" in attrs}
    assert (named["shotrunner-live"], named["shotrunner-save"]) == ("events?after=7", "picks")
    assert b"; connect-src 'self'" in served.getvalue()
    assert not any(
        word in disk.getvalue() for word in (b"connect-src", b"shotrunner-live", b"shotrunner-save")
    )


def test_a_take_out_of_the_manifest_is_marked() -> None:
    assert "no longer in the manifest" in card(header(), succeeded(pending(position=None)))["facts"]
    assert "no longer in the manifest" not in card(header(), succeeded(pending()))["facts"]


def test_takes_are_counted_in_the_order_of_the_words() -> None:
    summary = Summary()
    for take in (queued(pending("a")), delivered(pending("b")), delivered(pending("c")), pending("d")):
        summary.note(take)
    assert summary.totals == [("delivered", 2), ("queued", 1), ("pending", 1)]


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
    assert said in _head(*takes, spending=spent)
    assert said in status_lines(header(), {}, {}, simulated=False, held=(), spending=spent)
    assert "nothing spent" in _head(pending())


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
    facts = card(header(), delivered(pending("a"), cost=0.2), spent.earlier["a"])["facts"]
    assert {said, "$0.20"} <= set(facts)
    assert not any("earlier" in fact for fact in card(header(), delivered(pending("b")))["facts"])


def test_a_simulated_run_can_not_be_mistaken_for_a_paid_one() -> None:
    spent = Spending((Charge("s010", 0.3, 0.3),))
    simulated, paid = (
        _source(delivered(pending()), run=header(simulated=each), spending=spent) for each in (True, False)
    )
    for page, count in ((simulated, 2), (paid, 1)):
        # The banner is always there, and a browser without scripts shows it as well.
        assert page.count("SIMULATED – nothing was paid") == count
    said = _head(delivered(pending()), run=header(simulated=True), spending=spent)
    assert "spent $0.30, simulated, of an estimated $0.30" in said
    assert '"simulated": true' in said


def test_without_scripts_the_page_gives_the_counts_and_leads_to_the_table() -> None:
    page = _source(delivered(pending("a")), queued(pending("b")), run=header(name="<b>teaser"))
    plain = page[page.index("<noscript>") : page.index("</noscript>")]
    for said in ("&lt;b&gt;teaser", "2 takes", "1 delivered · 1 queued", "report.csv"):
        assert said in plain


def test_the_manifest_is_named_without_its_folder() -> None:
    assert "from storyboard.yaml" in _head()
    assert "somebody" not in _head()


def test_the_page_is_sealed_by_a_policy_that_knows_its_code_by_hash() -> None:
    page = _Page(_source(delivered(pending())))
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
    page = _Page(_source(delivered(pending()), queued(pending("b"))))
    names = {name for _, attrs in page.tags for name in attrs}
    assert not [name for name in names if name.startswith("on") or name in {"style", "src", "srcdoc", "href"}]
    assert not re.search(r"url\(|@import|https?://", page.code["style"] + page.code["script"])


def test_the_script_makes_no_markup_of_text() -> None:
    script = _Page(_source()).code["script"]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|DOMParser|eval|Function\(", script
    )


@pytest.mark.parametrize(
    "place", ["take_id", "shot_id", "model", "reason", "notes", "request_id", "fingerprint"]
)
def test_every_text_is_made_visible_and_none_is_markup(place: str) -> None:
    evil = "</script><b>&\"'\x1b\u202e\u2028\ud800"
    take = replace(queued(pending()), state=TakeState.FAILED, **{place: evil})  # type: ignore[arg-type]
    said = json.dumps(card(header(), take), ensure_ascii=False)
    assert "</script><b>&\\\"'\\\\x1b\\\\u202e\\\\u2028\\\\ud800" in said
    page = _source(take, take)
    assert "<b>" not in page
    assert not re.search("[\x1b\u202e\u2028]", page + said)
    assert page.count("</script>") == 3


def test_a_prompt_keeps_its_lines_and_loses_its_controls() -> None:
    shown = card(header(), pending(body={"prompt": "one\ntwo\x07 {{ 7 * 7 }} $policy"}))
    assert shown["inputs"] == [("prompt", "one\ntwo\\x07 {{ 7 * 7 }} $policy", False)]


def test_the_mark_stands_near_the_beginning_and_cannot_end_its_attribute() -> None:
    assert 'content="&lt;a &quot;mark&quot;&gt;"' in _source()[:1024]


def test_data_of_many_takes_is_written_in_blocks(tmp_path: Path) -> None:
    """So no more takes than one block are in memory at once."""
    page = tmp_path / "report.html"
    page.write_text(_source(*(pending(f"s{number}") for number in range(BLOCK + 1))))
    assert page.read_text().count('class="takes"') == 2
    assert [take["id"] for take in takes_in(page)] == [f"s{number}" for number in range(BLOCK + 1)]


def test_ten_thousand_takes_are_a_small_page() -> None:
    """The limit is 6 MB; hashes and ids differ in each take, as they do in life."""
    takes = 500
    digest = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(takes)]
    page = _source(
        *(
            replace(
                delivered(pending(f"s{number}", body={**BODY, "seed": number})),
                request_id=mixed[:36],
                sha256=mixed,
                fingerprint=mixed[::-1],
                outputs=(f"https://cdn.example.com/{mixed[:36]}.mp4",),
            )
            for number, mixed in enumerate(digest)
        )
    )
    assert (len(page) - len(_source())) / takes < 400


def test_the_same_records_make_the_same_page() -> None:
    takes = [delivered(pending()), queued(pending("b"))]
    assert _source(*takes) == _source(*takes)


def test_a_stale_clip_says_so_where_it_differs_and_is_counted() -> None:
    body = {"prompt": "a long way round the harbour, and then " + "on " * 30 + "to the boat"}
    wanted = {"prompt": body["prompt"].replace("boat", "ship")}
    take = replace(succeeded(pending("s010")), body=json.dumps(body))
    stale = replace(take, wanted="f" * 64, wanted_model=take.model, wanted_body=json.dumps(wanted))
    assert '["stale", 1]' in _head(stale, succeeded(pending("s020")))
    ((name, old, new),) = card(header(), stale)["stale"]
    assert name == "prompt"
    assert old.startswith("…")
    assert old.endswith("to the boat")
    assert new.endswith("to the ship")
    assert card(header(), take)["stale"] == []
