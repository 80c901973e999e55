"""Makes a provider's loose schema strict: one dialect, valid defaults, no private keywords.

Providers publish schemas that look like JSON Schema and are not: `"type": "float"`, an integer whose default is null,
`required` with a field that does not exist, numbers written as text in an enum. In: a schema without references. Out:
JSON Schema 2020-12, with a note for everything that was changed, and the private `validations` set aside.
Unknown `format`s stay and are not enforced. It knows no file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from runner.models.keywords import Schema, each_subschema
from runner.models.scalars import ParseError, plain_number, read_boolean, read_integer, read_number
from runner.system.canonical_json import JsonValue

_TYPES = {
    "any": None,
    "bool": "boolean",
    "decimal": "number",
    "dict": "object",
    "double": "number",
    "float": "number",
    "int": "integer",
    "list": "array",
    "long": "integer",
    "map": "object",
    "none": "null",
    "str": "string",
    "text": "string",
}
_STANDARD = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_READERS: dict[str, Callable[[str], JsonValue | ParseError]] = {
    "integer": read_integer,
    "number": read_number,
    "boolean": read_boolean,
}
# These keywords may hold null as a value; anywhere else null means that the provider has no such rule.
_MAY_BE_NULL = frozenset({"const", "default"})


@dataclass(slots=True)
class Normalised:
    """A strict schema, what was changed to make it so, and private rules by their original place."""

    schema: Schema = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    validations: dict[str, JsonValue] = field(default_factory=dict)


def normalise(schema: Schema) -> Normalised:
    """Return `schema` made strict; it is not changed itself."""
    result = Normalised()
    result.schema = _strict(schema, "input", result)
    return result


def _strict(schema: Schema, where: str, result: Normalised) -> Schema:
    def inner(sub: JsonValue, label: str) -> JsonValue:
        name = label.rpartition(".")[2]
        return _strict(sub, f"{where}.{name}", result) if isinstance(sub, dict) else sub

    for step in _STEPS:
        schema = step(schema, where, result)
    return each_subschema(schema, inner)


def _without_nulls(schema: Schema, where: str, result: Normalised) -> Schema:
    empty = [k for k, v in schema.items() if v is None and k not in _MAY_BE_NULL]
    result.notes.extend(f"{where}: {keyword} is null and was dropped" for keyword in empty)
    return {k: v for k, v in schema.items() if k not in empty}


def _private_aside(schema: Schema, where: str, result: Normalised) -> Schema:
    if "validations" in schema:
        result.validations[where] = schema["validations"]
    return {k: v for k, v in schema.items() if k != "validations"}


def _plain_types(schema: Schema, where: str, result: Normalised) -> Schema:
    declared = schema.get("type")
    if declared is None:
        return schema
    words = declared if isinstance(declared, list) else [declared]
    known = [_standard_type(word, where, result) for word in words]
    if schema.get("nullable") is True:
        known.append("null")
        result.notes.append(f"{where}: nullable read as one more type")
    types: list[JsonValue] = [word for word in dict.fromkeys(known) if word]
    rest = {k: v for k, v in schema.items() if k not in {"type", "nullable"}}
    if None in known or not types:
        return rest
    return {"type": types[0] if len(types) == 1 else types, **rest}


def _standard_type(word: JsonValue, where: str, result: Normalised) -> str | None:
    lower = str(word).lower()
    standard = lower if lower in _STANDARD else _TYPES.get(lower)
    if standard != word:
        result.notes.append(f"{where}: type {word} read as {standard or 'any type'}")
    return standard


def _modern_bounds(schema: Schema, where: str, result: Normalised) -> Schema:
    """Read draft-04's `exclusiveMinimum: true` beside a `minimum` as today's number."""
    for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = schema.get(exclusive)
        if isinstance(flag, bool):
            result.notes.append(f"{where}: {exclusive} is a flag and was read with {plain}")
            bound = schema.get(plain)
            schema = {k: v for k, v in schema.items() if k != exclusive and not (flag and k == plain)}
            if flag and bound is not None:
                schema[exclusive] = bound
    return schema


def _typed_enum(schema: Schema, where: str, result: Normalised) -> Schema:
    values = schema.get("enum")
    if not isinstance(values, list):
        return schema
    kinds = _types_of(schema)
    typed = [_coerced(value, kinds) for value in values if value is not None or "null" in kinds or not kinds]
    if typed != values:
        result.notes.append(f"{where}: allowed values read as {' or '.join(kinds)}")
    if not typed:
        result.notes.append(f"{where}: an empty list of allowed values was dropped")
        return {k: v for k, v in schema.items() if k != "enum"}
    return {**schema, "enum": typed}


def _sound_default(schema: Schema, where: str, result: Normalised) -> Schema:
    if "default" not in schema:
        return schema
    kinds = _types_of(schema)
    value = _coerced(schema["default"], kinds)
    rest = {k: v for k, v in schema.items() if k != "default"}
    # Providers write null if there is no default; `seed: null` would decide nothing.
    if value is None or (kinds and not any(_fits(value, kind) for kind in kinds)):
        result.notes.append(f"{where}: the default does not fit the type and was dropped")
        return rest
    if type(value) is not type(schema["default"]):
        result.notes.append(f"{where}: the default {schema['default']!r} read as {value!r}")
    return {**schema, "default": value}


def _known_required(schema: Schema, where: str, result: Normalised) -> Schema:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        # Draft 3 wrote `required: true` inside the property, and the parent has already read it.
        return {k: v for k, v in schema.items() if k != "required" or isinstance(v, list)}
    listed = schema.get("required")
    names = list(listed) if isinstance(listed, list) else []
    names += [n for n, p in properties.items() if isinstance(p, dict) and p.get("required") is True]
    unique = list(dict.fromkeys(map(str, names)))
    # A fragment (a `then`, an `allOf` part) may require what only its parent describes.
    whole = where == "input" or schema.get("type") == "object"
    known: list[JsonValue] = [name for name in unique if name in properties or not whole]
    result.notes.extend(
        f"{where}: required names {name}, which is not a property, and was ignored"
        for name in unique
        if name not in known
    )
    rest = {k: v for k, v in schema.items() if k != "required"}
    return {**rest, "required": known} if known else rest


def _types_of(schema: Schema) -> list[str]:
    declared = schema.get("type", [])
    return [str(word) for word in declared] if isinstance(declared, list) else [str(declared)]


def _coerced(value: JsonValue, kinds: list[str]) -> JsonValue:
    """Return `value` as the first of `kinds` that its text can mean, or as it is."""
    if isinstance(value, float):
        value = plain_number(value)
    if not kinds or any(_fits(value, kind) for kind in kinds):
        return value
    if isinstance(value, str):
        read = [
            r for kind in kinds if kind in _READERS and not isinstance(r := _READERS[kind](value), ParseError)
        ]
        return read[0] if read else value
    scalar = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if scalar and "string" in kinds else value


def _fits(value: JsonValue, kind: str) -> bool:
    match kind:
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None


_Step: TypeAlias = Callable[[Schema, str, Normalised], Schema]
_STEPS: tuple[_Step, ...] = (
    _without_nulls,
    _private_aside,
    _plain_types,
    _modern_bounds,
    _typed_enum,
    _sound_default,
    _known_required,
)
