"""Every way to bend an answer of the counting server, as a client sees it over a real socket."""

from __future__ import annotations

import gzip
import http.client
import json
import time
import zlib
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.integration.test_outside_server import QUICK, SUBMIT, call, finished, read, submit
from tests.outside import changes
from tests.outside.changes import FILES, MISSING, REFUSAL_SHAPES, SPELLINGS, OnlyJobs, Until
from tests.outside.faults import Change, End, Fault, Faults, FirstOf, Reply, Script, Shares
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

NOT_THERE = Reply(404, b"<html>not yet</html>", {"Content-Type": "text/html"})
INPUTS = {
    "keyFramesFirst": "https://example.com/a",
    "keyFramesLast": "https://example.com/b",
    "promptText": "p",
}


def bending(route: str, change: Change) -> Faults:
    return Script({(route, 0): Fault(change=change)})


def result_through(change: Change, *, outputs: int = 1) -> tuple[Any, list[str]]:
    """Return what a bent result says, and the links it should hold."""
    with OutsideServer(
        Settings(slots=2, service=0.02, token="t", outputs=outputs), faults=bending("result", change)
    ) as server:
        request_id = submit(server)
        seen = finished(server, request_id)
        links = [f"{server.url}/files/{request_id}.mp4"]
        return seen, links + [f"{server.url}/files/{request_id}.{n}.mp4" for n in range(2, outputs + 1)]


def test_a_job_with_several_outputs_has_a_clip_of_its_own_for_each() -> None:
    settings = Settings(slots=2, service=0.02, token="t", outputs=3, clip_bytes=4000)
    with OutsideServer(settings) as server:
        request_id = submit(server)
        links = finished(server, request_id)["output"]["videos"]
        clips = [call(server, "GET", link.removeprefix(server.url), headers={}) for link in links]
        assert [clip[2] for clip in clips] == [server.clip(request_id, number) for number in (1, 2, 3)]
        assert call(server, "GET", f"/files/{request_id}.4.mp4", headers={})[0] == 404
    assert len({clip[2] for clip in clips}) == len({clip[1]["etag"] for clip in clips}) == 3


@pytest.mark.parametrize("form", ["{}==", "eu/{}", "a b/{}%2F", "{}.mp4", "{}.2"])
def test_an_id_may_have_any_form_and_is_found_again(form: str) -> None:
    with OutsideServer(Settings(slots=2, service=0.02, token="t", id_form=form)) as server:
        request_id = submit(server)
        end = time.monotonic() + 5
        place = f"/v1/requests/{quote(request_id, safe='')}"
        while read(server, "GET", f"{place}/status")["status"] != "completed":
            assert time.monotonic() < end
        link = read(server, "GET", f"{place}/result")["output"]["video"]
        assert call(server, "GET", link.removeprefix(server.url), headers={})[2] == server.clip(request_id)
        assert server.arrivals()[-1].route == "file"
        assert server.arrivals()[1].request_id == request_id


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("video.uri", lambda links: {"video": {"uri": links[0]}}),
        ("result.video", lambda links: {"result": {"video": links[0]}}),
        ("data[].url", lambda links: {"data": [{"url": link} for link in links]}),
        ("files[]", lambda links: {"files": links}),
        ("download_url", lambda links: {"download_url": links[0]}),
        ("output", lambda links: {"output": links[0]}),
        (
            "output.assets[].file.url",
            lambda links: {"output": {"assets": [{"file": {"url": each}} for each in links]}},
        ),
    ],
)
def test_links_stand_where_the_path_says(path: str, where: Callable[[list[str]], dict[str, Any]]) -> None:
    seen, links = result_through(changes.links_at(path), outputs=2)
    wanted = where(links)
    assert {name: seen[name] for name in wanted} == wanted
    assert "output" in wanted or "output" not in seen


def test_a_whole_record_can_be_a_list_of_links() -> None:
    seen, links = result_through(changes.links_at("[]"), outputs=2)
    assert seen == links


@pytest.mark.parametrize("word", ["SUCCESS", "  Done ", "partial", 200, None, ["completed"]])
def test_a_word_is_what_the_change_says(word: object) -> None:
    assert result_through(changes.saying(word))[0]["status"] == word


def test_a_word_can_be_missing_and_a_change_can_be_held_to_one_true_word() -> None:
    assert "status" not in result_through(changes.saying(MISSING))[0]
    assert result_through(changes.saying("x", instead_of="failed"))[0]["status"] == "succeeded"


def test_an_id_can_come_back_in_other_letters() -> None:
    with OutsideServer(QUICK, faults=bending("status", changes.renamed_id(str.upper))) as server:
        request_id = submit(server)
        assert read(server, "GET", f"/v1/requests/{request_id}/status")["request_id"] == request_id.upper()


