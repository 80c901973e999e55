"""Gives clips the names of their takes again, after takes were renamed.

In: the clips folder, and delivered takes with the files they have. Out: the clips under their takes' names, each move
told before the next, so that the record follows. It knows no state file and no network.

Nothing is ever overwritten, and every step may be cut short: the new sidecar promises the new name before the file has
it, the old sidecar goes last, and a clip that has its new name already, since a kill came before the record, is found
there by its hash. Clips that change places go through a name nobody else has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from runner.media.clips.folder import Folder
from runner.media.clips.names import clip_name, extension_of, sidecar_name, stem_of
from runner.media.clips.part_file import write_whole
from runner.media.clips.sidecar import CLIPS, MOST_BYTES, DeliveredFile, Sidecar, read_sidecar

_BETWEEN = "moving"
# So an older program called a clip on its way: a name that another take can have.
_BETWEEN_ONCE = ".moving"

Told: TypeAlias = Callable[[str, str], None]
"""Takes a take's id and the new place of its clip, relative to the run directory, when the clip is there for good."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A delivered clip: its take's id, its file relative to the run directory, and its SHA-256."""

    take: str
    file: str
    sha256: str

    @property
    def name(self) -> str:
        """The plain name of the file."""
        return PurePosixPath(self.file).name

    @property
    def wanted(self) -> str:
        """The name that the take's first output should have."""
        return clip_name(self.take, 0, extension_of(self.name))

    @property
    def stem(self) -> str:
        """What the clip and its sidecar are called now, but for the extension."""
        return self.name.rpartition(".")[0]


def rename_clips(run_dir: Path, clips: Iterable[Clip], *, told: Told) -> tuple[Clip, ...]:
    """Rename all clips whose names are not their takes'; return those that had to stay, since a name is taken.

    Raises:
        NameConflict: the clips folder is a link or a file, or something in it that we wrote is no plain file any more.
        OSError: the disk fails; what was told is done, and the rest can be done again.
    """
    waiting = [clip for clip in clips if clip.name != clip.wanted]
    if not waiting or not (run_dir / CLIPS).exists():
        return ()
    proved: set[Clip] = set()
    with Folder(run_dir / CLIPS) as folder:
        while waiting:
            left = [clip for clip in _in_order(waiting) if not _renamed(folder, clip, told, proved)]
            if len(left) == len(waiting):
                left = _one_stepped_aside(folder, left, told)
                if left == waiting:
                    return tuple(_out_of_the_way(folder, clip, told) for clip in left)
            waiting = left
    return ()


def left_mid_rename(run_dir: Path, clips: Iterable[Clip]) -> frozenset[Clip]:
    """Return the clips that are not where the record has them, but where a kill in mid-rename has left them.

    `rename_clips` finds them there; this only looks.

    Raises:
        NameConflict: the clips folder is a link or a file.
        OSError: the disk fails.
    """
    misnamed = [clip for clip in clips if clip.name != clip.wanted]
    # A folder that is opened would be made.
    if not misnamed or not (run_dir / CLIPS).exists():
        return frozenset()
    with Folder(run_dir / CLIPS) as folder:
        return frozenset(clip for clip in misnamed if _place(folder, clip) not in {None, clip.name})


