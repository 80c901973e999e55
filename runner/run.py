"""The Python API, and the whole flow of a run as a list that reads aloud.

In: a manifest's path and wishes. Out: a plan, a summary, reports. This is the only place where the rooms of the house
meet: it hands the engine objects that fit its Protocols and knows the details of none. Libraries that are slow to
import are imported where they are used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner import opening, pricing, rundir
from runner.checking import check
from runner.choosing import ALL, Choice
from runner.engine.options import Ending, EndingKind, EngineOptions, Stop
from runner.errors import UsageError
from runner.opening import Opening
from runner.pacing import Clock, SystemClock
from runner.recalling import PAID, Survey, recall, replace_stale
from runner.rundir import RunDir
from runner.session import Progress, Wishes, unheard, work
from runner.shots import Plan
from runner.simulator.settings import SimulatorSettings
from runner.states import OUT_THERE, TakeState
from runner.store.lock import RunLock
from runner.store.read import open_reader
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile
from runner.summary import Prospect, RunSummary, foresee, sum_up
from runner.version import __version__
from runner.window import sitting
from runner.wording import counted, iso

if TYPE_CHECKING:
    from runner.plan.against import Comparison
    from runner.reporting.write import Reports


def run_manifest(
    manifest: str | Path,
    *,
    run_dir: str | Path | None = None,
    options: EngineOptions | None = None,
    simulate: SimulatorSettings | None = None,
    choice: Choice = ALL,
    stale: bool = False,
    schema_dirs: Sequence[Path] = (),
    api_base: str | None = None,
    environ: Mapping[str, str] | None = None,
    confirm: Callable[[Prospect], bool] | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
    on_interrupt: Stop = Stop.DRAIN,
    moved: bool = False,
    allow_network_fs: bool = False,
) -> RunSummary:
    """Render what the manifest asks for and the run directory does not have yet; calling it again goes on.

    With `simulate` it talks to its own local simulator and nothing is paid. `confirm` is asked before the first
    submit and a False ends the run with nothing sent; without it nobody is asked. `choice` limits what is submitted,
    never what is watched; `stale` renders chosen takes anew whose rows changed after they were paid for, and keeps
    the older clips. Signals are handled if this is the main thread; `on_interrupt` says what the first Ctrl-C does.
    `moved` agrees to go on with a run that was moved or copied from elsewhere, `allow_network_fs` to one on a network
    share.

    Raises:
        ShotrunnerError: one of its classes says what to do; everything recorded so far stays.
    """
    settled = os.environ if environ is None else environ
    wishes = Wishes(
        Path(manifest),
        options or EngineOptions(),
        simulate,
        choice,
        tuple(schema_dirs),
        api_base,
        settled,
        confirm or (lambda _: True),
        progress or unheard,
        clock or SystemClock(),
        on_interrupt,
        Opening(moved, allow_network_fs, settled),
        stale,
    )
    return _rendered(wishes, run_dir)


def _rendered(wishes: Wishes, run_dir: str | Path | None) -> RunSummary:
    """Go through the whole flow of a run once, from the manifest to the summary."""
    plan = _planned(wishes)
    place = _place(wishes, plan, run_dir)
    with RunLock(place.path), _opened(wishes, plan, place) as state:
        plan = _priced(wishes, plan, place)
        found, remarks = recall(state, plan, place, choice=wishes.choice, clock=wishes.clock)
        takes = _chosen(place, found, wishes.choice)
        quoted = _priced_live(wishes, plan, takes)
        if quoted is not plan:
            remarks += pricing.price_changes(plan, quoted)
            state.adopt_plan(plan := quoted, renew=(), at=wishes.clock.wall())
            takes = _chosen(place, found, wishes.choice)
        anew = _anew([take for take in takes if take.take_id in set(found.chosen)], wishes)
        prospect = _foreseen(wishes, place, takes, found.comparison, plan=plan, anew=anew)
        _refuse_unpriced(wishes, prospect)
        agreed = prospect.submits == 0 or wishes.confirm(prospect)
        if agreed and anew:
            # Only now: whoever says no keeps the clip under its take's name.
            remarks += replace_stale(state, plan, place, anew, clock=wishes.clock)
            takes = _chosen(place, found, wishes.choice)
        ending, signal = _sit(wishes, place, state, takes) if agreed else (_DECLINED, None)
        # Where nothing was left to do, nobody has heard them yet.
        notes = () if agreed and prospect.finished < prospect.takes else state.notes
    summary = sum_up(place, takes, ending=ending, signal=signal, now=wishes.clock.wall())
    return replace(summary, remarks=(*notes, *remarks, *prospect.remarks, *summary.remarks))


def _sit(
    wishes: Wishes, place: RunDir, state: StateFile, takes: Sequence[TakeRecord]
) -> tuple[Ending, int | None]:
    """Work through what is left in the time that the run is given."""
    return sitting(
        place,
        state,
        wishes.options.limits,
        clock=wishes.clock,
        work=lambda deadline: work(wishes, place, state, takes, deadline=deadline),
    )


def _refuse_unpriced(wishes: Wishes, prospect: Prospect) -> None:
    """Refuse to begin under a cap with money that nobody can count: the cap would not hold."""
    if not wishes.options.limits.needs_prices or not prospect.submits:
        return
    why = []
    if prospect.unpriced:
        why.append(f"{prospect.unpriced} of the {prospect.submits} takes to submit have no price")
    if prospect.unknown:
        why.append(f"of {counted(prospect.unknown, 'earlier submission')} neither cost nor price is known")
    if why:
        raise UsageError(
            f"{' and '.join(why)}, so --max-cost cannot hold; nothing was sent",
            advice="give their models a price under prices: in the manifest, or add --allow-unpriced",
        )


_DECLINED = Ending(EndingKind.DECLINED, "not agreed to, so nothing was submitted")


def _planned(wishes: Wishes) -> Plan:
    return check(wishes.manifest, schema_dirs=wishes.schema_dirs, allow_private_media=wishes.on_this_machine)


def _priced(wishes: Wishes, plan: Plan, place: RunDir) -> Plan:
    models = pricing.unpriced_models(plan)
    if not models:
        return plan
    if wishes.simulate is not None:
        return pricing.priced(plan, pricing.invented_prices(models, wishes.manifest, wishes.schema_dirs))
    with open_reader(place.state_file) as reader:
        return pricing.priced(plan, pricing.recorded_prices(reader.takes()))


def _priced_live(wishes: Wishes, plan: Plan, takes: Sequence[TakeRecord]) -> Plan:
    """Return the plan with the catalogue's prices of today for what is about to be sent, where the manifest gives none.

    A run goes online anyway; a catalogue that does not answer leaves things as they are.
    """
    going = {
        take.take_id for take in takes if take.state is TakeState.PENDING or (wishes.stale and take.is_stale)
    }
    today = iso(wishes.clock.wall())[: len("2000-01-01")]
    models = () if wishes.simulate is not None else pricing.to_ask_for(plan, going, today=today)
    if not models:
        return plan
    from runner.api.account import find_account
    from runner.live import ask_catalogue

    account = find_account(wishes.environ, base=wishes.api_base)
    return pricing.priced(plan, ask_catalogue(account, models, clock=wishes.clock).prices)


def _place(wishes: Wishes, plan: Plan, run_dir: str | Path | None) -> RunDir:
    if run_dir is not None:
        return rundir.make(Path(run_dir))
    simulated = wishes.simulate is not None
    return rundir.make(rundir.default_run_dir(wishes.manifest, name=plan.manifest.name, simulated=simulated))


def _opened(wishes: Wishes, plan: Plan, place: RunDir) -> StateFile:
    header = opening.new_header(
        place,
        manifest=wishes.manifest,
        name=plan.manifest.name,
        simulated=wishes.simulate is not None,
        api_base=wishes.origin,
        now=wishes.clock.wall(),
        version=__version__,
    )
    return opening.open_state(place, header=header, opening=wishes.opening)


def _chosen(place: RunDir, found: Survey, choice: Choice) -> list[TakeRecord]:
    """Return the takes this run is about: those asked for, and all that are out there already."""
    with open_reader(place.state_file) as reader:
        takes = reader.takes()
    wanted = set(found.chosen)
    about = [take for take in takes if take.state in OUT_THERE or _is_wanted(take, wanted)]
    if choice.limit is None:
        return about
    pending = [take.take_id for take in about if take.state is TakeState.PENDING]
    beyond = set(pending[choice.limit :])
    return [take for take in about if take.take_id not in beyond]


def _anew(takes: Sequence[TakeRecord], wishes: Wishes) -> list[str]:
    """Return the stale takes to be rendered again, as many as the limit leaves after those that were never sent."""
    if not wishes.stale:
        return []
    stale = [take.take_id for take in takes if take.is_stale and take.state in PAID]
    if wishes.choice.limit is None:
        return stale
    pending = sum(1 for take in takes if take.state is TakeState.PENDING)
    return stale[: max(0, wishes.choice.limit - pending)]


def _is_wanted(take: TakeRecord, wanted: Collection[str]) -> bool:
    return take.take_id in wanted and not _is_left_behind(take)


def _is_left_behind(take: TakeRecord) -> bool:
    """Return whether nothing shall ever happen to a take: given up, or never sent and no longer in the manifest."""
    gone = take.state is TakeState.PENDING and take.position is None
    return gone or take.state is TakeState.DROPPED


def _foreseen(
    wishes: Wishes,
    place: RunDir,
    takes: Sequence[TakeRecord],
    comparison: Comparison,
    *,
    plan: Plan,
    anew: Collection[str],
) -> Prospect:
    from runner.plan.repeats import paid_twice

    with open_reader(place.state_file) as reader:
        spending, sent = reader.spending(), reader.sent()
    prospect = foresee(
        takes,
        comparison,
        options=wishes.options,
        host=wishes.origin,
        simulated=wishes.simulate is not None,
        anew=anew,
        spending=spending,
    )
    going = {take.take_id for take in takes if take.state is TakeState.PENDING} | set(anew)
    return replace(prospect, duplicates=paid_twice(plan.takes, going=going, sent=sent))


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
    from runner.manifest.read import manifest_name

    path = Path(target)
    if rundir.is_run(path):
        return RunDir(path)
    name = manifest_name(path)
    return rundir.existing(path, name=name, kinds=(False, True) if simulated is None else (simulated,))
