"""The benchmark at a tiny size with the peers alone: that it measures, and that it notices what went wrong."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import sys
from pathlib import Path

import pytest

from runner.commands.run import run_manifest
from runner.commands.steps.summary import RunEstimate, RunSummary
from runner.commands.verify import verify
from runner.store.run_dir import RunDir
from tests.benchmarks import failing_shares
from tests.benchmarks.bench import main, run
from tests.benchmarks.contenders import Contender, contenders
from tests.benchmarks.figures import Load
from tests.benchmarks.finished_run import build, complete
from tests.benchmarks.harness import COLUMNS, measure, write_manifest
from tests.benchmarks.reached import Figure

TINY = Load(takes=20, cap=10, slots=10, service=0.05, poll=0.05)


def own_program(source: str) -> Contender:
    """Make a contender of a few lines of Python."""
    return Contender("made up", lambda _load, at: [sys.executable, "-c", source, at.base], lambda: None)


def test_the_peers_do_the_work_and_every_figure_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--takes", "20", "--cap", "10", "--slots", "10", "--service", "0.05", "--poll", "0.05"]
    code = main([*size, "--json", "--only", "httpx"])
    shown = json.loads(capsys.readouterr().out)
    (row,) = shown["contenders"]
    assert (code, row["contender"], row["sound"]) == (0, "httpx script", True)
    assert (row["stats"]["submits"], row["stats"]["distinct"], row["stats"]["doubled"]) == (20, 20, 0)
    assert row["stats"]["peak_outstanding"] <= 10
    assert (row["calls"]["result"], row["results_per_take"]) == (20, 1.0)
    assert row["looks_per_take"] >= 1
    assert row["wall_ratio"] > row["makespan_ratio"] >= 0.5
    assert 0 < row["usage"]["cpu"] < 10
    assert (row["downloads"], row["resume"]) == (False, False)


def test_a_contender_that_does_nothing_is_not_sound(capsys: pytest.CaptureFixture[str]) -> None:
    measured = run(own_program("print('I give up'); raise SystemExit(3)"), TINY, factor=30)
    assert (measured.usage.exit_code, measured.sound) == (3, False)
    assert "I give up" in capsys.readouterr().err


def test_a_contender_that_never_ends_is_killed_with_its_children(tmp_path: Path) -> None:
    held = tmp_path / "held"
    child = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); "
        "print('held', file=file, flush=True); time.sleep(1000)"
    )
    source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, {str(held)!r}])"
    command = [sys.executable, "-c", source]
    usage = measure(command, environment={}, log=tmp_path / "log", limit=3.0, cwd=tmp_path)
    assert usage.exit_code == -9
    with held.open() as file:
        assert file.read() == "held\n"
        # Waits until the child, which has the lock, is dead: at once, or for longer than a test may take.
        fcntl.flock(file, fcntl.LOCK_EX)


def test_cpu_of_descendants_is_counted_with_the_process_itself(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    source = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    command = [sys.executable, "-c", source]
    usage = measure(command, environment={}, log=tmp_path / "log", limit=20, cwd=tmp_path)
    assert usage.exit_code == 0
    assert usage.cpu >= 0.3


def test_the_token_and_the_base_reach_a_contender_through_its_environment(tmp_path: Path) -> None:
    log, names = tmp_path / "log", {"RUNCOMFY_TOKEN": "made-up", "HOME": os.environ.get("HOME", "/")}
    source = "import os; print(os.environ['RUNCOMFY_TOKEN'], end='')"
    measure([sys.executable, "-c", source], environment=names, log=log, limit=20, cwd=tmp_path)
    assert log.read_text() == "made-up"


def test_every_take_of_the_manifest_has_a_body_of_its_own(tmp_path: Path) -> None:
    write_manifest(tmp_path / "board.csv", 50)
    with (tmp_path / "board.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["model"] for row in rows} == {"pika/pikaframes"}
    assert len({tuple(value for name, value in row.items() if name != "id") for row in rows}) == 50


def test_only_a_contender_with_state_can_claim_to_resume() -> None:
    everyone = contenders(shell_takes=10)
    assert len({contender.name for contender in everyone}) == len(everyone) == 5
    assert all(contender.state for contender in everyone if contender.resume)


def test_a_failing_share_is_measured_beside_what_it_costs(capsys: pytest.CaptureFixture[str]) -> None:
    """One kind, two tiny points; how long they took on a busy machine is not judged here."""
    failing_shares.main(
        ["--takes", "6", "--jobs", "6", "--shares", "0", "0.5", "--only", "submits", "--json"]
    )
    calm, half = json.loads(capsys.readouterr().out)
    assert (calm["share"], calm["exit_code"], calm["accepted"]) == (0.0, 0, 6)
    assert (half["share"], half["exit_code"], half["accepted"]) == (0.5, 4, 6)
    assert half["ideal"] == pytest.approx(2 * calm["seconds"])


def test_a_made_run_is_taken_for_a_real_one(tmp_path: Path) -> None:
    """Only what was left out is submitted; once that is completed, nothing is."""
    made = build(tmp_path, takes=20, done=0.9)
    submits = []

    def refuse(estimate: RunEstimate) -> bool:
        submits.append(estimate.submits)
        return False

    def run_it() -> RunSummary:
        return run_manifest(made.manifest, run_dir=made.run_dir, environ=made.environment, confirm=refuse)

    assert (run_it().exit_code, submits) == (3, [2])
    complete(made)
    again = run_it()
    assert (again.exit_code, again.submitted, len(again.clips), submits) == (0, 0, 20, [2])
    found = verify(RunDir(made.run_dir))
    assert (found.checked, found.findings) == (20, ())


def test_a_figure_is_reached_by_its_median() -> None:
    within, above = Figure("a", (1.0, 2.0, 9.0), most=2.0), Figure("b", (1.0, 3.0, 9.0), most=2.0)
    enough, alone = Figure("c", (0.9,), least=0.9), Figure("d", (1.0,))
    assert [each.is_reached for each in (within, above, enough, alone)] == [True, False, True, None]
    assert Figure("e", (), most=1.0).cells()[-1] == "not measured"
