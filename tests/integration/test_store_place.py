"""Where a run lives: a copy is told from the run itself, and one folder seen in several ways is one folder."""

from __future__ import annotations

import errno
import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from runner.commands.steps.open_run import OpenOptions, open_recorded
from runner.domain.errors import DiskFailed, StateFileUnusable
from runner.store.database import translate
from runner.store.location import is_same, place_of
from runner.store.marker import MARKER
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from tests.integration.store_samples import make_take, new_state_file


def a_run(folder: Path) -> RunDir:
    """Return a run that was opened once where it is."""
    new_state_file(folder, [make_take("a")]).close()
    place = RunDir(folder)
    open_recorded(place, OpenOptions()).close()
    return place


def test_a_copy_is_refused_untouched_while_the_run_itself_is_there_and_goes_on_by_its_users_word(
    tmp_path: Path,
) -> None:
    run = a_run(tmp_path / "run")
    copy = RunDir(shutil.copytree(run.path, tmp_path / "copy"))
    before = copy.state_file.read_bytes()
    with pytest.raises(StateFileUnusable, match="is a copy, and the run itself is still in"):
        open_recorded(copy, OpenOptions())
    assert copy.state_file.read_bytes() == before
    open_recorded(copy, OpenOptions(moved=True)).close()
    open_recorded(copy, OpenOptions()).close()
    # One goes on at a time, and a person says which.
    with pytest.raises(StateFileUnusable, match=f"goes on in {copy.path}"):
        open_recorded(run, OpenOptions())
    open_recorded(run, OpenOptions(moved=True)).close()
    open_recorded(run, OpenOptions()).close()
    with pytest.raises(StateFileUnusable, match=f"goes on in {run.path}"):
        open_recorded(copy, OpenOptions())


def test_a_run_whose_copy_went_on_and_is_gone_asks_before_it_pays_for_the_same_takes(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    copy = RunDir(shutil.copytree(run.path, tmp_path / "copy"))
    open_recorded(copy, OpenOptions(moved=True)).close()
    shutil.rmtree(copy.path)
    with pytest.raises(StateFileUnusable, match="goes on in"):
        open_recorded(run, OpenOptions())


@pytest.mark.parametrize("word", [7, None, [], "\0", "relative"])
def test_a_marker_with_an_odd_successor_is_no_traceback(tmp_path: Path, word: object) -> None:
    run = a_run(tmp_path / "run")
    marker = run.path / MARKER
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "successor": word}))
    with suppress(StateFileUnusable):
        open_recorded(run, OpenOptions()).close()
    open_recorded(run, OpenOptions(moved=True)).close()
    open_recorded(run, OpenOptions()).close()
    assert not Path(MARKER).exists()


def test_a_marker_that_names_a_strangers_folder_has_nothing_written_there(tmp_path: Path) -> None:
    run, strange = a_run(tmp_path / "run"), tmp_path / "strange"
    strange.mkdir()
    marker = run.path / MARKER
    named = {**json.loads(marker.read_text()), "successor": str(strange / run.state_file.name)}
    marker.write_text(json.dumps(named))
    open_recorded(run, OpenOptions(moved=True)).close()
    assert not list(strange.iterdir())


def test_a_copy_whose_original_is_gone_was_moved_as_far_as_anybody_can_tell(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    copy = RunDir(shutil.copytree(run.path, tmp_path / "copy"))
    shutil.rmtree(run.path)
    with pytest.raises(StateFileUnusable, match="was moved or copied here"):
        open_recorded(copy, OpenOptions())


def test_one_folder_is_the_same_through_a_link_after_a_move_and_once_it_is_restored(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    (tmp_path / "link").symlink_to(run.path)
    open_recorded(RunDir(tmp_path / "link"), OpenOptions()).close()
    moved = RunDir(run.path.rename(tmp_path / "elsewhere"))
    open_recorded(moved, OpenOptions()).close()
    kept = shutil.copytree(moved.path, tmp_path / "backup")
    shutil.rmtree(moved.path)
    shutil.copytree(kept, moved.path)
    with open_recorded(moved, OpenOptions()) as state:
        assert [ticket.take_id for ticket in state.tickets()] == ["a"]


def test_the_run_set_aside_is_refused_once_a_copy_stands_in_its_place(tmp_path: Path) -> None:
    """One of the two matches by its path, the other by its folder; both would pay."""
    run = a_run(tmp_path / "run")
    aside = RunDir(run.path.rename(tmp_path / "aside"))
    shutil.copytree(aside.path, run.path)
    open_recorded(run, OpenOptions()).close()
    with pytest.raises(StateFileUnusable, match="is a copy"):
        open_recorded(aside, OpenOptions())


def test_a_place_that_cannot_be_read_says_nothing_against_a_file(tmp_path: Path) -> None:
    assert is_same("garbage", place_of(tmp_path))
    assert not is_same(place_of(tmp_path), place_of(tmp_path.parent))


def test_a_state_file_that_is_a_link_is_refused_for_that(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    run.state_file.rename(tmp_path / "x.db")
    run.state_file.symlink_to("x.db")
    for opener in (StateFile.open, open_reader):
        with pytest.raises(StateFileUnusable, match="is a symbolic link"):
            opener(run.state_file)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_no_fault_of_the_disk(number: int, tmp_path: Path) -> None:
    error = OSError(number, "Too many open files")
    ours = translate(error, tmp_path)
    assert isinstance(ours, DiskFailed)
    assert "Too many open files" in ours.message
    assert "ulimit -n" in ours.advice


def test_a_state_file_with_a_second_name_is_refused_unless_a_kill_has_left_it(tmp_path: Path) -> None:
    """Under its other name it may go on elsewhere; the name it was built under is no such place."""
    run = a_run(tmp_path)
    draft = run.state_file.with_name("state.db.new-0a1b2c3d")
    draft.hardlink_to(run.state_file)
    StateFile.open(run.state_file).close()
    (tmp_path / "elsewhere.db").hardlink_to(run.state_file)
    for opener in (StateFile.open, open_reader):
        with pytest.raises(StateFileUnusable, match="second name"):
            opener(run.state_file)
