"""Every link is looked at once, gently, within its time; what was sound is remembered for an hour."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.domain.errors import Position
from runner.domain.shots import Take
from runner.media.file_kinds import Family
from runner.media.image_size import Pixels
from runner.media.preflight.media_links import media_of
from runner.media.preflight.preflight import PreflightReport, inspect
from runner.media.preflight.probe import CacheDamaged, LinkProbe, as_text, fresh_looks, key_of
from runner.media.preflight.probe_all import Limits, look_at_all
from runner.models.registry import Models
from runner.plan.identity import fingerprint
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.clock import SystemClock
from runner.system.daemon_executor import DaemonExecutor

NOW = 1_795_000_000.0
GOOD = LinkProbe(
    NOW,
    url="https://cdn.example.com/a.png",
    size=10,
    etag='"e"',
    content_type="image/png",
    format="PNG",
    pixels=Pixels(1280, 720),
)
AWAY = LinkProbe(NOW, trouble="no route", away=True)


def look_all(
    urls: Sequence[str], look: Callable[[str], LinkProbe], limits: Limits | None = None
) -> tuple[dict[str, LinkProbe], list[tuple[int, int]]]:
    told: list[tuple[int, int]] = []
    pool = DaemonExecutor(8, name="test")
    try:
        seen = look_at_all(
            urls,
            look=look,
            executor=pool,
            clock=SystemClock(),
            limits=limits,
            tell=lambda done, of: told.append((done, of)),
        )
    finally:
        pool.shutdown(wait=False)
    return seen, told


# the round


@given(hosts=st.lists(st.sampled_from("abcdef"), max_size=40))
@settings(max_examples=20, deadline=None)
def test_each_link_is_asked_once_and_no_host_by_more_than_two_at_once(hosts: list[str]) -> None:
    lock, now, most, asked = threading.Lock(), Counter[str](), Counter[str](), Counter[str]()

    def look(url: str) -> LinkProbe:
        host = url[8]
        with lock:
            now[host] += 1
            asked[url] += 1
            most[host] = max(most[host], now[host])
            most["all"] = max(most["all"], now.total())
        with lock:
            now[host] -= 1
        return replace(GOOD, url=url)

    urls = [f"https://{host}.example/{number}" for number, host in enumerate(hosts)]
    seen, told = look_all([*urls, *urls], look)
    assert list(seen) == urls
    assert all(seen[url].url == url for url in urls)
    assert set(asked.values()) <= {1}
    assert most["all"] <= 8
    assert all(most[host] <= 2 for host in "abcdef")
    assert not urls or told[-1] == (len(urls), len(urls))


def test_eight_hosts_are_asked_at_once() -> None:
    together = threading.Barrier(8)

    def look(_: str) -> LinkProbe:
        together.wait(timeout=10)
        return GOOD

    seen, _ = look_all([f"https://{host}.example/" for host in "abcdefgh"], look)
    assert set(seen.values()) == {GOOD}


def test_a_host_that_stays_away_is_not_asked_again_and_again() -> None:
    asked: list[str] = []

    def look(url: str) -> LinkProbe:
        asked.append(url)
        return AWAY if "away" in url else GOOD

    urls = [f"https://away.example/{n}" for n in range(50)] + [f"https://here.example/{n}" for n in range(5)]
    seen, _ = look_all(urls, look)
    assert 3 <= sum("away" in url for url in asked) <= 4
    assert "away.example gave no answer" in seen[urls[49]].trouble
    assert all(seen[url] is GOOD for url in urls[50:])


def test_an_answer_in_between_makes_a_host_worth_asking() -> None:
    urls = [f"https://a.example/{n}" for n in range(20)]
    answers = {url: GOOD if n % 2 else AWAY for n, url in enumerate(urls)}
    seen, _ = look_all(urls, answers.__getitem__, Limits(per_host=1))
    assert seen == answers


def test_a_look_that_never_ends_holds_up_nobody() -> None:
    free = threading.Event()

    def look(url: str) -> LinkProbe:
        if "stuck" in url:
            free.wait()
        return GOOD

    urls = [f"https://stuck.example/{n}" for n in range(9)] + ["https://here.example/"]
    try:
        seen, _ = look_all(urls, look, Limits(deadline_s=0.5))
    finally:
        free.set()
    assert seen[urls[9]] is GOOD
    assert [seen[url].trouble[:11] for url in urls[:9]] == ["took longer"] * 2 + ["not asked: "] * 7


def test_all_links_together_have_a_time() -> None:
    free = threading.Event()

    def look(_: str) -> LinkProbe:
        free.wait()
        return GOOD

    urls = [f"https://{host}.example/{n}" for host in "abc" for n in range(5)]
    try:
        seen, _ = look_all(urls, look, Limits(total_s=0.2))
    finally:
        free.set()
    assert all(look.away for look in seen.values())
    assert seen[urls[14]].trouble == "not asked: all links together took longer than 0.2 s"


def test_when_all_threads_are_stuck_the_rest_is_told_as_not_asked() -> None:
    free = threading.Event()

    def look(_: str) -> LinkProbe:
        free.wait()
        return GOOD

    urls = [f"https://h{n}.example/" for n in range(12)]
    try:
        seen, _ = look_all(urls, look, Limits(deadline_s=0.1))
    finally:
        free.set()
    assert Counter(look.trouble[:9] for look in seen.values()) == {"took long": 8, "not asked": 4}


# what is kept


LOOKS = st.builds(
    LinkProbe,
    at=st.floats(NOW - 3599, NOW),
    url=st.text(max_size=20),
    size=st.none() | st.integers(0, 10**12),
    etag=st.none() | st.text(max_size=9),
    content_type=st.text(max_size=9),
    format=st.sampled_from(["", "PNG", "JPEG"]),
    pixels=st.none() | st.builds(Pixels, st.integers(1, 10**6), st.integers(1, 10**6)),
)


@given(looks=st.dictionaries(st.text(max_size=9).map(key_of), LOOKS, max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_is_kept_comes_back_within_the_hour_and_not_after(looks: dict[str, LinkProbe]) -> None:
    text = as_text(looks)
    assert fresh_looks(text, now=NOW) == looks
    assert fresh_looks(text, now=NOW + 3600) == {}


def test_a_look_of_the_future_is_not_believed() -> None:
    assert fresh_looks(as_text({"k": GOOD}), now=NOW - 1) == {}


ENTRY = json.loads(as_text({"k": GOOD}))["looks"][0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"version": 2, "looks": []}',
        '{"version": 1}',
        '{"version": 1, "looks": 3}',
        '{"version": 1, "looks": ["a"]}',
        *(
            json.dumps({"version": 1, "looks": [ENTRY | change]})
            for change in (
                {"key": 3},
                {"looked_at": "now"},
                {"looked_at": True},
                {"size": "9"},
                {"format": None},
                {"pixels": [1]},
                {"pixels": [1, "2"]},
                {"pixels": [1, 2, 3]},
                {"etag": 5},
            )
        ),
    ],
)
def test_a_damaged_text_is_known_as_such(text: str) -> None:
    with pytest.raises(CacheDamaged):
        fresh_looks(text, now=NOW)


# the whole


def take(take_id: str, model: str = "pika/pikaframes", **body: JsonValue) -> Take:
    text = canonical_json(dict(body))
    return Take(take_id, "s", model, text, fingerprint(model, text), None, {}, Position("b.yaml", 1))


FRAMES = take(
    "s010", keyFramesFirst="https://x.example/1.png?sig=SECRET", keyFramesLast="https://x.example/2.png"
)
LINKS = ("https://x.example/1.png?sig=SECRET", "https://x.example/2.png")
MODELS = Models.bundled()


class Eyes:
    """Sees what it is told to and keeps what it was asked."""

    def __init__(self, seen: Mapping[str, LinkProbe]) -> None:
        self.seen = seen
        self.asked: list[str] = []

    def __call__(self, urls: Sequence[str]) -> Mapping[str, LinkProbe]:
        self.asked += urls
        return {url: self.seen.get(url, GOOD) for url in urls}


def inspected(
    *takes: Take, eyes: Eyes | None = None, kept: str = "", now: float = NOW
) -> tuple[PreflightReport, list[str]]:
    eyes = eyes or Eyes({})
    return inspect(takes, find=MODELS.find, look_at_all=eyes, kept=kept, now=now), eyes.asked


def test_each_distinct_link_is_looked_at_once() -> None:
    inspection, asked = inspected(FRAMES, replace(FRAMES, id="s020"))
    assert asked == ["https://x.example/1.png?sig=SECRET", "https://x.example/2.png"]
    assert (inspection.links, inspection.reused, inspection.findings) == (2, 0, ())


def test_a_machine_that_reaches_no_link_is_one_sentence() -> None:
    inspection, _ = inspected(FRAMES, eyes=Eyes(dict.fromkeys(LINKS, AWAY)))
    assert inspection.findings == ()
    assert inspection.unreached == "this machine reached none of 2 links: no route"


def test_one_answer_shows_that_there_is_a_network() -> None:
    inspection, _ = inspected(FRAMES, eyes=Eyes({LINKS[0]: AWAY}))
    assert inspection.unreached == ""
    (found,) = inspection.findings
    assert (found.is_silent, found.is_certain) == (True, False)


def test_an_expired_link_is_told_without_a_network_too() -> None:
    over = take("s030", keyFramesFirst=f"{LINKS[1]}?expires=1700000000", keyFramesLast=LINKS[1])
    eyes = Eyes({LINKS[1]: AWAY, f"{LINKS[1]}?expires=1700000000": AWAY})
    inspection, _ = inspected(over, eyes=eyes)
    (found,) = inspection.findings
    assert (found.is_certain, "expired" in found.message) == (True, True)


def test_what_was_seen_within_the_hour_is_not_looked_at_again() -> None:
    first, _ = inspected(FRAMES)
    again, asked = inspected(FRAMES, kept=first.to_keep, now=NOW + 3599)
    assert (asked, again.reused) == ([], 2)
    later, asked = inspected(FRAMES, kept=first.to_keep, now=NOW + 3601)
    assert (len(asked), later.reused) == (2, 0)


def test_links_are_kept_without_their_signatures() -> None:
    first, _ = inspected(FRAMES)
    assert "SECRET" not in first.to_keep


@pytest.mark.parametrize("look", [AWAY, replace(GOOD, format="HTML"), replace(GOOD, size=10**9)])
def test_what_was_wrong_is_looked_at_again(look: LinkProbe) -> None:
    url = "https://x.example/2.png"
    first, _ = inspected(FRAMES, eyes=Eyes({url: look}))
    assert len(first.errors) == 1
    again, asked = inspected(FRAMES, kept=first.to_keep)
    assert (asked, again.findings) == ([url], ())


def test_what_is_kept_of_other_takes_stays_as_long_as_it_is_fresh() -> None:
    first, _ = inspected(FRAMES)
    another = take("t", model="pika/pika-2-2/image-to-video", image="https://y.example/")
    other, _ = inspected(another, kept=first.to_keep)
    assert len(fresh_looks(other.to_keep, now=NOW)) == 3


def test_a_damaged_file_is_said_and_everything_looked_at() -> None:
    inspection, asked = inspected(FRAMES, kept="{")
    assert len(asked) == 2
    assert "damaged" in inspection.notes[0]


def test_a_take_of_a_model_without_links_has_none() -> None:
    inspection, asked = inspected(take("s", model="nobody/knows", image="https://x.example/"))
    assert (inspection.links, asked) == (0, [])


NESTED = {
    "type": "object",
    "properties": {
        "prompt": {"type": "string"},
        "images": {"type": "array", "items": {"type": "string"}},
        "video_url": {"type": "string"},
        "source_url": {"type": "string"},
        "ref": {"type": "object", "properties": {"at": {"type": "string", "format": "image_uri"}}},
    },
}


def test_links_are_found_in_lists_and_nested_values_with_what_they_want(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "dream.json").write_text(json.dumps(NESTED))
    one = take(
        "s",
        model="acme/dream",
        prompt="https://not.a/link",
        images=["https://x/1", "https://x/2"],
        video_url="https://x/3",
        source_url="https://x/4",
        ref={"at": "https://x/5", "other": "https://x/6"},
    )
    (media,) = media_of([one], find=Models.bundled([tmp_path]).find)
    assert {(place.input, place.url, place.wants) for place in media.places} == {
        ("images.0", "https://x/1", Family.IMAGE),
        ("images.1", "https://x/2", Family.IMAGE),
        ("video_url", "https://x/3", Family.VIDEO),
        ("source_url", "https://x/4", None),
        ("ref.at", "https://x/5", None),
    }
