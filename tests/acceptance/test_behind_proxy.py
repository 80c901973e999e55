"""A studio's network: only a proxy reaches the API, whose certificate an authority of the studio has signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.acceptance.boards import REPOSITORY, report_of, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import OUTSIDE_TOKEN
from tests.outside.authority import Authority
from tests.outside.connect_proxy import ConnectProxy, SocksProxy, Studio, TlsEnd
from tests.outside.faults import Fault, Reply, Script
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.outside.wire import Request

HOST = "api.example"
ORIGIN = f"https://{HOST}"
FAST = ("-y", "--poll-interval", 0.1, "--no-look")
SECRET = "pass-word-7"
LOGIN = f"nora:{SECRET}"


def moved(reply: Reply, _request: Request) -> Reply:
    """Return an answer whose links lead to the name that only the proxy knows."""
    return replace(reply, body=re.sub(rb"http://127\.0\.0\.1:\d+", ORIGIN.encode(), reply.body))


@dataclass(frozen=True)
class House:
    """An API behind a proxy; `desk` has the variables for it, and `proxy` what was asked of it."""

    desk: Desk
    server: OutsideServer
    studio: Studio
    proxy: ConnectProxy
    end: int


@pytest.fixture
def house(desk: Desk, tmp_path: Path) -> Iterator[House]:
    authority = Authority(tmp_path, "Studio CA")
    authority.issue("api", names=f"DNS:{HOST}")
    faults = Script({(route, 0): Fault(change=moved) for route in ("submit", "status", "result")})
    with OutsideServer(Settings(service=0.1), faults=faults) as server, Studio() as studio:
        end = studio.listen(TlsEnd(int(server.url.rpartition(":")[2])), authority.server_side("api"))
        proxy = ConnectProxy({f"{HOST}:443": end}, login=LOGIN)
        here = desk.with_environment(
            PYTHONPATH=str(REPOSITORY),
            RUNCOMFY_MODEL_API_BASE=ORIGIN,
            RUNCOMFY_TOKEN=OUTSIDE_TOKEN,
            HTTPS_PROXY=f"http://{LOGIN}@127.0.0.1:{studio.listen(proxy)}",
            SSL_CERT_FILE=str(authority.file),
        )
        yield House(here, server, studio, proxy, end)


def test_a_board_is_rendered_through_the_proxy_and_its_login_is_written_nowhere(house: House) -> None:
    board = write_csv(house.desk.folder / "board.csv", 2)
    outcome = house.desk.run("run", board, *FAST)
    assert [row["state"] for row in report_of(house.desk.folder / "reports" / "board")] == ["delivered"] * 2
    assert len(house.server.ledger()) == 2
    assert f"HTTPS_PROXY is set: requests to {HOST} go through the proxy http://127.0.0.1:" in outcome.err
    assert "SSL_CERT_FILE is set" in outcome.err
    assert all(head.startswith(b"CONNECT api.example:443 ") for head in house.proxy.heads)
    assert not any(OUTSIDE_TOKEN.encode() in head for head in house.proxy.heads)
    assert SECRET not in outcome.out + outcome.err
    written = [path for path in house.desk.folder.rglob("*") if path.is_file()]
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]


def test_a_board_is_rendered_through_socks(house: House) -> None:
    board = write_csv(house.desk.folder / "board.csv", 1)
    socks = SocksProxy({f"{HOST}:443": house.end})
    port = house.studio.listen(socks)
    house.desk.with_environment(HTTPS_PROXY=f"socks5h://127.0.0.1:{port}").run("run", board, *FAST)
    assert set(socks.asked) == {f"{HOST}:443"}
    assert len(house.server.ledger()) == 1


@pytest.mark.parametrize(
    ("environ", "code", "said"),
    [
        (
            {"SSL_CERT_FILE": ""},
            77,
            (
                "the certificate of api.example is not accepted",
                "by Studio CA",
                "set SSL_CERT_FILE",
                "go on with:",
            ),
        ),
        ({"HTTPS_PROXY": "login"}, 77, ("requires a login (HTTP 407)", "USER:PASSWORD", "go on with:")),
        ({"HTTPS_PROXY": f"ftp://{LOGIN}@p.example"}, 64, ("HTTPS_PROXY names no proxy",)),
        ({"SSL_CERT_FILE": "/none.pem"}, 64, ("SSL_CERT_FILE: /none.pem cannot be read",)),
    ],
    ids=["certificate", "login", "malformed", "unreadable"],
)
def test_what_bars_the_way_ends_the_run_before_anything_is_sent(
    house: House, environ: dict[str, str], code: int, said: tuple[str, ...]
) -> None:
    board = write_csv(house.desk.folder / "board.csv", 1)
    if environ.get("HTTPS_PROXY") == "login":
        environ = {"HTTPS_PROXY": house.desk.environment["HTTPS_PROXY"].replace(f"{LOGIN}@", "")}
    here = house.desk.with_environment(**environ)
    outcome = here.run("run", board, *FAST, code=code)
    assert all(words in " ".join(outcome.err.split()) for words in said), outcome.err
    assert SECRET not in outcome.err
    assert house.server.ledger() == []
    found = here.run("doctor", code=2)
    assert SECRET not in found.out
    # The same command goes on once the way is open.
    house.desk.run("run", board, *FAST)
    assert len(house.server.ledger()) == 1


def test_the_doctor_asks_through_the_proxy(house: House) -> None:
    found = house.desk.run("doctor")
    assert f"{ORIGIN} answers, and takes the token" in found.out
    assert "from HTTPS_PROXY, with a login" in found.out
    assert "SSL_CERT_FILE=" in found.out
    assert len(house.proxy.heads) == 1
