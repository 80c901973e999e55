"""Models taken from what their maker publishes, as files in a folder of the user.

In: a file or an https address, and a folder. Out: a file for each model that the document describes. Every schema goes
through the loader that a run uses, so that one that cannot be used is refused here. No request carries a token.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from runner.api.decompress import unpack
from runner.api.json_fields import can_be_written
from runner.commands.steps.editor_schema import (
    EDITOR_SCHEMA,
    editor_schema,
    models_beside,
    write_editor_schema,
)
from runner.domain.disk_errors import file_error
from runner.domain.errors import CannotCreate, FileMissing, SchemaInvalid, ServiceUnavailable, UsageError
from runner.domain.network import network_in
from runner.models.add_schema import add_file, compiled, place_of, wrapped
from runner.models.document_text import MOST_BYTES, parse_document
from runner.models.model import Model
from runner.models.published import Published, published
from runner.models.registry import SCHEMA_FOLDER, is_model_id
from runner.system.canonical_json import JsonValue
from runner.system.clock import SystemClock

_PATIENCE_S = 60.0
_NAMED_IN_ADVICE = 5
_BY_HAND = "download it, and import the file"


@dataclass(frozen=True, slots=True)
class Imported:
    """A model, what was found of it in the document, and the path and content of its file."""

    model: Model
    found: Published
    path: Path
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Import:
    """The models that can be used, the paths of all files that belong to them, and why other models cannot be used."""

    models: tuple[Imported, ...]
    written: tuple[Path, ...]
    refused: tuple[str, ...] = ()


def import_models(
    given: str,
    folder: Path,
    *,
    name: str | None = None,
    ask: Callable[[str], str],
    replace: bool = False,
    dry_run: bool = False,
    allow_loopback: bool = False,
) -> Import:
    """Write the models of a document to `folder`, and return them; with `dry_run` nothing is written.

    `given` is a path or an https address; after a `#` may stand the name of one of several schemas. `name` is the id of
    the model, or chooses one of several by its id. `ask` returns the id of a model that neither gives, from the name of
    its schema. `allow_loopback` lets an address lead to this machine.

    Raises:
        FileMissing, ServiceUnavailable: the document cannot be read.
        SchemaInvalid: it describes no model, or no schema in it can be used; nothing was written.
        UsageError: a model has no usable id, or `name` is none of several.
        CannotCreate: a file is there already and `replace` is false, or it cannot be written.
    """
    place, _, part = (given, "", "") if Path(given).is_file() else given.partition("#")
    data, source = _fetched(place, allow_loopback=allow_loopback) if "://" in place else _read(Path(place))
    found = _schemas_in(data, place)
    models, refused = [], []
    for one, model_id in _wanted(found, name, part, ask):
        try:
            models.append(_imported(one, model_id, folder, source=source, place=place))
        except SchemaInvalid as error:
            refused.append(f"{model_id or one.name or one.model}: {error.message}")
    if not models:
        raise SchemaInvalid(refused[0], advice="import the schema of the model's input alone")
    # A manifest finds models by itself in the folder of this name beside it, and so does its schema for editors.
    beside = [folder.parent / EDITOR_SCHEMA] if folder.name == SCHEMA_FOLDER else []
    if not dry_run:
        _write(models, replace=replace)
        for path in beside:
            write_editor_schema(path, editor_schema(models_beside(path)))
    return Import(tuple(models), (*(each.path for each in models), *beside), tuple(refused))


def _schemas_in(data: bytes, place: str) -> Sequence[Published]:
    document, fault, found = parse_document(data, name=place), "", tuple[Published, ...]()
    if not can_be_written(document, allow_nan=False):
        fault = "it holds a number or half a character that JSON does not have, or is nested too deeply"
    else:
        try:
            found = published(document)
        except RecursionError:
            fault = "it is nested too deeply"
    if not found:
        forms = "a JSON Schema, an answer of a catalogue or an OpenAPI document has one"
        fault = fault or f"it has no input schema; {forms}"
        raise SchemaInvalid(f"{place}: {fault}", advice="import the part that describes the model's input")
    return found


def _wanted(
    found: Sequence[Published], name: str | None, part: str, ask: Callable[[str], str]
) -> list[tuple[Published, str]]:
    """Return the schemas that are wanted, each with the id of its model, which is empty for one of several without."""
    if part:
        found = [_chosen(found, part)]
    elif len(found) > 1 and name is not None:
        found = [_chosen(found, name)]
    if len(found) > 1:
        return [(one, _id(one)) for one in found]
    return [(found[0], name or _id(found[0]) or ask(found[0].name))]


def _id(found: Published) -> str:
    """Return the id that the document gives; a number or a title without a maker is not the id of a model's page."""
    return found.model if "/" in found.model and is_model_id(found.model) else ""


def _chosen(found: Sequence[Published], name: str) -> Published:
    for one in found:
        if name in {one.model, one.name}:
            return one
    names = [one.model or one.name for one in found]
    more = ", …" if len(names) > _NAMED_IN_ADVICE else ""
    advice = f"add the one you mean after a #, as in FILE#NAME: {', '.join(names[:_NAMED_IN_ADVICE])}{more}"
    raise UsageError(f"the document has {len(found)} models, and {name} is none of them", advice=advice)


def _imported(
    found: Published, model_id: str, folder: Path, *, source: Mapping[str, JsonValue], place: str
) -> Imported:
    if not model_id:
        again = f"{place}#{found.name or found.model} --name VENDOR/NAME"
        raise SchemaInvalid(f"the document does not give the id of this model; import {again}")
    path = place_of(model_id, folder)
    content = wrapped(model_id, found.schema, {**source, **found.price})
    return Imported(compiled(model_id, content, file=place), found, path, content)


def _write(models: Sequence[Imported], *, replace: bool) -> None:
    for each in models:
        if each.path.exists() and not replace:
            raise CannotCreate(f"{each.path} is there already", advice="add --force to replace it")
    for each in models:
        add_file(each.content, each.path, replace=replace)


def _today() -> str:
    return datetime.fromtimestamp(SystemClock().wall(), UTC).date().isoformat()


def _read(path: Path) -> tuple[bytes, dict[str, JsonValue]]:
    try:
        with path.open("rb") as file:
            return file.read(MOST_BYTES + 1), {"file": path.name, "retrieved": _today()}
    except FileNotFoundError as error:
        raise FileMissing(f"{path} is not there", advice="give a file, or an https address") from error
    except OSError as error:
        raise file_error(error, path, "cannot be read") from error


def _fetched(url: str, *, allow_loopback: bool) -> tuple[bytes, dict[str, JsonValue]]:
    from runner.media.http.download_client import Downloads
    from runner.media.http.response import DownloadError, shown

    data = bytearray()
    try:
        proxies = network_in(os.environ)
        client = Downloads(allow_loopback=allow_loopback, deadline_s=_PATIENCE_S, proxies=proxies)
        with client, client.open(url) as download:
            for chunk in download.chunks:
                data += chunk
                if len(data) > MOST_BYTES:
                    break
    except DownloadError as error:
        kind = FileMissing if error.permanent or error.link_refused else ServiceUnavailable
        raise kind(f"{shown(url)} cannot be read: {error.message}", advice=_BY_HAND) from error
    body = unpack(bytes(data), download.headers.get("content-encoding", ""), cap=MOST_BYTES).body
    # An address may hold a signature after its path, which `download.url` leaves out.
    return body, {"url": download.url, "retrieved": _today()}
