"""The JSON Schema of a manifest for an editor: the fields of a manifest, and under `inputs` those of each model.

In: the bundled schema of the fields, and models. Out: one JSON document, which names what it was made from. What
`check` accepts passes, apart from a swept variable that has the name of an input. Whether inputs are missing is not
judged, since defaults, styles and sweeps give them as well.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from runner.domain.errors import CannotCreate, SchemaInvalid
from runner.models.inputs import declared_kinds
from runner.models.model import Model
from runner.models.registry import Models, schemas_root, search_path
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue, canonical_json
from runner.system.escapes import command_line
from runner.system.version import __version__

EDITOR_SCHEMA: Final = "manifest.schema.json"
"""The name of the file beside a manifest, which the first line of a manifest refers to."""

_TITLE = '"title": "Shotrunner manifest"'
_MADE_FROM = re.compile(r'"\$comment": "made by shotrunner schema from ([0-9a-f]{64})"')
_HEAD_BYTES = 1_000
_ANY = "any"
_SCALAR_KINDS = ("string", "number", "boolean")
_NO_SCALARS = frozenset({"array", "object", "null"})
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems")
_NOTES = ("title", "description", "default")
_COMBINED = ("allOf", "anyOf", "oneOf")
# A text with a template becomes the value later, and one that begins with @ is the name of a frame.
_LATER = r"\{\{|^@"
_RANGE = r"^-?[0-9.]+-"
_FILE_OR_FRAME: Schema = {
    "type": "object",
    "properties": {"file": {"type": "string"}, "frame": {"type": "string"}},
    "minProperties": 1,
    "additionalProperties": False,
}


def editor_schema(models: Models) -> str:
    """Return the schema as the text of a file; it names what it was made from.

    The inputs of a model whose file cannot be used are left open.
    """
    base = _fields_of_a_manifest()
    document = {"$comment": f"made by shotrunner schema from {_sources(models, base)}", **json.loads(base)}
    ids, rows = models.ids(), {}
    for model_id in ids:
        try:
            model = models.find(model_id)
        except SchemaInvalid:
            continue
        if model:
            rows[model_id] = {each.name: _written_input(model, each.name) for each in model.inputs}
    rows_of_any: dict[str, JsonValue] = {**_united(rows.values())} if len(rows) == len(ids) else {}
    _put(document, ids, rows, rows_of_any)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def old_schema_notes(manifest: Path, models: Models) -> tuple[str, ...]:
    """Return a note if the schema beside a manifest was made from other schemas; a file of another kind has none."""
    path = manifest.with_name(EDITOR_SCHEMA)
    try:
        head = _head(path)
        if _TITLE not in head:
            return ()
        made_from = _MADE_FROM.search(head)
        if made_from and made_from[1] == _sources(models, _fields_of_a_manifest()):
            return ()
    except OSError:
        return ()
    again = command_line("schema", "--out", path)
    return (f"{path} is older than the schemas of the models, so an editor knows less: {again}",)


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
    document: Schema, ids: Iterable[str], rows: Mapping[str, Mapping[str, JsonValue]], united: Schema
) -> None:
    """Put into the schema of a manifest what the models allow."""
    defs, top = mapping(document["$defs"]), mapping(document["properties"])
    model = mapping(defs["model"])
    model.pop("minLength", None)
    model.pop("examples", None)
    model["enum"] = list(ids)
    prices = mapping(top["prices"])
    prices["properties"] = {each: {"$ref": "#/properties/prices/additionalProperties"} for each in ids}
    mapping(mapping(defs["sweep"])["properties"])["model"] = {
        "description": "The models to render the shot with.",
        "anyOf": [_ref("model"), {"type": "array", "items": _ref("model")}],
    }
    for name, inputs in {**rows, **({_ANY: united} if united else {})}.items():
        _put_row(defs, name, inputs)
    if not united:
        defs[f"row:{_ANY}"] = {}
    cases: list[JsonValue] = [
        {"if": {"required": ["model"], "properties": {"model": {"const": each}}}, "then": _row(each)}
        for each in rows
    ]
    defs["by-model"] = {"allOf": cases}
    by_model = _ref("by-model")
    for owner in (mapping(defs["shot"]), mapping(defs["sequence"])):
        owner["allOf"] = [by_model]
    mapping(top["defaults"])["allOf"] = [
        {"if": _SWEPT, "then": _row(_ANY), "else": by_model},
        {"if": {"required": ["model"]}, "else": _row(_ANY)},
    ]
    styles = mapping(mapping(mapping(top["styles"])["additionalProperties"])["properties"])
    styles["inputs"] = {"allOf": [styles["inputs"], _ref(f"inputs:{_ANY}")]} if united else styles["inputs"]
    document["allOf"] = [*_by_default_model(rows), {"if": _DEFAULT_MODEL, "else": _each_row(_ANY)}]


_SWEPT: Schema = {"required": ["sweep"], "properties": {"sweep": {"required": ["model"]}}}
_DEFAULT_MODEL: Schema = {"required": ["defaults"], "properties": {"defaults": {"required": ["model"]}}}


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
    dotted = "|".join(re.escape(each).replace("/", r"\/") for each in inputs)
    # A dotted name is a part of an input, as in the header of a spreadsheet.
    parts: Schema = {f"^(?:{dotted})\\.": {}} if inputs else {}
    defs[f"inputs:{key}"] = {
        "type": "object",
        "properties": {**inputs},
        "patternProperties": parts,
        "additionalProperties": False,
    }
    defs[f"sweep:{key}"] = {"properties": {each: _axis(value) for each, value in inputs.items()}}
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


def _axis(value: JsonValue) -> Schema:
    """Return what a sweep may hold for an input: one value, a list, a range as text, or a mapping that makes values."""
    others: list[JsonValue] = [{"type": "string", "pattern": _RANGE}, {"type": "object"}]
    return {"anyOf": [value, {"type": "array", "items": value}, *others]}


def _united(rows: Iterable[Mapping[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return the inputs of all models together; where these differ, any of their values may stand."""
    found: dict[str, dict[str, JsonValue]] = {}
    for inputs in rows:
        for name, value in inputs.items():
            found.setdefault(name, {})[canonical_json(value)] = value
    return {
        name: next(iter(each.values())) if len(each) == 1 else {"anyOf": [*each.values()]}
        for name, each in found.items()
    }


