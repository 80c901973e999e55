"""Writes the reports beside the state file: each file is whole or absent.

In: the run directory and the run's records. Out: two files under their final names. It knows how a file is replaced
safely, not what stands in it.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.errors import CannotCreate, DiskFailed, ShotrunnerError
from runner.money import Spending
from runner.reporting import sheet, table
from runner.store.records import RunHeader, TakeRecord

_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


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
        DiskFailed: the disk is full or failing; an earlier report is untouched.
    """
    reports = Reports(csv=run_dir / "report.csv", html=run_dir / "report.html")
    _replace(reports.csv, table.csv_text(header, takes))
    _replace(reports.html, sheet.html(header, takes, spending, now))
    return reports


def _replace(path: Path, text: str) -> None:
    # A name of its own for every writer: two `report` commands at once must not share a half-written file.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as stream:
                stream.write(text.encode("utf-8", "replace"))
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise translated(error, path) from error


def translated(error: OSError, path: Path) -> ShotrunnerError:
    """Return the error that says what the user does next about a file that could not be written."""
    message = f"cannot write {path}: {error.strerror or error}"
    if error.errno in _DISK:
        return DiskFailed(message, advice="free space on that disk, then make the report again")
    return CannotCreate(message, advice="make the folder writable, then make the report again")
