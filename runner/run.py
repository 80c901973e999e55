"""The Python API, and the whole flow of a run as a list that reads aloud.

In: a manifest's path and wishes. Out: a plan, a summary, reports. This is the only place where the rooms of the house
meet: it hands the engine objects that fit its Protocols and knows the details of none. Libraries that are slow to
import are imported where they are used.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import runner
from runner import rundir
from runner.checking import check, search_path
from runner.choosing import choose
from runner.engine.options import Ending, EndingKind, EngineOptions
from runner.engine.ports import Event, Listener
from runner.pacing import Clock, Durations, SystemClock
from runner.rundir import RunDir
from runner.shots import JsonValue, Plan, Ticket
from runner.simulator.settings import SimulatorSettings
from runner.states import OUT_THERE, DeliveryState, FileGone, TakeState
from runner.stopping import Interruption, heeding_signals
from runner.store.lock import RunLock
from runner.store.read import open_reader
from runner.store.records import TakeRecord
from runner.store.state_file import StateFile

if TYPE_CHECKING:
    from runner.api.account import Account
    from runner.plan.against import Comparison
    from runner.reporting.write import Reports

SIMULATOR_BASE = "simulator"
_WAITING = frozenset({TakeState.HELD, TakeState.SUBMITTING})


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a run is about to do, for whoever is asked to agree.

    `submits` counts the jobs it will submit, each of them paid unless `simulated`; `host` is who is paid.
    `remarks` are sentences about takes whose rows changed or left the manifest.
    """

    submits: int
    takes: int
    finished: int
    host: str
    simulated: bool
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended and what it left behind; `exit_code` follows the documented table.

    `counts` and `deliveries` are over the takes the run was about; `clips` are the delivered files among
    them, in the manifest's order; `signal` is the number of the one that stopped it.
    """

    run_dir: Path
    simulated: bool
    ending: Ending
    submitted: int
    counts: Mapping[TakeState, int]
    deliveries: Mapping[DeliveryState, int]
    clips: tuple[Path, ...]
    held: tuple[TakeRecord, ...]
    reports: Reports
    signal: int | None = None

    @property
    def exit_code(self) -> int:
        """0 complete, 2 some failed, 4 a person is needed, 69, 77, or 128 and the signal's number."""
        if self.signal is not None:
            return 128 + self.signal
        if self.ending.kind is EndingKind.ACCOUNT:
            return 77
        if self.ending.kind is EndingKind.OUTAGE:
            return 69
        if self.held or self.ending.kind is EndingKind.UNKNOWNS:
            return 4
        lost = self.deliveries.get(DeliveryState.UNDELIVERABLE, 0)
        failed = self.counts.get(TakeState.FAILED, 0) + self.counts.get(TakeState.CANCELLED, 0)
        return 2 if failed or lost else 0


Progress: TypeAlias = Callable[[int, int], AbstractContextManager[Listener]]
"""Makes the listener of a run from the number of its takes and of those already finished."""


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
) -> RunSummary:
    """Render what the manifest asks for and the run directory does not have yet; calling it again goes on.

    With `simulate` it talks to its own local simulator and nothing is paid. `confirm` is asked before the first
    submit and a False ends the run with nothing sent; without it nobody is asked. `only` takes ids, globs,
    `tag:NAME` and `status:STATE`, and limits what is submitted, never what is watched. Signals are handled if
    this is the main thread.

    Raises:
        ShotrunnerError: one of its classes says what to do; everything recorded so far stays.
    """
    wishes = _Wishes(
        Path(manifest),
        options or EngineOptions(),
        simulate,
        tuple(only),
        tuple(schema_dirs),
        api_base,
        os.environ if environ is None else environ,
        confirm or (lambda _: True),
        progress or _unheard,
        clock or SystemClock(),
    )
    plan = _planned(wishes)
    place = _place(wishes, plan, run_dir)
    with RunLock(place.path), _opened(wishes, plan, place) as state:
        comparison = _recall(state, plan, place, clock=wishes.clock)
        takes = _chosen(place, wishes.only)
        submitted_before = sum(take.attempts for take in takes)
        prospect = _prospect(takes, comparison, wishes)
        agreed = prospect.submits == 0 or wishes.confirm(prospect)
        ending, signal = _work(wishes, place, state, takes) if agreed else (_DECLINED, None)
    summary = _summary(place, {take.take_id for take in takes}, ending, signal, wishes)
    return replace(summary, submitted=summary.submitted - submitted_before)


