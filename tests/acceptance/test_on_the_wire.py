"""What a gateway or a server does to an answer about money: it packs it, pads it, explains itself, repeats the token.

Each receipt is read, each reason is shown and kept, and the token stands nowhere.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.acceptance.boards import report_of, takes_of, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.faults import Change, End, Fault, Reply, Script
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.outside.wire import Request
from tests.report_page import text_of

FAST = ("-y", "--poll-interval", 0.1, "-j", 1)
ROUTES = ("submit", "status", "result", "model", "catalogue")
TOKEN = 'Canary~7Q+z/Yp=&<x>"%\\9tK'


def packed(coding: str, pack: Callable[[bytes], bytes]) -> Change:
    def change(reply: Reply, _request: Request) -> Reply:
        headers = {**reply.headers, **({"Content-Encoding": coding} if coding else {})}
        return replace(reply, body=pack(reply.body), headers=headers)

    return change


def padded(reply: Reply, _request: Request) -> Reply:
    record = {**json.loads(reply.body), "input": {"image": "data:image/png;base64," + "iVBORw0K" * 300_000}}
    return replace(reply, body=json.dumps(record).encode())


@pytest.mark.parametrize(
    "change",
    [packed("gzip", gzip.compress), packed("deflate", zlib.compress), packed("", gzip.compress)],
    ids=["gzip", "deflate", "gzip without a header"],
)
def test_a_board_is_rendered_through_a_gateway_that_packs_every_answer(desk: Desk, change: Change) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    faults = Script({(route, 0): Fault(change=change) for route in ROUTES})
    with OutsideServer(Settings(service=0.1), faults=faults) as server:
        pointed_at(server, desk).run("run", board, *FAST)
        assert len(server.ledger()) == 2
    assert [row["state"] for row in report_of(desk.folder / "reports" / "board")] == ["delivered"] * 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(change=padded),
        Fault(change=padded, cut=-100, end=End.CLOSE),
        Fault(change=padded, cut=-9, end=End.RESET),
    ],
    ids=["whole", "cut", "reset"],
)
def test_a_receipt_that_repeats_the_picture_is_read(desk: Desk, fault: Fault) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    with OutsideServer(Settings(service=0.1), faults=Script({("submit", 1): fault})) as server:
        pointed_at(server, desk).run("run", board, *FAST)
        assert len(server.ledger()) == 1


def test_what_brotli_packed_is_held_with_its_bytes_on_record(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board"
    change = packed("br", lambda _: b"\x1b\x15\x00\xf8\x8d\x94n\xc0")
    with OutsideServer(Settings(service=0.1), faults=Script({("submit", 0): Fault(change=change)})) as server:
        here = pointed_at(server, desk)
        run = here.run("run", board, *FAST, code=4)
        assert "packed as br" in run.err
        assert "base64: GxUA+I2UbsA=" in here.run("reconcile", board, code=4).out
    assert takes_of(place)[0].state == "held"


def test_an_id_under_another_name_is_proposed_and_can_be_adopted(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board"

    def renamed(reply: Reply, _request: Request) -> Reply:
        return replace(
            reply, body=json.dumps({"data": {"id": json.loads(reply.body)["request_id"]}}).encode()
        )

    with OutsideServer(
        Settings(service=0.1), faults=Script({("submit", 0): Fault(change=renamed)})
    ) as server:
        here = pointed_at(server, desk)
        here.run("run", board, *FAST, code=4)
        (charged,) = server.ledger()
        told = here.run("reconcile", board, code=4).out
        assert f"adopt t0000 {charged.request_id}" in told
        here.run("reconcile", board, "adopt", "t0000", charged.request_id)
        here.run("run", board, *FAST)
        assert len(server.ledger()) == 1
    assert report_of(place)[0]["state"] == "delivered"


REASONS = {
    "field errors": (
        json.dumps({"errors": [{"field": "seed", "message": "is unlucky"}]}).encode(),
        "seed: is unlucky",
    ),
    "plain text": (b"the seed is unlucky\n", "the seed is unlucky"),
    "problem details": (json.dumps({"title": "Unlucky", "detail": "seed 7"}).encode(), "Unlucky: seed 7"),
    "a page": (b"<html><head><title>Unlucky</title></head><p>x</p></html>", "Unlucky"),
}


@pytest.mark.parametrize("name", REASONS)
def test_a_person_reads_why_the_server_refused(desk: Desk, name: str) -> None:
    body, words = REASONS[name]
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board"
    faults = Script({("submit", 0): Fault(effect=False, reply=Reply(422, body))})
    with OutsideServer(Settings(service=0.1), faults=faults) as server:
        here = pointed_at(server, desk)
        run = here.run("run", board, *FAST, code=None)
        shown = here.run("show", board, "t0000", "-v")
    assert words in run.err
    assert words in report_of(place)[0]["error"]
    assert words in text_of(place / "report.html")
    assert body.decode().strip() in shown.out


def spelled() -> dict[str, str]:
    raw = TOKEN.encode()
    return {
        "plain": TOKEN,
        "json": json.dumps(TOKEN)[1:-1],
        "json escapes": "".join(f"\\u{byte:04x}" for byte in raw),
        "JSON escapes": "".join(f"\\u{byte:04X}" for byte in raw),
        "some json escapes": TOKEN.replace("=", "\\u003d").replace("+", "\\u002B"),
        "percent": "".join(f"%{byte:02x}" for byte in raw),
        "url": quote(TOKEN, safe=""),
        "url twice": quote(quote(TOKEN, safe=""), safe=""),
        "html": html.escape(TOKEN),
        "html decimal": "".join(f"&#{byte};" for byte in raw),
        "html hex": "".join(f"&#x{byte:X}" for byte in raw),
        "hex": raw.hex(),
        "HEX": raw.hex().upper(),
        **{f"base64 {at}": base64.b64encode(b"x" * at + raw).decode() for at in range(3)},
        **{f"url-safe {at}": base64.urlsafe_b64encode(b"x" * at + raw).decode() for at in range(3)},
    }


def test_a_token_that_comes_back_in_any_spelling_stands_in_no_output(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 6), desk.folder / "reports" / "board"
    said = " | ".join(spelled().values())
    loud = (
        b'{"error_message": '
        + json.dumps(said).encode()
        + b', "raw": "'
        + spelled()["json escapes"].encode()
        + b'"}'
    )
    page = f"<html><title>{html.escape(TOKEN)}</title>{said}</html>".encode()
    failed = json.dumps({"status": "failed", "error": said}).encode()
    faults = Script(
        {
            ("submit", 1): Fault(effect=False, reply=Reply(422, loud)),
            ("submit", 2): Fault(reply=Reply(502, page)),
            ("submit", 3): Fault(reply=Reply(200, json.dumps({"request_id": TOKEN}).encode())),
            ("submit", 4): Fault(effect=False, reply=Reply(429, page, {"Retry-After": "0"})),
            ("status", 1): Fault(reply=Reply(500, page)),
            ("status", 3): Fault(reply=Reply(200, json.dumps({"status": said}).encode())),
            ("result", 1): Fault(reply=Reply(200, failed)),
        }
    )
    with OutsideServer(Settings(service=0.1, token=TOKEN), faults=faults) as server:
        here = pointed_at(server, desk, token=TOKEN)
        outcomes = [here.run("run", board, *FAST, "--outage-limit", "5s", code=None)]
        outcomes += [here.run("show", board, f"t{number:04d}", "-v") for number in range(6)]
        outcomes += [here.run("reconcile", board, code=None), here.run("status", board, code=None)]
        outcomes += [here.run("report", board), here.run("show", board, "t0000", "--output", "json")]
    written = {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert any("state.db" in name for name in written)
    written["the page's data"] = text_of(place / "report.html").encode()
    written |= {f"output {n}": (each.out + each.err).encode() for n, each in enumerate(outcomes)}
    # The first and last letters of base64 belong to its neighbours, too.
    sought = {
        form: text[4:-4] if "64" in form or "safe" in form else text for form, text in spelled().items()
    }
    found = [
        (name, form)
        for name, data in written.items()
        for form, text in sought.items()
        if text.encode() in data
    ]
    assert found == []
    assert {take.state for take in takes_of(place)} >= {"failed", "held"}


def test_the_wal_of_a_killed_run_holds_no_token_either(desk: Desk) -> None:
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board"
    page = Reply(502, f"<p>{TOKEN} {spelled()['JSON escapes']}</p>".encode())
    with OutsideServer(
        Settings(service=30.0, token=TOKEN), faults=Script({("submit", 1): Fault(reply=page)})
    ) as server:
        process = pointed_at(server, desk, token=TOKEN).start("run", board, *FAST)
        process.wait_until(lambda _: Path(place / "state.db-wal").exists() and server.stats()["submits"] == 1)
        process.kill()
    for path in place.glob("state.db*"):
        assert not any(text.encode() in path.read_bytes() for text in spelled().values())
