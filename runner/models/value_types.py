"""Extracts what a schema says about the type of a value: just enough to read text before it is validated.

In: a strict schema. Out: a `Shape`, made once per model and used for every shot. If a schema offers several
forms, the shape combines them, and the validator decides exactly. It knows no text and no problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from runner.models.keywords import Schema
from runner.models.media_inputs import has_media_format
from runner.system.canonical_json import JsonValue

_NONE: Mapping[str, Shape] = MappingProxyType({})


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
    fields: Mapping[str, Shape] = field(default_factory=lambda: _NONE)
    extras: bool = True
    choices: tuple[JsonValue, ...] = ()

    def item(self, index: int) -> Shape:
        """Return the shape of a list's item."""
        return self.prefix[index] if index < len(self.prefix) else self.items or ANY


ANY = Shape()


def shape_of(schema: JsonValue, *, media: bool | None = None) -> Shape:
    """Return the shape that `schema` describes; `media` overrides what its format says."""
    if not isinstance(schema, dict):
        return ANY
    is_link = has_media_format(schema) if media is None else media
    handed_on = is_link or media
    shapes = [_own_shape(schema, is_link=is_link, handed_on=handed_on)]
    for keyword in ("allOf", "anyOf", "oneOf"):
        parts = schema.get(keyword)
        shapes += [shape_of(part, media=handed_on) for part in parts] if isinstance(parts, list) else []
    shape = shapes[0] if len(shapes) == 1 else _united(shapes)
    if shape.kinds or shape.nullable:
        return shape
    return _replace_kinds(shape, _kind_of_default(schema))


def _own_shape(schema: Schema, *, is_link: bool, handed_on: bool | None) -> Shape:
    kinds = _kinds(schema)
    properties, items, prefix = schema.get("properties"), schema.get("items"), schema.get("prefixItems")
    return Shape(
        kinds=tuple(kind for kind in kinds if kind != "null"),
        nullable="null" in kinds,
        media=is_link,
        items=shape_of(items, media=handed_on) if isinstance(items, dict) else None,
        prefix=tuple(map(shape_of, prefix)) if isinstance(prefix, list) else (),
        fields={n: shape_of(p) for n, p in properties.items()} if isinstance(properties, dict) else _NONE,
        extras=not isinstance(properties, dict) or schema.get("additionalProperties", False) is not False,
        choices=tuple(enum) if isinstance(enum := schema.get("enum"), list) else (),
    )


def _kinds(schema: Schema) -> tuple[str, ...]:
    """Return the declared types, or those of the allowed values, or the type that the inner schemas imply."""
    declared = schema.get("type")
    if declared is not None:
        return tuple(map(str, declared)) if isinstance(declared, list) else (str(declared),)
    allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(allowed, list):
        return tuple(dict.fromkeys(kind_of(value) for value in allowed))
    if "properties" in schema:
        return ("object",)
    return ("array",) if "items" in schema or "prefixItems" in schema else ()


def _kind_of_default(schema: Schema) -> tuple[str, ...]:
    return (kind_of(schema["default"]),) if "default" in schema else ()


def kind_of(value: JsonValue) -> str:
    """Return the JSON Schema type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"


def _united(shapes: list[Shape]) -> Shape:
    fields: dict[str, Shape] = {}
    for shape in shapes:
        fields.update(shape.fields)
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


def _replace_kinds(shape: Shape, kinds: tuple[str, ...]) -> Shape:
    return replace(shape, kinds=kinds)
