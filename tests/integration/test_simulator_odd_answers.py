"""What a client sees of the simulator's well-formed oddities: refusals, words, links, ids, packings, parts of files."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote

import httpx
import pytest

from runner.simulator.clip_cache import FALLBACK
from runner.simulator.settings import SIMULATOR_TOKEN
from tests.integration.simulator_stage import BODY, MODEL, Record, Scene, staged
from tests.simulated_faults import KINDS, PACKINGS, REFUSALS, SPELLINGS

CLIP = FALLBACK.read_bytes()


def submitted(scene: Scene) -> httpx.Response:
    answer = scene.submit()
    assert isinstance(answer, httpx.Response)
    return answer


def result_of(scene: Scene) -> Record:
    return scene.get(f"/v1/requests/{scene.ended()}/result")


# -- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*REFUSALS, "text", "html", "empty"])
@pytest.mark.parametrize("code", [400, 404, 422])
def test_a_refusal_has_its_words_in_every_form_and_charges_nothing(form: str, code: int) -> None:
    with staged(
        f"route: submit, fault: refusal, form: {form}, code: {code}, message: no <money> left"
    ) as scene:
        answer = submitted(scene)
        assert scene.simulator.ledger.submits == 0
    assert answer.status_code == code
    assert ("money" in answer.text) is (form != "empty")
    assert (answer.headers["content-type"] == "application/problem+json") is (form == "problem")


def test_one_job_is_refused_for_ever_and_the_others_are_not() -> None:
    rule = "route: [status, result], fault: refusal, code: 403, error_code: 403001, jobs: 1"
    with staged(rule) as scene:
        ids = [scene.job(), scene.job(), scene.job()]
        seen = [
            [scene.get(f"/v1/requests/{each}/{verb}").get("error_code") for each in ids]
            for verb in ("status", "status", "result")
        ]
    assert seen == [[403001, None, None]] * 3


def test_a_refused_cancel_is_not_carried_out() -> None:
    with staged("route: cancel, fault: refusal, code: 403, form: html, count: 1") as scene:
        request_id = scene.job()
        place = f"/v1/requests/{request_id}"
        assert scene.client.post(f"{place}/cancel").status_code == 403
        assert scene.get(f"{place}/status")["status"] == "in_queue"
        assert scene.client.post(f"{place}/cancel").json()["outcome"] == "cancelled"


# -- words, links, ids -----------------------------------------------------------------------------------------------

WORDS = {
    "capitals": ("word: SUCCESS", "SUCCESS"),
    "blanks": ("word: ' Done '", " Done "),
    "partial": ("word: partial", "partial"),
    "a number": ("form: number", 3),
    "null": ("form: 'null'", None),
    "a list": ("form: list, word: expired", ["expired"]),
}


@pytest.mark.parametrize(("how", "word"), WORDS.values(), ids=WORDS)
@pytest.mark.parametrize("route", ["status", "result"])
def test_a_record_says_the_word_it_was_given(route: str, how: str, word: object) -> None:
    with staged(f"route: {route}, fault: word, {how}") as scene:
        assert scene.get(f"/v1/requests/{scene.ended()}/{route}")["status"] == word


def test_a_word_may_be_missing_or_stand_for_one_true_word_alone() -> None:
    with staged(
        "route: result, fault: word, form: missing",
        "route: status, fault: word, word: done, instead_of: completed",
    ) as scene:
        request_id = scene.job()
        assert scene.get(f"/v1/requests/{request_id}/status")["status"] == "in_queue"
        scene.now[0] += 60
        assert scene.get(f"/v1/requests/{request_id}/status")["status"] == "done"
        record = scene.get(f"/v1/requests/{request_id}/result")
    assert "status" not in record
    assert record["output"]["video"]


def test_a_job_that_failed_can_have_a_link() -> None:
    with staged("route: result, fault: word, word: failed, instead_of: succeeded") as scene:
        record = result_of(scene)
        assert record["status"] == "failed"
        assert scene.client.get(record["output"]["video"]).content == CLIP


@pytest.mark.parametrize(
    "at", ["video.uri", "result.video", "data[].url", "files[]", "download_url", "output", "a.b[].c", "[]"]
)
def test_links_stand_at_another_place(at: str) -> None:
    with staged(f"route: result, fault: links-at, at: '{at}'") as scene:
        value = json.loads(scene.client.get(f"/v1/requests/{scene.ended()}/result").text)
        for name in at.split("."):
            value = value[name.removesuffix("[]")] if name != "[]" else value
            value = value[0] if name.endswith("[]") else value
        assert value.startswith(f"{scene.simulator.origin}/files/")
        assert scene.client.get(value).content == CLIP


def test_each_of_several_outputs_is_a_file_of_its_own() -> None:
    with staged("route: [result, file], fault: outputs, outputs: 3") as scene:
        links = result_of(scene)["output"]["videos"]
        files = [scene.client.get(link) for link in links]
        assert scene.client.get(links[2].replace("=3", "=4")).status_code == 404
        parts = [scene.client.get(link, headers={"range": "bytes=10-"}) for link in links]
    assert len({file.content for file in files}) == len({file.headers["etag"] for file in files}) == 3
    assert [(part.status_code, part.content) for part in parts] == [
        (206, file.content[10:]) for file in files
    ]


@pytest.mark.parametrize("odd", ["7B-1A", "id==", "eu/id", "id+a%2F~"])
def test_an_odd_id_is_the_jobs_own(odd: str) -> None:
    with staged(new_id=lambda: odd) as scene:
        request_id = submitted(scene).json()["request_id"]
        charge = scene.simulator.ledger.charges()[0]
        assert request_id == charge.request_id == odd
        place = f"/v1/requests/{quote(request_id, safe='')}"
        assert scene.get(f"{place}/status")["request_id"] == request_id
        scene.now[0] += 60
        assert scene.get(f"{place}/result")["status"] == "succeeded"
        assert scene.client.post(f"{place}/cancel").json()["outcome"] == "not_cancellable"


def test_an_id_comes_back_in_other_letters() -> None:
    with staged("route: [status, result], fault: odd-id") as scene:
        request_id = scene.job()
        assert scene.get(f"/v1/requests/{request_id}/status")["request_id"] == request_id.upper()


# -- bulk, echoes, packings ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "first"), [("first", True), ("last", False)])
def test_a_bulky_answer_has_its_id_at_one_end(form: str, first: bool) -> None:
    with staged(f"route: submit, fault: bulky, bytes: 1500000, form: {form}") as scene:
        text = submitted(scene).text
    assert (text.index('"request_id"') > 1_500_000) is first
    assert json.loads(text)["request_id"]


@pytest.mark.parametrize("form", SPELLINGS)
@pytest.mark.parametrize("code", ["", ", code: 422"])
def test_the_token_is_repeated_in_a_spelling(form: str, code: str) -> None:
    with staged(f"route: submit, fault: echo-token, form: {form}{code}") as scene:
        answer = scene.client.post(
            f"/v1/models/{MODEL}", json=BODY, headers={"authorization": f"Bearer {SIMULATOR_TOKEN}"}
        )
    assert answer.status_code == (422 if code else 200)
    assert json.loads(answer.text)["message"].startswith("seen ")
    assert (SIMULATOR_TOKEN in answer.text.partition("seen ")[2][:40]) is (form == "plain")


def test_every_url_names_another_host() -> None:
    with staged("route: submit, fault: foreign-urls") as scene:
        record = submitted(scene).json()
    assert {record[name].split("/")[2] for name in record if name.endswith("_url")} == {"elsewhere.invalid"}


UNPACKED: dict[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.decompress),
    "deflate": ("deflate", zlib.decompress),
    "raw-deflate": ("deflate", lambda body: zlib.decompress(body, wbits=-zlib.MAX_WBITS)),
    "gzip-lie": ("gzip", bytes),
    "br-lie": ("br", bytes),
    "gzip-unsaid": (None, gzip.decompress),
}


@pytest.mark.parametrize("form", PACKINGS)
def test_an_answer_is_packed_and_says_so_or_not(form: str) -> None:
    with (
        staged(f"route: catalogue, fault: packed, form: {form}") as scene,
        scene.client.stream("GET", "/v1/models") as answer,
    ):
        raw = b"".join(answer.iter_raw())
    said, unpack = UNPACKED[form]
    assert answer.headers.get("content-encoding") == said
    assert json.loads(unpack(raw))["models"]


# -- files -----------------------------------------------------------------------------------------------------------

PARTS = {
    "refused": (416, None, b""),
    "whole": (200, None, CLIP),
    "wrong-start": (206, f"bytes 101-{len(CLIP)}/{len(CLIP) + 1}", CLIP[100:]),
    "wrong-total": (206, f"bytes 100-{len(CLIP) - 1}/{len(CLIP) + 512}", CLIP[100:]),
    "other-file": (206, f"bytes 100-{len(CLIP) - 1}/{len(CLIP)}", bytes(255 - byte for byte in CLIP[100:])),
    "no-range": (206, None, CLIP[100:]),
    "new-etag": (206, f"bytes 100-{len(CLIP) - 1}/{len(CLIP)}", CLIP[100:]),
    "weak-etag": (206, f"bytes 100-{len(CLIP) - 1}/{len(CLIP)}", CLIP[100:]),
    "no-etag": (206, f"bytes 100-{len(CLIP) - 1}/{len(CLIP)}", CLIP[100:]),
}
ETAGS = {
    "other-file": "none",
    "no-etag": "none",
    "weak-etag": "weak",
    "new-etag": "another",
    "refused": "none",
}


@pytest.mark.parametrize("form", PARTS)
def test_a_file_host_spoils_parts_and_gives_the_whole_file(form: str) -> None:
    with staged(f"route: file, fault: ranges, form: {form}") as scene:
        link = scene.link()
        whole, part = scene.client.get(link), scene.client.get(link, headers={"range": "bytes=100-"})
    assert (whole.status_code, whole.content) == (200, CLIP)
    assert (part.status_code, part.headers.get("content-range"), part.content) == PARTS[form]
    tag = part.headers.get("etag", "none")
    seen = "weak" if tag.startswith("W/") else "another" if tag == '"of-another-file"' else tag
    assert (seen if seen in {"none", "weak", "another"} else "true") == ETAGS.get(form, "true")


@pytest.mark.parametrize("code", [400, 403, 501])
def test_a_part_is_refused_with_the_asked_status(code: int) -> None:
    with staged(f"route: file, fault: ranges, code: {code}") as scene:
        assert scene.client.get(scene.link(), headers={"range": "bytes=1-"}).status_code == code


def test_a_broken_download_can_go_on_where_it_broke_off() -> None:
    with staged("route: file, fault: cut, count: 1") as scene:
        link, got = scene.link(), b""
        with scene.client.stream("GET", link) as answer, suppress(httpx.RemoteProtocolError):
            for piece in answer.iter_raw():
                got += piece
        assert 0 < len(got) < len(CLIP)
        wanted = {"range": f"bytes={len(got)}-", "if-range": answer.headers["etag"]}
        rest = scene.client.get(link, headers=wanted)
    assert (rest.status_code, got + rest.content) == (206, CLIP)


@pytest.mark.parametrize("kind", KINDS)
def test_another_kind_of_file_has_its_own_type_and_bytes(kind: str) -> None:
    with staged(f"route: file, fault: other-file, form: {kind}") as scene:
        answer = scene.client.get(scene.link())
    assert (answer.headers["content-type"].partition(";")[0], answer.content) == KINDS[kind]


def test_a_link_works_only_some_time_after_it_was_first_asked_for() -> None:
    with staged("route: file, fault: status, code: 404, per: job, for_s: 25") as scene:
        link = scene.link()
        seen = []
        for pause in (0, 20, 10):
            scene.now[0] += pause
            seen.append(scene.client.get(link).status_code)
    assert seen == [404, 404, 200]


# -- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_categories_are_a_list_of_names_that_the_catalogue_can_be_asked_for() -> None:
    with staged() as scene:
        [category] = scene.get("/v1/models/categories")["categories"]
        models = scene.get("/v1/models?limit=100&offset=0")["models"]
        asked = scene.get(f"/v1/models?category={category}&limit=100&offset=0&include_schema=true")["models"]
        assert scene.get("/v1/models?category=music")["total"] == 0
    assert [model["model_id"] for model in asked] == [model["model_id"] for model in models]
    assert all(category in model["categories"] and model["display_name"] for model in models)
    assert all("input_schema" in model for model in asked)
