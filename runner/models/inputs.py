"""Describes each input of a model: for a person its name, limits and default, for a reader the types it may have.

In: a strict schema. Out: a frozen `Input` per property, in the order of the model's page, each with its `Shape`. If a
schema offers several forms, the shape combines them, and the validator decides exactly. It knows no value of a user.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from fractions import Fraction
from types import MappingProxyType
from typing import Final, TypeAlias

from runner.models.media_inputs import FORMS, forms_of, has_media_format, is_hook, is_media
from runner.models.schema_file import Schema, mapping
from runner.system.canonical_json import JsonValue


class Missing(Enum):
    """The absence of a value; None, false and "" are values."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Number: TypeAlias = int | float

_NO_FIELDS: Mapping[str, Shape] = MappingProxyType({})
_SCALARS: Final = frozenset({"boolean", "integer", "number"})
_BOUNDS: Final = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
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
    of the others. `extras` is true if keys other than `fields` are allowed, and `extra` is their shape. `choices` are
    the values of an enum or const.
    """

    kinds: tuple[str, ...] = ()
    nullable: bool = False
    media: bool = False
    items: Shape | None = None
    prefix: tuple[Shape, ...] = ()
    fields: Mapping[str, Shape] = field(default_factory=lambda: _NO_FIELDS)
    extras: bool = True
    extra: Shape | None = None
    choices: tuple[JsonValue, ...] = ()

    def item(self, index: int) -> Shape:
        """Return the shape of a list's item."""
        if index < len(self.prefix):
            return _freed(self.prefix[index])
        # A list of links need not describe its items.
        return _freed(self.items) if self.items else _LINK if self.media else _FREE

    def entry(self, key: str) -> Shape | None:
        """Return the shape of the value under a key of a mapping, or None if the key is not allowed."""
        if key in self.fields:
            return _freed(self.fields[key])
        return (_freed(self.extra) if self.extra else _FREE) if self.extras else None


_ANY = Shape()
_FREE = Shape(kinds=("number", "boolean", "string", "array", "object"), nullable=True)
"""Inside a list or mapping, what is written without quotes keeps the type that it has in JSON."""

_LINK = replace(_FREE, media=True)


def _freed(shape: Shape) -> Shape:
    """Return the shape of a part of a value: one without a type takes any."""
    is_said = shape.kinds or shape.media or shape.nullable
    return shape if is_said else replace(shape, kinds=_FREE.kinds, nullable=True)


@dataclass(frozen=True, slots=True)
class WholeNumbers:
    """The whole numbers that a schema allows: the multiples of `step` from `least` to `most`, both included.

    If `listed` is not empty, only its numbers are allowed.
    """

    least: Number = -math.inf
    most: Number = math.inf
    step: int = 1
    listed: tuple[int, ...] = ()

    def __and__(self, other: WholeNumbers) -> WholeNumbers:
        """Return the numbers that both allow."""
        return WholeNumbers(
            max(self.least, other.least),
            min(self.most, other.most),
            math.lcm(self.step, other.step),
            tuple(one for one in self.listed if one in other.listed or not other.listed) or other.listed,
        )


@dataclass(frozen=True, slots=True)
class Input:
    """One property of a model's input schema.

    `type` is a JSON Schema type, or several joined by " or "; it is "string" if the schema does not say. The `default`
    of a required input is the page's example, and is never sent for the user. `allowed` is empty if any value is
    allowed; `max_length` counts characters; `media` means a public https link. `whole` are its whole numbers.
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
    whole: WholeNumbers = field(default=WholeNumbers(), repr=False)


def inputs_of(schema: Schema, *, media: Collection[str] | None) -> tuple[Input, ...]:
    """Return the inputs of a strict object schema; `media` names the links, and None applies the rule of `is_media`."""
    required, inputs = schema.get("required"), []
    for name, given in mapping(schema.get("properties")).items():
        prop = mapping(given)
        is_link = is_media(name, prop) if media is None else name in media
        shape = shape_of(given, media=_linked(name, is_link=is_link), by_name=media is None)
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
            whole=_whole_numbers(prop),
        )
        inputs.append(described)
    return tuple(inputs)


def _linked(name: str, *, is_link: bool) -> bool | None:
    """Return what overrides a property's format: true for a link, false for an address that the API calls."""
    return True if is_link else False if is_hook(name) else None


def _allowed(schema: Schema) -> tuple[JsonValue, ...]:
    """Return the only values that are allowed, or nothing if others are as well."""
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    return tuple(values) if isinstance(values, list) else ()


def _whole_numbers(schema: Schema) -> WholeNumbers:
    """Return the whole numbers that a schema allows; of several forms, those of the first that may be a number."""
    below, above = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    least, most, step = _bound(schema, "minimum"), _bound(schema, "maximum"), _bound(schema, "multipleOf")
    found = WholeNumbers(
        max(-math.inf if least is None else least, -math.inf if below is None else math.floor(below) + 1),
        min(math.inf if most is None else most, math.inf if above is None else math.ceil(above) - 1),
        # A multiple of 2.5 that is whole is a multiple of 5.
        abs(Fraction(str(step)).numerator) if step else 1,
        tuple(value for value in _allowed(schema) if type(value) is int),
    )
    for keyword in FORMS:
        parts = [_whole_numbers(part) for part in forms_of(schema, keyword) if _may_be_number(part)]
        for part in parts if keyword == "allOf" else parts[:1]:
            found &= part
    return found


