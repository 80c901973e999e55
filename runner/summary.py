"""What a run is about to do and what it did, in values: for the person who agrees, for a script, for the last lines.

In: records of the state file before and after. Out: a `Prospect` and a `RunSummary`. It knows no engine at work and
decides nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.engine.options import Ending, EndingKind, EngineOptions
from runner.errors import CannotCreate, DiskFailed
from runner.rundir import RunDir
from runner.states import OUT_THERE, DeliveryState, TakeState
from runner.store.read import open_reader
from runner.store.records import RunHeader, TakeRecord

if TYPE_CHECKING:
    from runner.plan.against import Comparison
    from runner.reporting.write import Reports

_WAITING = frozenset({TakeState.HELD, TakeState.SUBMITTING})
_UNFINISHED = OUT_THERE | {TakeState.PENDING}


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
    them, in the manifest's order; `signal` is the number of the one that stopped it; `remarks` are sentences about
    takes whose rows changed or left the manifest. `held` are all of the run's held takes; `reports` is None where
    they could not be written, which `remarks` then say.
    """

    run_dir: Path
    simulated: bool
    ending: Ending
    submitted: int
    counts: Mapping[TakeState, int]
    deliveries: Mapping[DeliveryState, int]
    clips: tuple[Path, ...]
    held: tuple[TakeRecord, ...]
    reports: Reports | None
    signal: int | None = None
    remarks: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 complete, 2 some failed, 3 stopped on purpose, 4 a person is needed, 69, 77, or 128 and a signal."""
        if self.signal is not None:
            return 128 + self.signal
        if self.ending.kind is EndingKind.ACCOUNT:
            return 77
        if self.ending.kind is EndingKind.OUTAGE:
            return 69
        if self.ending.kind in {EndingKind.DECLINED, EndingKind.HALTED}:
            return 3
        if self.held or self.ending.kind is EndingKind.UNKNOWNS:
            return 4
        if any(self.counts.get(state, 0) for state in _UNFINISHED):
            return 3
        lost = self.deliveries.get(DeliveryState.UNDELIVERABLE, 0)
        failed = self.counts.get(TakeState.FAILED, 0) + self.counts.get(TakeState.CANCELLED, 0)
        return 2 if failed or lost else 0


def foresee(
    takes: Sequence[TakeRecord], comparison: Comparison, *, options: EngineOptions, host: str, simulated: bool
) -> Prospect:
    """Return what a run over `takes` is about to do."""
    return Prospect(
        submits=sum(1 for take in takes if take.state is TakeState.PENDING),
        takes=len(takes),
        finished=sum(1 for take in takes if needs_nothing(take, options)),
        host=host,
        simulated=simulated,
        remarks=_remarks(comparison),
    )


def needs_nothing(take: TakeRecord, options: EngineOptions) -> bool:
    """Return whether a run has nothing left to do for a take by itself."""
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


def sum_up(
    place: RunDir, about: Sequence[TakeRecord], *, ending: Ending, signal: int | None, now: float
) -> RunSummary:
    """Write the reports and return how the run ended for the takes it was about, given as they stood before it."""
    with open_reader(place.state_file) as reader:
        header, takes = reader.header, reader.takes()
    reports, remarks = _reported(place, header, takes, now=now)
    ids = {take.take_id for take in about}
    mine = [take for take in takes if take.take_id in ids]
    delivered = [take.file for take in mine if take.delivery is DeliveryState.DELIVERED and take.file]
    return RunSummary(
        run_dir=place.path,
        simulated=header.simulated,
        ending=ending,
        submitted=_attempts(mine) - _attempts(about),
        counts=Counter(take.state for take in mine),
        deliveries=Counter(take.delivery for take in mine if take.state is TakeState.SUCCEEDED),
        clips=tuple(place.path / file for file in delivered),
        held=tuple(take for take in takes if take.state in _WAITING),
        reports=reports,
        signal=signal,
        remarks=remarks,
    )


def _reported(
    place: RunDir, header: RunHeader, takes: Sequence[TakeRecord], *, now: float
) -> tuple[Reports | None, tuple[str, ...]]:
    """Write the reports; a page that cannot be written, since a program holds it open, fails no finished run."""
    from runner.reporting.write import write_report

    try:
        return write_report(place.path, header=header, takes=takes, now=now), ()
    except (CannotCreate, DiskFailed) as error:
        return None, (f"the report could not be written: {error.message}",)


def _attempts(takes: Collection[TakeRecord]) -> int:
    return sum(take.attempts for take in takes)
