"""Keeping what a run has brought home: clips are read again and compared, and what is missing is fetched.

In: a run directory. Out: what is not as it was delivered, and a summary of what was brought home. Nothing here ever
submits: the engine is handed succeeded takes alone. The manifest is not needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from enum import StrEnum

from runner.commands.steps.open_for_decision import Decision, named, open_for_decision
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.recheck_failed import RecheckResult, recheck
from runner.commands.steps.session import RunRequest, run_engine
from runner.commands.steps.summary import RunSummary, sum_up
from runner.domain import failpoints
from runner.domain.errors import UsageError
from runner.domain.records import TakeRecord
from runner.domain.run_ending import EndingKind
from runner.domain.states import OUT_THERE, DeliveryState, FileGone, TakeState
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.names import sidecar_name
from runner.media.clips.restore_sidecars import clips_of, give_own_names, restore_sidecars
from runner.media.clips.sidecar import CLIPS, MOST_BYTES, Sidecar, read_sidecar
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir
from runner.store.state_file import StateFile
from runner.system.clock import Clock, SystemClock


class Flaw(StrEnum):
    """What can be wrong with a delivered clip."""

    MISSING = "missing"
    CUT = "cut"
    CHANGED = "changed"
    NO_SIDECAR = "no sidecar"
    OTHER_SIDECAR = "other sidecar"


CLIP_FLAWS = frozenset({Flaw.MISSING, Flaw.CUT, Flaw.CHANGED})
"""Flaws for which the clip is fetched again; the others leave it whole."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One file that is not as it was delivered; `file` is relative to the run directory."""

    take_id: str
    file: str
    flaw: Flaw
    says: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found among `checked` delivered clips; `absent` counts rendered ones that were never brought home."""

    checked: int
    findings: tuple[Finding, ...]
    absent: int = 0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a fetch was about and how it ended; `restored` are takes whose sidecar was written anew.

    `without_clip` counts the takes it was about that have no clip to fetch, by where they stand.
    """

    summary: RunSummary
    findings: tuple[Finding, ...]
    restored: tuple[str, ...]
    without_clip: Mapping[TakeState, int] = field(default_factory=dict)

    @property
    def untouched(self) -> tuple[Finding, ...]:
        """What stands where a sidecar of ours should be: it may be somebody's, so it is left to them."""
        return tuple(finding for finding in self.findings if finding.flaw is Flaw.OTHER_SIDECAR)

    @property
    def exit_code(self) -> int:
        """0 if every clip it was about is home, 2 if not; 69, 77, or 128 and a signal if it was cut short.

        4 while a take is held, and 3 while one is out there or not sent yet, as of a run.
        """
        short = self.summary.ending.kind is not EndingKind.FINISHED or self.summary.signal is not None
        if short and self.summary.exit_code >= 64:
            return self.summary.exit_code
        if self.without_clip.get(TakeState.HELD) or self.without_clip.get(TakeState.SUBMITTING):
            return 4
        if any(self.without_clip.get(state) for state in {TakeState.PENDING} | OUT_THERE):
            return 3
        if any(self.without_clip.get(state) for state in (TakeState.FAILED, TakeState.CANCELLED)):
            return 2
        deliveries = self.summary.deliveries
        return 0 if sum(deliveries.values()) == deliveries.get(DeliveryState.DELIVERED, 0) else 2


