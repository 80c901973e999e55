"""Puts into a run's record what its witnesses know and it does not: the way forward after a lost or an older file.

In: a run, by its directory or its manifest. Out: the record made whole, and what became of each submission. Nothing is
ever sent, and nothing is thrown away: a file that cannot be used is set aside.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from itertools import count
from pathlib import Path

from runner.api.account import named_base, on_this_machine
from runner.api.json_fields import cost
from runner.commands.check import check
from runner.commands.steps.find_run import manifest_of, read_takes, recorded_shard
from runner.commands.steps.known_jobs import known_outside, sidecars_of, trace_in
from runner.commands.steps.open_run import OpenOptions, new_header, open_recorded
from runner.commands.steps.request import SIMULATOR_BASE
from runner.commands.steps.sync_record import sync
from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate, FileMissing, RecordDamaged
from runner.domain.records import RunHeader, TakeRecord
from runner.domain.shards import Shard
from runner.domain.shots import Plan
from runner.domain.states import ACTIVE, Delivered, Ended, FetchStarted, TakeState
from runner.manifest.reader import manifest_name
from runner.media.clips.restore_sidecars import clips_of
from runner.media.clips.sidecar import CLIPS, Sidecar
from runner.plan.compare import compare
from runner.plan.shard_takes import of_shard
from runner.store.lock import LOCK, OWNER
from runner.store.marker import MARKER, read_marker, went_to
from runner.store.reader import open_reader
from runner.store.run_dir import RunDir, default_run_dir
from runner.store.state_file import StateFile
from runner.store.witness import Sent, Testimony, of_run
from runner.system.clock import Clock
from runner.system.escapes import shell_word


@dataclass(frozen=True, slots=True)
class Target:
    """The run that is meant, and how its manifest is read; `manifest` is None where only its directory was named.

    `api_base` is where its jobs live if nothing else says it.
    """

    place: RunDir
    manifest: Path | None
    simulated: bool
    api_base: str
    schema_dirs: tuple[Path, ...]
    shard: Shard | None = None


def find_target(
    named: Path,
    *,
    run_dir: Path | None,
    simulated: bool,
    api_base: str | None,
    schema_dirs: Sequence[Path],
    shard: Shard | None = None,
) -> Target:
    """Return which run is meant by its manifest or by its directory, which may be gone.

    Raises:
        UsageError: the API's address is not usable.
        FileMissing, ManifestInvalid: the manifest cannot be read.
    """
    base = SIMULATOR_BASE if simulated else named_base(api_base, os.environ)
    manifest = named if named.is_file() else None
    home = run_dir or named
    if manifest and run_dir is None:
        home = default_run_dir(manifest, name=manifest_name(manifest), simulated=simulated, shard=shard)
    return Target(RunDir(home), manifest, simulated, base, tuple(schema_dirs), shard)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What became of the submissions that the record did not know, each with its take and where that stands.

    `left` belong to no take; `delivered` are takes whose clips were found, `untold` those that are held since no
    witness speaks for them. `brought_back` is where the folder had been moved to, `aside` what could not be used.
    """

    place: RunDir
    header: RunHeader
    entered: tuple[tuple[Sent, str, TakeState], ...] = ()
    left: tuple[Sent, ...] = ()
    delivered: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    brought_back: Path | None = None
    aside: tuple[Path, ...] = ()

    @property
    def held(self) -> tuple[str, ...]:
        """The takes that a person must decide about now."""
        return (*(take for _, take, state in self.entered if state is TakeState.HELD), *self.untold)


def foresee(target: Target, *, opening: OpenOptions) -> Rebuilt:
    """Return what `rebuild` would do, and change nothing.

    Raises:
        FileMissing: there is no record and no manifest to make one from, or nothing else that a run left.
        StateFileUnusable: the record can neither be used nor be made again.
    """
    place, told = target.place, _told(target.place, opening)
    lacking, recorded, header = list(told.paid), list[TakeRecord](), told.header
    try:
        with open_reader(place.state_file) as reader:
            lacking, recorded, header = reader.unrecorded(lacking), reader.takes(), reader.header
    except (FileMissing, RecordDamaged):
        # Then it is made again from what the witness and the manifest say.
        if told.header is None and target.manifest is None:
            raise
    plan = _plan(target, header)
    takes, waiting = _known(recorded)
    planned = {take.id: take.fingerprint for take in plan.takes} if plan else {}
    waiting |= planned.keys() - takes.keys()
    chosen, left = assigned(lacking, takes | planned, waiting=waiting)
    entered = [(sent, take, TakeState.QUEUED if sent.request_id else TakeState.HELD) for sent, take in chosen]
    header = header or _header(target, told, now=0.0)
    return Rebuilt(place, header, tuple(entered), tuple(left), brought_back=_moved_to(place))


