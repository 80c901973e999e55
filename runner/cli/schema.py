"""`schema`: writes the JSON Schema of a manifest, with the inputs of all models found, for an editor."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.cli.terminal import show
from runner.commands.steps.editor_schema import (
    EDITOR_SCHEMA,
    editor_schema,
    models_beside,
    write_editor_schema,
)
from runner.domain.display import PATH_LIMIT, visible


def command(arguments: argparse.Namespace) -> int:
    """Print the schema, or write it to a file."""
    # The folder of the file is that of the manifest, and its schemas are found in the same way.
    out: Path | None = arguments.out
    text = editor_schema(models_beside(out or Path(EDITOR_SCHEMA), arguments.schema_dir))
    if out is None:
        print(text, end="")
        return 0
    write_editor_schema(out, text, force=arguments.force)
    show([f"wrote {visible(str(out), PATH_LIMIT)}"])
    return 0
