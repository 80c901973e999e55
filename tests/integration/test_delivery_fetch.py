"""Clips come home whole or not at all, once, and beside a sidecar that says what they are."""

from __future__ import annotations

import errno
import gzip
import hashlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pytest

from runner.delivery.clip_delivery import ClipDelivery
from runner.delivery.task import DeliveryTask
from runner.domain.api_answers import FetchAnswer, FetchTrouble
from runner.domain.errors import DiskFailed
from runner.domain.shots import Ticket
from runner.domain.states import Delivered, TakeState
from runner.engine.ports import Delivery
from runner.media.clips.clip_fetch import ClipFetch
from runner.media.clips.download import OVERLAP_BYTES, ClipDownload, Limits, NotDelivered
from runner.media.clips.fetch import FetchOptions, disk_answer, fetch_clip, room_for_clips
from runner.media.clips.folder import Folder
from runner.media.clips.part_file import PartFile
from runner.media.clips.sidecar import CLIPS
from runner.media.http.download_client import Downloads
from tests.integration.test_delivery_server import (
    Answer,
    Asked,
    RawServer,
    body,
    chunked,
    cut,
    drip,
    film,
    raw_server,
    reply,
    status,
    store,
)

FILM = film(40_000, fill=Random(1).randbytes(40_000))
TAKE = "s010@resolution=720p,seed=7"


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server
    for asked in server.asked:
        assert not asked.headers.keys() & {"authorization", "cookie", "proxy-authorization"}


@pytest.fixture
def options(tmp_path: Path) -> FetchOptions:
    return FetchOptions(run_dir=tmp_path, allow_loopback=True, deadline_s=5, spare_bytes=0)


def order(*outputs: str, request_id: str = "req-1") -> Ticket:
    body_text = '{"promptText":"a hand","seed":7}'
    return Ticket(
        TAKE,
        "pika/pikaframes",
        body_text,
        "",
        TakeState.SUCCEEDED,
        request_id=request_id,
        outputs=outputs,
        cost=0.2,
        submitted_at=1e9,
    )


def clips(options: FetchOptions) -> dict[str, bytes]:
    """Return the files a user sees, without sidecars."""
    found = (options.run_dir / "clips").iterdir()
    return {path.name: path.read_bytes() for path in found if path.suffix != ".json"}


def hidden(options: FetchOptions) -> set[str]:
    return {path.name for path in (options.run_dir / "clips").iterdir() if path.name.startswith(".")}


def delivered(content: bytes, *, name: str = f"{TAKE}.mp4") -> Delivered:
    return Delivered(f"clips/{name}", hashlib.sha256(content).hexdigest(), len(content))


def trouble(answer: FetchAnswer) -> FetchTrouble:
    assert isinstance(answer, FetchTrouble)
    return answer


@pytest.mark.parametrize(
    "answer",
    [
        body(FILM),
        body(FILM, Content_Type="text/plain", Content_Disposition='filename="../../x"'),
        body(FILM, Content_Encoding="gzip"),
        body(FILM, length=None),
        chunked(FILM),
        body(FILM + b"surplus", length=len(FILM)),
    ],
    ids=["plain", "wrong words about it", "said to be packed", "no length", "chunked", "more than announced"],
)
def test_a_whole_clip_is_delivered(server: RawServer, options: FetchOptions, answer: Answer) -> None:
    assert fetch_clip(order(server.serve(answer)), options) == delivered(FILM)
    assert clips(options) == {f"{TAKE}.mp4": FILM}
    assert not hidden(options)


def test_the_sidecar_says_how_the_clip_came_to_be(server: RawServer, options: FetchOptions) -> None:
    url = server.serve(body(FILM)) + "?X-Signature=secret"
    fetch_clip(order(url), options, now=lambda: 1_000_000_060.0)
    text = (options.run_dir / f"clips/{TAKE}.json").read_text()
    digest = hashlib.sha256(FILM).hexdigest()
    output = {
        "index": 0,
        "file": f"{TAKE}.mp4",
        "sha256": digest,
        "bytes": 40_000,
        "url": server.url("/clip.mp4"),
    }
    assert json.loads(text) == {
        "format": "shotrunner-clip/1",
        "take": TAKE,
        "request_id": "req-1",
        "file": f"{TAKE}.mp4",
        "sha256": digest,
        "bytes": 40_000,
        "model": "pika/pikaframes",
        "inputs": {"promptText": "a hand", "seed": 7},
        "seed": 7,
        "cost": 0.2,
        "submitted_at": "2001-09-09T01:46:40+00:00",
        "fetched_at": "2001-09-09T01:47:40+00:00",
        "outputs": [output],
    }


