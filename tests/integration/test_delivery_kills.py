"""A process that dies between any two of its steps with files leaves what the next call completes.

A process of its own fetches once per step and is gone just before its n-th step: Python's audit events tell each
open, link, rename and removal. The folder is then looked at, and fetched into again.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from runner.domain.shots import Ticket
from runner.domain.states import Delivered, TakeState
from runner.media.clips.fetch import FetchOptions, fetch_clip
from tests.integration.test_delivery_server import Answer, RawServer, body, cut, film, raw_server, store

OLD, NEW = film(900), film(1000, fill=b"\x5a")
MOST_STEPS = 160
LARGE = film(40_000, fill=Random(7).randbytes(40_000))

VICTIM = """
    import os, sys
    from pathlib import Path
    from runner.domain.shots import Ticket
    from runner.domain.states import TakeState
    from runner.media.clips.fetch import FetchOptions, fetch_clip

    STEPS = {"open", "os.link", "os.rename", "os.remove", "os.mkdir"}
    left = 0

    def step(event, _arguments):
        global left
        if event in STEPS:
            left -= 1
            if left == 0:
                os._exit(9)

    def fetch(run_dir, request_id, *urls):
        options = FetchOptions(Path(run_dir), allow_loopback=True, spare_bytes=0)
        taken = TakeState.SUCCEEDED
        fetch_clip(Ticket("s010", "m", "{}", "", taken, request_id=request_id, outputs=urls), options)

    root, older, newer, count, times = *sys.argv[1:4], *map(int, sys.argv[4:])
    for number in range(1, count):
        child = os.fork()
        if child == 0:
            if older:
                fetch(f"{root}/{number}", "req-old", older)
            left = number
            sys.addaudithook(step)
            for _ in range(times):
                fetch(f"{root}/{number}", "req-new", *newer.replace("NUMBER", str(number)).split())
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            print(number)
            break
"""


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


def die_at_every_step(root: Path, *, older: str, newer: str, times: int = 1) -> int:
    """Fetch so many times into a folder for each step and die there; return how many steps it takes to come through.

    `newer` are links with blanks between them; NUMBER in one stands for the step.
    """
    numbers = str(MOST_STEPS), str(times)
    command = [sys.executable, "-c", textwrap.dedent(VICTIM), str(root), older, newer, *numbers]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def check_left(clips: Path) -> bool:
    """Check that a clip that is there is whole and known; return whether it is the new one."""
    clip, sidecar = clips / "s010.mp4", clips / "s010.json"
    if not clip.exists():
        return False
    known = json.loads(sidecar.read_bytes())
    content = clip.read_bytes()
    assert content in (OLD, NEW)
    if known["request_id"] == "req-new" or content == NEW:
        assert known["sha256"] == hashlib.sha256(content).hexdigest()
    return content == NEW


@pytest.mark.parametrize("with_older", [False, True], ids=["first clip", "after an older paid clip"])
def test_a_death_before_any_step_is_made_good_by_the_next_call(
    tmp_path: Path, server: RawServer, with_older: bool
) -> None:
    older = server.serve(body(OLD), path="/old") if with_older else ""
    newer = server.serve(body(NEW), path="/new")
    steps = die_at_every_step(tmp_path, older=older, newer=newer)
    assert steps > 5
    for number in range(1, steps + 1):
        clips = tmp_path / str(number) / "clips"
        arrived = check_left(clips)
        asked = len(server.asked)
        options = FetchOptions(tmp_path / str(number), allow_loopback=True, spare_bytes=0)
        answer = fetch_clip(ticket(newer), options)
        assert answer == Delivered("clips/s010.mp4", hashlib.sha256(NEW).hexdigest(), len(NEW)), number
        assert len(server.asked) - asked == (0 if arrived else 1), "what has its name is not downloaded again"
        check_whole(clips, with_older=with_older)


def ticket(*links: str) -> Ticket:
    return Ticket("s010", "m", "{}", "", TakeState.SUCCEEDED, request_id="req-new", outputs=links)


def check_whole(clips: Path, *, with_older: bool) -> None:
    contents = {path.name: path.read_bytes() for path in clips.iterdir()}
    assert not [name for name in contents if name.endswith((".part", ".part.json"))]
    films = {name: content for name, content in contents.items() if name.endswith(".mp4")}
    assert films.pop("s010.mp4") == NEW
    assert json.loads(contents["s010.json"])["request_id"] == "req-new"
    # A death between a second name and the end of the first leaves the older clip both; it is never left without.
    assert set(films.values()) == ({OLD} if with_older else set())


@pytest.mark.parametrize(
    ("first", "marks"),
    [
        pytest.param(cut(LARGE, at=20_000), ".part", id="a broken download goes on"),
        pytest.param(body(b"<html>busy</html>"), ".rejected", id="a page came first"),
    ],
)
def test_a_death_before_any_step_of_a_second_try_is_made_good(
    tmp_path: Path, server: RawServer, first: Answer, marks: str
) -> None:
    """Of two outputs: neither is lost, mixed or taken for the other, and no file of ours is left over."""
    for number in range(1, MOST_STEPS):
        server.serve(first, store(LARGE), path=f"/1-{number}")
        server.serve(body(NEW), path=f"/2-{number}")
    newer = f"{server.url('/1-NUMBER')} {server.url('/2-NUMBER')}"
    steps = die_at_every_step(tmp_path, older="", newer=newer, times=2)
    assert steps > 20
    assert any(list((tmp_path / str(number) / "clips").glob(f"*{marks}")) for number in range(1, steps))
    for number in range(1, steps + 1):
        options = FetchOptions(tmp_path / str(number), allow_loopback=True, spare_bytes=0)
        links = server.url(f"/1-{number}"), server.url(f"/2-{number}")
        answers = [fetch_clip(ticket(*links), options) for _ in range(3)]
        whole = Delivered("clips/s010.mp4", hashlib.sha256(LARGE).hexdigest(), len(LARGE))
        assert answers[1:] == [whole, whole], number
        left = {path.name: path.read_bytes() for path in options.run_dir.glob("clips/*")}
        films = {name: content for name, content in left.items() if name.endswith(".mp4")}
        assert films == {"s010.mp4": LARGE, "s010+2.mp4": NEW}, number
        assert not [name for name in left if name.endswith((".part", ".part.json", ".rejected", "ed.json"))]
