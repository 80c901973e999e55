"""`watch` beside real runs: pages that follow them, decisions that come back, and runs that end in any way."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.boards import ONE_SHOT, REPOSITORY, record_many, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import OUTSIDE_TOKEN, pointed_at
from tests.json_documents import checked_document
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.report_page import head_in, takes_in

RUN = ("--simulate", "--speed", "50", "--poll-interval", "0.1")
WHEN = "2027-01-31T07:00:00Z"


@contextmanager
def watching(desk: Desk, run: object) -> Iterator[str]:
    """Serve the page of a run while the block runs, and yield its address; it must end well when it is asked to."""
    process = desk.start("watch", run)
    process.wait_until(lambda process: "\n" in process.out)
    try:
        yield process.out.strip()
    finally:
        process.signal(signal.SIGINT)
        outcome = process.end()
    assert (outcome.code, outcome.err) == (0, ""), outcome


@dataclass
class OpenPage:
    """A page as a browser has it open: its head and its cards, which the page's events change."""

    address: str
    folder: Path
    head: dict[str, Any] = field(default_factory=dict)
    cards: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._load()

    def _load(self) -> None:
        page = self.folder / "page.html"
        page.write_bytes(httpx.get(self.address).content)
        self.head, self.cards = head_in(page), {card["id"]: card for card in takes_in(page)}
        (self._events,) = re.findall(r'shotrunner-live" content="(.*?)"', page.read_text())

    def until(self, met: Callable[[OpenPage], bool]) -> None:
        """Follow the events until `met`; after a reload go on with the new page."""
        while not met(self):
            with httpx.stream("GET", self.address + self._events, timeout=20.0) as answer:
                self._follow(answer.iter_lines(), met)

    def _follow(self, lines: Iterator[str], met: Callable[[OpenPage], bool]) -> None:
        event = ""
        for line in lines:
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "reload":
                self._load()
                return
            elif name == "data":
                change = json.loads(value)
                self.head = change["head"]
                self.cards |= {card["id"]: card for card in change["takes"]}
            if met(self):
                return


def test_two_pages_follow_a_later_run_beside_one_that_never_reads(desk: Desk) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    desk.run("run", board, *RUN)
    with watching(desk, board) as address:
        pages = [OpenPage(address, desk.folder), OpenPage(address, desk.folder)]
        host, port, path = re.fullmatch(r"http://(.*):(\d+)(/.*)", address).groups()  # type: ignore[union-attr]
        with socket.create_connection((host, int(port))) as sleeper:
            sleeper.sendall(f"GET {path}events?after=0 HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            desk.run("run", write_csv(board, 3), *RUN)
            for page in pages:
                page.until(lambda page: page.head["totals"] == [["delivered", 3]])
                assert {card["standing"] for card in page.cards.values()} == {"delivered"}
                assert page.head["made"].endswith("from board.csv")
        clip = httpx.get(address + pages[0].cards["t0002"]["clip"], headers={"Range": "bytes=4-7"})
        assert (clip.status_code, clip.content) == (206, b"ftyp")
        assert httpx.get(f"{address}state.db").status_code == 404


def test_what_is_decided_on_a_page_is_in_the_file_of_picks_and_on_the_other_pages(desk: Desk) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    desk.run("run", board, *RUN)
    with watching(desk, board) as address:
        other = OpenPage(address, desk.folder)
        rows = [["t0000", "t0000", "pick", "lovely", "Ana", WHEN]]
        ours = {"Origin": address.rpartition("/")[0].rpartition("/")[0]}
        assert httpx.post(f"{address}picks", json={"rows": rows}, headers=ours).json() == {"saved": 1}
        other.until(lambda page: page.cards["t0000"]["decision"] == "pick")
        (shot, *_) = checked_document(desk.run("pick", board, "--list", "--output", "json").out)["shots"]
        assert shot["picked"]
        desk.run("reject", board, "t0001")
        other.until(lambda page: page.cards["t0001"]["decision"] == "reject")


def test_a_killed_run_leaves_its_page_which_says_that_it_does_not_go_on(desk: Desk) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    with OutsideServer(Settings(service=60)) as server:
        here = pointed_at(server, desk)
        life = here.start("run", board, "-y")
        life.wait_until(lambda life: " submitted " in life.err)
        with watching(desk, board) as address:
            page = OpenPage(address, desk.folder)
            assert page.head["made"].endswith("; the run was going on then")
            life.kill()
            page.until(lambda page: "; the run was not going on then" in page.head["made"])
            assert httpx.get(address).status_code == 200


def test_a_program_gets_the_address_as_json_and_a_used_port_is_an_error(desk: Desk) -> None:
    run = record_many(desk.folder / "small", 2)
    process = desk.start("watch", run, "--output", "json")
    process.wait_until(lambda process: process.out.rstrip().endswith("}"))
    found = checked_document(process.out)
    assert (found["format"], found["pid"]) == ("shotrunner-watch/1", process.popen.pid)
    assert httpx.get(found["url"]).status_code == 200
    refused = desk.run("watch", run, "--port", found["url"].split(":")[2].partition("/")[0], code=64)
    assert "→ name another port, or 0 for any" in refused.err
    process.signal(signal.SIGTERM)
    assert process.end().code == 0


def test_a_run_that_was_never_made_has_no_page(desk: Desk) -> None:
    (desk.folder / "board.yaml").write_text(ONE_SHOT)
    assert "→ shotrunner run board.yaml" in desk.run("watch", "board.yaml", code=66).err


@pytest.mark.installed
def test_run_open_starts_a_page_without_the_token_that_outlives_the_run(desk: Desk) -> None:
    """The browser is a script that notes the address, its environment, and the process that started it."""
    browser, noted = desk.folder / "browser", desk.folder / "noted"
    browser.write_text(
        f'#!/bin/sh\nenv > {noted}.part\necho "$1 $PPID" >> {noted}.part\nmv {noted}.part {noted}\n'
    )
    browser.chmod(0o700)
    board = write_csv(desk.folder / "board.csv", 1)
    with OutsideServer(Settings(service=60)) as server:
        here = pointed_at(server, desk).with_environment(BROWSER=str(browser), PYTHONPATH=str(REPOSITORY))
        life = here.start("run", board, "-y", "--open")
        life.wait_until(lambda life: "the page is at http" in life.err and noted.exists())
        address, pid = noted.read_text().splitlines()[-1].split()
        try:
            life.signal(signal.SIGTERM)
            assert f"the page is at {address}" in life.end().err
            assert httpx.get(address).status_code == 200
            assert "not running" in desk.run("status", board).out
            assert OUTSIDE_TOKEN not in noted.read_text()
            assert address not in (desk.folder / "reports" / "board" / "run.log").read_text()
        finally:
            os.kill(int(pid), signal.SIGTERM)
