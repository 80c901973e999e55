"""Clips come home whole or not at all, once, and beside a sidecar that says what they are."""

from __future__ import annotations

import errno
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
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from runner.answers import FetchAnswer, FetchTrouble
from runner.delivery.fetch import (
    CLIPS,
    ClipDelivery,
    FetchOptions,
    FetchOrder,
    disk_answer,
    fetch_clip,
    room_for_clips,
)
from runner.delivery.files import PartFile
from runner.delivery.folder import Folder
from runner.delivery.intake import Intake, Limits, NotDelivered
from runner.engine.ports import Delivery
from runner.errors import DiskFailed
from runner.shots import Ticket
from runner.states import Delivered, TakeState
from runner.transport.downloads import Downloads
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
    status,
    store,
)

FILM = film(4000)
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


def order(*outputs: str, request_id: str = "req-1") -> FetchOrder:
    body_text = '{"promptText":"a hand","seed":7}'
    return FetchOrder(TAKE, "pika/pikaframes", body_text, request_id, outputs, cost=0.2, submitted_at=1e9)


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
        "bytes": 4000,
        "url": server.url("/clip.mp4"),
    }
    assert json.loads(text) == {
        "format": "shotrunner-clip/1",
        "take": TAKE,
        "request_id": "req-1",
        "file": f"{TAKE}.mp4",
        "sha256": digest,
        "bytes": 4000,
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
        (body(FILM[:3000], length=4000), False, False, "peer closed"),
        (body(FILM, length=3000), False, False, "is cut"),
        (body(FILM[:3000], length=None), False, False, "is cut"),
        (body(FILM[:52], length=None), False, False, "does not show its end"),
        (chunked(FILM, end=False), False, False, "peer closed"),
        (body(b""), False, False, "empty"),
        (body(b"", length=None), False, False, "empty"),
        (body(b"<html>busy</html>"), False, False, "a page or a message"),
        (body(b'{"error":"expired"}'), False, False, "a page or a message"),
        (body(b"\x1f\x8b\x08\0" + bytes(900)), False, True, "no known kind"),
        (status(403), True, False, "HTTP 403"),
        (status(404), True, False, "HTTP 404"),
        (status(410), True, False, "HTTP 410"),
        (status(500), False, False, "HTTP 500"),
        (status(503), False, False, "HTTP 503"),
        (body(FILM, code=206), False, False, "nobody asked"),
        (status(416), False, False, "HTTP 416"),
        (body(FILM, length=10_001), False, True, "limit"),
        (body(film(10_001), length=None), False, True, "limit"),
        (status(302, Location="http://169.254.169.254/x"), False, True, "https"),
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
        fetch_clip(order(server.serve(answer)), replace(options, max_bytes=10_000, deadline_s=0.5))
    )
    assert (found.link_refused, found.permanent) == (link_refused, permanent), found
    assert words in found.reason
    assert not {name for name in clips(options) if name.endswith(".mp4")}
    assert not hidden(options)
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
        f"{TAKE}.2.jpg": picture,
        f"{TAKE}.3.mp4": film(500),
    }
    assert [asked.path for asked in server.asked] == ["/1", "/2", "/3", "/3"]


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
    assert clips(options) == {f"{TAKE}.mp4": new, f"{TAKE}.older-re.mp4": old}


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


@pytest.mark.parametrize("at", [1, 600, 2000, 3999])
def test_a_broken_download_goes_on_where_it_stopped(
    server: RawServer, options: FetchOptions, at: int
) -> None:
    job = order(server.serve(cut(FILM, at=at), store(FILM)))
    assert "peer closed" in trouble(fetch_clip(job, options)).reason
    assert clips(options) == {f".{TAKE}.part": FILM[:at]}
    assert fetch_clip(job, options) == delivered(FILM)
    assert server.ranges() == [None, f"bytes={at}-"]
    assert not hidden(options)


def test_a_broken_download_outlives_an_expired_link(server: RawServer, options: FetchOptions) -> None:
    """The query of a link changes when it is signed anew; the file behind it does not."""
    url = server.serve(cut(FILM, at=1000), status(403), store(FILM))
    assert "peer closed" in trouble(fetch_clip(order(url + "?sig=1"), options)).reason
    assert trouble(fetch_clip(order(url + "?sig=1"), options)).link_refused
    assert fetch_clip(order(url + "?sig=2"), options) == delivered(FILM)
    assert server.ranges() == [None, "bytes=1000-", "bytes=1000-"]


OTHER = film(4000, fill=b"\x5a")