def rebuild(target: Target, *, opening: OpenOptions) -> Rebuilt:
    """Bring the record back, and enter what it lacks.

    Raises:
        FileMissing: there is no record and no manifest to make one from, or nothing else that a run left.
        RunInUse: a runner works on this run.
        StateFileUnusable: the record can neither be used nor be made again.
        DiskFailed: the disk fails; what was entered is recorded.
    """
    place, clock, moved = target.place, opening.clock, _moved_to(target.place)
    if moved is not None:
        _bring_back(moved, place)
    with opening.locked(place):
        told = _told(place, opening)
        state, aside, held = _opened(target, told, opening)
        with state:
            state.begin(at=clock.wall())
            with open_reader(place.state_file) as reader:
                lacking = reader.unrecorded(told.paid)
                takes: Sequence[TakeRecord] = reader.takes()
            if plan := _plan(target, state.header):
                takes = _fitted(state, plan, takes, lacking, clock)
            fingerprints, waiting = _known(takes)
            chosen, left = assigned(lacking, fingerprints, waiting=waiting)
            # A sidecar, which does not say when its job was sent, knows more than the witness: so other takes may have
            # been sent too.
            is_doubtful = any(each.at == 0 and not told.has_left(each) for each in lacking)
            waits = [take for take in takes if take.state is TakeState.PENDING] if is_doubtful else []
            untold = _untold(((t.take_id, t.model, t.fingerprint) for t in waits), chosen)
            # In one transaction: after a kill in between, what is held would look as if it had never been sent.
            stands = state.enter([*chosen, *((sent, sent.take) for sent in untold)], at=clock.wall())
            settled = list(zip(chosen, stands, strict=False))
            entered = tuple((*each, where) for each, where in settled if where is not None)
            left += [sent for (sent, _), where in settled if where is None]
            delivered = tuple(_deliver(state, place, clock))
            state.leave_aside([each for each in left if not told.has_left(each)])
            header = state.header
    held += tuple(sent.take for sent in untold)
    return Rebuilt(place, header, entered, tuple(left), delivered, held, moved, tuple(aside))


def assigned(
    lacking: Collection[Sent], takes: Mapping[str, str], *, waiting: Collection[str]
) -> tuple[list[tuple[Sent, str]], list[Sent]]:
    """Return each submission with its take, the oldest first, and those that belong to none of `takes`.

    `takes` are fingerprints by id, `waiting` those of them that a run would send. The id alone decides only where the
    witness knew no fingerprint: what another body was sent for is another clip. Of several takes with one body one that
    waits gets it, since each would be paid for the same clip.
    """
    ids: dict[str, list[str]] = {}
    for take, fingerprint in takes.items():
        ids.setdefault(fingerprint, []).append(take)
    given = {each.take for each in lacking if _fits(each, takes.get(each.take))}
    found, left = list[tuple[Sent, str]](), list[Sent]()
    for sent in sorted(lacking, key=lambda sent: sent.at):
        alike = ids.get(sent.fingerprint, [])
        free = [take for take in alike if take in waiting and take not in given]
        named = [sent.take] if _fits(sent, takes.get(sent.take)) else []
        fitting = named or free or (alike if len(alike) == 1 else [])
        if fitting:
            found.append((sent, fitting[0]))
            given.add(fitting[0])
        else:
            left.append(sent)
    return found, left


def _fits(sent: Sent, fingerprint: str | None) -> bool:
    return fingerprint is not None and sent.fingerprint in {"", fingerprint}


