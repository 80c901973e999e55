"""`init`: writes a manifest to start from; beside one in YAML, the JSON Schema that helps an editor check it."""

from __future__ import annotations

import argparse
import csv
import io
from pathlib import Path

from runner.cli.json_output import commands_as_json, envelope
from runner.cli.terminal import show_result
from runner.commands.steps.editor_schema import EDITOR_SCHEMA, editor_schema, models_beside
from runner.domain.disk_errors import file_error
from runner.domain.display import PATH_LIMIT
from runner.domain.errors import CannotCreate, UsageError
from runner.system.escapes import command_line, path_word, visible

_START = "starter.yaml"
_TABLE = "starter.csv"
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})


def command(arguments: argparse.Namespace) -> int:
    """Write a manifest in the form that its suffix names, and never over an existing file."""
    manifest: Path = arguments.manifest
    suffix = manifest.suffix.lower()
    if suffix in _WORKBOOKS:
        raise UsageError(
            "a workbook is written by a spreadsheet program",
            advice=f"open this one in the program: {command_line('init', manifest.with_suffix('.csv'))}",
        )
    files = [manifest]
    if suffix in _SEPARATORS:
        _write(manifest, _table(_SEPARATORS[suffix]))
    else:
        schema = manifest.with_name(EDITOR_SCHEMA)
        if not schema.exists():
            _write(schema, editor_schema(models_beside(manifest)))
            files.append(schema)
        _write(manifest, Path(__file__).with_name(_START).read_text("utf-8"))
    word = path_word(manifest)
    following = [["check", word], ["run", word, "--simulate"]]
    value = {"files": [*map(str, files)], "next": commands_as_json(*following)}
    commands = (f"  → {command_line(*words)}" for words in following)
    show_result(
        arguments, envelope("init", value), [f"wrote {visible(str(manifest), PATH_LIMIT)}", *commands]
    )
    return 0


def _table(separator: str) -> str:
    """Return the table to start from, as a spreadsheet program opens it: with a byte-order mark and CRLF."""
    out = io.StringIO()
    with Path(__file__).with_name(_TABLE).open(encoding="utf-8", newline="") as file:
        csv.writer(out, delimiter=separator).writerows(csv.reader(file))
    return f"\ufeff{out.getvalue()}"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError as error:
        raise CannotCreate(
            f"{path} is there already", advice=f"give another name: shotrunner init NAME{path.suffix}"
        ) from error
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error
