"""Reports on the disk: whole or absent, and made again at any time."""

from __future__ import annotations

import csv
import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.errors import CannotCreate
from runner.domain.picks import Decision, Pick, Picks
from runner.domain.preview_names import preview_names
from runner.domain.states import TakeState
from runner.output.page_data import DATA, Sizes
from runner.output.report_view import card
from runner.output.write_reports import Reports, reports_are_current, write_report
from runner.system import version
from tests.report_page import head_in, takes_in, text_of, unpacked
from tests.unit.output_records import NOW, FakeRecord, delivered, header, pending


def test_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    reports = write_report(tmp_path, FakeRecord(header(), [delivered(pending())]), now=NOW)
    assert (reports.csv, reports.html) == (tmp_path / "report.csv", tmp_path / "report.html")
    assert {path.name for path in tmp_path.iterdir()} == {"report.csv", "report.html"}
    assert reports.csv.read_bytes().startswith(b"\xef\xbb\xbfid,model,")
    assert reports.html.read_text("utf-8").rstrip().endswith("</html>")


def test_a_killed_run_has_a_report_too(tmp_path: Path) -> None:
    caught = replace(pending(), state=TakeState.SUBMITTING, attempts=1)
    reports = write_report(tmp_path, FakeRecord(header(), [caught]), now=NOW)
    assert ",submitting," in reports.csv.read_text("utf-8")


def test_a_later_report_replaces_the_earlier_one(tmp_path: Path) -> None:
    write_report(tmp_path, FakeRecord(header(name="monday"), []), now=NOW)
    reports = write_report(tmp_path, FakeRecord(header(name="tuesday"), []), now=NOW)
    assert head_in(reports.html)["name"] == "tuesday"
    assert "monday" not in text_of(reports.html)


def test_lone_surrogates_do_not_break_a_report(tmp_path: Path) -> None:
    take = replace(pending(body={"promptText": "a\ud800b"}), notes="c\udfffd")
    reports = write_report(tmp_path, FakeRecord(header(), [take]), now=NOW)
    assert "a?b" in reports.csv.read_text("utf-8")
    assert [["promptText", r"a\ud800b", False]] in [take["inputs"] for take in takes_in(reports.html)]


def test_a_report_is_private_to_its_owner(tmp_path: Path) -> None:
    """It holds links that anyone who has them may follow."""
    before = os.umask(0)
    try:
        reports = write_report(tmp_path, FakeRecord(header(), []), now=NOW)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (reports.csv, reports.html)} == {0o600}


def test_a_missing_folder_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match=r"report\.csv: cannot be written") as caught:
        write_report(tmp_path / "gone", FakeRecord(header(), []), now=NOW)
    assert caught.value.advice == "make the folder writable, or move away what is in the way"


def test_a_failed_write_leaves_no_part_behind(tmp_path: Path) -> None:
    (tmp_path / "report.csv").mkdir()
    with pytest.raises(CannotCreate):
        write_report(tmp_path, FakeRecord(header(), []), now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


def _whole(folder: Path) -> tuple[FakeRecord, Reports]:
    record = FakeRecord(header(), [delivered(pending())])
    return record, write_report(folder, record, now=NOW + 0.123456)


def test_reports_are_current_until_the_record_is_another(tmp_path: Path) -> None:
    record, _ = _whole(tmp_path)
    assert reports_are_current(tmp_path, record)
    assert not reports_are_current(tmp_path, replace(record, named="8"))
    assert not reports_are_current(tmp_path, replace(record, named=""))
    assert not reports_are_current(tmp_path / "elsewhere", record)


def test_reports_are_current_until_a_decision_or_a_preview_is_added(tmp_path: Path) -> None:
    record, _ = _whole(tmp_path)
    picks = Picks((Pick("s010", "s010", Decision.PICK),))
    assert not reports_are_current(tmp_path, record, picks=picks)
    write_report(tmp_path, record, now=NOW, picks=picks)
    assert reports_are_current(tmp_path, record, picks=picks)
    names = preview_names("cd" * 32)
    (tmp_path / names.small).parent.mkdir()
    (tmp_path / names.small).touch()
    assert not reports_are_current(tmp_path, record, picks=picks)
    (shown,) = takes_in(write_report(tmp_path, record, now=NOW, picks=picks).html)
    assert (shown["decision"], shown["poster"]["small"]) == ("pick", names.small)
    assert reports_are_current(tmp_path, record, picks=picks)


@pytest.mark.parametrize("name", ["report.csv", "report.html"])
@pytest.mark.parametrize("change", ["edited", "touched", "deleted", "a folder", "a link"])
def test_a_report_that_a_person_changed_is_not_current(tmp_path: Path, name: str, change: str) -> None:
    record, _ = _whole(tmp_path)
    path = tmp_path / name
    if change == "edited":
        path.write_bytes(path.read_bytes() + b" ")
    elif change == "touched":
        path.touch()
    else:
        path.rename(tmp_path / "aside")
    if change == "a folder":
        path.mkdir()
    elif change == "a link":
        path.symlink_to(tmp_path / "gone")
    assert not reports_are_current(tmp_path, record)


def test_a_report_of_another_version_of_the_program_is_not_current(tmp_path: Path) -> None:
    record, reports = _whole(tmp_path)
    at = reports.html.stat().st_mtime_ns
    mark = f'content="{version.__version__} '.encode()
    page = reports.html.read_bytes()
    assert page.count(mark, 0, 1024) == 1
    reports.html.write_bytes(page.replace(mark, b'content="0.0.1 '))
    os.utime(reports.html, ns=(at, at))
    assert not reports_are_current(tmp_path, record)


SMALL = Sizes(alone=4, page=2, index=4)


def _large(count: int = 7) -> FakeRecord:
    takes = [delivered(pending(f"s{number:03}")) for number in range(count)]
    return FakeRecord(header(), [replace(take, sha256=f"{at:064x}") for at, take in enumerate(takes)])


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / DATA).iterdir())


