"""The JSON Schema of a manifest for an editor: the fields of a manifest, and under `inputs` those of each model.

In: the bundled schema of the fields, and models. Out: one JSON document, which names what it was made from. What
`check` accepts passes, with two exceptions: a swept variable that has the name of an input, and default inputs beside a
default model that no shot uses. Missing inputs are not judged, since defaults, styles and sweeps give them as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from runner.commands.steps.editor_inputs import united, written_axis, written_inputs
from runner.domain.errors import CannotCreate, SchemaInvalid
from runner.models.registry import Models, schemas_root, search_path
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue
from runner.system.escapes import command_line
from runner.system.version import __version__

EDITOR_SCHEMA: Final = "manifest.schema.json"
"""The name of the file beside a manifest, which the first line of a manifest refers to."""

_TITLE = '"title": "Shotrunner manifest"'
_MADE_FROM = re.compile(r'"\$comment": "made by shotrunner schema from ([0-9a-f]{64})"')
_HEAD_BYTES = 1_000
# Only these may be escaped in every dialect of regular expressions.
_SPECIAL = re.compile(r"[.^$*+?()[\]{}|\\/]")
_ANY = "any"
_SWEPT: Schema = {"required": ["sweep"], "properties": {"sweep": {"required": ["model"]}}}
_DEFAULT_MODEL: Schema = {"required": ["defaults"], "properties": {"defaults": {"required": ["model"]}}}


def editor_schema(models: Models) -> str:
    """Return the schema as the text of a file; it names what it was made from.

    The inputs of a model whose file cannot be used are left open.
    """
    base = _fields_of_a_manifest()
    document = {"$comment": f"made by shotrunner schema from {_sources(models, base)}", **json.loads(base)}
    ids, rows, is_open = models.ids(), {}, set[str]()
    for model_id in ids:
        try:
            model = models.find(model_id)
        except SchemaInvalid:
            continue
        if model:
            rows[model_id] = written_inputs(model)
            # What a pattern describes is not known by its name.
            is_open |= {model_id, _ANY} if model.is_open else set()
    # An input that no model has may be one of a model whose file cannot be used.
    of_any = united(rows.values()) if len(rows) == len(ids) else {}
    _put(document, ids, rows, of_any)
    for name in is_open:
        mapping(mapping(document["$defs"])[f"inputs:{_key(name)}"]).pop("additionalProperties", None)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def old_schema_notes(manifest: Path, models: Models, schema_dirs: Iterable[Path] = ()) -> tuple[str, ...]:
    """Return a note if the schema beside a manifest of YAML was made from other schemas than those of `models`.

    `schema_dirs` are the folders that the user has named; the note holds the command that renews the file.
    """
    path = manifest.with_name(EDITOR_SCHEMA)
    try:
        head = "" if manifest.suffix.lower() == ".csv" else _head(path)
        made_from = _MADE_FROM.search(head)
        is_new = made_from and made_from[1] == _sources(models, _fields_of_a_manifest())
    except OSError:
        return ()
    if is_new or _TITLE not in head:
        return ()
    folders = (word for folder in schema_dirs for word in ("--schema-dir", folder))
    again = command_line("schema", *folders, "--out", path)
    return (f"{path} was made from other schemas of models, so an editor may mark what is right: {again}",)


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8", "replace")


def write_editor_schema(path: Path, text: str, *, force: bool = False) -> None:
    """Write the file, whole or not at all; it replaces an older one of its kind, and others only with `force`.

    Raises:
        CannotCreate: another file has this name, or it cannot be written.
    """
    from runner.models.add_schema import add_file

    if path.exists() and not force and _TITLE not in _head(path):
        what = f"{path} is not the schema of a manifest"
        raise CannotCreate(what, advice="give another name, or add --force")
    add_file(text.encode(), path, replace=True)


def models_beside(manifest: Path, schema_dirs: Iterable[Path] = ()) -> Models:
    """Return the models that a manifest can use; raises `FileMissing` as `search_path` does."""
    return Models.bundled(search_path(manifest, [*schema_dirs]))


def _fields_of_a_manifest() -> bytes:
    return (schemas_root() / EDITOR_SCHEMA).read_bytes()


def _sources(models: Models, base: bytes) -> str:
    """Return one hash over the program's version, the fields of a manifest, and the file of each model."""
    parts = [__version__, hashlib.sha256(base).hexdigest()]
    parts += [f"{model_id} {models.sha256(model_id)}" for model_id in models.ids()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _put(
    document: Schema, ids: Iterable[str], rows: Mapping[str, Mapping[str, JsonValue]], of_any: Schema
) -> None:
    """Put into the schema of a manifest what the models allow; `of_any` is empty if the inputs of one are not known."""
    defs, top = mapping(document["$defs"]), mapping(document["properties"])
    _put_ids(defs, mapping(top["prices"]), ids)
    for name, inputs in rows.items():
        _put_row(defs, name, inputs)
    if of_any:
        _put_row(defs, _ANY, of_any)
    else:
        defs |= {f"row:{_ANY}": {}, f"inputs:{_ANY}": {}}
    defs["by-model"] = {
        "allOf": [
            {"if": {"required": ["model"], "properties": {"model": {"const": each}}}, "then": _row(each)}
            for each in rows
        ]
    }
    for owner in ("shot", "sequence"):
        mapping(defs[owner])["allOf"] = [_ref("by-model")]
    mapping(top["defaults"])["allOf"] = [
        {"if": _SWEPT, "then": _row(_ANY), "else": _ref("by-model")},
        {"if": {"required": ["model"]}, "else": _row(_ANY)},
    ]
    style = mapping(mapping(mapping(top["styles"])["additionalProperties"])["properties"])
    style["inputs"] = {"allOf": [style["inputs"], _ref(f"inputs:{_ANY}")]}
    document["allOf"] = [*_by_default_model(rows), {"if": _DEFAULT_MODEL, "else": _each_row(_ANY)}]


def _put_ids(defs: Schema, prices: Schema, ids: Iterable[str]) -> None:
    """Put in the ids of models wherever one can stand."""
    model = {key: value for key, value in mapping(defs["model"]).items() if key in {"title", "description"}}
    defs["model"] = {**model, "enum": [*ids]}
    prices["properties"] = {each: {"$ref": "#/properties/prices/additionalProperties"} for each in ids}
    mapping(mapping(defs["sweep"])["properties"])["model"] = {
        "description": "The models to render the shot with.",
        "anyOf": [_ref("model"), {"type": "array", "items": _ref("model")}],
    }


def _by_default_model(rows: Iterable[str]) -> Iterable[JsonValue]:
    for model_id in rows:
        defaults: Schema = {
            "required": ["model"],
            "properties": {"model": {"const": model_id}},
            "not": _SWEPT,
        }
        yield {
            "if": {"required": ["defaults"], "properties": {"defaults": defaults}},
            "then": _each_row(model_id),
        }


def _each_row(name: str) -> Schema:
    """Return the rule for shots and sequences that name no model themselves."""
    rule: Schema = {
        "if": {"anyOf": [{"required": ["model"]}, {"required": ["sequence"]}]},
        "else": {"if": _SWEPT, "then": _row(_ANY), "else": _row(name)},
    }
    items: Schema = {"items": rule}
    return {"properties": {"shots": items, "sequences": items}}


def _put_row(defs: Schema, name: str, inputs: Mapping[str, JsonValue]) -> None:
    """Put in what a row of one model may hold: its inputs, its axes, and those of the shots of a sequence."""
    key = _key(name)
    dotted = "|".join(_SPECIAL.sub(r"\\\g<0>", each) for each in inputs)
    # A dotted name is a part of an input, as in the header of a spreadsheet.
    parts: Schema = {f"^(?:{dotted})\\.": {}} if inputs else {}
    defs[f"inputs:{key}"] = {
        "type": "object",
        "properties": {**inputs},
        "patternProperties": parts,
        "additionalProperties": False,
    }
    defs[f"sweep:{key}"] = {"properties": {each: written_axis(value) for each, value in inputs.items()}}
    both: Schema = {"properties": {"inputs": _ref(f"inputs:{key}"), "sweep": _ref(f"sweep:{key}")}}
    # Only a sequence has frames, and its prompts may be shots.
    sequence: Schema = {"if": {"required": ["frames"]}, "then": {"properties": {"prompts": {"items": both}}}}
    defs[f"row:{key}"] = {**both, **sequence}


def _key(name: str) -> str:
    # A slash in a name would have to be escaped in each reference.
    return name.replace("/", ":")


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _row(name: str) -> Schema:
    return _ref(f"row:{_key(name)}")