def _known(takes: Sequence[TakeRecord]) -> tuple[dict[str, str], set[str]]:
    """Return the fingerprints of all takes, and the ids of those that wait."""
    waiting = {take.take_id for take in takes if take.state is TakeState.PENDING}
    return {take.take_id: take.fingerprint for take in takes}, waiting


def _told(place: RunDir, opening: OpenOptions) -> Testimony:
    """Return what all witnesses know together; those of another run than the folder's do not count."""
    run_id = read_marker(place.state_file) or ""
    told = of_run(known_outside(place, opening.environ, whole=True), run_id)
    return _each_once(reduce(Testimony.joined, told, Testimony()))


def _each_once(told: Testimony) -> Testimony:
    """Return a testimony that names no submission twice: two witnesses know the same, and one of them perhaps more."""
    best: dict[str, Sent] = {}
    with_id = {each.request_id for each in told.sent if each.attempt and each.request_id}
    for each in told.sent:
        if not each.attempt and each.request_id in with_id:
            continue
        key = each.attempt or each.request_id
        known = best.setdefault(key, each)
        if each.request_id and not known.request_id:
            best[key] = replace(each, fingerprint=each.fingerprint or known.fingerprint)
        elif each.is_free and not known.request_id:
            best[key] = each
    return replace(told, sent=tuple(best.values()))


def _moved_to(place: RunDir) -> Path | None:
    """Return the folder that the whole run was moved to, if the marker says so and the run is still there."""
    if os.path.lexists(place.state_file):
        return None
    went = went_to(place.state_file)
    if went is None or went.name != place.state_file.name:
        return None
    return went.parent if read_marker(went) == read_marker(place.state_file) else None


def _bring_back(moved: Path, place: RunDir) -> None:
    """Give a folder its old name again, unless something else than what the run left there has it."""
    advice = f"go on there with --run-dir {shell_word(str(moved))}"
    try:
        there = list(place.path.iterdir())
        # A command that was refused here and killed leaves the owner's name beside the lock.
        others = [each.name for each in there if each.name not in {MARKER, LOCK, OWNER}]
        if others:
            raise CannotCreate(
                f"{place.path}: the run is in {moved}, and {others[0]} stands in the way here",
                advice=f"move it away, or {advice}",
            )
        for each in there:
            each.unlink()
        place.path.rmdir()
        moved.rename(place.path)
    except OSError as error:
        raise file_error(error, moved, f"cannot be moved back to {place.path}", advice=advice) from error


def _opened(
    target: Target, told: Testimony, opening: OpenOptions
) -> tuple[StateFile, list[Path], tuple[str, ...]]:
    """Return the state file, what was set aside for it, and the takes that a new one holds: no witness knows them."""
    place = target.place
    if os.path.lexists(place.state_file):
        try:
            return open_recorded(place, opening, restoring=True), [], ()
        except RecordDamaged:
            # Without a witness or a manifest, the file that is there is the best there is.
            if told.header is None or _plan(target, told.header) is None:
                raise
    elif not trace_in(place) and not told.sent:
        raise FileMissing(
            f"{place.path}: there is no run here, and no file elsewhere knows of one",
            advice="name the run's folder or its manifest",
        )
    header = _header(target, told, now=opening.clock.wall())
    plan = _plan(target, header) if told.header is None else None
    takes = plan.takes if plan else ()
    planned = {take.id: take.fingerprint for take in takes}
    chosen, _ = assigned(list(told.paid), planned, waiting=planned)
    untold = _untold(((take.id, take.model, take.fingerprint) for take in takes), chosen)
    aside = list(_set_aside(place))
    options, now = opening.at(place), header.created_at
    state = StateFile.create(place.state_file, header, options, plan=plan, doubtful=untold, at=now)
    return state, aside, tuple(sent.take for sent in untold)


def _set_aside(place: RunDir) -> Iterator[Path]:
    """Give what cannot be used other names: a log that is left would be read into the new file."""
    for end in ("", "-wal", "-shm", "-journal"):
        old = place.state_file.with_name(f"{place.state_file.name}{end}")
        if os.path.lexists(old):
            names = (old.with_name(f"{old.name}.aside-{number}") for number in count(1))
            try:
                yield old.rename(next(name for name in names if not os.path.lexists(name)))
            except OSError as error:
                raise file_error(error, old, "cannot be set aside") from error


