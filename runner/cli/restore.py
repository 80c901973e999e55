"""`restore`: rebuilds a run's record from its other files, where the record is lost or out of date."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from runner.cli.prompts import opening_of, run_words
from runner.commands.restore import Rebuilt, Target, foresee, rebuild
from runner.commands.steps.api_base import named_base
from runner.commands.steps.request import SIMULATOR_BASE
from runner.domain.display import counted
from runner.domain.states import TakeState
from runner.manifest.reader import manifest_name
from runner.store import run_dir
from runner.store.run_dir import RunDir
from runner.store.witness import Sent
from runner.system.clock import SystemClock
from runner.system.escapes import command_line, visible

_SHOWN = 50


def command(arguments: argparse.Namespace) -> int:
    """Restore the record, or with `-n` only show what would be recorded."""
    target, opening = _target(arguments), opening_of(arguments)
    if arguments.dry_run:
        found = foresee(target, opening=opening)
    else:
        found = rebuild(target, opening=opening, clock=SystemClock())
    lines = list(_lines(found))
    for line in lines[:_SHOWN]:
        print(line)
    if len(lines) > _SHOWN:
        print(f"… and {len(lines) - _SHOWN} more")
    print("\n".join(_next_steps(found, dry=arguments.dry_run)), file=sys.stderr)
    return 0


def _target(arguments: argparse.Namespace) -> Target:
    named: Path = arguments.target
    base = named_base(arguments.api_base, os.environ)
    simulated = bool(arguments.simulate)
    if not named.is_file():
        place, manifest = RunDir(arguments.run_dir or named), None
    else:
        name = manifest_name(named)
        default = run_dir.default_run_dir(named, name=name, simulated=simulated)
        place, manifest = RunDir(arguments.run_dir or default), named
    return Target(
        place, manifest, simulated, SIMULATOR_BASE if simulated else base, tuple(arguments.schema_dir)
    )


def _lines(found: Rebuilt) -> Iterator[str]:
    if found.brought_back is not None:
        yield f"the run directory is moved back from {visible(str(found.brought_back))}"
    for path in found.aside:
        yield f"set aside as {visible(path.name)}: it cannot be used"
    delivered = set(found.delivered)
    for sent, take, state in found.entered:
        yield f"{visible(take)}: {_what(sent, state, delivered=take in delivered)}"
    for take in found.untold:
        yield f"{visible(take)}: held, since no file says whether it was sent"
    for sent in found.left:
        job = f"request {visible(sent.request_id)}" if sent.request_id else "a submission without an answer"
        model = f" ({visible(sent.model)})" if sent.model else ""
        yield f"left: {job} of {visible(sent.take)}{model}, which is not a take of this run now"


def _what(sent: Sent, state: TakeState, *, delivered: bool) -> str:
    if state is TakeState.HELD and not sent.request_id:
        return "held: it was submitted, and no file has the answer"
    then = "its clip is here" if delivered else "the next run finishes it, and pays nothing for it"
    return f"request {visible(sent.request_id)}: {then}"


def _next_steps(found: Rebuilt, *, dry: bool) -> Iterator[str]:
    if dry:
        yield "nothing was changed"
        return
    if not (found.entered or found.left or found.untold or found.brought_back or found.aside):
        yield "the record lacks nothing that another file knows"
    if found.held:
        yield f"{counted(len(found.held), 'take')} held: see them, and decide"
        yield f"  → {command_line('reconcile', found.place.path)}"
    yield f"go on with: {command_line(*run_words(found.place, found.header))}"
