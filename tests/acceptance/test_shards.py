"""A board on several machines: its shards pay for each take once, also after kills, and are reported together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.acceptance.boards import write_csv
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.json_documents import checked_document
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

TAKES = 12
QUICK = ("--simulate", "--speed", "50", "--poll-interval", "0.1")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [*csv.DictReader(file)]


def test_shards_that_run_at_once_and_are_killed_pay_for_the_board_exactly_once(desk: Desk) -> None:
    write_csv(desk.folder / "board.csv", TAKES)
    with OutsideServer(Settings(service=1)) as server:
        here = pointed_at(server, desk)
        other = here.start("run", "board.csv", "-y", "--shard", "2/2")
        # With a single submission the kill can only come after its answer, so that no take is held.
        killed = here.start("run", "board.csv", "-y", "--shard", "1/2", "--max-submits", 1)
        killed.wait_until(lambda life: " submitted " in life.err)
        killed.kill()
        here.run("run", "board.csv", "-y", "--shard", "1/2")
        assert other.end().code == 0
        assert server.stats()["submits"] == TAKES
        found = checked_document(here.run("status", "board.csv", "--output", "json").out)
        assert [each["run"] for each in found["runs"]] == ["board-shard-1-of-2", "board-shard-2-of-2"]
        assert [checked_document(json.dumps(each["status"]))["shard"] for each in found["runs"]] == [
            "1/2",
            "2/2",
        ]
        assert found["states"] == {"delivered": TAKES}
        assert (found["paid"]["spent_usd"], found["simulated"]["spent_usd"]) == (TAKES * 0.25, 0)
        assert found["absent_shards"] == []
    reports = desk.folder / "reports"
    here.run("report", "board.csv")
    table = rows(reports / "board-all-runs" / "report.csv")
    assert [row["take"] for row in table] == [f"t{number:04d}" for number in range(TAKES)]
    assert {row["run"] for row in table} == {"board-shard-1-of-2", "board-shard-2-of-2"}
    assert all((reports / "board-all-runs" / row["file"]).is_file() for row in table)


def test_a_shard_is_shown_named_and_kept_apart_from_the_rest_of_the_board(desk: Desk) -> None:
    write_csv(desk.folder / "board.csv", 8)
    shares = [
        checked_document(desk.run("plan", "board.csv", "--shard", f"{n}/2", "--output", "json").out)
        for n in (1, 2)
    ]
    takes = [[take["take"] for take in share["takes"]] for share in shares]
    assert sorted(takes[0] + takes[1]) == [f"t{number:04d}" for number in range(8)]
    assert all(takes)
    said = desk.run("run", "board.csv", *QUICK, "--shard", "2/2")
    assert "shard 2/2 of the board: --max-cost and other limits count in its own folder alone" in said.err
    folder = "reports/board-shard-2-of-2-simulated"
    for words, advice in (((), "add --shard 2/2"), (("--shard", "1/2"), "add --shard 2/2")):
        refused = desk.run("run", "board.csv", *QUICK, "--run-dir", folder, *words, code=64)
        assert advice in refused.err
    # The same command again has nothing to do, and a choice of another shard's takes is left to it.
    for words in ((), ("--only", takes[0][0])):
        again = desk.run("run", "board.csv", *QUICK, "--shard", "2/2", *words)
        assert "nothing was submitted" in again.out
    assert takes[1][0] in desk.run("show", "board.csv", takes[1][0], "--simulate", "--shard", "2/2").out
    desk.run("fetch", "board.csv", "--simulate", "--shard", "2/2")
    missing = desk.run("fetch", "board.csv", code=66)
    assert "name one of its shards" in missing.err
    assert "not among them: shard 1/2" in desk.run("status", folder, "nowhere", code=66).out


def test_a_take_that_failed_in_a_shard_is_retried_there(desk: Desk) -> None:
    write_csv(desk.folder / "board.csv", 3)
    desk.run("run", "board.csv", *QUICK, "--shard", "1/2", "--fail-rate", 1, code=2)
    target = "reports/board-shard-1-of-2-simulated"
    failed = checked_document(desk.run("status", target, "--output", "json").out)["failures"][0]["takes"]
    quick = [word for word in QUICK if word != "--simulate"]
    desk.run("retry", target, failed[0], *quick, "--simulate")
    desk.run("retry", "board.csv", *failed[1:], *QUICK, "--shard", "1/2", code=None)
    found = checked_document(desk.run("status", target, "--output", "json").out)
    assert found["states"] == {"delivered": len(failed)}


def test_a_shard_is_restored_as_what_it_was(desk: Desk) -> None:
    write_csv(desk.folder / "board.csv", 4)
    desk.run("run", "board.csv", *QUICK, "--shard", "1/2")
    folder = desk.folder / "reports" / "board-shard-1-of-2-simulated"
    before = checked_document(desk.run("status", folder, "--output", "json").out)
    for each in folder.glob("state.db*"):
        each.unlink()
    assert "restore" in desk.run("status", "board.csv", "--simulate", "--shard", "1/2", code=78).err
    desk.run("restore", "board.csv", "--simulate", "--shard", "1/2")
    after = checked_document(desk.run("status", folder, "--output", "json").out)
    assert (after["shard"], after["states"]) == ("1/2", before["states"])
    desk.run("run", "board.csv", *QUICK, "--shard", "1/2")
