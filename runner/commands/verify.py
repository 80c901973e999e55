"""What is wrong with the clips of a run: each is read again and compared with its record and its sidecar.

It needs no manifest and submits nothing. On request it records what is not whole, for the next run to fetch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum

from runner.commands.steps.find_run import read_takes
from runner.commands.steps.open_for_decision import Decided, OpenRecord, open_for_decision
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.domain import failpoints
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState, FileGone, TakeState
from runner.media.clips.clip_names import sidecar_name
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.restore_sidecars import clips_of, restore_sidecars
from runner.media.clips.sidecar import CLIPS, Sidecar, read_sidecar
from runner.store.run_dir import RunDir


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
    """One file that is not as it was delivered; `file` is relative to the run directory.

    `label` is the short name of its take.
    """

    take_id: str
    label: str
    file: str
    flaw: Flaw
    says: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found among `checked` delivered clips; `absent` counts rendered ones that were never downloaded."""

    checked: int
    findings: tuple[Finding, ...]
    absent: int = 0


def verify(place: RunDir) -> Verification:
    """Read every delivered clip, and compare it with its record and its sidecar; no lock. Raises as `find_flaws`."""
    takes = read_takes(place)
    delivered = [take for take in takes if take.delivery is DeliveryState.DELIVERED]
    absent = sum(1 for take in takes if wants_fetching(take))
    return Verification(len(delivered), find_flaws(place, delivered), absent)


def find_flaws(place: RunDir, takes: Sequence[TakeRecord]) -> tuple[Finding, ...]:
    """Read the delivered clips of these takes, and compare them with their records and their sidecars.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    with ExitStack() as stack:
        # Opened only where it is, for opening would make it.
        folder = stack.enter_context(clips_of(place.path)) if (place.path / CLIPS).exists() else None
        return tuple(
            Finding(take.take_id, take.label, f"{CLIPS}/{name}", flaw, says)
            for take in takes
            if take.delivery is DeliveryState.DELIVERED
            for name, flaw, says in _flaws(take, folder)
        )


def mark(place: RunDir, findings: Sequence[Finding], *, opening: OpenOptions = DEFAULT_OPTIONS) -> Decided:
    """Record that clips are gone or not whole, so that the next run fetches them again; returns their takes.

    Raises `RunInUse` while a runner works on this run.
    """
    with open_for_decision(place, opening) as record:
        return Decided(mark_flawed(place, record, findings), record.state.notes)


def wants_fetching(take: TakeRecord) -> bool:
    """Return whether a take was rendered and its clip is not here."""
    return take.state is TakeState.SUCCEEDED and take.delivery is not DeliveryState.DELIVERED


def mark_flawed(place: RunDir, record: OpenRecord, findings: Sequence[Finding]) -> tuple[str, ...]:
    """Record which clips are gone or not whole, and return their takes."""
    takes = record.reader.takes()
    here = {take.take_id: take for take in takes if take.delivery is DeliveryState.DELIVERED}
    flawed = {find.take_id: find for find in findings if find.flaw in CLIP_FLAWS and find.take_id in here}
    # First, because the fact takes the file's name out of the record.
    restore_sidecars(place.path, without_sidecar([here[take_id] for take_id in flawed], findings))
    record.write({take_id: FileGone(f"{find.file}: {find.says}") for take_id, find in flawed.items()})
    failpoints.hit("upkeep.marked")
    return tuple(flawed)


def without_sidecar(takes: Sequence[TakeRecord], findings: Sequence[Finding]) -> list[TakeRecord]:
    """Return the delivered takes whose sidecar is lost."""
    lost = {find.take_id for find in findings if find.flaw is Flaw.NO_SIDECAR}
    return [take for take in takes if take.take_id in lost and take.delivery is DeliveryState.DELIVERED]


def _flaws(take: TakeRecord, folder: Folder | None) -> Iterator[tuple[str, Flaw, str]]:
    clip, beside_it = (take.file or "").removeprefix(f"{CLIPS}/"), sidecar_name(take.present_stem)
    yield from _flaw(folder, clip, take.sha256, take.bytes)
    if folder is None:
        return
    try:
        data = folder.read(beside_it)
    except NameConflict:
        data = b""
    sidecar = read_sidecar(data, take=take.take_id, stem=take.present_stem)
    if data is None:
        further = len(take.outputs) - 1
        unknown = f", so nothing proves its {further} further outputs" if further > 0 else ""
        yield beside_it, Flaw.NO_SIDECAR, f"the file beside the clip is gone{unknown}"
    elif sidecar is None or not _agrees(sidecar, take):
        yield beside_it, Flaw.OTHER_SIDECAR, "it is not the one written for this clip"
    else:
        for other in sidecar.outputs:
            if other.index:
                yield from _flaw(folder, other.file, other.sha256, other.bytes)


def _flaw(
    folder: Folder | None, name: str, sha256: str | None, size: int | None
) -> Iterator[tuple[str, Flaw, str]]:
    found = folder.digest(name) if folder is not None else None
    if found is None:
        yield name, Flaw.MISSING, "the file is gone"
    elif size is not None and found[1] < size:
        yield name, Flaw.CUT, f"it has {found[1]} of {size} bytes"
    elif found != (sha256, size):
        yield name, Flaw.CHANGED, "its bytes are not those that were delivered"


def _agrees(sidecar: Sidecar, take: TakeRecord) -> bool:
    first = next((landed for landed in sidecar.outputs if landed.index == 0), None)
    told = None if first is None else (f"{CLIPS}/{first.file}", first.sha256, first.bytes)
    return sidecar.request_id == take.request_id and told == (take.file, take.sha256, take.bytes)
