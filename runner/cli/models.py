"""`models`: lists the models or one model's inputs, and compares them with the API's catalogue."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from runner.cli.terminal import show, show_result
from runner.domain.display import PATH_LIMIT, counted, visible
from runner.domain.errors import UsageError
from runner.models.inputs import MISSING, Input
from runner.models.model import Model
from runner.models.registry import Models
from runner.models.scalars import choices
from runner.system.escapes import command_line

if TYPE_CHECKING:
    from runner.commands.steps.live_catalogue import Compared

CHANGED = 2
_DEFAULT_SHOWN = 40
_SAID = 400


def command(arguments: argparse.Namespace) -> int:
    """Print the list or the table, compare, or add."""
    first, *others = arguments.asked or [None]
    if first == "diff":
        return _diff(others, arguments)
    if first == "add":
        return _add(others, arguments)
    if others:
        raise UsageError("one model at a time", advice=command_line("models", first or ""))
    models = Models.bundled(arguments.schema_dir)
    if first is None:
        show_result(arguments, models.ids(), map(visible, models.ids()))
    else:
        model = models.named(first)
        show_result(arguments, model.input_schema, _table(model))
    return 0


def _diff(model_ids: Sequence[str], arguments: argparse.Namespace) -> int:
    from runner.commands.models import compare_with_catalogue

    folders, base = arguments.schema_dir, arguments.api_base
    compared = compare_with_catalogue(model_ids, schema_dirs=folders, api_base=base)
    lines = (line for each in compared for line in _lines(each))
    show_result(arguments, {"models": [_as_json(each) for each in compared]}, lines)
    return CHANGED if any(each.has_changed for each in compared) else 0


def _as_json(compared: Compared) -> dict[str, object]:
    return {
        "model": compared.model,
        "changed": compared.has_changed,
        "changes": [asdict(change) for change in compared.changes],
        "fault": compared.fault or None,
        "price": compared.price or None,
    }


def _lines(compared: Compared) -> list[str]:
    name, price = visible(compared.model), f" ({visible(compared.price)})" if compared.price else ""
    if not compared.has_changed:
        return [f"{name}: as in the catalogue{price}"]
    if compared.fault:
        return [f"{name}: {visible(compared.fault, _SAID)}"]
    changes = [f"  {visible(str(change), _SAID)}" for change in compared.changes]
    return [f"{name}: {counted(len(changes), 'change')}{price}", *changes]


def _add(model_ids: Sequence[str], arguments: argparse.Namespace) -> int:
    from runner.commands.models import add_from_catalogue

    if len(model_ids) != 1:
        raise UsageError("which model?", advice="shotrunner models add pika/pikaframes")
    model, folder = model_ids[0], arguments.into
    path = add_from_catalogue(model, folder, replace=arguments.force, api_base=arguments.api_base)
    again = command_line("models", model, "--schema-dir", folder)
    show([f"wrote {visible(str(path), PATH_LIMIT)}", f"  → {again}"])
    return 0


def _table(model: Model) -> list[str]:
    rows = [("input", "type", "allowed", "default", ""), *(_row(each) for each in model.inputs)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]
    source = ", ".join(f"{key} {value}" for key, value in model.source.items())
    return [visible(model.id), *lines, *(["", f"source: {visible(source)}"] if source else [])]


def _row(given: Input) -> tuple[str, ...]:
    kind = "https link" if given.media else given.type
    # A required input's default is the page's example, and is never sent.
    usual = "" if given.required or given.default is MISSING else visible(json.dumps(given.default))
    default = textwrap.shorten(usual, _DEFAULT_SHOWN, placeholder="…")
    cells = (given.name, kind, _allowed(given), default, "required" if given.required else "")
    return tuple(visible(cell, _SAID) for cell in cells)


def _allowed(given: Input) -> str:
    if given.allowed:
        return ", ".join(choices(given.allowed))
    if given.max_length is not None:
        return f"at most {given.max_length} characters"
    ends = ["" if end is None else str(end) for end in (given.minimum, given.maximum)]
    return " to ".join(ends) if any(ends) else ""
