"""The documents' examples work as printed: manifests and their CSV twins, what commands say, the Python program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runner
from runner.commands.report import to_frame
from runner.domain.errors import ManifestInvalid

ROOT = Path(__file__).parents[2]
TAKES = ["s010@seed=1000", "s010@seed=1001", "s020"]


def snippets(page: str, kind: str) -> list[str]:
    text = (ROOT / page).read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """Return the first board on the page of the manifest, as the file that the commands speak of."""
    path = tmp_path / "storyboard.yaml"
    path.write_text(snippets("docs/manifest.md", "yaml")[0], "utf-8")
    return path


def python(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python as a reader would: a program of its own, whatever account is in the environment."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RUNCOMFY_")}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env={**environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("page", ["README.md", "docs/manifest.md"])
def test_a_manifest_and_its_csv_twin_give_the_same_takes(page: str, tmp_path: Path) -> None:
    paths = tmp_path / "storyboard.yaml", tmp_path / "storyboard.csv"
    for path in paths:
        path.write_text(snippets(page, path.suffix[1:])[0], "utf-8")
    written, twin = (
        [(take.id, take.fingerprint, take.tags) for take in runner.check(path).takes] for path in paths
    )
    assert written == twin
    assert [take_id for take_id, *_ in written] == TAKES


def test_the_quick_start_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = next(text for text in snippets("README.md", "text") if text.startswith("wrote"))
    commands = (
        ["init"],
        ["check", "storyboard.yaml"],
        ["run", "storyboard.yaml", "--simulate", "--speed", "20"],
        ["status", "storyboard.yaml"],
    )
    done = [python("-m", "runner", *words, folder=tmp_path) for words in commands]
    assert [process.returncode for process in done] == [0] * len(commands)
    said = "".join(process.stdout + process.stderr for process in done)
    assert {*masked(shown, "/home/you/film")} <= {"…", *masked(said, str(tmp_path))}


def masked(text: str, folder: str) -> list[str]:
    """Return the lines of an output without what differs from run to run: ids, times and sizes."""
    text = re.sub(r"\b[0-9a-f-]{36}\b", "ID", text.replace(folder, "FOLDER"))
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:]{8}Z", "TIME", text)
    # A job that ends between two looks has no time.
    return re.sub(r"(?:\d+\.\d s  )?(?=\$0)|\d+ kB", "", text).splitlines()


def test_the_sweep_of_two_axes_gives_the_four_takes_it_promises(board: Path) -> None:
    swept = re.sub(
        r"    sweep:\n.*?\n(?=\n)",
        snippets("docs/editing.md", "yaml")[0].split("#")[0] + "\n",
        board.read_text("utf-8"),
        flags=re.DOTALL,
    )
    board.write_text(swept, "utf-8")
    assert sum(take.shot_id == "s010" for take in runner.check(board).takes) == 4


def test_the_problems_shown_are_those_that_check_reports(board: Path) -> None:
    shown = next(text for text in snippets("docs/manifest.md", "text") if "did you mean promptText?" in text)
    broken = (
        board.read_text("utf-8")
        .replace("duration: 5", "duration: 11", 1)
        .replace("promptText", "promtText", 1)
    )
    board.write_text(broken, "utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        runner.check(board)
    said = {str(problem).replace(str(board), board.name) for problem in caught.value.problems}
    assert set(shown.splitlines()) <= said


def test_the_python_example_runs_and_delivers_every_clip(board: Path) -> None:
    program, _ = snippets("docs/python.md", "python")
    done = python("-c", program, folder=board.parent)
    assert (done.returncode, done.stderr) == (0, "")
    first, *clips = done.stdout.splitlines()
    assert first == "3 takes, first s010@seed=1000"
    assert [Path(clip).stem for clip in clips] == TAKES
    assert all(Path(clip).stat().st_size > 1000 for clip in clips)
    assert list(to_frame(board)["take"]) == [Path(clip).stem for clip in clips]


def test_the_plugin_for_pytest_serves_the_example(tmp_path: Path) -> None:
    conftest, test = snippets("docs/simulator.md", "python")
    (tmp_path / "conftest.py").write_text(conftest, "utf-8")
    (tmp_path / "test_film.py").write_text(test, "utf-8")
    done = python("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:xdist", folder=tmp_path)
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout
