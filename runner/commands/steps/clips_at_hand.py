"""The clips of a cut as files of this disk, for what must read them: those in a store are downloaded.

In: a cut, and which of its clips are needed. Out: the same cut, with files that are there. A clip on this disk stays
where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from runner.commands.steps.clip_files import AT_ONCE, StoredClips, private_folder, stored_clips
from runner.commands.steps.find_run import find_run_to_read
from runner.domain.display import PATH_LIMIT, counted, visible
from runner.domain.errors import CannotCreate, FileMissing
from runner.domain.preview_names import preview_names
from runner.system.file_digest import digest_of
from runner.timeline.slots import Clip, Slot, Timeline

Say = Callable[[str], None]


def playing(timeline: Timeline) -> list[Clip]:
    """Return the clips that play."""
    return [slot.active for slot in timeline.slots if slot.active]


def clips_of(timeline: Timeline) -> list[Clip]:
    """Return all clips of a cut, those that could play among them."""
    return [clip for slot in timeline.slots for clip in _clips(slot)]


@contextmanager
def at_hand(
    target: Path,
    timeline: Timeline,
    clips: Iterable[Clip],
    *,
    simulated: bool | None = None,
    with_posters: bool = False,
    say: Say = lambda _: None,
) -> Iterator[Timeline]:
    """Yield the cut of the run `target` with `clips` on this disk; what was downloaded leaves with the block.

    With `with_posters` the small poster of a clip does instead of the clip, if there is one.

    Raises:
        StoreAway, StoreRefused: the store cannot be read.
        NotInStore: a clip is not there, or is not what was delivered.
        DiskFailed, CannotCreate: there is no room for the clips.
    """
    stored = _stored(target, simulated=simulated)
    if stored is None:
        yield timeline
        return
    with private_folder() as folder:
        files = {_name(stored, clip): clip for clip in clips}
        named = {folder / name: (name, _sha256(clip)) for name, clip in files.items()}
        if with_posters:
            named = {folder / name: (name, sha256) for name, sha256 in map(_shown(stored), files.values())}
        _bring(stored, named, say)
        yield _moved(timeline, lambda clip: folder / _name(stored, clip))


def beside(
    target: Path,
    timeline: Timeline,
    folder: Path,
    *,
    simulated: bool | None = None,
    say: Say = lambda _: None,
) -> Timeline:
    """Return the cut of the run `target` with the clips that play in `folder`, where they stay, for an editor.

    Clips in a store that could play instead are left out. A file that is in the folder already is not downloaded again.

    Raises:
        CannotCreate: another file has the name of a clip.
        StoreAway, StoreRefused, NotInStore, DiskFailed: as for `at_hand`.
    """
    stored = _stored(target, simulated=simulated)
    if stored is None:
        return timeline
    named = {folder / clip.file.name: (_name(stored, clip), _sha256(clip)) for clip in playing(timeline)}
    for path, (_, sha256) in list(named.items()):
        if path.exists():
            if digest_of(path) != sha256:
                shown = visible(str(path), PATH_LIMIT)
                raise CannotCreate(
                    f"{shown} is there already, and is not this clip", advice="give another name with -o"
                )
            del named[path]
    _bring(stored, named, say)
    slots = tuple(replace(slot, others=()) for slot in timeline.slots)
    return _moved(replace(timeline, slots=slots), lambda clip: folder / clip.file.name)


def addresses(target: Path, *, simulated: bool | None = None) -> Callable[[Clip], str] | None:
    """Return what gives the address of each clip of a run, None if its clips are on this disk."""
    stored = _stored(target, simulated=simulated)
    return None if stored is None else lambda clip: stored.address_of(_name(stored, clip))


def _stored(target: Path, *, simulated: bool | None) -> StoredClips | None:
    try:
        return stored_clips(find_run_to_read(target, simulated=simulated))
    except FileMissing:
        # A manifest that has not been run has no clips.
        return None


def _clips(slot: Slot) -> tuple[Clip, ...]:
    return (*((slot.active,) if slot.active else ()), *slot.others)


def _name(stored: StoredClips, clip: Clip) -> str:
    return clip.file.relative_to(stored.run_dir).as_posix()


def _sha256(clip: Clip) -> str | None:
    found = clip.about.get("sha256")
    return found if isinstance(found, str) else None


def _shown(stored: StoredClips) -> Callable[[Clip], tuple[str, str | None]]:
    """Return what gives the file that shows a clip, with its SHA-256 where that is known."""

    def shown(clip: Clip) -> tuple[str, str | None]:
        poster = preview_names(_sha256(clip) or "").small
        there = stored.is_kept(poster) or poster in stored.previews
        return (poster, None) if there else (_name(stored, clip), _sha256(clip))

    return shown


def _moved(timeline: Timeline, place: Callable[[Clip], Path]) -> Timeline:
    def moved(clip: Clip) -> Clip:
        return replace(clip, file=place(clip))

    slots = (
        replace(slot, active=slot.active and moved(slot.active), others=tuple(map(moved, slot.others)))
        for slot in timeline.slots
    )
    return replace(timeline, slots=tuple(slots))


def _bring(stored: StoredClips, named: Mapping[Path, tuple[str, str | None]], say: Say) -> None:
    """Download files to paths; `named` has the path in the record and the SHA-256 of each."""
    if named:
        say(f"downloading {counted(len(named), 'file')} from {stored.address}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        copies = [
            pool.submit(stored.copy_to, path, name, sha256=sha256) for path, (name, sha256) in named.items()
        ]
        for copied in copies:
            copied.result()
