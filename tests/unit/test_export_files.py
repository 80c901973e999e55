"""An export of a run is replaced as long as it is the program's own; any other file stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.commands.steps.export_files import EXPORTS, make_room, note_written
from runner.domain.errors import CannotCreate


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Return a file that was just exported."""
    path = tmp_path / EXPORTS / "night.edl"
    make_room((path,), force=False)
    path.write_text("TITLE: night")
    note_written((path,))
    return path


def test_an_export_that_is_unchanged_may_be_replaced(export: Path) -> None:
    make_room((export,), force=False)


@pytest.mark.parametrize("record", [None, "", "[]", "{", '{"night.edl": 7}', "[" * 5000])
def test_without_a_record_nothing_is_replaced(export: Path, record: str | None) -> None:
    place = export.parent / ".written.json"
    if record is None:
        place.unlink()
    else:
        place.write_text(record)
    with pytest.raises(CannotCreate, match="is there already"):
        make_room((export,), force=False)


def test_an_export_that_a_person_changed_stays(export: Path) -> None:
    export.write_text("TITLE: mine")
    with pytest.raises(CannotCreate, match="is there already"):
        make_room((export,), force=False)
    make_room((export,), force=True)


def test_a_link_stays_whatever_it_points_to(export: Path) -> None:
    kept = export.rename(export.with_suffix(".kept"))
    export.symlink_to(kept)
    with pytest.raises(CannotCreate, match="is there already"):
        make_room((export,), force=False)


def test_a_file_elsewhere_is_never_recorded(tmp_path: Path) -> None:
    path = tmp_path / "night.edl"
    path.touch()
    note_written((path,))
    assert [each.name for each in tmp_path.iterdir()] == ["night.edl"]
    with pytest.raises(CannotCreate, match="is there already"):
        make_room((path,), force=False)
