"""`models`: which models can be used, or one model's inputs as a table."""

from __future__ import annotations

import argparse
import json
import textwrap

from runner.errors import UsageError
from runner.models.catalogue import Models
from runner.models.inputs import MISSING, Input
from runner.models.model import Model
from runner.wording import visible

_DEFAULT_SHOWN = 40


def command(arguments: argparse.Namespace) -> int:
    """Print the list, or the table."""
    models = Models.bundled(arguments.schema_dir)
    if arguments.model is None:
        ids = models.ids()
        print(json.dumps(list(ids), indent=1) if arguments.output == "json" else "\n".join(ids))
        return 0
    model = models.find(arguments.model)
    if model is None:
        nearest = models.nearest(arguments.model)
        raise UsageError(
            f"there is no schema for the model {arguments.model!r}",
            advice=f"did you mean {nearest}?" if nearest else "shotrunner models",
        )
    print(json.dumps(model.input_schema, indent=1) if arguments.output == "json" else _table(model))
    return 0


def _table(model: Model) -> str:
    rows = [("input", "type", "allowed", "default", ""), *(_row(each) for each in model.inputs)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, [*widths, 0], strict=True)).rstrip()
        for row in rows
    ]
    source = ", ".join(f"{key} {value}" for key, value in model.source.items())
    return "\n".join([f"{model.id}", *lines, *(["", f"source: {visible(source)}"] if source else [])])


def _row(given: Input) -> tuple[str, str, str, str, str]:
    kind = "https link" if given.media else given.type
    return given.name, kind, _allowed(given), _default(given), "required" if given.required else ""


def _allowed(given: Input) -> str:
    if given.allowed:
        return ", ".join(str(value) for value in given.allowed)
    if given.max_length is not None:
        return f"at most {given.max_length} characters"
    if given.minimum is not None or given.maximum is not None:
        return f"{'' if given.minimum is None else given.minimum} to {'' if given.maximum is None else given.maximum}"
    return ""


def _default(given: Input) -> str:
    # A required input's default is the page's example, and is never sent.
    if given.required or given.default is MISSING:
        return ""
    return textwrap.shorten(visible(json.dumps(given.default)), _DEFAULT_SHOWN, placeholder="…")
