"""A run becomes something to look at: a rough cut, a contact sheet, a moving picture; and a person may stop it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from PIL import Image

from tests.acceptance.boards import copy_examples, takes_of
from tests.acceptance.command import Desk
from tests.cut_clips import lengths

FAST = ("--speed", 50, "--poll-interval", 0.1, "-j", 8)


@pytest.fixture
def board(desk: Desk) -> Path:
    """Return a manifest that has been run on the simulator."""
    path = copy_examples(desk.folder) / "wedge.yaml"
    desk.run("run", path, "--simulate", *FAST)
    return path


def test_a_run_is_seen_without_an_editor(desk: Desk, board: Path) -> None:
    exports = desk.folder / "reports" / "paper-boat-wedges-simulated" / "exports"
    name = exports.parent.name

    cut = desk.run("export", "cut", board, "--simulate")
    assert cut.out == f"wrote {exports / name}.mp4\n"
    assert "pictures copied as they are" in cut.err
    shots = {take.shot_id for take in takes_of(exports.parent)}
    assert cut.err.startswith(f"{len(shots)} clips, ")
    assert lengths(exports / f"{name}.mp4")[0] >= 5 * len(shots)

    desk.run("export", "cut", board, "--simulate")
    with (exports / f"{name}.mp4").open("ab") as mine:
        mine.write(b"changed")
    assert "--force" in desk.run("export", "cut", board, "--simulate", code=73).err
    two = ("--only", "s010", "--only", "s020", "--size", "64x36", "--burn-in", "--force")
    assert desk.run("export", "cut", board, "--simulate", *two).err.startswith("2 clips, 10 s, 64x36")

    desk.run("export", "contact-sheet", board, "--simulate", "--columns", 4, "--output", "json")
    with Image.open(exports / f"{name}-sheet.png") as sheet:
        assert sheet.width == 4 * 336 + 16
    moving = desk.run("export", "gif", board, "s020", "--simulate", "--side-by-side", "--width", 64)
    assert "s020_t01, s020_t02" in moving.err
    with Image.open(exports / f"{name}-s020.gif") as picture:
        assert getattr(picture, "n_frames", 1) == 50


def test_a_board_that_was_never_run_is_a_cut_of_slates(desk: Desk) -> None:
    board = copy_examples(desk.folder) / "wedge.yaml"
    said = desk.run("export", "cut", board)
    assert ("0 clips, 6 slates, 30 s") in said.err
    assert lengths(board.with_suffix(".mp4"))[0] == pytest.approx(30.0)


def test_the_bar_is_drawn_on_a_terminal_and_stopping_leaves_nothing(desk: Desk) -> None:
    board = copy_examples(desk.folder) / "wedge.yaml"
    before = set(board.parent.iterdir())
    process = desk.start_at_terminal("export", "cut", board, "--size", "3840x2160", "--fps", 60)
    process.wait_until(lambda seen: "s of film" in seen.err)
    process.signal(signal.SIGINT)
    assert process.end().code == 130
    assert set(board.parent.iterdir()) == before
