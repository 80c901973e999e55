"""The counting server itself: its routes, its counts, its ledger, and every basic fault, over real sockets."""

from __future__ import annotations

import ast
import hashlib
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.outside.faults import BASIC, At, End, Fault, Faults, Reply, Script, truthful
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

QUICK = Settings(slots=2, service=0.02, token="t")
SLOW = Settings(slots=1, service=30, token="t")
AUTH = {"Authorization": "Bearer t"}
INPUTS = {
    "keyFramesFirst": "https://example.com/a",
    "keyFramesLast": "https://example.com/b",
    "promptText": "p",
}
SUBMIT = "/v1/models/pika/pikaframes"
Answer = tuple[int, dict[str, str], bytes]


def address(server: OutsideServer) -> tuple[str, int]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return host, int(port)


def call(
    server: OutsideServer,
    method: str,
    path: str,
    body: object = None,
    *,
    headers: dict[str, str] = AUTH,
    timeout: float = 5,
) -> Answer:
    """Make one request on a connection of its own."""
    connection = http.client.HTTPConnection(*address(server), timeout=timeout)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def read(server: OutsideServer, method: str, path: str, body: object = None) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(call(server, method, path, body)[2])
    return answer


def submit(server: OutsideServer, prompt: str = "p") -> str:
    request_id: str = read(server, "POST", SUBMIT, {**INPUTS, "promptText": prompt})["request_id"]
    return request_id


