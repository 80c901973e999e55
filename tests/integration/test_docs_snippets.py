"""The README's examples work as printed: the manifest and its CSV twin, what `check` says, the Python program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.domain.errors import ManifestInvalid

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def snippets(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return the README's manifest as the file that its commands speak of."""
    path = tmp_path / "storyboard.yaml"
    path.write_text(snippets("yaml")[0], "utf-8")
    return path


def test_the_manifest_and_its_csv_twin_give_the_same_takes(board: Path) -> None:
    table = board.with_suffix(".csv")
    table.write_text(snippets("csv")[0], "utf-8")
    written, twin = (
        [(take.id, take.fingerprint, take.tags) for take in runner.check(path).takes]
        for path in (board, table)
    )
    assert written == twin
    assert [take_id for take_id, *_ in written] == ["s010@seed=1000", "s010@seed=1001", "s020"]


def test_the_second_sweep_gives_the_four_takes_it_promises(board: Path) -> None:
    swept = re.sub(
        r"    sweep:\n.*?\n(?=\n)",
        snippets("yaml")[1].split("#")[0] + "\n",
        board.read_text("utf-8"),
        flags=re.DOTALL,
    )
    board.write_text(swept, "utf-8")
    assert sum(take.shot_id == "s010" for take in runner.check(board).takes) == 4


def test_the_problems_shown_are_those_that_check_tells(board: Path) -> None:
    told = next(text for text in snippets("text") if "did you mean promptText?" in text)
    broken = (
        board.read_text("utf-8")
        .replace("duration: 5", "duration: 11", 1)
        .replace("promptText", "promtText", 1)
    )
    board.write_text(broken, "utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        runner.check(board)
    said = {str(problem).replace(str(board), board.name) for problem in caught.value.problems}
    assert set(told.splitlines()) <= said


def test_the_python_example_runs_and_brings_every_clip_home(board: Path) -> None:
    (program,) = snippets("python")
    # A program of its own, as a reader would run it; what is in the environment must not matter.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNCOMFY_")}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=board.parent,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, *clips = done.stdout.splitlines()
    assert first == "3 takes, first s010@seed=1000"
    assert [Path(clip).stem for clip in clips] == ["s010@seed=1000", "s010@seed=1001", "s020"]
    assert all(Path(clip).stat().st_size > 1000 for clip in clips)
