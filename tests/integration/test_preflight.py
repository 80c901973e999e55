"""`check --online` against a raw server: what leaves this machine, what is believed, and what is said."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.commands.check import check
from runner.commands.steps.media_check import MEDIA_FILE, check_media
from runner.media.http.download_client import Downloads
from runner.media.http.peek import MOST_BYTES, HeadReader
from runner.media.http.response import DownloadError
from runner.media.image_size import Pixels, enough
from runner.media.preflight.preflight import PreflightReport, inspect
from runner.media.preflight.probe import LinkProbe
from runner.models.registry import Models, search_path
from runner.store.run_dir import default_run_dir
from runner.system.hosts import is_public_address
from tests.integration.test_delivery_server import (
    Answer,
    Asked,
    RawServer,
    body,
    chunked,
    drip_on,
    raw,
    raw_server,
    silence,
    status,
)
from tests.unit.test_preflight_pixels import jpeg, png, segment

MANIFEST_PAGE = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text("utf-8")
BIG = png(1920, 1080) + b"\0" * 3_000_000


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as running:
        yield running


@pytest.fixture
def peeking() -> Iterator[HeadReader]:
    with HeadReader(allow_loopback=True, deadline_s=20.0) as client:
        yield client


def board(folder: Path, *links: str, model: str = "pika/pika-2-2/image-to-video") -> Path:
    path = folder / "board.csv"
    rows = "".join(f"s{number:03},{model},{link},A boat.\n" for number, link in enumerate(links))
    path.write_text(f"id,model,image,promptText\n{rows}")
    return path


def look(manifest: Path, *, refresh: bool = False) -> PreflightReport:
    plan = check(manifest, allow_private_media=True)
    models = Models.bundled(search_path(manifest, ()))
    home = default_run_dir(manifest, name=plan.manifest.name, simulated=False)
    return check_media(plan, home, models=models, allow_private_media=True, refresh=refresh)


# peeking


def test_a_peek_reads_the_beginning_and_leaves(server: RawServer, peeking: HeadReader) -> None:
    sent = 0

    def endless(peer: socket.socket, _: Asked) -> None:
        nonlocal sent
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\nContent-Type: image/png\r\n\r\n")
        while True:
            sent += peer.send(BIG)

    found = peeking.peek(server.serve(endless), enough=enough)
    server.wait_ended(1)
    assert (found.size, found.content_type) == (10_000_000_000, "image/png")
    assert len(found.head) <= 64 * 1024
    # What the kernels on both sides had taken before the connection was closed.
    assert sent < 16_000_000


def test_a_request_carries_nothing_that_could_log_in(server: RawServer, peeking: HeadReader) -> None:
    peeking.peek(server.serve(body(png(1, 1))), enough=enough)
    (asked,) = server.asked
    assert set(asked.headers) == {
        "host", "user-agent", "accept", "accept-encoding", "connection", "range"
    }  # fmt: skip
    assert asked.headers["range"] == f"bytes=0-{MOST_BYTES - 1}"


@pytest.mark.parametrize(
    ("answer", "size"),
    [
        pytest.param(body(png(1, 1)[:100]), 100, id="whole, with its length"),
        pytest.param(body(png(1, 1)[:100], length=None), 100, id="whole, ended by the connection"),
        pytest.param(chunked(png(1, 1)[:100]), 100, id="whole, in chunks"),
        pytest.param(
            body(png(1, 1), code=206, Content_Range="bytes 0-1056/70000000"), 70_000_000, id="a part"
        ),
        pytest.param(body(png(1, 1), code=206, Content_Range="bytes 0-1056/*"), None, id="a part of what?"),
        pytest.param(chunked(BIG), None, id="more in chunks"),
        pytest.param(status(416, Content_Range="bytes */0"), 0, id="no first byte"),
        pytest.param(body(b""), 0, id="empty"),
    ],
)
def test_the_size_is_what_the_server_says_or_what_came(
    server: RawServer, peeking: HeadReader, answer: Answer, size: int | None
) -> None:
    assert peeking.peek(server.serve(answer), enough=enough).size == size


def test_a_picture_with_a_long_preface_is_read_as_far_as_needed(
    server: RawServer, peeking: HeadReader
) -> None:
    whole = jpeg(640, 480, before=segment(0xE2, b"\0" * 60_000) * 5) + b"\0" * 2_000_000
    found = peeking.peek(server.serve(body(whole)), enough=enough)
    assert 300_000 < len(found.head) < 500_000


def test_memory_is_bounded_whatever_comes(server: RawServer, peeking: HeadReader) -> None:
    found = peeking.peek(server.serve(body(b"\xff\xd8" + b"\xff" * 3_000_000)), enough=lambda _: False)
    assert len(found.head) == MOST_BYTES


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(silence, id="silent"),
        pytest.param(drip_on(b"HTTP/1.1 200 OK\r\nX-A: b"), id="dripping headers"),
        pytest.param(drip_on(b"HTTP/1.1 200 OK\r\n\r\n\0"), id="dripping body"),
    ],
)
def test_a_slow_server_is_left_at_the_deadline(server: RawServer, answer: Answer) -> None:
    """None of these answers ever ends by itself."""
    peeking, late = HeadReader(allow_loopback=True, deadline_s=0.3), r"took longer than 0\.3 s"
    with peeking, pytest.raises(DownloadError, match=late):
        peeking.peek(server.serve(answer), enough=enough)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(status(403), "HTTP 403", id="403"),
        pytest.param(body(b"x", code=206), "a part other", id="a part without its place"),
        pytest.param(body(b"x", code=206, Content_Range="bytes 5-6/9"), "a part other", id="another part"),
        pytest.param(raw(b"\x16\x03\x01 not http\r\n\r\n"), "", id="no http"),
        pytest.param(raw(b""), "", id="nothing"),
        pytest.param(body(b"x", length=500), "", id="cut off"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 500_000), "", id="endless header"),
    ],
)
def test_what_is_no_file_is_an_error(
    server: RawServer, peeking: HeadReader, answer: Answer, words: str
) -> None:
    with pytest.raises(DownloadError) as caught:
        peeking.peek(server.serve(answer), enough=enough)
    assert words in caught.value.message
    assert caught.value.message.isascii()
    assert caught.value.message.isprintable()


# redirects


def test_five_redirects_are_followed_and_six_are_not(server: RawServer, peeking: HeadReader) -> None:
    server.serve(body(png(7, 5)), path="/0")
    for hop in range(1, 7):
        server.serve(status(302, Location=f"/{hop - 1}"), path=f"/{hop}")
    assert peeking.peek(server.url("/5"), enough=enough).url == server.url("/0")
    with pytest.raises(DownloadError, match="redirects more than 5 times"):
        peeking.peek(server.url("/6"), enough=enough)


@pytest.mark.parametrize(
    "target",
    [
        "http://example.com/a.jpg",
        "https://192.168.1.1/a.jpg",
        "http://169.254.169.254/latest/meta-data",
        "https://user:pass@example.com/a.jpg",
        "file:///etc/passwd",
        "//[::ffff:10.0.0.1]/a.jpg",
        "https://metadata.google.internal/a.jpg",
    ],
)
def test_no_hop_leads_where_the_api_would_not_go(server: RawServer, target: str, tmp_path: Path) -> None:
    inspection = look(board(tmp_path, server.serve(status(302, Location=target))))
    (finding,) = inspection.errors
    assert "leads to where the API does not go" in finding.message
    assert "pass" not in finding.message.replace("passwd", "")


def test_a_public_link_is_never_led_to_this_machine(server: RawServer) -> None:
    """Without an API on this machine, loopback is refused before a byte leaves, by name and by address."""
    with HeadReader() as peeking, pytest.raises(DownloadError):
        peeking.peek(server.serve(body(png(1, 1))), enough=enough)
    # A public name that leads here: the connected address is what counts.
    rebound = Downloads(allow_loopback=True, peer_rule=is_public_address)
    with rebound, pytest.raises(DownloadError, match="not a public address"), rebound.open(server.url()):
        pass
    assert server.asked == []


def test_redirects_are_asked_without_what_the_first_host_set(server: RawServer, peeking: HeadReader) -> None:
    server.serve(status(302, Location="/there", Set_Cookie="id=1"))
    server.serve(body(png(1, 1)), path="/there")
    peeking.peek(server.url(), enough=enough)
    assert ["cookie" in asked.headers or "authorization" in asked.headers for asked in server.asked] == [
        False
    ] * 2


# the whole


def test_what_is_seen_is_judged_and_kept(server: RawServer, tmp_path: Path) -> None:
    manifest = board(tmp_path, server.serve(body(BIG, Content_Type="image/png", ETag='"v1"'), path="/a.png"))
    inspection = look(manifest)
    assert (inspection.links, inspection.findings, inspection.notes) == (1, (), ())
    kept = tmp_path / "reports" / "board" / MEDIA_FILE
    (seen,) = json.loads(kept.read_text())["looks"]
    assert (seen["size"], seen["etag"], seen["pixels"]) == (len(BIG), '"v1"', [1920, 1080])
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_fault_is_at_the_cell_of_its_link(server: RawServer, tmp_path: Path) -> None:
    manifest = board(tmp_path, server.serve(status(410), path="/gone.jpg"))
    manifest.write_text(manifest.read_text().replace("image,", "IMAGE,"))
    (finding,) = look(manifest).findings
    assert (finding.at.line, finding.at.cell) == (2, "C2")


def test_a_second_look_within_the_hour_asks_nobody(server: RawServer, tmp_path: Path) -> None:
    manifest = board(tmp_path, server.serve(body(png(1280, 1080)), path="/a.png"))
    look(manifest)
    assert look(manifest).reused == 1
    assert server.connections == 1
    assert look(manifest, refresh=True).reused == 0
    assert server.connections == 2


def test_a_manifest_without_links_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "schemas" / "acme").mkdir(parents=True)
    schema = {"type": "object", "properties": {"prompt": {"type": "string"}}}
    (tmp_path / "schemas" / "acme" / "words.json").write_text(json.dumps(schema))
    (tmp_path / "board.csv").write_text("id,model,prompt\na,acme/words,A boat.\n")
    assert look(tmp_path / "board.csv").links == 0
    assert not (tmp_path / "reports").exists()


def broken(path: Path) -> None:
    path.write_bytes(b"\xff\xfe{")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("breaks", [broken, folder])
def test_a_file_that_cannot_be_used_is_said_and_gone_round(
    server: RawServer, tmp_path: Path, breaks: Callable[[Path], None]
) -> None:
    manifest = board(tmp_path, server.serve(body(png(1280, 1080)), path="/a.png"))
    look(manifest)
    breaks(tmp_path / "reports" / "board" / MEDIA_FILE)
    inspection = look(manifest)
    assert (inspection.links, inspection.reused, inspection.findings) == (1, 0, ())
    assert "damaged" in inspection.notes[0]


def test_a_place_that_takes_no_file_is_said(server: RawServer, tmp_path: Path) -> None:
    manifest = board(tmp_path, server.serve(body(png(1280, 1080)), path="/a.png"))
    (tmp_path / "reports").write_text("in the way")
    (note,) = look(manifest).notes
    assert "the next look will be at everything again" in note


def test_a_hundred_links_are_looked_at_side_by_side(server: RawServer, tmp_path: Path) -> None:
    """Two at once at one host: half the time of one after the other, and every link asked once."""
    links = [server.serve(body(png(1280, 1080)), path=f"/{number}.png") for number in range(100)]
    assert look(board(tmp_path, *links)).findings == ()
    assert sorted(asked.path for asked in server.asked) == sorted(f"/{number}.png" for number in range(100))


# the command


def online(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["check", *map(str, words), "--online", "--simulate"])
    said = capsys.readouterr()
    return code, said.out, said.err


SECRET = "X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-Signature=SECRET"


def test_every_problem_is_one_line_and_the_code_is_65(
    server: RawServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = server.serve(body(b"<!doctype html><html>", Content_Type="text/html"), path="/share")
    gone = server.serve(status(410), path="/gone.jpg")
    over = server.serve(status(403), path="/over.jpg")
    manifest = board(tmp_path, page, gone, f"{over}?{SECRET}", gone)
    code, out, err = online(capsys, manifest)
    lines = [line.partition(": ")[2] for line in err.splitlines() if line.startswith(str(manifest))]
    assert code == 65
    assert out == ""
    assert len(lines) == 3
    assert lines[0].startswith(f"s000, inputs.image: {page} is a web page, not a picture; ")
    assert lines[1].startswith(f"s001 and 1 more, inputs.image: {gone} is gone (HTTP 410); ")
    assert lines[2].startswith(
        f"s002, inputs.image: {over} is a signed link that expired at 2020-01-01 00:01:00 UTC; "
    )
    assert "SECRET" not in err


def test_warnings_alone_end_with_0(
    server: RawServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = server.serve(body(png(1280, 1080), Content_Type="image/jpeg"), path="/a.png")
    ends = int(time.time()) + 3600
    manifest = board(tmp_path, f"{link}?expires={ends}&sig=SECRET")
    code, out, err = online(capsys, manifest)
    assert code == 0
    assert err.count("warning: ") == 2
    assert "its server calls it image/jpeg" in err
    assert "SECRET" not in out + err
    assert "1  media link looked at" in out
    assert online(capsys, manifest, "--wait", "30m")[2].count("warning: ") == 1


def test_a_screen_is_not_flooded_with_warnings(
    server: RawServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    links = [server.serve(body(png(640, 360)), path=f"/{number}.png") for number in range(60)]
    code, _, err = online(capsys, board(tmp_path, *links))
    assert code == 0
    assert err.count("warning: ") == 3
    assert "… and 57 more like it" in err
    assert "not shown: 57 of 60 problems; to see all, add --all or --output json" in err


def test_programs_get_the_same_as_json(
    server: RawServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    link = server.serve(status(404), path="/a.png")
    code, out, _ = online(capsys, board(tmp_path, f"{link}?sig=SECRET"), "--output", "json")
    document = json.loads(out)
    assert (code, document["ok"]) == (65, False)
    assert document["media"] == {
        "links": 1,
        "reused": 0,
        "notes": [],
        "findings": [
            {
                "severity": "error",
                "takes": ["s000"],
                "input": "image",
                "url": link,
                "message": "is not there (HTTP 404)",
                "advice": "correct the address, or upload the file",
            }
        ],
    }
    assert document["problems"][0]["subject"] == "s000, inputs.image"


def test_a_servers_words_cannot_steer_a_terminal(
    server: RawServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = b"HTTP/1.1 200 OK\r\nContent-Type: image/\x1b]0;owned\x07png\r\nContent-Length: 4\r\n\r\n\x1b[2J"
    moved = (
        b"HTTP/1.1 302 Go\r\nLocation: http://evil\x1b[31m.example/\xc2\x9b2J\r\nContent-Length: 0\r\n\r\n"
    )
    manifest = board(tmp_path, server.serve(raw(evil), path="/a"), server.serve(raw(moved), path="/b"))
    code, out, err = online(capsys, manifest)
    assert code == 65
    assert "\x1b" not in out + err
    assert "\x9b" not in out + err


def test_a_refresh_without_a_look_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["check", str(board(tmp_path, "https://example.com/a.jpg")), "--refresh"])
    assert code == 64
    assert "add --online" in capsys.readouterr().err


def test_check_alone_opens_no_connection_and_loads_no_client(tmp_path: Path) -> None:
    """Plain `check` stays what it was: no network and a quick start."""
    manifest = board(tmp_path, "https://example.com/a.jpg")
    program = (
        "import sys\nfrom runner.cli.main import main\n"
        f"assert main(['check', {str(manifest)!r}]) == 0\n"
        "print(sorted({'httpx', 'runner.media.preflight.probe_all', 'sqlite3'} & set(sys.modules)))"
    )
    # Coverage would measure the process, and load `sqlite3` for it.
    environ = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environ, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_terminal_sees_how_far_it_is_and_a_pipe_does_not(server: RawServer, tmp_path: Path) -> None:
    manifest = board(tmp_path, server.serve(body(png(1280, 1080)), path="/a.png"))
    words = [sys.executable, "-m", "runner", "check", str(manifest), "--online", "--simulate", "--refresh"]
    piped = subprocess.run(words, capture_output=True, check=True)
    ours, theirs = os.openpty()
    try:
        shown = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
        seen = os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    assert shown.returncode == 0
    assert b"looked at 1 of 1 link" in seen
    assert seen.endswith(b"\r\x1b[K")
    assert piped.stderr == b""


def test_the_example_on_the_page_of_the_manifest_is_what_is_said(tmp_path: Path) -> None:
    """The lines shown are those that such pictures give for the page's own board."""
    blocks = re.findall(r"^```(\w+)\n(.*?)^```$", MANIFEST_PAGE, re.DOTALL | re.MULTILINE)
    told = next(text for kind, text in blocks if kind == "text" and "of another shape" in text)
    manifest = tmp_path / "storyboard.yaml"
    manifest.write_text(next(text for kind, text in blocks if kind == "yaml"))
    wide = LinkProbe(0.0, size=9, content_type="image/jpeg", format="JPEG", pixels=Pixels(1920, 1080))
    seen = {"010b.jpg": replace(wide, pixels=Pixels(1080, 1920)), "020.jpg": replace(wide, format="HTML")}
    inspection = inspect(
        check(manifest).takes,
        find=Models.bundled().find,
        look_at_all=lambda urls: {url: seen.get(url.rpartition("/")[2], wide) for url in urls},
        kept="",
        now=0.0,
    )
    assert [
        str(finding.problem).replace(f"{tmp_path}/", "") for finding in inspection.findings
    ] == told.splitlines()
