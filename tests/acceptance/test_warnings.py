"""Nothing is paid for with a warning unread: every command that pays shows what `check` warns of, before it asks."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from runner import run_manifest
from runner.simulator.settings import SimulatorSettings
from tests.acceptance.command import Desk
from tests.acceptance.service import pointed_at
from tests.outside.jobs import Settings
from tests.outside.server import OutsideServer

MODEL = "pika/pika-2-2/image-to-video"
BOARD = f"""\
version: 1
shots:
  - id: s010
    model: {MODEL}
    inputs:
      image: https://example.com/a.jpg
      seed: 1
      promptText: Shot #3, a cat walks in
"""
MESSAGE = "text after ' #' was dropped as a comment: '#3, a cat walks in'; quote the whole text"
WARNING = f"board.yaml:8:19: warning: {MESSAGE}"

QUICK = ("--poll-interval", 0.1)


def warned(text: str) -> int:
    """Return how many lines are the warning."""
    return sum(line.startswith(WARNING) for line in text.splitlines())


@pytest.fixture
def board(desk: Desk) -> Path:
    path = desk.folder / "board.yaml"
    path.write_text(BOARD)
    return path


def test_check_plan_and_run_show_the_same_warning(desk: Desk, board: Path) -> None:
    """Once each, with -y, in a simulation, and with a limit."""
    for words in (
        ("check", board.name),
        ("plan", board.name),
        ("run", board.name, "-n"),
        ("run", board.name, "--simulate", "--speed", 50, *QUICK),
    ):
        assert warned(desk.run(*words).err) == 1, words
    with OutsideServer(Settings(service=0.05)) as server:
        paid = pointed_at(server, desk).run("run", board.name, "-y", *QUICK)
    assert paid.err.startswith(WARNING)


def test_the_warning_comes_before_the_question(desk: Desk, board: Path) -> None:
    """On a terminal it stands above its line of the file."""
    with OutsideServer(Settings(service=0.05)) as server:
        life = pointed_at(server, desk).with_environment(NO_COLOR="1").start_at_terminal("run", board.name)
        life.wait_until(lambda life: "Go on?" in life.err)
        shown, asked = (life.err.index(words) for words in ("warning: text after", "Go on?"))
        life.type("n\n")
        outcome = life.end()
        assert server.stats()["submits"] == 0
    assert shown < asked
    assert "8 |       promptText: Shot #3, a cat walks in\r\n" in outcome.err


def test_a_retry_shows_the_warning_once_before_it_asks(desk: Desk, board: Path) -> None:
    with OutsideServer(Settings(service=0.05, failing=1.0)) as server:
        here = pointed_at(server, desk)
        here.run("run", board.name, "-y", *QUICK, code=2)
        asked = here.run("retry", board.name, "s010", code=64)
        again = here.run("retry", board.name, "s010", "-y", *QUICK, code=2)
    for outcome in (asked, again):
        assert warned(outcome.err) == 1, outcome
    assert asked.err.index(WARNING) < asked.err.index("no one is there to answer")


def test_an_error_hides_no_warning(desk: Desk, board: Path) -> None:
    """The warning often explains the error: here the value was lost to a comment."""
    board.write_text(BOARD.replace("Shot #3", "#3"))
    for words in (("check", board.name), ("run", board.name, "-y"), ("plan", board.name)):
        outcome = desk.run(*words, code=65)
        assert outcome.err.count("warning: text after ' #' was dropped") == 1, outcome
        assert "1 problem and 1 warning in the manifest; nothing was submitted" in outcome.err
    found = json.loads(desk.run("check", board.name, "--output", "json", code=65).out)["problems"]
    assert [each["severity"] for each in found] == ["warning", "error"]


@pytest.mark.parametrize("written", ["door", '"{frame: door}"', '"@ door"'])
def test_a_picture_that_only_names_a_frame_is_one_error(desk: Desk, board: Path, written: str) -> None:
    """A text may be meant elsewhere, so the manifest only warns; the model's error would repeat it as a file."""
    named = BOARD.replace("https://example.com/a.jpg", written).replace("Shot #3, a", "A")
    board.write_text(f"{named}frames: {{door: https://example.com/a.jpg}}\n")
    first, last = desk.run("check", board.name, code=65).err.splitlines()
    assert first.startswith("board.yaml:6:14: shot s010, inputs.image: ")
    assert first.endswith('is not a reference; for the frame write "@door"')
    assert last.startswith("shotrunner: 1 problem in the manifest")


def test_a_wide_board_is_shown_by_kind_and_all_of_it_when_asked(desk: Desk) -> None:
    """Sixty rows with the same three mistakes are three kinds."""
    rows = [f"s{n:03},{MODEL},frames/{n}.jpg,5.0,16:9" for n in range(60)]
    (desk.folder / "board.csv").write_text("\n".join(["id,model,image,duration,resolution", *rows]))
    outcome = desk.run("check", "board.csv", code=65)
    lines = outcome.err.splitlines()
    assert len(lines) == 3 * 4 + 2, outcome
    assert sum(line == "  … and 57 more like it" for line in lines) == 3
    assert lines[-2] == "not shown: 171 of 180 problems; to see all, add --all or --output json"
    assert re.search(r"\b180 problems\b", lines[-1])
    assert len(desk.run("check", "board.csv", "--all", code=65).err.splitlines()) == 181


def test_a_later_session_of_the_same_file_shows_the_warning_in_short(desk: Desk, board: Path) -> None:
    """Without the line of the file; a file that changed since is shown in full again."""
    board.write_text(
        f"{BOARD}  - {{id: s020, model: {MODEL}, inputs: {{image: 'https://example.com/b.jpg'}}}}\n"
    )
    words = ("run", board.name, "--simulate", "--speed", 50, "--max-submits", 1, *QUICK)
    here = desk.with_environment(NO_COLOR="1")
    first, second = (here.start_at_terminal(*words).end().err for _ in range(2))
    board.write_text(board.read_text().replace("#3", "#4"))
    changed = here.start_at_terminal(*words).end().err
    assert "8 |       promptText: Shot #3" in first
    assert WARNING in second.replace("\r\n    ", " ")
    assert "8 |" not in second
    assert "8 |       promptText: Shot #4" in changed


def test_a_program_gets_the_warnings_before_it_is_asked(board: Path) -> None:
    heard: list[str] = []

    def agree(_: object) -> bool:
        heard.append("asked")
        return True

    run_manifest(
        board,
        simulate=SimulatorSettings(speed=50),
        warn=lambda problems, known: heard.extend(f"{known} {problem.message}" for problem in problems),
        confirm=agree,
    )
    warning, asked = heard
    assert warning.startswith(f"False {MESSAGE}")
    assert asked == "asked"