@pytest.mark.parametrize(
    ("answer", "link_refused", "permanent", "words"),
    [
        (body(FILM[:30_000], length=40_000), False, False, "peer closed"),
        (body(FILM, length=30_000), False, False, "is cut"),
        (body(FILM[:30_000], length=None), False, False, "is cut"),
        (body(FILM[:52], length=None), False, False, "does not show its end"),
        (chunked(FILM, end=False), False, False, "peer closed"),
        (body(b""), False, False, "empty"),
        (body(b"", length=None), False, False, "empty"),
        (body(b"<html>busy</html>"), False, False, "a page or a message"),
        (body(b'{"error":"expired"}'), False, False, "a page or a message"),
        (body(bytes(range(256))), False, False, "256 bytes of an unknown kind"),
        (body(b"<!-- " + b"x" * 60_000 + b" --><html>" + b"y" * 9000), False, False, "a page or a message"),
        (body(b"#EXTM3U\n#EXTINF:4,\n0.ts\n"), False, True, "a playlist came"),
        (status(403), True, False, "HTTP 403"),
        (status(404), True, False, "HTTP 404"),
        (status(410), True, False, "HTTP 410"),
        (status(500), False, False, "HTTP 500"),
        (status(503), False, False, "HTTP 503"),
        (body(FILM, code=206), False, False, "not requested"),
        (status(416), False, False, "HTTP 416"),
        (body(FILM, length=100_001), False, True, "limit"),
        (body(film(100_001), length=None), False, True, "limit"),
        (status(302, Location="http://169.254.169.254/x"), True, True, "https"),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n" + FILM[:200], pause=0.02), False, False, "longer than 0.5 s"),
    ],
)
def test_a_clip_that_does_not_arrive_whole_leaves_no_clip(
    server: RawServer,
    options: FetchOptions,
    answer: Answer,
    link_refused: bool,
    permanent: bool,
    words: str,
) -> None:
    found = trouble(
        fetch_clip(order(server.serve(answer)), replace(options, max_bytes=100_000, deadline_s=0.5))
    )
    assert (found.link_refused, found.permanent) == (link_refused, permanent), found
    assert words in found.reason
    assert not {name for name in clips(options) if name.endswith(".mp4")}
    assert hidden(options) <= {f".{TAKE}.part", f".{TAKE}.part.json", f".{TAKE}.rejected.json"}
    assert not (options.run_dir / f"clips/{TAKE}.json").exists()


@pytest.mark.parametrize(
    "link",
    ["data:video/mp4;base64,AAAA", "/out.mp4", "out.mp4", "", "file:///etc/passwd", "https://10.0.0.1/x"],
)
def test_a_link_that_leads_nowhere_allowed_is_final(options: FetchOptions, link: str) -> None:
    assert trouble(fetch_clip(order(link), options)).permanent


def test_loopback_is_refused_unless_allowed(server: RawServer, options: FetchOptions) -> None:
    url = server.serve(body(FILM))
    assert trouble(fetch_clip(order(url), replace(options, allow_loopback=False))).permanent
    assert server.bytes_in == 0


def test_a_take_without_outputs_or_request_is_final(options: FetchOptions) -> None:
    assert "no output" in trouble(fetch_clip(order(), options)).reason
    assert "no request id" in trouble(fetch_clip(replace(order("x"), request_id=None), options)).reason


def test_an_error_page_is_kept_for_reading_and_goes_when_the_clip_comes(
    server: RawServer, options: FetchOptions
) -> None:
    page = b"<html>" + b"sorry " * 20_000
    url = server.serve(body(page), body(FILM))
    assert "page" in trouble(fetch_clip(order(url), options)).reason
    assert clips(options) == {f"{TAKE}.rejected": page[:65536]}
    assert fetch_clip(order(url), options) == delivered(FILM)
    assert clips(options) == {f"{TAKE}.mp4": FILM}


def test_a_fresh_link_brings_the_clip(server: RawServer, options: FetchOptions) -> None:
    stale, fresh = server.serve(status(403), path="/stale"), server.serve(body(FILM), path="/fresh")
    assert trouble(fetch_clip(order(stale), options)).link_refused
    assert fetch_clip(order(fresh), options) == delivered(FILM)


def test_a_second_call_downloads_nothing(server: RawServer, options: FetchOptions) -> None:
    """A kill between the name and the recorded fact repeats the call."""
    job = order(server.serve(body(FILM)))
    before = fetch_clip(job, options)
    sidecar = (options.run_dir / f"clips/{TAKE}.json").read_bytes()
    assert fetch_clip(job, options) == before
    assert len(server.asked) == 1
    assert (options.run_dir / f"clips/{TAKE}.json").read_bytes() == sidecar


def test_all_outputs_come_home_and_a_repeat_fetches_only_what_is_missing(
    server: RawServer, options: FetchOptions
) -> None:
    picture = b"\xff\xd8\xff\xe0 picture \xff\xd9"
    links = (
        server.serve(body(FILM), path="/1"),
        server.serve(body(picture), path="/2"),
        server.serve(status(500), body(film(500)), path="/3"),
    )
    assert "500" in trouble(fetch_clip(order(*links), options)).reason
    assert fetch_clip(order(*links), options) == delivered(FILM)
    assert clips(options) == {
        f"{TAKE}.mp4": FILM,
        f"{TAKE}+2.jpg": picture,
        f"{TAKE}+3.mp4": film(500),
    }
    assert [asked.path for asked in server.asked] == ["/1", "/2", "/3", "/3"]


