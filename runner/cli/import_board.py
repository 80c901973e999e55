"""`import`: shows what the columns of an artist's sheet are taken for, asks, and writes the column map beside it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from runner.cli.json_output import commands_as_json, declined_as_json, envelope, problem_as_json
from runner.cli.problems import show_problems
from runner.cli.terminal import agreed, note, show, show_result, typed, warn
from runner.commands.import_board import (
    Proposal,
    Sheet,
    best_models,
    propose,
    read_sheet,
    refuse_existing,
    write_map,
)
from runner.domain.display import PATH_LIMIT, counted, visible
from runner.domain.errors import Severity
from runner.domain.shots import Shot, Text
from runner.manifest.reader import map_path
from runner.models.model import Model
from runner.models.registry import Models, search_path
from runner.system.escapes import command_line, path_word

_CELL = 72
_DECLINED = 3


def command(arguments: argparse.Namespace) -> int:
    """Propose a map, show what comes of it, and write it if the person agrees."""
    board = arguments.manifest
    if not arguments.dry_run:
        refuse_existing(map_path(board), force=arguments.force)
    models = Models.bundled(search_path(board, arguments.schema_dir))
    sheet = read_sheet(board, models=models, sheet=arguments.sheet or "")
    model = _model(arguments, sheet, models)
    proposal = propose(sheet, models=models, model=model, like=arguments.columns)
    # Without a map, check reads the first sheet of a workbook.
    if not proposal.is_needed and not arguments.sheet:
        lines = ["the columns have the names of a manifest already, so no map is needed", *_following(board)]
        show_result(arguments, _as_json(proposal, board, written=False), lines)
        return 0
    (warn if arguments.output == "json" else show)(_lines(proposal))
    errors = sum(problem.severity is Severity.ERROR for problem in proposal.problems)
    if errors:
        warn(["", f"{counted(errors, 'problem')} to correct in the sheet itself:", ""])
    found = dict.fromkeys((*sheet.warnings, *proposal.problems))
    show_problems([*found], all_with=f"to see all: {command_line('check', board)}")
    place = visible(str(proposal.path), PATH_LIMIT)
    if arguments.dry_run:
        show_result(arguments, _as_json(proposal, board, written=False), [])
        return 0
    if not arguments.yes and not agreed(f"{place} will be written.", instead="-y"):
        show_result(arguments, declined_as_json("nothing was written"), [])
        return _DECLINED
    write_map(proposal, force=arguments.force)
    lines = [f"wrote {place}", *_following(board)]
    show_result(arguments, _as_json(proposal, board, written=True), lines)
    return 0


def _following(board: Path) -> list[str]:
    return [f"  → {command_line('check', board)}"]


def _as_json(proposal: Proposal, board: Path, *, written: bool) -> dict[str, object]:
    return envelope(
        "import",
        {
            "map": str(proposal.path),
            "needed": proposal.is_needed,
            "written": written,
            "columns": [
                {"column": letters, "heading": heading, "meaning": target}
                for letters, heading, target in proposal.meanings
            ],
            "fixed": dict(proposal.fixed),
            "shots": proposal.count,
            "problems": [*map(problem_as_json, proposal.problems)],
            "next": commands_as_json(["check", path_word(board)]),
        },
    )


def _model(arguments: argparse.Namespace, sheet: Sheet, models: Models) -> Model | None:
    """Return the model for rows that name none: of the flag, or the answer of a person.

    With `--yes` or `--dry-run` it is the one that fits best, if only one does.
    """
    if arguments.model:
        return models.named(arguments.model)
    if sheet.models or arguments.columns:
        return None
    best = best_models(sheet, models)
    usual = best[0] if len(best) == 1 else None
    if usual and (arguments.yes or arguments.dry_run):
        return usual
    note(models.ids())
    offered = f"[{visible(usual.id)}] " if usual else ""
    answer = typed(f"Which of these models renders the shots? {offered}", instead="--model ID")
    return models.named(answer) if answer or not usual else usual


def _lines(proposal: Proposal) -> Iterator[str]:
    width = max(len(visible(heading, _CELL)) for _, heading, _ in proposal.meanings)
    for letters, heading, target in proposal.meanings:
        if heading:
            yield f"{letters:>3}  {visible(heading, _CELL):<{width}}  {visible(target)}"
    for name, value in proposal.fixed.items():
        yield f"     {'(fixed)':<{width}}  {visible(name)}: {visible(value, _CELL)}"
    if proposal.shots:
        yield f"\n{counted(proposal.count, 'shot')}; the first:"
    for shot in proposal.shots:
        yield from _shot_lines(shot, proposal.takes[shot.id])


def _shot_lines(shot: Shot, count: int) -> Iterator[str]:
    takes = f"  {counted(count, 'take')}" if count > 1 else ""
    tags = f"  tags: {', '.join(map(visible, shot.tags))}" if shot.tags else ""
    yield f"  {visible(shot.id)}  {visible(shot.model)}{takes}{tags}"
    inputs = shot.variants[0].inputs if shot.variants else {}
    for name, node in inputs.items():
        yield f"    {visible(name)}: {visible(node.text if isinstance(node, Text) else '…', _CELL)}"
    if shot.notes:
        yield f"    notes: {visible(shot.notes, _CELL)}"
