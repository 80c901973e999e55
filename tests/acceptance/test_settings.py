"""A board with defaults in files: the run is where they say, and the commands after it find it there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.acceptance.command import Desk


def test_a_board_with_settings_is_run_and_found_by_its_name_alone(desk: Desk) -> None:
    desk.run("init", "board.yaml")
    board = desk.folder / "board.yaml"
    board.write_text(board.read_text("utf-8").replace("\nvars:", "\nrun: {run-dir: out, jobs: 6}\nvars:", 1))
    beside = 'jobs = 2\npoll-interval = 0.05\nname = "{shot}_t{take:02}"\n'
    (desk.folder / "shotrunner.toml").write_text(beside, "utf-8")
    planned = json.loads(desk.run("plan", "board.yaml", "--simulate", "--output", "json").out)
    assert planned["settings"] == [
        {"name": "run-dir", "value": "out", "file": "board.yaml"},
        {"name": "jobs", "value": "6", "file": "board.yaml"},
        {"name": "poll-interval", "value": "0.05", "file": "shotrunner.toml"},
        {"name": "name", "value": "{shot}_t{take:02}", "file": "shotrunner.toml"},
    ]
    desk.run("run", "board.yaml", "--simulate", "--speed", 100)
    assert Path(planned["run_dir"]).name == "out-simulated"
    assert (desk.folder / "out-simulated" / "clips" / "s020_t01.mp4").is_file()
    assert "6 delivered" in desk.run("status", "board.yaml").out
    # The settings are no part of what was paid for: another value makes no take stale.
    board.write_text(board.read_text("utf-8").replace("jobs: 6", "jobs: 5"))
    assert "6 skip" in desk.run("plan", "board.yaml", "--simulate").out
