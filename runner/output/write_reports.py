"""Writes the reports beside the state file, each file whole or absent, and knows whether they are still current.

A large page has its data in files beside it. They are written before the page that names them, and those of an earlier
page are removed later, so a kill at any moment leaves a page with all its data.
"""

from __future__ import annotations

import errno
import os
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Protocol

from runner.domain.disk_errors import file_error
from runner.domain.errors import DiskFailed, UsageError
from runner.domain.money import Spending
from runner.domain.picks import NO_PICKS, Picks
from runner.domain.preview_names import PREVIEWS
from runner.domain.records import RunHeader, TakeRecord
from runner.output import csv_report, html_report
from runner.output.clip_links import BESIDE_THE_PAGE, ClipLinks
from runner.output.page_data import DATA, FILE_NAME, SIZES, Sizes
from runner.output.report_view import Beside
from runner.output.runs_report import RunsReport
from runner.system.private_files import NotOurs, make_folder, open_private, whole_file, write_whole
from runner.system.version import __version__

_HEAD = 1024
"""Bytes of the page in which its mark is found."""
_KEPT_S = 3600
"""How long the data of an earlier page stays: a tab may still show it, and another process may be writing."""
_PART_NAME = re.compile(r"report-[0-9]{4,}\.csv", re.ASCII)
_COPIED = 1 << 20

_OF_RUNS = "several runs"


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
    sizes: Sizes = SIZES,
    part: int = csv_report.PART,
) -> Reports:
    """Write `report.csv` and `report.html` into `run_dir`, replacing earlier ones; `now` is unix seconds.

    `goes_on` says whether the run goes on at this moment, None where that is not known. A page of more takes than
    `sizes.alone` has its data in the folder `report-data`, where a table of more rows than `part` also lies in parts.

    The page shows the previews that lie in the run directory, or those of `previews`, and what people decided in
    `picks`. `links` say where the clips are; a report with links that end is never current. Both files get `now`
    as their time, by which `reports_are_current` knows them again.

    Raises:
        CannotCreate: no file can be made in the folder.
        DiskFailed: the disk is full or failing, or memory is short; an earlier report is untouched.
    """
    reports, at = reports_of(run_dir), int(now * 1e9)
    data = _DataFolder(run_dir / DATA, at)
    try:
        with _replaced(reports.csv, at) as file:
            bounds = csv_report.write_csv(
                file, record.header, record.each_take, picks=picks, part=part, links=links
            )
        data.put_table(reports.csv, bounds)
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
                put=data.put,
                sizes=sizes,
            )
        data.settle()
    except MemoryError as error:
        raise DiskFailed(
            f"{run_dir}: there is not enough memory for a report",
            advice="free memory or raise ulimit -v, then make the report again",
        ) from error
    return reports


def write_report_of_runs(folder: Path, runs: RunsReport) -> Reports:
    """Write one page and one CSV of several runs into `folder`, which is there; earlier ones are replaced.

    Raises:
        UsageError: the folder holds a page or a CSV of something else.
        CannotCreate, DiskFailed: as for `write_report`.
    """
    reports, at = reports_of(folder), int(runs.made * 1e9)
    _refuse_others(reports)
    with _replaced(reports.csv, at) as file:
        runs.write_csv(file)
    with _replaced(reports.html, at) as file:
        html_report.write_page_of_runs(file, runs.cards(), runs.head, mark=f"{_OF_RUNS} {__version__}")
    return reports


def _refuse_others(reports: Reports) -> None:
    try:
        with os.fdopen(open_private(reports.html), "rb") as file:
            is_ours = f'content="{_OF_RUNS} '.encode() in file.read(_HEAD)
    except OSError:
        is_ours = not any(map(os.path.lexists, (reports.csv, reports.html)))
    if not is_ours:
        folder = reports.html.parent
        raise UsageError(f"{folder} holds a report of something else", advice="name another folder with --to")


def reports_are_current(run_dir: Path, record: Record, *, picks: Picks = NO_PICKS) -> bool:
    """Return whether both reports are on disk as this program wrote them from the record and picks as they are now.

    The page's first bytes name the program, the record, the picks, and the time that both files were given. A report
    that was edited, copied or deleted is not current, nor is a page of which the data was. Only the page's first
    kibibyte is read.
    """
    reports = reports_of(run_dir)
    try:
        with os.fdopen(open_private(reports.html), "rb") as file:
            head, at = file.read(_HEAD), os.fstat(file.fileno()).st_mtime_ns
        mark = _mark(run_dir, record, picks, at)
        named = [reports.csv, *([run_dir / DATA] if b'"shotrunner-data"' in head else [])]
        return f'"{mark}"'.encode() in head and all(path.lstat().st_mtime_ns == at for path in named)
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


@dataclass(slots=True)
class _DataFolder:
    """The folder with a page's data; every file that a report needs gets its time, `at` in ns."""

    path: Path
    at: int
    _names: set[str] = field(default_factory=set)

    def put(self, name: str, content: bytes) -> None:
        """Keep a file whose name says what it holds, so one that is there already is not written again."""
        path = self.path / name
        if not (path.is_file() and path.stat().st_size == len(content)):
            self._write(name, lambda: write_whole(path, content))
        self._note(name)

    def put_table(self, table: Path, bounds: Sequence[int]) -> None:
        """Keep the parts of a table, which begin at these bytes; each has the columns, and is a table by itself."""
        if len(bounds) < 2:
            return
        with os.fdopen(open_private(table), "rb") as whole:
            columns, ends = whole.read(bounds[0]), (*bounds, table.stat().st_size)
            for number, (begin, end) in enumerate(pairwise(ends), 1):
                name = f"report-{number:04}.csv"
                self._write(name, lambda: _copy(whole, self.path / name, columns, begin, end))  # noqa: B023
                self._note(name)

    def _write(self, name: str, write: Callable[[], None]) -> None:
        try:
            make_folder(self.path)
            if self.path.is_symlink():
                raise NotOurs(errno.ELOOP, "is a symbolic link", self.path)
            write()
        except OSError as error:
            raise _unwritten(error, self.path / name) from error

    def _note(self, name: str) -> None:
        self._names.add(name)
        os.utime(self.path / name, ns=(self.at, self.at))

    def settle(self) -> None:
        """Remove what no page needs any more, and give the folder the time of the reports."""
        with suppress(OSError):
            for path in self.path.iterdir():
                if path.name in self._names:
                    continue
                is_old = self.at - path.lstat().st_mtime_ns > _KEPT_S * 10**9
                # A part of an earlier table would be taken for one of this.
                if _PART_NAME.fullmatch(path.name) or (is_old and FILE_NAME.fullmatch(path.name)):
                    path.unlink()
            if not self._names:
                self.path.rmdir()
        if self._names:
            os.utime(self.path, ns=(self.at, self.at))


def _copy(whole: BinaryIO, target: Path, columns: bytes, begin: int, end: int) -> None:
    whole.seek(begin)
    with whole_file(target) as file:
        file.write(columns)
        for at in range(begin, end, _COPIED):
            file.write(whole.read(min(_COPIED, end - at)))


@contextmanager
def _replaced(path: Path, at: int) -> Iterator[BinaryIO]:
    """Yield a file that replaces the one at `path` once it is whole, with `at` (ns) as its time."""
    try:
        with whole_file(path) as file:
            yield file
        os.utime(path, ns=(at, at))
    except OSError as error:
        raise _unwritten(error, path) from error


def _unwritten(error: OSError, path: Path) -> Exception:
    advice = "make the folder writable, or move away what is in the way"
    return file_error(error, path, "cannot be written", advice=advice)
