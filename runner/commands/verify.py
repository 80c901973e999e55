"""What is wrong with the clips of a run: each is read again and compared with its record and its sidecar.

Clips in a store are compared by a listing, unless each is to be read. It needs no manifest and submits nothing. On
request it records what is not whole, for the next run to fetch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runner.commands.steps.clip_files import AT_ONCE, StoredClips, stored_clips
from runner.commands.steps.find_run import read_header, read_takes
from runner.commands.steps.open_for_decision import Decided, OpenRecord, open_for_decision
from runner.commands.steps.open_run import DEFAULT_OPTIONS, OpenOptions
from runner.commands.steps.restore_stored import missing_outputs, restore_sidecars_of, sidecar_path
from runner.domain import failpoints
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState, FileGone, TakeState
from runner.media.clips.clip_names import sidecar_name
from runner.media.clips.folder import NameConflict
from runner.media.clips.restore_sidecars import clips_of
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
    """What was found among `checked` delivered clips; `absent` counts rendered ones that were never downloaded.

    `out` is the address of the store that the clips are in, empty if they are here. `read` says that each was read.
    """

    checked: int
    findings: tuple[Finding, ...]
    absent: int = 0
    out: str = ""
    read: bool = True


def verify(place: RunDir, *, deep: bool = False) -> Verification:
    """Compare every delivered clip with its record and its sidecar; no lock. Parameters and errors of `find_flaws`."""
    takes = read_takes(place)
    delivered = [take for take in takes if take.delivery is DeliveryState.DELIVERED]
    absent = sum(1 for take in takes if wants_fetching(take))
    findings, out = find_flaws(place, delivered, deep=deep), read_header(place).out
    return Verification(len(delivered), findings, absent, out, read=deep or not out)


def find_flaws(place: RunDir, takes: Sequence[TakeRecord], *, deep: bool = False) -> tuple[Finding, ...]:
    """Read the delivered clips of these takes, and compare them with their records and their sidecars.

    Of clips in a store a listing is compared: names and sizes. With `deep` each of them is read.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
        StoreAway, StoreRefused: the store cannot be read.
    """
    if stored := stored_clips(place):
        return _flaws_in_store(stored, takes, deep=deep)
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
    restore_sidecars_of(place, without_sidecar([here[take_id] for take_id in flawed], findings))
    record.write({take_id: FileGone(f"{find.file}: {find.says}") for take_id, find in flawed.items()})
    failpoints.hit("upkeep.marked")
    return tuple(flawed)


def without_sidecar(takes: Sequence[TakeRecord], findings: Sequence[Finding]) -> list[TakeRecord]:
    """Return the delivered takes whose sidecar is lost."""
    lost = {find.take_id for find in findings if find.flaw is Flaw.NO_SIDECAR}
    return [take for take in takes if take.take_id in lost and take.delivery is DeliveryState.DELIVERED]


def _flaws_in_store(stored: StoredClips, takes: Sequence[TakeRecord], *, deep: bool) -> tuple[Finding, ...]:
    delivered = [take for take in takes if take.delivery is DeliveryState.DELIVERED]
    folder = _StoreFolder(stored)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = (
            list(pool.map(lambda take: list(_flaws(take, folder)), delivered))
            if deep
            else [list(_listed_flaws(take, stored)) for take in delivered]
        )
    return tuple(
        Finding(take.take_id, take.label, f"{CLIPS}/{name}", flaw, says)
        for take, flaws in zip(delivered, found, strict=True)
        for name, flaw, says in flaws
    )


class _Clips(Protocol):
    """A folder of clips that can be read."""

    def digest(self, name: str) -> tuple[str, int] | None: ...
    def read(self, name: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class _StoreFolder:
    """The folder of clips in a store, read as the one on a disk is."""

    stored: StoredClips

    def digest(self, name: str) -> tuple[str, int] | None:
        return self.stored.digest(f"{CLIPS}/{name}")

    def read(self, name: str) -> bytes | None:
        return self.stored.read(f"{CLIPS}/{name}")


def _listed_flaws(take: TakeRecord, stored: StoredClips) -> Iterator[tuple[str, Flaw, str]]:
    """Yield what a listing shows to be wrong with a take's files, by their names in the folder of clips."""
    size = stored.sizes.get(take.file or "")
    found = None if size is None else (take.sha256 or "", size)
    yield from _compared(found, (take.file or "").removeprefix(f"{CLIPS}/"), take.sha256, take.bytes)
    if sidecar_path(take) not in stored.sizes:
        yield _lost_sidecar(take)
    for other in missing_outputs(stored, take):
        yield other, Flaw.MISSING, "the file is gone, or has another size"


def _lost_sidecar(take: TakeRecord) -> tuple[str, Flaw, str]:
    further = len(take.outputs) - 1
    unknown = f", so nothing proves its {further} further outputs" if further > 0 else ""
    return sidecar_name(take.present_stem), Flaw.NO_SIDECAR, f"the file beside the clip is gone{unknown}"


def _flaws(take: TakeRecord, folder: _Clips | None) -> Iterator[tuple[str, Flaw, str]]:
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
        yield _lost_sidecar(take)
    elif sidecar is None or not _agrees(sidecar, take):
        yield beside_it, Flaw.OTHER_SIDECAR, "it is not the one written for this clip"
    else:
        for other in sidecar.outputs:
            if other.index:
                yield from _flaw(folder, other.file, other.sha256, other.bytes)


def _flaw(
    folder: _Clips | None, name: str, sha256: str | None, size: int | None
) -> Iterator[tuple[str, Flaw, str]]:
    yield from _compared(folder.digest(name) if folder is not None else None, name, sha256, size)


def _compared(
    found: tuple[str, int] | None, name: str, sha256: str | None, size: int | None
) -> Iterator[tuple[str, Flaw, str]]:
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