def _header(target: Target, told: Testimony, *, now: float) -> RunHeader:
    """Return the header for a new record: the one that a witness kept, else one by the manifest."""
    if told.header is not None:
        return told.header
    plan = _plan(target, None)
    if plan is None or target.manifest is None:
        raise FileMissing(
            f"{target.place.path}: no file says which manifest made this run",
            advice="name its manifest: shotrunner restore MANIFEST",
        )
    place, name = target.place, plan.manifest.name
    made = new_header(
        place,
        target.manifest,
        name=name,
        simulated=target.simulated,
        api_base=target.api_base,
        now=now,
        shard=target.shard,
    )
    return replace(made, run_id=read_marker(place.state_file) or made.run_id)


def _plan(target: Target, header: RunHeader | None) -> Plan | None:
    """Return what the manifest asks for, the one that was named or that of the run; None if there is none."""
    manifest = target.manifest or (manifest_of(target.place, header) if header else None)
    if manifest is None or not manifest.is_file():
        return None
    run = header or target
    local = run.simulated or on_this_machine(run.api_base)
    plan = check(manifest, schema_dirs=target.schema_dirs, allow_private_media=local)
    return of_shard(plan, recorded_shard(header) if header else target.shard)


def _fitted(
    state: StateFile, plan: Plan, recorded: Sequence[TakeRecord], lacking: Sequence[Sent], clock: Clock
) -> Sequence[TakeRecord]:
    """Make the record fit the manifest as a run does, with room for renders that witnesses know of."""
    place = RunDir(state.path.parent)
    sync(state, plan, recorded, compare(plan.takes, recorded), clock=clock)
    takes = read_takes(place, checked=True)
    known, sent = {take.take_id: take.fingerprint for take in takes}, {each.fingerprint for each in lacking}
    again = [
        take.id for take in plan.takes if take.fingerprint in sent and known[take.id] != take.fingerprint
    ]
    if again:
        sync(state, plan, takes, compare(plan.takes, takes, replace=again), clock=clock)
    return read_takes(place, checked=True) if again else takes


def _untold(takes: Iterable[tuple[str, str, str]], chosen: Sequence[tuple[Sent, str]]) -> list[Sent]:
    """Return a submission for each take (id, model, fingerprint) that is not in `chosen`.

    What is not proved unsent is held.
    """
    known = {take_id for _, take_id in chosen}
    return [
        Sent(f"restore-{uuid.uuid4().hex}", take_id, model, fingerprint)
        for take_id, model, fingerprint in takes
        if take_id not in known
    ]


def _deliver(state: StateFile, place: RunDir, clock: Clock) -> Iterator[str]:
    """Record the clips of entered jobs that are here, by their sidecars and their bytes."""
    waiting = {take.request_id: take.take_id for take in read_takes(place) if take.state in ACTIVE}
    found = [each for each in sidecars_of(place) if each.request_id in waiting]
    if not found:
        return
    with clips_of(place.path) as folder:
        for sidecar in found:
            first = next((landed for landed in sidecar.outputs if landed.index == 0), None)
            if first is None or folder.digest(first.file) != (first.sha256, first.bytes):
                continue
            links = tuple(landed.url for landed in sidecar.outputs if landed.url)
            told, price = sidecar.to_bytes().decode("ascii"), cost(dict(sidecar.about))
            take_id = waiting[sidecar.request_id]
            for fact in (
                Ended(TakeState.SUCCEEDED, told, links, cost=price, seconds=_seconds(sidecar)),
                FetchStarted(first.url),
                Delivered(f"{CLIPS}/{first.file}", first.sha256, first.bytes),
            ):
                state.record(take_id, fact, at=clock.wall()).result()
            yield take_id


def _seconds(sidecar: Sidecar) -> float | None:
    """Return how long a job took by its sidecar: up to now would be far too long, and such jobs were looked at late."""
    with suppress(ValueError, TypeError):
        began, ended = (
            datetime.fromisoformat(str(sidecar.about.get(name))) for name in ("submitted_at", "finished_at")
        )
        return max(0.0, (ended - began).total_seconds())
    return None