@pytest.mark.parametrize("before", [True, False])
def test_an_echoed_picture_stands_before_or_after_the_id(before: bool) -> None:
    with OutsideServer(QUICK, faults=bending("submit", changes.bulky(2_000_000, before=before))) as server:
        body = call(server, "POST", SUBMIT, INPUTS)[2]
    assert len(body) > 2_000_000
    assert (body.index(b'"request_id"') > 1_000_000) is before


def test_every_url_of_an_answer_can_name_another_host() -> None:
    with OutsideServer(
        QUICK, faults=bending("submit", changes.foreign_urls("https://evil.example"))
    ) as server:
        answer = read(server, "POST", SUBMIT, INPUTS)
    assert all(answer[name].startswith("https://evil.example/") for name in answer if name.endswith("_url"))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_token_is_echoed_in_a_spelling_and_the_answer_stays_json(spelling: str) -> None:
    token = "a=b/c&d"
    settings = Settings(token=token)
    with OutsideServer(settings, faults=bending("catalogue", changes.echoing(spelling))) as server:
        raw = call(server, "GET", "/v1/models", headers={"Authorization": f"Bearer {token}"})[2]
    assert json.loads(raw)["models"]
    assert (token.encode() in raw) is (spelling == "plain")


PACKED = {
    "gzip": lambda body: gzip.decompress(body),
    "deflate": lambda body: zlib.decompress(body),
    "raw deflate": lambda body: zlib.decompress(body, wbits=-zlib.MAX_WBITS),
}


@pytest.mark.parametrize("coding", PACKED)
def test_answers_are_packed_though_nobody_asked(coding: str) -> None:
    with OutsideServer(QUICK, faults=bending("catalogue", changes.packed(coding))) as server:
        _, headers, body = call(server, "GET", "/v1/models")
    assert headers["content-encoding"] == coding.removeprefix("raw ")
    assert json.loads(PACKED[coding](body))["models"]


def test_a_packing_can_be_a_lie_either_way() -> None:
    with OutsideServer(QUICK, faults=bending("catalogue", changes.packed("gzip", really=False))) as server:
        _, headers, body = call(server, "GET", "/v1/models")
    assert headers["content-encoding"] == "gzip"
    assert json.loads(body)
    with OutsideServer(QUICK, faults=bending("catalogue", changes.packed("gzip", says=""))) as server:
        _, headers, body = call(server, "GET", "/v1/models")
    assert "content-encoding" not in headers
    assert gzip.decompress(body)


@pytest.mark.parametrize("shape", REFUSAL_SHAPES)
def test_a_refusal_has_the_servers_words_in_its_shape(shape: str) -> None:
    refused = changes.refusal(422, "too <long>", shape=shape)
    with OutsideServer(QUICK, faults=Script({("submit", 0): Fault(effect=False, reply=refused)})) as server:
        status, _, body = call(server, "POST", SUBMIT, INPUTS)
        assert server.ledger() == []
    assert status == 422
    assert (b"long" in body) is (shape != "empty")


