"""Renames clips after their takes were renamed, or after their files were given other names.

Each move is reported before the next, so that the record follows.
No file is ever overwritten, and every step may be interrupted. The new sidecar announces the new name before the file
has it, and the old sidecar goes last. If a kill came before the record, the hash finds the clip under its new name.
Clips that exchange names use a third name, which no other take has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from runner.media.clips.clip_names import clip_name, extension_of, sidecar_name, stem_of
from runner.media.clips.folder import Folder
from runner.media.clips.sidecar import CLIPS, DeliveredFile, Sidecar, read_sidecar, write_sidecar

_BETWEEN = "moving"
# An older program used this word for a clip between two names, and another take can have that name.
_BETWEEN_ONCE = ".moving"

Told: TypeAlias = Callable[[str, str], None]
"""Receives a take's id and its clip's new path, relative to the run directory, once the move is durable."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A delivered clip: its take's id, its file relative to the run directory, and its SHA-256.

    `stem` is the name that its files should have, without an ending; empty for the take's id. `label` is the take's
    short name, which the sidecar repeats.
    """

    take: str
    file: str
    sha256: str
    stem: str = ""
    label: str = ""

    @property
    def name(self) -> str:
        """The plain name of the file."""
        return PurePosixPath(self.file).name

    @property
    def wanted(self) -> str:
        """The name that the take's first output should have."""
        return self.named()

    @property
    def between(self) -> str:
        """The third name, for a clip that waits."""
        return self.named(_BETWEEN)

    @property
    def wanted_stem(self) -> str:
        """The name that the clip and its sidecar should have, without an ending."""
        return self.stem or self.take

    @property
    def present_stem(self) -> str:
        """The present name of the clip and its sidecar, without an ending."""
        return self.name.rpartition(".")[0]

    def named(self, aside: str = "") -> str:
        """Return the name of the take's first output, put aside under a word if one is given."""
        return clip_name(self.wanted_stem, 0, extension_of(self.name), aside=aside)


def rename_clips(run_dir: Path, clips: Iterable[Clip], *, told: Told) -> tuple[Clip, ...]:
    """Rename all clips without their takes' names; return those that had to stay, since a name is taken.

    Raises:
        NameConflict: the clips folder is a link or a file, or a file of the run is no longer a plain file.
        OSError: the disk fails; all reported moves are done, and another call can do the rest.
    """
    waiting = [clip for clip in clips if clip.name != clip.wanted]
    if not waiting or not (run_dir / CLIPS).exists():
        return ()
    with Folder(run_dir / CLIPS) as folder:
        left = [clip for clip in _in_order(waiting) if not _renamed(folder, clip, told)]
        # Clips that wait for each other, or for a stranger's file, let all others have their names first.
        aside = [_set_aside(folder, clip, told) for clip in left]
        return tuple(clip for clip in _in_order(aside) if not _renamed(folder, clip, told))


def left_mid_rename(run_dir: Path, clips: Iterable[Clip]) -> frozenset[Clip]:
    """Return the clips that a kill during a rename has left under another name than the recorded one.

    It changes nothing; `rename_clips` finds these clips there.

    Raises:
        NameConflict: the clips folder is a link or a file.
        OSError: the disk fails.
    """
    misnamed = [clip for clip in clips if clip.name != clip.wanted]
    # Opening the folder would make it.
    if not misnamed or not (run_dir / CLIPS).exists():
        return frozenset()
    with Folder(run_dir / CLIPS) as folder:
        return frozenset(clip for clip in misnamed if _place(folder, clip) not in {None, clip.name})


def _in_order(clips: Sequence[Clip]) -> list[Clip]:
    """Return the clips so that each comes after the one that has its name now: a renumbered board needs one pass."""
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


