"""`restore`: rebuilds a run's record from its other files, where the record is lost or out of date."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace

from runner.cli.from_flags import opening_of
from runner.cli.json_output import commands_as_json, envelope
from runner.cli.terminal import show, show_json, warn
from runner.commands.restore import Rebuilt, find_target, foresee, rebuild
from runner.commands.steps.find_run import manifest_of, run_words
from runner.domain.display import counted
from runner.domain.errors import UsageError
from runner.domain.states import TakeState
from runner.domain.store_address import StoreAddress
from runner.system.escapes import command_line, path_word, visible

_SHOWN = 50


def command(arguments: argparse.Namespace) -> int:
    """Restore the record, or with `-n` only show what would be recorded."""
    opening, dry, named = opening_of(arguments), arguments.dry_run, arguments.target
    if isinstance(named, StoreAddress):
        from runner.commands.restore_from_store import bring, look

        if arguments.run_dir is None:
            raise UsageError(f"{named}: no folder is named for the run", advice="add --run-dir FOLDER")
        if dry:
            record = look(named)
            if arguments.output == "json":
                show_json(envelope("restore", {"dry_run": True, **asdict(record), "address": str(named)}))
            else:
                show(record.sentences())
            return 0
        opening = replace(opening, moved=True)
        named = bring(named, arguments.run_dir, opening=opening).path
    target = find_target(
        named,
        run_dir=arguments.run_dir,
        simulated=arguments.simulate,
        api_base=arguments.api_base,
        schema_dirs=arguments.schema_dir,
    )
    found = (foresee if dry else rebuild)(target, opening=opening)
    if arguments.output == "json":
        show_json(_as_json(found, dry=dry))
        return 0
    lines = list(_lines(found))
    show(lines[:_SHOWN])
    show([f"… and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else [])
    warn(_next_steps(found, dry=dry))
    return 0


def _as_json(found: Rebuilt, *, dry: bool) -> dict[str, object]:
    go_on = run_words(found.place, found.header)
    reconcile = ["reconcile", path_word(found.place.path)]
    return envelope(
        "restore",
        {
            "run_dir": str(found.place.path),
            "dry_run": dry,
            "moved_from": str(found.brought_back) if found.brought_back is not None else None,
            "set_aside": [*map(str, found.aside)],
            "takes": [
                {
                    "take": take,
                    "request_id": sent.request_id or None,
                    "state": "delivered" if take in found.delivered else state.value,
                }
                for sent, take, state in found.entered
            ],
            "held": list(found.held),
            "left": [
                {"take": sent.take, "request_id": sent.request_id or None, "model": sent.model}
                for sent in found.left
            ],
            "next": [] if dry else commands_as_json(*([reconcile] if found.held else []), go_on),
        },
    )


def _lines(found: Rebuilt) -> Iterator[str]:
    if found.brought_back is not None:
        yield f"the run directory is moved back from {visible(str(found.brought_back))}"
    for path in found.aside:
        yield f"set aside as {visible(path.name)}: it cannot be used"
    delivered = set(found.delivered)
    for sent, take, state in found.entered:
        yield f"{visible(take)}: {_what(sent.request_id, state, delivered=take in delivered)}"
    for take in found.untold:
        yield f"{visible(take)}: held, since no file says whether it was sent"
    for sent in found.left:
        job = f"request {visible(sent.request_id)}" if sent.request_id else "a submission without an answer"
        model = f" ({visible(sent.model)})" if sent.model else ""
        yield f"left: {job} of {visible(sent.take)}{model}, which is not a take of this run now"


def _what(request_id: str, state: TakeState, *, delivered: bool) -> str:
    if state is TakeState.HELD and not request_id:
        return "held: it was submitted, and no file has the answer"
    then = "its clip is here" if delivered else "the next run finishes it, and pays nothing for it"
    return f"request {visible(request_id)}: {then}"


def _next_steps(found: Rebuilt, *, dry: bool) -> Iterator[str]:
    if dry:
        yield "nothing was changed"
        return
    if not (found.entered or found.left or found.untold or found.brought_back or found.aside):
        yield "the record lacks nothing that another file knows"
    if found.held:
        yield f"{counted(len(found.held), 'take')} held: see them, and decide"
        yield f"  → {command_line('reconcile', found.place.path)}"
    if manifest_of(found.place, found.header).exists():
        yield f"go on with: {command_line(*run_words(found.place, found.header))}"
    else:
        words = command_line("run", "MANIFEST", "--run-dir", path_word(found.place.path), "--moved")
        yield f"its manifest is not here as {visible(found.header.manifest)}; go on with: {words}"
