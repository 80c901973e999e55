"""`models`: lists models or one model's inputs, compares them with the API's catalogue, and adds others."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runner.cli.json_output import commands_as_json, envelope
from runner.cli.terminal import note, show_result, typed
from runner.domain.display import PATH_LIMIT, counted, visible
from runner.domain.errors import SchemaInvalid, UsageError
from runner.models.inputs import MISSING, Input
from runner.models.model import Model
from runner.models.registry import SCHEMA_FOLDER, Models, search_path
from runner.models.scalars import choices
from runner.models.schema_file import mapping
from runner.system.escapes import command_line, path_word
from runner.system.nearest_name import Speller

if TYPE_CHECKING:
    from runner.commands.import_models import Imported
    from runner.commands.steps.live_catalogue import Compared

CHANGED = 2
_HERE = Path("manifest.yaml")
_USUAL_FOLDER = Path(SCHEMA_FOLDER)
_DEFAULT_SHOWN = 40
_SAID = 400


def command(arguments: argparse.Namespace) -> int:
    """Print the list or the table, compare, or add."""
    first, *others = arguments.asked or [None]
    if first in _ACTIONS:
        return _ACTIONS[first](others, arguments)
    models = Models.bundled(_folders(arguments))
    if first and "/" not in first and (meant := Speller().nearest(first, filter(None, _ACTIONS))):
        raise UsageError(
            f"{visible(first)} is not an id of a model", advice=command_line("models", meant, *others)
        )
    if others:
        raise UsageError("one model at a time", advice=command_line("models", first or ""))
    if first is None:
        where_from = models.where_from()
        listed = [{"model": model, "from": where} for model, where in where_from.items()]
        show_result(arguments, envelope("models", {"models": listed}), _list(where_from))
    else:
        model = models.named(first)
        show_result(arguments, _model_as_json(model), _table(model))
        note(_unchecked(model))
    return 0


def _model_as_json(model: Model) -> dict[str, object]:
    value = {"model": model.id, "source": model.source, "schema": model.input_schema, "notes": model.notes}
    return envelope("model", value)


def _unchecked(model: Model) -> list[str]:
    """Return a line for each rule of a model that no request is checked against."""
    return [f"{model.id}: {each}" for each in model.notes]


def _folders(arguments: argparse.Namespace) -> list[Path]:
    """Return the folders that a manifest in this one would search."""
    return search_path(_HERE, arguments.schema_dir)


def _list(where_from: Mapping[str, str]) -> list[str]:
    width = max(map(len, where_from))
    return [f"{visible(model):<{width}}  {visible(where, PATH_LIMIT)}" for model, where in where_from.items()]


def _diff(model_ids: Sequence[str], arguments: argparse.Namespace) -> int:
    from runner.commands.models import compare_with_catalogue

    base = arguments.api_base
    compared = compare_with_catalogue(model_ids, schema_dirs=_folders(arguments), api_base=base)
    lines = (line for each in compared for line in _lines(each))
    show_result(arguments, envelope("models-diff", {"models": [*map(_as_json, compared)]}), lines)
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
    shows = _shows(model, folder)
    value = {
        "models": [{"model": model, "file": str(path), "form": "catalogue"}],
        "refused": [],
        "files": [str(path)],
        "dry_run": False,
        "next": commands_as_json(shows),
    }
    lines = [f"wrote {visible(str(path), PATH_LIMIT)}", f"  → {command_line(*shows)}"]
    show_result(arguments, envelope("models-import", value), lines)
    return 0


def _shows(model: str, folder: Path) -> list[str]:
    """Return the words of the command that shows a model of a folder."""
    return ["models", model, *(("--schema-dir", path_word(folder)) if folder != _USUAL_FOLDER else ())]


def _import(documents: Sequence[str], arguments: argparse.Namespace) -> int:
    from runner.commands.import_models import import_models

    if len(documents) != 1:
        raise UsageError("which file or address?", advice="shotrunner models import openapi.json")
    folder, dry_run = arguments.into, arguments.dry_run
    found = import_models(
        documents[0],
        folder,
        name=arguments.name,
        ask=_ask,
        replace=arguments.force,
        dry_run=dry_run,
    )
    lines = [f"looks like {_found(each)}" for each in found.models]
    lines += _table(found.models[0].model) if len(found.models) == 1 else []
    lines += [f"{'would write' if dry_run else 'wrote'} {visible(str(p), PATH_LIMIT)}" for p in found.written]
    shows = _shows(found.models[0].model.id, folder)
    lines += [] if dry_run else [f"  → {command_line(*shows)}"]
    note(line for each in found.models for line in _unchecked(each.model))
    note(f"not imported: {reason}" for reason in found.refused)
    names = [
        {"model": each.model.id, "file": str(each.path), "form": each.found.form} for each in found.models
    ]
    value = {
        "models": names,
        "refused": found.refused,
        "files": [*map(str, found.written)],
        "dry_run": dry_run,
        "next": [] if dry_run else commands_as_json(shows),
    }
    show_result(arguments, envelope("models-import", value), lines)
    return SchemaInvalid.exit_code if found.refused else 0


def _ask(title: str) -> str:
    schema = f"The schema “{visible(title, _DEFAULT_SHOWN)}”" if title else "The schema"
    question = f"{schema} comes without the id of its model. What is the id on the model's page? "
    return typed(question, instead="--name VENDOR/NAME")


def _found(imported: Imported) -> str:
    """Return what a document is and what was found in it, as the end of a sentence."""
    inputs, name = imported.model.inputs, imported.found.name
    required, media = sum(each.required for each in inputs), sum(each.media for each in inputs)
    its = f"; the input of {imported.model.id} is {name}" if name else f"; its model is {imported.model.id}"
    counts = f"{counted(len(inputs), 'input')}, {required} required, {media} media"
    return visible(f"{imported.found.form}{its}: {counts}", _SAID)


_ACTIONS: Mapping[str | None, Callable[[Sequence[str], argparse.Namespace], int]] = {
    "diff": _diff,
    "add": _add,
    "import": _import,
}


def _table(model: Model) -> list[str]:
    rows = [("input", "type", "allowed", "default", ""), *(_row(each) for each in model.inputs)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]
    source = ", ".join(f"{key} {value}" for key, value in model.source.items())
    patterns = mapping(model.input_schema.get("patternProperties"))
    lines += [f"further inputs: names that match {visible(pattern, _SAID)}" for pattern in patterns]
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
