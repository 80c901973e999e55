"""A rendered clip comes home however its record is written, and a person can end whatever never ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.domain.states import Ended, FailureClass, TakeState
from runner.store.state_file import StateFile
from tests.acceptance.boards import report_of, takes_of, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.integration.test_delivery_server import film
from tests.outside.faults import Fault, Reply
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.report_page import text_of

FAST = ("-y", "--poll-interval", 0.1, "-j", 1)
CLIP = film(5000)


class Weather:
    """Answers the routes of `spoilt` in place of the server; every file it serves is the same clip."""

    def __init__(self) -> None:
        self.spoilt: dict[str, Reply] = {"file": Reply(200, CLIP, {"Content-Type": "video/mp4"})}

    def __call__(self, route: str, nth: int) -> Fault | None:  # noqa: ARG002 - the signature of Faults
        reply = self.spoilt.get(route)
        return None if reply is None else Fault(reply=reply)

    def tell(self, route: str, **fields: object) -> None:
        self.spoilt[route] = Reply(200, json.dumps(fields).encode())


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def server(weather: Weather) -> Iterator[OutsideServer]:
    with OutsideServer(Settings(service=0.1), faults=weather) as outside:
        yield outside


def states_of(place: Path) -> list[str]:
    return [row["state"] for row in report_of(place)]


Shape = Callable[[str], dict[str, Any]]
SHAPES: dict[str, Shape] = {
    "video.uri": lambda link: {"status": "succeeded", "video": {"uri": link}},
    "a text of JSON": lambda link: {"status": "Success", "output": json.dumps({"video": link})},
    "data[]": lambda link: {"status": "done", "data": [link]},
    "no word": lambda link: {"result": {"files": [{"href": link, "name": "a.mp4"}]}},
    "an unknown word": lambda link: {"status": "dreamt", "assets": [{"download_url": link}]},
    "failed": lambda link: {"status": "failed", "error": "worker lost", "output": {"video": link}},
    "cancelled": lambda link: {"status": "cancelled", "output": [link]},
    "partial": lambda link: {
        "status": "partial",
        "outputs": {"video": f"  {link}\n", "thumbnail": f"{link}.png"},
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_rendered_clip_comes_home_however_its_record_is_written(
    desk: Desk, server: OutsideServer, weather: Weather, shape: str
) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    link = f"{server.url}/files/x.mp4"
    weather.tell("result", **SHAPES[shape](link), input={"keyFramesFirst": "https://example.com/0a.jpg"})
    told = here.run("run", board, *FAST)
    assert states_of(place) == ["delivered"], told
    (take,) = takes_of(place)
    assert (place / (take.file or "")).read_bytes() == CLIP
    shown = here.run("show", board, take.take_id).out
    assert f"{link}  at " in shown
    if shape in {"failed", "cancelled", "an unknown word", "no word", "partial"}:
        assert "its record names an output, which is fetched" in told.err
    assert len(server.ledger()) == 1


@pytest.mark.parametrize(
    ("status", "result"),
    [
        ({"status": "Completed."}, {"status": "succeeded"}),
        ({"status": "done"}, {"status": "success"}),
        ({"status": "dreaming"}, {"status": "COMPLETED"}),
        ({"status": {"state": "completed"}}, {}),
        ({"status": 3}, {"status": 3}),
        ({"status": None}, {"status": None}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_no_status_word_keeps_a_clip_from_coming_home(
    desk: Desk, server: OutsideServer, weather: Weather, status: dict[str, object], result: dict[str, object]
) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.spoilt["submit"] = Reply(200, b'{"request_id": "R-1a"}')
    weather.tell("status", request_id="r-1A", **status)
    weather.tell("result", request_id="r-1a", **result, output={"video": f"{server.url}/files/x.mp4"})
    here.run("run", board, *FAST)
    assert states_of(place) == ["delivered"]


@pytest.mark.parametrize("word", ["expired", "timeout", "Rejected", "aborted"])
def test_a_job_that_ended_badly_ends_its_take(
    desk: Desk, server: OutsideServer, weather: Weather, word: str
) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.tell("result", status=word)
    here.run("run", board, *FAST, code=2)
    (row,) = report_of(place)
    assert row["state"] == "failed"
    assert f"the API calls it '{word}'" in row["error"]


@pytest.fixture
def overlooked(desk: Desk, server: OutsideServer, weather: Weather) -> Path:
    """Return a board whose only take an older program took for failed, though its record names a clip."""
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.tell("status", status="in_queue")
    here.run("run", board, *FAST, "--job-limit", "1s", code=3)
    record = {"status": "failed", "error": "oom", "video": {"uri": f"{server.url}/files/x.mp4"}}
    with StateFile.open(place / "state.db") as state:
        state.begin(at=1.0)
        ended = Ended(TakeState.FAILED, json.dumps(record), (), FailureClass.PROVIDER_FAILED, "oom")
        state.record("t0000", ended, at=2.0).result(20)
    return board


def test_a_retry_of_a_take_whose_record_names_a_clip_pays_nothing_and_says_how_to_fetch_it(
    desk: Desk, server: OutsideServer, overlooked: Path
) -> None:
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    refused = here.run("retry", overlooked, "t0000", *FAST, code=64)
    assert f"has an output: {server.url}/files/x.mp4, at video.uri in its record" in refused.err
    assert "shotrunner fetch" in refused.err
    here.run("fetch", overlooked, "t0000")
    assert states_of(place) == ["delivered"]
    assert len(server.ledger()) == 1


@pytest.mark.parametrize("verb", ["fetch", "run"])
def test_what_an_older_program_overlooked_is_found_in_its_record(
    desk: Desk, server: OutsideServer, overlooked: Path, verb: str
) -> None:
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    told = here.run(verb, overlooked, *(FAST if verb == "run" else ()))
    assert "found after all" in told.err
    assert states_of(place) == ["delivered"]
    assert len(server.ledger()) == 1


def test_what_looks_like_a_link_and_is_not_taken_is_said_everywhere_before_anything_is_paid_again(
    desk: Desk, server: OutsideServer, weather: Weather
) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.tell("result", status="succeeded", output={"video": "s3://bucket/a.mp4"})
    here.run("run", board, *FAST, code=2)
    said = "s3://bucket/a.mp4 at output.video, not a web link but s3"
    (row,) = report_of(place)
    assert said in row["error"]
    assert said in here.run("show", board, "t0000").out
    assert json.loads(here.run("show", board, "t0000", "--output", "json").out)["links"]["left"]
    assert "s3://bucket/a.mp4" in text_of(place / "report.html")
    asked = here.run("retry", board, "t0000", code=64)
    assert f"t0000: its record names {said}" in asked.err
    assert len(server.ledger()) == 1


def test_a_job_that_never_ends_is_left_past_its_limit_and_given_up_by_a_persons_word(
    desk: Desk, server: OutsideServer, weather: Weather
) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.tell("status", status="in_queue")
    left = here.run("run", board, *FAST, "--job-limit", "1s", code=3)
    assert "t0000 is left to the next run: its job is older than" in left.err
    assert "older than --job-limit" in left.err
    job = takes_of(place)[0].request_id
    unsaid = here.run("reconcile", board, "drop", "t0000", code=64)
    assert f"request {job} goes on and may be billed" in unsaid.err
    assert "--yes" in unsaid.err
    assert states_of(place)[0] == "queued"
    dropped = here.run("reconcile", board, "drop", "t0000", "--yes")
    assert "t0000: given up" in dropped.out
    del weather.spoilt["status"]
    done = here.run("run", board, *FAST)
    assert states_of(place) == ["dropped", "delivered"], done
    assert "1 dropped" in done.out
    assert f"request {job} goes on and may be billed" in here.run("show", board, "t0000").out
    assert len(server.ledger()) == 2
    found = here.run("fetch", board, "t0000")
    assert "found after all" in found.err
    assert states_of(place) == ["delivered", "delivered"]


@pytest.mark.parametrize("how", ["failed", "undeliverable"])
def test_a_take_that_keeps_a_run_from_being_complete_can_be_given_up(
    desk: Desk, server: OutsideServer, weather: Weather, how: str
) -> None:
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    failing = {"status": "failed", "error": "no"}
    gone = {"status": "succeeded", "output": {"video": "http://files.example/a.mp4"}}
    weather.tell("result", **(failing if how == "failed" else gone))
    for _ in range(2):
        here.run("run", board, *FAST, code=2)
    here.run("reconcile", board, "drop", "t0000", "--yes")
    done = here.run("run", board, *FAST)
    assert states_of(place) == ["dropped"], done
    assert "given up" in done.out