def test_a_page_of_many_takes_has_its_data_beside_it(tmp_path: Path) -> None:
    page = write_report(tmp_path, _large(), now=NOW, sizes=SMALL).html
    assert [take["id"] for take in takes_in(page)] == ["s000"]
    kinds = [name[:10] for name in _names(tmp_path)]
    assert kinds == ["index-0000", "index-0001", *(f"takes-{number:04}" for number in range(4))]
    found, further = (
        unpacked((tmp_path / DATA / name).read_bytes())
        for name in (_names(tmp_path)[1], _names(tmp_path)[-1])
    )
    assert [take["id"] for take in found] == ["s004", "s005", "s006"]
    assert {**found[-1], **further[-1]} == {**json.loads(json.dumps(card(header(), _large().takes[-1])))}
    assert b"script-src 'sha256-" in page.read_bytes()
    assert b"'strict-dynamic'" in page.read_bytes()


def test_a_page_of_as_many_takes_as_it_holds_is_one_file(tmp_path: Path) -> None:
    page = write_report(tmp_path, _large(4), now=NOW, sizes=SMALL).html
    assert len(takes_in(page)) == 4
    assert not (tmp_path / DATA).exists()
    assert b"strict-dynamic" not in page.read_bytes()


def test_what_did_not_change_is_not_written_again_and_old_data_leaves_later(tmp_path: Path) -> None:
    write_report(tmp_path, _large(), now=NOW, sizes=SMALL)
    before, (first, *_) = (
        _names(tmp_path),
        [path for path in (tmp_path / DATA).iterdir() if "takes-0000" in path.name],
    )
    number = first.stat().st_ino
    *same, last = _large().takes
    changed = FakeRecord(header(), [*same, replace(last, notes="another", tags=("x",))])
    write_report(tmp_path, changed, now=NOW + 60, sizes=SMALL)
    assert first.stat().st_ino == number
    assert set(before) < set(_names(tmp_path))
    write_report(tmp_path, changed, now=NOW + 3700, sizes=SMALL)
    assert len(_names(tmp_path)) == 6
    assert not set(before) <= set(_names(tmp_path))
    write_report(tmp_path, _large(2), now=NOW + 9000, sizes=SMALL)
    assert not (tmp_path / DATA).exists()


def test_a_stranger_s_file_among_the_data_stays(tmp_path: Path) -> None:
    write_report(tmp_path, _large(), now=NOW, sizes=SMALL)
    (tmp_path / DATA / "notes.txt").touch()
    write_report(tmp_path, _large(2), now=NOW + 9000, sizes=SMALL)
    assert _names(tmp_path) == ["notes.txt"]


def test_a_report_that_lost_data_is_not_current(tmp_path: Path) -> None:
    record = _large()
    write_report(tmp_path, record, now=NOW, sizes=SMALL)
    assert reports_are_current(tmp_path, record)
    (tmp_path / DATA / _names(tmp_path)[-1]).unlink()
    assert not reports_are_current(tmp_path, record)


def test_no_data_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / DATA).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CannotCreate, match="is a symbolic link"):
        write_report(tmp_path, _large(), now=NOW, sizes=SMALL)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_page_that_cannot_be_replaced_keeps_its_data(tmp_path: Path) -> None:
    """As after a kill before the new page has its name: the old one still finds all it names."""
    page = write_report(tmp_path, _large(), now=NOW, sizes=SMALL).html
    before = {path.name for path in (tmp_path / DATA).iterdir()}
    page.rename(tmp_path / "old.html")
    page.mkdir()
    changed = FakeRecord(header(), [replace(take, notes="new") for take in _large().takes])
    with pytest.raises(CannotCreate):
        write_report(tmp_path, changed, now=NOW + 9000, sizes=SMALL)
    assert before < set(_names(tmp_path))


def test_a_large_table_is_whole_and_lies_in_parts_as_well(tmp_path: Path) -> None:
    *others, last = _large(5).takes
    record = FakeRecord(header(), [replace(last, notes='two\r\nlines, and "quotes"'), *others])
    whole = write_report(tmp_path, record, now=NOW, part=2).csv
    assert _names(tmp_path) == ["report-0001.csv", "report-0002.csv", "report-0003.csv"]
    rows = _rows(whole)
    parts = [_rows(tmp_path / DATA / name) for name in _names(tmp_path)]
    assert [len(part) for part in parts] == [3, 3, 2]
    assert all(part[0] == rows[0] for part in parts)
    assert [row for part in parts for row in part[1:]] == rows[1:]
    write_report(tmp_path, _large(3), now=NOW + 1, part=2)
    assert _names(tmp_path) == ["report-0001.csv", "report-0002.csv"]


def _rows(table: Path) -> list[list[str]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))
