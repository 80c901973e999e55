"""What a client sees of every fault, and whether the ledger was charged for it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest

from runner.simulator.clip_cache import FALLBACK
from runner.simulator.fault_rules import Route
from runner.simulator.jobs import ClipFlaw, JobOutcome
from runner.simulator.server import running
from runner.simulator.settings import SIMULATOR_TOKEN, SimulatorSettings, load_script
from tests.integration.simulator_stage import Scene, staged
from tests.simulated_faults import ALL

CLIP = FALLBACK.read_bytes()


Stage = Callable[..., Scene]


@pytest.fixture
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        yield lambda *rules: stack.enter_context(staged(*rules))


def shows(seen: httpx.Response | type[httpx.HTTPError]) -> str:
    """Return a short word for what a client saw."""
    if isinstance(seen, type):
        return seen.__name__
    kind = seen.headers.get("content-type", "").partition(";")[0].rpartition("/")[2]
    return f"{seen.status_code} {kind} {'whole' if _is_json_object(seen) else len(seen.content) and 'other'}"


def _is_json_object(response: httpx.Response) -> bool:
    try:
        return isinstance(response.json(), dict)
    except ValueError:
        return False


# A fault's rule → what is seen of a submit, and whether it was charged.
SUBMITS = {
    "close": ("fault: close", "RemoteProtocolError", 1),
    "reset": ("fault: reset", "ReadError", 1),
    "cut": ("fault: cut", "RemoteProtocolError", 1),
    "wrong length": ("fault: wrong-length", "RemoteProtocolError", 1),
    "delay": ("fault: delay, delay_s: 20", "ReadTimeout", 1),
    "drip": ("fault: drip, bytes: 1, pause_s: 20", "ReadTimeout", 1),
    "502": ("fault: status", "502 html other", 1),
    "504": ("fault: status, code: 504", "504 html other", 1),
    "empty": ("fault: empty", "200 json 0", 1),
    "html": ("fault: html", "200 html other", 1),
    "truncated": ("fault: truncated", "200 json other", 1),
    "no id": ("fault: no-id", "200 json whole", 1),
    "never ends": ("fault: never-ends", "200 json whole", 1),
    "close before": ("fault: close, accepted: no", "RemoteProtocolError", 0),
    "reset before": ("fault: reset, accepted: no", "ReadError", 0),
    "cut before": ("fault: cut, accepted: no", "RemoteProtocolError", 0),
    "delay before": ("fault: delay, delay_s: 20, accepted: no", "ReadTimeout", 0),
    "502 before": ("fault: status, accepted: no", "502 html other", 0),
    "empty before": ("fault: empty, accepted: no", "200 json 0", 0),
    "html before": ("fault: html, accepted: no", "200 html other", 0),
    "truncated before": ("fault: truncated, accepted: no", "200 json other", 0),
    "no id before": ("fault: no-id, accepted: no", "200 json whole", 0),
    "error code": ("fault: error-code", "200 json whole", 0),
    "error code, charged": ("fault: error-code, accepted: yes", "200 json whole", 1),
    "throttled": ("fault: throttled", "429 json whole", 0),
    "redirect": ("fault: redirect", "302  0", 0),
    "token revoked": ("fault: token-revoked", "400 json whole", 0),
    "balance gone": ("fault: balance-gone", "400 json whole", 0),
}


@pytest.mark.parametrize(("rule", "seen", "charges"), SUBMITS.values(), ids=SUBMITS)
def test_a_struck_submit(stage: Stage, rule: str, seen: str, charges: int) -> None:
    scene = stage(f"route: submit, count: 1, {rule}")
    assert shows(scene.submit()) == seen
    assert scene.simulator.ledger.submits == charges
    assert shows(scene.submit()) == "200 json whole"
    assert scene.simulator.ledger.submits == charges + 1


def test_an_answer_without_an_id_still_has_its_links(stage: Stage) -> None:
    answer = stage("route: submit, fault: no-id").submit()
    assert isinstance(answer, httpx.Response)
    assert sorted(answer.json()) == ["cancel_url", "result_url", "status_url"]


def test_a_job_whose_answer_was_lost_runs_and_has_a_result(stage: Stage) -> None:
    scene = stage("route: submit, fault: close")
    assert scene.get(f"/v1/requests/{scene.ended()}/result")["status"] == "succeeded"


# A way to end → what the result shows of it.
FATES = {
    "fails": ("completed", "failed", str),
    "fails-object": ("completed", "failed", dict),
    "moderation": ("completed", "failed", dict),
    "no-output": ("completed", "succeeded", type(None)),
    "canceled": ("canceled", "canceled", type(None)),
    "never-ends": ("in_progress", "in_progress", type(None)),
    "never-starts": ("in_queue", "in_queue", type(None)),
}


@pytest.mark.parametrize("fate", FATES)
def test_a_job_that_is_accepted_and_ends_badly(stage: Stage, fate: str) -> None:
    scene = stage(f"route: any, fault: {fate}")
    request_id = scene.ended()
    record = scene.get(f"/v1/requests/{request_id}/result")
    status = scene.get(f"/v1/requests/{request_id}/status")["status"]
    assert (status, record["status"], type(record.get("error"))) == FATES[fate]
    assert not record["output"]


@pytest.mark.parametrize("flaw", ClipFlaw)
def test_a_job_with_an_odd_clip_succeeds_and_its_file_is_another_one(stage: Stage, flaw: ClipFlaw) -> None:
    odd, right = stage(f"route: submit, fault: {flaw}, count: 1"), stage("route: file, fault: html, count: 0")
    tags = [scene.client.get(scene.link()).headers["etag"] for scene in (odd, odd, right)]
    assert tags[0] != tags[1] == tags[2]
    first, second = odd.simulator.ledger.charges()
    assert (first.flaw, first.fate, second.flaw) == (flaw, JobOutcome.SUCCEEDS, None)


def test_an_odd_clip_stays_odd_when_the_simulator_is_started_again(tmp_path: Path) -> None:
    script = load_script("faults: [{route: submit, fault: clip-black, count: 1}]", "f.yaml")
    settings = SimulatorSettings(script=script, render=False, ledger=tmp_path / "ledger.jsonl")
    with running(settings) as simulator:
        model = f"{simulator.base_url}/models/pika/pika-2-2/image-to-video"
        headers = {"authorization": f"Bearer {SIMULATOR_TOKEN}"}
        httpx.post(model, json={"image": "https://example.com/a.jpg"}, headers=headers).raise_for_status()
    with running(settings) as simulator:
        assert [job.flaw for job in simulator.ledger.charges()] == [ClipFlaw.BLACK]


WORDS = {
    "early-completed": (0.0, "completed"),
    "back-to-queue": (1.0, "in_queue"),
    "unknown-word": (1.0, "warming_up"),
}


@pytest.mark.parametrize("fault", WORDS)
def test_a_status_that_says_the_wrong_word_once(stage: Stage, fault: str) -> None:
    scene = stage(f"route: status, count: 1, fault: {fault}")
    later, word = WORDS[fault]
    request_id = scene.job()
    scene.now[0] += later
    words = [scene.get(f"/v1/requests/{request_id}/status")["status"] for _ in range(2)]
    assert words[0] == word != words[1]


def test_completed_on_the_status_while_the_result_says_in_progress(stage: Stage) -> None:
    scene = stage("route: result, fault: lagging, per: job, count: 1")
    request_id = scene.ended()
    assert scene.get(f"/v1/requests/{request_id}/status")["status"] == "completed"
    words = [scene.get(f"/v1/requests/{request_id}/result")["status"] for _ in range(2)]
    assert words == ["in_progress", "succeeded"]


LOOKS = {
    "close": ("RemoteProtocolError", "RemoteProtocolError"),
    "reset": ("ReadError", "ReadError"),
    "cut": ("RemoteProtocolError", "RemoteProtocolError"),
    "wrong-length": ("RemoteProtocolError", "RemoteProtocolError"),
    "delay": ("ReadTimeout", "ReadTimeout"),
    "status": ("502 html other", "502 html other"),
    "empty": ("200 json 0", "200 mp4 0"),
    "html": ("200 html other", "200 html other"),
    "truncated": ("200 json other", "200 mp4 other"),
    "throttled": ("429 json whole", "429 json whole"),
    "redirect": ("302  0", "302  0"),
}


@pytest.mark.parametrize("fault", LOOKS)
def test_a_struck_read_of_any_kind_is_good_the_next_time(stage: Stage, fault: str) -> None:
    routes = ["status", "result", "cancel", "catalogue", "balance", "file"]
    scene = stage(
        *(f"route: {route}, after: {int(route == 'result')}, count: 1, fault: {fault}" for route in routes)
    )
    link = scene.link()
    place = f"/v1/requests/{scene.simulator.ledger.charges()[0].request_id}"
    calls = [
        ("GET", f"{place}/status"),
        ("GET", f"{place}/result"),
        ("GET", "/v1/models"),
        ("GET", "/prod/v2/balance"),
    ]
    for method, path in calls:
        assert [shows(scene.seen(method, path)) for _ in range(2)] == [LOOKS[fault][0], "200 json whole"]
    struck, good = (shows(scene.seen("POST", f"{place}/cancel")) for _ in range(2))
    assert (struck.replace("202", "200"), good) == (LOOKS[fault][0], "202 json whole")
    assert [shows(scene.seen("GET", link)) for _ in range(2)] == [LOOKS[fault][1], "200 mp4 other"]
    assert scene.simulator.ledger.submits == 1


def received(scene: Scene, link: str) -> tuple[int, bytes]:
    """Return the announced length and the bytes of a download that breaks off."""
    got = b""
    with scene.client.stream("GET", link) as answer:
        with suppress(httpx.RemoteProtocolError):
            for piece in answer.iter_raw():
                got += piece
        return int(answer.headers["content-length"]), got


def test_a_truncated_clip_is_honest_about_its_length_and_a_cut_one_is_not(stage: Stage) -> None:
    scene = stage("route: file, fault: truncated, count: 1", "route: file, fault: cut, after: 1, count: 1")
    link = scene.link()
    short = scene.client.get(link)
    assert short.content == CLIP[: len(CLIP) // 2]
    assert received(scene, link) == (len(CLIP), CLIP[: len(CLIP) // 2])


def test_a_wrong_length_comes_with_the_whole_file(stage: Stage) -> None:
    scene = stage("route: file, fault: wrong-length")
    assert received(scene, scene.link()) == (len(CLIP) + 1000, CLIP)


def test_a_dripping_file_comes_in_small_pieces(stage: Stage) -> None:
    scene = stage("route: file, fault: drip, bytes: 4000, pause_s: 0.05")
    with scene.client.stream("GET", scene.link()) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) >= 3
    assert b"".join(pieces) == CLIP


def test_a_file_that_is_too_large_says_so_and_flows_until_the_client_leaves(stage: Stage) -> None:
    scene = stage("route: file, fault: too-large")
    with scene.client.stream("GET", scene.link()) as answer:
        read = 0
        for piece in answer.iter_raw():
            read += len(piece)
            if read > 5_000_000:
                break
    assert int(answer.headers["content-length"]) == 8 << 30
    assert scene.get("/__health")["ok"]


def test_a_small_too_large_file_is_as_long_as_it_says(stage: Stage) -> None:
    scene = stage("route: file, fault: too-large, bytes: 100001")
    body = scene.client.get(scene.link()).content
    assert (len(body), body[: len(CLIP)]) == (100_001, CLIP)


@pytest.mark.parametrize("code", [403, 404])
def test_a_file_refused_once_for_each_clip(stage: Stage, code: int) -> None:
    scene = stage(f"route: file, fault: status, code: {code}, per: job, count: 1")
    links = [scene.link(), scene.link()]
    assert [scene.client.get(link).status_code for link in (*links, *links)] == [code, code, 200, 200]


def test_a_redirect_leads_to_another_host(stage: Stage) -> None:
    scene = stage(
        "route: file, fault: redirect, count: 1",
        "route: file, fault: redirect, location: 'https://x.invalid/'",
    )
    link = scene.link()
    here, there = (httpx.URL(scene.client.get(link).headers["location"]) for _ in range(2))
    assert (here.host, here.path) == ("localhost", httpx.URL(link).path)
    assert str(there) == "https://x.invalid/"


def test_a_throttled_answer_asks_for_patience_in_three_forms(stage: Stage) -> None:
    scene = stage(
        *(
            f"route: balance, fault: throttled, after: {n}, count: 1, retry_after: 7, retry_form: {form}"
            for n, form in enumerate(("seconds", "date", "none"))
        )
    )
    seconds, date, none = (scene.client.get("/prod/v2/balance").headers.get("retry-after") for _ in range(3))
    assert (seconds, none) == ("7", None)
    when = email.utils.parsedate_to_datetime(date or "").timestamp()
    assert abs(when - scene.now[0] - 7) <= 1


def test_the_token_is_revoked_in_mid_run(stage: Stage) -> None:
    scene = stage("route: any, fault: token-revoked, after: 3")
    answers = [scene.client.get("/prod/v2/balance") for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400]
    assert answers[-1].json()["error_code"] == 400004


def test_the_balance_is_gone_in_mid_run(stage: Stage) -> None:
    scene = stage("route: [submit, balance], fault: balance-gone, after: 1")
    scene.submit()
    assert scene.get("/prod/v2/balance")["balance_usd"] == 0
    refused = scene.submit()
    assert isinstance(refused, httpx.Response)
    assert refused.json()["error_code"] == 400002
    assert scene.simulator.ledger.submits == 1


def test_an_error_code_in_a_200_is_the_asked_one(stage: Stage) -> None:
    scene = stage("route: status, fault: error-code, error_code: 429001")
    assert scene.get(f"/v1/requests/{scene.job()}/status")["error_code"] == 429001


def test_a_delay_that_is_short_enough_brings_the_right_answer(stage: Stage) -> None:
    scene = stage("route: balance, fault: delay, delay_s: 0.1")
    began = time.monotonic()
    assert scene.get("/prod/v2/balance")["currency"] == "USD"
    assert time.monotonic() - began >= 0.1


def test_a_simulator_with_hanging_answers_stops_when_their_clients_have_left() -> None:
    """Else it would hang for longer than a test may take."""
    with (
        running(
            SimulatorSettings(
                script=load_script("faults: [{route: any, fault: delay, delay_s: 500}]", "f"), render=False
            )
        ) as simulator,
        pytest.raises(httpx.ReadTimeout),
    ):
        httpx.get(
            f"{simulator.base_url}/models",
            headers={"authorization": f"Bearer {SIMULATOR_TOKEN}"},
            timeout=0.1,
        )


def test_the_tables_here_cover_every_fault() -> None:
    odd = Path(__file__).with_name("test_simulator_odd_answers.py").read_text()
    written = " ".join((odd, *(rule for rule, _, _ in SUBMITS.values())))
    covered = {name for name in ALL if f"fault: {name}" in written} | {*FATES, *WORDS, *LOOKS, *ClipFlaw}
    assert set(ALL) - covered == {"lagging", "too-large"}
    assert all(ALL[name].routes == {Route.STATUS} for name in WORDS)