def _renamed(folder: Folder, clip: Clip, told: Told) -> bool:
    """Rename one clip; False if a name is taken. A missing or edited clip is skipped; another check reports it."""
    place = _place(folder, clip)
    if place is None:
        return True
    # A kill may have interrupted this rename; then further outputs may still have their old names.
    if place != clip.wanted:
        if place == _older_third_name(clip):
            folder.move(place, clip.between)
        # Where a system ignores case, a name that differs in case alone is the clip itself.
        if place != clip.name or place.lower() == clip.wanted.lower():
            clip = replace(clip, file=_move(folder, clip, told, aside=_BETWEEN))
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
    there = folder.read(sidecar_name(clip.wanted_stem)) if sidecar else None
    if there is None:
        return True
    found = read_sidecar(there, take=None, stem=clip.wanted_stem)
    # A sidecar of this program whose files are absent: their clip is gone, or a kill interrupted a rename.
    return found is not None and not any(
        folder.has(landed.file) and not folder.is_one_file(landed.file, clip.name) for landed in found.outputs
    )


def _place(folder: Folder, clip: Clip) -> str | None:
    """Return a clip's name: the recorded one, or one that a kill has left; None if it has none."""
    names = (clip.name, clip.wanted, clip.between, _older_third_name(clip))
    return next((name for name in names if folder.holds(name, clip.sha256)), None)


def _older_third_name(clip: Clip) -> str:
    return f"{clip.wanted_stem}{_BETWEEN_ONCE}.{extension_of(clip.name)}"


def _set_aside(folder: Folder, clip: Clip, told: Told) -> Clip:
    """Move a clip to its third name if it can; the take whose name it has would move it where no record looks."""
    if folder.has(clip.between) or not folder.holds(clip.name, clip.sha256):
        return clip
    return replace(clip, file=_move(folder, clip, told, aside=_BETWEEN))


def _move(folder: Folder, clip: Clip, told: Told, *, aside: str = "") -> str:
    """Give all outputs of the clip's job their take's names, or the third ones; return the clip's new path."""
    sidecar = _sidecar(folder, clip)
    if sidecar:
        outputs = tuple(replace(landed, file=_under(clip, landed, aside)) for landed in sidecar.outputs)
        about = {**sidecar.about, "label": clip.label} if clip.label else sidecar.about
        announced = replace(sidecar, take=clip.take, outputs=outputs, about=about)
        write_sidecar(folder, announced, stem=clip.wanted_stem, aside=aside)
        folder.sync()
    for landed in _outputs(clip, sidecar):
        name = _under(clip, landed, aside)
        # A kill between the two halves of a move leaves both names on one file.
        if folder.is_one_file(landed.file, name):
            folder.remove(landed.file)
        elif not folder.has(name) and (landed.file == clip.name or folder.holds(landed.file, landed.sha256)):
            folder.move(landed.file, name)
    folder.sync()
    file = f"{CLIPS}/{clip.named(aside)}"
    told(clip.take, file)
    # The old sidecar goes last: until the record follows, a person would find the clip by it.
    if _sidecar(folder, clip):
        folder.remove(f"{clip.present_stem}.json")
    return file


def _outputs(clip: Clip, sidecar: Sidecar | None) -> Sequence[DeliveredFile]:
    """Return all outputs of the clip's job, the clip itself first."""
    first = DeliveredFile(0, clip.name, clip.sha256, 0)
    others = sidecar.outputs if sidecar else ()
    return (first, *(landed for landed in others if landed.file != clip.name))


def _under(clip: Clip, landed: DeliveredFile, aside: str = "") -> str:
    return clip_name(clip.wanted_stem, landed.index, extension_of(landed.file), aside=aside)


def _sidecar(folder: Folder, clip: Clip) -> Sidecar | None:
    """Return the sidecar beside the clip, under any take's name; None if this program wrote none."""
    present = clip.present_stem
    data = folder.read(f"{present}.json")
    stems = (present, stem_of(clip.name), present.removesuffix(_BETWEEN_ONCE))
    found = next(filter(None, (read_sidecar(data, take=None, stem=stem) for stem in stems)), None)
    mine = found is not None and any(landed.sha256 == clip.sha256 for landed in found.outputs)
    return found if mine else None
