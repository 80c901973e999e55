"""Every route of the simulated API over real sockets, with the switches for what the real one leaves open."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from runner.domain.errors import CannotCreate, UsageError
from runner.simulator.clip_cache import FALLBACK
from runner.simulator.server import RunningSimulator, running
from runner.simulator.settings import SIMULATOR_TOKEN, SimulatorSettings
from runner.system.canonical_json import JsonValue

Record: TypeAlias = dict[str, Any]
MODEL, STILL = "tiny/image-to-video", "other/still"
SCHEMAS: Mapping[str, Record] = {
    MODEL: {
        "type": "object",
        "required": ["image"],
        "properties": {
            "image": {"type": "string"},
            "promptText": {"type": "string"},
            "seed": {"type": "integer"},
            "duration": {"type": "integer"},
        },
    },
    STILL: {"type": "object", "properties": {"image": {"type": "string"}}},
}
"""Two models that the package does not have."""
BODY = {"image": "https://example.com/a.jpg", "promptText": "he smiles", "seed": 7, "duration": 5}


@dataclass
class HandClock:
    """Wall time that stands still until it is moved."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    """A running simulator, a client with its token, and the hand that moves its clock."""

    simulator: RunningSimulator
    client: httpx.Client
    clock: HandClock

    def submit(self, **changes: JsonValue) -> httpx.Response:
        return self.client.post(f"/v1/models/{MODEL}", json={**BODY, **changes})

    def accepted(self, **changes: JsonValue) -> str:
        return str(self.submit(**changes).json()["request_id"])

    def get(self, path: str) -> Record:
        record: Record = self.client.get(path).json()
        return record

    def status(self, request_id: str) -> Record:
        return self.get(f"/v1/requests/{request_id}/status")

    def result(self, request_id: str, query: str = "") -> Record:
        return self.get(f"/v1/requests/{request_id}/result{query}")

    def cancel(self, request_id: str) -> httpx.Response:
        return self.client.post(f"/v1/requests/{request_id}/cancel")


OpenBench = Callable[..., Bench]


def written(folder: Path) -> Path:
    for name, schema in SCHEMAS.items():
        path = folder / f"{name}.json"
        path.parent.mkdir()
        path.write_text(json.dumps(schema))
    return folder


@contextmanager
def bench_of(settings: SimulatorSettings) -> Iterator[Bench]:
    clock = HandClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        running(settings, schema_dirs=[written(Path(folder))], clock=clock) as simulator,
        httpx.Client(
            base_url=simulator.origin, headers={"authorization": f"Bearer {settings.token or 'anyone'}"}
        ) as client,
    ):
        yield Bench(simulator, client, clock)


@pytest.fixture
def open_bench() -> Iterator[OpenBench]:
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            bench_of(SimulatorSettings(**{"render": False, **settings}))
        )


@pytest.fixture
def bench(open_bench: OpenBench) -> Bench:
    return open_bench()


def test_a_submit_is_accepted_with_an_id_and_three_links(bench: Bench) -> None:
    answer = bench.submit()
    record = answer.json()
    place = f"{bench.simulator.base_url}/requests/{record['request_id']}"
    assert answer.status_code == 200
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,128}", record["request_id"])
    assert [record[f"{name}_url"] for name in ("status", "result", "cancel")] == [
        f"{place}/status",
        f"{place}/result",
        f"{place}/cancel",
    ]


def test_every_accepted_submit_is_a_charge_whatever_headers_came(bench: Bench) -> None:
    for _ in range(2):
        bench.client.post(f"/v1/models/{MODEL}", json=BODY, headers={"idempotency-key": "same"})
    ledger = bench.simulator.ledger
    assert (ledger.submits, ledger.distinct, len(ledger.doubled())) == (2, 1, 1)


def test_a_job_goes_from_queue_to_run_to_a_result_with_a_clip(open_bench: OpenBench) -> None:
    bench = open_bench(slots=1)
    first, second = bench.accepted(), bench.accepted(seed=8)
    assert [bench.status(name)["queue_position"] for name in (first, second)] == [0, 1]
    bench.clock.now += 1
    assert bench.status(first)["status"] == "in_progress"
    assert bench.status(second)["queue_position"] == 0
    bench.clock.now += 10
    assert bench.status(first)["status"] == "completed"
    record = bench.result(first)
    assert record["status"] == "succeeded"
    assert record["input"] == BODY
    assert record["created_at"] < record["finished_at"]
    assert "cost" not in record
    clip = httpx.get(record["output"]["video"])
    assert (clip.status_code, clip.headers["content-type"], clip.content) == (
        200,
        "video/mp4",
        FALLBACK.read_bytes(),
    )


def test_a_result_asked_too_early_is_the_state(bench: Bench) -> None:
    request_id = bench.accepted()
    assert bench.result(request_id)["status"] == "in_queue"
    bench.clock.now += 1
    record = bench.result(request_id)
    assert (record["status"], record["output"]) == ("in_progress", None)


def test_a_result_asked_too_early_can_be_an_error(open_bench: OpenBench) -> None:
    bench = open_bench(early_result="error")
    assert bench.result(bench.accepted())["error_code"] == 400005


@pytest.mark.parametrize("word", ["completed", "failed"])
def test_a_failed_run_says_so_on_its_result(open_bench: OpenBench, word: str) -> None:
    bench = open_bench(fail_rate=1.0, failed_word=word)
    request_id = bench.accepted()
    bench.clock.now += 60
    record = bench.result(request_id)
    assert bench.status(request_id)["status"] == word
    assert (record["status"], record["output"]) == ("failed", None)
    assert "could not render" in record["error"]


def test_the_cost_is_told_when_asked_for_and_known(open_bench: OpenBench) -> None:
    bench = open_bench(late_cost_s=30)
    request_id = bench.accepted()
    bench.clock.now += 10
    assert "cost" not in bench.result(request_id, "?include_cost=true")
    bench.clock.now += 30
    entry = bench.get(f"/v1/models/{MODEL}")
    assert bench.result(request_id, "?include_cost=true")["cost"] == pytest.approx(
        5 * entry["base_price_usd"]
    )
    assert "cost" not in bench.result(request_id)


def test_only_a_waiting_job_can_be_cancelled(bench: Bench) -> None:
    waiting, under_way = bench.accepted(), bench.accepted(seed=8)
    answer = bench.cancel(waiting)
    assert (answer.status_code, answer.json()["outcome"]) == (202, "cancelled")
    bench.clock.now += 1
    late = bench.cancel(under_way).json()
    assert (late["status"], late["outcome"]) == ("in_progress", "not_cancellable")
    assert bench.cancel(waiting).json()["outcome"] == "not_cancellable"
    assert bench.status(waiting)["status"] == bench.result(waiting)["status"] == "cancelled"
    assert bench.simulator.ledger.submits == 2


@pytest.mark.parametrize("status", [400, 401])
def test_every_call_needs_the_token(open_bench: OpenBench, status: int) -> None:
    bench = open_bench(auth_status=status)
    place = f"/v1/requests/{bench.accepted()}"
    posts = [("POST", path) for path in (f"/v1/models/{MODEL}", f"{place}/cancel")]
    paths = (f"{place}/status", f"{place}/result", "/v1/models", f"/v1/models/{MODEL}", "/prod/v2/balance")
    for method, path in [*posts, *(("GET", path) for path in paths)]:
        for header in ("", "Bearer wrong", f"Basic {SIMULATOR_TOKEN}", SIMULATOR_TOKEN):
            answer = bench.client.request(method, path, headers={"authorization": header})
            assert (answer.status_code, answer.json()["error_code"]) == (status, 400004)
    assert bench.simulator.ledger.submits == 1


def test_without_a_set_token_any_will_do_and_each_is_an_account_of_its_own(open_bench: OpenBench) -> None:
    bench = open_bench(token=None)
    request_id = bench.accepted()
    answer = bench.client.get(
        f"/v1/requests/{request_id}/status", headers={"authorization": "Bearer stranger"}
    )
    assert (answer.status_code, answer.json()["error_code"]) == (403, 403001)
    assert bench.client.get("/v1/models", headers={"authorization": ""}).status_code == 400


@pytest.mark.parametrize("status", [422, 400])
def test_a_body_that_does_not_fit_is_refused_and_not_charged(open_bench: OpenBench, status: int) -> None:
    bench = open_bench(bad_input_status=status)
    for raw in (b"{}", b"", b"[1]", b'{"image":NaN}', b"\xff", b"[" * 100_000):
        answer = bench.client.post(f"/v1/models/{MODEL}", content=raw)
        assert answer.status_code == status
        assert answer.json()["error_message"]
    assert bench.simulator.ledger.submits == 0


def test_a_body_that_does_not_fit_is_told_its_fields(bench: Bench) -> None:
    answer = bench.client.post(f"/v1/models/{MODEL}", json={"seed": 1})
    assert answer.json()["detail"] == [
        {"loc": ["body", "image"], "msg": "missing, and the model requires it", "type": "value_error"}
    ]


@pytest.mark.parametrize("status", [400, 404])
def test_an_unknown_model_is_refused(open_bench: OpenBench, status: int) -> None:
    bench = open_bench(unknown_model_status=status)
    for answer in (
        bench.client.post("/v1/models/no/such", json=BODY),
        bench.client.get("/v1/models/no/such"),
    ):
        assert (answer.status_code, answer.json()["error_code"]) == (status, 400001)


@pytest.mark.parametrize(
    ("name", "status", "code"), [("nobody", 404, 404001), ("a.b", 400, 400001), ("x" * 129, 400, 400001)]
)
def test_an_id_that_is_not_known_is_refused(bench: Bench, name: str, status: int, code: int) -> None:
    answer = bench.client.get(f"/v1/requests/{name}/status")
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


def test_ids_and_files_expire_a_set_time_after_the_end(open_bench: OpenBench) -> None:
    bench = open_bench(id_ttl_s=100, file_ttl_s=50)
    request_id = bench.accepted()
    bench.clock.now += 10
    link = bench.result(request_id)["output"]["video"]
    seen = []
    for _ in range(3):
        seen.append(
            (httpx.get(link).status_code, bench.client.get(f"/v1/requests/{request_id}/result").status_code)
        )
        bench.clock.now += 50
    assert seen == [(200, 200), (404, 200), (404, 404)]


def test_a_file_is_not_there_before_its_job_has_ended(bench: Bench) -> None:
    bench.accepted()
    [job] = bench.simulator.ledger.charges()
    link = f"{bench.simulator.origin}/files/{job.file}"
    before = httpx.get(link).status_code
    bench.clock.now += 10
    assert (before, httpx.get(link).status_code) == (404, 200)
    assert httpx.get(f"{bench.simulator.origin}/files/other.mp4").status_code == 404
    assert job.request_id not in link


def test_files_are_served_in_ranges_under_one_etag_and_a_token_there_is_a_leak(bench: Bench) -> None:
    request_id = bench.accepted()
    bench.clock.now += 10
    link = bench.result(request_id)["output"]["video"]
    whole, start = httpx.get(link), httpx.get(link, headers={"range": "bytes=0-99"})
    rest = httpx.get(link, headers={"range": "bytes=100-", "if-range": whole.headers["etag"]})
    assert (start.status_code, rest.status_code, start.headers["etag"]) == (206, 206, whole.headers["etag"])
    assert start.content + rest.content == whole.content
    assert httpx.get(link, headers={"range": "bytes=99999999-"}).status_code == 416
    assert bench.simulator.ledger.token_leaks == 0
    bench.client.get(link)
    assert bench.simulator.ledger.token_leaks == 1


def test_the_catalogue_is_paged_filtered_and_says_that_prices_are_invented(bench: Bench) -> None:
    ids = [entry["id"] for entry in bench.get("/v1/models")["models"]]
    assert ids == sorted({*SCHEMAS, *ids})
    page = bench.get(f"/v1/models?limit=1&offset={ids.index(MODEL)}")
    assert ([entry["id"] for entry in page["models"]], page["total"]) == ([MODEL], len(ids))
    assert [entry["id"] for entry in bench.get("/v1/models?search=STILL")["models"]] == [STILL]
    assert bench.get("/v1/models?category=audio") == {"models": [], "total": 0}
    [entry] = bench.get("/v1/models?search=tiny&kind=image-to-video&include_schema=true")["models"]
    assert entry == bench.get(f"/v1/models/{MODEL}")
    assert entry["pricing_note"] == "invented by the simulator"
    assert (entry["price_unit"], entry["required_inputs"]) == ("second", ["image"])
    assert entry["input_schema"]["required"] == ["image"]
    assert "input_schema" not in page["models"][0]
    assert bench.get(f"/v1/models/{STILL}")["price_unit"] == "output"


@pytest.mark.parametrize("status", [400, 402])
def test_the_balance_falls_with_every_charge_until_nothing_is_accepted(
    open_bench: OpenBench, status: int
) -> None:
    bench = open_bench(balance_usd=0.01, no_balance_status=status)
    assert bench.get("/prod/v2/balance") == {
        "balance_usd": 0.01,
        "balance_microdollars": 10_000,
        "currency": "USD",
    }
    bench.accepted()
    [job] = bench.simulator.ledger.charges()
    assert bench.get("/prod/v2/balance")["balance_microdollars"] == 10_000 - job.price < 0
    refused = bench.submit(seed=8)
    assert (refused.status_code, refused.json()["error_code"]) == (status, 400002)
    assert bench.simulator.ledger.submits == 1


def test_the_ledger_page_tells_what_was_charged(bench: Bench) -> None:
    request_id = bench.accepted()
    bench.accepted()
    bench.status(request_id)
    page = httpx.get(f"{bench.simulator.origin}/__ledger").json()
    [job, _] = bench.simulator.ledger.charges()
    assert (page["submits"], page["distinct"], page["doubled"], page["peak_outstanding"]) == (2, 1, 1, 2)
    assert page["hits"] == {"submit": 2, "status": 1}
    first = page["charges"][0]
    assert (first["request_id"], first["model"], first["body"]) == (request_id, MODEL, BODY)
    assert (first["body_sha256"], first["state"]) == (job.body_sha256, "in_queue")
    assert SIMULATOR_TOKEN not in str(page["charges"])


def test_health_needs_no_token(bench: Bench) -> None:
    health = httpx.get(f"{bench.simulator.origin}/__health").json()
    assert health == {"ok": True, "simulated": True, "previews": False}


def test_a_simulator_that_comes_back_knows_its_jobs_its_files_and_its_money(
    tmp_path: Path,
) -> None:
    settings = SimulatorSettings(ledger=tmp_path / "ledger.jsonl", render=False)
    with bench_of(settings) as bench:
        request_id, cancelled = bench.accepted(), bench.accepted(seed=8)
        bench.cancel(cancelled)
        balance = bench.get("/prod/v2/balance")
        bench.clock.now += 10
        name = bench.result(request_id)["output"]["video"].rpartition("/")[2]
    with bench_of(settings) as bench:
        assert (bench.status(request_id)["status"], bench.status(cancelled)["status"]) == (
            "in_queue",
            "cancelled",
        )
        bench.clock.now += 10
        assert bench.result(request_id)["output"]["video"] == f"{bench.simulator.origin}/files/{name}"
        assert bench.get("/prod/v2/balance") == balance
        assert bench.simulator.ledger.submits == 2


def test_real_clips_are_rendered_beside_the_answers_and_kept(open_bench: OpenBench, tmp_path: Path) -> None:
    bench = open_bench(render=True, clips=tmp_path / "clips")
    request_id, again = bench.accepted(duration=1), bench.accepted(duration=1)
    bench.clock.now += 10
    clips = [httpx.get(bench.result(name)["output"]["video"]).content for name in (request_id, again)]
    assert bench.simulator.previews
    assert clips[0] == clips[1] != FALLBACK.read_bytes()
    assert clips[0][4:8] == b"ftyp"
    assert [path.read_bytes() for path in (tmp_path / "clips").iterdir()] == [clips[0]]


def test_two_simulators_run_side_by_side_and_stop_at_once() -> None:
    with bench_of(SimulatorSettings(render=False)) as one, bench_of(SimulatorSettings(render=False)) as other:
        one.accepted()
        assert (one.simulator.ledger.submits, other.simulator.ledger.submits) == (1, 0)
        origin = one.simulator.origin
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{origin}/__health")


@pytest.mark.parametrize("port", [None, 99999])
def test_a_port_that_cannot_be_had_is_named(bench: Bench, port: int | None) -> None:
    taken = port or int(bench.simulator.origin.rpartition(":")[2])
    with (
        pytest.raises(UsageError, match=f"port {taken} cannot be used"),
        running(SimulatorSettings(), port=taken),
    ):
        raise AssertionError("it ran")


def test_a_clip_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(CannotCreate, match="cannot be made"),
        running(SimulatorSettings(clips=tmp_path / "file" / "clips")),
    ):
        raise AssertionError("it ran")


def test_the_bundled_models_are_served_when_none_are_given() -> None:
    with running(SimulatorSettings(render=False)) as simulator:
        headers = {"authorization": f"Bearer {simulator.token}"}
        link = f"{simulator.base_url}/models/pika/pikaframes"
        entry = httpx.get(link, headers=headers).json()
        refused = httpx.post(link, json={"promptText": "x", "duration": 11}, headers=headers)
    assert entry["required_inputs"] == ["keyFramesFirst", "keyFramesLast", "promptText"]
    fields = {fault["loc"][1] for fault in refused.json()["detail"]}
    assert fields == {"keyFramesFirst", "keyFramesLast", "duration"}


SERVE = """
from runner.simulator.server import serve
from runner.simulator.settings import SimulatorSettings
serve(SimulatorSettings(render=False), on_ready=lambda simulator: print(simulator.origin, flush=True))
print("stopped", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_served_simulator_stops_cleanly_when_asked(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    origin = process.stdout.readline().strip()
    assert httpx.get(f"{origin}/__health").json()["ok"]
    os.kill(process.pid, number)
    out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "stopped\n", "")
