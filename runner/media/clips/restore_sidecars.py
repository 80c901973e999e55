"""Repairs the clips folder: it opens the folder, writes lost sidecars again, and finds missing outputs.

In: a run directory, takes as recorded. Out: the open folder; sidecars; each file under its own take's name; takes that
lack an output. It reads no state file and knows no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from runner.domain import failpoints
from runner.domain.display import iso
from runner.domain.errors import DiskFailed, UsageError
from runner.domain.records import TakeRecord
from runner.domain.states import DeliveryState
from runner.media.clips import older_names
from runner.media.clips.folder import Folder, NameConflict
from runner.media.clips.names import sidecar_name
from runner.media.clips.older_names import Known, contested
from runner.media.clips.part_file import write_whole
from runner.media.clips.sidecar import CLIPS, MOST_BYTES, DeliveredFile, Sidecar, read_sidecar
from runner.system.canonical_json import JsonValue


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
    with clips_of(run_dir) as folder:
        return tuple(_restored(folder, takes))


def _restored(folder: Folder, takes: Sequence[TakeRecord]) -> Iterator[str]:
    for take in takes:
        file = _plain(take.file)
        if not folder.is_file(file) or folder.has(sidecar_name(take.take_id)):
            continue
        landed = DeliveredFile(0, file, take.sha256 or "", take.bytes or 0)
        sidecar = Sidecar(take.take_id, take.request_id or "", (landed,), _about_job(take))
        write_whole(folder, sidecar_name(take.take_id), sidecar.to_bytes())
        failpoints.hit("upkeep.restored")
        yield take.take_id
    folder.sync()


def give_own_names(run_dir: Path, takes: Sequence[TakeRecord]) -> None:
    """Rename further outputs to which an older program gave the names of other takes.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    if not contested(take.take_id for take in takes) or not (run_dir / CLIPS).exists():
        return
    with clips_of(run_dir) as folder:
        older_names.give_own_names(
            folder, [Known(take.take_id, _plain(take.file), take.sha256 or "") for take in takes]
        )


def without_further_outputs(run_dir: Path, takes: Sequence[TakeRecord]) -> tuple[TakeRecord, ...]:
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


def _lacks_output(folder: Folder, take: TakeRecord) -> bool:
    try:
        data = folder.read(sidecar_name(take.take_id), limit=MOST_BYTES)
    except NameConflict:
        return False
    sidecar = None if data is None else read_sidecar(data, take=take.take_id)
    if sidecar is None or sidecar.request_id != take.request_id:
        return False
    return any(folder.size(landed.file) != landed.bytes for landed in sidecar.outputs if landed.index)


def _plain(file: str | None) -> str:
    return (file or "").removeprefix(f"{CLIPS}/")


@contextmanager
def clips_of(run_dir: Path) -> Iterator[Folder]:
    """Open the folder of clips, and turn its failures into our own errors."""
    try:
        with Folder(run_dir / CLIPS) as folder:
            yield folder
    except NameConflict as error:
        raise UsageError(str(error), advice=f"look at {run_dir / CLIPS}") from error
    except OSError as error:
        raise DiskFailed(f"{run_dir / CLIPS}: {error.strerror}") from error


def _about_job(take: TakeRecord) -> Mapping[str, JsonValue]:
    about: dict[str, JsonValue] = {
        "model": take.model,
        "inputs": json.loads(take.body),
        "seed": take.seed,
        "fingerprint": take.fingerprint,
        "cost": take.cost,
        "submitted_at": iso(take.submitted_at),
        "finished_at": iso(take.finished_at),
    }
    return {name: value for name, value in about.items() if value not in (None, "")}