def _written_input(model: Model, name: str) -> Schema:
    """Return what a manifest may hold for an input of a model."""
    given, is_required = model.by_name[name], model.by_name[name].required
    schema = mapping(mapping(model.input_schema["properties"])[name])
    written = {**{note: schema[note] for note in _NOTES if schema.get(note)}, **_written(schema)}
    if is_required:
        # The default of a required input is the page's example, which must not be sent by accident.
        written.pop("default", None)
        written["description"] = f"Required. {written.get('description', '')}".strip()
    if given.media:
        written["description"] = f"{written.get('description', '')} A public https link, or @frame.".strip()
    return written


def _written(node: JsonValue, *, is_part: bool = False) -> Schema:
    """Return a schema for a value as it may be written; it allows at least what `check` accepts.

    `is_part` says that other schemas describe the same value, so that it may hold more than this one knows.
    """
    schema = mapping(node)
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return _choice(values)
    kinds = declared_kinds(schema)
    combined: list[JsonValue] = [
        {("anyOf" if word == "oneOf" else word): [_written(part, is_part=True) for part in parts]}
        for word in _COMBINED
        if isinstance(parts := schema.get(word), list)
    ]
    written: Schema = {}
    if "string" in kinds:
        # A bare word is text for a text input, whatever it looks like. A mapping may be one as well, for all we know.
        texts: list[JsonValue] = [{"type": [*dict.fromkeys((*_SCALAR_KINDS, *kinds))]}, _FILE_OR_FRAME]
        return {"anyOf": texts}
    if kinds:
        _put_kinds(written, schema, kinds)
    if "array" in kinds and isinstance(schema.get("items"), dict) and "prefixItems" not in schema:
        written["items"] = _written(schema["items"])
    properties = schema.get("properties")
    if isinstance(properties, dict):
        written["properties"] = {name: _written(inner) for name, inner in properties.items()}
        is_open = is_part or combined or "patternProperties" in schema
        if schema.get("additionalProperties", bool(is_open)) is False:
            written["additionalProperties"] = False
    return {**written, **({"allOf": combined} if combined else {})}


def _put_kinds(written: Schema, schema: Schema, kinds: Iterable[str]) -> None:
    """Put in the types that may stand for `kinds`, of which none is text, and the bounds of numbers and lists."""
    types: list[JsonValue] = [*kinds]
    if not {*kinds} <= _NO_SCALARS:
        types.append("string")
        written["pattern"] = _LATER
    written |= {bound: schema[bound] for bound in _BOUNDS if bound in schema}
    written["type"] = types


def _choice(values: list[JsonValue]) -> Schema:
    """Return the allowed values, each in every way that it may be written, or a text that becomes one later."""
    if any(isinstance(value, list | dict) for value in values):
        return {}
    bare = [_bare(value) for value in values if isinstance(value, str)]
    allowed = [*values, *(value for value in bare if not isinstance(value, str))]
    return {"anyOf": [{"enum": allowed}, {"type": "string", "pattern": _LATER}]}


def _bare(text: str) -> JsonValue:
    """Return what an editor takes a bare word for: `720` for a number, `true` for a boolean."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
