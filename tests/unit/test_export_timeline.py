"""Where a cut is written, and what is never written over."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from runner.cli import export
from runner.cli.arguments import COMMANDS
from runner.cli.parser import build_parser
from runner.commands.export_timeline import STDOUT, Cut, CutOptions, Form, default_file, make_cut, write_cut
from runner.domain.errors import CannotCreate, ExtraMissing, FileMissing, UsageError
from runner.timeline.adapter_forms import edl_texts
from runner.timeline.otioz import write_otioz
from runner.timeline.slots import Slot, Timeline
from tests.unit.any_timelines import plain_clip

NEEDS_LIBRARY = pytest.mark.skipif(
    find_spec("opentimelineio") is None, reason="the newest Python may have no wheel of it yet"
)
BOARD = """version: 1
shots:
  - id: s010
    model: pika/pika-2-2/image-to-video
    inputs: {promptText: hand, image: "https://e.com/1.jpg", duration: 5}
"""


@pytest.fixture
def board(tmp_path: Path) -> Path:
    path = tmp_path / "board.yaml"
    path.write_text(BOARD)
    return path


@NEEDS_LIBRARY
@pytest.mark.parametrize("form", Form)
def test_every_form_of_a_mere_plan_is_written_beside_the_manifest(form: Form, board: Path) -> None:
    out = default_file(board, form, simulated=None)
    assert out.name == f"board-cut.{'xml' if form is Form.FCP7 else form}"
    cut = make_cut(board, form, out=out, options=CutOptions(relative=True))
    assert write_cut(cut, out) == (out,)
    assert cut.summary == "1 shot, 1 gap, 5.0 s at 24 fps"
    with pytest.raises(CannotCreate, match="is there already"):
        write_cut(cut, out)
    assert write_cut(cut, out, force=True) == (out,)


def test_the_manifest_and_the_clips_are_never_written_over(board: Path) -> None:
    with pytest.raises(UsageError, match="made from"):
        make_cut(board, Form.OTIO, out=board, options=CutOptions())
    assert board.read_text() == BOARD


@NEEDS_LIBRARY
def test_several_parts_are_numbered_and_none_replaces_a_file(tmp_path: Path) -> None:
    timeline = Timeline("n", 24.0, tuple(Slot(f"s{at}", 5.0, plain_clip(f"s{at}")) for at in range(1000)))
    cut = Cut(timeline, Form.EDL, edl_texts(timeline), (), ())
    (tmp_path / "cut-2.edl").touch()
    with pytest.raises(CannotCreate, match=r"cut-2\.edl"):
        write_cut(cut, tmp_path / "cut.edl")
    assert [path.name for path in write_cut(cut, tmp_path / "cut.edl", force=True)] == [
        "cut-1.edl",
        "cut-2.edl",
    ]


def test_without_the_library_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(ExtraMissing) as missing:
        edl_texts(Timeline("n", 24.0, (Slot("s", 5.0),)))
    assert missing.value.advice == "pip install 'shotrunner[timeline]'"


@NEEDS_LIBRARY
def test_a_rate_that_an_edl_lacks_is_said(board: Path) -> None:
    remarks = {
        fps: make_cut(board, Form.EDL, out=STDOUT, options=CutOptions(fps=fps)).remarks[-1]
        for fps in (16.0, 23.976)
    }
    assert remarks[16.0] == "edl has no rate of 16 fps: its frames are counted at 24"
    assert remarks[23.976].startswith("an edl names no rate: import it at 23.976 fps, non-drop")


def test_each_form_of_the_command_line_has_a_module() -> None:
    forms = {part.name for command in COMMANDS if command.name == "export" for part in command.parts}
    assert forms <= set(export.MODULES)
    assert set(Form) <= forms


def test_the_command_prints_the_cut_and_says_beside_it_what_is_lost(
    board: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = build_parser().parse_args(["export", "ffconcat", str(board), "-o", "-"])
    assert arguments.command(arguments) == 0
    printed = capsys.readouterr()
    assert printed.out == "ffconcat version 1.0\n"
    assert printed.err.splitlines() == [
        "1 shot, 1 gap, 5.0 s at 24 fps",
        "1 gap (not rendered yet): s010",
        "FFmpeg reads it with: -f concat -safe 0 -i FILE",
        "ffconcat cannot carry: 1 gap, the reason for 1 gap",
    ]


def test_a_bundle_is_not_printed_and_a_missing_clip_leaves_no_half_of_one(
    board: Path, tmp_path: Path
) -> None:
    arguments = build_parser().parse_args(["export", "otioz", str(board), "-o", "-"])
    with pytest.raises(UsageError, match="is not printed"):
        arguments.command(arguments)
    timeline = Timeline("n", 24.0, (Slot("s", 5.0, plain_clip("s_t01")),))
    cut = Cut(timeline, Form.OTIOZ, (), (), (), write=lambda file: write_otioz(timeline, file))
    with pytest.raises(FileMissing, match=r"s_t01\.mp4: the clip cannot be read"):
        write_cut(cut, tmp_path / "cut.otioz")
    assert [path.name for path in tmp_path.iterdir()] == ["board.yaml"]
