"""Repairs the clips folder: it writes lost sidecars again, corrects older names, and finds missing outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.domain import failpoints
from runner.domain.display import iso
from runner.domain.errors import DiskFailed, UsageError
from runner.domain.records import Standing, TakeRecord
from runner.domain.states import DeliveryState
from runner.media.clips.clip_names import clip_name, extension_of, sidecar_name, stem_of
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.sidecar import CLIPS, DeliveredFile, Sidecar, about_job, read_sidecar, write_sidecar


def restore_sidecars(run_dir: Path, takes: Sequence[TakeRecord]) -> tuple[str, ...]:
    """Write the lost sidecars of delivered clips that are still there, and return their takes.

    The record proves the owner of the file. Without its sidecar an edited clip would look like a stranger's and block
    the paid one forever; with a sidecar it is moved aside.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    if not takes or not (run_dir / CLIPS).exists():
        return ()
    restored = []
    with clips_of(run_dir) as folder:
        for take in takes:
            file = _plain(take.file)
            if folder.is_file(file) and not folder.has(sidecar_name(take.present_stem)):
                write_sidecar(folder, recorded_sidecar(take), stem=take.present_stem)
                failpoints.hit("upkeep.restored")
                restored.append(take.take_id)
        folder.sync()
    return tuple(restored)


def recorded_sidecar(take: TakeRecord) -> Sidecar:
    """Return the sidecar of a delivered take as the record has it: with its first output alone."""
    landed = DeliveredFile(0, _plain(take.file), take.sha256 or "", take.bytes or 0)
    submitted, finished = iso(take.submitted_at), iso(take.finished_at)
    about = about_job(take, seed=take.seed, submitted_at=submitted, finished_at=finished)
    return Sidecar(take.take_id, take.request_id or "", (landed,), about)


def contested(takes: Iterable[str]) -> frozenset[str]:
    """Return the takes whose further outputs an older program named like the clip of another one of `takes`.

    It called the second output of `sc1` `sc1.2.mp4`, like the first output of the shot `sc1.2`. So one of the two
    blocked the other, or was moved aside for it.
    """
    known = frozenset(takes)
    return frozenset(owner for take in known if (owner := _owner_of(take)) in known)


def give_own_names(run_dir: Path, takes: Sequence[Standing]) -> None:
    """Move contested files to the takes that they belong to, proved by their hashes; may be interrupted.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    # An older program knew no other names than the takes' ids.
    known = {take.take_id: take for take in takes if not take.stem}
    owners = contested(known)
    if not owners or not (run_dir / CLIPS).exists():
        return
    with clips_of(run_dir) as folder:
        for owner in sorted(owners):
            sidecar = read_sidecar(folder.read(sidecar_name(owner)), take=owner)
            if sidecar is not None:
                outputs = tuple(_own(folder, owner, landed, known) for landed in sidecar.outputs)
                if outputs != sidecar.outputs:
                    write_sidecar(folder, replace(sidecar, outputs=outputs), stem=owner)
            folder.sync()
        for take in known.values():
            file = _plain(take.file)
            if _owner_of(take.take_id) in known and take.sha256 and not folder.has(file):
                _move_back(folder, take, file)


def _owner_of(take: str) -> str:
    """Return the take whose further output may have the name of this one's clip, or nothing."""
    owner, _, number = take.rpartition(".")
    return owner if number.isascii() and number.isdigit() else ""


def _own(folder: Folder, owner: str, landed: DeliveredFile, known: Mapping[str, Standing]) -> DeliveredFile:
    """Return an output under its own name, and move the file there if it is this output and not the other's clip."""
    other = known.get(stem_of(landed.file))
    if other is None or other.take_id == owner:
        return landed
    name = clip_name(owner, landed.index, extension_of(landed.file))
    if other.sha256 != landed.sha256 and folder.digest(landed.file) == (landed.sha256, landed.bytes):
        if not folder.has(name):
            folder.move(landed.file, name)
        elif folder.digest(name) == (landed.sha256, landed.bytes):
            folder.remove(landed.file)
        else:
            return landed
    return replace(landed, file=name)


def _move_back(folder: Folder, take: Standing, file: str) -> None:
    """Find a clip that was moved aside for the other's output, to a name like `sc1.changed.2.mp4`."""
    aside = f"{_owner_of(take.take_id)}.changed"
    for name in folder.names():
        if name.startswith(aside) and folder.holds(name, take.sha256 or ""):
            folder.move(name, file)
            return


def without_further_outputs(run_dir: Path, takes: Sequence[Standing]) -> tuple[Standing, ...]:
    """Return delivered takes with a further output, beside the recorded clip, that is gone or has another size.

    Their sidecars list the outputs; without a sidecar a take is not checked.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    several = [take for take in takes if take.delivery is DeliveryState.DELIVERED and len(take.outputs) > 1]
    if not several or not (run_dir / CLIPS).exists():
        return ()
    with clips_of(run_dir) as folder:
        return tuple(take for take in several if _lacks_output(folder, take))


def _lacks_output(folder: Folder, take: Standing) -> bool:
    try:
        data = folder.read(sidecar_name(take.present_stem))
        sidecar = read_sidecar(data, take=take.take_id, stem=take.present_stem)
    except NameConflict:
        return False
    if sidecar is None or sidecar.request_id != take.request_id:
        return False
    return any(folder.size(landed.file) != landed.bytes for landed in sidecar.outputs if landed.index)


def _plain(file: str | None) -> str:
    return (file or "").removeprefix(f"{CLIPS}/")


@contextmanager
def clips_of(run_dir: Path) -> Iterator[Folder]:
    """Open the folder of clips, and translate its failures."""
    try:
        with Folder(run_dir / CLIPS) as folder:
            yield folder
    except NameConflict as error:
        raise UsageError(str(error), advice=f"look at {run_dir / CLIPS}") from error
    except OSError as error:
        raise DiskFailed(f"{run_dir / CLIPS}: {error.strerror}") from error
