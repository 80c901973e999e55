"""The served page: who is answered, what is sent to whom, and that no page that does not read costs anything."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from runner.domain.errors import FileMissing, PicksInvalid
from runner.page_server.app import MOST_BYTES, Routes
from runner.page_server.feed import MOST_KEPT, QUIET_S, Feed
from runner.page_server.guard import Guard
from runner.page_server.ports import Change, Row
from runner.page_server.server import ALONE_S, LOOK_S, follow
from tests.virtual_time import run_virtual

SECRET, PORT = "s3cret", 8123
HOST = f"127.0.0.1:{PORT}"
OURS = {"Origin": f"http://{HOST}"}
ROW = ["s010", "s010", "pick", "nice", "Ana", "2027-01-31T07:00:00Z"]


@dataclass
class FakeSource:
    """A run without a record: its changes are given one look after the other."""

    changes: list[Change | None] = field(default_factory=list)
    files: Mapping[str, Path] = field(default_factory=dict)
    goes_on: bool = True
    is_readable: bool = True
    pages: int = 0
    saved: list[Row] = field(default_factory=list)

    def look(self) -> Change | None:
        return self.changes.pop(0) if self.changes else None

    def page(self, *, after: int) -> bytes:
        if not self.is_readable:
            raise FileMissing("the record is gone")
        self.pages += 1
        return f"page after {after}".encode()

    def data(self, name: str) -> bytes | None:
        if not self.is_readable:
            raise FileMissing("the record is gone")
        return b'arrived("a","b")' if name == "takes-0000-a.js" else None

    def file(self, name: str) -> Path | None:
        return self.files.get(name)

    def save(self, rows: Sequence[Row]) -> int:
        if any(row[2] == "perhaps" for row in rows):
            raise PicksInvalid("'perhaps' is not a decision\x1b")
        self.saved += rows
        return len(rows)


def asked(
    source: FakeSource,
    path: str = "",
    *,
    method: str = "GET",
    feed: Feed | None = None,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
) -> httpx.Response:
    """Return the answer to one request below the secret; a path with a slash before it is one of its own."""
    app = Guard(Routes(source, feed or Feed()).app, secret=SECRET, port=PORT)
    where = path if path.startswith("/") else f"/{SECRET}/{path}"

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{HOST}") as client:
            return await client.request(method, where, headers=headers, content=content)

    return asyncio.run(ask())


def posted(source: FakeSource, value: object, **headers: str) -> httpx.Response:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    sent = {"Content-Type": "application/json", **OURS, **headers}
    return asked(source, "picks", method="POST", headers=sent, content=content)


# The guard


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": f"localhost:{PORT}"}, 200),
        (OURS, 200),
        ({"Origin": f"http://localhost:{PORT}"}, 200),
        ({"Host": "127.0.0.1"}, 403),
        ({"Host": f"evil.example:{PORT}"}, 403),
        ({"Host": f"{HOST}.evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": f"https://{HOST}"}, 403),
        ({"Origin": "null"}, 403),
    ],
    ids=str,
)
def test_only_a_request_for_this_address_and_from_it_is_answered(
    headers: Mapping[str, str], status: int
) -> None:
    assert asked(FakeSource(), headers=headers).status_code == status


@pytest.mark.parametrize(
    "path", ["/", f"/{SECRET}", "/wrong/", f"/{SECRET}x/", f"//{SECRET}/", "/picks", f"/%20{SECRET}/", "/é/"]
)
def test_without_the_secret_there_is_nothing(path: str) -> None:
    assert asked(FakeSource(), path).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        (OURS, 200),
    ],
    ids=str,
)
def test_decisions_come_only_from_a_page_of_this_address(headers: Mapping[str, str], status: int) -> None:
    source, kind = FakeSource(), {"Content-Type": "application/json"}
    content = json.dumps({"rows": [ROW]}).encode()
    answer = asked(source, "picks", method="POST", headers={**kind, **headers}, content=content)
    assert (answer.status_code, len(source.saved)) == (status, int(status == 200))


@pytest.mark.parametrize("path", ["", "nothing", "/wrong/", "clips/a.mp4"])
def test_every_answer_is_closed_to_other_sites(path: str, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"clip")
    headers = asked(FakeSource(files={"clips/a.mp4": tmp_path / "a.mp4"}), path).headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == ("private, no-cache" if "clips" in path else "no-store")


# Files


def test_a_player_gets_the_part_of_a_clip_that_it_asks_for(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(bytes(range(100)))
    source = FakeSource(files={"clips/a.mp4": tmp_path / "a.mp4"})
    answer = asked(source, "clips/a.mp4", headers={"Range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))
    assert answer.headers["content-type"] == "video/mp4"


@pytest.mark.parametrize("name", ["a.html", "a.svg", "a.xhtml", "a", "a.js"])
def test_a_file_that_a_browser_would_run_is_only_to_be_saved(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"<script>alert(1)</script>")
    answer = asked(FakeSource(files={name: tmp_path / name}), name)
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_record_that_cannot_be_read_is_an_answer() -> None:
    answer = asked(FakeSource(is_readable=False))
    assert (answer.status_code, answer.text) == (503, "the record is gone\n")


# Decisions


def test_data_is_a_script_and_any_other_name_is_nothing() -> None:
    answer = asked(FakeSource(), "report-data/takes-0000-a.js")
    assert (answer.headers["content-type"], answer.text) == (
        "text/javascript; charset=utf-8",
        'arrived("a","b")',
    )
    assert asked(FakeSource(), "report-data/takes-0001-a.js").status_code == 404
    assert asked(FakeSource(is_readable=False), "report-data/takes-0000-a.js").status_code == 503


def test_decisions_are_handed_over_as_they_came() -> None:
    source = FakeSource()
    assert posted(source, {"rows": [ROW, ROW]}).json() == {"saved": 2}
    assert source.saved == [tuple(ROW)] * 2


@pytest.mark.parametrize(
    ("value", "headers", "status"),
    [
        ({"rows": [ROW]}, {"Content-Type": "text/plain"}, 415),
        (b" " * (MOST_BYTES + 1), {}, 413),
        (b"{", {}, 400),
        (b"\xff", {}, 400),
        (b"[" * 100_000, {}, 400),
        ([ROW], {}, 400),
        ({"rows": "abcdef"}, {}, 422),
        ({"rows": ["abcdef"]}, {}, 422),
        ({"rows": [ROW[:5]]}, {}, 422),
        ({"rows": [[*ROW[:5], None]]}, {}, 422),
        ({"rows": [ROW, [*ROW[:2], "perhaps", *ROW[3:]]]}, {}, 409),
    ],
    ids=lambda part: ascii(part)[:40],
)
def test_anything_else_is_refused_with_a_reason_and_nothing_is_kept(
    value: object, headers: Mapping[str, str], status: int
) -> None:
    source = FakeSource()
    answer = posted(source, value, **headers)
    assert (answer.status_code, source.saved) == (status, [])
    assert "\x1b" not in answer.json()["error"]


# Events


def take(count: int, stream: AsyncIterator[bytes]) -> list[bytes]:
    """Return the first texts of a stream, in virtual time."""

    async def read() -> list[bytes]:
        return [await anext(stream) for _ in range(count)]

    return run_virtual(read())


def test_a_page_gets_the_changes_after_its_own_and_then_signs_of_life() -> None:
    feed = Feed()
    feed.post('{"a":1}')
    feed.post('{"b":2}')
    change = b'event: change\nid: 2\ndata: {"b":2}\n\n'
    assert take(4, feed.stream(1)) == [b": open\n\n", change, b": quiet\n\n", b": quiet\n\n"]


@pytest.mark.parametrize("place", [-1, 0, 2, 9])
def test_a_page_whose_changes_are_not_kept_is_loaded_again_once(place: int) -> None:
    feed = Feed()
    for _ in range(MOST_KEPT + 4):
        feed.post("{}")
    feed.reload()
    reload = b"event: reload\nid: %d\ndata: {}\n\n" % feed.newest
    assert take(3, feed.stream(place)) == [b": open\n\n", reload, b": quiet\n\n"]


def test_a_page_that_does_not_read_misses_what_is_not_kept_and_keeps_nothing() -> None:
    async def night() -> list[bytes]:
        feed = Feed()
        sleeper, reader = feed.stream(0), feed.stream(0)
        assert [await anext(sleeper), await anext(reader), feed.pages] == [b": open\n\n"] * 2 + [2]
        found = []
        for _ in range(3):
            feed.post(f'"{"x" * 3_000_000}"')
            found.append((await anext(reader)).partition(b"data")[0])
        found.append((await anext(sleeper)).partition(b"data")[0])
        await sleeper.aclose()
        assert feed.pages == 1
        feed.close()
        assert [each async for each in reader] == []
        assert feed.pages == 0
        return found

    assert run_virtual(night()) == [
        b"event: change\nid: 1\n",
        b"event: change\nid: 2\n",
        b"event: change\nid: 3\n",
        b"event: reload\nid: 3\n",
    ]


def test_a_stream_hears_of_a_change_while_it_waits() -> None:
    async def hears() -> float:
        feed, loop = Feed(), asyncio.get_running_loop()
        stream = feed.stream(0)
        await anext(stream)
        loop.call_later(5.0, feed.post, "{}")
        assert (await anext(stream)).startswith(b"event: change")
        return loop.time()

    assert run_virtual(hears()) == 5.0 < QUIET_S


def test_tabs_that_load_the_page_again_share_one_until_something_changes() -> None:
    source, feed = FakeSource(), Feed()
    routes = Routes(source, feed)
    guard = Guard(routes.app, secret=SECRET, port=PORT)

    async def load() -> str:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard)) as client:
            return (await client.get(f"http://{HOST}/{SECRET}/")).text

    async def loads() -> list[str]:
        both = await asyncio.gather(load(), load())
        feed.post("{}")
        return [*both, await load()]

    assert asyncio.run(loads()) == ["page after 0", "page after 0", "page after 1"]
    assert source.pages == 2


@dataclass
class Looks:
    """Waits without waiting, and counts the seconds; it is asked to stop after `last` looks."""

    last: int
    now: float = 0.0

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        self.last -= 1
        return self.last < 0

    def monotonic(self) -> float:
        return self.now


def test_each_change_is_posted_once_and_another_set_of_takes_is_a_reload() -> None:
    changes = [None, Change({"name": "a"}, [{"id": "s010"}]), Change({}, is_reload=True), None]
    source, feed, looks = FakeSource([*changes]), Feed(), Looks(2)
    follow(source, feed, wait=looks.wait, monotonic=looks.monotonic, until_closed=False)
    message = feed.next_after(0)
    assert message is not None
    assert json.loads(message.data) == {"head": {"name": "a"}, "takes": [{"id": "s010"}]}
    looks.last = 2
    follow(source, feed, wait=looks.wait, monotonic=looks.monotonic, until_closed=False)
    message = feed.next_after(0)
    assert message is not None
    assert (message.number, message.event) == (2, "reload")


@pytest.mark.parametrize(("goes_on", "until_closed"), [(True, True), (False, False), (False, True)])
def test_it_ends_by_itself_only_when_the_run_and_all_pages_are_gone(
    goes_on: bool, until_closed: bool
) -> None:
    looks = Looks(1000)
    follow(
        FakeSource(goes_on=goes_on),
        Feed(),
        wait=looks.wait,
        monotonic=looks.monotonic,
        until_closed=until_closed,
    )
    is_over = until_closed and not goes_on
    assert looks.now == (ALONE_S if is_over else 1001 * LOOK_S)
