"""Puts a model's schema into a folder of the user, as a file that the registry of models finds by its path.

In: a schema as published, where it was published, a folder. Out: the file. Only a schema that compiles is written.
The file is whole or absent, and its path never leads out of the folder. It fetches nothing.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate, UsageError
from runner.models.model import Model
from runner.models.registry import is_model_id
from runner.models.schema_file import parse_model_file
from runner.system.canonical_json import JsonValue, canonical_hash


def wrapped(model_id: str, schema: Mapping[str, JsonValue], source: Mapping[str, JsonValue]) -> bytes:
    """Return the bytes of a schema file; the schema is as published, with its keys in their order."""
    given: JsonValue = dict(schema)
    document = {
        "model": model_id,
        "source": dict(source),
        "sha256": {"input": canonical_hash(given), "output": canonical_hash({})},
        "input": given,
        "output": {},
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def compiled(model_id: str, data: bytes, *, file: str) -> Model:
    """Return the model that a schema file makes.

    Raises:
        SchemaInvalid: the file cannot be used; the message names `file`.
    """
    return Model.from_file(parse_model_file(data, model=model_id, file=file))


def place_of(model_id: str, folder: Path) -> Path:
    """Return where the file of a model belongs in a folder of schemas: `ID.json`, or `models/ID.json` if it is there.

    Raises:
        UsageError: this cannot be a model's id, or a link in the folder leads out of it.
    """
    if not is_model_id(model_id):
        likely = re.sub(r"[^\w./-]+", "-", model_id.strip(), flags=re.ASCII)
        as_shown = (
            f"write {likely}" if is_model_id(likely) else "write it as on the model's page: pika/pikaframes"
        )
        raise UsageError(f"{model_id!r} is not a model id", advice=as_shown)
    parts = f"{model_id}.json".split("/")
    path = folder.joinpath("models", *parts)
    # A file below `models` is found first; an id without a slash, or with that word, is found only there.
    if len(parts) > 1 and parts[0] != "models" and not os.path.lexists(path):
        path = folder.joinpath(*parts)
    if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
        raise UsageError(
            f"{path} leads out of {folder} by a link", advice="choose another folder with --into"
        )
    return path


def add_file(data: bytes, path: Path, *, replace: bool = False) -> None:
    """Write a schema file, whole or not at all; only with `replace` does it replace another.

    Raises:
        CannotCreate: the file already exists, or cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            # A link fails where a rename would replace what another process has just made.
            if replace:
                part.replace(path)
            else:
                path.hardlink_to(part)
        finally:
            part.unlink(missing_ok=True)
    except FileExistsError as error:
        raise CannotCreate(f"{path} is there already", advice="add --force to replace it") from error
    except OSError as error:
        raise file_error(error, path, "cannot be written") from error
