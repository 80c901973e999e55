"""Gives further outputs their own names if an older program named them like another take's clip.

In: the clips folder, and every take's recorded clip. Out: each file under its own take's name, proved by its hash. It
knows no state file and no network, and may be interrupted. The older program called the second output of `sc1`
`sc1.2.mp4`, like the first output of the shot `sc1.2`. So one of the two blocked the other, or was moved aside for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from runner.media.clips.folder import Folder
from runner.media.clips.names import clip_name, extension_of, sidecar_name, stem_of
from runner.media.clips.part_file import write_whole
from runner.media.clips.sidecar import MOST_BYTES, DeliveredFile, read_sidecar


@dataclass(frozen=True, slots=True)
class Known:
    """A take, and its clip's plain name and SHA-256 on record; each is empty if it has none."""

    take: str
    file: str = ""
    sha256: str = ""


def contested(takes: Iterable[str]) -> frozenset[str]:
    """Return the takes whose further outputs an older program named like the clip of another one of `takes`."""
    known = frozenset(takes)
    return frozenset(owner for take in known if (owner := _owner_of(take)) in known)


def give_own_names(folder: Folder, takes: Iterable[Known]) -> None:
    """Move contested files to the takes that they belong to.

    Raises:
        NameConflict: a file of the run is no longer a plain file.
        OSError: the disk fails; another call can do the rest.
    """
    known = {each.take: each for each in takes}
    for owner in sorted(contested(known)):
        _separate(folder, owner, known)
        folder.sync()
    for each in known.values():
        if _owner_of(each.take) in known and each.sha256 and not folder.has(each.file):
            _move_back(folder, each)


def _owner_of(take: str) -> str:
    """Return the take whose further output may have the name of this one's clip, or nothing."""
    owner, _, number = take.rpartition(".")
    return owner if number.isascii() and number.isdigit() else ""


def _separate(folder: Folder, owner: str, known: Mapping[str, Known]) -> None:
    data = folder.read(sidecar_name(owner), limit=MOST_BYTES)
    sidecar = None if data is None else read_sidecar(data, take=owner)
    if sidecar is None:
        return
    outputs = tuple(_own(folder, owner, landed, known) for landed in sidecar.outputs)
    if outputs != sidecar.outputs:
        write_whole(folder, sidecar_name(owner), replace(sidecar, outputs=outputs).to_bytes())


def _own(folder: Folder, owner: str, landed: DeliveredFile, known: Mapping[str, Known]) -> DeliveredFile:
    """Return an output under its own name, and move the file there if it is this output and not the other's clip."""
    other = known.get(stem_of(landed.file))
    if other is None or other.take == owner:
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


def _move_back(folder: Folder, clip: Known) -> None:
    """Find a clip that was moved aside for the other's output, to a name like `sc1.changed.2.mp4`."""
    aside = f"{_owner_of(clip.take)}.changed"
    for name in folder.names():
        if name.startswith(aside) and (found := folder.digest(name)) and found[0] == clip.sha256:
            folder.move(name, clip.file)
            return
