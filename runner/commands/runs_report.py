"""One page and one CSV of several runs, from their state files alone; it works while they go on, and after a kill.

In: run directories or manifests. Out: the two files in a folder of their own, and the runs that could not be read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from runner.commands.runs_status import UnreadRun, absent_shards
from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.find_run import find_run_to_read, is_recorded
from runner.commands.steps.find_runs import names_of_runs
from runner.commands.steps.run_activity import activity_of
from runner.commands.steps.run_in_store import copied_from
from runner.commands.steps.stored_report import report_links
from runner.domain.disk_errors import file_error
from runner.domain.errors import ShotrunnerError, UsageError
from runner.domain.ids import folder_name
from runner.domain.picks import Picks
from runner.output.report_view import Beside
from runner.output.runs_report import RunPart, RunsReport
from runner.output.write_reports import Reports, previews_in, write_report_of_runs
from runner.store.picks_file import read_picks
from runner.store.reader import Reader, open_reader
from runner.store.run_dir import RunDir
from runner.system.clock import Clock, SystemClock
from runner.system.private_files import make_folder


@dataclass(frozen=True, slots=True)
class WrittenOfRuns:
    """The reports of several runs, the folders of these runs, and those that could not be read."""

    reports: Reports
    runs: tuple[Path, ...]
    unread: tuple[UnreadRun, ...]


def report_of_runs(
    targets: Sequence[Path],
    *,
    to: Path | None = None,
    simulated: bool | None = None,
    clock: Clock | None = None,
) -> WrittenOfRuns:
    """Write one page and one CSV of several runs into the folder `to`, by default one beside the first run.

    Raises:
        ShotrunnerError: no run can be read; it says why the first one cannot.
        UsageError: the folder is a run, or holds the report of something else.
        CannotCreate, DiskFailed: the folder or the files cannot be written.
    """
    now = (clock or SystemClock()).wall()
    with ExitStack() as stack:
        opened: list[tuple[RunDir, Reader, Picks]] = []
        unread: list[UnreadRun] = []
        for target in targets:
            try:
                place = find_run_to_read(target, simulated=simulated)
                picks, reader = read_picks(place.path), stack.enter_context(open_reader(place.state_file))
                stack.enter_context(reader.at_one_moment())
                opened.append((place, reader, picks))
            except ShotrunnerError as error:
                unread.append(UnreadRun(target, error))
        if not opened:
            raise unread[0].error
        places = [place.path for place, _, _ in opened]
        folder = to or _usual_folder(places[0], {reader.header.name for _, reader, _ in opened})
        if is_recorded(folder):
            raise UsageError(f"{folder} is a run itself", advice="name another folder with --to")
        try:
            make_folder(folder)
        except OSError as error:
            raise file_error(
                error, folder, "cannot be made", advice="name another folder with --to"
            ) from error
        names = names_of_runs(places)
        parts = [_part(name, *each, folder, now) for name, each in zip(names, opened, strict=True)]
        absent = absent_shards([part.header for part in parts])
        return WrittenOfRuns(
            write_report_of_runs(folder, RunsReport(parts, now, absent)), tuple(places), tuple(unread)
        )


def _usual_folder(first: Path, boards: set[str]) -> Path:
    name = f"{folder_name(next(iter(boards)))}-" if len(boards) == 1 else ""
    # A copy of a record lies in a folder that does not stay.
    parent = Path.cwd() if copied_from(RunDir(first)) else first.resolve().parent
    return parent / f"{name}all-runs"


def _part(name: str, place: RunDir, reader: Reader, picks: Picks, folder: Path, now: float) -> RunPart:
    stored = stored_clips(place, out=reader.header.out)
    links = report_links(place, reader.header, stored, now=now)
    return RunPart(
        name,
        os.path.relpath(place.path.resolve(), folder.resolve()),
        reader.header,
        reader.spending(),
        reader.nothing_paid,
        reader.each_take,
        Beside.of(previews_in(place.path), picks, links),
        activity_of(place, reader).goes_on,
    )
