"""What is made of a cut without an editor: which clips, under which names, and what is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from runner.commands.export_cut import (
    CutWishes,
    export_animation,
    export_contact_sheet,
    export_cut,
    takes_named,
)
from runner.commands.steps.export_files import export_file
from runner.domain.errors import CannotCreate, ExtraMissing, UsageError
from runner.domain.picks import Decision
from runner.domain.preview_names import preview_names
from runner.timeline.slots import Clip, Slot, Timeline
from tests.cut_clips import BLUE, GREEN, RED, draw_clip, lengths, near

SHA256 = "ab" * 32


@pytest.fixture
def board(tmp_path: Path) -> Timeline:
    """Return a cut of a shot with two takes, one of them picked, and of a shot without a clip."""
    folder = tmp_path / "run" / "clips"
    folder.mkdir(parents=True)
    takes = [
        Clip(
            f"s010@seed={at}",
            f"s010_t0{at}",
            draw_clip(folder / f"{at}.mp4", colour, size=(160, 90)),
            about={"seed": at, "sha256": SHA256 if at == 1 else None, "flags": ["size: 160x90"]},
        )
        for at, colour in ((1, RED), (2, GREEN))
    ]
    picked = replace(takes[1], decision=Decision.PICK)
    slots = (
        Slot("s010", 1.0, picked, (takes[0],), prompt="a boat"),
        Slot("s020", 2.0, why="failed: moderation", prompt="a storm"),
    )
    return Timeline("night", 12.0, slots)


def test_the_cut_has_the_take_that_plays_and_a_slate_for_the_gap(board: Timeline, tmp_path: Path) -> None:
    done = export_cut(
        board, tmp_path / "cut.mp4", wishes=CutWishes(has_burn_in=True, size=(64, 36), fps=24.0)
    )
    assert (done.clips, done.slates) == (1, 1)
    assert lengths(tmp_path / "cut.mp4")[0] == pytest.approx(3.0)


def test_a_file_is_replaced_only_by_force_and_a_clip_never(board: Timeline, tmp_path: Path) -> None:
    out = tmp_path / "cut.mp4"
    out.write_text("mine")
    with pytest.raises(CannotCreate, match="is there already"):
        export_cut(board, out, wishes=CutWishes())
    assert out.read_text() == "mine"
    export_cut(board, out, wishes=CutWishes(), force=True)
    assert lengths(out)[0] == pytest.approx(3.0)
    clip = takes_named(board, "s010_t01")[0].file
    with pytest.raises(UsageError, match="is one of the clips"):
        export_cut(board, clip, wishes=CutWishes(), force=True)
    with pytest.raises(CannotCreate, match="is a folder"):
        export_cut(board, tmp_path, wishes=CutWishes(), force=True)


def test_exports_of_a_manifest_are_beside_it(tmp_path: Path) -> None:
    manifest = tmp_path / "night.yaml"
    manifest.write_text("version: 1")
    assert export_file(manifest, ".mp4", simulated=None) == tmp_path / "night.mp4"


@pytest.mark.parametrize(
    ("name", "all_takes", "labels"),
    [
        ("s010", False, ["s010_t02"]),
        ("s010_t01", False, ["s010_t01"]),
        ("s010@seed=1", False, ["s010_t01"]),
        ("s010", True, ["s010_t01", "s010_t02"]),
        ("s010_t02", True, ["s010_t01", "s010_t02"]),
    ],
)
def test_a_name_means_a_take_or_the_one_of_a_shot_that_plays(
    board: Timeline, name: str, all_takes: bool, labels: list[str]
) -> None:
    assert [clip.label for clip in takes_named(board, name, all_takes=all_takes)] == labels


@pytest.mark.parametrize(
    ("name", "says"), [("s020", "has no clip: failed: moderation"), ("s999", "no shot or take")]
)
def test_a_name_without_a_clip_says_why(board: Timeline, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        takes_named(board, name)


def test_a_contact_sheet_has_all_takes_and_the_posters_of_the_run(board: Timeline, tmp_path: Path) -> None:
    poster = tmp_path / "run" / preview_names(SHA256).small
    poster.parent.mkdir()
    Image.new("RGB", (320, 180), BLUE).save(poster)
    [path] = export_contact_sheet(board, tmp_path / "sheet.png", columns=3)
    with Image.open(path) as page:
        first, second = (page.getpixel((x, 170)) for x in (176, 512))
    assert isinstance(first, tuple)
    assert isinstance(second, tuple)
    assert near(first, BLUE)
    assert near(second, GREEN)


def test_a_contact_sheet_is_a_png_or_a_pdf(board: Timeline, tmp_path: Path) -> None:
    [pdf] = export_contact_sheet(board, tmp_path / "sheet.pdf", columns=2)
    assert pdf.read_bytes().startswith(b"%PDF")
    with pytest.raises(UsageError, match=r"is a \.png or a \.pdf"):
        export_contact_sheet(board, tmp_path / "sheet.bmp")
    with pytest.raises(UsageError, match="no shot is chosen"):
        export_contact_sheet(replace(board, slots=()), tmp_path / "none.png")


def test_a_large_contact_sheet_is_several_files(board: Timeline, tmp_path: Path) -> None:
    many = replace(board, slots=board.slots[:1] * 25)
    paths = export_contact_sheet(many, tmp_path / "sheet.png", columns=2)
    assert [path.name for path in paths] == ["sheet-1.png", "sheet-2.png"]
    assert all(path.is_file() for path in paths)


def test_without_the_extra_its_install_line_is_shown(
    board: Timeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith("runner.video.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "av", None)
    out = tmp_path / "out.png"
    clips = takes_named(board, "s010")
    for make in (
        lambda: export_cut(board, out, wishes=CutWishes()),
        lambda: export_contact_sheet(board, out),
        lambda: export_animation(board, clips, out, form="gif", width=64, fps=10),
    ):
        with pytest.raises(ExtraMissing, match=r"needs the \[video\] extra") as caught:
            make()
        assert caught.value.advice == "pip install 'shotrunner[video]'"
    assert not out.exists()