def _bound(schema: Schema, keyword: str) -> Number | None:
    """Return a bound of a schema; JSON's 1e999 is none, and neither is a boolean of draft 4."""
    value = schema.get(keyword)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _may_be_number(schema: Schema) -> bool:
    kinds = _kinds(schema)
    return not kinds or not {"integer", "number"}.isdisjoint(kinds)


def shape_of(schema: JsonValue, *, media: bool | None = None, by_name: bool = False) -> Shape:
    """Return the shape that `schema` describes; `media` overrides what its format says.

    With `by_name`, the rule of `is_media` finds the links inside a mapping; otherwise only their format does.
    """
    shape = _shape_of_forms(schema, media=media, by_name=by_name)
    if shape.kinds or not isinstance(schema, dict):
        return shape
    # A bound does not forbid text, but it says what a plain number means.
    is_bounded = any(not _BOUNDS.isdisjoint(part) for part in (schema, *forms_of(schema)))
    return replace(shape, kinds=("number", "string")) if is_bounded else shape


def _shape_of_forms(schema: JsonValue, *, media: bool | None, by_name: bool) -> Shape:
    if not isinstance(schema, dict):
        return _ANY
    is_link = has_media_format(schema) if media is None else media
    handed_on = is_link or media
    own = _own_shape(schema, is_link=is_link, handed_on=handed_on, by_name=by_name)
    # Beside a type, a form only narrows it; without one, each form says itself what it allows.
    of_part = _shape_of_forms if own.kinds else shape_of
    shapes = [
        own,
        *(_shape_of_forms(part, media=handed_on, by_name=by_name) for part in forms_of(schema, "allOf")),
    ]
    shapes += [of_part(part, media=handed_on, by_name=by_name) for part in forms_of(schema, "anyOf", "oneOf")]
    shape = shapes[0] if len(shapes) == 1 else _united(shapes)
    if shape.kinds or shape.nullable or "default" not in schema:
        return shape
    kind = kind_of(schema["default"])
    # A default of 1 does not forbid 0.5.
    return replace(shape, kinds=("number" if kind == "integer" else kind,))


def _own_shape(schema: Schema, *, is_link: bool, handed_on: bool | None, by_name: bool) -> Shape:
    kinds = _kinds(schema)
    properties, items, prefix = schema.get("properties"), schema.get("items"), schema.get("prefixItems")
    fields = {
        name: shape_of(
            given,
            media=_linked(name, is_link=by_name and is_media(name, mapping(given))),
            by_name=by_name,
        )
        for name, given in mapping(properties).items()
    }
    closed = isinstance(properties, dict) and "patternProperties" not in schema
    return Shape(
        kinds=tuple(kind for kind in kinds if kind != "null"),
        nullable="null" in kinds,
        media=is_link,
        items=shape_of(items, media=handed_on, by_name=by_name) if isinstance(items, dict) else None,
        prefix=tuple(shape_of(item, media=handed_on, by_name=by_name) for item in prefix)
        if isinstance(prefix, list)
        else (),
        fields=fields or _NO_FIELDS,
        extras=not closed or schema.get("additionalProperties", False) is not False,
        extra=_extra(schema, media=handed_on, by_name=by_name),
        choices=_allowed(schema),
    )


def _extra(schema: Schema, *, media: bool | None, by_name: bool) -> Shape | None:
    """Return the shape of the keys that a schema does not list, or None if it says nothing about them."""
    rest, patterns = schema.get("additionalProperties"), mapping(schema.get("patternProperties"))
    described = [*patterns.values(), *([rest] if isinstance(rest, dict) else [])]
    shapes = [shape_of(given, media=media, by_name=by_name) for given in described]
    if not shapes:
        return None
    is_open = not isinstance(rest, dict) and rest is not False
    return _united([*shapes, _FREE] if is_open else shapes)


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
    fields: dict[str, Shape] = {}
    for name, inner in (each for shape in shapes for each in shape.fields.items()):
        # A part that only narrows a field says no type.
        known = fields.get(name)
        fields[name] = inner if known is None or (known.kinds and inner.kinds) else _united([known, inner])
    return Shape(
        kinds=tuple(dict.fromkeys(kind for shape in shapes for kind in shape.kinds)),
        nullable=any(shape.nullable for shape in shapes),
        media=any(shape.media for shape in shapes),
        items=_either([shape.items for shape in shapes if shape.items]),
        prefix=next((shape.prefix for shape in shapes if shape.prefix), ()),
        fields=fields,
        extras=not fields or any(shape.fields and shape.extras for shape in shapes),
        extra=_either([shape.extra for shape in shapes if shape.extra]),
        choices=tuple(choice for shape in shapes for choice in shape.choices),
    )


def _either(shapes: list[Shape]) -> Shape | None:
    """Return the shape of a part that several forms describe; if the first says text, a number stays text."""
    if len(shapes) < 2:
        return shapes[0] if shapes else None
    is_text = shapes[0].kinds == ("string",)
    return _united(
        [shapes[0], *(shape for shape in shapes[1:] if not (is_text and _SCALARS & {*shape.kinds}))]
    )
