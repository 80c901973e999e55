"""Models taken from what their maker publishes, as files in a folder of the user.

In: a file or an https address, and a folder. Out: a file for each model that the document describes. Every schema goes
through the loader that a run uses, so that one that cannot be used is refused here. No request carries a token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    """A model, where it was found in the document, and the path of its file."""

    model: Model
    found: Published
    path: Path


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
    the model, or chooses one of several by its id. `ask` returns the id of a model that neither gives.
    `allow_loopback` lets an address lead to this machine.

    Raises:
        FileMissing, ServiceUnavailable: the document cannot be read.
        SchemaInvalid: it describes no model, or no schema in it can be used; nothing was written.
        UsageError: a model has no usable id, or `name` is none of several.
        CannotCreate: a file is there already and `replace` is false, or it cannot be written.
    """
    place, _, part = given.partition("#")
    data, source = _fetched(place, allow_loopback=allow_loopback) if "://" in place else _read(Path(place))
    document = parse_document(data, name=place)
    if not can_be_written(document, allow_nan=False):
        what = "it holds a number or half a character that JSON does not have"
        raise SchemaInvalid(f"{place}: {what}", advice="correct the document, and import it again")
    try:
        found = published(document)
    except RecursionError as error:
        raise SchemaInvalid(f"{place}: it is nested too deeply") from error
    if not found:
        what = (
            "it has no input schema; a JSON Schema, an answer of a catalogue or an OpenAPI document has one"
        )
        raise SchemaInvalid(f"{place}: {what}", advice="import the part that describes the model's input")
    if part:
        found = (_chosen(found, part),)
    models, refused, files = [], [], dict[Path, bytes]()
    for one, model_id in _named(found, name, ask):
        if len(found) > 1 and not _id(one):
            refused.append(f"{model_id}: its id is not given; add --name VENDOR/NAME to {place}#{model_id}")
            continue
        path = place_of(model_id, folder)
        content = wrapped(model_id, one.schema, {**source, **one.price})
        try:
            models.append(Imported(compiled(model_id, content, file=place), one, path))
        except SchemaInvalid as error:
            refused.append(f"{model_id}: {error.message}")
            continue
        files[path] = content
    if not models:
        raise SchemaInvalid(refused[0], advice="import the schema of the model's input alone")
    # A manifest finds models by itself in the folder of this name beside it, and so does its schema for editors.
    beside = folder.parent / EDITOR_SCHEMA if folder.name == SCHEMA_FOLDER else None
    if not dry_run:
        _write(files, replace=replace)
        if beside:
            write_editor_schema(beside, editor_schema(models_beside(beside)))
    return Import(tuple(models), (*files, *([beside] if beside else [])), tuple(refused))


def _named(
    found: Sequence[Published], name: str | None, ask: Callable[[str], str]
) -> list[tuple[Published, str]]:
    """Return the schemas that are wanted, each with the id of its model."""
    if len(found) > 1 and name is not None:
        found = [_chosen(found, name)]
    if len(found) > 1:
        return [(one, _id(one) or one.name or one.model) for one in found]
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


def _write(files: Mapping[Path, bytes], *, replace: bool) -> None:
    for path in files:
        if path.exists() and not replace:
            raise CannotCreate(f"{path} is there already", advice="add --force to replace it")
    for path, content in files.items():
        add_file(content, path, replace=replace)


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
    from runner.media.http.response import DownloadError

    data = bytearray()
    try:
        client = Downloads(allow_loopback=allow_loopback, deadline_s=_PATIENCE_S)
        with client, client.open(url) as download:
            for chunk in download.chunks:
                data += chunk
                if len(data) > MOST_BYTES:
                    break
    except DownloadError as error:
        is_wrong = error.permanent or error.link_refused
        raise (FileMissing if is_wrong else ServiceUnavailable)(error.message, advice=_BY_HAND) from error
    body = unpack(bytes(data), download.headers.get("content-encoding", ""), cap=MOST_BYTES).body
    # An address may hold a signature after its path, which `download.url` leaves out.
    return body, {"url": download.url, "retrieved": _today()}
