"""The page of several runs in a browser: clips of each run play from its folder, and it takes no decisions."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.output.runs_report import RunPart, RunsReport
from runner.output.write_reports import write_report_of_runs
from tests.browser import NOT_OUTSIDE, Tab
from tests.clips import make_clip
from tests.unit.output_records import NOW, delivered, header, pending
from tests.unit.test_runs_together import DIME

pytestmark = pytest.mark.browser


def test_clips_of_each_run_play_and_the_page_takes_no_decisions(tab: Tab, tmp_path: Path) -> None:
    take = delivered(pending("s010"))
    for name in ("one", "an other #2"):
        make_clip(tmp_path / name / str(take.file))
    parts = [
        RunPart(name, f"../{name}", header(name="board"), DIME, False, lambda: [take])
        for name in ("one", "an other #2")
    ]
    folder = tmp_path / "board-all-runs"
    folder.mkdir()
    tab.open(write_report_of_runs(folder, RunsReport(parts, NOW)).html)
    tab.until("document.querySelectorAll('video').length === 2")
    tab.until("[...document.querySelectorAll('video')].every((video) => video.readyState >= 2)")
    shown = tab.js("[...document.querySelectorAll('.take')].map((take) => take.innerText)")
    assert ["run=one" in shown[0], "run=an other #2" in shown[1]] == [True, True]
    assert tab.js("document.querySelectorAll('.row').length") == 1
    assert tab.js("document.querySelector('.decisions').offsetParent") is None
    assert tab.js("document.querySelectorAll('.decide').length") == 0
    assert tab.complaints() == []
    assert tab.requested() <= NOT_OUTSIDE
