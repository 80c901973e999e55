"""Describes each input of a model: for a person its name, limits and default, for a reader the types it may have.

In: a strict schema. Out: a frozen `Input` per property, in the order of the model's page, each with its `Shape`. If a
schema offers several forms, the shape combines them, and the validator decides exactly. It knows no value of a user.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from runner.models.media_inputs import has_media_format, is_media
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue


class Missing(Enum):
    """The absence of a value; None, false and "" are values."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Number: TypeAlias = int | float

_NO_FIELDS: Mapping[str, Shape] = MappingProxyType({})
_KINDS: Final = {
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
}


@dataclass(frozen=True, slots=True)
class Shape:
    """The JSON types a value may have, in the schema's order, and the shapes inside it.

    `kinds` is empty if the schema does not say. `prefix` holds the shapes of a list's first items, and `items` that
    of the others. `extras` is true if keys other than `fields` are allowed; `choices` are the values of an enum, for
    messages.
    """

    kinds: tuple[str, ...] = ()
    nullable: bool = False
    media: bool = False
    items: Shape | None = None
    prefix: tuple[Shape, ...] = ()
    fields: Mapping[str, Shape] = field(default_factory=lambda: _NO_FIELDS)
    extras: bool = True
    choices: tuple[JsonValue, ...] = ()

    def item(self, index: int) -> Shape:
        """Return the shape of a list's item."""
        return self.prefix[index] if index < len(self.prefix) else self.items or _ANY


_ANY = Shape()


@dataclass(frozen=True, slots=True)
class Input:
    """One property of a model's input schema.

    `type` is a JSON Schema type, or several joined by " or "; it is "string" if the schema does not say. The `default`
    of a required input is the page's example, and is never sent for the user. `allowed` is empty if any value is
    allowed; `max_length` counts characters; `media` means a public https link.
    """

    name: str
    title: str
    type: str
    required: bool
    default: JsonValue | Missing
    allowed: tuple[JsonValue, ...]
    max_length: int | None
    minimum: Number | None
    maximum: Number | None
    media: bool
    shape: Shape = field(repr=False)


def inputs_of(schema: Schema, *, media: Collection[str] | None) -> tuple[Input, ...]:
    """Return the inputs of a strict object schema; `media` names the links, and None applies the rule of `is_media`."""
    required, inputs = schema.get("required"), []
    for name, given in mapping(schema.get("properties")).items():
        prop = mapping(given)
        is_link = is_media(name, prop) if media is None else name in media
        shape = shape_of(given, media=is_link or None)
        described = Input(
            name=name,
            title=str(prop.get("title", "")),
            type=" or ".join(shape.kinds) or "string",
            required=isinstance(required, list) and name in required,
            default=prop.get("default", MISSING),
            allowed=_allowed(prop),
            max_length=length if isinstance(length := prop.get("maxLength"), int) else None,
            minimum=least if isinstance(least := prop.get("minimum"), int | float) else None,
            maximum=most if isinstance(most := prop.get("maximum"), int | float) else None,
            media=is_link,
            shape=shape,
        )
        inputs.append(described)
    return tuple(inputs)


def _allowed(schema: Schema) -> tuple[JsonValue, ...]:
    """Return the only values that are allowed, or nothing if others are as well."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return tuple(values) if isinstance(values, list) else ()


def shape_of(schema: JsonValue, *, media: bool | None = None) -> Shape:
    """Return the shape that `schema` describes; `media` overrides what its format says."""
    if not isinstance(schema, dict):
        return _ANY
    is_link = has_media_format(schema) if media is None else media
    handed_on = is_link or media
    shapes = [_own_shape(schema, is_link=is_link, handed_on=handed_on)]
    for keyword in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(keyword)
        shapes += [shape_of(part, media=handed_on) for part in parts] if isinstance(parts, list) else []
    shape = shapes[0] if len(shapes) == 1 else _united(shapes)
    if shape.kinds or shape.nullable or "default" not in schema:
        return shape
    return replace(shape, kinds=(kind_of(schema["default"]),))


def _own_shape(schema: Schema, *, is_link: bool, handed_on: bool | None) -> Shape:
    kinds = _kinds(schema)
    properties, items, prefix = schema.get("properties"), schema.get("items"), schema.get("prefixItems")
    return Shape(
        kinds=tuple(kind for kind in kinds if kind != "null"),
        nullable="null" in kinds,
        media=is_link,
        items=shape_of(items, media=handed_on) if isinstance(items, dict) else None,
        prefix=tuple(map(shape_of, prefix)) if isinstance(prefix, list) else (),
        fields={n: shape_of(p) for n, p in properties.items()}
        if isinstance(properties, dict)
        else _NO_FIELDS,
        extras=not isinstance(properties, dict) or schema.get("additionalProperties", False) is not False,
        choices=tuple(enum) if isinstance(enum := schema.get("enum"), list) else (),
    )


def _kinds(schema: Schema) -> tuple[str, ...]:
    """Return the declared types, or those of the allowed values, or the type that the inner schemas imply."""
    if kinds := declared_kinds(schema):
        return kinds
    if "enum" in schema or "const" in schema:
        return tuple(dict.fromkeys(map(kind_of, _allowed(schema))))
    if "properties" in schema:
        return ("object",)
    return ("array",) if "items" in schema or "prefixItems" in schema else ()


def declared_kinds(schema: Schema) -> tuple[str, ...]:
    """Return the types that a schema declares."""
    declared = schema.get("type", [])
    return tuple(map(str, declared)) if isinstance(declared, list) else (str(declared),)


def kind_of(value: JsonValue) -> str:
    """Return the JSON Schema type of a value."""
    return _KINDS[type(value)]


def _united(shapes: list[Shape]) -> Shape:
    fields = {name: inner for shape in shapes for name, inner in shape.fields.items()}
    return Shape(
        kinds=tuple(dict.fromkeys(kind for shape in shapes for kind in shape.kinds)),
        nullable=any(shape.nullable for shape in shapes),
        media=any(shape.media for shape in shapes),
        items=next((shape.items for shape in shapes if shape.items), None),
        prefix=next((shape.prefix for shape in shapes if shape.prefix), ()),
        fields=fields,
        extras=not fields or any(shape.fields and shape.extras for shape in shapes),
        choices=next((shape.choices for shape in shapes if shape.choices), ()),
    )