@pytest.mark.parametrize(
    "bad", [status(404), body(b"<html>sorry</html>"), cut(FILM, at=20_000), body(FILM, length=30_000)]
)
def test_an_output_that_does_not_come_keeps_none_of_the_others_away(
    server: RawServer, options: FetchOptions, bad: Answer
) -> None:
    links = [server.serve(answer, path=f"/{number}") for number, answer in enumerate((bad, body(FILM)))]
    assert trouble(fetch_clip(order(*links), options)).at_hand >= len(FILM)
    assert clips(options)[f"{TAKE}+2.mp4"] == FILM
    server.serve(body(OTHER), path="/0")
    assert fetch_clip(order(*links), options) == delivered(OTHER)
    assert [asked.path for asked in server.asked].count("/1") == 1


def test_a_strangers_file_under_one_name_keeps_none_of_the_others_away(
    server: RawServer, options: FetchOptions
) -> None:
    theirs = options.run_dir / f"clips/{TAKE}.mp4"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    links = [server.serve(body(content), path=f"/{name}") for name, content in (("a", FILM), ("b", OTHER))]
    assert trouble(fetch_clip(order(*links), options)).permanent
    assert clips(options) == {f"{TAKE}.mp4": b"theirs", f"{TAKE}+2.mp4": OTHER}


def test_outputs_past_the_limit_are_counted_not_fetched(server: RawServer, options: FetchOptions) -> None:
    fetch_clip(order(*[server.serve(body(film(100)))] * 70), options)
    sidecar = json.loads((options.run_dir / f"clips/{TAKE}.json").read_bytes())
    assert (len(sidecar["outputs"]), sidecar["outputs_left_out"]) == (64, 6)
    assert len(clips(options)) == 64


def test_a_new_paid_attempt_keeps_the_older_clip(server: RawServer, options: FetchOptions) -> None:
    old, new = film(900), film(1000, fill=b"\x5a")
    url = server.serve(body(old), body(new))
    fetch_clip(order(url, request_id="older-request"), options)
    assert fetch_clip(order(url, request_id="newer-request"), options) == delivered(new)
    assert clips(options) == {f"{TAKE}.mp4": new, f"{TAKE}+of-older-re.mp4": old}


@pytest.mark.parametrize("name", [f"{TAKE}.mp4", f"{TAKE}.json"])
def test_a_strangers_file_is_never_replaced(server: RawServer, options: FetchOptions, name: str) -> None:
    theirs = options.run_dir / "clips" / name
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    found = trouble(fetch_clip(order(server.serve(body(FILM))), options))
    assert found.permanent
    assert "move it away" in found.reason
    assert theirs.read_text() == "theirs"
    assert not hidden(options)


@pytest.mark.parametrize("name", [f"{TAKE}.mp4", f"{TAKE}.json", f".{TAKE}.part", ""])
def test_a_symbolic_link_in_the_way_is_refused(
    server: RawServer, options: FetchOptions, tmp_path: Path, name: str
) -> None:
    trap = tmp_path / "trap"
    trap.mkdir() if not name else trap.write_text("precious")
    link = options.run_dir / "clips" / name
    if name:
        link.parent.mkdir()
    link.symlink_to(trap)
    assert trouble(fetch_clip(order(server.serve(body(FILM))), options)).permanent
    assert link.is_symlink()
    assert (trap.read_text() == "precious") if name else not list(trap.iterdir())


@pytest.mark.parametrize("at", [4097, 20_000, 39_999])
def test_a_broken_download_goes_on_where_it_stopped(
    server: RawServer, options: FetchOptions, at: int
) -> None:
    job = order(server.serve(cut(FILM, at=at), store(FILM)))
    assert "peer closed" in trouble(fetch_clip(job, options)).reason
    assert clips(options) == {f".{TAKE}.part": FILM[:at]}
    assert fetch_clip(job, options) == delivered(FILM)
    assert server.ranges() == [None, f"bytes={at - OVERLAP_BYTES}-"]
    assert not hidden(options)


@pytest.mark.parametrize("at", [1, 600, 4096])
def test_a_few_bytes_are_not_worth_continuing(server: RawServer, options: FetchOptions, at: int) -> None:
    job = order(server.serve(cut(FILM, at=at), store(FILM)))
    assert "peer closed" in trouble(fetch_clip(job, options)).reason
    assert not hidden(options)
    assert fetch_clip(job, options) == delivered(FILM)
    assert server.ranges() == [None, None]


def test_a_broken_download_outlives_an_expired_link(server: RawServer, options: FetchOptions) -> None:
    """The query of a link changes when it is signed anew; the file behind it does not."""
    url = server.serve(cut(FILM, at=10_000), status(403), status(403), store(FILM))
    assert "peer closed" in trouble(fetch_clip(order(url + "?sig=1"), options)).reason
    assert trouble(fetch_clip(order(url + "?sig=1"), options)).link_refused
    assert fetch_clip(order(url + "?sig=2"), options) == delivered(FILM)
    rest = f"bytes={10_000 - OVERLAP_BYTES}-"
    assert server.ranges() == [None, rest, None, rest]