def verify(place: RunDir, take_ids: Sequence[str] = ()) -> Verification:
    """Read every delivered clip, or those of `take_ids`, and compare it with its record and its sidecar; no lock.

    Raises:
        UsageError: there is no such take, or the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    with open_reader(place.state_file) as reader:
        takes = _about(reader.takes(), take_ids)
    delivered = [take for take in takes if take.delivery is DeliveryState.DELIVERED]
    absent = sum(1 for take in takes if _wants_fetching(take))
    return Verification(len(delivered), tuple(_findings(place, delivered)), absent)


def mark(
    place: RunDir,
    findings: Sequence[Finding],
    *,
    clock: Clock | None = None,
    opening: OpenOptions = DEFAULT_OPTIONS,
) -> Decision:
    """Record that clips are gone or not whole, so that the next run fetches them again; returns their takes.

    Raises:
        RunInUse: a runner works on this run.
    """
    now = clock or SystemClock()
    with open_for_decision(place, now, opening) as state:
        return Decision(_mark(place, state, findings, now), state.notes)


def fetch(place: RunDir, take_ids: Sequence[str] = (), *, request: RunRequest) -> Fetched:
    """Bring home the clips of succeeded takes, all or those of `take_ids`, that are not here whole.

    Raises:
        UsageError: a named take has no clip to fetch, also after a second look where it was given up.
        RunInUse: a runner works on this run.
    """
    with open_for_decision(place, request.clock, request.opening) as state:
        with open_reader(place.state_file) as reader:
            give_own_names(place.path, reader.takes())
        findings = verify(place, take_ids).findings
        _mark(place, state, findings, request.clock)
        with open_reader(place.state_file) as reader:
            takes = _about(reader.takes(), take_ids)
        again = recheck(request, place, state, takes, insist=bool(take_ids))
        if again.found or again.disowned:
            with open_reader(place.state_file) as reader:
                takes = _about(reader.takes(), take_ids)
        _refuse_without_clip(takes if take_ids else (), again)
        restored = restore_sidecars(place.path, _without_sidecar(takes, findings))
        wanted = [take for take in takes if _wants_fetching(take)]
        ending, signal = run_engine(request, place, state, wanted)
        failpoints.hit("upkeep.fetched")
        notes = () if wanted else state.notes
    summary = sum_up(place, wanted, ending=ending, signal=signal, now=request.clock.wall())
    remarks = (*notes, *again.remarks, *summary.remarks)
    # Dropped ones were given up, and what was never sent and left the manifest will not be.
    others: Counter[TakeState] = Counter(
        take.state
        for take in takes
        if take.state not in {TakeState.SUCCEEDED, TakeState.DROPPED}
        and not (take.state is TakeState.PENDING and take.position is None)
    )
    return Fetched(replace(summary, remarks=remarks), findings, restored, others)


def _about(takes: Sequence[TakeRecord], take_ids: Sequence[str]) -> Sequence[TakeRecord]:
    return named(takes, take_ids) if take_ids else takes


def _wants_fetching(take: TakeRecord) -> bool:
    return take.state is TakeState.SUCCEEDED and take.delivery is not DeliveryState.DELIVERED


def _refuse_without_clip(takes: Sequence[TakeRecord], again: RecheckResult) -> None:
    any_clip = any(take.state is TakeState.SUCCEEDED for take in takes)
    for take in takes:
        # A choice may hold some that were given up: they were asked about, and the others are fetched.
        if take.state is not TakeState.SUCCEEDED and not (any_clip and take.take_id in again.lost):
            said = again.lost.get(take.take_id)
            more = f", and asked again the API says: {said}" if said else ""
            raise UsageError(f"take {take.take_id} has no clip to fetch: it is {take.state}{more}")


def _mark(place: RunDir, state: StateFile, findings: Sequence[Finding], clock: Clock) -> tuple[str, ...]:
    with open_reader(place.state_file) as reader:
        here = {take.take_id: take for take in reader.takes() if take.delivery is DeliveryState.DELIVERED}
    flawed = {find.take_id: find for find in findings if find.flaw in CLIP_FLAWS and find.take_id in here}
    # First, because the fact takes the file's name out of the record.
    restore_sidecars(place.path, _without_sidecar([here[take_id] for take_id in flawed], findings))
    for recorded in [
        state.record(take_id, FileGone(f"{find.file}: {find.says}"), at=clock.wall())
        for take_id, find in flawed.items()
    ]:
        recorded.result()
        failpoints.hit("upkeep.marked")
    return tuple(flawed)


def _findings(place: RunDir, takes: Sequence[TakeRecord]) -> Iterator[Finding]:
    with ExitStack() as stack:
        # Opened only where it is, for opening would make it.
        folder = stack.enter_context(clips_of(place.path)) if (place.path / CLIPS).exists() else None
        for take in takes:
            yield from _of_take(take, folder)


def _of_take(take: TakeRecord, folder: Folder | None) -> Iterator[Finding]:
    file = take.file or ""
    flaw = _flaw(folder, file.removeprefix(f"{CLIPS}/"), take.sha256, take.bytes)
    if flaw:
        yield Finding(take.take_id, file, *flaw)
    if folder is None:
        return
    name = sidecar_name(take.take_id)
    sidecar = _sidecar(folder, take)
    if sidecar is None:
        further = len(take.outputs) - 1
        unknown = f", so nothing proves its {further} further outputs" if further > 0 else ""
        says = f"the file beside the clip is gone{unknown}"
        yield Finding(take.take_id, f"{CLIPS}/{name}", Flaw.NO_SIDECAR, says)
    elif not isinstance(sidecar, Sidecar) or not _agrees(sidecar, take):
        yield Finding(
            take.take_id, f"{CLIPS}/{name}", Flaw.OTHER_SIDECAR, "it is not the one written for this clip"
        )
    else:
        for other in sidecar.outputs:
            flaw = _flaw(folder, other.file, other.sha256, other.bytes) if other.index else None
            if flaw:
                yield Finding(take.take_id, f"{CLIPS}/{other.file}", *flaw)


def _flaw(folder: Folder | None, name: str, sha256: str | None, size: int | None) -> tuple[Flaw, str] | None:
    found = folder.digest(name) if folder is not None else None
    if found is None:
        return Flaw.MISSING, "the file is gone"
    if found == (sha256, size):
        return None
    if size is not None and found[1] < size:
        return Flaw.CUT, f"it has {found[1]} of {size} bytes"
    return Flaw.CHANGED, "its bytes are not those that were delivered"


def _sidecar(folder: Folder, take: TakeRecord) -> Sidecar | NameConflict | None:
    """Return a take's sidecar, None if there is none, or what stands in its place."""
    name = sidecar_name(take.take_id)
    try:
        data = folder.read(name, limit=MOST_BYTES)
    except NameConflict as error:
        return error
    if data is None:
        return None
    return read_sidecar(data, take=take.take_id) or NameConflict(f"{name} is not a file of ours")


def _agrees(sidecar: Sidecar, take: TakeRecord) -> bool:
    first = next((landed for landed in sidecar.outputs if landed.index == 0), None)
    told = None if first is None else (f"{CLIPS}/{first.file}", first.sha256, first.bytes)
    return sidecar.request_id == take.request_id and told == (take.file, take.sha256, take.bytes)


def _without_sidecar(takes: Sequence[TakeRecord], findings: Sequence[Finding]) -> list[TakeRecord]:
    lost = {find.take_id for find in findings if find.flaw is Flaw.NO_SIDECAR}
    return [take for take in takes if take.take_id in lost and take.delivery is DeliveryState.DELIVERED]
