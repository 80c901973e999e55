"""The clips' folder from above: opened with its troubles in our words, and lost sidecars written anew from the record.

In: a run directory, takes as recorded. Out: the open folder; sidecars. It reads no state file and knows no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from runner import failpoints
from runner.delivery.fetch import CLIPS
from runner.delivery.files import write_whole
from runner.delivery.folder import Folder, InTheWay
from runner.delivery.sidecar import Landed, Sidecar
from runner.errors import DiskFailed, UsageError
from runner.rundir import RunDir
from runner.shots import JsonValue
from runner.store.records import TakeRecord
from runner.wording import iso


def restore_sidecars(place: RunDir, takes: Sequence[TakeRecord]) -> tuple[str, ...]:
    """Write the lost sidecars of delivered clips that are still there, and return their takes.

    The record proves whose the file of that name is. An edited clip whose sidecar is gone would else look like a
    stranger's: it would stand in the way of the paid one for ever, where with a sidecar it is moved aside.

    Raises:
        UsageError: the clips' folder is a link or a file.
        DiskFailed: the disk fails.
    """
    if not takes or not (place.path / CLIPS).exists():
        return ()
    with clips_of(place) as folder:
        return tuple(_restored(folder, takes))


def _restored(folder: Folder, takes: Sequence[TakeRecord]) -> Iterator[str]:
    for take in takes:
        file = (take.file or "").removeprefix(f"{CLIPS}/")
        if not folder.is_file(file) or folder.has(f"{take.take_id}.json"):
            continue
        landed = Landed(0, file, take.sha256 or "", take.bytes or 0)
        sidecar = Sidecar(take.take_id, take.request_id or "", (landed,), _about_job(take))
        write_whole(folder, f"{take.take_id}.json", sidecar.to_bytes())
        failpoints.hit("upkeep.restored")
        yield take.take_id
    folder.sync()


@contextmanager
def clips_of(place: RunDir) -> Iterator[Folder]:
    """Open the folder of clips, and say in our words what goes wrong with it."""
    try:
        with Folder(place.path / CLIPS) as folder:
            yield folder
    except InTheWay as error:
        raise UsageError(str(error), advice=f"look at {place.path / CLIPS}") from error
    except OSError as error:
        raise DiskFailed(f"{place.path / CLIPS}: {error.strerror}") from error


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
