"""`init`: writes a manifest to start from, and beside it the JSON Schema that helps an editor check it."""

from __future__ import annotations

import argparse
from pathlib import Path

from runner.commands.steps.editor_schema import EDITOR_SCHEMA, editor_schema, models_beside
from runner.domain.disk_errors import file_error
from runner.domain.display import PATH_LIMIT
from runner.domain.errors import CannotCreate
from runner.system.escapes import command_line, visible

_START = "starter.yaml"


def command(arguments: argparse.Namespace) -> int:
    """Write both files, never over an existing one."""
    manifest: Path = arguments.manifest
    schema = manifest.with_name(EDITOR_SCHEMA)
    if not schema.exists():
        _write(schema, editor_schema(models_beside(manifest)))
    _write(manifest, Path(__file__).with_name(_START).read_text("utf-8"))
    print(f"wrote {visible(str(manifest), PATH_LIMIT)}")
    print(f"  → {command_line('check', manifest)}")
    print(f"  → {command_line('run', manifest, '--simulate')}")
    return 0


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise CannotCreate(
            f"{path} is there already", advice="give another name: shotrunner init NAME.yaml"
        ) from error
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error