def _in_order(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips so that one comes after whoever has its name now: a renumbered board is done in one go."""
    owners = {clip.name: clip for clip in clips}
    ordered: dict[Clip, None] = {}
    for clip in clips:
        chain: dict[Clip, None] = {}
        next_one: Clip | None = clip
        while next_one and next_one not in chain and next_one not in ordered:
            chain[next_one] = None
            next_one = owners.get(next_one.wanted)
        ordered.update(dict.fromkeys(reversed(chain)))
    return list(ordered)


def _renamed(folder: Folder, clip: Clip, told: Told, proved: set[Clip]) -> bool:
    """Rename one clip; False if a name is taken. One that is nowhere, or was edited, is somebody else's finding.

    `proved` are clips whose bytes were seen under their names: those that wait for others are not read each time.
    """
    place = clip.name if clip in proved else _place(folder, clip)
    if place is None:
        return True
    if place == clip.wanted:
        # A kill came on the way; further outputs may still have their old names.
        _move(folder, clip, told)
        return True
    if place == _between_once(clip):
        folder.move(place, _between(clip))
    if place != clip.name:
        clip = replace(clip, file=_move(folder, clip, told, aside=_BETWEEN))
    proved.add(clip)
    if not _is_free(folder, clip):
        return False
    _move(folder, clip, told)
    return True


def _is_free(folder: Folder, clip: Clip) -> bool:
    """Return whether the clip, its further outputs and its sidecar can have their new names."""
    sidecar = _sidecar(folder, clip)
    for landed in _outputs(clip, sidecar):
        name = _under(clip, landed)
        if folder.has(name) and not folder.is_one_file(landed.file, name):
            return False
    there = folder.read(sidecar_name(clip.take), limit=MOST_BYTES) if sidecar else None
    if there is None:
        return True
    found = read_sidecar(there, take=clip.take)
    # Of ours, and nothing it speaks of is there: what a clip left that is gone, or what we promised before a kill.
    return found is not None and not any(
        folder.has(landed.file) and not folder.is_one_file(landed.file, clip.name) for landed in found.outputs
    )


def _place(folder: Folder, clip: Clip) -> str | None:
    """Return the name that a clip has: that on record, or one that a kill has left it under; None if it has none."""
    names = (clip.name, clip.wanted, _between(clip), _between_once(clip))
    return next((name for name in names if _holds(folder, name, clip)), None)


def _holds(folder: Folder, name: str, clip: Clip) -> bool:
    return _is(folder, name, clip.sha256)


def _is(folder: Folder, name: str, sha256: str) -> bool:
    digest = folder.digest(name)
    return digest is not None and digest[0] == sha256


def _between(clip: Clip) -> str:
    return clip_name(clip.take, 0, extension_of(clip.name), aside=_BETWEEN)


def _between_once(clip: Clip) -> str:
    return f"{clip.take}{_BETWEEN_ONCE}.{extension_of(clip.name)}"


def _one_stepped_aside(folder: Folder, clips: Sequence[Clip], told: Told) -> list[Clip]:
    """Let one of the clips that wait for each other out of the circle; all as they were if there is none."""
    names = {clip.name for clip in clips}
    for at, clip in enumerate(clips):
        if clip.wanted in names and not folder.has(_between(clip)):
            file = _move(folder, clip, told, aside=_BETWEEN)
            return [*clips[:at], *clips[at + 1 :], replace(clip, file=file)]
    return list(clips)


def _out_of_the_way(folder: Folder, clip: Clip, told: Told) -> Clip:
    """Let a clip that cannot have its own name not keep another take's, who would move it where no record looks."""
    if clip.name == _between(clip) or folder.has(_between(clip)) or not _holds(folder, clip.name, clip):
        return clip
    return replace(clip, file=_move(folder, clip, told, aside=_BETWEEN))


def _move(folder: Folder, clip: Clip, told: Told, *, aside: str = "") -> str:
    """Give all outputs of the clip's job their take's names, or those on the way; return the clip's new place."""
    sidecar = _sidecar(folder, clip)
    if sidecar:
        outputs = tuple(replace(landed, file=_under(clip, landed, aside)) for landed in sidecar.outputs)
        moved = Sidecar(clip.take, sidecar.request_id, outputs, sidecar.about)
        write_whole(folder, sidecar_name(clip.take, aside=aside), moved.to_bytes())
        folder.sync()
    for landed in _outputs(clip, sidecar):
        name = _under(clip, landed, aside)
        # A kill between the two halves of a move leaves both names on one file.
        if folder.is_one_file(landed.file, name):
            folder.remove(landed.file)
        elif not folder.has(name) and (landed.file == clip.name or _is(folder, landed.file, landed.sha256)):
            folder.move(landed.file, name)
    folder.sync()
    file = f"{CLIPS}/{clip_name(clip.take, 0, extension_of(clip.name), aside=aside)}"
    told(clip.take, file)
    # Only now: until the record follows, the old sidecar is how a person would find the clip.
    if _sidecar(folder, clip):
        folder.remove(f"{clip.stem}.json")
    return file


def _outputs(clip: Clip, sidecar: Sidecar | None) -> Sequence[DeliveredFile]:
    """Return all outputs of the clip's job, the clip itself first."""
    first = DeliveredFile(0, clip.name, clip.sha256, 0)
    others = sidecar.outputs if sidecar else ()
    return (first, *(landed for landed in others if landed.file != clip.name))


def _under(clip: Clip, landed: DeliveredFile, aside: str = "") -> str:
    return clip_name(clip.take, landed.index, extension_of(landed.file), aside=aside)


def _sidecar(folder: Folder, clip: Clip) -> Sidecar | None:
    """Return what is written beside the clip, whichever take it names; None if there is nothing of ours."""
    data = folder.read(f"{clip.stem}.json", limit=MOST_BYTES)
    if data is None:
        return None
    owners = (clip.stem, stem_of(clip.name), clip.stem.removesuffix(_BETWEEN_ONCE))
    found = next(filter(None, (read_sidecar(data, take=take) for take in owners)), None)
    mine = found is not None and any(landed.sha256 == clip.sha256 for landed in found.outputs)
    return found if mine else None
