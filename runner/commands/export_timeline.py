"""`export otio` and its like: the cut of a run, or of a mere plan, as files for editors.

In: a target, a form, and where to write. Out: the files, and what a person should know of them. A file is written whole
or not at all, and never over another one without `force`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from runner.commands.steps.clips_at_hand import addresses, beside
from runner.commands.steps.cut_list import cut_list
from runner.commands.steps.export_files import export_file, make_room, note_written
from runner.domain.disk_errors import file_error
from runner.domain.display import PATH_LIMIT, counted, duration, visible
from runner.domain.errors import UsageError
from runner.plan.selection import ALL, Choice
from runner.system.private_files import whole_file
from runner.timeline.carried import Form as Form
from runner.timeline.carried import lost_in, remark_on_rate
from runner.timeline.lengths import USUAL_START, exact_rate, placed
from runner.timeline.remarks import remarks_on
from runner.timeline.slots import Clip, Timeline
from runner.timeline.targets import Target, file_url, relative_to

STDOUT = Path("-")

_SUFFIXES = {Form.FCP7: "xml"}


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut in one form: the texts of its files, or of a bundle the function that writes it.

    `remarks` are sentences about the cut, and `lost` what the form cannot carry. Both are safe on a terminal.
    """

    timeline: Timeline
    form: Form
    texts: tuple[str, ...]
    remarks: tuple[str, ...]
    lost: tuple[str, ...]
    write: Callable[[BinaryIO], None] | None = None

    @property
    def summary(self) -> str:
        """What is in it, such as `12 shots, 2 gaps, 58 s at 24 fps`."""
        slots = self.timeline.slots
        gaps = sum(slot.active is None for slot in slots)
        rate = exact_rate(self.timeline.fps)
        seconds = sum(place.frames for place in placed(self.timeline)) / rate
        parts = [counted(len(slots), "shot"), *([counted(gaps, "gap")] if gaps else [])]
        return f"{', '.join(parts)}, {duration(float(seconds))} at {float(rate):.5g} fps"


@dataclass(frozen=True, slots=True)
class CutOptions:
    """Which takes are meant, and how the cut is made; `fps` is frames per second, None for the clips' own.

    With `relative`, the addresses of clips are relative to the written file. `start` is the timecode of the cut's first
    frame, `HH:MM:SS:FF`.
    """

    simulated: bool | None = None
    schema_dirs: Sequence[Path] = ()
    choice: Choice = ALL
    fps: float | None = None
    relative: bool = False
    start: str = USUAL_START


def make_cut(
    target: Path, form: Form, *, out: Path, options: CutOptions, say: Callable[[str], None] = lambda _: None
) -> Cut:
    """Return the cut of `target` in a form, for a file at `out`, or for standard output if that is `-`.

    Editors need files: clips in a store that play are downloaded into a folder beside `out`, and `say` gets a
    sentence about it. A table has their addresses instead.

    Raises:
        FileMissing: there is neither a run nor a manifest.
        ExtraMissing: the form needs the `[timeline]` extra.
        UsageError: the form cannot hold the cut, or the choice matches nothing.
        ManifestInvalid, StateFileUnusable: as for `cut_list`.
        StoreAway, StoreRefused, NotInStore: a clip cannot be read from its store.
    """
    found = cut_list(
        target,
        simulated=options.simulated,
        schema_dirs=options.schema_dirs,
        choice=options.choice,
        fps=options.fps,
    )
    timeline = replace(found, start=options.start)
    if not timeline.slots:
        raise UsageError("no shot is chosen, so there is nothing to cut", advice="choose other takes")
    _refuse_sources(out, target, timeline)
    folder = Path.cwd() if out == STDOUT else out.absolute().parent
    stored = addresses(target, simulated=options.simulated) if form is Form.CSV else None
    if form is not Form.CSV:
        named = folder / (f"{timeline.name}-clips" if out == STDOUT else f"{out.stem}-clips")
        timeline = beside(target, timeline, named, simulated=options.simulated, say=say)
    address = relative_to(folder) if options.relative else file_url
    path = stored or _path_from(folder, is_relative=options.relative)
    rate = remark_on_rate(form, timeline)
    remarks = (*remarks_on(timeline), *([rate] if rate else []))
    texts = _texts(timeline, form, address, path)
    return Cut(timeline, form, texts, remarks, lost_in(form, timeline), _bundle(timeline, form))


