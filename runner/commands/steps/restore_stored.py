"""The sidecars of clips that may be in a store: lost ones are written again, and further outputs are looked for."""

from __future__ import annotations

from collections.abc import Sequence

from runner.commands.steps.clip_files import StoredClips, stored_clips
from runner.domain.records import Standing, TakeRecord
from runner.media.clips.clip_names import sidecar_name
from runner.media.clips.restore_sidecars import recorded_sidecar, restore_sidecars
from runner.media.clips.sidecar import CLIPS, read_sidecar
from runner.store.run_dir import RunDir


def restore_sidecars_of(place: RunDir, takes: Sequence[TakeRecord]) -> tuple[str, ...]:
    """Write the lost sidecars of clips that are still there, where the run keeps its clips, and return their takes.

    Raises:
        UsageError, DiskFailed: as `restore_sidecars`.
        StoreAway, StoreRefused: the store cannot be listed, or takes no file.
    """
    stored = stored_clips(place) if takes else None
    if stored is None:
        return restore_sidecars(place.path, takes)
    lost = [take for take in takes if take.file in stored.sizes and sidecar_path(take) not in stored.sizes]
    for take in lost:
        stored.store.put_bytes(sidecar_path(take), recorded_sidecar(take).to_bytes())
    return tuple(take.take_id for take in lost)


def missing_outputs(stored: StoredClips, take: Standing) -> tuple[str, ...]:
    """Return the names of a take's further outputs, beside the recorded clip, that are not in the store.

    A sidecar is read only if the store has fewer files of the take than the job has outputs.
    """
    if stored.files_of(take.present_stem) > len(take.outputs) or len(take.outputs) < 2:
        return ()
    sidecar = read_sidecar(stored.read(sidecar_path(take)), take=take.take_id, stem=take.present_stem)
    if sidecar is None or sidecar.request_id != take.request_id:
        return ()
    others = [landed for landed in sidecar.outputs if landed.index]
    return tuple(each.file for each in others if stored.sizes.get(f"{CLIPS}/{each.file}") != each.bytes)


def sidecar_path(take: Standing) -> str:
    """Return the path of a take's sidecar, as the store lists it."""
    return f"{CLIPS}/{sidecar_name(take.present_stem)}"