def finished(server: OutsideServer, request_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + 5
    while read(server, "GET", f"/v1/requests/{request_id}/status")["status"] != "completed":
        assert time.monotonic() < deadline
    return read(server, "GET", f"/v1/requests/{request_id}/result")


def boxes(clip: bytes) -> Iterator[str]:
    """Walk the top-level boxes of an MP4; the sizes must add up to the whole."""
    at = 0
    while at < len(clip):
        yield clip[at + 4 : at + 8].decode()
        at += int.from_bytes(clip[at : at + 4], "big")
    assert at == len(clip)


def test_a_job_goes_from_submit_to_a_clip_that_carries_its_own_id() -> None:
    with OutsideServer(QUICK) as server:
        request_id = submit(server)
        result = finished(server, request_id)
        status, headers, clip = call(server, "GET", f"/files/{request_id}.mp4", headers={})
    assert result["status"] == "succeeded"
    assert result["output"] == {"video": f"{server.url}/files/{request_id}.mp4"}
    assert (status, headers["content-type"]) == (200, "video/mp4")
    assert len(clip) == int(headers["content-length"]) == QUICK.clip_bytes
    assert list(boxes(clip)) == ["ftyp", "moov", "mdat"]
    assert request_id.encode() in clip


def test_a_job_waits_for_a_slot_with_a_falling_place_and_only_then_can_be_cancelled() -> None:
    with OutsideServer(SLOW) as server:
        running, first, second = (submit(server, prompt) for prompt in "abc")
        assert read(server, "GET", f"/v1/requests/{running}/status")["status"] == "in_progress"
        assert read(server, "GET", f"/v1/requests/{second}/status")["queue_position"] == 2
        assert read(server, "POST", f"/v1/requests/{first}/cancel")["outcome"] == "cancelled"
        assert read(server, "GET", f"/v1/requests/{second}/status")["queue_position"] == 1
        refused = call(server, "POST", f"/v1/requests/{running}/cancel")
        assert (refused[0], json.loads(refused[2])["outcome"]) == (202, "not_cancellable")
        assert read(server, "GET", f"/v1/requests/{first}/result")["status"] == "cancelled"
        assert server.stats()["outstanding"] == 2


def test_every_accepted_submit_is_a_new_charge_and_the_same_body_twice_is_counted_as_doubled() -> None:
    with OutsideServer(QUICK) as server:
        ids = [submit(server, prompt) for prompt in ("a", "a", "b")]
        for request_id in ids:
            finished(server, request_id)
        ledger, stats = server.ledger(), read(server, "GET", "/__stats")
        served = json.loads(call(server, "GET", "/__ledger")[2])
    assert [entry.request_id for entry in ledger] == ids == [entry["request_id"] for entry in served]
    assert all(entry.sha256 == hashlib.sha256(entry.body.encode()).hexdigest() for entry in ledger)
    assert ledger[0].body == ledger[1].body != ledger[2].body
    assert [entry.at for entry in ledger] == sorted(entry.at for entry in ledger)
    assert (stats["submits"], stats["distinct"], stats["doubled"]) == (3, 2, 1)
    assert (stats["outstanding"], stats["calls"]["submit"], stats["calls"]["result"]) == (0, 3, 3)
    assert stats["looks"] == stats["calls"]["status"] >= 3
    assert 3 * 20 <= stats["busy_ms"] < 3 * 500
    assert stats["last_done"] > stats["first_submit"] > 0


def test_peak_outstanding_is_the_most_that_were_accepted_and_not_ended_at_once() -> None:
    with OutsideServer(Settings(slots=2, service=0.1, token="t")) as server:
        ids = [submit(server, str(number)) for number in range(4)]
        for request_id in ids:
            finished(server, request_id)
        finished(server, submit(server, "late"))
        assert server.stats()["peak_outstanding"] == 4


REFUSALS = {
    "no token": ("POST", SUBMIT, INPUTS, {}, 400, 400004),
    "wrong token": ("GET", "/v1/requests/x/status", None, {"Authorization": "Bearer other"}, 400, 400004),
    "unknown model": ("POST", "/v1/models/pika/other", INPUTS, AUTH, 400, 400001),
    "missing input": ("POST", SUBMIT, {"promptText": "p"}, AUTH, 422, None),
    "not an object": ("POST", SUBMIT, [1], AUTH, 422, None),
    "unknown id": ("GET", "/v1/requests/x/result", None, AUTH, 404, 404001),
    "unknown id, cancel": ("POST", "/v1/requests/x/cancel", None, AUTH, 404, 404001),
    "unknown route": ("GET", "/v1/other", None, AUTH, 404, 404001),
    "wrong method": ("DELETE", SUBMIT, None, AUTH, 404, 404001),
}


@pytest.mark.parametrize("case", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_its_status_and_code_and_charges_nothing(
    case: tuple[str, str, object, dict[str, str], int, int | None],
) -> None:
    method, path, body, headers, status, code = case
    with OutsideServer(QUICK) as server:
        answer = call(server, method, path, body, headers=headers)
        assert (answer[0], json.loads(answer[2]).get("error_code")) == (status, code)
        assert server.ledger() == []


def test_the_balance_falls_with_each_charge_and_refuses_when_it_is_spent() -> None:
    with OutsideServer(Settings(balance=0.5, price=0.25, token="t")) as server:
        submit(server, "a")
        left = read(server, "GET", "/prod/v2/balance")
        submit(server, "b")
        refused = read(server, "POST", SUBMIT, INPUTS)
        assert left == {"balance_usd": 0.25, "balance_microdollars": 250_000, "currency": "USD"}
        assert (refused["error_code"], len(server.ledger())) == (400002, 2)


def test_the_catalogue_can_be_searched_and_paged_and_shows_one_model() -> None:
    with OutsideServer(QUICK) as server:
        everything = read(server, "GET", "/v1/models")
        second = read(server, "GET", "/v1/models?limit=1&offset=1&include_schema=true")
        found = read(server, "GET", "/v1/models?search=pikaframes")
        one = read(server, "GET", SUBMIT)
    assert [everything["total"], second["total"], found["total"]] == [2, 2, 1]
    assert second["models"][0]["model_id"] == everything["models"][1]["model_id"]
    assert "input_schema" in second["models"][0]
    assert "input_schema" not in found["models"][0]
    assert one["required_inputs"] == ["keyFramesFirst", "keyFramesLast", "promptText"]


def test_cost_is_told_only_when_asked() -> None:
    with OutsideServer(QUICK) as server:
        request_id = submit(server)
        assert "cost" not in finished(server, request_id)
        asked = read(server, "GET", f"/v1/requests/{request_id}/result?include_cost=true")
        assert asked["cost"] == QUICK.price


def test_files_need_no_token_and_one_that_comes_is_counted_as_a_leak() -> None:
    with OutsideServer(QUICK) as server:
        request_id = submit(server)
        finished(server, request_id)
        call(server, "GET", f"/files/{request_id}.mp4", headers={})
        assert (server.stats()["downloads"], server.stats()["leaks"]) == (1, 0)
        call(server, "GET", f"/files/{request_id}.mp4", headers=AUTH)
        assert (server.stats()["downloads"], server.stats()["leaks"]) == (2, 1)


def test_a_range_goes_on_where_it_was_cut_unless_the_file_is_another() -> None:
    with OutsideServer(QUICK) as server:
        path = f"/files/{(request_id := submit(server))}.mp4"
        finished(server, request_id)
        _, headers, whole = call(server, "GET", path)
        rest = call(server, "GET", path, headers={"Range": "bytes=100-", "If-Range": headers["etag"]})
        other = call(server, "GET", path, headers={"Range": "bytes=100-", "If-Range": '"other"'})
        past = call(server, "GET", path, headers={"Range": f"bytes={len(whole)}-"})
    assert (rest[0], rest[2]) == (206, whole[100:])
    assert rest[1]["content-range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    assert (other[0], other[2]) == (200, whole)
    assert (past[0], past[1]["content-range"]) == (416, f"bytes */{len(whole)}")


def exchange(server: OutsideServer, *pieces: bytes, timeout: float = 1.0) -> bytes:
    """Send pieces over one raw socket and return what came until the end or until `timeout` passed in silence."""
    got = b""
    with socket.create_connection(address(server), timeout=timeout) as raw:
        for piece in pieces:
            raw.sendall(piece)
        try:
            while chunk := raw.recv(65536):
                got += chunk
        except TimeoutError:
            pass
    return got


PLAIN = b"GET /__stats HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /__stats HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "pieces",
    [(PLAIN + PLAIN + LAST,), (PLAIN, PLAIN, LAST), tuple(bytes([byte]) for byte in PLAIN + PLAIN + LAST)],
    ids=["pipelined", "one after another", "byte by byte"],
)
def test_one_connection_carries_many_requests_however_they_are_cut(pieces: tuple[bytes, ...]) -> None:
    with OutsideServer(QUICK) as server:
        assert exchange(server, *pieces).count(b"HTTP/1.1 200 OK\r\n") == 3
        assert server.stats()["calls"]["connect"] == 1


@pytest.mark.parametrize(
    "head",
    [b"nonsense", b"GET / HTTP/2", b"GET / HTTP/1.1\r\nno colon", b"POST / HTTP/1.1\r\nContent-Length: -1"],
)
def test_what_is_not_http_is_refused_and_the_connection_ends(head: bytes) -> None:
    with OutsideServer(QUICK) as server:
        assert exchange(server, head + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


# What a client must see for each basic fault on a submit, and whether it was charged all the same.
SEEN: dict[str, tuple[object, int]] = {
    "closed on connect": (http.client.RemoteDisconnected, 0),
    "reset on connect": (ConnectionResetError, 0),
    "closed after headers": (http.client.RemoteDisconnected, 0),
    "reset in mid-body": (ConnectionResetError, 0),
    "413 in mid-body": (413, 0),
    "closed before effect": (http.client.RemoteDisconnected, 0),
    "reset before effect": (ConnectionResetError, 0),
    "closed after effect": (http.client.RemoteDisconnected, 1),
    "reset after effect": (ConnectionResetError, 1),
    "silent after effect": (TimeoutError, 1),
    "half a status line": (http.client.BadStatusLine, 1),
    "junk": (http.client.BadStatusLine, 1),
    "body cut by FIN": (http.client.IncompleteRead, 1),
    "body cut by RST": (ConnectionResetError, 1),
    "body stalls": (TimeoutError, 1),
    "late": (200, 1),
    "dripping": (200, 1),
    "closed while idle": (200, 1),
    "503 before effect": (503, 0),
    "503 after effect": (503, 1),
    "429 with Retry-After": (429, 0),
    "HTML with 200": (200, 1),
    "empty 200": (200, 1),
}


def seen(server: OutsideServer) -> object:
    """Return the status of a submit, or the class of what the standard client made of it."""
    try:
        return call(server, "POST", SUBMIT, INPUTS, timeout=0.7)[0]
    except (http.client.HTTPException, OSError) as error:
        return type(error)


@pytest.mark.parametrize("name", BASIC)
def test_each_basic_fault_is_what_it_says_and_strikes_once(name: str) -> None:
    fault = BASIC[name]
    route = "connect" if fault.at is At.CONNECT else "submit"
    outcome, charged = SEEN[name]
    with OutsideServer(SLOW, faults=Script({(route, 1): fault})) as server:
        first, charges = seen(server), len(server.ledger())
        second = seen(server)
        assert (first, charges) == (outcome, charged)
        assert (second, len(server.ledger())) == (200, charged + 1)


def test_a_late_answer_is_late_and_a_dripping_one_comes_in_pieces() -> None:
    faults = Script({("stats", 1): Fault(delay=0.15), ("stats", 2): Fault(drip=(30, 0.02))})
    with OutsideServer(QUICK, faults=faults) as server:
        for least in (0.15, 0.1):
            begun = time.monotonic()
            assert call(server, "GET", "/__stats")[0] == 200
            assert time.monotonic() - begun >= least


def test_an_idle_connection_ends_after_a_whole_answer_without_a_word() -> None:
    """What makes a stale keep-alive connection: nothing in the answer says that it will close."""
    with OutsideServer(QUICK, faults=Script({("stats", 1): BASIC["closed while idle"]})) as server:
        got = exchange(server, PLAIN, timeout=3)
    assert got.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" not in got.lower()
    assert got.endswith(b"}")


def test_a_fault_that_keeps_the_connection_lets_the_next_request_through() -> None:
    with OutsideServer(QUICK, faults=Script({("stats", 1): Fault(reply=Reply(502), delay=0.02)})) as server:
        got = exchange(server, PLAIN + LAST)
    assert [got.index(b"HTTP/1.1 502"), got.count(b"HTTP/1.1 200")] == [0, 1]


def test_a_script_strikes_the_named_call_and_number_0_every_other() -> None:
    one, rest = Fault(end=End.CLOSE), Fault(end=End.RESET)
    faults: Faults = Script({("submit", 2): one, ("submit", 0): rest})
    assert [faults("submit", nth) for nth in (1, 2, 3)] == [rest, one, rest]
    assert faults("status", 2) is truthful("status", 2) is None


def test_a_process_of_its_own_says_its_port_and_ends_when_told() -> None:
    command = [
        sys.executable,
        "-m",
        "tests.outside.server",
        "--slots",
        "3",
        "--service",
        "10",
        "--clip-bytes",
        "999",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/__stats")
        assert json.loads(connection.getresponse().read())["submits"] == 0
        process.terminate()
        assert process.wait(5) == 0
        connection.close()


def test_the_judge_imports_nothing_of_the_program_it_judges() -> None:
    for file in (Path(__file__).parents[1] / "outside").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "runner"], file.name
