"""`report.csv` and `report.html` of a run, and the table for Python, from its state file alone.

In: a run directory or its manifest. Out: the two files, or a frame. It works for a run that was killed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.steps.clip_files import stored_clips
from runner.commands.steps.find_run import find_run_to_read
from runner.commands.steps.run_activity import activity_of
from runner.commands.steps.run_in_store import copied_from, name_of
from runner.domain.shots import Plan
from runner.store.picks_file import read_picks
from runner.store.reader import open_reader
from runner.system.clock import Clock, SystemClock
from runner.system.private_files import make_folder

if TYPE_CHECKING:
    from runner.output.csv_report import Frame
    from runner.output.write_reports import Reports


def report(
    target: str | Path,
    *,
    simulated: bool | None = None,
    clock: Clock | None = None,
    sign_s: int | None = None,
) -> Reports:
    """Write `report.csv` and `report.html` of a run from its state file alone; works for a killed run.

    `target` is a run directory or a manifest; `simulated` says which of a manifest's two runs, None takes the
    real one if there is one. If the clips are in a store, it gets a report as well, with links to the clips beside it.
    With `sign_s` anyone can follow the links of the report here for this number of seconds, and the store gets none.

    Of the address of a run in a store nothing is written there: the report is in NAME-report in the current folder.

    Raises:
        UsageError: links are to be signed, and the clips are not in a store.
        StoreAway, StoreRefused: the store takes no report; the one here is written.
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file cannot be read.
        PicksInvalid: a cell of `picks.csv` cannot be read.
    """
    from runner.commands.steps.stored_report import publish_reports, report_links
    from runner.output.write_reports import write_report

    place = find_run_to_read(target, simulated=simulated)
    with open_reader(place.state_file) as reader, reader.at_one_moment():
        now = (clock or SystemClock()).wall()
        goes_on, picks = activity_of(place, reader).goes_on, read_picks(place.path)
        stored = stored_clips(place, out=reader.header.out)
        links = report_links(place, reader.header, stored, now=now, sign_s=sign_s)
        folder, previews = place.path, None
        if address := copied_from(place):
            folder, previews = Path(f"{name_of(address)}-report"), frozenset[str]()
            make_folder(folder)
        reports = write_report(
            folder, reader, now=now, picks=picks, goes_on=goes_on, links=links, previews=previews
        )
        if stored is not None and sign_s is None and address is None:
            publish_reports(place, reader, stored, now=now, picks=picks, goes_on=goes_on)
            return replace(reports, published=stored.address_of(reports.html.name))
        return reports


def to_frame(target: str | Path | Plan, *, simulated: bool | None = None) -> Frame:
    """Return the table of `report.csv` as a pandas frame, for questions such as the cost of each model.

    All columns are of dtype object; a missing value is None. The parameters are those of `report`. Of a plan the frame
    has the inputs and the estimate of each take.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file cannot be read.
        PicksInvalid: a cell of `picks.csv` cannot be read.
    """
    from runner.output.csv_report import frame, plan_frame

    if isinstance(target, Plan):
        return plan_frame(target)
    place = find_run_to_read(target, simulated=simulated)
    with open_reader(place.state_file) as reader:
        return frame(reader.header, reader.each_take(), picks=read_picks(place.path))