OTHER = film(40_000, fill=Random(2).randbytes(40_000))


AT = 20_000
REST = f"bytes={AT - OVERLAP_BYTES}-"
START = AT - OVERLAP_BYTES


def piece(
    content: bytes, *, start: int = START, stop: int | None = None, total: object = 40_000, **headers: object
) -> Answer:
    """Answer with a range of `content`, whatever was asked for."""
    stop = len(content) if stop is None else stop
    span = f"bytes {start}-{stop - 1}/{total}"
    return reply(content[start:stop], code=206, headers={"Content-Range": span, **headers})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, store(OTHER, etag='"v2"'), id="etag changed: the server sends all"),
        pytest.param({}, body(OTHER), id="ranges ignored"),
        pytest.param({}, status(416), id="416"),
        pytest.param({}, status(400), id="400"),
        pytest.param({}, status(403), id="403"),
        pytest.param({}, status(404), id="404"),
        pytest.param({}, status(405), id="405"),
        pytest.param({}, status(501), id="501"),
        pytest.param({}, status(503), id="503"),
        pytest.param({}, piece(OTHER), id="another file without etag"),
        pytest.param({}, piece(OTHER, ETag='"v1"'), id="another file with the same etag"),
        pytest.param({}, piece(FILM, ETag='"v2"'), id="another etag in the range"),
        pytest.param({"etag": 'W/"v1"'}, piece(FILM, ETag='W/"v2"'), id="another weak etag"),
        pytest.param(
            {"etag": 'W/"v1"'}, piece(OTHER, ETag='W/"v1"'), id="another file with the same weak etag"
        ),
        pytest.param({"etag": None}, piece(OTHER), id="another file, and never an etag"),
        pytest.param(
            {"etag": None, "Last_Modified": "Mon, 30 Nov 2026 01:00:00 GMT"},
            piece(FILM, Last_Modified="Mon, 30 Nov 2026 02:00:00 GMT"),
            id="another date",
        ),
        pytest.param({}, piece(OTHER, start=1000), id="from further ahead"),
        pytest.param({}, piece(OTHER, start=AT), id="without the overlap"),
        pytest.param({}, piece(FILM, start=START + 1), id="from one byte on"),
        pytest.param({}, piece(FILM, stop=30_000), id="less than the rest"),
        pytest.param({}, piece(FILM[:30_000], total=30_000), id="another total, smaller"),
        pytest.param({}, piece(FILM + bytes(9), total=40_009), id="another total, larger"),
        pytest.param({}, piece(FILM, stop=30_000, total="*"), id="no total, and less than the rest"),
        pytest.param(
            {},
            body(FILM[START:], length=9000, code=206, Content_Range=f"bytes {START}-39999/40000"),
            id="a length that is not the range's",
        ),
        pytest.param({}, piece(FILM, total=100), id="a range beyond its own total"),
        pytest.param({}, body(FILM[START:], code=206), id="no content-range"),
        pytest.param(
            {},
            body(b"--x\r\n" + FILM[START:], code=206, Content_Type="multipart/byteranges; boundary=x"),
            id="several ranges",
        ),
        pytest.param({}, body(FILM[START:], code=206, Content_Range="items 1-2/3"), id="another unit"),
        pytest.param({}, piece(FILM, Content_Encoding="gzip"), id="packed"),
    ],
)
def test_a_download_that_cannot_be_continued_by_proof_begins_again_at_once(
    server: RawServer, options: FetchOptions, first: dict[str, Any], second: Answer
) -> None:
    """Never a mixture of two files."""
    job = order(server.serve(cut(FILM, at=AT, **first), second, body(OTHER)))
    assert "peer closed" in trouble(fetch_clip(job, options)).reason
    assert fetch_clip(job, options) == delivered(OTHER)
    assert server.ranges()[:2] == [None, REST]
    assert server.ranges()[2:] in ([], [None])
    assert clips(options) == {f"{TAKE}.mp4": OTHER}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param({}, piece(FILM, ETag='"v1"'), id="the same etag"),
        pytest.param({}, piece(FILM), id="no etag this time"),
        pytest.param({"etag": None}, piece(FILM), id="never an etag"),
        pytest.param({"etag": 'W/"v1"'}, piece(FILM, ETag='W/"v1"'), id="a weak etag"),
        pytest.param({"etag": None}, piece(FILM, total="*"), id="a total that is known from before"),
        pytest.param(
            {},
            body(FILM[START:], Content_Range=f"bytes {START}-39999/40000"),
            id="a range that calls itself the whole",
        ),
    ],
)
def test_a_download_goes_on_where_the_bytes_prove_that_it_is_the_same_file(
    server: RawServer, options: FetchOptions, first: dict[str, Any], second: Answer
) -> None:
    job = order(server.serve(cut(FILM, at=AT, **first), second))
    assert trouble(fetch_clip(job, options)).at_hand == AT
    assert fetch_clip(job, options) == delivered(FILM)
    assert server.ranges() == [None, REST]


