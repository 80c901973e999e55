"""Describes each input of a model as a person wants to see it: name, type, limits, default.

In: a strict object schema. Out: a frozen `Input` per property, in the order of the model's page. It knows no value that
a user gave.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from runner.models.keywords import Schema
from runner.models.media_inputs import is_media
from runner.models.value_types import shape_of
from runner.system.canonical_json import JsonValue


class Missing(Enum):
    """The absence of a value; None, false and "" are values."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
Number: TypeAlias = int | float


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
    description: str


def inputs_of(schema: Schema, *, media: Collection[str] | None) -> tuple[Input, ...]:
    """Return the inputs of a strict object schema; `media` names the links, and None applies the rule of `is_media`."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return ()
    needed = required if isinstance(required, list) else []
    return tuple(
        _input(name, prop if isinstance(prop, dict) else {}, required=name in needed, media=media)
        for name, prop in properties.items()
    )


def _input(name: str, prop: Schema, *, required: bool, media: Collection[str] | None) -> Input:
    allowed = prop.get("enum", [prop["const"]] if "const" in prop else [])
    return Input(
        name=name,
        title=str(prop.get("title", "")),
        type=" or ".join(shape_of(prop).kinds) or "string",
        required=required,
        default=prop.get("default", MISSING),
        allowed=tuple(allowed) if isinstance(allowed, list) else (),
        max_length=length if isinstance(length := prop.get("maxLength"), int) else None,
        minimum=_number(prop.get("minimum")),
        maximum=_number(prop.get("maximum")),
        media=is_media(name, prop) if media is None else name in media,
        description=str(prop.get("description", "")),
    )


def _number(value: JsonValue) -> Number | None:
    return value if isinstance(value, int | float) else None
