"""Answers that cannot be taken as they stand: of a gateway, of another job, of no readable output, of no possible cost.

None of them ends a paid job for good, none of them delivers the wrong clip, and none of them pays a second time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.boards import report_of, takes_of, write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.faults import Fault, Reply
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

FAST = ("-y", "--poll-interval", 0.1, "-j", 1)
GATEWAY = Reply(404, b'{"message": "no Route matched with those values"}')
UNREADABLE = {"status": "succeeded", "output": {"clips": [{"path": "a.mp4"}]}}


class Weather:
    """Spoils every answer of the routes named in `spoilt`, as long as they are."""

    def __init__(self) -> None:
        self.spoilt: dict[str, Reply] = {}

    def __call__(self, route: str, nth: int) -> Fault | None:  # noqa: ARG002 - the signature of Faults
        reply = self.spoilt.get(route)
        return None if reply is None else Fault(reply=reply)


@pytest.fixture
def weather() -> Weather:
    return Weather()


@pytest.fixture
def server(weather: Weather) -> Iterator[OutsideServer]:
    with OutsideServer(Settings(service=0.1), faults=weather) as outside:
        yield outside


def record(**fields: object) -> Reply:
    return Reply(200, json.dumps(fields).encode())


def states_of(place: Path) -> list[str]:
    return [row["state"] for row in report_of(place)]


@pytest.mark.parametrize(
    ("route", "reply"),
    [
        pytest.param("result", GATEWAY, id="a gateway's 404"),
        pytest.param("result", Reply(410, b"{}"), id="a bare 410"),
        pytest.param("result", record(request_id="other", status="succeeded"), id="another job's record"),
        pytest.param("status", record(request_id="other", status="completed"), id="another job's state"),
    ],
)
def test_what_is_not_the_apis_word_on_this_job_leaves_it_to_the_next_run(
    desk: Desk, server: OutsideServer, weather: Weather, route: str, reply: Reply
) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.spoilt = {route: reply}
    first = here.run("run", board, *FAST, "--outage-limit", "2s", code=69)
    assert states_of(place)[0] in {"queued", "running"}, first
    assert not list((place / "clips").glob("*.mp4")), first
    weather.spoilt = {}
    second = here.run("run", board, *FAST)
    assert states_of(place) == ["delivered", "delivered"], second
    assert len(server.ledger()) == 2


def test_a_clip_that_was_given_up_is_fetched_by_name_once_the_api_has_it(
    desk: Desk, server: OutsideServer, weather: Weather
) -> None:
    """`show` has the answer that could not be read; the second look is free and says what it found."""
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.spoilt = {"result": record(**UNREADABLE)}
    failed = here.run("run", board, *FAST, code=2)
    assert "names an output this program cannot read" in failed.err
    (row,) = report_of(place)
    assert "a.mp4" in here.run("show", board, row["take"]).out
    refused = here.run("fetch", board, row["take"], code=64)
    assert "asked again the API says: the API says it succeeded but names an output" in refused.err
    weather.spoilt = {}
    found = here.run("fetch", board, row["take"])
    assert "found after all" in found.err
    assert states_of(place) == ["delivered"]
    assert len(server.ledger()) == 1


def test_the_next_plain_run_looks_again_at_what_was_given_up(
    desk: Desk, server: OutsideServer, weather: Weather
) -> None:
    board = write_csv(desk.folder / "board.csv", 2)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.spoilt = {"result": record(status="completed", output=None)}
    here.run("run", board, *FAST, code=2)
    still = here.run("run", board, *FAST, code=2)
    assert states_of(place) == ["failed", "failed"], still
    weather.spoilt = {}
    here.run("run", board, *FAST)
    assert states_of(place) == ["delivered", "delivered"]
    assert len(server.ledger()) == 2


@pytest.mark.parametrize("cost", [-1, "-5", 1e9])
def test_a_cost_that_cannot_be_leaves_the_estimate_reserved(
    desk: Desk, server: OutsideServer, weather: Weather, cost: object
) -> None:
    board = write_csv(desk.folder / "board.csv", 4)
    lines = board.read_text("utf-8").splitlines()
    board.write_text(
        "\n".join([f"{lines[0]},price", *(f"{line},0.25" for line in lines[1:])]) + "\n", "utf-8"
    )
    here = pointed_at(server, desk)
    link = "https://files.example/a.mp4"
    weather.spoilt = {"result": record(status="succeeded", output={"video": link}, cost=cost)}
    outcome = here.run("run", board, *FAST, "--no-download", "--max-cost", "0.5", code=3)
    assert len(server.ledger()) == 2, outcome
    assert outcome.err.count("which cannot be; the cost counts as unknown") == 2
    assert "spent $0.00 of an estimated $0.50; 2 jobs without a known cost" in outcome.out


def test_a_record_larger_than_any_is_said_to_be_so(
    desk: Desk, server: OutsideServer, weather: Weather
) -> None:
    """One of a few MiB comes home."""
    board = write_csv(desk.folder / "board.csv", 1)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    ballast, link = "x" * (17 << 20), "https://files.example/a.mp4"
    weather.spoilt = {"result": record(status="succeeded", output={"video": link}, debug=ballast)}
    first = here.run("run", board, *FAST, "--no-download", "--outage-limit", "2s", code=69)
    assert "the API's answer is larger than 16 MiB" in first.err
    weather.spoilt = {"result": record(status="succeeded", output={"video": link}, debug=ballast[: 3 << 20])}
    here.run("run", board, *FAST, "--no-download")
    assert [row["outputs"] for row in report_of(place)] == [link]


def test_a_retry_looks_for_nothing_before_it_pays_and_fetches_what_is_there(
    desk: Desk, server: OutsideServer, weather: Weather
) -> None:
    """Without a token nothing is asked for, and nothing is recorded either."""
    board = write_csv(desk.folder / "board.csv", 2)
    here, place = pointed_at(server, desk), desk.folder / "reports" / "board"
    weather.spoilt = {"result": record(status="completed", output=None)}
    here.run("run", board, *FAST, code=2)
    ids = [take.request_id for take in takes_of(place)]
    weather.spoilt = {}
    without_token = here.with_environment(RUNCOMFY_TOKEN="")
    without_token.run("retry", board, "--only", "status:failed", *FAST, code=77)
    assert states_of(place) == ["failed", "failed"]
    told = here.run("retry", board, "--only", "status:failed", *FAST)
    assert "given up before, and found after all, so nothing is paid for again: t0000, t0001" in told.err
    assert states_of(place) == ["delivered", "delivered"]
    assert [take.request_id for take in takes_of(place)] == ids
    assert len(server.ledger()) == 2
