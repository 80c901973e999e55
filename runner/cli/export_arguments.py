"""The command `export` and its forms: a lock, the cut for editors, and what needs no editor to be looked at.

In: nothing. Out: an entry of the table of commands.
"""

from __future__ import annotations

from pathlib import Path

from runner.cli.arg_types import number, pixels, timecode, whole
from runner.cli.argument_kinds import Argument, Command, Group, command, place, switch, value
from runner.cli.shared_arguments import MANIFEST_SIZE, MORE_SCHEMAS, OUTPUT, SIMULATED, choosing

_BOARD = place(
    "target", "a manifest, which need not have been run, or a run directory", type=Path, metavar="RUN"
)

_LOCK = command(
    "lock",
    "a manifest with every take written out, to repeat a storyboard exactly",
    place(
        "target",
        "a manifest (- is standard input); with --recorded also a run directory",
        type=Path,
        metavar="MANIFEST",
    ),
    value("-o FILE", Path, "file to write (default: standard output)", dest="out"),
    switch("--force", "replace an existing file"),
    switch("--recorded", "write what the run really sent, as its record says"),
    switch("--simulate", "with --recorded: use the manifest's simulated run"),
    MORE_SCHEMAS,
    MANIFEST_SIZE,
    OUTPUT,
)


def _timeline(form: str, says: str) -> Command:
    """Return a form of the cut: one clip a shot in board order, the picked take or else the newest whole one."""
    return command(
        form,
        says,
        _BOARD,
        SIMULATED,
        value(
            "-o FILE",
            Path,
            "file to write, - is standard output (default: in the folder exports of the run)",
            dest="out",
        ),
        switch("--force", "replace any file, not only an unchanged export"),
        value("--fps N", number(1.0, 1000.0), "frames per second (default: most clips' own, or 24)"),
        value("--start TIMECODE=01:00:00:00", timecode, "timecode of the first frame (default: 01:00:00:00)"),
        switch("--relative", "name the clips relative to the file, so that both can be moved together"),
        choosing("cut"),
        MORE_SCHEMAS,
        OUTPUT,
    )


_TIMELINES = (
    _timeline("otio", "the cut for editors as OpenTimelineIO; it carries everything"),
    _timeline("otioz", "the same with all clips in one file"),
    _timeline("edl", "the cut as CMX 3600, which every editor reads; needs the extra [timeline]"),
    _timeline("fcpxml", "the cut for Final Cut Pro and DaVinci Resolve"),
    _timeline("fcp7", "the cut as XML for Premiere; needs the extra [timeline]"),
    _timeline("csv", "the cut as a table: files, in and out, prompts, reasons for gaps"),
    _timeline("ffconcat", "the clips in order, as a list for FFmpeg"),
)
"""The cut of a board in the forms of `runner.timeline.carried`."""


def _seen(form: str, says: str, *arguments: Argument | Group) -> Command:
    """Return a form of the board that needs no editor to be looked at."""
    out = value("-o FILE", Path, "file to write (default: in the folder exports of the run)", dest="out")
    force = switch("--force", "replace any file, not only an unchanged export")
    return command(form, says, _BOARD, *arguments, SIMULATED, out, force, MORE_SCHEMAS, OUTPUT)


def _moving(form: str, says: str) -> Command:
    """Return a form for a chat."""
    return _seen(
        form,
        says,
        place(
            "take", "a shot, of which the take that plays is meant, or a take's id or label", metavar="TAKE"
        ),
        value("--width N=480", whole(16, 1920), "width of each clip in pixels (default: 480)"),
        value("--fps N=10", number(1.0, 50.0), "frames per second (default: 10)"),
        switch("--side-by-side", "show all takes of the shot beside each other, with their labels"),
    )


_CUTS = (
    _seen(
        "cut",
        "one MP4 of the takes that play, in board order; needs the extra [video]. The picked take of each shot"
        " plays, else the newest whole one. A shot without a clip is a slate of the planned length.",
        switch("--burn-in", "write the label and the seed of each take into the picture"),
        value("--size WxH", pixels, "size of the picture, such as 1280x720 (default: most clips' own)"),
        value("--fps N", number(1.0, 120.0), "frames per second (default: most clips' own)"),
        switch("--no-slates", "leave out shots that have no clip"),
        choosing("cut"),
    ),
    _seen(
        "contact-sheet",
        "pictures of all takes on one page, as PNG or PDF; needs the extra [video]",
        value("--columns N=6", whole(1, 40), "pictures beside each other (default: 6)"),
        choosing("show"),
    ),
    _moving("gif", "a moving picture of a take for a chat; needs the extra [video]"),
    _moving("webp", "the same as WebP, which is smaller; needs the extra [video]"),
)

EXPORT = command(
    "export",
    "write a storyboard in another form: for an editor, or to repeat it",
    title="forms",
    parts=(_LOCK, *_TIMELINES, *_CUTS),
    required=True,
)
