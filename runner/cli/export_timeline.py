"""`export otio` and its like: writes the cut for an editor, and says what the form cannot carry."""

from __future__ import annotations

import argparse
import sys

from runner.cli.export import export_as_json, refuse_json
from runner.cli.from_flags import choice_of
from runner.cli.terminal import show_result, warn
from runner.commands.export_timeline import (
    STDOUT,
    Cut,
    CutOptions,
    Form,
    default_file,
    make_cut,
    write_cut,
)
from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import UsageError
from runner.system.escapes import command_line, escaped, path_word


def command(arguments: argparse.Namespace) -> int:
    """Make the cut and write it, or print it for `-o -`."""
    form = Form(arguments.form)
    simulated = arguments.simulate or None
    out = arguments.out or default_file(arguments.target, form, simulated=simulated)
    if out == STDOUT and form is Form.OTIOZ:
        raise UsageError("otioz is a bundle, and is not printed", advice="give a file: -o FILE")
    options = CutOptions(
        simulated,
        arguments.schema_dir,
        choice_of(arguments),
        arguments.fps,
        arguments.relative,
        arguments.start,
    )
    if out == STDOUT:
        refuse_json(arguments)
    cut = make_cut(arguments.target, form, out=out, options=options, say=lambda text: warn([text]))
    if out == STDOUT:
        if len(cut.texts) > 1:
            raise UsageError(f"this cut needs {len(cut.texts)} files", advice="give a file: -o FILE")
        # A program gets the text as it is; on a terminal nothing in a prompt may act.
        shown = escaped(cut.texts[0], kept="\n") if sys.stdout.isatty() else cut.texts[0]
        sys.stdout.write(shown)
    else:
        paths = write_cut(cut, out, force=arguments.force)
        fetch = ["fetch", path_word(arguments.target)] if _is_waiting(cut) else []
        value = export_as_json(form, paths, _notes(cut), next_words=fetch)
        show_result(arguments, value, (f"wrote {visible(str(path), PATH_LIMIT)}" for path in paths))
    if arguments.output != "json":
        fetch_line = f"→ {command_line('fetch', arguments.target)}"
        warn([*_notes(cut), *([fetch_line] if _is_waiting(cut) else [])])
    return 0


def _is_waiting(cut: Cut) -> bool:
    return any(slot.is_waiting for slot in cut.timeline.slots)


def _notes(cut: Cut) -> list[str]:
    """Return what a person should know of the cut."""
    lines = [cut.summary, *cut.remarks]
    if len(cut.texts) > 1:
        lines.append(f"an edl holds 999 events, so there are {len(cut.texts)} files; import them in order")
    if cut.form is Form.FFCONCAT:
        lines.append("FFmpeg reads it with: -f concat -safe 0 -i FILE")
    if cut.lost:
        lines.append(f"{cut.form} cannot carry: {', '.join(cut.lost)}")
    return lines