def test_bytes_that_are_all_alike_prove_nothing_without_an_etag(
    server: RawServer, options: FetchOptions
) -> None:
    """Two films may both hold a page of zeros."""
    one, other = (film(40_000, fill=bytes([value])) for value in (0, 0))
    other = other[:-1] + b"\1"
    job = order(
        server.serve(cut(one, at=AT, etag=None), store(other, etag='"v2"', heeds_etag=False), body(other))
    )
    trouble(fetch_clip(job, options))
    assert fetch_clip(job, options) == delivered(other)
    assert server.ranges() == [None, REST, None]


def test_a_host_that_breaks_every_range_is_asked_for_the_whole_in_the_end(
    server: RawServer, options: FetchOptions
) -> None:
    def breaks_ranges(peer: socket.socket, asked: Asked) -> None:
        if "range" in asked.headers:
            piece(FILM[:AT], total=40_000, stop=40_000)(peer, asked)
        else:
            body(FILM)(peer, asked)

    job = order(server.serve(cut(FILM, at=AT), breaks_ranges))
    answers = [fetch_clip(job, options) for _ in range(8)]
    assert answers[-1] == delivered(FILM)
    assert None in server.ranges()[1:]


def test_a_host_that_refuses_ranges_as_an_expired_link_keeps_what_came(
    server: RawServer, options: FetchOptions
) -> None:
    """The link is dead for the whole file too: what came is still there for a fresh one."""
    job = order(server.serve(cut(FILM, at=AT), status(403)))
    trouble(fetch_clip(job, options))
    found = trouble(fetch_clip(job, options))
    assert (found.link_refused, found.at_hand) == (True, AT)
    assert clips(options)[f".{TAKE}.part"] == FILM[:AT]


@pytest.mark.parametrize("code", [200, 206])
def test_a_whole_file_as_a_range_of_all_is_taken(server: RawServer, options: FetchOptions, code: int) -> None:
    answer = body(FILM, code=code, Content_Range="bytes 0-39999/40000")
    assert fetch_clip(order(server.serve(answer)), options) == delivered(FILM)


def test_a_part_that_calls_itself_the_whole_is_not(server: RawServer, options: FetchOptions) -> None:
    answer = body(FILM[:AT], Content_Range="bytes 0-19999/40000")
    assert "not requested" in trouble(fetch_clip(order(server.serve(answer)), options)).reason


ARCHIVE = b"PK\x03\x04" + Random(3).randbytes(2000) + b"PK\x05\x06" + bytes(18)
NO_CLIP = "the download is an archive, not a video, picture or sound; it is kept whole"
UNKNOWN = "the download is a file of an unknown kind, not a video, picture or sound; it is kept whole"


@pytest.mark.parametrize(
    ("content", "extension", "remark"),
    [
        pytest.param((b"\x47" + bytes(187)) * 20, "ts", "", id="MPEG-TS"),
        pytest.param(b"GIF89a" + bytes(800) + b";", "gif", "", id="GIF"),
        pytest.param(b"II*\0" + bytes(800), "tif", "", id="TIFF"),
        pytest.param(ARCHIVE, "zip", NO_CLIP, id="ZIP"),
        pytest.param(
            b"PK\x03\x04" + b"x" * 900,
            "zip",
            f"{NO_CLIP}; the zip file does not show its own end",
            id="cut ZIP",
        ),
        pytest.param(b"glTF\2\0\0\0" + (812).to_bytes(4, "little") + bytes(800), "glb", None, id="GLB"),
        pytest.param(b"\x1f\x8b\x08\0" + Random(4).randbytes(900), "gz", NO_CLIP, id="gz"),
        pytest.param(b"\x01\x02\x03" + Random(5).randbytes(900), "bin", UNKNOWN, id="unknown"),
        pytest.param(b"\x7fELF" + Random(6).randbytes(900), "bin", UNKNOWN, id="a program"),
        pytest.param(b"v 1.0 2.0 3.0\n" * 9000, "txt", None, id="a long text"),
        pytest.param(b"v 1.0 2.0 3.0\n" * 4681 + b"12", "txt", None, id="a text of 65,536 bytes"),
        pytest.param(FILM + b"trailing junk", "mp4", "the mp4 file does not show its own end", id="junk"),
    ],
)
def test_paid_bytes_of_any_kind_are_kept_whole_and_said(
    server: RawServer, options: FetchOptions, content: bytes, extension: str, remark: str | None
) -> None:
    job = order(server.serve(body(content)))
    found = fetch_clip(job, options)
    assert isinstance(found, Delivered)
    assert clips(options) == {f"{TAKE}.{extension}": content}
    assert found.remark == remark if remark is not None else "it is kept whole" in found.remark
    assert fetch_clip(job, options) == found, "a second call says it again"
    assert len(server.asked) == 1


