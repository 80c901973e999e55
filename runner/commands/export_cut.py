"""`export cut`, `contact-sheet`, `gif` and `webp`: what can be looked at without an editor.

In: a target and where to write. Out: files, and what a person should know of them. A file is written whole or not at
all, and never over another one without `force`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands.steps.export_files import make_room, note_written
from runner.domain.disk_errors import file_error
from runner.domain.display import PATH_LIMIT, counted, duration, listed, visible
from runner.domain.errors import ExtraMissing, UsageError
from runner.domain.preview_names import preview_names
from runner.system.private_files import whole_file
from runner.timeline.slots import Clip as Clip
from runner.timeline.slots import Slot
from runner.timeline.slots import Timeline as Timeline

if TYPE_CHECKING:
    from runner.video.animation import Animation
    from runner.video.contact_sheet import Row, Tile
    from runner.video.rough_cut import Cut, Segment

DEFAULT_COLUMNS = 6
_HIGHEST_PAGE = 6000
_PAPER = 297 / 210


@dataclass(frozen=True, slots=True)
class CutWishes:
    """What a person asks of a rough cut; None is left to the clips."""

    size: tuple[int, int] | None = None
    fps: float | None = None
    has_burn_in: bool = False
    has_slates: bool = True


def export_cut(
    timeline: Timeline,
    out: Path,
    *,
    wishes: CutWishes,
    force: bool = False,
    on_progress: Callable[[float, float], None] = lambda _done, _of: None,
) -> Cut:
    """Join the clips that play into the MP4 `out`, with slates for shots that have none.

    `on_progress` is given the seconds that are written, and those that are expected.

    Raises:
        ExtraMissing: PyAV or Pillow is not installed.
        UsageError: there is nothing to join, or `out` is one of the clips.
        CannotCreate: another file is there already, or cannot be written.
        DiskFailed: the disk is full or failing.
    """
    try:
        from runner.video.clip_reader import usual_rate
        from runner.video.rough_cut import Wishes, write_cut
    except ImportError as error:
        raise ExtraMissing("a rough cut", extra="video") from error

    _make_room((out,), timeline, force=force)
    asked = Wishes(
        size=wishes.size,
        fps=None if wishes.fps is None else usual_rate(Fraction(wishes.fps)),
        has_burn_in=wishes.has_burn_in,
        has_slates=wishes.has_slates,
        planned_fps=timeline.fps,
    )
    cut = write_cut([_segment(slot) for slot in timeline.slots], out, wishes=asked, on_progress=on_progress)
    note_written((out,))
    return cut


def summary_of(cut: Cut) -> str:
    """Return what a cut is, such as `11 clips, 1 slate, 58 s, 1280x720 at 24 fps; …`, safe on a terminal."""
    parts = [counted(cut.clips, "clip"), *([counted(cut.slates, "slate")] if cut.slates else [])]
    form = f"{cut.raster.width}x{cut.raster.height} at {float(cut.raster.fps):.5g} fps"
    how = f"encoded again: {cut.why_encoded}" if cut.why_encoded else "pictures copied as they are"
    return f"{', '.join(parts)}, {duration(cut.seconds)}, {form}; {how}"


def export_contact_sheet(
    timeline: Timeline, out: Path, *, columns: int = DEFAULT_COLUMNS, force: bool = False
) -> tuple[Path, ...]:
    """Write the contact sheet of a board, and return its files: `out`, or `NAME-1.png` and so on if it is large.

    A name that ends in `.pdf` gives one PDF with pages of the shape of A4.

    Raises:
        ExtraMissing: PyAV or Pillow is not installed.
        UsageError: there is no shot, or the name ends otherwise.
        CannotCreate, DiskFailed: as for `export_cut`.
    """
    try:
        from runner.video.contact_sheet import Form, pages
    except ImportError as error:
        raise ExtraMissing("a contact sheet", extra="video") from error

    is_pdf = out.suffix.lower() == ".pdf"
    if not is_pdf and out.suffix.lower() != ".png":
        raise UsageError(f"a contact sheet is a .png or a .pdf, not {visible(out.name)}", advice="rename it")
    if not timeline.slots:
        raise UsageError("no shot is chosen, so there is nothing to show", advice="choose other takes")
    width = Form(columns, 0).width
    sheets = list(pages(_rows(timeline), Form(columns, round(width * _PAPER) if is_pdf else _HIGHEST_PAGE)))
    if is_pdf:
        _make_room((out,), timeline, force=force)
        first, *others = sheets
        _save(out, lambda file: first.save(file, "PDF", save_all=True, append_images=others))
        return (out,)
    several = len(sheets) > 1
    paths = [out.with_stem(f"{out.stem}-{at}") if several else out for at in range(1, 1 + len(sheets))]
    _make_room(paths, timeline, force=force)
    for path, sheet in zip(paths, sheets, strict=True):
        _save(path, lambda file, sheet=sheet: sheet.save(file, "PNG"))
    return tuple(paths)


def takes_named(timeline: Timeline, name: str, *, all_takes: bool = False) -> tuple[Clip, ...]:
    """Return the clip that `name` means: the one that plays of a shot, or that of a take's id or label.

    With `all_takes` it is each clip of the shot, in the order of their labels.

    Raises:
        UsageError: no clip here has this name.
    """
    for slot in timeline.slots:
        clips = _clips(slot)
        if slot.shot_id == name:
            if not clips:
                raise UsageError(
                    f"shot {visible(name)} has no clip: {visible(slot.why)}", advice="choose another"
                )
            return clips if all_takes else (slot.active or clips[-1],)
        found = tuple(clip for clip in clips if name in (clip.label, clip.take_id))
        if found:
            return clips if all_takes else found
    shots = [slot.shot_id for slot in timeline.slots]
    known = f"the shots are {listed(shots)}" if shots else "there is no shot"
    raise UsageError(f"no shot or take with a clip is called {visible(name)}", advice=known)


def export_animation(
    timeline: Timeline,
    clips: Sequence[Clip],
    out: Path,
    *,
    form: str,
    width: int,
    fps: float,
    force: bool = False,
) -> Animation:
    """Write clips beside each other as a `gif` or a `webp`; `width` is that of each, in pixels.

    Raises:
        ExtraMissing: PyAV or Pillow is not installed.
        ClipUnreadable: a clip cannot be decoded.
        CannotCreate, DiskFailed: as for `export_cut`.
    """
    try:
        from runner.video.animation import Look, animation
    except ImportError as error:
        raise ExtraMissing(f"a {form}", extra="video") from error

    _make_room((out,), timeline, force=force)
    made = animation([(clip.label, clip.file) for clip in clips], Look(form, width, fps))
    _save(out, lambda file: file.write(made.data))
    return made


def _segment(slot: Slot) -> Segment:
    from runner.video.rough_cut import Segment
    from runner.video.slate import Slate

    slate = Slate(slot.shot_id, slot.why, slot.prompt)
    clip = slot.active
    if clip is None:
        return Segment(slot.shot_id, slot.planned, slate)
    seed = clip.about.get("seed")
    burn = clip.label if seed is None else f"{clip.label}  seed {seed}"
    return Segment(clip.label, slot.planned, slate, file=clip.file, burn=burn)


def _rows(timeline: Timeline) -> list[Row]:
    from runner.video.contact_sheet import Row

    return [
        Row(slot.shot_id, slot.prompt, tuple(map(_tile, _clips(slot))), slot.why) for slot in timeline.slots
    ]


def _clips(slot: Slot) -> tuple[Clip, ...]:
    """Return all clips of a shot, in the order of their labels."""
    clips = (*((slot.active,) if slot.active else ()), *slot.others)
    # The label of a shot's hundredth take is longer.
    return tuple(sorted(clips, key=lambda clip: (len(clip.label), clip.label)))


def _tile(clip: Clip) -> Tile:
    from runner.video.contact_sheet import Tile

    flags, sha256 = clip.about.get("flags"), clip.about.get("sha256")
    # Clips are in a folder of the run directory, and so are previews.
    poster = clip.file.parent.parent / preview_names(sha256).small if isinstance(sha256, str) else None
    return Tile(
        clip.label,
        clip.file,
        poster=poster if poster is not None and poster.is_file() else None,
        decision=clip.decision.value if clip.decision else "",
        flags="; ".join(map(str, flags)) if isinstance(flags, list | tuple) else "",
    )


def _make_room(paths: Sequence[Path], timeline: Timeline, *, force: bool) -> None:
    """Refuse names of clips, even with `force`, and names that are taken."""
    clips = {clip.file.resolve() for slot in timeline.slots for clip in _clips(slot)}
    for path in paths:
        if path.resolve() in clips:
            shown = visible(str(path), PATH_LIMIT)
            raise UsageError(f"{shown} is one of the clips", advice="give another name with -o")
    make_room(paths, force=force)


def _save(path: Path, save: Callable[..., object]) -> None:
    try:
        with whole_file(path) as file:
            save(file)
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error
    note_written((path,))
