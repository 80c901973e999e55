"""Reports on the disk: whole or absent, and made again at any time."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from runner.domain.errors import CannotCreate
from runner.domain.money import NOTHING_SPENT
from runner.domain.states import TakeState
from runner.output.write_reports import write_report
from tests.unit.output_records import NOW, delivered, header, pending


def test_both_files_are_written_and_nothing_else(tmp_path: Path) -> None:
    reports = write_report(
        tmp_path, header=header(), takes=[delivered(pending())], spending=NOTHING_SPENT, now=NOW
    )
    assert (reports.csv, reports.html) == (tmp_path / "report.csv", tmp_path / "report.html")
    assert {path.name for path in tmp_path.iterdir()} == {"report.csv", "report.html"}
    assert reports.csv.read_bytes().startswith(b"\xef\xbb\xbfid,model,")
    assert reports.html.read_text("utf-8").rstrip().endswith("</html>")


def test_a_killed_run_has_a_report_too(tmp_path: Path) -> None:
    caught = replace(pending(), state=TakeState.SUBMITTING, attempts=1)
    reports = write_report(tmp_path, header=header(), takes=[caught], spending=NOTHING_SPENT, now=NOW)
    assert ",submitting," in reports.csv.read_text("utf-8")


def test_a_later_report_replaces_the_earlier_one(tmp_path: Path) -> None:
    write_report(tmp_path, header=header(name="monday"), takes=[], spending=NOTHING_SPENT, now=NOW)
    reports = write_report(tmp_path, header=header(name="tuesday"), takes=[], spending=NOTHING_SPENT, now=NOW)
    text = reports.html.read_text("utf-8")
    assert "tuesday" in text
    assert "monday" not in text


def test_lone_surrogates_do_not_break_a_report(tmp_path: Path) -> None:
    take = replace(pending(body={"promptText": "a\ud800b"}), notes="c\udfffd")
    reports = write_report(tmp_path, header=header(), takes=[take], spending=NOTHING_SPENT, now=NOW)
    assert "a?b" in reports.csv.read_text("utf-8")
    assert r"a\ud800b" in reports.html.read_text("utf-8")


def test_a_report_is_private_to_its_owner(tmp_path: Path) -> None:
    """It holds links that anyone who has them may follow."""
    before = os.umask(0)
    try:
        reports = write_report(tmp_path, header=header(), takes=[], spending=NOTHING_SPENT, now=NOW)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (reports.csv, reports.html)} == {0o600}


def test_a_missing_folder_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(CannotCreate, match=r"report\.csv: cannot be written") as caught:
        write_report(tmp_path / "gone", header=header(), takes=[], spending=NOTHING_SPENT, now=NOW)
    assert caught.value.advice == "make the folder writable, or move away what is in the way"


def test_a_failed_write_leaves_no_part_behind(tmp_path: Path) -> None:
    (tmp_path / "report.csv").mkdir()
    with pytest.raises(CannotCreate):
        write_report(tmp_path, header=header(), takes=[], spending=NOTHING_SPENT, now=NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]


_WITHOUT_JINJA = """
import pathlib, sys
sys.modules["jinja2"] = None
from runner.domain.errors import DiskFailed
from runner.domain.money import NOTHING_SPENT
from runner.output.write_reports import write_report
from tests.unit.output_records import NOW, header
try:
    write_report(pathlib.Path(sys.argv[1]), header=header(), takes=[], spending=NOTHING_SPENT, now=NOW)
except DiskFailed as error:
    print(error.message)
"""


def test_a_library_that_cannot_be_loaded_is_a_lack_of_memory(tmp_path: Path) -> None:
    """A run that ended well must still be summed up, and not end as a bug, if no memory is left for its page."""
    root = Path(__file__).parents[2]
    child = subprocess.run(
        [sys.executable, "-c", _WITHOUT_JINJA, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=root,
    )
    assert "not enough memory for a report" in child.stdout