def test_a_remark_names_the_further_output_that_it_is_about(server: RawServer, options: FetchOptions) -> None:
    links = server.serve(body(FILM), path="/1"), server.serve(body(ARCHIVE), path="/2")
    assert fetch_clip(order(*links), options) == replace(delivered(FILM), remark=f"{TAKE}+2.zip: {NO_CLIP}")


@pytest.mark.parametrize("way", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("length", [-1, None], ids=["with a length", "without"])
def test_a_packed_clip_is_unpacked(
    server: RawServer, options: FetchOptions, way: str, length: int | None
) -> None:
    packed = zlib.compress(FILM) if way == "deflate" else gzip.compress(FILM)
    assert fetch_clip(order(server.serve(body(packed, length=length, Content_Encoding=way))), options) == (
        delivered(FILM)
    )


@pytest.mark.parametrize(
    ("packed", "coding"),
    [
        (gzip.compress(FILM[:999]) + gzip.compress(FILM[999:]), "gzip"),
        (b"".join(gzip.compress(FILM[at : at + 50]) for at in range(0, len(FILM), 50)), "gzip"),
        (gzip.compress(FILM) + bytes(512), "gzip"),
        (gzip.compress(gzip.compress(FILM)), "gzip, gzip"),
        (gzip.compress(zlib.compress(FILM)), "deflate, gzip"),
        (gzip.compress(FILM), "identity, gzip"),
    ],
    ids=["two members", "many members", "filling", "twice", "two ways", "identity"],
)
def test_a_clip_packed_in_parts_or_twice_is_unpacked_to_its_end(
    server: RawServer, options: FetchOptions, packed: bytes, coding: str
) -> None:
    url = server.serve(body(packed, Content_Encoding=coding))
    assert fetch_clip(order(url), options) == delivered(FILM)


def test_a_packed_clip_that_is_cut_or_too_large_is_not_delivered_and_never_continued(
    server: RawServer, options: FetchOptions
) -> None:
    packed = gzip.compress(FILM)
    url = server.serve(
        body(packed[:-500], Content_Encoding="gzip"),
        cut(packed, at=30_000, Content_Encoding="gzip"),
        body(gzip.compress(film(10 << 20)), Content_Encoding="gzip"),
        body(packed, Content_Encoding="gzip"),
    )
    small = replace(options, max_bytes=1 << 20)
    assert "ends before its own end" in trouble(fetch_clip(order(url), small)).reason
    assert "peer closed" in trouble(fetch_clip(order(url), small)).reason
    assert "limit" in trouble(fetch_clip(order(url), small)).reason
    assert fetch_clip(order(url), small) == delivered(FILM)
    assert server.ranges() == [None] * 4


def test_what_came_instead_is_said_with_where_its_start_is_kept(
    server: RawServer, options: FetchOptions
) -> None:
    theirs = options.run_dir / f"clips/{TAKE}.rejected"
    theirs.parent.mkdir()
    theirs.write_text("my own notes")
    url = server.serve(body(b"<html>busy</html>"), body(b"<html>still busy</html>"), body(FILM))
    kept = f"clips/{TAKE}+no2.rejected"
    for page in (b"<html>busy</html>", b"<html>still busy</html>"):
        assert trouble(fetch_clip(order(url), options)).reason.endswith(f"; its start is kept as {kept}")
        assert (options.run_dir / kept).read_bytes() == page
    assert fetch_clip(order(url), options) == delivered(FILM)
    assert clips(options) == {f"{TAKE}.mp4": FILM, f"{TAKE}.rejected": b"my own notes"}


def test_two_outputs_of_one_shot_and_the_shot_named_after_the_second_never_meet(
    server: RawServer, options: FetchOptions
) -> None:
    """`sc1.2.mp4` is the clip of `sc1.2` alone."""
    films = [film(900, fill=bytes([value])) for value in (1, 2, 3)]
    links = [server.serve(body(content), path=f"/{number}") for number, content in enumerate(films)]
    one = replace(order(*links[:2]), take_id="sc1")
    other = replace(order(links[2], request_id="req-2"), take_id="sc1.2")
    for _ in range(2):
        assert fetch_clip(one, options) == delivered(films[0], name="sc1.mp4")
        assert fetch_clip(other, options) == delivered(films[2], name="sc1.2.mp4")
        assert clips(options) == {"sc1.mp4": films[0], "sc1+2.mp4": films[1], "sc1.2.mp4": films[2]}
        (options.run_dir / "clips/sc1.2.mp4").unlink()
        (options.run_dir / "clips/sc1+2.mp4").unlink()


def test_another_paid_attempt_does_not_continue_the_older_ones_part(
    server: RawServer, options: FetchOptions
) -> None:
    url = server.serve(cut(FILM, at=1000), store(OTHER))
    fetch_clip(order(url), options)
    assert fetch_clip(order(url, request_id="req-2"), options) == delivered(OTHER)
    assert server.ranges() == [None, None]


def test_a_cut_at_any_of_many_places_ends_in_the_same_bytes(server: RawServer, options: FetchOptions) -> None:
    whole = film(1 << 20)
    places = range(1 << 16, len(whole), 1 << 16)
    server.serve(*(_breaking(store(whole), after=1 << 16) for _ in places), store(whole))
    job = order(server.url())
    for _ in places:
        assert "peer closed" in trouble(fetch_clip(job, options)).reason
    assert fetch_clip(job, options) == delivered(whole)
    gain = (1 << 16) - OVERLAP_BYTES
    assert server.ranges() == [None, *(f"bytes={gain * (number + 1)}-" for number in range(len(places)))]


def _breaking(answer: Answer, *, after: int) -> Answer:
    """Let `answer` say its head and `after` bytes of its body."""

    def broken(peer: socket.socket, asked: Asked) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            sender = threading.Thread(target=_say, args=(answer, ours, asked))
            sender.start()
            with theirs.makefile("rb") as said:
                text = said.read()
            sender.join()
        head, _, content = text.partition(b"\r\n\r\n")
        peer.sendall(head + b"\r\n\r\n" + content[:after])

    return broken


def _say(answer: Answer, peer: socket.socket, asked: Asked) -> None:
    answer(peer, asked)
    peer.shutdown(socket.SHUT_WR)


def test_a_full_volume_ends_the_run_and_the_next_one_fetches(
    server: RawServer, options: FetchOptions
) -> None:
    asked = order(server.serve(body(FILM)))
    with pytest.raises(DiskFailed, match="does not fit on the disk") as caught:
        fetch_clip(asked, replace(options, spare_bytes=2**62))
    assert "run the same command again" in caught.value.advice
    assert clips(options) == {}
    assert isinstance(fetch_clip(asked, options), Delivered)


@pytest.mark.parametrize(
    ("free", "announced", "error"),
    [
        (0, True, DiskFailed),
        (0, False, DiskFailed),
        (3 << 20, True, DiskFailed),
        (65 << 20, True, NotDelivered),
    ],
    ids=["full", "full, no length", "no room for any clip", "room for others"],
)
def test_a_clip_without_room_concerns_all_only_where_the_volume_is_full(
    server: RawServer, tmp_path: Path, free: int, announced: bool, error: type[Exception]
) -> None:
    link = server.serve(body(FILM, length=1 << 30 if announced else None))
    limits = Limits(max_bytes=2 << 30, spare_bytes=0, free_bytes=lambda: free)
    with (
        Downloads(allow_loopback=True, deadline_s=5) as client,
        Folder(tmp_path / "clips") as folder,
        PartFile(folder, ".s010.part") as part,
    ):
        intake = ClipDownload(part, limits, on_kind=lambda _: None)
        with pytest.raises(error, match="does not fit on the disk"):
            intake.receive(client, link)
        assert part.size == 0


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_full_or_failing_disk_is_no_trouble_of_one_clip(number: int) -> None:
    with pytest.raises(DiskFailed, match="cannot write the clip of take s010") as caught:
        disk_answer(OSError(number, "bad"), "s010")
    assert caught.value.advice
    assert pickle.loads(pickle.dumps(caught.value)).advice == caught.value.advice


@pytest.mark.parametrize(("number", "permanent"), [(errno.EMFILE, False), (errno.EACCES, True)])
def test_other_trouble_with_files_concerns_one_clip(number: int, permanent: bool) -> None:
    assert disk_answer(OSError(number, "bad"), "s010").permanent is permanent


def test_a_disk_that_refuses_the_bytes_fails_the_future(server: RawServer, options: FetchOptions) -> None:
    """A process whose files may not grow past 2,000 bytes stands for a full disk: the kernel refuses the write."""
    limit = (
        "import resource, runner.media.clips.fetch; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    )
    call = textwrap.dedent(_CALL.format(url=server.serve(body(FILM)), run_dir=options.run_dir))
    script = f"{limit}\n{call}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (
        "runner.domain.errors.DiskFailed: cannot write the clip of take s010: File too large" in done.stderr
    )
    assert clips(options) == {}


_CALL = """
        from pathlib import Path
        from runner.domain.shots import Ticket
        from runner.domain.states import TakeState
        from runner.media.clips.fetch import FetchOptions, fetch_clip
        order = Ticket("s010", "m", "{{}}", "", TakeState.SUCCEEDED, request_id="req-1", outputs=("{url}",))
        options = FetchOptions(Path("{run_dir}"), allow_loopback=True, spare_bytes=0)
        fetch_clip(order, options)
"""


def test_a_kill_in_mid_download_leaves_no_clip_and_the_next_try_brings_it(
    server: RawServer, options: FetchOptions
) -> None:
    head = b'HTTP/1.1 200 OK\r\nETag: "v1"\r\nContent-Length: 4000\r\n\r\n'

    def stall(peer: socket.socket, _: Asked) -> None:
        peer.sendall(head + FILM[:2500])
        peer.recv(1)

    url = server.serve(stall, store(FILM))
    script = textwrap.dedent(_CALL.format(url=url, run_dir=options.run_dir))
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        part = options.run_dir / "clips/.s010.part"
        until = time.monotonic() + 20
        while time.monotonic() < until and not (part.exists() and part.stat().st_size == 2500):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert clips(options) == {".s010.part": FILM[:2500]}
    job = replace(order(url), take_id="s010")
    assert fetch_clip(job, options) == delivered(FILM, name="s010.mp4")
    assert clips(options) == {"s010.mp4": FILM}
    # What a kill leaves was never flushed, so it is not built upon.
    assert server.ranges() == [None, None]


def test_two_fetches_of_one_clip_at_once_never_mix(server: RawServer, options: FetchOptions) -> None:
    url = server.serve(drip(b"HTTP/1.1 200 OK\r\n\r\n" + film(100), pause=0.001))
    ticket = _ticket(url)
    with ThreadPoolExecutor(2) as pool:
        delivery: Delivery = ClipDelivery(pool, DeliveryTask(ClipFetch(options)))
        answers = [future.result() for future in [delivery.fetch(ticket) for _ in range(2)]]
    whole = [answer for answer in answers if isinstance(answer, Delivered)]
    assert whole
    assert all(answer == delivered(film(100)) for answer in whole)
    assert clips(options) == {f"{TAKE}.mp4": film(100)}


def test_the_room_for_clips_is_that_of_their_folder_beyond_what_stays_free(tmp_path: Path) -> None:
    """Their folder may be a volume of its own; before it is made they count on that of the run."""
    options = FetchOptions(tmp_path, allow_loopback=True, spare_bytes=1000)
    free = {tmp_path: 5000, tmp_path / CLIPS: 3000}

    def probe(place: Path) -> os.statvfs_result:
        place.stat()
        return _volume(free=free[place])

    assert room_for_clips(options, probe=probe) == 4000
    (tmp_path / CLIPS).mkdir()
    assert room_for_clips(options, probe=probe) == 2000
    assert room_for_clips(replace(options, run_dir=tmp_path / "gone"), probe=probe) is None


def test_a_volume_without_a_name_left_has_no_room_and_one_that_cannot_be_asked_is_unknown(
    tmp_path: Path,
) -> None:
    options = FetchOptions(tmp_path, allow_loopback=True, spare_bytes=1000)
    assert room_for_clips(options, probe=lambda _: _volume(free=5000, files=10, names=0)) == 0
    assert room_for_clips(options, probe=lambda _: _volume(free=5000, files=10, names=1)) == 4000

    def ailing(_place: Path) -> os.statvfs_result:
        raise OSError(errno.EIO, "cannot be read")

    assert room_for_clips(options, probe=ailing) is None
    assert room_for_clips(options) is not None


def _volume(*, free: int, files: int = 0, names: int = 0) -> os.statvfs_result:
    """Return what a volume tells of itself: free bytes, and its names for files where there is a number of them."""
    return os.statvfs_result((4096, 1, free, free, free, files, names, names, 0, 255))


def test_no_download_leaves_a_thread_behind(server: RawServer, options: FetchOptions) -> None:
    before = set(threading.enumerate())
    tickets = [replace(_ticket(server.serve(body(FILM), path=f"/{n}")), take_id=f"s{n}") for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        for done in as_completed(
            [ClipDelivery(pool, DeliveryTask(ClipFetch(options))).fetch(ticket) for ticket in tickets]
        ):
            assert isinstance(done.result(), Delivered)
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.mark.parametrize("way", ["spawn", "forkserver"])
def test_the_work_goes_to_another_process_and_back(
    server: RawServer, options: FetchOptions, way: str
) -> None:
    url = server.serve(body(FILM))
    with ProcessPoolExecutor(1, mp_context=get_context(way)) as pool:
        assert ClipDelivery(pool, DeliveryTask(ClipFetch(options))).fetch(_ticket(url)).result(
            timeout=30
        ) == delivered(FILM)


def _ticket(url: str) -> Ticket:
    return Ticket(TAKE, "m", '{"seed":7}', "f" * 64, TakeState.SUCCEEDED, request_id="req-1", outputs=(url,))


def test_outputs_have_the_name_of_their_take_and_its_sidecar_proves_whose_they_are(
    server: RawServer, options: FetchOptions
) -> None:
    """What is short-lived keeps the take's id, so that a change of names never concerns it."""
    links = server.serve(body(FILM), path="/1"), server.serve(body(FILM), path="/2")
    ticket = replace(order(*links), shot_id="s010", number=2, stem="s010_t02")
    assert fetch_clip(ticket, options) == delivered(FILM, name="s010_t02.mp4")
    assert clips(options).keys() == {"s010_t02.mp4", "s010_t02+2.mp4"}
    noted = json.loads((options.run_dir / "clips/s010_t02.json").read_bytes())
    assert (noted["take"], noted["label"]) == (TAKE, ticket.label)
    assert fetch_clip(ticket, options) == delivered(FILM, name="s010_t02.mp4")
