"""The Python API, and the whole flow of a run as a list that reads aloud.

In: a manifest's path and wishes. Out: a plan, a summary, reports. This is the only place where the rooms of the house
meet: it hands the engine objects that fit its Protocols and knows the details of none. Libraries that are slow to
import are imported where they are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner import rundir
from runner.checking import check
from runner.choosing import choose
from runner.engine.options import Ending, EndingKind, EngineOptions, Stop
from runner.pacing import Clock, SystemClock
from runner.rundir import RunDir
from runner.session import Progress, Wishes, unheard, work
from runner.shots import Plan
from runner.simulator.settings import SimulatorSettings
from runner.states import OUT_THERE, DeliveryState, FileGone, TakeState
from runner.store.lock import RunLock
from runner.store.read import open_reader
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile
from runner.summary import Prospect, RunSummary, foresee, sum_up
from runner.version import __version__

if TYPE_CHECKING:
    from runner.plan.against import Comparison
    from runner.reporting.write import Reports


def run_manifest(
    manifest: str | Path,
    *,
    run_dir: str | Path | None = None,
    options: EngineOptions | None = None,
    simulate: SimulatorSettings | None = None,
    only: Sequence[str] = (),
    schema_dirs: Sequence[Path] = (),
    api_base: str | None = None,
    environ: Mapping[str, str] | None = None,
    confirm: Callable[[Prospect], bool] | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
    on_interrupt: Stop = Stop.DRAIN,
) -> RunSummary:
    """Render what the manifest asks for and the run directory does not have yet; calling it again goes on.

    With `simulate` it talks to its own local simulator and nothing is paid. `confirm` is asked before the first
    submit and a False ends the run with nothing sent; without it nobody is asked. `only` takes ids, globs,
    `tag:NAME` and `status:STATE`, and limits what is submitted, never what is watched. Signals are handled if
    this is the main thread; `on_interrupt` says what the first Ctrl-C does.

    Raises:
        ShotrunnerError: one of its classes says what to do; everything recorded so far stays.
    """
    wishes = Wishes(
        Path(manifest),
        options or EngineOptions(),
        simulate,
        tuple(only),
        tuple(schema_dirs),
        api_base,
        os.environ if environ is None else environ,
        confirm or (lambda _: True),
        progress or unheard,
        clock or SystemClock(),
        on_interrupt,
    )
    plan = _planned(wishes)
    place = _place(wishes, plan, run_dir)
    with RunLock(place.path), _opened(wishes, plan, place) as state:
        comparison = _recall(state, plan, place, clock=wishes.clock)
        takes = _chosen(place, wishes.only)
        prospect = foresee(
            takes,
            comparison,
            options=wishes.options,
            host=wishes.origin,
            simulated=wishes.simulate is not None,
        )
        agreed = prospect.submits == 0 or wishes.confirm(prospect)
        ending, signal = work(wishes, place, state, takes) if agreed else (_DECLINED, None)
    summary = sum_up(place, takes, ending=ending, signal=signal, now=wishes.clock.wall())
    return replace(summary, remarks=(*prospect.remarks, *summary.remarks))


_DECLINED = Ending(EndingKind.DECLINED, "not agreed to, so nothing was submitted")


def _planned(wishes: Wishes) -> Plan:
    return check(wishes.manifest, schema_dirs=wishes.schema_dirs, allow_private_media=wishes.on_this_machine)


def _place(wishes: Wishes, plan: Plan, run_dir: str | Path | None) -> RunDir:
    if run_dir is not None:
        return rundir.make(Path(run_dir))
    simulated = wishes.simulate is not None
    return rundir.make(rundir.default_run_dir(wishes.manifest, name=plan.manifest.name, simulated=simulated))


def _opened(wishes: Wishes, plan: Plan, place: RunDir) -> StateFile:
    header = rundir.new_header(
        place,
        manifest=wishes.manifest,
        name=plan.manifest.name,
        simulated=wishes.simulate is not None,
        api_base=wishes.origin,
        now=wishes.clock.wall(),
        version=__version__,
    )
    return rundir.open_state(place, header=header)


def _recall(state: StateFile, plan: Plan, place: RunDir, *, clock: Clock) -> Comparison:
    """Bring the state file up to date with the manifest and the disk before anything is sent."""
    from runner.plan.against import compare

    state.begin(at=clock.wall())
    with open_reader(place.state_file) as reader:
        recorded = reader.takes()
    comparison = compare(plan.takes, recorded)
    state.adopt_plan(plan, renew=comparison.renewed, at=clock.wall())
    gone = []
    for take in recorded:
        if _clip_is_gone(take, place):
            fact = FileGone("the file is not there any more, or not whole")
            gone.append(state.record(take.take_id, fact, at=clock.wall()))
    for recorded_fact in gone:
        recorded_fact.result()
    return comparison


def _clip_is_gone(take: TakeRecord, place: RunDir) -> bool:
    if take.delivery is not DeliveryState.DELIVERED or take.file is None:
        return False
    try:
        return (place.path / take.file).stat().st_size != take.bytes
    except OSError:
        return True


def _chosen(place: RunDir, only: Sequence[str]) -> list[TakeRecord]:
    """Return the takes this run is about: those asked for, and all that are out there already."""
    with open_reader(place.state_file) as reader:
        takes = reader.takes()
    wanted = choose(takes, only)
    return [
        take
        for take in takes
        if take.state in OUT_THERE or (take.take_id in wanted and not _is_left_behind(take))
    ]


def _is_left_behind(take: TakeRecord) -> bool:
    """Return whether nothing shall ever happen to a take: given up, or never sent and no longer in the manifest."""
    gone = take.state is TakeState.PENDING and take.position is None
    return gone or take.state is TakeState.DROPPED


def report(target: str | Path, *, simulated: bool | None = None, clock: Clock | None = None) -> Reports:
    """Write `report.csv` and `report.html` of a run from its state file alone; works for a killed run.

    `target` is a run directory or a manifest; `simulated` says which of a manifest's two runs, None takes the
    real one if there is one.

    Raises:
        FileMissing: nothing has been run there.
        StateFileUnusable: the state file cannot be read.
    """
    from runner.reporting.write import write_report

    place = find_run(target, simulated=simulated)
    with open_reader(place.state_file) as reader:
        header, takes = reader.header, reader.takes()
    return write_report(place.path, header=header, takes=takes, now=(clock or SystemClock()).wall())


def find_run(target: str | Path, *, simulated: bool | None = None) -> RunDir:
    """Return the run directory meant by `target`, a run directory or a manifest.

    Raises:
        FileMissing: nothing has been run there.
    """
    from runner.manifest.read import read_manifest

    path = Path(target)
    if rundir.is_run(path):
        return RunDir(path)
    name = read_manifest(path).manifest.name
    return rundir.existing(path, name=name, kinds=(False, True) if simulated is None else (simulated,))
