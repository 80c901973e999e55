"""`export cut`, `contact-sheet`, `gif` and `webp`: what can be looked at without an editor."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeAlias

from runner.cli.export import export_as_json
from runner.cli.from_flags import choice_of
from runner.cli.terminal import show_result, warn
from runner.commands.export_cut import (
    Clip,
    CutWishes,
    Timeline,
    export_animation,
    export_contact_sheet,
    export_cut,
    summary_of,
    takes_named,
)
from runner.commands.steps.clips_at_hand import at_hand, clips_of, playing
from runner.commands.steps.cut_list import cut_list
from runner.commands.steps.export_files import export_file
from runner.domain.display import PATH_LIMIT, size, visible
from runner.plan.selection import ALL

Made: TypeAlias = tuple[Sequence[Path], Sequence[str]]
"""The files that were written, and what a person should know of them."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def command(arguments: argparse.Namespace) -> int:
    """Make what was asked for, and say where it is."""
    forms: dict[str, Callable[[argparse.Namespace], Made]] = {
        "cut": _cut,
        "contact-sheet": _contact_sheet,
        "gif": _animation,
        "webp": _animation,
    }
    paths, remarks = forms[arguments.form](arguments)
    lines = (f"wrote {visible(str(path), PATH_LIMIT)}" for path in paths)
    show_result(arguments, export_as_json(arguments.form, paths, remarks), lines)
    if arguments.output != "json":
        warn(map(visible, remarks))
    return 0


def _cut(arguments: argparse.Namespace) -> Made:
    from runner.output.work_bar import seconds_bar

    out = arguments.out or export_file(arguments.target, ".mp4", simulated=arguments.simulate or None)
    wishes = CutWishes(arguments.size, arguments.fps, arguments.burn_in, not arguments.no_slates)
    timeline = cut_list(arguments.target, **_chosen(arguments))
    with (
        _at_hand(arguments, timeline, playing(timeline)) as timeline,
        seconds_bar(sys.stderr) as on_progress,
    ):
        cut = export_cut(timeline, out, wishes=wishes, force=arguments.force, on_progress=on_progress)
    return [out], [summary_of(cut), *cut.remarks]


def _contact_sheet(arguments: argparse.Namespace) -> Made:
    out = arguments.out or export_file(arguments.target, "-sheet.png", simulated=arguments.simulate or None)
    timeline, columns = cut_list(arguments.target, **_chosen(arguments)), arguments.columns
    with _at_hand(arguments, timeline, clips_of(timeline), with_posters=True) as timeline:
        return [*export_contact_sheet(timeline, out, columns=columns, force=arguments.force)], []


def _animation(arguments: argparse.Namespace) -> Made:
    timeline = cut_list(arguments.target, **_chosen(arguments))
    clips = takes_named(timeline, arguments.take, all_takes=arguments.side_by_side)
    name = arguments.take if arguments.side_by_side else clips[0].label
    out = arguments.out or export_file(
        arguments.target, f"-{_UNSAFE.sub('_', name)}.{arguments.form}", simulated=arguments.simulate or None
    )
    with _at_hand(arguments, timeline, clips) as timeline:
        made = export_animation(
            timeline,
            takes_named(timeline, arguments.take, all_takes=arguments.side_by_side),
            out,
            form=arguments.form,
            width=arguments.width,
            fps=arguments.fps,
            force=arguments.force,
        )
    named = ", ".join(clip.label for clip in clips)
    return [out], [f"{named}: {size(len(made.data))}", *made.remarks]


def _at_hand(
    arguments: argparse.Namespace, timeline: Timeline, clips: Sequence[Clip], *, with_posters: bool = False
) -> AbstractContextManager[Timeline]:
    simulated = arguments.simulate or None
    return at_hand(
        arguments.target, timeline, clips, simulated=simulated, with_posters=with_posters, say=_say
    )


def _say(text: str) -> None:
    warn([text])


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return which run is meant and which of its takes, as `cut_list` has it."""
    return {
        "simulated": arguments.simulate or None,
        "schema_dirs": arguments.schema_dir,
        "choice": choice_of(arguments) if "only" in arguments else ALL,
    }