@pytest.mark.parametrize(
    ("answers", "content", "ranges"),
    [
        ([cut(FILM, at=2000), store(OTHER, etag='"v2"')], OTHER, [None, "bytes=2000-"]),
        ([cut(FILM, at=2000), body(OTHER)], OTHER, [None, "bytes=2000-"]),
        ([cut(FILM, at=2000), status(416), body(OTHER)], OTHER, [None, "bytes=2000-", None]),
        (
            [
                cut(FILM, at=2000),
                body(OTHER[1000:], code=206, Content_Range="bytes 1000-3999/4000"),
                body(OTHER),
            ],
            OTHER,
            [None, "bytes=2000-", None],
        ),
        (
            [
                cut(FILM, at=2000),
                body(OTHER[2000:], code=206, ETag='"v2"', Content_Range="bytes 2000-3999/4000"),
                body(OTHER),
            ],
            OTHER,
            [None, "bytes=2000-", None],
        ),
        (
            [
                cut(FILM, at=2000),
                body(FILM[2000:3000], code=206, Content_Range="bytes 2000-2999/4000"),
                body(OTHER),
            ],
            OTHER,
            [None, "bytes=2000-", None],
        ),
        (
            [cut(FILM, at=2000), body(FILM[2000:], code=206), body(OTHER)],
            OTHER,
            [None, "bytes=2000-", None],
        ),
        ([cut(FILM, at=2000, etag=None), body(OTHER)], OTHER, [None, None]),
        ([cut(FILM, at=2000, etag='W/"v1"'), body(OTHER)], OTHER, [None, None]),
    ],
    ids=[
        "etag changed",
        "ranges ignored",
        "416",
        "another offset",
        "another etag in the range",
        "less than the rest",
        "no content-range",
        "no etag",
        "weak etag",
    ],
)
def test_a_download_that_cannot_be_continued_begins_again(
    server: RawServer,
    options: FetchOptions,
    answers: list[Answer],
    content: bytes,
    ranges: list[str | None],
) -> None:
    """Never a mixture of two files."""
    job = order(server.serve(*answers))
    assert "peer closed" in trouble(fetch_clip(job, options)).reason
    assert fetch_clip(job, options) == delivered(content)
    assert server.ranges() == ranges
    assert clips(options) == {f"{TAKE}.mp4": content}


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
    assert server.ranges() == [None, *(f"bytes={place}-" for place in places)]


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
        intake = Intake(part, limits)
        with pytest.raises(error, match="does not fit on the disk"):
            intake.receive(client, link, on_kind=lambda _: None)
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
    limit = "import resource, runner.delivery.fetch; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    call = textwrap.dedent(_CALL.format(url=server.serve(body(FILM)), run_dir=options.run_dir))
    script = f"{limit}\n{call}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "runner.errors.DiskFailed: cannot write the clip of take s010: File too large" in done.stderr
    assert clips(options) == {}


_CALL = """
        from pathlib import Path
        from runner.delivery.fetch import FetchOptions, FetchOrder, fetch_clip
        order = FetchOrder("s010", "m", "{{}}", "req-1", ("{url}",))
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
    job = FetchOrder("s010", "m", "{}", "req-1", (url,))
    assert fetch_clip(job, options) == delivered(FILM, name="s010.mp4")
    assert clips(options) == {"s010.mp4": FILM}
    # What a kill leaves was never flushed, so it is not built upon.
    assert server.ranges() == [None, None]


def test_two_fetches_of_one_clip_at_once_never_mix(server: RawServer, options: FetchOptions) -> None:
    url = server.serve(drip(b"HTTP/1.1 200 OK\r\n\r\n" + film(100), pause=0.001))
    ticket = _ticket(url)
    with ThreadPoolExecutor(2) as pool:
        delivery: Delivery = ClipDelivery(pool, options)
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


def test_all_downloads_of_a_process_share_one_watchdog(server: RawServer, options: FetchOptions) -> None:
    begun: set[int] = set()
    already = {thread.ident for thread in threading.enumerate()}
    tickets = [replace(_ticket(server.serve(body(FILM), path=f"/{n}")), take_id=f"s{n}") for n in range(12)]
    with ThreadPoolExecutor(4) as pool:
        for done in as_completed([ClipDelivery(pool, options).fetch(ticket) for ticket in tickets]):
            assert isinstance(done.result(), Delivered)
            begun |= {thread.ident or 0 for thread in threading.enumerate() if "watchdog" in thread.name}
    assert begun
    assert len(begun - already) <= 1


@pytest.mark.parametrize("way", ["spawn", "forkserver"])
def test_the_work_goes_to_another_process_and_back(
    server: RawServer, options: FetchOptions, way: str
) -> None:
    url = server.serve(body(FILM))
    with ProcessPoolExecutor(1, mp_context=get_context(way)) as pool:
        assert ClipDelivery(pool, options).fetch(_ticket(url)).result(timeout=30) == delivered(FILM)


def _ticket(url: str) -> Ticket:
    return Ticket(TAKE, "m", '{"seed":7}', "f" * 64, TakeState.SUCCEEDED, request_id="req-1", outputs=(url,))
