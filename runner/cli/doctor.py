"""`doctor`: shows whether a paid run can work on this machine, and what to do where it cannot."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runner.cli.json_output import envelope
from runner.cli.settings import FILE, layers_of, merged
from runner.cli.terminal import show_result, width_of
from runner.commands.doctor import Check, State, examine, probes_of
from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import FileMissing
from runner.output.problem_text import broken_lines
from runner.output.safe_stream import SafeStream
from runner.system.clock import SystemClock

FAULTY = 2


def command(arguments: argparse.Namespace) -> int:
    """Print the checks; return 2 if any found a fault."""
    folder: Path = arguments.folder
    if not folder.is_dir():
        raise FileMissing(f"there is no folder {folder}", advice="give the folder of your manifests")
    probes = probes_of(folder, os.environ, api_base=arguments.api_base, clock=SystemClock())
    checks = examine({**probes, "settings": lambda: settings(folder, os.environ)})
    found = [
        {"name": each.name, "state": each.state, "message": each.says, "advice": each.advice or None}
        for each in checks
    ]
    show_result(
        arguments,
        envelope("doctor", {"checks": found}),
        lines(checks, width_of(SafeStream.over(sys.stdout), os.environ)),
    )
    return FAULTY if any(check.state is State.FAULT for check in checks) else 0


def lines(checks: Sequence[Check], width: int | None = None) -> list[str]:
    """Return the checks as a table, and below each line what to do; `width` folds long lines."""
    states, names = (max(len(getattr(check, column)) for check in checks) for column in ("state", "name"))
    found, indent = [], " " * (states + names + 4)
    for check in checks:
        found.append(f"{check.state:<{states}}  {check.name:<{names}}  {visible(check.says, PATH_LIMIT)}")
        if check.advice:
            found.append(f"{indent}→ {visible(check.advice, PATH_LIMIT)}")
    if width is None:
        return found
    return [folded for line in found for folded in broken_lines(line, width, indent=indent)]


def settings(folder: Path, environ: Mapping[str, str]) -> Check:
    """Return which settings files count for boards in a folder."""
    # No manifest is meant, so the name of this one does not matter.
    layers = layers_of(folder / "board.csv", environ)
    merged(layers)
    wrong = [str(problem) for layer in layers for problem in layer.findings.in_order()]
    if wrong:
        return Check("settings", State.FAULT, "; ".join(wrong), "correct the file")
    files = [str(layer.file) for layer in layers if layer.settings]
    return Check("settings", State.OK, ", ".join(files) or f"no {FILE}")
