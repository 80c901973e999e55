"""Writes the reports beside the state file: each file is whole or absent.

In: the run directory and the run's records. Out: two files under their final names. It knows how a file is replaced
safely, not what stands in it.
"""

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
    """Where the reports of a run lie."""

    csv: Path
    html: Path


def write_report(
    run_dir: Path, *, header: RunHeader, takes: Sequence[TakeRecord], spending: Spending, now: float
) -> Reports:
    """Write `report.csv` and `report.html` into `run_dir`, replacing earlier ones; `now` is unix seconds.

    `spending` is all that was or may have been paid, as the state file's reader gives it.

    Raises:
        CannotCreate: the folder does not take a file.
        DiskFailed: the disk is full or failing, or memory is short; an earlier report is untouched.
    """
    reports = reports_of(run_dir)
    try:
        _replace(reports.csv, csv_report.csv_text(header, takes))
        _replace(reports.html, html_report.html(header, takes, spending, now))
    except (MemoryError, ImportError) as error:
        # A library that finds no memory while it is loaded says only that it cannot be.
        raise DiskFailed(
            f"{run_dir}: a report needs more memory than there is",
            advice="free memory or raise ulimit -v, then make the report again",
        ) from error
    return reports


def reports_of(run_dir: Path) -> Reports:
    """Return where the reports of a run lie, or will."""
    return Reports(csv=run_dir / "report.csv", html=run_dir / "report.html")


def _replace(path: Path, text: str) -> None:
    try:
        write_whole(path, text)
    except OSError as error:
        advice = "make the folder writable, or move away what is in the way"
        raise file_error(error, path, "cannot be written", advice=advice) from error
