"""Writes the reports beside the state file: each file is whole or absent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import DiskFailed
from runner.domain.money import Spending
from runner.domain.records import RunHeader, TakeRecord
from runner.output import csv_report, html_report
from runner.system.private_files import write_whole


@dataclass(frozen=True, slots=True)
class Reports:
    """The paths of a run's reports."""

    csv: Path
    html: Path


def write_report(
    run_dir: Path, *, header: RunHeader, takes: Sequence[TakeRecord], spending: Spending, now: float
) -> Reports:
    """Write `report.csv` and `report.html` into `run_dir`, replacing earlier ones; `now` is unix seconds.

    `spending` is all that was or may have been paid, as the state file's reader returns it.

    Raises:
        CannotCreate: no file can be made in the folder.
        DiskFailed: the disk is full or failing, or memory is short; an earlier report is untouched.
    """
    reports = reports_of(run_dir)
    try:
        _replace(reports.csv, csv_report.csv_text(header, takes))
        _replace(reports.html, html_report.html(header, takes, spending, now))
    except (MemoryError, ImportError) as error:
        # A library that finds no memory while it is loaded raises only an ImportError.
        raise DiskFailed(
            f"{run_dir}: there is not enough memory for a report",
            advice="free memory or raise ulimit -v, then make the report again",
        ) from error
    return reports


def reports_of(run_dir: Path) -> Reports:
    """Return the paths of a run's reports, which need not exist yet."""
    return Reports(csv=run_dir / "report.csv", html=run_dir / "report.html")


def _replace(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        advice = "make the folder writable, or move away what is in the way"
        raise file_error(error, path, "cannot be written", advice=advice) from error
