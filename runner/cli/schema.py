"""`schema`: writes the JSON Schema of a manifest, with the inputs of all models found, for an editor."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from runner.cli.terminal import note, show
from runner.commands.steps.editor_schema import (
    EDITOR_SCHEMA,
    editor_schema,
    models_beside,
    write_editor_schema,
)
from runner.domain.display import PATH_LIMIT, visible
from runner.domain.errors import SchemaInvalid
from runner.models.registry import Models


def command(arguments: argparse.Namespace) -> int:
    """Print the schema, or write it to a file."""
    # The folder of the file is that of the manifest, and its schemas are found in the same way.
    out: Path | None = arguments.out
    models = models_beside(out or Path(EDITOR_SCHEMA), arguments.schema_dir)
    text = editor_schema(models)
    note(_unusable(models))
    if out is None:
        print(text, end="")
        return 0
    write_editor_schema(out, text, force=arguments.force)
    show([f"wrote {visible(str(out), PATH_LIMIT)}"])
    return 0


def _unusable(models: Models) -> Iterator[str]:
    for model_id in models.ids():
        try:
            models.find(model_id)
        except SchemaInvalid as error:
            yield f"note: the inputs of {model_id} are left open: {error.message}"
