"""Makes a provider's loose schema strict: one dialect, valid defaults, no private keywords.

Providers publish schemas that look like JSON Schema but are not: `"type": "float"`, an integer whose default is null,
`required` with a field that does not exist, numbers written as text in an enum. The result is JSON Schema 2020-12,
without the private `validations`. Unknown `format`s stay and are not enforced. What an `allOf` or an `if` holds is a
fragment: it may require what only the schema around it describes.
"""

from __future__ import annotations

from collections.abc import Collection

from runner.models.fragments import FRAGMENTS, described
from runner.models.inputs import declared_kinds, kind_of
from runner.models.resolve_refs import each_subschema
from runner.models.scalars import READERS, ParseError, plain_number
from runner.models.schema_file import Schema, mapping
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
_WORDS = ("true", "false")
_MAY_BE_NULL = frozenset({"const", "default"})
_BOUNDS = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
    }
    | {"maxProperties", "minProperties", "multipleOf"}
)
_NOTES = frozenset({"title", "description", "default", "examples"})


def normalise(schema: Schema, *, is_fragment: bool = False) -> Schema:
    """Return `schema` made strict; it is not changed itself. `is_fragment` says that it adds to another schema."""
    strict = {k: v for k, v in schema.items() if v is not None or k in _MAY_BE_NULL}
    strict.pop("validations", None)
    strict = _with_null(_with_types(strict))
    _read_bounds(strict)
    _read_choices(strict)
    _read_default(strict)
    _read_required(strict, is_fragment=is_fragment)

    def inner(sub: JsonValue, label: str) -> JsonValue:
        if not isinstance(sub, dict):
            return sub
        is_part = is_fragment or label.partition(".")[0] in FRAGMENTS
        return normalise(sub, is_fragment=is_part or _takes_any_name(sub))

    return each_subschema(strict, inner)


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


def _with_null(schema: Schema) -> Schema:
    """Return a schema without `type` such that OpenAPI's `nullable: true` allows null."""
    if schema.pop("nullable", None) is not True or schema.keys() <= _NOTES:
        return schema
    notes = {k: v for k, v in schema.items() if k in _NOTES}
    rules = {k: v for k, v in schema.items() if k not in _NOTES}
    return {**notes, "anyOf": [rules, {"type": "null"}]}


def _read_bounds(schema: Schema) -> None:
    """Read bounds that are written as text, and draft-04's `exclusiveMinimum: true` beside a `minimum`."""
    for keyword in _BOUNDS & schema.keys():
        schema[keyword] = _coerced(schema[keyword], ("number",))
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
    if "const" in schema:
        schema["const"] = _coerced(schema["const"], kinds)


def _read_default(schema: Schema) -> None:
    if "default" in schema:
        kinds = declared_kinds(schema)
        value = schema["default"] = _coerced(schema["default"], kinds)
        # Providers write null if there is no default; `seed: null` would decide nothing.
        if value is None or (kinds and not _fits(value, kinds)):
            del schema["default"]


def _read_required(schema: Schema, *, is_fragment: bool) -> None:
    properties, listed = mapping(schema.get("properties")), schema.get("required")
    if isinstance(listed, bool) or (isinstance(listed, str) and listed in _WORDS):
        # Draft 3 wrote `required: true` inside the property, and the parent has already read it.
        del schema["required"]
        listed = None
    # The check against the meta-schema reports anything but a list of names.
    if not isinstance(listed, list | str | None) or not all(isinstance(name, str) for name in listed or ()):
        return
    flagged = [name for name, prop in properties.items() if mapping(prop).get("required") in (True, "true")]
    names = [*([listed] if isinstance(listed, str) else listed or ()), *flagged]
    known = names if is_fragment else described(schema) or names
    schema.pop("required", None)
    if kept := [name for name in dict.fromkeys(names) if name in known]:
        schema["required"] = kept


def _takes_any_name(schema: Schema) -> bool:
    return schema.get("additionalProperties", False) is not False or "patternProperties" in schema


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