def partly(
    server: OutsideServer, request_id: str, first: int, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    wanted = {"Range": f"bytes={first}-", **headers}
    return call(server, "GET", f"/files/{request_id}.mp4", headers=wanted)


LIES = {
    "another start": (changes.lying_range(start=7), "bytes 107-20006/20000"),
    "another total": (changes.lying_range(total=-500), "bytes 100-19999/19500"),
    "another file": (changes.lying_range(other=bytes(3000), etag=None), "bytes 100-2999/3000"),
    "another ETag": (changes.lying_range(etag='"new"'), "bytes 100-19999/20000"),
    "no range": (changes.lying_range(header=False), None),
}


@pytest.mark.parametrize(("lie", "span"), LIES.values(), ids=LIES)
def test_a_file_host_lies_about_a_part(lie: Change, span: str | None) -> None:
    with OutsideServer(QUICK, faults=bending("file", lie)) as server:
        request_id = submit(server)
        finished(server, request_id)
        whole = call(server, "GET", f"/files/{request_id}.mp4", headers={})
        status, headers, body = partly(server, request_id, 100)
        assert (whole[0], whole[2]) == (200, server.clip(request_id))
    assert (status, headers.get("content-range")) == (206, span)
    assert (body == bytes(2900)) is (lie is LIES["another file"][0])
    assert headers.get("etag") != f'"{request_id}"' or lie not in {
        LIES["another file"][0],
        LIES["another ETag"][0],
    }


@pytest.mark.parametrize("status", [416, 400, 403])
def test_a_file_host_can_refuse_ranges_and_give_the_whole_file(status: int) -> None:
    refusing = changes.on_range(changes.instead(Reply(status)))
    with OutsideServer(QUICK, faults=bending("file", refusing)) as server:
        request_id = submit(server)
        finished(server, request_id)
        assert partly(server, request_id, 100)[0] == status
        assert call(server, "GET", f"/files/{request_id}.mp4", headers={})[0] == 200


def test_a_whole_file_can_break_off_while_its_parts_are_whole() -> None:
    broken = Script({("file", 0): Fault(change=changes.on_whole(changes.cut_at(0.25)), end=End.CLOSE)})
    with OutsideServer(QUICK, faults=broken) as server:
        request_id = submit(server)
        finished(server, request_id)
        clip = server.clip(request_id) or b""
        with pytest.raises(http.client.IncompleteRead) as caught:
            call(server, "GET", f"/files/{request_id}.mp4", headers={})
        assert caught.value.partial == clip[: len(clip) // 4]
        assert partly(server, request_id, 100)[2] == clip[100:]


def test_an_etag_can_be_weak_or_missing() -> None:
    for change, wanted in ((changes.with_etag('W/"1"'), 'W/"1"'), (changes.without_etag, None)):
        with OutsideServer(QUICK, faults=bending("file", change)) as server:
            request_id = submit(server)
            finished(server, request_id)
            answer = call(server, "GET", f"/files/{request_id}.mp4", headers={})
        assert (answer[0], answer[1].get("etag")) == (200, wanted)


@pytest.mark.parametrize("kind", FILES)
def test_another_kind_of_file_comes_with_its_type(kind: str) -> None:
    with OutsideServer(QUICK, faults=bending("file", changes.as_file(kind))) as server:
        request_id = submit(server)
        finished(server, request_id)
        _, headers, body = call(server, "GET", f"/files/{request_id}.mp4", headers={})
    assert (headers["content-type"], body) == FILES[kind]


def test_a_link_works_only_after_a_while() -> None:
    late = Until(0.2, changes.instead(NOT_THERE))
    with OutsideServer(QUICK, faults=bending("file", late)) as server:
        request_id = submit(server)
        finished(server, request_id)
        assert call(server, "GET", f"/files/{request_id}.mp4", headers={})[0] == 404
        time.sleep(0.25)
        assert call(server, "GET", f"/files/{request_id}.mp4", headers={})[0] == 200


def test_a_change_is_held_to_the_jobs_it_is_meant_for() -> None:
    foreign = OnlyJobs(changes.instead(changes.refusal(403, "not yours", code=403001)), 2)
    with OutsideServer(QUICK, faults=bending("status", foreign)) as server:
        ids = [submit(server, prompt) for prompt in "abc"]
        seen = [[call(server, "GET", f"/v1/requests/{each}/status")[0] for each in ids] for _ in range(2)]
    assert seen == [[200, 403, 200]] * 2


def test_changes_can_be_chained() -> None:
    both = changes.chained(changes.saying("DONE"), changes.links_at("video.uri"))
    seen, links = result_through(both)
    assert (seen["status"], seen["video"]) == ("DONE", {"uri": links[0]})


def test_a_share_of_calls_is_struck_and_the_same_seed_strikes_the_same() -> None:
    broken, lost = Fault(effect=False, reply=Reply(500)), Fault(cut=0, end=End.CLOSE)
    shares = {"status": [(0.2, broken)], "submit": [(0.1, lost), (0.1, broken)]}

    def seen(seed: int, route: str) -> list[Fault | None]:
        return [Shares(shares, seed=seed)(route, nth) for nth in range(1, 2001)]

    assert seen(1, "status") == seen(1, "status") != seen(2, "status")
    assert 0.17 < seen(1, "status").count(broken) / 2000 < 0.23
    assert 0.08 < seen(1, "submit").count(lost) / 2000 < 0.12
    assert set(seen(1, "file")) == {None}


def test_of_several_faults_the_first_decides() -> None:
    one, other = Fault(delay=1), Fault(delay=2)
    faults = FirstOf(Script({("status", 2): one}), Script({("status", 0): other}))
    assert [faults("status", nth) for nth in (1, 2)] == [other, one]
    assert faults("file", 1) is None


def test_the_categories_are_those_of_the_models() -> None:
    with OutsideServer(QUICK) as server:
        categories = read(server, "GET", "/v1/models/categories")["categories"]
        page = read(server, "GET", f"/v1/models?category={categories[0]}&limit=100&offset=0")
        assert {each for model in page["models"] for each in model["categories"]} == set(categories)
        assert read(server, "GET", "/v1/models?category=music")["total"] == 0
