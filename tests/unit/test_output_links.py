"""Links to what was rendered are found wherever a record holds them, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.domain.output_links import LEFT_LIMIT, OUTPUT_LIMIT, output_links
from runner.system.canonical_json import JsonValue, parsed_json

CLIP = "https://files.example.com/a.mp4"
OTHER = "https://files.example.com/b.mp4"
PLAIN = "https://files.example.com/4f2a"
STILL = "https://files.example.com/a.png"
SOUND = "https://files.example.com/a.wav"
INPUT = "https://inputs.example.com/first.png"
API = "https://api.example.com"

SHAPES: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"output": {"video": CLIP}}, (CLIP,)),
    ({"output": {"videos": [CLIP, OTHER]}}, (CLIP, OTHER)),
    ({"output": {"image": STILL, "video": CLIP}}, (CLIP, STILL)),
    ({"output": {"audio": SOUND, "audios": [SOUND]}}, (SOUND,)),
    ({"output": {"videos": [{"url": CLIP}, {"uri": OTHER}]}}, (CLIP, OTHER)),
    ({"output": {"video": {"url": CLIP, "content_type": "video/mp4", "file_name": "a.mp4"}}}, (CLIP,)),
    ({"output": {"video": {"url": CLIP, "thumbnail_url": STILL}}}, (CLIP,)),
    ({"output": CLIP}, (CLIP,)),
    ({"output": [CLIP, OTHER]}, (CLIP, OTHER)),
    ({"output": [{"url": CLIP}]}, (CLIP,)),
    ({"output": {"url": PLAIN}}, (PLAIN,)),
    ({"output": {"urls": [PLAIN]}}, (PLAIN,)),
    ({"output": {"video_url": PLAIN}}, (PLAIN,)),
    ({"output": {"clips": [CLIP]}}, (CLIP,)),
    ({"output": json.dumps({"video": CLIP})}, (CLIP,)),
    ({"output": json.dumps(json.dumps([CLIP]))}, (CLIP,)),
    ({"output": f"{CLIP}\n{OTHER}"}, (CLIP, OTHER)),
    ({"output": f"{CLIP}, {OTHER}"}, (CLIP, OTHER)),
    ({"output": {CLIP: {"size": 7}}}, (CLIP,)),
    ({"outputs": [{"url": CLIP}]}, (CLIP,)),
    ({"outputs": {"video": PLAIN}}, (PLAIN,)),
    ({"video": {"uri": CLIP}}, (CLIP,)),
    ({"video": {"url": PLAIN, "content_type": "video/mp4"}}, (PLAIN,)),
    ({"video": CLIP}, (CLIP,)),
    ({"video_url": PLAIN}, (PLAIN,)),
    ({"videoUrl": PLAIN, "thumbnailUrl": STILL}, (PLAIN,)),
    ({"videos": [CLIP]}, (CLIP,)),
    ({"result": {"video": CLIP}}, (CLIP,)),
    ({"result": CLIP}, (CLIP,)),
    ({"result": {"output": {"videos": [{"url": CLIP}]}}}, (CLIP,)),
    ({"data": [CLIP]}, (CLIP,)),
    ({"data": [{"url": PLAIN}]}, (PLAIN,)),
    ({"data": {"status": "done", "video": {"download_url": PLAIN}}}, (PLAIN,)),
    ({"files": [{"name": "a.mp4", "href": CLIP}]}, (CLIP,)),
    ({"assets": [{"url": PLAIN, "mimeType": "video/mp4"}]}, (PLAIN,)),
    ({"assets": {"video": PLAIN, "thumbnail": STILL}}, (PLAIN,)),
    ({"artifacts": [{"url": PLAIN, "type": "VIDEO"}]}, (PLAIN,)),
    ({"download_url": PLAIN}, (PLAIN,)),
    ({"generations": [{"video": {"url": CLIP}, "img": STILL}]}, (CLIP,)),
    ({"response": {"generatedVideos": [{"video": {"uri": PLAIN}}]}}, (PLAIN,)),
    ({"url": PLAIN}, (PLAIN,)),
    ({"urls": [PLAIN]}, (PLAIN,)),
    ({"payload": {"media": [{"src": PLAIN}]}}, (PLAIN,)),
    ({"link": f"  {CLIP}\n"}, (CLIP,)),
    ({"link": CLIP.replace("https://files", "HTTPS://FILES")}, (CLIP,)),
    ({"link": CLIP.removeprefix("https:")}, (CLIP,)),
    ({"link": f"<{CLIP}>"}, (CLIP,)),
    ({"anything": {"at": {"all": f"{PLAIN}?name=a.mp4&x=1"}}}, (f"{PLAIN}?name=a.mp4&x=1",)),
    ({"thumbnail": STILL}, (STILL,)),
    ({"output": {"preview": OTHER}, "result": {"image": STILL}}, (STILL,)),
    ({"output": {"video": CLIP, "image_url": STILL}}, (CLIP,)),
    ({"output": {"video": CLIP}, "files": [CLIP, OTHER]}, (CLIP, OTHER)),
    ({"result_url": CLIP}, (CLIP,)),
    ({"output": {"video": CLIP, "metadata": "https://files.example.com/a.json"}}, (CLIP,)),
    ({"images": [STILL], "sound": SOUND}, (STILL,)),
    ({"output": {"video": f"{API}/files/a.mp4"}}, (f"{API}/files/a.mp4",)),
    ({"output": {"video": "http://files.example.com/a.mp4"}}, ("http://files.example.com/a.mp4",)),
    ({"output": {"video": "http://files.example.com/a.mp4"}, "files": [OTHER]}, (OTHER,)),
    ({"output": {"video": "https://10.0.0.1/a.mp4"}}, ("https://10.0.0.1/a.mp4",)),
    ({"result_url": f"{API}/v1/requests/r1/result", "output": {"url": PLAIN}}, (PLAIN,)),
    # A file is a file, also where its path looks like that of a page of the API.
    *(
        ({"result_url": f"{API}/v1/requests/r1/result", "output": {"video": link}}, (link,))
        for link in (
            f"{API}/v1/files/a.mp4",
            f"{API}/v1/files/17",
            f"{API}/v1/requests/r1/out.mp4",
            "https://files.example.com/requests/r1/out.mp4",
            "https://files.example.com/requests/r1/files/out",
            "https://files.example.com/requests/r1.mp4",
        )
    ),
    ({"links": [f"{API}/docs/a.webm"]}, (f"{API}/docs/a.webm",)),
]


@pytest.mark.parametrize(("record", "links"), SHAPES, ids=lambda value: ascii(value)[:60])
def test_a_link_is_found_in_whatever_shape(record: dict[str, Any], links: tuple[str, ...]) -> None:
    told = {"request_id": "r1", "status": "succeeded", "input": {"image": INPUT}, **record}
    found = output_links(told, sent=json.dumps({"image": INPUT}), origin=API)
    assert found.urls == links
    assert found.beyond == 0


@pytest.mark.parametrize(
    ("record", "place"),
    [
        ({"output": {"videos": [{"url": CLIP}]}}, "output.videos[0].url"),
        ({"data": [CLIP]}, "data[0]"),
        ({"output": json.dumps({"video": CLIP})}, "output.video"),
        ({"link": CLIP, "output": {"video": CLIP}}, "output.video"),
    ],
)
def test_a_link_says_where_it_stood(record: dict[str, Any], place: str) -> None:
    assert [found.place for found in output_links(record).taken] == [place]


@pytest.mark.parametrize(
    "record",
    [
        None,
        {},
        [],
        {"output": None},
        {"output": {"image": INPUT}},
        {"output": {"image": f" {INPUT.replace('https', 'HTTPS')} "}},
        {"inputs": {"video": CLIP}},
        {"data": {"input": {"first": CLIP}, "first": CLIP}},
        {"params": {"init_video": CLIP}},
        {"input_image": STILL},
        {"status_url": f"{API}/x", "cancel_url": f"{API}/y", "webhook_url": CLIP},
        {"result_url": f"{API}/v1/requests/r1/result"},
        {"result_url": "https://elsewhere.example.com/result_url"},
        {"result_url": "https://elsewhere.example.com/result.json"},
        {"urls": [f"{API}/v1/requests/r1/status", "https://elsewhere.example.com/q/requests/r1/response/"]},
        {"next": f"{API}/v1/anything"},
        {"links": [f"{API}/v1/anything"]},
        {"output": {"video": f"{API}/v1/requests/r1/result"}},
        {"error": {"docs": CLIP, "help": "https://help.example.com/errors"}},
        {"logs": f"wrote {CLIP}", "documentation": "https://docs.example.com"},
        {"page": "https://files.example.com/index.html"},
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_was_sent_and_what_is_said_about_a_job_are_no_outputs(record: JsonValue) -> None:
    assert output_links(record, sent=json.dumps({"image": INPUT}), origin=API).taken == ()


@pytest.mark.parametrize(
    ("record", "only"),
    [
        ({"output": {"thumbnail": STILL}}, "a preview"),
        ({"previewVideo": CLIP}, "a preview"),
        ({"source_image": STILL}, "perhaps one of the inputs"),
        ({"output": {"thumbnail": STILL, "video": CLIP}}, ""),
        ({"image": STILL}, ""),
        ({}, ""),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_is_taken_for_want_of_better_says_what_it_is(record: dict[str, Any], only: str) -> None:
    assert output_links(record, origin=API).only == only


KEPT = "https://kept.example.com/7f/first.png"
"""Where a service keeps a picture that was sent: nothing in the link tells that it is the same."""


@pytest.mark.parametrize(
    "record",
    [
        {"image": KEPT},
        {"data": {"image": [{"url": KEPT}]}},
        {"source_image": KEPT},
        {"sourceImageUrl": KEPT},
        {"source": KEPT},
        {"first_frame_image": KEPT},
        {"request": {"picture": KEPT}},
        {"files": [INPUT.replace(".com/", ".com:443/")]},
        {"files": [INPUT.replace("first", "%66irst")]},
        {"files": [f"{INPUT}#t=1"]},
        {"files": [f"{INPUT}?width=64&signature=abc"]},
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_failed_job_that_repeats_what_was_sent_has_no_output(record: dict[str, Any]) -> None:
    told = {"request_id": "r1", "status": "failed", "error": "too dark", **record}
    found = output_links(told, sent=json.dumps({"image": INPUT}), origin=API, only_sure=True)
    assert found.taken == ()
    assert found.left


@pytest.mark.parametrize(
    ("record", "links"),
    [
        ({"video": CLIP}, (CLIP,)),
        ({"output": {"image": STILL}}, (STILL,)),
        ({"result": {"image": STILL}}, (STILL,)),
        ({"image": KEPT, "output": {"file": PLAIN}}, (PLAIN,)),
        ({"video": {"source": CLIP}}, (CLIP,)),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_a_failed_job_that_names_an_output_beside_what_was_sent_has_it(
    record: dict[str, Any], links: tuple[str, ...]
) -> None:
    found = output_links(record, sent=json.dumps({"image": INPUT}), origin=API, only_sure=True)
    assert found.urls == links


@pytest.mark.parametrize(
    ("record", "link"),
    [
        ({"source_image": KEPT, "data": {"url": PLAIN}}, PLAIN),
        ({"request": {"picture": KEPT}, "files": [PLAIN]}, PLAIN),
        ({"image": KEPT, "files": [PLAIN]}, PLAIN),
        ({"image": STILL}, STILL),
        ({"source": {"url": CLIP}}, CLIP),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_what_was_sent_keeps_no_output_of_a_finished_job_away(record: dict[str, Any], link: str) -> None:
    assert link in output_links(record, sent=json.dumps({"image": INPUT}), origin=API).urls


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://files.example.com/a.mp4", "not a web link but ftp"),
        ("s3://bucket/a.mp4", "not a web link but s3"),
        ("gs://bucket/a.mp4", "not a web link but gs"),
        ("blob:https://x/1", "not a web link but blob"),
        ("data:video/mp4;base64,AAAA", "the file itself in place of a link"),
        ("/file/a.mp4", "a name without a host"),
        ("files.example.com/a.mp4", "a name without a host"),
        ("soon", "a name without a host"),
        (f"here it is: {PLAIN}", "a link inside a longer text"),
        (f"here it is: {CLIP}.html", "a link inside a longer text"),
        (INPUT, "one of the inputs"),
    ],
)
def test_what_looks_like_a_link_is_kept_with_the_reason_it_is_not_taken(text: str, why: str) -> None:
    found = output_links({"output": {"video": text}}, sent=json.dumps({"image": INPUT}))
    assert found.taken == ()
    assert [(left.text, left.place, left.why) for left in found.left] == [(text, "output.video", why)]


@pytest.mark.parametrize(
    "text",
    [
        f"Your video is ready: {CLIP}.",
        f"![clip]({CLIP})",
        f'<video src="{CLIP}" controls></video>',
        f"**{CLIP}** was rendered in 12 s",
        json.dumps({"note": f"see {CLIP}!"}),
    ],
)
def test_a_file_named_in_a_sentence_is_taken_where_a_finished_job_names_nothing_else(text: str) -> None:
    found = output_links({"status": "succeeded", "output": text})
    assert (found.urls, found.only) == ((CLIP,), "a link inside a longer text")
    assert output_links({"output": text, "video": OTHER}).urls == (OTHER,)
    assert output_links({"status": "failed", "output": text}, only_sure=True).taken == ()
    assert output_links({"promptText": text, "logs": text}).taken == ()


@pytest.mark.parametrize(
    ("written", "link"),
    [(CLIP.replace("/", "\\/"), CLIP), (f"{CLIP}?a=1&amp;b=2", f"{CLIP}?a=1&b=2")],
    ids=["JSON", "HTML"],
)
def test_a_link_that_was_escaped_once_too_often_is_the_link(written: str, link: str) -> None:
    assert output_links({"output": {"video": written}}).urls == (link,)


def test_a_link_that_could_not_be_fetched_is_taken_only_where_there_is_none_better() -> None:
    worse = {
        "http://files.example.com/a.mp4": "it is not https",
        "https://localhost/b.mp4": "its host is not public",
        "https://files.example.com:8443/a.mp4": "its port is not the usual one",
        "https://files.example.com:99999/a.mp4": "its host or port is not valid",
        "https://ada@files.example.com/a.mp4": "it holds a login",
    }
    found = output_links({"files": [*worse, CLIP]})
    assert found.urls == (CLIP,)
    assert {left.text: left.why for left in found.left} == worse
    assert output_links({"files": list(worse)}).urls == tuple(worse)


@pytest.mark.parametrize("link", [f"{CLIP}.html", f"{CLIP}.json"])
def test_a_documented_link_that_ends_like_a_page_is_taken(link: str) -> None:
    assert output_links({"output": {"video": link}}).urls == (link,)
    assert output_links({"output": {"video": link}, "files": [OTHER]}).urls == (link, OTHER)


def test_this_machine_is_as_good_as_any_host_for_an_api_on_it() -> None:
    local = "http://127.0.0.1:8080/files/a.mp4"
    found = output_links({"a": local, "b": CLIP}, origin="http://127.0.0.1:9")
    assert found.urls == (local, CLIP)
    assert output_links({"a": local, "b": CLIP}, origin=API).urls == (CLIP,)


@pytest.mark.parametrize(
    ("record", "links"),
    [
        ({"output": {"video": PLAIN}}, (PLAIN,)),
        ({"video": {"uri": PLAIN}}, (PLAIN,)),
        ({"x": CLIP}, (CLIP,)),
        ({"result": PLAIN}, (PLAIN,)),
        ({"url": PLAIN}, ()),
        ({"more": "https://help.example.com/why"}, ()),
        ({"output": {"thumbnail": STILL}}, ()),
    ],
)
def test_only_a_link_that_is_surely_an_output_outweighs_a_failure(
    record: dict[str, Any], links: tuple[str, ...]
) -> None:
    assert output_links(record, only_sure=True).urls == links


def test_links_are_taken_once_in_order_and_not_without_end() -> None:
    videos: list[Any] = [f"https://files.example/{n}.mp4" for n in range(100)]
    found = output_links({"output": {"videos": videos, "video": videos[3], "image": "ftp://x", "audio": 7}})
    assert found.urls[:3] == (videos[3], videos[0], videos[1])
    assert (len(found.taken), found.beyond) == (OUTPUT_LIMIT, 36)
    assert [left.text for left in found.left] == ["ftp://x"]


def test_a_record_too_long_to_be_read_says_so_and_keeps_its_documented_link() -> None:
    record: dict[str, Any] = {"noise": [0] * 60_000, "output": {"video": CLIP}, "last": OTHER}
    found = output_links(record)
    assert found.urls == (CLIP,)
    assert "too long" in str(found.left[0])


def test_a_record_as_it_was_kept_may_be_cut_or_missing() -> None:
    assert output_links(parsed_json(None)).taken == ()
    assert output_links(parsed_json('{"output": {"vid')).taken == ()
    assert output_links(parsed_json("[" * 100_000)).taken == ()
    assert output_links(parsed_json(json.dumps({"data": [CLIP]}))).urls == (CLIP,)


LINKS = st.sampled_from(
    [
        CLIP,
        OTHER,
        PLAIN,
        STILL,
        INPUT,
        f" {INPUT}",
        "//inputs.example.com/first.png",
        "ftp://x/a.mp4",
        "http://[",
        "",
    ]
)
NAMES = st.sampled_from(
    ["output", "video", "videos", "input", "url", "data", "thumbnail", "status", CLIP, ""]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | LINKS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(NAMES | st.text(max_size=9), inner, max_size=5)
        | inner.map(json.dumps)
    ),
    max_leaves=40,
)


@given(ANYTHING, st.booleans())
def test_a_walk_is_total_bounded_stable_and_never_takes_an_input(record: JsonValue, only_sure: bool) -> None:
    sent = json.dumps({"first": INPUT})
    found = output_links(record, sent=sent, origin=API, only_sure=only_sure)
    assert found == output_links(json.loads(json.dumps(record)), sent=sent, origin=API, only_sure=only_sure)
    assert INPUT not in found.urls
    assert len(set(found.urls)) == len(found.urls) <= OUTPUT_LIMIT
    assert len(found.left) <= LEFT_LIMIT
    assert not set(found.urls) & {left.text for left in found.left}


@given(st.text(max_size=200))
def test_any_text_is_a_link_or_none(text: str) -> None:
    output_links({"output": {"video": text}, "link": text, text: text}, sent=text)