_DECLINED = Ending(EndingKind.FINISHED, "not agreed to: nothing was submitted")


@dataclass(frozen=True, slots=True)
class _Wishes:
    """The arguments of `run_manifest`, settled."""

    manifest: Path
    options: EngineOptions
    simulate: SimulatorSettings | None
    only: tuple[str, ...]
    schema_dirs: tuple[Path, ...]
    api_base: str | None
    environ: Mapping[str, str]
    confirm: Callable[[Prospect], bool]
    progress: Progress
    clock: Clock

    @property
    def origin(self) -> str:
        """The API's origin, which needs no token to know."""
        from runner.api.account import BASE_VARIABLE, DEFAULT_BASE, parse_base

        if self.simulate is not None:
            return SIMULATOR_BASE
        return parse_base(self.api_base or self.environ.get(BASE_VARIABLE) or DEFAULT_BASE)

    @property
    def on_this_machine(self) -> bool:
        """True where the API is the simulator or another server on loopback."""
        from runner.api.account import on_this_machine

        return self.simulate is not None or on_this_machine(self.origin)


def _unheard(_total: int, _done: int) -> AbstractContextManager[Listener]:
    return nullcontext(_Everyone(()))


class _Everyone:
    """Passes events on to several listeners."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def hear(self, event: Event) -> None:
        for listener in self._listeners:
            listener.hear(event)


def _planned(wishes: _Wishes) -> Plan:
    return check(wishes.manifest, schema_dirs=wishes.schema_dirs, allow_private_media=wishes.on_this_machine)


def _place(wishes: _Wishes, plan: Plan, run_dir: str | Path | None) -> RunDir:
    if run_dir is not None:
        return rundir.make(Path(run_dir))
    simulated = wishes.simulate is not None
    return rundir.make(rundir.default_run_dir(wishes.manifest, name=plan.manifest.name, simulated=simulated))


def _opened(wishes: _Wishes, plan: Plan, place: RunDir) -> StateFile:
    header = rundir.new_header(
        place,
        manifest=wishes.manifest,
        name=plan.manifest.name,
        simulated=wishes.simulate is not None,
        api_base=wishes.origin,
        now=wishes.clock.wall(),
        version=runner.__version__,
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
    for take in recorded:
        if _clip_is_gone(take, place):
            fact = FileGone("the file is not there any more, or not whole")
            state.record(take.take_id, fact, at=clock.wall()).result()
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
        if take.state in OUT_THERE or (take.take_id in wanted and take.state is not TakeState.DROPPED)
    ]


def _prospect(takes: Sequence[TakeRecord], comparison: Comparison, wishes: _Wishes) -> Prospect:
    return Prospect(
        submits=sum(1 for take in takes if _will_be_submitted(take)),
        takes=len(takes),
        finished=sum(1 for take in takes if _needs_nothing(take, wishes.options)),
        host=wishes.origin,
        simulated=wishes.simulate is not None,
        remarks=_remarks(comparison),
    )


def _will_be_submitted(take: TakeRecord) -> bool:
    return take.state is TakeState.PENDING and take.position is not None


def _needs_nothing(take: TakeRecord, options: EngineOptions) -> bool:
    if take.state is TakeState.SUCCEEDED:
        return not options.download or take.delivery is DeliveryState.DELIVERED
    return take.state is not TakeState.PENDING and take.state not in OUT_THERE


def _remarks(comparison: Comparison) -> tuple[str, ...]:
    remarks = [
        f"{take_id}: its row changed after it was submitted; the paid take is kept as it was"
        for take_id in comparison.changed
    ]
    remarks += [
        f"{take_id}: no longer in the manifest; what was paid for is kept" for take_id in comparison.removed
    ]
    return tuple(remarks)


def _work(
    wishes: _Wishes, place: RunDir, state: StateFile, takes: Sequence[TakeRecord]
) -> tuple[Ending, int | None]:
    """Let the engine do what is left; ask for neither token nor simulator when nothing is."""
    about = {take.take_id for take in takes}
    tickets = [ticket for ticket in state.tickets() if ticket.take_id in about]
    finished = sum(1 for take in takes if _needs_nothing(take, wishes.options))
    if finished == len(takes):
        return Ending(EndingKind.FINISHED), None
    with ExitStack() as stack:
        account = stack.enter_context(_account(wishes, place, takes))
        log = stack.enter_context(_log(place, wishes.clock))
        shown = stack.enter_context(wishes.progress(len(takes), finished))
        listener = _Everyone((shown, log))
        return asyncio.run(_engage(wishes, place, state, tickets, account, listener))


@contextmanager
def _account(wishes: _Wishes, place: RunDir, takes: Sequence[TakeRecord]) -> Iterator[Account]:
    """Yield whom to talk to: the account of the environment, or a simulator that runs as long as the run."""
    from runner.api.account import Account, find_account
    from runner.plan.fingerprint import canonical_json, fingerprint
    from runner.transport.secret import Secret

    if wishes.simulate is None:
        yield find_account(wishes.environ, base=wishes.api_base)
        return
    from runner.simulator.server import running

    home = place.simulator
    settings = replace(
        wishes.simulate,
        ledger=wishes.simulate.ledger or home / "ledger.jsonl",
        clips=wishes.simulate.clips or home / "clips",
    )
    names = {take.fingerprint: take.take_id for take in takes}

    def slate(model: str, body: Mapping[str, JsonValue]) -> str:
        return names.get(fingerprint(model, canonical_json(dict(body))), "")

    schema_dirs = search_path(wishes.manifest, wishes.schema_dirs)
    with running(settings, schema_dirs=schema_dirs, slates=slate) as simulator:
        yield Account(simulator.origin, Secret(simulator.token or "any"), source="the simulator")


@contextmanager
def _log(place: RunDir, clock: Clock) -> Iterator[Listener]:
    from runner.progress import make_progress

    with (
        place.log.open("a", encoding="utf-8") as stream,
        make_progress("json", stream=stream, total=0, done=0, clock=clock) as log,
    ):
        yield log


async def _engage(
    wishes: _Wishes,
    place: RunDir,
    state: StateFile,
    tickets: Sequence[Ticket],
    account: Account,
    listener: Listener,
) -> tuple[Ending, int | None]:
    """Put real adapters round the engine and run it."""
    from runner.api.client import RunComfyQueue
    from runner.delivery.fetch import ClipDelivery, FetchOptions
    from runner.engine.loop import Engine
    from runner.engine.ports import Said
    from runner.transport.selftest import hook_holds_bytes

    options = wishes.options
    queue = RunComfyQueue(
        account,
        clock=wishes.clock,
        calls=options.looks_at_once + options.fetches_at_once,
        hooked=await hook_holds_bytes(),
    )
    pool = ThreadPoolExecutor(options.fetches_at_once, thread_name_prefix="fetch")
    fetching = FetchOptions(run_dir=place.path, allow_loopback=wishes.on_this_machine)
    engine = Engine(
        tickets,
        queue=queue,
        journal=state,
        delivery=ClipDelivery(pool, fetching),
        clock=wishes.clock,
        listener=listener,
        options=options,
        epoch=state.epoch,
        durations=_recorded_durations(place),
    )
    interruption = Interruption(engine, say=lambda text: listener.hear(Said(text)))
    try:
        with heeding_signals(interruption):
            ending = await engine.run()
    finally:
        # A download that is still going must not keep a person waiting who asked to leave; its part file stays.
        pool.shutdown(wait=False, cancel_futures=True)
        await queue.aclose()
    return ending, interruption.signal


def _recorded_durations(place: RunDir) -> Durations:
    with open_reader(place.state_file) as reader:
        return Durations(reader.durations())


def _summary(
    place: RunDir, about: Collection[str], ending: Ending, signal: int | None, wishes: _Wishes
) -> RunSummary:
    with open_reader(place.state_file) as reader:
        header, takes = reader.header, reader.takes()
    from runner.reporting.write import write_report

    reports = write_report(place.path, header=header, takes=takes, now=wishes.clock.wall())
    mine = [take for take in takes if take.take_id in about]
    delivered = [take.file for take in mine if take.delivery is DeliveryState.DELIVERED and take.file]
    return RunSummary(
        run_dir=place.path,
        simulated=header.simulated,
        ending=ending,
        submitted=sum(take.attempts for take in mine),
        counts=Counter(take.state for take in mine),
        deliveries=Counter(take.delivery for take in mine if take.state is TakeState.SUCCEEDED),
        clips=tuple(place.path / file for file in delivered),
        held=tuple(take for take in mine if take.state in _WAITING),
        reports=reports,
        signal=signal,
    )


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
