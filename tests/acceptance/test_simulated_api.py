"""A run whose API says that it is a simulator: shown as simulated everywhere, and guarded like a paid one."""

from __future__ import annotations

from tests.acceptance.boards import write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at, simulating
from tests.json_documents import checked_document
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer
from tests.report_page import head_in

QUICK = ("--poll-interval", 0.1)


def test_a_run_against_a_simulator_says_so_and_keeps_its_guards(desk: Desk) -> None:
    """It asks, has the folder of a paid run, and is one again as soon as a job goes to an API that does not say so."""
    board, place = write_csv(desk.folder / "board.csv", 1), desk.folder / "reports" / "board"
    with simulating(desk, "--speed", 50) as service:
        unasked = service.desk.run("run", board, code=64)
        assert "1 simulated job will be submitted to " in unasked.err
        assert "-y to agree beforehand" in unasked.err
        done = service.desk.run("run", board, "-y", *QUICK)
    assert f"1 simulated job at {service.origin}" in done.err
    assert "board (simulated)" in done.err
    assert "spent $0.06, simulated" in done.out
    assert desk.run("status", board).out.startswith("board (simulated, nothing is paid)\n")
    assert head_in(place / "report.html")["simulated"] is True
    write_csv(board, 2)
    with OutsideServer(Settings(service=0.05)) as server:
        here = pointed_at(server, desk)
        paid = checked_document(here.run("run", board, "-y", "--output", "json", *QUICK).out)
    assert paid["simulated"] is False
    assert checked_document(desk.run("status", board, "--output", "json").out)["simulated"] is False
    assert head_in(place / "report.html")["simulated"] is False
