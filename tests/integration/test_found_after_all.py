"""A job that the API said it did not know, and then knew: its clip comes home and nothing is paid for again."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import EngineOptions, run_manifest
from runner.states import FailureClass, TakeState
from runner.store.read import open_reader
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
    assert kinds[-3:] == ["FoundAfterAll", "FetchStarted", "Delivered"]


def server_token() -> str:
    return Settings().token
