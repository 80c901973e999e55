"""Makes a provider's loose schema strict: one dialect, valid defaults, no private keywords.

Providers publish schemas that look like JSON Schema but are not: `"type": "float"`, an integer whose default is null,
`required` with a field that does not exist, numbers written as text in an enum. The result is JSON Schema 2020-12,
without the private `validations`. Unknown `format`s stay and are not enforced.
"""

from __future__ import annotations

from collections.abc import Collection

from runner.models.inputs import declared_kinds, kind_of
from runner.models.resolve_refs import each_subschema
from runner.models.scalars import READERS, ParseError, plain_number
from runner.models.schema_file import Schema
from runner.system.canonical_json import JsonValue

_STANDARD = ("array", "boolean", "integer", "null", "number", "object", "string")
_TYPES = {
    **dict(zip(_STANDARD, _STANDARD, strict=True)),
    **dict.fromkeys(("int", "long"), "integer"),
    **dict.fromkeys(("decimal", "double", "float"), "number"),
    **dict.fromkeys(("str", "text"), "string"),
    **dict.fromkeys(("dict", "map"), "object"),
    "bool": "boolean",
    "list": "array",
    "none": "null",
}
# These keywords may hold null as a value; anywhere else null means that the provider has no such rule.
_MAY_BE_NULL = frozenset({"const", "default"})


def normalise(schema: Schema, *, is_part: bool = False) -> Schema:
    """Return `schema` made strict; it is not changed itself. `is_part` says that it is inside another schema."""
    strict = {k: v for k, v in schema.items() if v is not None or k in _MAY_BE_NULL}
    strict.pop("validations", None)
    strict = _with_types(strict)
    _read_flags(strict)
    _read_choices(strict)
    _read_default(strict)
    _read_required(strict, whole=not is_part or strict.get("type") == "object")
    return each_subschema(
        strict, lambda sub, _: normalise(sub, is_part=True) if isinstance(sub, dict) else sub
    )


def _with_types(schema: Schema) -> Schema:
    if "type" not in schema:
        return schema
    declared = schema.pop("type")
    words = declared if isinstance(declared, list) else [declared]
    known = [_TYPES.get(str(word).lower()) for word in words]
    if schema.pop("nullable", None) is True:
        known.append("null")
    types: list[JsonValue] = [word for word in dict.fromkeys(known) if word]
    # Where one of the types may be anything, so may the value.
    if not types or None in known:
        return schema
    return {"type": types[0] if len(types) == 1 else types, **schema}


def _read_flags(schema: Schema) -> None:
    """Read draft-04's `exclusiveMinimum: true` beside a `minimum` as today's number."""
    for plain, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(flag := schema.get(exclusive), bool):
            del schema[exclusive]
            if flag and plain in schema:
                schema[exclusive] = schema.pop(plain)


def _read_choices(schema: Schema) -> None:
    values, kinds = schema.get("enum"), declared_kinds(schema)
    if isinstance(values, list):
        schema["enum"] = [_coerced(v, kinds) for v in values if v is not None or "null" in kinds or not kinds]
        if not schema["enum"]:
            del schema["enum"]


def _read_default(schema: Schema) -> None:
    if "default" in schema:
        kinds = declared_kinds(schema)
        value = schema["default"] = _coerced(schema["default"], kinds)
        # Providers write null if there is no default; `seed: null` would decide nothing.
        if value is None or (kinds and not _fits(value, kinds)):
            del schema["default"]


def _read_required(schema: Schema, *, whole: bool) -> None:
    properties, listed = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        # Draft 3 wrote `required: true` inside the property, and the parent has already read it.
        if not isinstance(listed, list):
            schema.pop("required", None)
        return
    schema.pop("required", None)
    flagged = [n for n, p in properties.items() if isinstance(p, dict) and p.get("required") is True]
    names = dict.fromkeys(map(str, [*(listed if isinstance(listed, list) else ()), *flagged]))
    # A fragment (a `then`, an `allOf` part) may require what only its parent describes.
    known: list[JsonValue] = [name for name in names if name in properties or not whole]
    if known:
        schema["required"] = known


def _coerced(value: JsonValue, kinds: Collection[str]) -> JsonValue:
    """Return `value` as the first of `kinds` that its text can mean, or as it is."""
    if isinstance(value, float):
        value = plain_number(value)
    if not kinds or _fits(value, kinds):
        return value
    if isinstance(value, str):
        read = (READERS[kind](value) for kind in kinds if kind in READERS)
        return next((one for one in read if not isinstance(one, ParseError)), value)
    return str(value) if kind_of(value) in {"integer", "number"} and "string" in kinds else value


def _fits(value: JsonValue, kinds: Collection[str]) -> bool:
    own = kind_of(value)
    return own in kinds or (own == "integer" and "number" in kinds)
