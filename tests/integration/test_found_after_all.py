"""A job that the API said it did not know, and then knew: its clip comes home and nothing is paid for again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner import EngineOptions, run_manifest
from runner.commands.reconcile import adopt
from runner.domain.states import FailureClass, TakeState
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from tests.acceptance.boards import write_csv
from tests.outside.faults import Fault, Reply
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

UNKNOWN = Reply(404, b'{"error_code": 404001, "error_message": "unknown request"}')


@pytest.mark.parametrize(
    ("route", "failure"), [("status", FailureClass.MISSING), ("result", FailureClass.EXPIRED)]
)
def test_a_run_delivers_what_an_earlier_one_gave_up(
    tmp_path: Path, route: str, failure: FailureClass
) -> None:
    """Before that it is looked for in vain, which changes nothing."""
    board = write_csv(tmp_path / "board.csv", 1)
    spoilt = {route, "result"}

    def spoiling(route: str, nth: int) -> Fault | None:  # noqa: ARG001 - the signature of Faults
        return Fault(reply=UNKNOWN) if route in spoilt else None

    options = EngineOptions(missing_grace=0.5)
    with OutsideServer(Settings(service=0.1), faults=spoiling) as server:
        environ = {
            "RUNCOMFY_MODEL_API_BASE": server.url,
            "RUNCOMFY_TOKEN": server_token(),
            "HOME": str(tmp_path),
        }
        for _ in range(2):
            summary = run_manifest(board, options=options, environ=environ)
            assert (summary.exit_code, summary.counts) == (2, {TakeState.FAILED: 1})
        with open_reader(summary.run_dir / "state.db") as reader:
            (take,) = reader.takes()
            assert take.failure is failure
        spoilt.clear()
        summary = run_manifest(board, options=options, environ=environ)
        assert (summary.exit_code, summary.submitted) == (0, 0)
        assert any("found after all" in remark for remark in summary.remarks)
        assert [clip.read_bytes() for clip in summary.clips] == [server.clip(take.request_id or "")]
        assert len(server.ledger()) == 1
    with open_reader(summary.run_dir / "state.db") as reader:
        (take,) = reader.takes()
        kinds = [event.fact for event in reader.events(take.take_id)]
    assert (take.state, take.failure, take.reason, take.cost) == (TakeState.SUCCEEDED, None, "", 0.25)
    assert kinds[-4:] == ["FoundAfterAll", "FetchStarted", "Delivered", "Checked"]


@pytest.mark.parametrize(
    ("told", "state", "fact", "cost"),
    [
        ({"status": "succeeded", "input": {"seed": 99}}, TakeState.HELD, "AdoptionUndone", None),
        (
            {"status": "failed", "output": None, "input": {"seed": 0.0}, "cost": 0.1},
            TakeState.FAILED,
            "CostSeen",
            0.1,
        ),
        (
            {"status": "failed", "input": {"seed": 0.0}, "cost": 0.1},
            TakeState.SUCCEEDED,
            "FoundAfterAll",
            0.1,
        ),
        (
            {"status": "succeeded", "input": {"seed": "0"}, "cost": 0.2},
            TakeState.SUCCEEDED,
            "FoundAfterAll",
            0.2,
        ),
    ],
    ids=["another's", "its own, failed", "its own, failed with a clip", "its own"],
)
def test_an_adopted_job_that_comes_back_is_asked_about_once_and_taken_only_as_its_own(
    tmp_path: Path, told: dict[str, object], state: TakeState, fact: str, cost: float | None
) -> None:
    """It was unknown for a while, so its take was given up; a record of another seed holds it again, unfetched."""
    board = write_csv(tmp_path / "board.csv", 1)
    replies = {"submit": Reply(500, b"{}"), "status": UNKNOWN, "result": UNKNOWN}
    asked: list[str] = []

    def spoiling(route: str, nth: int) -> Fault | None:  # noqa: ARG001 - the signature of Faults
        asked.append(route)
        return Fault(reply=replies[route]) if route in replies else None

    with OutsideServer(Settings(service=0.1), faults=spoiling) as server:
        environ = {
            "RUNCOMFY_MODEL_API_BASE": server.url,
            "RUNCOMFY_TOKEN": server_token(),
            "HOME": str(tmp_path),
        }
        options = EngineOptions(missing_grace=0.5, download=False)
        held = run_manifest(board, options=options, environ=environ)
        (take,) = held.held
        adopt(RunDir(held.run_dir), take.take_id, "req-x", by="ada", look_up=None)
        lost = run_manifest(board, options=options, environ=environ)
        assert lost.counts == {TakeState.FAILED: 1}
        record = {"request_id": "req-x", "output": {"video": "https://files.example/a.mp4"}, **told}
        replies["result"] = Reply(200, json.dumps(record).encode())
        asked.clear()
        summary = run_manifest(board, options=options, environ=environ)
    assert asked.count("result") == 1
    assert (summary.submitted, summary.counts) == (0, {state: 1})
    with open_reader(summary.run_dir / "state.db") as reader:
        (take,) = reader.takes()
        last = reader.events(take.take_id)[-1]
    assert (last.fact, take.cost) == (fact, cost)
    if state is TakeState.HELD:
        assert (last.details["by"], take.request_id) == ("its record", None)
        assert any("t0000 is held again: request req-x was adopted" in text for text in summary.remarks)


def server_token() -> str:
    return Settings().token
