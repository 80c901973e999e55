"""What a manifest may hold for each input of a model, as JSON Schema for an editor.

In: a model. Out: a schema for each input. It allows at least what `check` accepts: a text with a template that becomes
a number later, the name of a frame, a file with the prompt, a bare word that looks like a number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from runner.models.inputs import Input, declared_kinds
from runner.models.model import Model
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue, canonical_json

_SCALARS = ("string", "number", "boolean")
_NO_SCALARS = frozenset({"array", "object", "null"})
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems")
_NOTES = ("title", "description", "default")
# A text with a template becomes its value later, and one that begins with @ is the name of a frame.
_LATER = r"\{\{|^@"
_RANGE: Schema = {"type": "string", "pattern": "^-?[0-9.]+-"}
_FILE_OR_FRAME: Schema = {
    "type": "object",
    "properties": {"file": {"type": "string"}, "frame": {"type": "string"}},
    "minProperties": 1,
    "additionalProperties": False,
}


def written_inputs(model: Model) -> dict[str, JsonValue]:
    """Return what may be written for each input of a model, by its name."""
    schemas = mapping(model.input_schema["properties"])
    return {each.name: _written_input(each, mapping(schemas[each.name])) for each in model.inputs}


def written_axis(value: JsonValue) -> Schema:
    """Return what a sweep may hold for an input with this value: one, a list, a range, or a mapping that makes them."""
    return {"anyOf": [value, {"type": "array", "items": value}, _RANGE, {"type": "object"}]}


def united(models: Iterable[Mapping[str, JsonValue]]) -> dict[str, JsonValue]:
    """Return the inputs of all models together; if they differ in one, it may have the values of any of them."""
    found: dict[str, list[JsonValue]] = {}
    for inputs in models:
        for name, value in inputs.items():
            found.setdefault(name, []).append(value)
    return {name: _any_of(values) for name, values in found.items()}


def _any_of(schemas: Iterable[JsonValue]) -> Schema:
    """Return a schema that allows what one of these does, on one level if their own choices are all that they hold."""
    flat: dict[str, JsonValue] = {}
    for schema in map(mapping, schemas):
        inner = schema.get("anyOf")
        for each in inner if isinstance(inner, list) and len(schema) == 1 else [schema]:
            flat[canonical_json(each)] = each
    return mapping(next(iter(flat.values()))) if len(flat) == 1 else {"anyOf": [*flat.values()]}


def _written_input(given: Input, schema: Schema) -> Schema:
    notes = {note: schema[note] for note in _NOTES if schema.get(note) not in (None, "")}
    text = str(notes.get("description", ""))
    if given.required:
        # The default of a required input is the page's example, which must not be sent by accident.
        notes.pop("default", None)
        text = f"Required. {text}"
    if given.media:
        text = f"{text} A public https link, or @ and the name of a frame."
    return {**notes, **({"description": text.strip()} if text else {}), **_written(schema)}


def _written(node: JsonValue, *, is_part: bool = False) -> Schema:
    """Return what may be written for a value; `is_part` says that other schemas describe the same value as well."""
    schema = mapping(node)
    kinds = declared_kinds(schema)
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list):
        return _choice(values)
    if "string" in kinds:
        # A bare word is text for a text input, whatever it looks like.
        return {"anyOf": [{"type": [*dict.fromkeys((*_SCALARS, *kinds))]}, _FILE_OR_FRAME]}
    combined: list[JsonValue] = []
    for word in ("allOf", "anyOf", "oneOf"):
        if isinstance(parts := schema.get(word), list):
            written: list[JsonValue] = [_written(part, is_part=True) for part in parts]
            combined += written if word == "allOf" else [_any_of(written)]
    own = {**_scalars_and_bounds(schema, kinds), **_parts(schema, is_open=is_part or bool(combined))}
    if len(combined) == 1 and not own:
        return mapping(combined[0])
    return {**own, "allOf": combined} if combined else own


def _scalars_and_bounds(schema: Schema, kinds: tuple[str, ...]) -> Schema:
    """Return the types that may stand for `kinds`, of which none is text, and the bounds of numbers and lists."""
    if not kinds:
        return {}
    bounds = {bound: schema[bound] for bound in _BOUNDS if bound in schema}
    if _NO_SCALARS.issuperset(kinds):
        return {"type": [*kinds], **bounds}
    return {"type": [*kinds, "string"], "pattern": _LATER, **bounds}


def _parts(schema: Schema, *, is_open: bool) -> Schema:
    """Return the rules for the items of a list and the fields of a mapping."""
    parts: Schema = {}
    if isinstance(schema.get("items"), dict) and "prefixItems" not in schema:
        parts["items"] = _written(schema["items"])
    if isinstance(properties := schema.get("properties"), dict):
        parts["properties"] = {name: _written(inner) for name, inner in properties.items()}
        # Fields that a schema does not list are refused, as in a request, unless it says otherwise.
        if schema.get("additionalProperties", is_open or "patternProperties" in schema) is False:
            parts["additionalProperties"] = False
    return parts


def _choice(values: list[JsonValue]) -> Schema:
    """Return the allowed values, each in every way that it may be written, or a text that becomes one later."""
    if any(isinstance(value, list | dict) for value in values):
        return {}
    bare = (_bare(value) for value in values if isinstance(value, str))
    allowed = [*values, *(value for value in bare if not isinstance(value, str))]
    return {"anyOf": [{"enum": allowed}, {"type": "string", "pattern": _LATER}]}


def _bare(text: str) -> JsonValue:
    """Return what an editor takes a bare word for: `720` for a number, `true` for a boolean."""
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, bool | int | float) else text
