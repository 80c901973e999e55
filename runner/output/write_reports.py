"""Writes the reports beside the state file, each file whole or absent, and knows whether they are still current."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from runner.domain.disk_errors import file_error
from runner.domain.errors import DiskFailed
from runner.domain.money import Spending
from runner.domain.picks import NO_PICKS, Picks
from runner.domain.preview_names import PREVIEWS
from runner.domain.records import RunHeader, TakeRecord
from runner.output import csv_report, html_report
from runner.output.clip_links import BESIDE_THE_PAGE, ClipLinks
from runner.output.report_view import Beside
from runner.system.private_files import open_private, whole_file
from runner.system.version import __version__

_HEAD = 1024
"""Bytes of the page in which its mark is found."""


@dataclass(frozen=True, slots=True)
class Reports:
    """The paths of a run's reports; `published` is the address of the page in the store, empty without one."""

    csv: Path
    html: Path
    published: str = ""


class Record(Protocol):
    """A run's record, as the state file's reader gives it, at one moment."""

    @property
    def header(self) -> RunHeader:
        """Which run it is."""
        ...

    @property
    def nothing_paid(self) -> bool:
        """True if its jobs went to a simulator."""
        ...

    def each_take(self) -> Iterator[TakeRecord]:
        """Yield every take in manifest order, then those that left the manifest."""
        ...

    def spending(self) -> Spending:
        """Return all that was or may have been paid."""
        ...

    def mark(self) -> str:
        """Return a text that is another one as soon as a report of the record would be another one."""
        ...


def write_report(
    run_dir: Path,
    record: Record,
    *,
    now: float,
    picks: Picks = NO_PICKS,
    goes_on: bool | None = None,
    links: ClipLinks = BESIDE_THE_PAGE,
    previews: AbstractSet[str] | None = None,
) -> Reports:
    """Write `report.csv` and `report.html` into `run_dir`, replacing earlier ones; `now` is unix seconds.

    `goes_on` says whether the run goes on at this moment, None where that is not known.

    The page shows the previews that lie in the run directory, or those of `previews`, and what people decided in
    `picks`. `links` say where the clips are; a report with links that end is never current. Both files get `now`
    as their time, by which `reports_are_current` knows them again.

    Raises:
        CannotCreate: no file can be made in the folder.
        DiskFailed: the disk is full or failing, or memory is short; an earlier report is untouched.
    """
    reports, at = reports_of(run_dir), int(now * 1e9)
    try:
        with _replaced(reports.csv, at) as file:
            csv_report.write_csv(file, record.header, record.each_take, picks=picks, links=links)
        with _replaced(reports.html, at) as file:
            html_report.write_page(
                file,
                record.header,
                record.each_take(),
                record.spending(),
                simulated=record.nothing_paid,
                made=now,
                goes_on=goes_on,
                mark="" if links.media else _mark(run_dir, record, picks, at),
                beside=Beside.of(previews_in(run_dir) if previews is None else previews, picks, links),
            )
    except MemoryError as error:
        raise DiskFailed(
            f"{run_dir}: there is not enough memory for a report",
            advice="free memory or raise ulimit -v, then make the report again",
        ) from error
    return reports


def reports_are_current(run_dir: Path, record: Record, *, picks: Picks = NO_PICKS) -> bool:
    """Return whether both reports are on disk as this program wrote them from the record and picks as they are now.

    The page's first bytes name the program, the record, the picks, and the time that both files were given. A report
    that was edited, copied or deleted is not current. Only the page's first kibibyte is read.
    """
    reports = reports_of(run_dir)
    try:
        with os.fdopen(open_private(reports.html), "rb") as file:
            head, at = file.read(_HEAD), os.fstat(file.fileno()).st_mtime_ns
        mark = _mark(run_dir, record, picks, at)
        return at == reports.csv.lstat().st_mtime_ns and f'"{mark}"'.encode() in head
    except OSError:
        return False


def _mark(run_dir: Path, record: Record, picks: Picks, at: int) -> str:
    try:
        # A folder gets another time as soon as a preview is added or leaves.
        previews = (run_dir / PREVIEWS).stat().st_mtime_ns
    except OSError:
        previews = 0
    said = zlib.crc32(repr(picks.rows).encode("utf-8", "replace")) if picks.rows else 0
    return f"{__version__} {record.mark()} {at} {previews} {said}"


def previews_in(run_dir: Path) -> frozenset[str]:
    """Return the previews in a run directory, relative to it; a folder that cannot be read holds none."""
    try:
        return frozenset(f"{PREVIEWS}/{path.name}" for path in (run_dir / PREVIEWS).iterdir())
    except OSError:
        return frozenset()


def reports_of(run_dir: Path) -> Reports:
    """Return the paths of a run's reports, which need not exist yet."""
    return Reports(csv=run_dir / "report.csv", html=run_dir / "report.html")


@contextmanager
def _replaced(path: Path, at: int) -> Iterator[BinaryIO]:
    """Yield a file that replaces the one at `path` once it is whole, with `at` (ns) as its time."""
    try:
        with whole_file(path) as file:
            yield file
        os.utime(path, ns=(at, at))
    except OSError as error:
        advice = "make the folder writable, or move away what is in the way"
        raise file_error(error, path, "cannot be written", advice=advice) from error