def default_file(target: Path, form: Form, *, simulated: bool | None) -> Path:
    """Return where a cut goes: into the folder `exports` of its run, or beside a manifest that has not been run."""
    # The manifest itself may be called NAME.csv.
    return export_file(target, f".{_SUFFIXES.get(form, form.value)}", simulated=simulated, mark="-cut")


def write_cut(cut: Cut, path: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write a cut and return its files: one at `path`, or `NAME-1.edl`, `NAME-2.edl` beside it if there are several.

    An unchanged export in a run's own folder is replaced.

    Raises:
        CannotCreate: another file is there already, or cannot be written.
        DiskFailed: the disk is full or failing.
    """
    several = len(cut.texts) > 1
    paths = [path.with_stem(f"{path.stem}-{at}") if several else path for at in range(1, 1 + len(cut.texts))]
    writers = [_writer_of(text) for text in cut.texts]
    if cut.write is not None:
        paths, writers = [path], [cut.write]
    make_room(paths, force=force)
    try:
        for each, write in zip(paths, writers, strict=True):
            with whole_file(each) as file:
                write(file)
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error
    note_written(paths)
    return tuple(paths)


def _refuse_sources(out: Path, target: Path, timeline: Timeline) -> None:
    """Refuse to write over what the cut is made of, even with `force`: a clip may have been paid for."""
    clips = (clip.file for slot in timeline.slots for clip in (slot.active, *slot.others) if clip)
    place = out.resolve()
    if any(place == source.resolve() for source in (target, *clips)):
        raise UsageError(
            f"the cut is made from {visible(str(out), PATH_LIMIT)}", advice="give another name with -o"
        )


def _writer_of(text: str) -> Callable[[BinaryIO], None]:
    data = text.encode("utf-8", "replace")

    def write(file: BinaryIO) -> None:
        file.write(data)

    return write


def _bundle(timeline: Timeline, form: Form) -> Callable[[BinaryIO], None] | None:
    if form is not Form.OTIOZ:
        return None
    from runner.timeline.otioz import write_otioz

    return lambda file: write_otioz(timeline, file)


def _texts(timeline: Timeline, form: Form, address: Target, path: Callable[[Clip], str]) -> tuple[str, ...]:
    """Return the files' texts; a bundle has none. Each form's module is loaded only when it is asked for."""
    match form:
        case Form.OTIO:
            from runner.timeline.otio_json import otio_text

            return (otio_text(timeline, target=address),)
        case Form.OTIOZ:
            return ()
        case Form.EDL:
            from runner.timeline.adapter_forms import edl_texts

            return edl_texts(timeline, target=address)
        case Form.FCPXML:
            from runner.timeline.fcpxml import fcpxml_text

            return (fcpxml_text(timeline, target=address),)
        case Form.FCP7:
            from runner.timeline.adapter_forms import fcp7_text

            return (fcp7_text(timeline, target=address),)
        case Form.CSV:
            from runner.timeline.cut_table import csv_text

            return (csv_text(timeline, path=path),)
        case Form.FFCONCAT:
            from runner.timeline.ffconcat import ffconcat_text

            return (ffconcat_text(timeline, path=path),)


def _path_from(folder: Path, *, is_relative: bool) -> Callable[[Clip], str]:
    if is_relative:
        return lambda clip: os.path.relpath(clip.file, folder)
    return lambda clip: str(clip.file.absolute())
